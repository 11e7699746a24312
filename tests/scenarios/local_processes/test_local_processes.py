"""`lakeshift extract`: a planned table of a run that no execution works on is read by processes of this machine."""

from __future__ import annotations

from pathlib import Path

from lakeshift.extract.step import extract_of
from lakeshift.lake import keys
from lakeshift.model import Order, Place, Rows, RunState, TableRecord, TableState
from lakeshift.plan.step import plan_of
from tests.scenarios.cloud import Cloud, config
from tests.scenarios.shell import Program

TABLE = "demo.hands.numbers"


def planned_again(cloud: Cloud, run: str) -> str:
    """A second run with the plan of the first one, of which nothing is extracted yet."""
    ports, again = cloud.console.ports, "hands-ffffffffffff"
    staging = ports.places.staging
    record = ports.ledger.table(run, TABLE)
    plan = plan_of(ports, record)
    moved = plan.model_copy(update={"run": again, "lake_prefix": plan.lake_prefix.replace(run, again)})
    body, key = moved.model_dump_json().encode(), keys.run_file(again, "plans/0.jsonl")
    ports.objects.put(staging, key, body)
    settings = ports.objects.get(staging, keys.run_file(run, "config.json"))
    ports.objects.put(staging, keys.run_file(again, "config.json"), settings)
    ports.ledger.claim(ports.ledger.run(run).model_copy(update={"run": again, "state": RunState.MIGRATING}))
    place = Place(key=key, start=0, length=len(body))
    fresh = TableRecord(run=again, table=TABLE, target=record.target, state=TableState.PLANNED)
    ports.ledger.add_tables([fresh.model_copy(update={"plan": place, "split": moved.split})])
    return again


def test_processes_of_this_machine_read_a_table(cloud: Cloud, tmp_path: Path) -> None:
    cloud.bigquery("CREATE SCHEMA IF NOT EXISTS demo.hands")
    cloud.bigquery("CREATE OR REPLACE TABLE demo.hands.numbers AS SELECT n FROM UNNEST(GENERATE_ARRAY(1, 9000)) AS n")
    record = cloud.wait(cloud.submit("hands", config("hands")))
    again = planned_again(cloud, record.run)
    shell = Program(tmp_path, cloud.home)

    cloud.console.ports.ledger.give(again, Order.PAUSE)
    paused = shell("extract", again, TABLE)
    assert (paused.returncode, f"`lakeshift resume {again}`" in paused.stderr) == (1, True), paused.stderr
    cloud.console.ports.ledger.give(again, Order.GO)

    done = shell("extract", again, TABLE, "--processes", "2")

    assert done.returncode == 0, done.stderr
    ports = cloud.console.ports
    first, second = ports.ledger.table(record.run, TABLE), ports.ledger.table(again, TABLE)
    assert (second.state, second.rows) == (TableState.EXTRACTED, Rows(source=9000, lake=9000))
    measured = [extract_of(ports, plan_of(ports, each), each).statistics for each in (first, second)]
    assert measured[0] == measured[1]
    assert shell("extract", again, "demo.hands.absent").returncode == 2
