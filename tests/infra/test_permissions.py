"""The permission matrix, stated a second time, against what the templates grant: nothing more, nothing less."""

from fnmatch import fnmatchcase

import pytest

from infra.config import STAGE_NAMES, VERBS
from infra.constructs.permissions import FINDINGS, VALIDATION
from lakeshift.lake import keys
from lakeshift.model import TableRef
from tests.infra.templates import Assembly, text

SECRETS = "arn:aws:secretsmanager:region:account:secret:"
WORKGROUP = "arn:aws:redshift-serverless:region:account:workgroup/RedshiftServerlessWorkgroupId [HasWorkgroup]"
CLUSTER = "arn:aws:redshift:region:account:cluster:RedshiftClusterIdentifier [HasCluster]"
DATABASE = "arn:aws:redshift:region:account:dbname:RedshiftClusterIdentifier/* [HasCluster]"
OWNER = "* if redshift-data:statement-owner-iam-userid=${aws:userid}"
VIA = "kms:ViaService=dynamodb.region.amazonaws.com,s3.region.amazonaws.com"

GRANTS = {
    "config:read": {
        "s3:GetObject StorageConfig/configs/*",
        "s3:GetObjectVersion StorageConfig/configs/*",
        "s3:ListBucket StorageConfig if s3:prefix=configs/* or none",
    },
    "config:plan": {
        "s3:GetObject StorageConfig/plans/*",
        "s3:ListBucket StorageConfig if s3:prefix=plans/* or none",
    },
    "config:answer": {"s3:PutObject StorageConfig/configs/*.status.json"},
    "config:report": {"s3:PutObject StorageConfig/reports/*"},
    "staging:read": {
        "s3:GetObject StorageStaging/runs/*",
        "s3:ListBucket StorageStaging if s3:prefix=runs/* or none",
    },
    "staging:write": {"s3:PutObject StorageStaging/runs/*"},
    "staging:measured": {"s3:PutObject StorageStaging/runs/*/measured/*"},
    "lake:read": {"s3:GetObject StorageLake/*raw/*", "s3:ListBucket StorageLake if s3:prefix=*raw/* or none"},
    "lake:checks": {
        "s3:GetObject StorageLake/*validation/*/*/*/run=*/*",
        "s3:ListBucket StorageLake if s3:prefix=*validation/*/*/*/run=*/* or none",
    },
    "lake:validation": {
        f"s3:PutObject StorageLake/*validation/*/run=*/{name}"
        for name in ("checks.parquet", "profile.json", "rows.html", "rows.parquet")
    },
    "lake:list": {"s3:PutObject StorageLake/*processed/*"},
    "lake:upload": {"s3:PutObject StorageLake/*raw/*", "s3:AbortMultipartUpload StorageLake/*raw/*"},
    "runs:read": {"dynamodb:GetItem TrackingRuns", "dynamodb:Query TrackingRuns"},
    "runs:write": {"dynamodb:PutItem TrackingRuns"},
    "runs:lease": {"dynamodb:PutItem TrackingRuns if dynamodb:LeadingKeys=lease#*"},
    "tables:read": {"dynamodb:GetItem TrackingTables", "dynamodb:Query TrackingTables"},
    "tables:write": {"dynamodb:PutItem TrackingTables"},
    "tables:pending": {"dynamodb:Query TrackingTables/index/pending"},
    "chunks:read": {"dynamodb:GetItem TrackingChunks", "dynamodb:Query TrackingChunks"},
    "chunks:write": {"dynamodb:PutItem TrackingChunks"},
    "secret": {
        f"secretsmanager:GetSecretValue {SECRETS}lakeshift/*",
        f"secretsmanager:GetSecretValue {SECRETS}BigQuerySecretName-?????? [HasBigQuerySecret]",
    },
    "warehouse": {"sts:AssumeRole WarehouseRole"},
    "turn": {"states:DescribeExecution arn:aws:states:region:account:execution:MachinesLoadMachine.Name:*"},
    "catalog": {
        f"glue:{action} arn:aws:glue:region:account:{resource}"
        for action in ("BatchCreatePartition", "CreateDatabase", "CreateTable", "DeleteTable", "UpdateTable")
        for resource in ("catalog", "database/lakeshift_STAGE_*", "table/lakeshift_STAGE_*/*")
    },
}
WAREHOUSE = {
    f"redshift-data:DescribeStatement {OWNER}",
    f"redshift-data:GetStatementResult {OWNER}",
    f"redshift-data:BatchExecuteStatement {WORKGROUP}",
    f"redshift-data:ExecuteStatement {WORKGROUP}",
    f"redshift-serverless:GetCredentials {WORKGROUP}",
    f"redshift-data:BatchExecuteStatement {CLUSTER}",
    f"redshift-data:ExecuteStatement {CLUSTER}",
    f"redshift:GetClusterCredentialsWithIAM {DATABASE}",
    f"redshift:GetClusterCredentials {DATABASE.replace('HasCluster', 'HasRedshiftDbUser')}",
    "redshift:GetClusterCredentials arn:aws:redshift:region:account:dbuser:RedshiftClusterIdentifier/RedshiftDbUser "
    "[HasRedshiftDbUser]",
    f"secretsmanager:GetSecretValue {SECRETS}RedshiftSecretName-?????? [HasRedshiftSecret]",
    f"secretsmanager:GetSecretValue {SECRETS}lakeshift/*",
}
DATA_KEY = {f"kms:{action} KeysData if {VIA}" for action in ("Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey")}
TRACES = {"xray:PutTelemetryRecords *", "xray:PutTraceSegments *"}

