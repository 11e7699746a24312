"""Functions, machines, rules and the Glue job of the stateless stack."""

import hashlib
import re
from fnmatch import fnmatchcase
from typing import Any

import pytest

from infra.config import STAGE_NAMES, STAGES, VERBS, StageName
from tests.infra.templates import Assembly, Template, text

PARAMETERS = {
    "InputMaxParallelism": 30,
    "LoadMaxParallelism": 10,
    "CopyCommandSchedule": "rate(1 hour)",
    "InitiateSchemaDetection": "true",
    "RedshiftIAMRoleARN": "",
    "ReadStreams": 300,
    "DatabaseName": "dev",
    "RedshiftClusterIdentifier": "",
    "RedshiftServerlessWorkgroup": "",
    "RedshiftServerlessWorkgroupId": "*",
    "RedshiftSecretName": "",
    "RedshiftDbUser": "",
    "BigQuerySecretName": "",
}
ENVIRONMENT = {
    "LAKESHIFT_CONFIG_BUCKET": "StorageConfig",
    "LAKESHIFT_LAKE_BUCKET": "StorageLake",
    "LAKESHIFT_STAGING_BUCKET": "StorageStaging",
    "LAKESHIFT_RUNS_TABLE": "TrackingRuns",
    "LAKESHIFT_TABLES_TABLE": "TrackingTables",
    "LAKESHIFT_CHUNKS_TABLE": "TrackingChunks",
    "LAKESHIFT_INPUT_MAX_PARALLELISM": "InputMaxParallelism",
    "LAKESHIFT_LOAD_MAX_PARALLELISM": "LoadMaxParallelism",
    "LAKESHIFT_READ_STREAMS": "ReadStreams",
    "LAKESHIFT_INITIATE_SCHEMA_DETECTION": "InitiateSchemaDetection",
    "LAKESHIFT_REDSHIFT_IAM_ROLE_ARN": "RedshiftIAMRoleARN",
    "LAKESHIFT_DATABASE": "DatabaseName",
    "LAKESHIFT_REDSHIFT_CLUSTER": "RedshiftClusterIdentifier",
    "LAKESHIFT_REDSHIFT_WORKGROUP": "RedshiftServerlessWorkgroup",
    "LAKESHIFT_REDSHIFT_SECRET": "RedshiftSecretName",
    "LAKESHIFT_REDSHIFT_DB_USER": "RedshiftDbUser",
    "LAKESHIFT_BIGQUERY_SECRET": "BigQuerySecretName",
    "POWERTOOLS_SERVICE_NAME": "lakeshift",
    "POWERTOOLS_METRICS_NAMESPACE": "Lakeshift",
}
WAREHOUSE_USERS = {"check", "plan", "load", "validate", "publish", "views", "rollback", "pending"}
READERS = {
    stage: {
        "LAKESHIFT_READERS": readers,
        "ARROW_DEFAULT_MEMORY_POOL": "jemalloc",
        "MALLOC_ARENA_MAX": readers,
        "MALLOC_MMAP_THRESHOLD_": "33554432",
        "MALLOC_TRIM_THRESHOLD_": "536870912",
    }
    for stage, readers in {"dev": "2", "staging": "4", "prod": "4"}.items()
}
ROLE = {"LAKESHIFT_WAREHOUSE_ROLE_ARN": "WarehouseRole"}
OUTPUTS = {
    "ConfigBucket": "StorageConfig",
    "LakeBucket": "StorageLake",
    "StagingBucket": "StorageStaging",
    "RunsTable": "TrackingRuns",
    "TablesTable": "TrackingTables",
    "ChunksTable": "TrackingChunks",
    "MigrateStateMachineArn": "MachinesMigrateMachine",
    "MigrateTableStateMachineArn": "MachinesMigrateTableMachine",
    "LoadStateMachineArn": "MachinesLoadMachine",
    "RollbackFunctionName": "StepsRollbackFunction",
    "BigQuerySecretName": "BigQuerySecretName",
    "RedshiftSecretName": "RedshiftSecretName",
    "RedshiftDbUser": "RedshiftDbUser",
    "RedshiftServerlessWorkgroup": "RedshiftServerlessWorkgroup",
    "RedshiftClusterIdentifier": "RedshiftClusterIdentifier",
    "DatabaseName": "DatabaseName",
    "WarehouseRoleArn": "WarehouseRole",
    "RedshiftIAMRoleARN": "RedshiftIAMRoleARN",
    "InputMaxParallelism": "InputMaxParallelism",
    "LoadMaxParallelism": "LoadMaxParallelism",
    "ReadStreams": "ReadStreams",
    "InitiateSchemaDetection": "InitiateSchemaDetection",
}


def asset(digit: str) -> str:
    """The object name that CDK makes from a stamp."""
    return f"{hashlib.sha256(digit.encode() * 64).hexdigest()}.zip"


