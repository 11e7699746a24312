"""Ask the two SQL engines of the local cloud, through their own clients."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import bigquery as google_bigquery

from lakeshift.errors import StatementFailed
from localcloud.connect import answering, endpoints, session
from localcloud.load_data import UNANSWERED, client
from localcloud.redshift.errors import IN_TWIN_ONLY
from localcloud.redshift.rules import page_of

if TYPE_CHECKING:
    from mypy_boto3_redshift_data import RedshiftDataAPIServiceClient

WORKGROUP = "lakeshift"
_PAUSE_SECONDS = 0.05
_KINDS = ("longValue", "doubleValue", "booleanValue", "stringValue", "blobValue")


def redshift(sql: str, database: str = "dev", home: Path | None = None) -> list[dict[str, Any]]:
    """Rows of one statement on the local Redshift, VARBYTE as hex; none for DDL.

    Raises:
        StatementFailed: Redshift refused it.
        StageMissing: the local cloud does not answer.
    """
    api = session().client("redshift-data", endpoint_url=endpoints(home)["aws"])
    try:
        with answering():
            return _rows(api, sql, database)
    except (BotoCoreError, ClientError, ValueError) as error:
        raise StatementFailed(str(error)) from error


def _rows(api: RedshiftDataAPIServiceClient, sql: str, database: str) -> list[dict[str, Any]]:
    statement = api.execute_statement(Sql=sql, Database=database, WorkgroupName=WORKGROUP)["Id"]
    while (state := api.describe_statement(Id=statement))["Status"] not in ("FINISHED", "FAILED", "ABORTED"):
        time.sleep(_PAUSE_SECONDS)
    if state["Status"] != "FINISHED":
        raise _refused(sql, str(state.get("Error") or state["Status"]))
    if not state["HasResultSet"]:
        return []
    pages = list(api.get_paginator("get_statement_result").paginate(Id=statement))
    names = [column["name"] for column in pages[0]["ColumnMetadata"]]
    return [dict(zip(names, map(_value, row), strict=True)) for page in pages for row in page["Records"]]


def _refused(sql: str, error: str) -> StatementFailed:
    if IN_TWIN_ONLY in error:
        return StatementFailed(error, next_step="see what the twin refuses of its own: localcloud/redshift/README.md")
    return StatementFailed(error, next_step=f"the rule: {page_of(sql, error)}")


def _value(field: Any) -> Any:
    value = next((field[kind] for kind in _KINDS if kind in field), None)
    return value.hex() if isinstance(value, bytes) else value


def bigquery(sql: str, project: str = "demo", home: Path | None = None) -> list[dict[str, Any]]:
    """Rows of one statement on the local BigQuery; none for DDL and DML.

    Raises:
        StatementFailed: BigQuery refused it.
        StageMissing: the local cloud does not answer.
    """
    google: google_bigquery.Client = client(project, home)
    try:
        with answering(*UNANSWERED):
            return [dict(row.items()) for row in google.query_and_wait(sql)]
    except GoogleAPICallError as error:
        raise StatementFailed(error.message) from error
