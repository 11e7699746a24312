"""GoogleSQL of slices and counts, word for word."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from lakeshift.adapters import bigquery_sql
from lakeshift.adapters.bigquery_sql import count_sql, literal, partitions_sql, relation, restriction, selected
from lakeshift.inventory.family import suffix_column
from lakeshift.model import ColumnPlan, Kind, Range, ResultQuery, Slice, TablePlan, TableRef, TargetRef
from lakeshift.types.bigquery import columns

REF = TableRef(project="p-1", dataset="d", table="t")
OTHER = TableRef(project="p-1", dataset="d", table="other")
DAY = Range(column="day", kind=Kind.DATE, lower="2024-01-01", upper="2024-02-01")
EVERY_DAY = "`day` IS NOT NULL OR `day` IS NULL"
FIELDS = [
    {"name": "day", "type": "DATE"},
    {"name": "big", "type": "BIGNUMERIC"},
    {"name": "id", "type": "INT64", "mode": "REQUIRED"},
]


def plan(*slices: Slice, **changes: Any) -> TablePlan:
    found = [*columns(FIELDS), suffix_column()]
    return TablePlan(
        run="shop-0123456789ab",
        source=REF,
        source_index=0,
        snapshot=datetime(2024, 5, 6, tzinfo=UTC),
        target=TargetRef(database="dev", schema_="d", table="t"),
        columns=tuple(
            ColumnPlan(source=column, target=column.name, target_type="x", landing_type="x") for column in found
        ),
        rows=1,
        bytes=1,
        rows_per_group=1,
        group_bytes=1,
        file_bytes=1,
        slices=slices,
        lake_prefix="x/",
        **{"partition_column": "day", **changes},
    )


def part(rows: Range | None = None, **more: Any) -> Slice:
    return Slice(ref=more.pop("ref", REF), range=rows, **more)


def days(lower: str | None, upper: str | None, *, nulls: bool = False) -> Range:
    return Range(column="day", kind=Kind.DATE, lower=lower, upper=upper, nulls=nulls)


def test_the_columns_are_read_in_the_order_of_the_source_and_the_suffix_is_none_of_them() -> None:
    assert selected(plan(part())) == ["day", "big", "id"]
    assert selected(plan(part()), part(missing=("Big",))) == ["day", "id"]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (None, ""),
        (days(None, None, nulls=True), ""),
        (days(None, None), "`day` IS NOT NULL"),
        (DAY, "`day` >= DATE '2024-01-01' AND `day` < DATE '2024-02-01'"),
        (days(None, "2024-01-01", nulls=True), "(`day` < DATE '2024-01-01') OR `day` IS NULL"),
        (days("2024-01-01", None), "`day` >= DATE '2024-01-01'"),
        (Range(column="id", kind=Kind.INT64, lower="-5", upper="007"), "`id` >= -5 AND `id` < 7"),
        (
            Range(column="at", kind=Kind.DATETIME, lower="2024-01-31T01:00:00", upper="2024-01-31T02:00:00.000001"),
            "`at` >= DATETIME '2024-01-31T01:00:00' AND `at` < DATETIME '2024-01-31T02:00:00.000001'",
        ),
        (
            Range(column="_PARTITIONTIME", kind=Kind.TIMESTAMP, lower="2024-01-31T00:00:00", nulls=True),
            "(_PARTITIONTIME >= TIMESTAMP '2024-01-31T00:00:00+00') OR _PARTITIONTIME IS NULL",
        ),
        (Range(column="n", kind=Kind.DECIMAL, lower="1.5"), "`n` >= NUMERIC '1.5'"),
        (Range(column="n", kind=Kind.DECIMAL, lower="1" * 30), f"`n` >= BIGNUMERIC '{'1' * 30}'"),
        (Range(column="n", kind=Kind.DECIMAL, lower="0." + "1" * 10), f"`n` >= BIGNUMERIC '0.{'1' * 10}'"),
        (Range(column="BIG", kind=Kind.DECIMAL, upper="1.5"), "`BIG` < BIGNUMERIC '1.5'"),
        (Range(column="f", kind=Kind.FLOAT64, lower="-inf"), "`f` >= CAST('-inf' AS FLOAT64)"),
        (Range(column="s", kind=Kind.STRING, lower="it's \\ \n é"), "`s` >= 'it\\'s \\\\ \\x0a é'"),
        (Range(column="a`b\\", kind=Kind.INT64, lower="1"), "`a\\`b\\\\` >= 1"),
    ],
)
def test_a_range_is_a_condition_with_typed_bounds(rows: Range | None, expected: str) -> None:
    assert restriction(plan(), part(rows)) == expected


def test_a_type_without_order_bounds_nothing() -> None:
    with pytest.raises(ValueError, match="json"):
        literal("{}", Kind.JSON)


def test_the_filter_of_the_plan_keeps_to_itself() -> None:
    filtered = plan(row_filter="a = 1 OR b = 2")
    assert restriction(filtered, part()) == "a = 1 OR b = 2"
    expected = "(`day` >= DATE '2024-01-01' AND `day` < DATE '2024-02-01') AND (a = 1 OR b = 2)"
    assert restriction(filtered, part(DAY)) == expected


def test_a_table_that_demands_a_filter_on_its_partitions_gets_one_that_takes_every_row() -> None:
    asks = {"requires_partition_filter": True}
    assert restriction(plan(), part(None, **asks)) == EVERY_DAY
    assert restriction(plan(), part(days(None, None, nulls=True), **asks)) == EVERY_DAY
    assert restriction(plan(), part(DAY, **asks)) == restriction(plan(), part(DAY))
    by_time = plan(partition_column="")
    assert restriction(by_time, part(None, **asks)) == "_PARTITIONTIME IS NOT NULL OR _PARTITIONTIME IS NULL"
    cursor = Range(column="id", kind=Kind.INT64, lower="7")
    assert restriction(plan(row_filter="x"), part(cursor, **asks)) == f"(`id` >= 7) AND (x) AND ({EVERY_DAY})"


def test_a_whole_table_is_counted_at_the_snapshot_without_a_condition() -> None:
    assert count_sql(plan(part())) == ["SELECT COUNT(*) AS n FROM `p-1`.`d`.`t` FOR SYSTEM_TIME AS OF @snapshot"]


def test_slices_that_take_everything_are_counted_as_the_table() -> None:
    bounds = [None, *(f"{year}-01-01" for year in range(1000, 9000)), None]
    ranges = [days(lower, upper) for lower, upper in pairwise(bounds)]
    ranges[0] = ranges[0].model_copy(update={"nulls": True})
    whole = "SELECT COUNT(*) AS n FROM `p-1`.`d`.`t` FOR SYSTEM_TIME AS OF @snapshot"
    assert count_sql(plan(*map(part, ranges))) == [whole]
    assert count_sql(plan(*map(part, reversed(ranges)))) == [whole]
    assert count_sql(plan(*map(part, ranges), row_filter="x")) == [f"{whole} WHERE x"]
    asking = [part(rows, requires_partition_filter=True) for rows in ranges]
    assert count_sql(plan(*asking)) == [f"{whole} WHERE {EVERY_DAY}"]
    numbers = [Range(column="id", kind=Kind.INT64, upper="5"), Range(column="id", kind=Kind.INT64, lower="5")]
    assert count_sql(plan(*map(part, numbers))) == [whole]


@pytest.mark.parametrize(
    "ranges",
    [
        [days(None, "2024-01-01"), days("2024-01-01", None)],
        [days(None, "2024-01-01", nulls=True)],
        [days(None, "2024-01-01", nulls=True), days("2024-01-02", None)],
        [days("2024-01-01", None, nulls=True)],
    ],
)
def test_slices_that_leave_rows_out_are_counted_by_their_ranges(ranges: list[Range]) -> None:
    assert all(" WHERE " in sql for sql in count_sql(plan(*map(part, ranges))))


def test_the_ranges_of_an_increment_are_joined_where_they_meet() -> None:
    ranges = [DAY, days("2024-02-01", "2024-03-01"), days("2024-05-01", None), days(None, "1970-01-01", nulls=True)]
    (sql,) = count_sql(plan(*map(part, ranges), row_filter="x"))
    assert sql == (
        "SELECT COUNT(*) AS n FROM `p-1`.`d`.`t` FOR SYSTEM_TIME AS OF @snapshot WHERE "
        "((`day` >= DATE '2024-01-01' AND `day` < DATE '2024-03-01') OR (`day` >= DATE '2024-05-01') OR "
        "((`day` < DATE '1970-01-01') OR `day` IS NULL)) AND (x)"
    )


def test_neighbours_that_are_joined_keep_the_nulls_of_either() -> None:
    ranges = [days("2024-01-01", "2024-02-01"), days("2024-02-01", "2024-03-01", nulls=True)]
    (sql,) = count_sql(plan(*map(part, ranges)))
    assert sql.endswith(" WHERE (`day` >= DATE '2024-01-01' AND `day` < DATE '2024-03-01') OR `day` IS NULL")


def test_a_range_that_takes_everything_leaves_no_condition_beside_others() -> None:
    (sql,) = count_sql(plan(part(DAY), part(days(None, None, nulls=True))))
    assert " WHERE " not in sql


def test_many_ranges_become_several_counts() -> None:
    ranges = [Range(column="id", kind=Kind.INT64, lower=str(n), upper=str(n + 1)) for n in range(0, 2 * 250, 2)]
    (sql,) = count_sql(plan(*map(part, ranges)))
    assert sql.startswith("SELECT SUM(n) AS n FROM (SELECT COUNT(*) AS n FROM ")
    assert sql.count("UNION ALL") == 2
    assert sql.count("`id` >=") == 250


def test_a_family_is_counted_in_statements_that_bigquery_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    shards = [part(ref=REF.model_copy(update={"table": f"t_{number:08}"})) for number in range(250)]
    statements = count_sql(plan(*shards))
    assert [sql.count("SELECT COUNT(*)") for sql in statements] == [100, 100, 50]
    assert all(sum(f"`t_{number:08}`" in sql for sql in statements) == 1 for number in range(250))
    monkeypatch.setattr(bigquery_sql, "MAX_QUERY_BYTES", 1000)
    assert all(len(sql) < 1100 for sql in count_sql(plan(*shards)))
    assert sum(sql.count("SELECT COUNT(*)") for sql in count_sql(plan(*shards))) == 250


def test_the_result_of_a_query_is_counted_as_it_is() -> None:
    made = TableRef(project="p-1", dataset="tmp", table="ls_1")
    query = ResultQuery(sql="SELECT 1", destination=made, bytes=1)
    assert count_sql(plan(part(ref=made), query=query, row_filter="gone = 1")) == [
        "SELECT COUNT(*) AS n FROM `p-1`.`tmp`.`ls_1`"
    ]


def test_an_increment_without_changes_counts_nothing() -> None:
    assert count_sql(plan()) == []


def test_partitions_are_asked_for_a_thousand_tables_at_a_time() -> None:
    first, second = partitions_sql("p-1", "d", [f"t{number}" for number in range(1001)])
    assert first.count("'") == 2000
    assert second == (
        "SELECT table_name, partition_id, total_rows, total_logical_bytes, last_modified_time "
        "FROM `p-1`.`d`.INFORMATION_SCHEMA.PARTITIONS "
        "WHERE partition_id IS NOT NULL AND table_name IN ('t1000')"
    )


AT = "FOR SYSTEM_TIME AS OF TIMESTAMP '2024-05-06 00:00:00+00'"
NAMES = "`day` AS `day`, `big` AS `big`, `id` AS `id`"


def test_a_relation_has_the_plan_s_rows_and_columns_at_the_snapshot() -> None:
    family = [part(suffix="20240101", missing=("Big",)), part(days("2024-01-01", None), suffix="it's", ref=OTHER)]
    assert relation(plan(*family, row_filter="id > 3")) == (
        "(SELECT `day` AS `day`, CAST(NULL AS BIGNUMERIC) AS `big`, `id` AS `id`, '20240101' AS `_table_suffix` "
        f"FROM `p-1`.`d`.`t` {AT} WHERE id > 3 UNION ALL "
        f"SELECT {NAMES}, 'it\\'s' AS `_table_suffix` "
        f"FROM `p-1`.`d`.`other` {AT} WHERE (`day` >= DATE '2024-01-01') AND (id > 3))"
    )


def test_the_slices_of_keys_are_no_rows_of_a_relation() -> None:
    both = relation(plan(part(), part(keys=True)))
    assert both == relation(plan(part()))
    assert both.count("SELECT") == 1


def test_the_relation_of_an_empty_increment_has_no_rows_and_that_of_a_query_is_the_query() -> None:
    assert relation(plan()).endswith("FROM `p-1`.`d`.`t` WHERE FALSE)")
    query = ResultQuery(sql="SELECT 1 AS id", destination=REF, bytes=1)
    assert relation(plan(query=query)) == "(SELECT 1 AS id)"
    assert relation(plan(part(), query=query)).endswith("FROM `p-1`.`d`.`t`)")
