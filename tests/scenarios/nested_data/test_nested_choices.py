"""Nested columns taken apart: child tables and columns in Redshift hold what BigQuery's rows hold, twice over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lakeshift.model import RunState
from tests.scenarios.cloud import Cloud, config

HERE = Path(__file__).parent
NESTED = {"columns": {"customer": "flatten", "legs": "child_table", "tags": "child_table"}}
Row = dict[str, Any]


def _legs(row: Row) -> Iterator[list[Any]]:
    for place, leg in enumerate(row["legs"]):
        yield [row["id"], place, leg["no"], leg["ok"]]


def _stops(row: Row) -> Iterator[list[Any]]:
    for place, leg in enumerate(row["legs"]):
        for inner, stop in enumerate(leg["stops"]):
            yield [row["id"], place, inner, stop["code"]]


def _tags(row: Row) -> Iterator[list[Any]]:
    for place, tag in enumerate(row["tags"]):
        yield [row["id"], place, tag]


def _customer(row: Row) -> Iterator[list[Any]]:
    customer = row["customer"] or {}
    yield [row["id"], customer.get("Name"), customer.get("born")]


# What BigQuery's rows hold, and the query that finds it in Redshift.
PAIRS: dict[str, tuple[Callable[[Row], Iterator[list[Any]]], str]] = {
    "legs": (
        _legs,
        "SELECT o.id, c.__ls_position_1 AS a, c.no, c.ok FROM choices.orders o "
        "JOIN choices.orders__legs c ON c.__ls_row = o.__ls_row",
    ),
    "stops": (
        _stops,
        "SELECT o.id, c.__ls_position_1 AS a, c.__ls_position_2 AS b, c.code FROM choices.orders o "
        "JOIN choices.orders__legs__stops c ON c.__ls_row = o.__ls_row",
    ),
    "tags": (
        _tags,
        "SELECT o.id, c.__ls_position_1 AS a, c.value FROM choices.orders o "
        "JOIN choices.orders__tags c ON c.__ls_row = o.__ls_row",
    ),
    "customer": (_customer, "SELECT id, customer__name, customer__born FROM choices.orders"),
}


@pytest.fixture(scope="module")
def runs(cloud: Cloud) -> list[str]:
    """Two full runs: the second puts its tables into the first one's places."""
    cloud.seed("demo.choices.orders", HERE / "orders.jsonl", HERE / "schema.json")
    return [_run(cloud), _run(cloud)]


def _run(cloud: Cloud) -> str:
    given = config("choices")
    given["sources"][0]["datasets"][0]["tables"] = [{"match": "orders", "nested": NESTED}]
    record = cloud.wait(cloud.submit("choices", given))
    assert record.state is RunState.SUCCEEDED, [table.failure for table in cloud.tables(record.run).values()]
    return record.run


@pytest.mark.parametrize("name", PAIRS)
def test_redshift_holds_what_bigquery_holds(cloud: Cloud, runs: list[str], name: str) -> None:
    assert len(set(runs)) == 2
    parts, here = PAIRS[name]
    found = _plain(list(row.values()) for row in cloud.redshift(here))
    source = cloud.bigquery("SELECT * FROM demo.choices.orders")
    assert found == _plain(part for row in source for part in parts(row))
    assert len(found) > 2


def test_parent_and_children_are_published_by_each_run(cloud: Cloud, runs: list[str]) -> None:
    rows = cloud.redshift("SELECT run, target FROM lakeshift.load_history WHERE target LIKE 'choices.%'")
    tables = ("orders", "orders__legs", "orders__legs__stops", "orders__legs__stops__codes", "orders__tags")
    assert sorted((row["run"], row["target"]) for row in rows) == sorted(
        (run, f"choices.{table}") for run in runs for table in tables
    )


def _plain(rows: Iterator[list[Any]]) -> list[list[str]]:
    return sorted([str(value).lower() for value in row] for row in rows)
