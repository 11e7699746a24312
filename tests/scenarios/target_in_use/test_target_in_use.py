"""What stands at the target is replaced only by the source that published it, and only by a later snapshot."""

from __future__ import annotations

import time

from lakeshift.model import RunState, TableRecord
from tests.scenarios.cloud import Cloud, config
from tests.scenarios.scheduled_load.test_scheduled_load import schedule


def reason(table: TableRecord) -> tuple[str, str]:
    assert table.failure
    return table.failure.code, table.failure.message


def test_a_table_or_view_that_is_not_ours_stays(cloud: Cloud) -> None:
    cloud.bigquery("CREATE SCHEMA IF NOT EXISTS demo.taken")
    cloud.redshift("CREATE SCHEMA taken")
    for name in ("people", "seen"):
        cloud.bigquery(f"CREATE OR REPLACE TABLE demo.taken.{name} AS SELECT 1 AS id")
    cloud.redshift("CREATE TABLE taken.people (id BIGINT)")
    cloud.redshift("INSERT INTO taken.people VALUES (7)")
    cloud.redshift("CREATE VIEW taken.seen AS SELECT 8 AS id")

    record = cloud.wait(cloud.submit("taken", config("taken")))

    tables = cloud.tables(record.run)
    assert record.state is RunState.FAILED
    assert reason(tables["people"])[0] == "TargetMismatch"
    assert "taken.people exists and was not made by a migration" in reason(tables["people"])[1]
    assert "taken.seen is a view" in reason(tables["seen"])[1]
    assert cloud.redshift("SELECT id FROM taken.people") == [{"id": 7}]
    assert cloud.redshift("SELECT id FROM taken.seen") == [{"id": 8}]


def test_a_table_of_another_project_stays(cloud: Cloud) -> None:
    for project in ("left", "right"):
        cloud.bigquery(f"CREATE SCHEMA IF NOT EXISTS {project}.same")
        cloud.bigquery(f"CREATE OR REPLACE TABLE {project}.same.t AS SELECT '{project}' AS side")
    assert cloud.wait(cloud.submit("left", config("same", project="left"))).state is RunState.SUCCEEDED
    record = cloud.wait(cloud.submit("right", config("same", project="right")))
    assert "was published from left.same.t" in reason(cloud.tables(record.run)["t"])[1]
    assert cloud.redshift("SELECT side FROM same.t") == [{"side": "left"}]


def test_an_older_snapshot_never_replaces_a_later_one(cloud: Cloud) -> None:
    cloud.bigquery("CREATE SCHEMA IF NOT EXISTS demo.days")
    cloud.bigquery("CREATE OR REPLACE TABLE demo.days.t AS SELECT 'monday' AS day")
    monday = cloud.submit("monday", config("days", load={"mode": "scheduled"}))
    assert cloud.wait(monday).state is RunState.AWAITING_LOAD
    cloud.bigquery("CREATE OR REPLACE TABLE demo.days.t AS SELECT 'tuesday' AS day")
    tuesday = cloud.submit("tuesday", config("days"))
    assert cloud.wait(tuesday).state is RunState.SUCCEEDED

    cloud.admin(f"schedules/{schedule(cloud)}/fire", {})

    deadline = time.monotonic() + 120
    while (late := cloud.find(monday)) and late.state is RunState.AWAITING_LOAD and time.monotonic() < deadline:
        time.sleep(0.2)
    assert late
    assert late.state is RunState.FAILED
    assert reason(cloud.tables(monday)["t"])[0] == "Superseded"
    assert cloud.redshift("SELECT day FROM days.t") == [{"day": "tuesday"}]
