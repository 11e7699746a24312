"""Slices over the wire: each row of a table comes out of exactly one of them, and the count says the same."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from lakeshift.adapters.bigquery import BigQuerySource
from lakeshift.adapters.bigquery_sql import literal
from lakeshift.errors import TerminalError
from lakeshift.inventory.family import family
from lakeshift.model import Kind, Range, TableRef
from lakeshift.types.bigquery import columns
from localcloud.bigquery.seed import client
from localcloud.bigquery.server import Twin
from tests.source import forms, planned
from tests.source.tables import DATASET, PROJECT, Made
from tests.source.test_describe import PARTITIONED, QUERIED

# Slices of each partitioned table when they are as small as they can be: the first takes what has no bounds.
SLICES = {
    "by_day": 10,
    "by_month": 10,
    "by_hour": 5,
    "by_hour_local": 5,
    "by_year": 4,
    "by_range": 5,
    "must_filter": 10,
    "by_ingestion": 3,
    "by_ingestion_hour": 2,
    "must_filter_ingestion": 3,
    "clone": 10,
}


def test_every_table_comes_out_of_its_slices_row_by_row(source: BigQuerySource, tables: dict[str, Made]) -> None:
    for name, made in tables.items():
        if name not in QUERIED:
            plan = planned.plan_of(source, planned.described(source, made.ref))
            assert planned.read_all(source, plan) == made.expected(), name
            assert source.count(plan) == len(made.rows), name


@pytest.mark.parametrize("name", PARTITIONED)
def test_a_partitioned_table_is_cut_and_no_slice_has_a_row_of_another(
    source: BigQuerySource, tables: dict[str, Made], name: str
) -> None:
    plan = planned.plan_of(source, planned.described(source, tables[name].ref))
    parts = [planned.read(source, plan, part) for part in plan.slices]
    assert len(parts) == SLICES[name]
    assert sum(part.total() for part in parts) == sum(part.rows for part in plan.slices)
    if name != "by_range":  # The source does not say on which side of the range the rows outside of it are.
        assert [part.total() for part in parts] == [part.rows for part in plan.slices]
    assert all(parts)
    for part, rows in zip(plan.slices, parts, strict=True):
        assert source.count(plan.model_copy(update={"slices": (part,)})) == rows.total()


def test_a_slice_is_read_by_streams_that_share_its_rows(source: BigQuerySource, tables: dict[str, Made]) -> None:
    made = tables["nested_arrays"]
    table = planned.described(source, made.ref)
    plan = planned.plan_of(source, table)
    part = planned.of(None, table)
    assert len(source.open_session(plan, part).streams) == 3
    assert planned.read(source, plan, part) == made.expected()


@pytest.mark.parametrize("name", ["must_filter", "must_filter_ingestion"])
def test_a_table_that_demands_a_filter_can_be_read_whole(
    source: BigQuerySource, tables: dict[str, Made], name: str
) -> None:
    made = tables[name]
    table = planned.described(source, made.ref)
    plan = planned.plan_of(source, table, slices=(planned.of(None, table),))
    assert planned.read_all(source, plan) == made.expected()
    assert source.count(plan) == len(made.rows)


def test_a_plan_with_a_filter_reads_and_counts_what_passes_it(source: BigQuerySource, tables: dict[str, Made]) -> None:
    made = tables["by_day"]
    plan = planned.plan_of(source, planned.described(source, made.ref), row_filter="id < 20 OR id >= 45")
    wanted = [row for row in made.rows if row["id"] < 20 or row["id"] >= 45]
    assert planned.read_all(source, plan) == forms.rows(wanted, made.columns)
    assert source.count(plan) == len(wanted)


@pytest.mark.parametrize(
    ("name", "rows", "kept"),
    [
        ("by_range", Range(column="number", kind=Kind.INT64, lower="-1", upper="10"), lambda n: n in (-1, 0, 9)),
        ("by_range", Range(column="number", kind=Kind.INT64, upper="-5", nulls=True), lambda n: n in (None, -1000)),
        ("by_range", Range(column="number", kind=Kind.INT64), lambda n: n is not None),
        ("by_day", Range(column="DAY", kind=Kind.DATE, lower="2024-01-02"), lambda day: day and day > "2024-01-01"),
        (
            "by_hour",
            Range(column="at", kind=Kind.TIMESTAMP, upper="2024-02-29T00:00:00.000002"),
            lambda at: at and "T00:00" in at,
        ),
        (
            "by_hour_local",
            Range(column="at", kind=Kind.DATETIME, lower="2024-02-29T23:00:00.000001"),
            lambda at: at and "T23" in at,
        ),
    ],
)
def test_an_increment_of_a_range_is_that_range(
    source: BigQuerySource, tables: dict[str, Made], name: str, rows: Range, kept: Any
) -> None:
    made = tables[name]
    table = planned.described(source, made.ref)
    plan = planned.plan_of(source, table, slices=(planned.of(rows, table),))
    wanted = [row for row in made.rows if kept(row[made.fields[1]["name"]])]
    assert planned.read_all(source, plan) == forms.rows(wanted, made.columns)
    assert source.count(plan) == len(wanted) > 0


def test_ranges_of_decimals_floats_and_texts_are_exact(source: BigQuerySource, tables: dict[str, Made]) -> None:
    made = tables["all_types"]
    table = planned.described(source, made.ref)
    for column, kind, lower, count in [
        ("c_numeric", Kind.DECIMAL, "0.000000001", 4),
        ("c_bignumeric", Kind.DECIMAL, "0." + "0" * 37 + "1", 4),
        ("c_float64", Kind.FLOAT64, "0.1", 3),
        ("c_string", Kind.STRING, "Zoë 😀\n\"'\\", 4),
    ]:
        parts = (
            planned.of(Range(column=column, kind=kind, lower=lower), table),
            planned.of(Range(column=column, kind=kind, upper=lower, nulls=True), table),
        )
        plan = planned.plan_of(source, table, slices=parts[:1])
        assert source.count(plan) == count, column
        assert planned.read_all(source, plan).total() == count, column
        rest = planned.plan_of(source, table, slices=parts[1:])
        # NaN lies in no range.
        assert source.count(rest) == len(made.rows) - count - (kind is Kind.FLOAT64)


def test_any_text_is_the_same_in_a_literal(twin: Twin) -> None:
    text = "".join(map(chr, range(1, 256))) + "`'\"\\n \\ 😀"
    with client(twin.endpoint, twin.credentials, PROJECT) as bq:
        assert next(iter(bq.query_and_wait(f"SELECT {literal(text, Kind.STRING)}")))[0] == text


def test_the_shards_of_a_family_are_slices_of_one_table(source: BigQuerySource, tables: dict[str, Made]) -> None:
    made = [tables[f"events_2024010{day}"] for day in (1, 2, 3)]
    ref = TableRef(project=PROJECT, dataset=DATASET, table="events_")
    table = family(ref, [source.describe(one.ref) for one in made])
    plan = planned.plan_of(source, table, row_filter="id >= 5")
    wanted = [row for one in made for row in one.rows if row["id"] >= 5]
    assert source.count(plan) == len(wanted) == 18
    assert [part.suffix for part in plan.slices] == ["20240101", "20240102", "20240103"]
    own = columns(
        [{"name": "id", "type": "INT64"}, {"name": "extra", "type": "NUMERIC"}, {"name": "name", "type": "STRING"}]
    )
    found: Counter[str] = Counter()
    for part in plan.slices:
        session = source.open_session(plan, part)
        batches = [batch for stream in session.streams for batch in source.read(stream, 0, planned.STALL_SECONDS)]
        assert all(not set(batch.schema.names) & set(part.missing) for batch in batches)
        found += forms.of_batches(batches, own)
    assert found == forms.rows(wanted, own)


def test_a_table_that_is_younger_than_the_snapshot_is_for_another_run(
    source: BigQuerySource, tables: dict[str, Made]
) -> None:
    plan = planned.plan_of(source, planned.described(source, tables["by_day"].ref))
    before = plan.model_copy(update={"snapshot": plan.snapshot - timedelta(days=1)})
    with pytest.raises(TerminalError, match="Invalid snapshot time") as refused:
        source.open_session(before, before.slices[0])
    assert refused.value.next_step.endswith("submit the config again.")


def test_rows_that_came_after_the_snapshot_are_neither_read_nor_counted(
    source: BigQuerySource, twin: Twin, tables: dict[str, Made]
) -> None:
    made = tables["clustered"]
    table = f"`{PROJECT}.{DATASET}.moving`"
    with client(twin.endpoint, twin.credentials, PROJECT) as bq:
        bq.query_and_wait(f"CREATE TABLE {table} AS SELECT * FROM `{made.ref.id}`")
        plan = planned.plan_of(source, source.describe(made.ref.model_copy(update={"table": "moving"})))
        bq.query_and_wait(f"INSERT INTO {table} (id, name) VALUES (1000, 'late')")
        assert source.count(plan) == len(made.rows)
        assert planned.read_all(source, plan) == made.expected()
        bq.delete_table(f"{PROJECT}.{DATASET}.moving")