@pytest.fixture(params=STAGE_NAMES)
def stage(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def pipeline(stage: str, assembly: Assembly) -> Template:
    return assembly.stack(stage, "Pipeline")


def test_parameters_keep_their_names_and_defaults(pipeline: Template) -> None:
    found = {name: item["Default"] for name, item in pipeline.body["Parameters"].items()}
    assert found == PARAMETERS


@pytest.mark.parametrize("name", ["BigQuerySecretName", "RedshiftSecretName"])
def test_a_secret_is_given_by_its_name_because_the_permission_is_made_of_it(pipeline: Template, name: str) -> None:
    pattern = pipeline.body["Parameters"][name]["AllowedPattern"]
    names = ("", "lakeshift/bigquery", "redshift!analytics-admin", "a_+=.@-B1")
    assert all(re.fullmatch(pattern, allowed) for allowed in names)
    assert not re.fullmatch(pattern, "arn:aws:secretsmanager:us-east-1:111122223333:secret:lakeshift/bigquery-a1B2c3")


def test_outputs_tell_the_cli_where_everything_is(pipeline: Template) -> None:
    found = {name: text(item["Value"]) for name, item in pipeline.body["Outputs"].items() if "Export" not in item}
    assert found == OUTPUTS


@pytest.mark.parametrize("verb", VERBS)
def test_a_function_runs_its_verb_with_the_sizes_of_its_stage(pipeline: Template, stage: str, verb: str) -> None:
    function = pipeline.one("AWS::Lambda::Function", f"Steps{verb.capitalize()}Function")
    size = next(item for item in STAGES.values() if item.name == stage).functions[verb]  # type: ignore[index]
    assert function["Handler"] == f"lambdas.{verb}.handler.handler"
    assert function["Runtime"] == "python3.12"
    assert function["Architectures"] == ["x86_64"]
    assert (function["MemorySize"], function["Timeout"]) == (size.memory_mb, size.timeout_seconds)
    assert function["EphemeralStorage"] == {"Size": size.storage_mb}
    assert function["TracingConfig"] == {"Mode": "Active"}
    assert [text(layer) for layer in function["Layers"]] == ["StepsLibraries"]
    assert "ReservedConcurrentExecutions" not in function


@pytest.mark.parametrize("verb", VERBS)
def test_a_function_knows_its_stage_and_where_things_are(pipeline: Template, stage: StageName, verb: str) -> None:
    function = pipeline.one("AWS::Lambda::Function", f"Steps{verb.capitalize()}Function")
    found = {name: text(value) for name, value in function["Environment"]["Variables"].items()}
    own = {**(ROLE if verb in WAREHOUSE_USERS else {}), **(READERS[stage] if verb in ("extract", "validate") else {})}
    assert found == {**ENVIRONMENT, **own, "LAKESHIFT_STAGE": stage}


def test_code_and_libraries_are_assets_with_the_hash_of_the_bundle(pipeline: Template) -> None:
    layer = pipeline.one("AWS::Lambda::LayerVersion", "StepsLibraries")
    function = pipeline.one("AWS::Lambda::Function", "StepsCheckFunction")
    assert layer["Content"]["S3Key"] == asset("1")
    assert function["Code"]["S3Key"] == asset("c")


def test_every_log_group_is_encrypted_and_kept_for_the_time_of_its_stage(pipeline: Template, stage: str) -> None:
    groups = pipeline.of_type("AWS::Logs::LogGroup").values()
    days = {"dev": 30, "staging": 90, "prod": 365}[stage]
    assert len(groups) == len(VERBS) + 3
    for group in groups:
        assert group["Properties"]["RetentionInDays"] == days
        assert text(group["Properties"]["KmsKeyId"]) == "KeysOperations"


@pytest.mark.parametrize("name", ["Migrate", "MigrateTable", "Load"])
def test_a_machine_logs_everything_but_data_and_is_traced(pipeline: Template, name: str) -> None:
    machine = pipeline.one("AWS::StepFunctions::StateMachine", f"Machines{name}Machine")
    logging = machine["LoggingConfiguration"]
    (destination,) = logging["Destinations"]
    assert (logging["Level"], logging["IncludeExecutionData"]) == ("ALL", False)
    assert text(destination["CloudWatchLogsLogGroup"]["LogGroupArn"]) == f"Machines{name}Log"
    assert machine["TracingConfiguration"] == {"Enabled": True}


def rule(pipeline: Template, prefix: str) -> tuple[dict[str, Any], dict[str, Any]]:
    found = pipeline.one("AWS::Events::Rule", prefix)
    (target,) = found["Targets"]
    return found, target


def test_an_uploaded_configuration_starts_migrate_with_bucket_key_and_version(pipeline: Template) -> None:
    found, target = rule(pipeline, "Intake")
    pattern = found["EventPattern"]
    assert (pattern["source"], pattern["detail-type"]) == (["aws.s3"], ["Object Created"])
    assert [text(name) for name in pattern["detail"]["bucket"]["name"]] == ["StorageConfig"]
    assert pattern["detail"]["object"] == {"key": [{"prefix": "configs/"}]}
    assert text(target["Arn"]) == "MachinesMigrateMachine"
    paths = target["InputTransformer"]["InputPathsMap"]
    template = target["InputTransformer"]["InputTemplate"]
    for name, path in paths.items():
        template = template.replace(f"<{name}>", path)
    assert template == (
        '{"bucket":$.detail.bucket.name,"key":$.detail.object.key,"versionId":$.detail.object.version-id}'
    )


def test_the_clock_starts_load(pipeline: Template) -> None:
    found, target = rule(pipeline, "LoadSchedule")
    assert text(found["ScheduleExpression"]) == "CopyCommandSchedule"
    assert (text(target["Arn"]), target["Input"]) == ("MachinesLoadMachine", "{}")


@pytest.mark.parametrize("prefix", ["Intake", "LoadSchedule"])
def test_an_undeliverable_event_is_retried_and_then_kept(pipeline: Template, prefix: str) -> None:
    _, target = rule(pipeline, prefix)
    assert text(target["DeadLetterConfig"]["Arn"]) == "DeadLettersQueue"
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 21600, "MaximumRetryAttempts": 24}


