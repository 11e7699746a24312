"""Increments over the wire: the target of the last publish, with an increment applied, is the table as it is now."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from typing import Any

import pytest
from google.cloud import bigquery

from lakeshift.adapters.bigquery import BigQuerySource
from lakeshift.model import Kind, Range, TablePlan
from lakeshift.plan.delta import Previous, delta
from lakeshift.spec import Incremental
from localcloud.bigquery.seed import client
from localcloud.bigquery.server import Twin
from tests.source import planned
from tests.source.tables import DATASET, PROJECT, Made, load

CHUNK = 64
Rows = Counter[tuple[int, Any]]


def made(name: str, kind: str, options: dict[str, Any]) -> Made:
    fields = [{"name": "id", "type": "INT64"}, {"name": "at", "type": kind}]
    values = ["2024-01-01", "2024-01-02", "2024-01-04", "2024-01-07", None] if kind == "DATE" else [5, 15, 35, 99, None]
    rows = [{"id": 10 * n + m, "at": value} for n, value in enumerate(values) for m in range(3)]
    return Made(name, fields, [{key: one for key, one in row.items() if one is not None} for row in rows], options)


TABLES = {
    "moving_days": made("moving_days", "DATE", {"time_partitioning": bigquery.TimePartitioning(field="at")}),
    "moving_numbers": made(
        "moving_numbers",
        "INT64",
        {
            "range_partitioning": bigquery.RangePartitioning(
                field="at", range_=bigquery.PartitionRange(start=0, end=50, interval=10)
            )
        },
    ),
}
CHANGES: dict[str, dict[str, list[str]]] = {
    "moving_days": {
        "nothing": [],
        "one": ["INSERT INTO {t} VALUES (900, '2024-01-02')"],
        "gone": ["DELETE FROM {t} WHERE at = '2024-01-04'"],
        "fewer": ["DELETE FROM {t} WHERE id = 11"],
        "new": ["INSERT INTO {t} VALUES (901, '2024-01-05'), (902, '2023-12-31'), (903, '2024-03-01')"],
        "null": ["INSERT INTO {t} VALUES (904, NULL)"],
        "moved": ["UPDATE {t} SET at = '2024-01-07', id = id + 500 WHERE at = '2024-01-02'"],
        "all": ["DELETE FROM {t} WHERE TRUE", "INSERT INTO {t} VALUES (1, '2024-01-09')"],
    },
    "moving_numbers": {
        "nothing": [],
        "one": ["INSERT INTO {t} VALUES (900, 16)"],
        "gone": ["DELETE FROM {t} WHERE at = 35"],
        "fewer": ["DELETE FROM {t} WHERE id = 11", "DELETE FROM {t} WHERE id = 30"],
        "new": ["INSERT INTO {t} VALUES (901, 25), (902, 49)"],
        "outside": ["INSERT INTO {t} VALUES (903, -7), (904, 1000)", "DELETE FROM {t} WHERE at = 99"],
        "null": ["DELETE FROM {t} WHERE at IS NULL"],
    },
}
CASES = [(table, change) for table, found in CHANGES.items() for change in found]


def rows_of(source: BigQuerySource, plan: TablePlan) -> Rows:
    found: Rows = Counter()
    for part in plan.slices:
        for stream in source.open_session(plan, part).streams:
            for batch in source.read(stream, 0, planned.STALL_SECONDS):
                found.update((row["id"], row["at"]) for row in batch.to_pylist())
    return found


def holds(wanted: Range, value: date | int | None) -> bool:
    if value is None:
        return wanted.nulls
    read = int if wanted.kind is Kind.INT64 else date.fromisoformat
    lower, upper = (None if text is None else read(text) for text in (wanted.lower, wanted.upper))
    return (lower is None or lower <= value) and (upper is None or value < upper)  # type: ignore[operator]


def applied(before: Rows, plan: TablePlan, read: Rows) -> Rows:
    """What the publish does to the target: rows of the ranges out, those that were read in."""
    assert plan.increment
    ranges = plan.increment.ranges
    kept = Counter({row: count for row, count in before.items() if not any(holds(one, row[1]) for one in ranges)})
    return kept + read


def change(twin: Twin, table: Made, statements: list[str]) -> None:
    with client(twin.endpoint, twin.credentials, PROJECT) as bq:
        for statement in statements:
            bq.query_and_wait(statement.format(t=f"`{table.ref.id}`"))


@pytest.mark.parametrize(("name", "what"), CASES)
def test_what_changed_is_replaced(twin: Twin, source: BigQuerySource, name: str, what: str) -> None:
    table = TABLES[name]
    with client(twin.endpoint, twin.credentials, PROJECT) as bq:
        bq.create_dataset(f"{PROJECT}.{DATASET}", exists_ok=True)
        load(bq, table)
    then = planned.described(source, table.ref)
    first = planned.plan_of(source, then, CHUNK)
    target = rows_of(source, first)
    assert target.total() == len(table.rows)
    _wait_past(source, first.snapshot)
    change(twin, table, CHANGES[name][what])
    now = planned.described(source, table.ref)
    full = planned.plan_of(source, now, CHUNK)
    plan = delta(full, now, Incremental(by="partition"), Previous("old", first.snapshot, first), CHUNK)
    read = rows_of(source, plan)
    assert plan.increment is not None
    assert applied(target, plan, read) == rows_of(source, full)
    assert source.count(plan) == read.total()
    assert (not plan.slices) == (what == "nothing")
    if what == "one":
        assert read.total() < target.total()


@pytest.mark.parametrize("name", TABLES)
def test_a_cursor_takes_what_was_added(twin: Twin, source: BigQuerySource, name: str) -> None:
    table = TABLES[name]
    with client(twin.endpoint, twin.credentials, PROJECT) as bq:
        bq.create_dataset(f"{PROJECT}.{DATASET}", exists_ok=True)
        load(bq, table)
    then = planned.described(source, table.ref)
    first = planned.plan_of(source, then, CHUNK)
    target = rows_of(source, first)
    change(twin, table, ["INSERT INTO {t} (id) VALUES (42), (43), (NULL)"])
    now = planned.described(source, table.ref)
    full, how = planned.plan_of(source, now, CHUNK), Incremental(by="column", column="id")
    plan = delta(full, now, how, Previous("old", first.snapshot, first, greatest=42), CHUNK)
    read = rows_of(source, plan)
    assert plan.increment
    ranges = plan.increment.ranges
    kept = Counter({row: count for row, count in target.items() if not any(holds(one, row[0]) for one in ranges)})
    assert kept + read == rows_of(source, full)
    assert read.total() == 4
    assert source.count(plan) == 4


def _wait_past(source: BigQuerySource, moment: datetime) -> None:
    """Until the source's clock, in milliseconds, is behind a moment: a change in its millisecond would count anyway."""
    while (source.now() - moment).total_seconds() < 0.005:
        pass
