"""Scheduled mode: the run ends awaiting its load; the schedule loads, validates and publishes by the same code."""

from __future__ import annotations

import time

from lakeshift.load.pending import LEASE
from lakeshift.model import Rows, RunState, TableState
from tests.scenarios.cloud import Cloud, config


def schedule(cloud: Cloud) -> str:
    rules = cloud.client("events").list_rules()["Rules"]
    (name,) = [rule["Name"] for rule in rules if rule.get("ScheduleExpression")]
    return str(name)


def fired(cloud: Cloud, run: str) -> RunState | None:
    """State of a waiting run after the schedule's next execution."""
    cloud.admin(f"schedules/{schedule(cloud)}/fire", {})
    deadline = time.monotonic() + 120
    while (found := cloud.find(run)) and found.state is RunState.AWAITING_LOAD and time.monotonic() < deadline:
        time.sleep(0.2)
    return found.state if found else None


def test_tables_wait_for_the_schedule(cloud: Cloud) -> None:
    cloud.bigquery("CREATE SCHEMA IF NOT EXISTS demo.later")
    for name in ("a", "b"):
        cloud.bigquery(f"CREATE OR REPLACE TABLE demo.later.{name} AS SELECT 7 AS id")
    record = cloud.wait(cloud.submit("later", config("later", load={"mode": "scheduled"})))
    tables = cloud.tables(record.run)
    assert record.state is RunState.AWAITING_LOAD
    assert {table.state for table in tables.values()} == {TableState.EXTRACTED}
    assert cloud.redshift("SELECT 1 FROM svv_tables WHERE table_schema = 'later'") == []

    assert fired(cloud, record.run) is RunState.SUCCEEDED
    tables = cloud.tables(record.run)
    assert [table.rows for table in tables.values()] == [Rows(source=1, lake=1, target=1)] * 2
    assert cloud.redshift("SELECT id FROM later.a") == [{"id": 7}]
    assert record.run not in dict(cloud.console.ports.ledger.pending())
    assert cloud.report(record.run)["status"] == "succeeded"

    # The next execution asks whether this one has ended, and may ask.
    ports, log = cloud.console.ports, (cloud.home / "aws.log").stat().st_size
    holder = ports.ledger.lease(LEASE)
    assert holder
    cloud.until(lambda: not ports.is_running(holder))
    again = cloud.wait(cloud.submit("later", config("later", load={"mode": "scheduled"})))
    assert fired(cloud, again.run) is RunState.SUCCEEDED
    assert ports.ledger.lease(LEASE) not in (None, holder)
    said = (cloud.home / "aws.log").read_bytes()[log:]
    assert b"not authorized" not in said
