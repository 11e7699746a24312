"""Ours: the `extract` use case as a Lambda runs it, as one process.

`python -m bench.extract_ours ADDRESS S3 TABLE STATISTICS`: BigQuery and S3 over the wire by the product's own adapters,
two reader threads as by default; only the ledger is in memory. The plan is the product's own for that table.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NoReturn

import boto3

from bench.address import DATASET, PROJECT, Address
from bench.processes import report
from lakeshift.adapters.bigquery import BigQuerySource, Endpoints
from lakeshift.adapters.s3 import S3Objects
from lakeshift.extract.step import extract, extract_of
from lakeshift.inventory.step import Entry
from lakeshift.lake import keys
from lakeshift.ledger.memory import MemoryLedger
from lakeshift.model import Place, RunRecord, RunState, TablePlan, TableRecord, TableRef, TableState
from lakeshift.plan.engine import shares
from lakeshift.plan.table import table_plan
from lakeshift.ports import Defaults, Limits, Places, Ports
from lakeshift.spec import Migration

RUN = "bench-000000000000"
READERS = 2
STREAMS = 300


def migration(*, statistics: bool) -> Migration:
    """A config with nothing but what it must have."""
    return Migration.model_validate(
        {
            "sources": [
                {"type": "bigquery", "project": PROJECT, "datasets": [{"name": DATASET}], "credentials": "key"},
            ],
            "target": {"workgroup": "bench", "database": "dev"},
            "extract": {"statistics": statistics},
        }
    )


def plan_for(source: BigQuerySource, table: str, config: Migration) -> TablePlan:
    """The plan that the product makes of the table when it is the only one of a run."""
    ref = TableRef(project=PROJECT, dataset=DATASET, table=table)
    described = source.describe(ref)
    entry = Entry(ref=ref, source_index=0, target_schema=DATASET, table=described)
    return table_plan(RUN, entry, described, config, source.now(), shares(STREAMS, 30, 1))


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


def prepare(ports: Ports, plan: TablePlan, config: Migration) -> None:
    """Write down what the steps before leave: config, plan, and the records of run and table."""
    body = plan.model_dump_json().encode()
    key = keys.run_file(RUN, "plans/0.jsonl")
    ports.objects.put("staging", key, body)
    ports.objects.put("staging", keys.run_file(RUN, "config.json"), config.model_dump_json(by_alias=True).encode())
    values: dict[str, Any] = {"config_bucket": "config", "config_key": "configs/bench.json", "config_version": "1"}
    ports.ledger.claim(RunRecord(run=RUN, state=RunState.MIGRATING, execution="bench", started=plan.snapshot, **values))
    place = Place(key=key, start=0, length=len(body))
    record = TableRecord(run=RUN, table=plan.source.id, target=plan.target.id, state=TableState.PLANNED)
    ports.ledger.add_tables([record.model_copy(update={"plan": place, "split": plan.split})])


def run_ours(address: Address, s3: str, table: str, *, statistics: bool, out_of_time: Callable[[], bool]) -> TablePlan:
    """Extract a table to its end; returns its plan. Raises RuntimeError when the rows are not all there."""
    config = migration(statistics=statistics)
    source = BigQuerySource(PROJECT, json.dumps(address.credentials), Endpoints(address.rest, address.storage))
    ports = ports_for(source, s3)
    plan = plan_for(source, table, config)
    prepare(ports, plan, config)
    while extract(ports, RUN, plan.source.id, out_of_time).next != "done":
        pass
    record = ports.ledger.table(RUN, plan.source.id)
    complete = extract_of(ports, plan, record)
    if record.rows.source != complete.rows:
        raise RuntimeError(f"{complete.rows} rows of {record.rows.source}")
    report(rows=complete.rows, bytes=complete.bytes, files=len(complete.files), streams=plan.streams)
    return plan


if __name__ == "__main__":
    run_ours(
        Address.read(sys.argv[1]), sys.argv[2], sys.argv[3], statistics=sys.argv[4] == "on", out_of_time=lambda: False
    )