LOADING = "staging:read lake:read tables:read tables:write warehouse"
MATRIX = {
    "check": "config:read config:plan config:answer staging:write runs:read runs:write secret warehouse",
    "inventory": "staging:read staging:write runs:read runs:write secret",
    "plan": "config:plan staging:read staging:write lake:read runs:read runs:write tables:read tables:write secret"
    " warehouse",
    "extract": "staging:read lake:upload runs:read tables:read tables:write chunks:read chunks:write secret",
    "load": LOADING,
    "validate": f"{LOADING} staging:measured lake:checks lake:validation secret",
    "publish": f"{LOADING} lake:list catalog",
    "fail": "tables:read tables:write",
    "pending": "staging:read staging:write runs:read runs:lease tables:read tables:pending turn warehouse",
    "report": "config:answer config:report staging:read lake:checks runs:read runs:write tables:read tables:write",
    "resume": "staging:read runs:read runs:write tables:read tables:write",
    "rollback": "config:answer config:report staging:read lake:read lake:list lake:checks catalog"
    " runs:read runs:write tables:read tables:write warehouse",
    "views": "config:report staging:read staging:write runs:read tables:read warehouse",
}


def granted(verb: str, stage: str = "dev") -> set[str]:
    """The lines of the matrix for one verb."""
    lines = DATA_KEY.union(*(GRANTS[name] for name in MATRIX[verb].split()))
    return {line.replace("STAGE", stage) for line in lines}


def test_the_matrix_names_every_verb() -> None:
    assert set(MATRIX) == set(VERBS)


@pytest.mark.parametrize("stage", STAGE_NAMES)
@pytest.mark.parametrize("verb", VERBS)
def test_a_function_may_do_what_the_matrix_says_and_nothing_else(assembly: Assembly, stage: str, verb: str) -> None:
    name = f"Steps{verb.capitalize()}"
    logs = {f"logs:{action} {name}Log" for action in ("CreateLogStream", "PutLogEvents")}
    assert assembly.stack(stage, "Pipeline").role(f"{name}Role") == granted(verb, stage) | logs | TRACES


@pytest.mark.parametrize("stage", STAGE_NAMES)
def test_the_warehouse_role_may_run_statements_and_nothing_else(assembly: Assembly, stage: str) -> None:
    assert assembly.stack(stage, "Pipeline").role("WarehouseRole") == WAREHOUSE


@pytest.mark.parametrize("stage", STAGE_NAMES)
def test_the_warehouse_role_trusts_exactly_the_functions_that_may_assume_it(assembly: Assembly, stage: str) -> None:
    role = assembly.stack(stage, "Pipeline").one("AWS::IAM::Role", "WarehouseRole")
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert (trust["Effect"], trust["Action"]) == ("Allow", "sts:AssumeRole")
    assert set(trust["Principal"]) == {"AWS"}
    trusted = {text(principal) for principal in trust["Principal"]["AWS"]}
    assert trusted == {f"Steps{verb.capitalize()}Role" for verb in VERBS if "warehouse" in MATRIX[verb].split()}


@pytest.mark.parametrize("stage", STAGE_NAMES)
def test_the_warehouse_role_keeps_its_name_because_it_names_a_database_user(assembly: Assembly, stage: str) -> None:
    role = assembly.stack(stage, "Pipeline").one("AWS::IAM::Role", "WarehouseRole")
    assert text(role["RoleName"]) == f"lakeshift-{stage}-warehouse-region"


def test_the_gate_may_write_what_it_has_found_and_no_file_of_rows() -> None:
    table = TableRef(project="p", dataset="model_validation", table="t")

    def may(key: str) -> bool:
        return any(fnmatchcase(key, pattern) for pattern in FINDINGS)

    for zone in ("", "team/", "validation/", "raw/"):
        found = keys.validation_prefix(zone, table, "shop-0123456789ab")
        named = (keys.check_results, keys.profile, keys.differing_page, keys.differing_rows)
        assert all(may(name(found)) and fnmatchcase(name(found), VALIDATION) for name in named)
        rows = keys.table_prefix(zone, table, "shop-0123456789ab")
        files = (keys.parquet_file, keys.held_file, keys.records_file)
        lists = (keys.copy_manifest, keys.extract_record, keys.quarantine_manifest)
        assert not any(may(file(rows, "0-0", 1, 0)) for file in files)
        assert not any(may(name(rows, "0123456789")) for name in lists)


def test_every_function_has_a_role_of_its_own(assembly: Assembly) -> None:
    functions = assembly.stack("dev", "Pipeline").of_type("AWS::Lambda::Function").values()
    roles = [function["Properties"]["Role"]["Fn::GetAtt"][0] for function in functions]
    assert len(set(roles)) == len(VERBS)


def test_the_glue_job_may_do_what_extract_may_and_read_its_own_files(assembly: Assembly) -> None:
    lines = assembly.stack("dev", "Pipeline").role("GlueExtractRole")
    own = lines - granted("extract")
    files = {line for line in own if line.startswith("s3:GetObject arn:aws:s3:::cdk-")}
    assert granted("extract") <= lines
    assert len(files) == 3  # the script, our code, the requirements
    assert own - files == {
        *(
            f"logs:{action} arn:aws:logs:region:account:log-group:/aws-glue/lakeshift*"
            for action in ("AssociateKmsKey", "CreateLogGroup", "CreateLogStream", "PutLogEvents")
        ),
        "cloudwatch:PutMetricData * if cloudwatch:namespace=Glue",
    }


@pytest.mark.parametrize("stage", STAGE_NAMES)
def test_no_action_holds_a_wildcard(assembly: Assembly, stage: str) -> None:
    lines = set().union(*assembly.stack(stage, "Pipeline").statements.values())
    assert not [line for line in lines if "*" in line.split()[0]]
