"""Ours: the `extract` use case as a Lambda runs it, as one process.

`python -m bench.extract_ours ADDRESS S3 PLAN`: BigQuery and S3 over the wire by the product's own adapters, two reader
threads as by default; only the ledger is in memory. The plan is what `bench.extract_plan` wrote.
"""

from __future__ import annotations

# As a function does it, before it imports anything.
import lambdas  # noqa: F401  # isort: skip

import gc
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import boto3

from bench.address import PROJECT, Address
from bench.processes import report
from lakeshift.adapters.bigquery import BigQuerySource, Endpoints
from lakeshift.adapters.s3 import S3Objects
from lakeshift.extract.step import extract, extract_of
from lakeshift.lake import keys
from lakeshift.ledger.memory import MemoryLedger
from lakeshift.model import Place, RunRecord, RunState, TablePlan, TableRecord, TableState
from lakeshift.ports import Defaults, Limits, Places, Ports

READERS = 2
STREAMS = 300


def ports_for(source: BigQuerySource, s3: str) -> Ports:
    """Adapters over the wire, a ledger in memory, no warehouse."""
    session = boto3.Session(aws_access_key_id="bench", aws_secret_access_key="bench", region_name="us-east-1")  # noqa: S106
    return Ports(
        places=Places("config", "lake", "staging"),
        defaults=Defaults(1, True, "", "", "", "", ""),
        ledger=MemoryLedger(),
        objects=S3Objects(session.client("s3", endpoint_url=s3), session),
        source=lambda _: source,
        warehouse=_no_warehouse,
        clock=lambda: datetime.now(UTC),
        limits=Limits(readers=READERS, streams=STREAMS),
    )


def _no_warehouse(_: object) -> NoReturn:
    raise AssertionError("an extract has no business in the warehouse")


def prepare(ports: Ports, plan: TablePlan, config: str) -> None:
    """Write down what the steps before leave: config, plan, and the records of run and table."""
    body = plan.model_dump_json().encode()
    key = keys.run_file(plan.run, "plans/0.jsonl")
    ports.objects.put("staging", key, body)
    ports.objects.put("staging", keys.run_file(plan.run, "config.json"), config.encode())
    values: dict[str, Any] = {"config_bucket": "config", "config_key": "configs/bench.json", "config_version": "1"}
    run = RunRecord(run=plan.run, state=RunState.MIGRATING, execution="bench", started=plan.snapshot, **values)
    ports.ledger.claim(run)
    place = Place(key=key, start=0, length=len(body))
    record = TableRecord(run=plan.run, table=plan.source.id, target=plan.target.id, state=TableState.PLANNED)
    ports.ledger.add_tables([record.model_copy(update={"plan": place, "split": plan.split})])


def run_ours(address: Address, s3: str, planned: Path, out_of_time: Callable[[], bool]) -> TablePlan:
    """Extract a table to its end; returns its plan. Raises RuntimeError when the rows are not all there."""
    source = BigQuerySource(PROJECT, json.dumps(address.credentials), Endpoints(address.rest, address.storage))
    ports = ports_for(source, s3)
    given = json.loads(planned.read_text())
    plan = TablePlan.model_validate_json(given["plan"])
    prepare(ports, plan, given["config"])
    while extract(ports, plan.run, plan.source.id, out_of_time).next != "done":
        pass
    record = ports.ledger.table(plan.run, plan.source.id)
    complete = extract_of(ports, plan, record)
    if record.rows.source != complete.rows:
        raise RuntimeError(f"{complete.rows} rows of {record.rows.source}")
    report(rows=complete.rows, bytes=complete.bytes, files=len(complete.files), streams=plan.streams)
    return plan


if __name__ == "__main__":
    gc.enable()
    run_ours(Address.read(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), out_of_time=lambda: False)
