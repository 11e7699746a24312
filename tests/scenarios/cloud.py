"""What a scenario does to the local cloud: seed, submit, wait, ask both databases. All over the wire."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import boto3

from lakeshift.bootstrap import Console
from lakeshift.lake import keys
from lakeshift.model import FINAL_RUN_STATES, ChunkRecord, RunRecord, TableRecord
from localcloud import load_data, query

WAIT_SECONDS = 400.0
T = TypeVar("T")


@dataclass(frozen=True)
class Cloud:
    """A running local cloud with the dev stage deployed on it."""

    home: Path
    console: Console
    endpoints: dict[str, Any]

    def seed(self, table: str, file: Path, schema: Path | None = None, **options: Any) -> int:
        """Load a file into `project.dataset.table`; returns its rows."""
        return load_data.seed(file, table, schema, options.get("partition", ""), options.get("cluster", []), self.home)

    def submit(self, name: str, config: bytes | dict[str, Any]) -> str:
        """Put a config file into the bucket, as a person would; returns the run's id."""
        body = config if isinstance(config, bytes) else json.dumps(config).encode()
        bucket = self.console.ports.places.config
        version = self.console.ports.objects.put(bucket, f"configs/{name}.json", body)
        return keys.run_id(bucket, f"configs/{name}.json", version)

    def wait(self, run: str, seconds: float = WAIT_SECONDS) -> RunRecord:
        """The run's record at its end."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            record = self.find(run)
            if record and record.state in FINAL_RUN_STATES:
                return record
            time.sleep(0.2)
        raise AssertionError(f"{run} did not end: {self.find(run)} {self.tables(run)}")

    def until(self, what: Callable[[], T | None]) -> T:
        """The first answer that is not None or false."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            if found := what():
                return found
            time.sleep(0.2)
        raise AssertionError("what was waited for did not come")

    def chunks(self, run: str, table: str) -> dict[str, ChunkRecord]:
        """The chunks of a table, given as project.dataset.table, by their ids."""
        return {chunk.chunk: chunk for chunk in self.console.ports.ledger.chunks(run, table)}

    def find(self, run: str) -> RunRecord | None:
        """The run's record, if there is one yet."""
        try:
            return self.console.ports.ledger.run(run)
        except KeyError:
            return None

    def tables(self, run: str) -> dict[str, TableRecord]:
        """The run's tables by their bare names."""
        return {record.table.rsplit(".", 1)[1]: record for record in self.console.ports.ledger.tables(run)}

    def answer(self, name: str) -> dict[str, Any]:
        """What stands beside the config file."""
        return self._json(self.console.ports.places.config, f"configs/{name}.status.json")

    def report(self, run: str) -> dict[str, Any]:
        """The run's report.json."""
        return self._json(self.console.ports.places.config, f"reports/{run}/report.json")

    def _json(self, bucket: str, key: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.console.ports.objects.get(bucket, key))
        return found

    def redshift(self, sql: str) -> list[dict[str, Any]]:
        """Rows of a query on the local Redshift."""
        return query.redshift(sql, "dev", self.home)

    def bigquery(self, sql: str) -> list[dict[str, Any]]:
        """Rows of a query on the local BigQuery."""
        return query.bigquery(sql, "demo", self.home)

    def client(self, service: str) -> Any:
        """A boto3 client of the local AWS."""
        return boto3.client(service, endpoint_url=self.endpoints["aws"], region_name="us-east-1")  # type: ignore[call-overload]

    def admin(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Call an admin endpoint of the AWS twin."""
        return _call(f"{self.endpoints['aws']}/_twin/{path}", body)

    def bigquery_admin(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Call an admin endpoint of the BigQuery twin."""
        return _call(f"{self.endpoints['bigquery']}/_twin/{path}", body)

    def bigquery_forget(self, path: str) -> Any:
        """Empty a list of the BigQuery twin: its faults, its requests."""
        return _call(f"{self.endpoints['bigquery']}/_twin/{path}", None, "DELETE")


def _call(url: str, body: dict[str, Any] | None, method: str | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return json.loads(answer.read() or b"null")


def config(dataset: str, project: str = "demo", **changes: Any) -> dict[str, Any]:
    """A config for one data set."""
    source = {"type": "bigquery", "project": project, "datasets": [{"name": dataset}]}
    return {"sources": [source], **changes}
