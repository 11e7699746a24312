"""`lakeshift rollback`: a whole table and an increment are taken back; what has expired goes with the schedule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lakeshift.model import RunState, TableState
from tests.scenarios.cloud import Cloud, config
from tests.scenarios.scheduled_load.test_scheduled_load import schedule
from tests.scenarios.shell import Shell


@pytest.fixture
def shell(cloud: Cloud, tmp_path: Path) -> Shell:
    return Shell(tmp_path, cloud.home)


def settings(**more: Any) -> dict[str, Any]:
    table = {"match": "grown", "incremental": {"by": "column", "column": "id"}}
    given = config("undone", load={"keepPreviousVersions": 2}, **more)
    given["sources"][0]["datasets"][0]["tables"] = [table]
    return given


def run_of(cloud: Cloud) -> str:
    record = cloud.wait(cloud.submit("undone", settings()))
    assert record.state is RunState.SUCCEEDED
    return record.run


def ids(cloud: Cloud, table: str) -> list[int]:
    return [row["id"] for row in cloud.redshift(f"SELECT id FROM undone.{table} ORDER BY id")]


def test_a_run_is_taken_back(cloud: Cloud, shell: Shell) -> None:
    cloud.bigquery("CREATE SCHEMA IF NOT EXISTS demo.undone")
    for name in ("whole", "grown"):
        cloud.bigquery(f"CREATE OR REPLACE TABLE demo.undone.{name} AS SELECT 1 AS id UNION ALL SELECT 2")
    first = run_of(cloud)
    cloud.bigquery("INSERT INTO demo.undone.whole (id) VALUES (3)")
    cloud.bigquery("INSERT INTO demo.undone.grown (id) VALUES (3), (4)")
    second = run_of(cloud)
    assert (ids(cloud, "whole"), ids(cloud, "grown")) == ([1, 2, 3], [1, 2, 3, 4])

    code, refused = shell.json("rollback", first)
    assert code == 1
    assert {one["outcome"] for one in refused["tables"]} == {"refused"}
    assert all(f"was published by {second} since" in one["reason"] for one in refused["tables"])

    done = shell("rollback", second, "--table", "grown")
    assert done.returncode == 0, done.stderr
    assert "undone.grown: what stood before stands again" in done.stdout
    assert (ids(cloud, "whole"), ids(cloud, "grown")) == ([1, 2, 3], [1, 2])
    assert cloud.tables(second)["grown"].state is TableState.ROLLED_BACK
    assert cloud.report(second)["status"] == "complete with problems"

    code, both = shell.json("rollback", second)
    assert code == 0
    outcomes = {one["target"]: one["outcome"] for one in both["tables"]}
    assert outcomes == {"undone.grown": "already", "undone.whole": "rolled back"}
    assert ids(cloud, "whole") == [1, 2]
    assert cloud.report(second)["status"] == "rolled back"

    # An increment builds on what stands: the rows come again.
    run_of(cloud)
    assert (ids(cloud, "whole"), ids(cloud, "grown")) == ([1, 2, 3], [1, 2, 3, 4])


def test_what_is_kept_no_longer_goes_with_the_schedule(cloud: Cloud, shell: Shell) -> None:
    cloud.bigquery("CREATE SCHEMA IF NOT EXISTS demo.expired")
    runs = []
    for number in (1, 2):
        cloud.bigquery(f"CREATE OR REPLACE TABLE demo.expired.t AS SELECT {number} AS id")
        runs.append(cloud.wait(cloud.submit("expired", config("expired"))).run)
    kept = f"t__ls_{runs[1][-12:]}_old"
    names = "SELECT table_name FROM svv_tables WHERE table_schema = 'expired' ORDER BY 1"
    assert [row["table_name"] for row in cloud.redshift(names)] == ["t", kept]
    past = "UPDATE lakeshift.load_history SET keep_until = DATEADD(day, -1, GETDATE()) WHERE target = 'expired.t'"
    cloud.redshift(f"{past} AND keep_until IS NOT NULL")
    cloud.admin(f"schedules/{schedule(cloud)}/fire", {})
    cloud.until(lambda: [row["table_name"] for row in cloud.redshift(names)] == ["t"])
    code, refused = shell.json("rollback", runs[1])
    assert code == 1
    assert refused["tables"][0]["reason"].startswith("VersionExpired: what stood at expired.t before is not kept")
    assert cloud.redshift("SELECT id FROM expired.t") == [{"id": 2}]
