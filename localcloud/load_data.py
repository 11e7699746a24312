"""Bring data into the local BigQuery, by load jobs of Google's own client."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import requests
from google.api_core.exceptions import GoogleAPICallError, RetryError
from google.auth.exceptions import TransportError
from google.cloud import bigquery

from lakeshift.errors import ConfigInvalid, Problem, TerminalError
from localcloud.bigquery import seed as load_job
from localcloud.connect import answering, endpoints
from localcloud.twin import home_directory

# What Google's clients raise when nobody answers.
UNANSWERED = (RetryError, TransportError, requests.ConnectionError, requests.Timeout)


def seed(
    file: Path,
    table: str,
    schema: Path | None = None,
    partition: str = "",
    cluster: Sequence[str] = (),
    home: Path | None = None,
) -> int:
    """Load a file into `project.dataset.table`, replacing it; returns the rows loaded.

    Args:
        partition: column of the table's daily partitions; "" for none.

    Raises:
        ConfigInvalid: the file or the schema cannot be used.
        TerminalError: BigQuery refused the load; the message is its own.
        StageMissing: the local cloud does not answer.
    """
    project, dataset, name = table.split(".", 2)
    where = endpoints(home)["bigquery"]
    days = {"type": "DAY", "field": partition} if partition else None
    try:
        fields = _fields(schema) if schema else None
        with answering(*UNANSWERED):
            return load_job.seed(where, _key(home), project, dataset, name, file, fields, days, cluster)
    except (OSError, ValueError) as error:
        raise ConfigInvalid((Problem("", f"the file cannot be loaded: {error}"),)) from error
    except GoogleAPICallError as error:
        raise TerminalError(f"BigQuery refused the load: {error.message}", where=table) from error


def _fields(schema: Path) -> list[dict[str, Any]]:
    """Fields of a schema file: the list that `bq show --schema` prints, or the whole table that `bq show` prints."""
    found = json.loads(schema.read_text())
    while isinstance(found, dict):
        found = found.get("schema") or found.get("fields")
    if not isinstance(found, list):
        msg = f"{schema} holds no list of fields"
        raise ValueError(msg)
    return found


def client(project: str, home: Path | None = None) -> bigquery.Client:
    """Google's client of the local BigQuery."""
    return load_job.client(endpoints(home)["bigquery"], _key(home), project)


def _key(home: Path | None) -> dict[str, Any]:
    key: dict[str, Any] = json.loads(((home or home_directory()) / "bigquery" / "service-account.json").read_text())
    return key
