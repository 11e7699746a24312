"""Slices: every value of the partition column, and NULL, is in exactly one of them, whatever the partitions say."""

# ruff: noqa: DTZ001, DTZ901 - bounds are text without a zone
from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lakeshift.model import Kind, Partition, Range, Slice, SourceTable
from lakeshift.plan.slices import MAX_SLICES, slices
from lakeshift.types.bigquery import columns
from tests.unit.plans import entry

KINDS = {"DATE": Kind.DATE, "DATETIME": Kind.DATETIME, "TIMESTAMP": Kind.TIMESTAMP, "INT64": Kind.INT64}
FORMATS = {"YEAR": "%Y", "MONTH": "%Y%m", "DAY": "%Y%m%d", "HOUR": "%Y%m%d%H"}
moments = some.datetimes(min_value=datetime(1000, 1, 1), max_value=datetime(9999, 12, 31, 23))


def table(partitions: Sequence[Partition], kind: str = "DAY", column: str = "at", type_: str = "DATE") -> SourceTable:
    given = entry([{"name": "at", "type": type_}]).table
    assert given
    total = sum(partition.bytes for partition in partitions)
    changes = {"partition_kind": kind, "partition_column": column, "partitions": tuple(partitions), "bytes": total}
    return given.model_copy(update={**changes, "columns": columns([{"name": "at", "type": type_}])})


def part(name: str, size: int = 1) -> Partition:
    return Partition(id=name, rows=size, bytes=size)


def holds(wanted: Range | None, value: int | datetime | None) -> bool:
    """What the range's text means, read anew."""
    if wanted is None:
        return True
    if value is None:
        return wanted.nulls
    lower = wanted.lower is None or bound(wanted, wanted.lower) <= value  # type: ignore[operator]
    return lower and (wanted.upper is None or value < bound(wanted, wanted.upper))  # type: ignore[operator]


def bound(wanted: Range, text: str) -> int | datetime:
    return int(text) if wanted.kind is Kind.INT64 else datetime.fromisoformat(text)


def holders(parts: Sequence[Slice], value: int | datetime | None) -> int:
    return sum(holds(one.range, value) for one in parts)


@given(
    kind=some.sampled_from(list(FORMATS)),
    type_=some.sampled_from(["DATE", "DATETIME", "TIMESTAMP"]),
    found=some.lists(some.tuples(moments, some.integers(0, 300)), max_size=40, unique_by=lambda pair: pair[0]),
    others=some.sets(some.sampled_from(["__NULL__", "__UNPARTITIONED__"])),
    chunk=some.integers(1, 500),
    values=some.lists(moments, max_size=20),
)
def test_every_moment_is_in_one_slice(
    kind: str, type_: str, found: list[tuple[datetime, int]], others: set[str], chunk: int, values: list[datetime]
) -> None:
    ids = {moment.strftime(FORMATS[kind]).zfill(4): size for moment, size in found}
    made = slices(
        table([part(name, size) for name, size in [*ids.items(), *((o, 5) for o in others)]], kind, type_=type_), chunk
    )
    edges = [moment + step for moment, _ in found for step in (timedelta(0), timedelta(microseconds=-1))]
    at_midnight = [value.replace(hour=0, minute=0, second=0, microsecond=0) for value in [*values, *edges]]
    asked = at_midnight if type_ == "DATE" else [*values, *edges]
    for value in [None, datetime.min, datetime(9999, 12, 31), *asked]:
        assert holders(made, value) == 1
    assert sum(one.bytes for one in made) == sum(ids.values()) + 5 * len(others)


@given(
    found=some.dictionaries(some.integers(-(2**63), 2**63 - 1), some.integers(0, 300), max_size=40),
    chunk=some.integers(1, 500),
    values=some.lists(some.integers(-(2**63), 2**63 - 1), max_size=20),
)
def test_every_number_is_in_one_slice(found: dict[int, int], chunk: int, values: list[int]) -> None:
    made = slices(table([part(str(lower), size) for lower, size in found.items()], "RANGE", type_="INT64"), chunk)
    for value in [None, *values, *found, *(lower - 1 for lower in found)]:
        assert holders(made, value) == 1


def test_neighbours_are_gathered_to_about_a_chunk() -> None:
    days = [part(f"202401{day:02}", 10) for day in range(1, 32)]
    made = slices(table(days), 100)
    assert [one.bytes for one in made] == [100, 100, 100, 10]
    assert [(one.range.lower, one.range.upper) for one in made if one.range] == [
        (None, "2024-01-11"),
        ("2024-01-11", "2024-01-21"),
        ("2024-01-21", "2024-01-31"),
        ("2024-01-31", None),
    ]
    assert [one.range.nulls for one in made if one.range] == [True, False, False, False]
    assert {one.streams for one in made} == {1}


@pytest.mark.parametrize(
    ("kind", "type_", "name", "text"),
    [
        ("YEAR", "DATE", "2024", "2024-01-01"),
        ("MONTH", "DATETIME", "202402", "2024-02-01T00:00:00"),
        ("DAY", "TIMESTAMP", "20240229", "2024-02-29T00:00:00"),
        ("HOUR", "TIMESTAMP", "2024022923", "2024-02-29T23:00:00"),
        ("DAY", "DATE", "00010102", "0001-01-02"),
        ("RANGE", "INT64", "-10", "-10"),
    ],
)
def test_ids_become_bounds_of_the_column_s_kind(kind: str, type_: str, name: str, text: str) -> None:
    first = {"RANGE": "-20"}.get(kind, "0001010100"[: len(name)])
    (_, second) = slices(table([part(first), part(name)], kind, type_=type_), 1)
    assert second.range == Range(column="at", kind=KINDS[type_], lower=text)


def test_a_table_by_ingestion_time_is_cut_by_its_pseudo_column() -> None:
    made = slices(table([part("20240101"), part("20240102"), part("__UNPARTITIONED__")], column="_PARTITIONTIME"), 1)
    assert [one.range for one in made] == [
        Range(column="_PARTITIONTIME", kind=Kind.TIMESTAMP, upper="2024-01-01T00:00:00", nulls=True),
        Range(column="_PARTITIONTIME", kind=Kind.TIMESTAMP, lower="2024-01-01T00:00:00", upper="2024-01-02T00:00:00"),
        Range(column="_PARTITIONTIME", kind=Kind.TIMESTAMP, lower="2024-01-02T00:00:00"),
    ]


def test_a_huge_partition_is_read_by_several_streams() -> None:
    made = slices(table([part("20240101", 10), part("20240102", 40), part("20240103", 41)]), 10)
    assert [one.streams for one in made] == [1, 1, 5]


def test_chunks_grow_before_there_are_too_many_slices() -> None:
    hours = [datetime(2020, 1, 1) + timedelta(hours=hour) for hour in range(30_000)]
    made = slices(table([part(f"{hour:%Y%m%d%H}", 10) for hour in hours], "HOUR", type_="TIMESTAMP"), 1)
    assert MAX_SLICES / 3 < len(made) <= MAX_SLICES


def test_a_table_without_partitions_is_one_slice_of_a_stream_for_each_chunk() -> None:
    given = entry([{"name": "at", "type": "DATE"}], bytes=1001, requires_partition_filter=True).table
    assert given
    (one,) = slices(given, 100)
    assert (one.range, one.streams, one.rows, one.requires_partition_filter) == (None, 11, 1000, True)
    (whole,) = slices(given, 10**9)
    assert whole.streams == 1
    (most,) = slices(given, 1)
    assert most.streams == 1000
