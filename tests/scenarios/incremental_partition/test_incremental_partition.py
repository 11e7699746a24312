"""A partitioned table: partitions that changed are replaced, those that are gone go, the others are not read."""

from __future__ import annotations

from typing import Any

from lakeshift.model import RunState
from lakeshift.plan.written import plan_of
from tests.scenarios.cloud import Cloud, config

DATASET = "inc_partition"


def partitioned() -> dict[str, Any]:
    given = config(DATASET)
    given["sources"][0]["datasets"][0]["tables"] = [{"match": "t", "incremental": {"by": "partition"}}]
    return given


def target(cloud: Cloud) -> list[tuple[Any, ...]]:
    rows = cloud.redshift(f"SELECT day, name FROM {DATASET}.t ORDER BY day NULLS LAST, name")
    return [(row["day"] and str(row["day"])[-2:], row["name"]) for row in rows]


def test_partitions_are_replaced_by_what_they_hold_now(cloud: Cloud) -> None:
    table = f"demo.{DATASET}.t"
    cloud.bigquery(f"CREATE SCHEMA IF NOT EXISTS demo.{DATASET}")
    cloud.bigquery(f"CREATE OR REPLACE TABLE {table} (day DATE, name STRING) PARTITION BY day")
    days = ", ".join(f"(DATE '2024-01-{day:02}', 'old')" for day in range(1, 6))
    cloud.bigquery(f"INSERT INTO {table} VALUES {days}, (NULL, 'none')")
    first = cloud.wait(cloud.submit(DATASET, partitioned()))
    assert first.state is RunState.SUCCEEDED, cloud.tables(first.run)

    cloud.bigquery(f"UPDATE {table} SET name = 'changed' WHERE day = DATE '2024-01-02'")
    cloud.bigquery(f"DELETE FROM {table} WHERE day = DATE '2024-01-04'")
    cloud.bigquery(f"INSERT INTO {table} VALUES (DATE '2024-01-02', 'more'), (DATE '2024-01-09', 'new')")
    second = cloud.wait(cloud.submit(DATASET, partitioned()))
    assert second.state is RunState.SUCCEEDED, cloud.tables(second.run)
    wanted = [("01", "old"), ("02", "changed"), ("02", "more"), ("03", "old"), ("05", "old"), ("09", "new")]
    assert target(cloud) == [*wanted, (None, "none")]
    record = cloud.tables(second.run)["t"]
    plan = plan_of(cloud.console.ports, record)
    assert plan.increment
    assert plan.increment.mode == "replace"
    assert record.rows.source == 3  # of the 2nd and the 9th; the 4th has none any more

    third = cloud.wait(cloud.submit(DATASET, partitioned()))
    assert third.state is RunState.SUCCEEDED, cloud.tables(third.run)
    assert cloud.tables(third.run)["t"].rows.source == 0
    assert target(cloud) == [*wanted, (None, "none")]
