"""pending: what the scheduled load has to do."""

from __future__ import annotations

import hashlib
import json

import structlog

from lakeshift.lake import keys
from lakeshift.model import Noun
from lakeshift.ports import Ports

log = structlog.get_logger()


class Pending(Noun):
    """The tables that wait, as a list on S3, and the runs that they belong to."""

    bucket: str
    key: str
    runs: tuple[str, ...]
    count: int
    max_concurrency: int


def pending(ports: Ports, execution: str) -> Pending:
    """List all tables that are extracted and not yet loaded, for one execution of the load machine."""
    tables = sorted(ports.ledger.pending())
    name = f"load-{hashlib.sha256(execution.encode()).hexdigest()[:16]}"
    key = keys.run_file(name, "items.json")
    body = json.dumps([{"run": run, "table": table, "verb": "load"} for run, table in tables]).encode()
    ports.objects.put(ports.places.staging, key, body, "application/json")
    log.info("load.pending", tables=len(tables))
    return Pending(
        bucket=ports.places.staging,
        key=key,
        runs=tuple(sorted({run for run, _ in tables})),
        count=len(tables),
        max_concurrency=ports.defaults.input_max_parallelism,
    )
