"""A table to which rows are only added: those above the greatest value come, nothing that stands is touched."""

from __future__ import annotations

from typing import Any

from lakeshift.model import RunState, TableRecord
from tests.scenarios.cloud import Cloud, config

DATASET = "inc_append"


def appended() -> dict[str, Any]:
    given = config(DATASET)
    rule = {"by": "append", "column": "id"}
    given["sources"][0]["datasets"][0]["tables"] = [{"match": "t", "incremental": rule}]
    return given


def source(cloud: Cloud, rows: str) -> None:
    cloud.bigquery(f"CREATE SCHEMA IF NOT EXISTS demo.{DATASET}")
    cloud.bigquery(f"CREATE OR REPLACE TABLE demo.{DATASET}.t (id INT64, name STRING)")
    cloud.bigquery(f"INSERT INTO demo.{DATASET}.t VALUES {rows}")


def run(cloud: Cloud, state: RunState = RunState.SUCCEEDED) -> TableRecord:
    record = cloud.wait(cloud.submit(DATASET, appended()))
    assert record.state is state, cloud.tables(record.run)
    return cloud.tables(record.run)["t"]


def target(cloud: Cloud) -> list[tuple[Any, ...]]:
    return [(row["id"], row["name"]) for row in cloud.redshift(f"SELECT id, name FROM {DATASET}.t ORDER BY id, name")]


def test_only_what_is_above_the_greatest_value_is_added(cloud: Cloud) -> None:
    source(cloud, "(1, 'one'), (2, 'two'), (2, 'tie')")
    run(cloud)
    source(cloud, "(1, 'changed'), (2, 'two'), (2, 'late tie'), (3, 'three'), (3, 'four')")
    assert run(cloud).rows.source == 2
    wanted = [(1, "one"), (2, "tie"), (2, "two"), (3, "four"), (3, "three")]
    assert target(cloud) == wanted
    assert run(cloud).rows.source == 0
    assert target(cloud) == wanted

    source(cloud, "(4, 'new'), (NULL, 'never seen'), (NULL, 'nor this')")
    failure = run(cloud, RunState.FAILED).failure
    assert failure
    assert "id is NULL in 2 rows" in failure.message
    assert target(cloud) == wanted
