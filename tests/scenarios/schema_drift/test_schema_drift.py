"""The source's columns change between two runs: altered in place, reloaded, held for approval, or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lakeshift.model import RunState, TableRecord
from lakeshift.plan.written import plan_of
from tests.scenarios.cloud import Cloud, config
from tests.scenarios.shell import Shell

BY_ID = {"match": "t", "incremental": {"by": "column", "column": "id"}}


def drifting(dataset: str, *, incremental: bool = False, **changes: Any) -> dict[str, Any]:
    given = config(dataset, **changes)
    if incremental:
        given["sources"][0]["datasets"][0]["tables"] = [BY_ID]
    return given


def first(cloud: Cloud, dataset: str, *, incremental: bool = False) -> None:
    cloud.bigquery(f"CREATE SCHEMA IF NOT EXISTS demo.{dataset}")
    cloud.bigquery(f"CREATE OR REPLACE TABLE demo.{dataset}.t (id INT64, name STRING(10), old INT64)")
    cloud.bigquery(f"INSERT INTO demo.{dataset}.t VALUES (1, 'one', 1), (2, 'two', 2)")
    record = cloud.wait(cloud.submit(dataset, drifting(dataset, incremental=incremental)))
    assert record.state is RunState.SUCCEEDED


def table(cloud: Cloud, run: str) -> TableRecord:
    return cloud.tables(run)["t"]


def width(cloud: Cloud, dataset: str) -> int:
    (row,) = cloud.redshift(
        "SELECT character_maximum_length AS n FROM svv_columns "
        f"WHERE table_schema = '{dataset}' AND table_name = 't' AND column_name = 'name'"
    )
    return int(row["n"])


def test_an_increment_alters_its_target_and_reads_only_what_is_new(cloud: Cloud) -> None:
    first(cloud, "drift_in_place", incremental=True)
    before = width(cloud, "drift_in_place")
    cloud.bigquery("CREATE OR REPLACE TABLE demo.drift_in_place.t (id INT64, name STRING(20), old INT64, added STRING)")
    cloud.bigquery(
        "INSERT INTO demo.drift_in_place.t VALUES (1, 'one', 1, NULL), (2, 'two', 2, NULL), (3, 'three', 3, 'new')"
    )
    record = cloud.wait(cloud.submit("drift_in_place", drifting("drift_in_place", incremental=True)))
    assert record.state is RunState.SUCCEEDED
    moved = table(cloud, record.run)
    plan = plan_of(cloud.console.ports, moved)
    assert plan.increment
    assert moved.rows.source == 2  # the greatest id of the last run and what came after it
    assert cloud.redshift("SELECT id, name, old, added FROM drift_in_place.t ORDER BY id") == [
        {"id": 1, "name": "one", "old": 1, "added": None},
        {"id": 2, "name": "two", "old": 2, "added": None},
        {"id": 3, "name": "three", "old": 3, "added": "new"},
    ]
    assert width(cloud, "drift_in_place") == 2 * before
    (report,) = cloud.report(record.run)["tables"]
    told = [text for text in report["notes"] if text.startswith("schema change")]
    assert [text.split(": ")[0] for text in told] == ["schema change, widen", "schema change, safe"]
    assert 'ALTER TABLE "drift_in_place"."t" ADD COLUMN "added" VARCHAR' in told[1]


def test_a_breaking_change_waits_for_a_plan_that_shows_it(cloud: Cloud, tmp_path: Path) -> None:
    first(cloud, "drift_waits")
    cloud.bigquery("CREATE OR REPLACE TABLE demo.drift_waits.t AS SELECT 1 AS id, 'uno' AS name")
    record = cloud.wait(cloud.submit("drift_waits", drifting("drift_waits")))
    assert record.state is RunState.FAILED
    failure = table(cloud, record.run).failure
    assert failure
    assert failure.code == "SchemaChanged"
    assert "breaking: old is gone from the source (was INT64)" in failure.message
    assert cloud.redshift("SELECT old FROM drift_waits.t ORDER BY id") == [{"old": 1}, {"old": 2}]

    shell = Shell(tmp_path, cloud.home)
    (tmp_path / "drift_waits.json").write_text(json.dumps(drifting("drift_waits")))
    shown = shell("plan", "drift_waits.json", "--out", "plan.json")
    assert shown.returncode == 0
    assert "change: breaking: old is gone from the source (was INT64) [moves by `run --plan` only]" in shown.stdout
    done = shell("run", "--plan", "plan.json")
    assert done.returncode == 0, done.stderr
    assert cloud.redshift("SELECT * FROM drift_waits.t") == [{"id": 1, "name": "uno"}]


@pytest.mark.parametrize(
    ("policy", "state"),
    [({"breaking": "apply"}, RunState.SUCCEEDED), ({"breaking": "refuse"}, RunState.FAILED)],
    ids=["apply", "refuse"],
)
def test_the_policy_of_the_config_decides(cloud: Cloud, policy: dict[str, str], state: RunState) -> None:
    dataset = f"drift_{policy['breaking']}"
    first(cloud, dataset)
    cloud.bigquery(f"CREATE OR REPLACE TABLE demo.{dataset}.t AS SELECT 1 AS id, 'uno' AS name, '3' AS old")
    record = cloud.wait(cloud.submit(dataset, drifting(dataset, schemaChange=policy)))
    assert record.state is state
    (row,) = cloud.redshift(f"SELECT old FROM {dataset}.t WHERE id = 1")
    assert row == {"old": "3" if state is RunState.SUCCEEDED else 1}
