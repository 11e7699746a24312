"""The Glue job `extract`: the same extraction as the Lambda of that name, for tables too large for it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from aws_cdk import ArnFormat, AssetHashType, Aws, Stack
from aws_cdk.aws_glue import CfnJob, CfnSecurityConfiguration
from aws_cdk.aws_iam import PolicyStatement, Role, ServicePrincipal
from aws_cdk.aws_s3_assets import Asset
from constructs import Construct

from infra.bundle import Bundle
from infra.config import GlueSize
from infra.constructs.acknowledge import ANYTHING, Permission, grant
from infra.constructs.keys import Keys
from infra.constructs.permissions import Permissions

SCRIPT = Path(__file__).parents[2] / "glue_jobs" / "extract.py"
# Glue 5.0 writes to <prefix>/<security configuration>-role/<role>/error and .../output:
# https://docs.aws.amazon.com/glue/latest/dg/monitor-continuous-logging.html
LOGS = "/aws-glue/lakeshift"
# A run takes both from the plan of its table; these are for a run that is started by hand. Two are the fewest: one
# drives, the other reads.
DEFAULT_WORKERS = 2
DEFAULT_WORKER_TYPE = "G.1X"


class GlueExtract(Construct):
    """Job, role and security configuration. Glue 5.0 is pinned: an omitted version means the newest one."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        size: GlueSize,
        bundle: Bundle,
        environment: Mapping[str, str],
        permissions: Permissions,
        keys: Keys,
    ) -> None:
        super().__init__(scope, construct_id)
        self.role = Role(self, "Role", assumed_by=ServicePrincipal("glue.amazonaws.com"))
        for permission in (*permissions.of("extract"), *self._own()):
            grant(self.role, permission)
        script, requirements = self._file("Script", SCRIPT), self._file("Requirements", bundle.requirements)
        code = self._code(bundle)
        self.job = CfnJob(
            self,
            "Job",
            description="Lakeshift: extract",
            role=self.role.role_arn,
            command=CfnJob.JobCommandProperty(name="glueetl", python_version="3", script_location=script.s3_object_url),
            default_arguments=_arguments(code, requirements, environment),
            glue_version="5.0",
            worker_type=DEFAULT_WORKER_TYPE,
            number_of_workers=DEFAULT_WORKERS,
            execution_property=CfnJob.ExecutionPropertyProperty(max_concurrent_runs=size.concurrent_runs),
            timeout=size.timeout_minutes,
            max_retries=0,  # retries belong to the state machine
            security_configuration=self._security(keys).ref,
        )

    def _file(self, name: str, path: Path) -> Asset:
        return self._readable(Asset(self, name, path=str(path)))

    def _code(self, bundle: Bundle) -> Asset:
        return self._readable(
            Asset(
                self, "Code", path=str(bundle.code), asset_hash=bundle.stamp.code, asset_hash_type=AssetHashType.CUSTOM
            )
        )

    def _readable(self, asset: Asset) -> Asset:
        self.role.add_to_policy(
            PolicyStatement(actions=["s3:GetObject"], resources=[asset.bucket.arn_for_objects(asset.s3_object_key)])
        )
        return asset

    def _security(self, keys: Keys) -> CfnSecurityConfiguration:
        configuration = CfnSecurityConfiguration.EncryptionConfigurationProperty(
            cloud_watch_encryption=CfnSecurityConfiguration.CloudWatchEncryptionProperty(
                cloud_watch_encryption_mode="SSE-KMS", kms_key_arn=keys.operations.key_arn
            ),
            job_bookmarks_encryption=CfnSecurityConfiguration.JobBookmarksEncryptionProperty(
                job_bookmarks_encryption_mode="CSE-KMS", kms_key_arn=keys.data.key_arn
            ),
            s3_encryptions=[
                CfnSecurityConfiguration.S3EncryptionProperty(
                    s3_encryption_mode="SSE-KMS", kms_key_arn=keys.data.key_arn
                )
            ],
        )
        name = f"{Stack.of(self).stack_name}-extract"
        return CfnSecurityConfiguration(self, "Security", name=name, encryption_configuration=configuration)

    def _own(self) -> Iterator[Permission]:
        """Logs and metrics of the job itself."""
        log_groups = Stack.of(self).format_arn(
            service="logs", resource="log-group", resource_name=f"{LOGS}*", arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        logs = ["AssociateKmsKey", "CreateLogGroup", "CreateLogStream", "PutLogEvents"]
        yield Permission(
            PolicyStatement(actions=[f"logs:{action}" for action in logs], resources=[log_groups]),
            wildcard="Glue makes the log groups of a job itself, below this name.",
        )
        yield Permission(
            PolicyStatement(
                actions=["cloudwatch:PutMetricData"],
                resources=[ANYTHING],
                conditions={"StringEquals": {"cloudwatch:namespace": "Glue"}},
            ),
            wildcard="PutMetricData takes no resource; the condition leaves only Glue's own namespace.",
        )


def _arguments(code: Asset, requirements: Asset, environment: Mapping[str, str]) -> dict[str, str]:
    """Glue installs the very libraries that are locked for Lambda, and gets the settings as arguments."""
    settings = {f"--{name}": value for name, value in environment.items() if name.startswith("LAKESHIFT_")}
    # A task of Spark reads one stream; a worker has as many tasks at a time as cores.
    settings["--LAKESHIFT_READERS"] = "1"
    settings["--AWS_REGION"] = Aws.REGION
    return {
        "--extra-py-files": code.s3_object_url,
        "--additional-python-modules": requirements.s3_object_url,
        "--python-modules-installer-option": "-r",
        "--job-bookmark-option": "job-bookmark-disable",
        "--custom-logGroup-prefix": LOGS,
        "--enable-metrics": "true",
        **settings,
    }
