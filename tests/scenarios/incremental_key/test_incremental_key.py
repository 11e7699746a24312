"""A table merged by its key: rows change, come, go, and come twice; what leaves open which row is meant is refused."""

from __future__ import annotations

from typing import Any

from lakeshift.model import RunState
from lakeshift.plan.written import plan_of
from tests.scenarios.cloud import Cloud, config

COLUMNS = "id INT64, part STRING, name STRING, updated_at TIMESTAMP, doc JSON"


def merged(dataset: str, **changes: Any) -> dict[str, Any]:
    given = config(dataset)
    rule = {"by": "key", "column": "updated_at", "deletes": "keys", **changes}
    given["sources"][0]["datasets"][0]["tables"] = [{"match": "t", "incremental": rule}]
    return given


def source(cloud: Cloud, dataset: str, *rows: tuple[int, str, str, int]) -> None:
    """The whole table: id, part, name and day of the last change."""
    cloud.bigquery(f"CREATE SCHEMA IF NOT EXISTS demo.{dataset}")
    key = "PRIMARY KEY (id, part) NOT ENFORCED"
    cloud.bigquery(f"CREATE OR REPLACE TABLE demo.{dataset}.t ({COLUMNS}, {key})")
    values = (
        f"({number}, '{part}', '{name}', TIMESTAMP '2024-01-{day:02} 00:00:00+00', JSON '{{\"n\": {number}}}')"
        for number, part, name, day in rows
    )
    cloud.bigquery(f"INSERT INTO demo.{dataset}.t VALUES {', '.join(values)}")


def target(cloud: Cloud, dataset: str) -> list[tuple[Any, ...]]:
    rows = cloud.redshift(f"SELECT id, part, name, JSON_SERIALIZE(doc) AS doc FROM {dataset}.t ORDER BY id, part")
    assert all(row["doc"].replace(" ", "") == f'{{"n":{row["id"]}}}' for row in rows)
    return [(row["id"], row["part"], row["name"]) for row in rows]


def test_changed_new_gone_and_doubled_rows(cloud: Cloud) -> None:
    # A name that a careless alias would hide.
    dataset = "s"
    source(
        cloud, dataset, (1, "a", "one", 1), (2, "a", "older", 1), (2, "a", "two", 2), (2, "b", "b", 2), (3, "a", "3", 3)
    )
    first = cloud.wait(cloud.submit(dataset, merged(dataset)))
    assert first.state is RunState.SUCCEEDED, cloud.tables(first.run)
    assert target(cloud, dataset) == [(1, "a", "one"), (2, "a", "two"), (2, "b", "b"), (3, "a", "3")]

    # (2, b) is gone; (1, a) changes; (4, a) comes three times; (3, a) stands at the greatest time and is read again.
    now = [(1, "a", "uno", 4), (2, "a", "two", 2), (3, "a", "3", 3)]
    source(cloud, dataset, *now, (4, "a", "x", 4), (4, "a", "latest", 6), (4, "a", "y", 5))
    second = cloud.wait(cloud.submit(dataset, merged(dataset)))
    assert second.state is RunState.SUCCEEDED, cloud.tables(second.run)
    wanted = [(1, "a", "uno"), (2, "a", "two"), (3, "a", "3"), (4, "a", "latest")]
    assert target(cloud, dataset) == wanted

    record = cloud.tables(second.run)["t"]
    plan = plan_of(cloud.console.ports, record)
    assert plan.merge
    assert (plan.merge.key, plan.merge.deletes) == (("id", "part"), True)
    assert record.rows.source == 5  # from the greatest time on, of 6
    (report,) = cloud.report(second.run)["tables"]
    assert any("merged by id, part" in note for note in report["notes"])
    assert any("deletes: the keys of all rows are read" in note for note in report["notes"])

    # Nothing has changed: the rows of the greatest time are merged again, and are what they were.
    third = cloud.wait(cloud.submit(dataset, merged(dataset)))
    assert third.state is RunState.SUCCEEDED, cloud.tables(third.run)
    assert target(cloud, dataset) == wanted


def test_rows_of_which_none_is_the_latest_are_refused_by_number(cloud: Cloud) -> None:
    dataset = "inc_key_open"
    source(cloud, dataset, (1, "a", "one", 1), (1, "a", "other", 1), (2, "a", "two", 1))
    record = cloud.wait(cloud.submit(dataset, merged(dataset, deletes="none")))
    assert record.state is RunState.FAILED
    failure = cloud.tables(record.run)["t"].failure
    assert failure
    assert failure.code == "ValidationFailed"
    assert "1 keys (id, part) have several different rows with the same greatest updated_at" in failure.message
