"""Ask the two SQL engines of the local cloud, through their own clients."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from google.api_core.exceptions import GoogleAPICallError
from google.cloud import bigquery as google_bigquery

from lakeshift.errors import StatementFailed
from localcloud.connect import endpoints, session
from localcloud.load_data import client

WORKGROUP = "lakeshift"
_PAUSE_SECONDS = 0.05
_KINDS = ("longValue", "doubleValue", "booleanValue", "stringValue", "blobValue")


def redshift(sql: str, database: str = "dev", home: Path | None = None) -> list[dict[str, Any]]:
    """Rows of one statement on the local Redshift, VARBYTE as hex; none for DDL. Raises StatementFailed."""
    api = session().client("redshift-data", endpoint_url=endpoints(home)["aws"])
    try:
        statement = api.execute_statement(Sql=sql, Database=database, WorkgroupName=WORKGROUP)["Id"]
    except (api.exceptions.ClientError, ValueError) as error:
        raise StatementFailed(str(error)) from error
    while (state := api.describe_statement(Id=statement))["Status"] not in ("FINISHED", "FAILED", "ABORTED"):
        time.sleep(_PAUSE_SECONDS)
    if state["Status"] != "FINISHED":
        raise StatementFailed(str(state.get("Error") or state["Status"]))
    if not state["HasResultSet"]:
        return []
    pages = list(api.get_paginator("get_statement_result").paginate(Id=statement))
    names = [column["name"] for column in pages[0]["ColumnMetadata"]]
    return [dict(zip(names, map(_value, row), strict=True)) for page in pages for row in page["Records"]]


def _value(field: Any) -> Any:
    value = next((field[kind] for kind in _KINDS if kind in field), None)
    return value.hex() if isinstance(value, bytes) else value


def bigquery(sql: str, project: str = "demo", home: Path | None = None) -> list[dict[str, Any]]:
    """Rows of one statement on the local BigQuery; none for DDL and DML. Raises StatementFailed."""
    google: google_bigquery.Client = client(project, home)
    try:
        return [dict(row.items()) for row in google.query_and_wait(sql)]
    except GoogleAPICallError as error:
        raise StatementFailed(error.message) from error