def test_the_dead_letter_queue_is_encrypted_and_open_to_our_rules_only(pipeline: Template) -> None:
    queue = pipeline.one("AWS::SQS::Queue", "DeadLettersQueue")
    assert text(queue["KmsMasterKeyId"]) == "KeysOperations"
    assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
    statements = pipeline.one("AWS::SQS::QueuePolicy", "DeadLettersQueuePolicy")["PolicyDocument"]["Statement"]
    denied = [item["Condition"] for item in statements if item["Effect"] == "Deny"]
    senders = [
        text(item["Condition"]["ArnEquals"]["aws:SourceArn"]) for item in statements if item["Effect"] == "Allow"
    ]
    assert denied == [{"Bool": {"aws:SecureTransport": "false"}}]
    assert sorted(senders) == ["IntakeRule", "LoadScheduleRule"]


def test_the_glue_job_is_pinned_and_gets_the_settings_as_arguments(pipeline: Template, stage: str) -> None:
    job = pipeline.one("AWS::Glue::Job", "GlueExtractJob")
    size = next(item for item in STAGES.values() if item.name == stage).glue
    assert (job["GlueVersion"], job["WorkerType"], job["NumberOfWorkers"]) == ("5.0", "G.1X", 2)
    assert job["ExecutionProperty"] == {"MaxConcurrentRuns": size.concurrent_runs}
    assert job["MaxRetries"] == 0
    given = {name: text(value) for name, value in job["DefaultArguments"].items()}
    settings = {name for name in given if name.startswith("--LAKESHIFT_")}
    own = {"--LAKESHIFT_STAGE", "--LAKESHIFT_READERS"}
    assert settings == {f"--{name}" for name in ENVIRONMENT if name.startswith("LAKESHIFT_")} | own
    assert given["--LAKESHIFT_READERS"] == "1"
    assert given["--AWS_REGION"] == "region"
    assert given["--additional-python-modules"].endswith(".txt")
    assert given["--python-modules-installer-option"] == "-r"
    assert given["--job-bookmark-option"] == "job-bookmark-disable"
    assert given["--extra-py-files"].endswith(asset("c"))
    assert text(job["SecurityConfiguration"]) == "GlueExtractSecurity"


def test_the_glue_job_may_write_the_log_groups_that_glue_5_makes(pipeline: Template) -> None:
    """The arguments of continuous logging are those of Glue 4: with them the logs go to groups that the role lacks."""
    given = pipeline.one("AWS::Glue::Job", "GlueExtractJob")["DefaultArguments"]
    group = f"{given['--custom-logGroup-prefix']}/Lakeshift-dev-Pipeline-extract-role/any/error"
    places = [
        line.split(":log-group:")[1]
        for line in pipeline.role("GlueExtractRole")
        if line.startswith("logs:PutLogEvents")
    ]
    assert any(fnmatchcase(group, place) for place in places)
    assert not [name for name in given if "continuous" in name]


def test_nothing_needs_a_custom_resource(assembly: Assembly) -> None:
    for stage in STAGE_NAMES:
        for stack in ("Data", "Pipeline", "Observability"):
            kinds = {item["Type"] for item in assembly.stack(stage, stack).body["Resources"].values()}
            assert not [kind for kind in kinds if kind.startswith("Custom::") or "CustomResource" in kind]
            assert "AWS::CDK::Metadata" not in kinds
