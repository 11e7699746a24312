"""Statistics: what a plain look at the values says, however the rows were cut and merged."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshift.lake.checksum import row_hashes, value_hashes
from lakeshift.lake.statistics import EXTREME_LENGTH, MAX_PATHS, Accumulator, empty, leaf_paths, merge
from lakeshift.model import ColumnStatistics, Statistics
from tests.unit.arrow_values import batches


def measured(*parts: pa.RecordBatch | pa.Table) -> Statistics:
    accumulator = Accumulator(parts[0].schema)
    for part in parts:
        accumulator.add(part)
    return accumulator.result()


def one(array: pa.Array) -> ColumnStatistics:
    return measured(pa.record_batch({"c": array})).columns[0]


def values_at(value: Any, kind: pa.DataType, path: str) -> Iterator[tuple[str, Any]]:
    """All (path, value) of the leaves inside a value."""
    if pa.types.is_list(kind):
        for element in value or ():
            yield from values_at(element, kind.value_type, f"{path}[]")
    elif pa.types.is_struct(kind):
        for field in kind:
            yield from values_at(None if value is None else value[field.name], field.type, f"{path}.{field.name}")
    else:
        yield path, value


@given(batches())
def test_every_leaf_is_counted(batch: pa.RecordBatch) -> None:
    found: dict[str, list[Any]] = {path: [] for field in batch.schema for path in leaf_paths(field.type, field.name)}
    for field, column in zip(batch.schema, batch.columns, strict=True):
        for row in column.to_pylist():
            for path, value in values_at(row, field.type, field.name):
                found[path].append(value)
    counted = {column.path: (column.values, column.nulls) for column in measured(batch).columns}
    for path, values in found.items():
        assert counted[path] == (len(values), values.count(None))
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        assert counted[name] == (len(column), column.null_count)


@given(batches(max_size=20), st.lists(st.integers(0, 20), max_size=4), st.randoms(use_true_random=False))
def test_any_cut_merges_to_the_whole(batch: pa.RecordBatch, cuts: list[int], random: Any) -> None:
    whole = measured(batch)
    bounds = sorted({0, batch.num_rows, *(cut for cut in cuts if cut < batch.num_rows)})
    parts = [batch.slice(start, end - start) for start, end in pairwise(bounds)] or [batch]
    assert measured(*parts) == whole
    singles = [measured(part) for part in parts]
    random.shuffle(singles)
    assert reduce(merge, singles, empty()) == whole
    assert reduce(lambda later, earlier: merge(earlier, later), singles, empty()) == whole
    middle = random.randint(0, len(singles))
    assert merge(reduce(merge, singles[:middle], empty()), reduce(merge, singles[middle:], empty())) == whole


@given(batches())
def test_json_brings_them_back(batch: pa.RecordBatch) -> None:
    whole = measured(batch)
    assert Statistics.model_validate_json(whole.model_dump_json()) == whole


@given(batches())
def test_checksums_are_sums_of_hashes(batch: pa.RecordBatch) -> None:
    result = measured(batch)
    assert (result.rows, result.sum) == (batch.num_rows, f"{int(row_hashes(batch).sum()):016x}")
    assert result.xor == f"{int(np.bitwise_xor.reduce(row_hashes(batch))):016x}"
    sums = {column.path: column.checksum for column in result.columns}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        assert sums[name] == f"{int(value_hashes(column).sum()):016x}"


@given(st.lists(st.none() | st.text(st.sampled_from("ab\0é𝄞"), max_size=12), max_size=60), st.integers(0, 70))
def test_bounds_of_texts(values: list[str | None], prefix: int) -> None:
    values = [None if value is None else "x" * prefix + value for value in values]
    known = [value for value in values if value is not None]
    column = one(pa.array(values, pa.string()))
    cut = [value[:EXTREME_LENGTH] for value in known]
    assert (column.min, column.max) == ((min(cut), max(cut)) if cut else (None, None))
    assert column.max_bytes == max((len(value.encode()) for value in known), default=None)


@given(st.lists(st.integers(0, 3), min_size=40, max_size=200), st.integers(0, 300))
def test_bounds_of_many_binaries_with_a_common_start(tails: list[int], common: int) -> None:
    values = [b"\0" * common + bytes(tail % 3 for _ in range(tail)) for tail in tails]
    column = one(pa.array(values, pa.binary()))
    assert column.min == min(values)[:EXTREME_LENGTH].hex()
    assert column.max == max(values)[:EXTREME_LENGTH].hex()


@given(st.lists(st.none() | st.floats(), max_size=12))
def test_bounds_of_floats(values: list[float | None]) -> None:
    column = one(pa.array(values, pa.float64()))
    known = np.array([value for value in values if value is not None], np.float64)
    finite = known[np.isfinite(known)]
    expected = (float(finite.min()), float(finite.max())) if len(finite) else (None, None)
    assert (column.min, column.max) == expected
    assert str(column.min) != "-0.0"
    assert (column.nans, column.infinities) == (
        (int(np.isnan(known).sum()), int(np.isinf(known).sum())) if values else (None, None)
    )


@given(st.lists(st.none() | st.integers(-(10**38) + 1, 10**38 - 1), max_size=12))
def test_bounds_and_digits_of_decimals(numbers: list[int | None]) -> None:
    kind = pa.decimal128(38, 9)
    array = pa.array([None if number is None else Decimal(f"{number}E-9") for number in numbers], kind)
    column, known = one(array), [number for number in numbers if number is not None]
    if not known:
        assert (column.min, column.max_digits) == (None, None)
        return
    assert (Decimal(str(column.min)), Decimal(str(column.max))) == (
        Decimal(f"{min(known)}E-9"),
        Decimal(f"{max(known)}E-9"),
    )
    assert column.max_digits == max(len(str(abs(number))) for number in known)


def test_texts_of_bounds_have_one_width() -> None:
    start, end = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)  # noqa: DTZ001
    column = one(pa.array([end, None, start], pa.timestamp("us")))
    assert (column.min, column.max) == ("0001-01-01T00:00:00.000000", "9999-12-31T23:59:59.999999")
    zoned = one(pa.array([datetime(2024, 1, 1, tzinfo=UTC)], pa.timestamp("us", "UTC")))
    assert zoned.min == zoned.max == "2024-01-01T00:00:00.000000"
    days = one(pa.array([date(9999, 12, 31), date(1, 1, 1)]))
    assert (days.min, days.max) == ("0001-01-01", "9999-12-31")
    clock = one(pa.array([time(1, 2, 3), time(23, 59, 59, 999999)], pa.time64("us")))
    assert (clock.min, clock.max) == ("01:02:03.000000", "23:59:59.999999")
    flags = one(pa.array([True, False, None]))
    assert (flags.min, flags.max, flags.nulls) == (False, True, 1)


def test_merged_decimals_compare_as_numbers() -> None:
    low, high = (
        measured(pa.record_batch({"c": pa.array([Decimal(number)], pa.decimal128(38, 9))})) for number in (9, 10)
    )
    assert (merge(low, high).columns[0].min, merge(low, high).columns[0].max) == ("9", "10")


def test_columns_stay_and_leaves_beyond_the_limit_are_counted() -> None:
    parts = [pa.field(f"f{number}", pa.int64()) for number in range(1_500)]
    schema = pa.schema([("a", pa.struct(parts)), ("b", pa.list_(pa.struct(parts))), ("z", pa.int64())])
    batch = pa.RecordBatch.from_arrays([pa.nulls(2, field.type) for field in schema], schema=schema)
    result = measured(batch)
    paths = [column.path for column in result.columns]
    assert len(paths) == MAX_PATHS
    assert result.omitted == 3_003 - MAX_PATHS
    assert {"a", "b", "z", "a.f1499", "b[].f0"} <= set(paths)
    assert paths.index("a") < paths.index("a.f0") < paths.index("b")


def test_statistics_of_other_columns_do_not_merge() -> None:
    first = measured(pa.record_batch({"a": [1]}))
    with pytest.raises(ValueError, match="a and of b"):
        merge(first, measured(pa.record_batch({"b": [1]})))


def test_parts_are_measured_as_the_whole() -> None:
    batch = pa.record_batch({"a": pa.array(range(100_000)), "b": pa.array([str(one) for one in range(100_000)])})
    parts = batch[:70_000], batch[70_000:]
    assert measured(*parts) == measured(pa.Table.from_batches(parts)) == measured(batch)


@pytest.mark.parametrize(
    ("array", "texts"),
    [
        (pa.array([2**31 - 1, -(2**31)], pa.int32()).view(pa.date32()), ("-5877641-06-23", "5881580-07-11")),
        (
            pa.array([2**62, -(2**62)], pa.int64()).view(pa.timestamp("us")),
            ("-144169-06-28T09:59:32.612096", "148108-07-06T14:00:27.387904"),
        ),
        (pa.array([2**62, 0], pa.int64()).view(pa.time64("us")), ("00:00:00.000000", "14:00:27.387904")),
    ],
)
def test_what_a_damaged_file_holds_has_bounds_too(array: pa.Array, texts: tuple[str, str]) -> None:
    assert (one(array).min, one(array).max) == texts
