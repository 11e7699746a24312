"""The stateless stack: functions, state machines, intake, schedule, Glue job."""

from aws_cdk import CfnOutput, Stack, Token
from constructs import Construct

from infra.bundle import Bundle
from infra.config import StageConfig
from infra.constructs.functions import Steps
from infra.constructs.glue_job import GlueExtract
from infra.constructs.intake import DeadLetters, Intake
from infra.constructs.machines import Machines
from infra.constructs.optional_access import OptionalAccess
from infra.constructs.parameters import Parameters
from infra.constructs.permissions import SECRET_READERS, Permissions
from infra.constructs.schedule import LoadSchedule
from infra.constructs.warehouse import Warehouse
from infra.stacks.data import DataStack


class PipelineStack(Stack):
    """Everything that can be thrown away and deployed again."""

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: StageConfig, data: DataStack, bundle: Bundle
    ) -> None:
        super().__init__(scope, construct_id, description=f"Lakeshift {stage.name}: functions and state machines")
        self.stage, self.data, self.bundle = stage, data, bundle
        self.parameters = Parameters(self, "Parameters")
        self.permissions = Permissions(data.keys, data.storage, data.tracking, self.parameters, stage.name)
        self.environment_variables = self._environment()
        self.steps = Steps(
            self,
            "Steps",
            stage=stage,
            bundle=bundle,
            environment=self.environment_variables,
            permissions=self.permissions,
            log_key=data.keys.operations,
        )
        self.glue = self._glue()
        self.machines = Machines(
            self,
            "Machines",
            stage=stage,
            steps=self.steps,
            glue=self.glue,
            permissions=self.permissions,
            keys=data.keys,
        )
        self.dead_letters = DeadLetters(self, "DeadLetters", key=data.keys.operations).queue
        self._starters()
        self.warehouse = Warehouse(self, "Warehouse", stage=stage.name, steps=self.steps, permissions=self.permissions)
        self._optional_access()
        self._outputs()

    def _environment(self) -> dict[str, str]:
        storage, tracking, given = self.data.storage, self.data.tracking, self.parameters
        return {
            "LAKESHIFT_STAGE": self.stage.name,
            "LAKESHIFT_CONFIG_BUCKET": storage.config.bucket_name,
            "LAKESHIFT_LAKE_BUCKET": storage.lake.bucket_name,
            "LAKESHIFT_STAGING_BUCKET": storage.staging.bucket_name,
            "LAKESHIFT_RUNS_TABLE": tracking.runs.table_name,
            "LAKESHIFT_TABLES_TABLE": tracking.tables.table_name,
            "LAKESHIFT_CHUNKS_TABLE": tracking.chunks.table_name,
            "LAKESHIFT_INPUT_MAX_PARALLELISM": Token.as_string(given.input_max_parallelism.value),
            "LAKESHIFT_LOAD_MAX_PARALLELISM": Token.as_string(given.load_max_parallelism.value),
            "LAKESHIFT_READ_STREAMS": Token.as_string(given.read_streams.value),
            "LAKESHIFT_INITIATE_SCHEMA_DETECTION": given.initiate_schema_detection.value_as_string,
            "LAKESHIFT_REDSHIFT_IAM_ROLE_ARN": given.redshift_iam_role_arn.value_as_string,
            "LAKESHIFT_DATABASE": given.database_name.value_as_string,
            "LAKESHIFT_REDSHIFT_CLUSTER": given.cluster.value_as_string,
            "LAKESHIFT_REDSHIFT_WORKGROUP": given.workgroup.value_as_string,
            "LAKESHIFT_REDSHIFT_SECRET": given.redshift_secret.value_as_string,
            "LAKESHIFT_REDSHIFT_DB_USER": given.db_user.value_as_string,
            "LAKESHIFT_BIGQUERY_SECRET": given.secret.value_as_string,
            "POWERTOOLS_SERVICE_NAME": "lakeshift",
            "POWERTOOLS_METRICS_NAMESPACE": "Lakeshift",
        }

    def _starters(self) -> None:
        """An uploaded configuration starts `migrate`, the clock starts `load`."""
        Intake(
            self,
            "Intake",
            bucket=self.data.storage.config,
            machine=self.machines.migrate,
            dead_letters=self.dead_letters,
        )
        LoadSchedule(
            self,
            "LoadSchedule",
            expression=self.parameters.copy_command_schedule.value_as_string,
            machine=self.machines.load,
            dead_letters=self.dead_letters,
        )

    def _glue(self) -> GlueExtract:
        return GlueExtract(
            self,
            "GlueExtract",
            size=self.stage.glue,
            bundle=self.bundle,
            environment=self.environment_variables,
            permissions=self.permissions,
            keys=self.data.keys,
        )

    def _optional_access(self) -> None:
        """What the roles may do only where a parameter names it."""
        OptionalAccess(
            self,
            "OptionalAccess",
            parameters=self.parameters,
            permissions=self.permissions,
            secret_readers=[*self.steps.roles(SECRET_READERS), self.glue.role],
            warehouse=self.warehouse.role,
        )

    def _outputs(self) -> None:
        """The CLI finds everything here."""
        storage, tracking, given = self.data.storage, self.data.tracking, self.parameters
        values = {
            "ConfigBucket": storage.config.bucket_name,
            "LakeBucket": storage.lake.bucket_name,
            "StagingBucket": storage.staging.bucket_name,
            "RunsTable": tracking.runs.table_name,
            "TablesTable": tracking.tables.table_name,
            "ChunksTable": tracking.chunks.table_name,
            "MigrateStateMachineArn": self.machines.migrate.state_machine_arn,
            "MigrateTableStateMachineArn": self.machines.migrate_table.state_machine_arn,
            "LoadStateMachineArn": self.machines.load.state_machine_arn,
            "RollbackFunctionName": self.steps.function("rollback").function_name,
            "BigQuerySecretName": given.secret.value_as_string,
            "RedshiftServerlessWorkgroup": given.workgroup.value_as_string,
            "RedshiftClusterIdentifier": given.cluster.value_as_string,
            "RedshiftSecretName": given.redshift_secret.value_as_string,
            "RedshiftDbUser": given.db_user.value_as_string,
            "DatabaseName": given.database_name.value_as_string,
            "WarehouseRoleArn": self.warehouse.role.role_arn,
            "RedshiftIAMRoleARN": given.redshift_iam_role_arn.value_as_string,
            "InputMaxParallelism": Token.as_string(given.input_max_parallelism.value),
            "LoadMaxParallelism": Token.as_string(given.load_max_parallelism.value),
            "ReadStreams": Token.as_string(given.read_streams.value),
            "InitiateSchemaDetection": given.initiate_schema_detection.value_as_string,
        }
        for name, value in values.items():
            CfnOutput(self, f"{name}Output", value=value).override_logical_id(name)
