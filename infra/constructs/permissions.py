"""Who may touch what: the permission matrix as data, and the IAM statements made from it.

Tests hold the matrix against the templates, and against what each step really touches.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Flag, auto
from types import MappingProxyType
from typing import Literal

from aws_cdk import ArnFormat, Aws, Stack
from aws_cdk.aws_iam import PolicyStatement

from infra.config import StageName, Verb
from infra.constructs.acknowledge import ANYTHING, Permission
from infra.constructs.keys import Keys
from infra.constructs.parameters import Parameters
from infra.constructs.storage import Storage
from infra.constructs.tracking import PENDING_INDEX, Tracking

BucketName = Literal["config", "lake", "staging"]

PROCESSED = "*processed/*"
RAW = "*raw/*"  # a migration may put its raw zone below a prefix of its own
VALIDATION = "*validation/*/*/*/run=*/*"  # a data set may be named validation as well
# What the gate writes down, file by file: no file of rows is named so, whatever is before its name.
FINDINGS = tuple(
    f"*validation/*/run=*/{name}" for name in ("checks.parquet", "profile.json", "rows.html", "rows.parquet")
)
RUNS = "runs/*"
MEASURED = "runs/*/measured/*"
LEASES = "lease#*"
CONFIGS = "configs/*"
ANSWERS = "configs/*.status.json"


class Access(Flag):
    """What a grant allows. Reading objects includes listing them: without it S3 answers 403 for a missing key."""

    READ = auto()
    WRITE = auto()
    BOTH = READ | WRITE
    UPLOAD = auto()  # write in parts, and give up what was begun


@dataclass(frozen=True)
class Objects:
    """Objects of one bucket below a key pattern."""

    bucket: BucketName
    keys: str
    access: Access


@dataclass(frozen=True)
class Items:
    """Items of one tracking table, or of one of its indexes; `keys` is a pattern of their partition keys."""

    table: Literal["runs", "tables", "chunks"]
    access: Access
    index: str | None = None
    keys: str | None = None


@dataclass(frozen=True)
class Catalog:
    """Databases of the stage in the Glue Data Catalog, and their tables."""


_RUN_FILES = Objects("staging", RUNS, Access.READ)
_PLANS = Objects("config", "plans/*", Access.READ)
_RAW_FILES = Objects("lake", RAW, Access.READ)
_LISTS = Objects("lake", PROCESSED, Access.WRITE)
_CHECKS = Objects("lake", VALIDATION, Access.READ)

GRANTS: Mapping[Verb, tuple[Objects | Items | Catalog, ...]] = MappingProxyType(
    {
        "check": (
            Objects("config", CONFIGS, Access.READ),
            Objects("config", ANSWERS, Access.WRITE),
            _PLANS,
            Objects("staging", RUNS, Access.WRITE),
            Items("runs", Access.BOTH),
        ),
        "inventory": (Objects("staging", RUNS, Access.BOTH), Items("runs", Access.BOTH)),
        "plan": (
            _PLANS,
            Objects("staging", RUNS, Access.BOTH),
            _RAW_FILES,
            Items("runs", Access.BOTH),
            Items("tables", Access.BOTH),
        ),
        "extract": (
            _RUN_FILES,
            Objects("lake", RAW, Access.UPLOAD),
            Items("runs", Access.READ),
            Items("tables", Access.BOTH),
            Items("chunks", Access.BOTH),
        ),
        "load": (_RUN_FILES, _RAW_FILES, Items("tables", Access.BOTH)),
        "validate": (
            _RUN_FILES,
            Objects("staging", MEASURED, Access.WRITE),
            _RAW_FILES,
            _CHECKS,
            *(Objects("lake", keys, Access.WRITE) for keys in FINDINGS),
            Items("tables", Access.BOTH),
        ),
        "publish": (_RUN_FILES, _RAW_FILES, _LISTS, Items("tables", Access.BOTH), Catalog()),
        "fail": (Items("tables", Access.BOTH),),
        "pending": (
            Objects("staging", RUNS, Access.BOTH),
            Items("runs", Access.READ),
            Items("runs", Access.WRITE, keys=LEASES),
            Items("tables", Access.READ),
            Items("tables", Access.READ, PENDING_INDEX),
        ),
        "report": (
            Objects("config", "reports/*", Access.WRITE),
            Objects("config", ANSWERS, Access.WRITE),
            _RUN_FILES,
            _CHECKS,
            Items("runs", Access.BOTH),
            Items("tables", Access.BOTH),
        ),
        "views": (
            Objects("staging", RUNS, Access.BOTH),
            Objects("config", "reports/*", Access.WRITE),
            Items("runs", Access.READ),
            Items("tables", Access.READ),
        ),
        "resume": (_RUN_FILES, Items("runs", Access.BOTH), Items("tables", Access.BOTH)),
        "rollback": (
            Objects("config", "reports/*", Access.WRITE),
            Objects("config", ANSWERS, Access.WRITE),
            _RUN_FILES,
            _RAW_FILES,
            _LISTS,
            _CHECKS,
            Items("runs", Access.BOTH),
            Items("tables", Access.BOTH),
            Catalog(),
        ),
    }
)
SECRET_READERS: frozenset[Verb] = frozenset({"check", "inventory", "plan", "extract", "validate"})
WAREHOUSE_USERS: frozenset[Verb] = frozenset(
    {"check", "plan", "load", "validate", "publish", "views", "rollback", "pending"}
)

_READ_ITEMS = ("dynamodb:GetItem", "dynamodb:Query")
_WRITE_ITEMS = ("dynamodb:PutItem",)
_CATALOG = (
    "glue:BatchCreatePartition",
    "glue:CreateDatabase",
    "glue:CreateTable",
    "glue:DeleteTable",
    "glue:UpdateTable",
)
_DATA_KEY = ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey")
_STATEMENTS = ("redshift-data:BatchExecuteStatement", "redshift-data:ExecuteStatement")
_ANY_DATABASE = "A configuration names the database of its target; the cluster is fixed."


class Permissions:
    """Makes the permissions of a verb from the matrix and the resources of one stage."""

    def __init__(
        self, keys: Keys, storage: Storage, tracking: Tracking, parameters: Parameters, stage: StageName
    ) -> None:
        self._stage = stage
        self._key = keys.data
        self._buckets = {"config": storage.config, "lake": storage.lake, "staging": storage.staging}
        self._tables = {"runs": tracking.runs, "tables": tracking.tables, "chunks": tracking.chunks}
        self._parameters = parameters

    def of(self, verb: Verb) -> Iterator[Permission]:
        """Every permission of `verb` that needs no template condition."""
        for item in GRANTS[verb]:
            if isinstance(item, Catalog):
                yield self._catalog()
            else:
                yield from self._objects(item) if isinstance(item, Objects) else self._items(item)
        yield self.data_key()
        if verb in SECRET_READERS:
            yield self.secrets_of_configurations()

    def _catalog(self) -> Permission:
        """Entries of the stage's own databases.

        https://docs.aws.amazon.com/glue/latest/dg/glue-specifying-resource-arns.html
        """
        stack = Stack.of(self._parameters)
        own = f"lakeshift_{self._stage}_*"
        resources = [
            stack.format_arn(service="glue", resource="catalog"),
            stack.format_arn(service="glue", resource="database", resource_name=own),
            stack.format_arn(service="glue", resource="table", resource_name=f"{own}/*"),
        ]
        return Permission(
            PolicyStatement(actions=[*_CATALOG], resources=resources),
            wildcard="Databases and tables are named after what is migrated; only the stage's prefix is open.",
        )

    def data_key(self) -> Permission:
        """Use of the data key, only through S3 and DynamoDB."""
        services = [f"{service}.{Aws.REGION}.amazonaws.com" for service in ("dynamodb", "s3")]
        return Permission(
            PolicyStatement(
                actions=[*_DATA_KEY],
                resources=[self._key.key_arn],
                conditions={"StringEquals": {"kms:ViaService": services}},
            )
        )

    def stage_secret(self) -> Iterator[Permission]:
        """The secret of the stack parameter."""
        yield Permission(
            PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=[self._parameters.secret_arn()])
        )

    def secrets_of_configurations(self) -> Permission:
        """The secrets that a configuration may name, of its source or of its target."""
        arn = Stack.of(self._parameters).format_arn(
            service="secretsmanager",
            resource="secret",
            resource_name="lakeshift/*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        return Permission(
            PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=[arn]),
            wildcard="A configuration names its secrets; only names that begin with lakeshift/ are open.",
        )

    def redshift_secret(self) -> Iterator[Permission]:
        """The secret of the warehouse's user, which the Data API reads as its caller."""
        arn = self._parameters.redshift_secret_arn()
        yield Permission(PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=[arn]))

    def database_user(self) -> Iterator[Permission]:
        """Temporary credentials of the cluster's database user.

        https://docs.aws.amazon.com/redshift/latest/mgmt/data-api-iam.html
        """
        resources = [self._parameters.db_user_arn(), self._parameters.databases_arn()]
        yield Permission(
            PolicyStatement(actions=["redshift:GetClusterCredentials"], resources=resources), wildcard=_ANY_DATABASE
        )

    def workgroup(self) -> Iterator[Permission]:
        """Statements and credentials on the serverless workgroup."""
        arn = self._parameters.workgroup_arn()
        yield Permission(PolicyStatement(actions=[*_STATEMENTS, "redshift-serverless:GetCredentials"], resources=[arn]))

    def cluster(self) -> Iterator[Permission]:
        """Statements and credentials on the provisioned cluster."""
        yield Permission(PolicyStatement(actions=[*_STATEMENTS], resources=[self._parameters.cluster_arn()]))
        yield Permission(
            PolicyStatement(
                actions=["redshift:GetClusterCredentialsWithIAM"], resources=[self._parameters.databases_arn()]
            ),
            wildcard=_ANY_DATABASE,
        )

    def read_objects(self, bucket: BucketName, keys: str) -> Permission:
        """Read objects and nothing else, for a service that never asks for a missing one."""
        return self._on_objects(bucket, keys, ["s3:GetObject"])

    def _objects(self, item: Objects) -> Iterator[Permission]:
        actions = ["s3:GetObject"] if Access.READ in item.access else []
        if actions and item.keys == CONFIGS:
            actions.append("s3:GetObjectVersion")  # a run reads the very version that started it
        if Access.WRITE in item.access:
            actions.append("s3:PutObject")
        if Access.UPLOAD in item.access:
            # https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions
            actions += ["s3:AbortMultipartUpload", "s3:PutObject"]
        yield self._on_objects(item.bucket, item.keys, actions)
        if Access.READ in item.access:
            yield self._list(item)

    def _on_objects(self, bucket: BucketName, keys: str, actions: list[str]) -> Permission:
        # The explicit export is the one CDK would make; through it the finding has a name we can accept.
        arn = Stack.of(self._buckets[bucket]).export_value(self._buckets[bucket].bucket_arn)
        return Permission(
            PolicyStatement(actions=actions, resources=[f"{arn}/{keys}"]),
            wildcard=f"The names of the objects are not known at deploy time; {keys} is all that may be touched.",
        )

    def _list(self, item: Objects) -> Permission:
        """List these keys, and be told that one of them does not exist: without it S3 says that access is denied.

        Whether that key counts as s3:prefix is not documented; IfExists holds for both answers, at the price that names
        can be listed without a prefix. https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
        """
        return Permission(
            PolicyStatement(
                actions=["s3:ListBucket"],
                resources=[self._buckets[item.bucket].bucket_arn],
                conditions={"StringLikeIfExists": {"s3:prefix": item.keys}},
            )
        )

    def _items(self, item: Items) -> Iterator[Permission]:
        arn = self._tables[item.table].table_arn
        if item.index:
            yield Permission(PolicyStatement(actions=["dynamodb:Query"], resources=[f"{arn}/index/{item.index}"]))
            return
        reads = _READ_ITEMS if Access.READ in item.access else ()
        writes = _WRITE_ITEMS if Access.WRITE in item.access else ()
        # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
        only = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [item.keys]}} if item.keys else None
        yield Permission(PolicyStatement(actions=[*reads, *writes], resources=[arn], conditions=only))


def own_statements() -> Permission:
    """State and results of the statements that the caller started.

    The condition compares role and session name, so that functions under one role and one session name share them:
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonredshiftdataapi.html
    """
    return Permission(
        PolicyStatement(
            actions=["redshift-data:DescribeStatement", "redshift-data:GetStatementResult"],
            resources=[ANYTHING],
            conditions={"StringEquals": {"redshift-data:statement-owner-iam-userid": "${aws:userid}"}},
        ),
        wildcard="The two actions take no resource; the condition leaves only the caller's own statements.",
    )
