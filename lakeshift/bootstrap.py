"""Settings to adapters to ports: the one place that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import boto3

from lakeshift.adapters.assumed_role import assumed
from lakeshift.adapters.aws import CONFIG, PATIENT
from lakeshift.adapters.dynamodb import DynamoLedger
from lakeshift.adapters.redshift import RedshiftData
from lakeshift.adapters.s3 import S3Objects
from lakeshift.adapters.secrets import ManagedSecrets
from lakeshift.adapters.stage import execution_status, invoke, stack_outputs, start_execution
from lakeshift.errors import SecretMissing, TargetMissing
from lakeshift.model import Noun
from lakeshift.ports import Catalog, Defaults, Limits, Places, Ports, Secrets
from lakeshift.ports import Source as SourcePort
from lakeshift.spec import Source, Target

if TYPE_CHECKING:
    from lakeshift.load.rollback import RolledBack


class Settings(Noun):
    """What a process of this stage has to know; each field is the environment variable LAKESHIFT_<NAME>."""

    stage: str
    config_bucket: str
    lake_bucket: str
    staging_bucket: str
    runs_table: str
    tables_table: str
    chunks_table: str
    input_max_parallelism: int = 30
    load_max_parallelism: int = 10
    initiate_schema_detection: bool = True
    redshift_iam_role_arn: str = ""
    database: str = ""
    redshift_cluster: str = ""
    redshift_workgroup: str = ""
    redshift_secret: str = ""
    redshift_db_user: str = ""
    warehouse_role_arn: str = ""
    bigquery_secret: str = ""
    bigquery_endpoint: str = ""
    bigquery_storage_endpoint: str = ""
    readers: int = 2
    read_streams: int = 300


def settings(arguments: Mapping[str, str] | None = None) -> Settings:
    """Settings of this process: its environment, and above it the arguments of a Glue job, which has no other way.

    Raises pydantic.ValidationError naming each variable that is missing.
    """
    known = {**os.environ, **(arguments or {})}
    prefix = "LAKESHIFT_"
    values = {name: known[prefix + name.upper()] for name in Settings.model_fields if prefix + name.upper() in known}
    # Google's REST client knows its own variable for a local BigQuery.
    values.setdefault("bigquery_endpoint", known.get("BIGQUERY_EMULATOR_HOST", ""))
    return Settings.model_validate(values)


def ports(given: Settings, aws: boto3.Session | None = None, endpoint: str | None = None) -> Ports:
    """Adapters for the given settings; boto3 finds region and credentials in its usual places."""
    aws = aws or boto3.Session()
    secrets = ManagedSecrets(aws.client("secretsmanager", config=CONFIG, endpoint_url=endpoint))
    # All functions are one role here, and therefore one user of the database: the owner of its tables.
    user = assumed(aws, given.warehouse_role_arn, endpoint) if given.warehouse_role_arn else aws
    redshift = user.client("redshift-data", config=CONFIG, endpoint_url=endpoint)
    dynamodb = aws.client("dynamodb", config=CONFIG, endpoint_url=endpoint)
    endpoints = (given.bigquery_endpoint, given.bigquery_storage_endpoint)

    def warehouse(target: Target) -> RedshiftData:
        if not target.database:
            raise TargetMissing("no database is named", next_step="set target.database or DatabaseName.")
        identity = {"secret": target.secret or "", "user": target.db_user or ""}
        return RedshiftData(redshift, target.database, target.workgroup, target.cluster, **identity)

    return Ports(
        places=Places(given.config_bucket, given.lake_bucket, given.staging_bucket),
        defaults=_defaults(given),
        ledger=DynamoLedger(dynamodb, given.runs_table, given.tables_table, given.chunks_table),
        objects=S3Objects(aws.client("s3", config=CONFIG, endpoint_url=endpoint), aws),
        source=lambda spec: _source(secrets, spec, endpoints),
        warehouse=warehouse,
        clock=lambda: datetime.now(UTC),
        limits=Limits(readers=given.readers, streams=given.read_streams),
        catalog=_catalog(aws, given.stage, endpoint),
        is_running=lambda execution: (
            execution_status(aws.client("stepfunctions", config=CONFIG, endpoint_url=endpoint), execution) == "RUNNING"
        ),
    )


@dataclass(frozen=True)
class Console:
    """What the command line needs of a stage: its ports, and the executions of its migrate machine.

    Attributes:
        execution_status: of an execution's ARN.
        start_migrate: start an execution by name and input; its ARN, or None where one of that name has ended.
        start_load: the same of its load machine.
        rollback: take back a run, or one table of it, as the user of the database that owns the tables.
    """

    ports: Ports
    execution_status: Callable[[str], str]
    start_migrate: Callable[[str, str], str | None]
    start_load: Callable[[str, str], str | None]
    rollback: Callable[[str, str], RolledBack]


def console(
    stage: str, aws: boto3.Session | None = None, endpoint: str | None = None, bigquery: tuple[str, str] = ("", "")
) -> Console:
    """The console of a deployed stage, found by its stack's outputs; `bigquery` are endpoints of a local one.

    Raises:
        StageMissing: the stage is not deployed here, or there are no credentials to see it.
    """
    # Functions make no console, and most of them roll nothing back.
    from lakeshift.load.rollback import RolledBack

    aws = aws or boto3.Session()
    outputs = stack_outputs(lambda: aws.client("cloudformation", config=CONFIG, endpoint_url=endpoint), stage)
    given = Settings(
        stage=stage,
        config_bucket=outputs["ConfigBucket"],
        lake_bucket=outputs["LakeBucket"],
        staging_bucket=outputs["StagingBucket"],
        runs_table=outputs["RunsTable"],
        tables_table=outputs["TablesTable"],
        chunks_table=outputs["ChunksTable"],
        input_max_parallelism=int(outputs.get("InputMaxParallelism", "30")),
        load_max_parallelism=int(outputs.get("LoadMaxParallelism", "10")),
        initiate_schema_detection=outputs.get("InitiateSchemaDetection", "true") == "true",
        redshift_iam_role_arn=outputs.get("RedshiftIAMRoleARN", ""),
        read_streams=int(outputs.get("ReadStreams", "300")),
        database=outputs.get("DatabaseName", ""),
        redshift_cluster=outputs.get("RedshiftClusterIdentifier", ""),
        redshift_workgroup=outputs.get("RedshiftServerlessWorkgroup", ""),
        redshift_secret=outputs.get("RedshiftSecretName", ""),
        redshift_db_user=outputs.get("RedshiftDbUser", ""),
        bigquery_secret=outputs.get("BigQuerySecretName", ""),
        bigquery_endpoint=bigquery[0],
        bigquery_storage_endpoint=bigquery[1],
    )
    steps = aws.client("stepfunctions", config=CONFIG, endpoint_url=endpoint)
    machine = outputs["MigrateStateMachineArn"]
    functions = aws.client("lambda", config=PATIENT, endpoint_url=endpoint)
    return Console(
        ports=ports(given, aws, endpoint),
        execution_status=lambda execution: execution_status(steps, execution),
        start_migrate=lambda name, body: start_execution(steps, machine, name, body),
        start_load=lambda name, body: start_execution(steps, outputs["LoadStateMachineArn"], name, body),
        rollback=lambda run, table: RolledBack.model_validate(
            invoke(functions, outputs["RollbackFunctionName"], {"run": run, "table": table})
        ),
    )


def _catalog(aws: boto3.Session, stage: str, endpoint: str | None) -> Catalog:
    # Most functions and commands never ask for it; Arrow and Glue's client take their time.
    from lakeshift.adapters.glue_catalog import GlueCatalog

    return GlueCatalog(lambda: aws.client("glue", config=CONFIG, endpoint_url=endpoint), f"lakeshift_{stage}_")


@cache
def lambda_ports() -> Ports:
    """Ports of a Lambda function, made once for each warm process."""
    return ports(settings())


@cache
def job_ports(arguments: tuple[tuple[str, str], ...]) -> Ports:
    """Ports of a Glue job with these arguments, made once for each process.

    Spark uses a Python worker for one task after another. The region is an argument as well: nothing that Glue writes
    down says that its workers have it in their environment.
    """
    given = dict(arguments)
    return ports(settings(given), boto3.Session(region_name=given.get("AWS_REGION")))


def _defaults(given: Settings) -> Defaults:
    return Defaults(
        input_max_parallelism=given.input_max_parallelism,
        initiate_schema_detection=given.initiate_schema_detection,
        copy_role=given.redshift_iam_role_arn,
        database=given.database,
        cluster=given.redshift_cluster,
        workgroup=given.redshift_workgroup,
        secret=given.bigquery_secret,
        load_max_parallelism=given.load_max_parallelism,
        target_secret=given.redshift_secret,
        target_user=given.redshift_db_user,
    )


def _source(secrets: Secrets, spec: Source, endpoints: tuple[str, str]) -> SourcePort:
    if not spec.credentials:
        raise SecretMissing("no secret is named", next_step="set credentials or BigQuerySecretName.")
    return _bigquery(spec.project, secrets.get(spec.credentials), *endpoints)


@lru_cache(maxsize=16)
def _bigquery(project: str, key: str, rest: str, storage: str) -> SourcePort:
    """Clients are kept with their connections; a rotated key makes new ones."""
    # Google's clients take a second to import; most functions and commands do without.
    from lakeshift.adapters.bigquery import BigQuerySource, Endpoints

    return BigQuerySource(project, key, Endpoints(rest, storage))
