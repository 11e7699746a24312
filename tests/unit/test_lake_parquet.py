"""Parquet files: cuts that depend on rows alone, and footers that are asked."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshift.errors import ValidationFailed
from lakeshift.lake.parquet import count_rows, row_groups, write

SCHEMA = pa.schema([("a", pa.int64())])


def batches(sizes: list[int]) -> list[pa.RecordBatch]:
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    spans = [range(start, start + size) for start, size in zip(starts, sizes, strict=True)]
    return [pa.record_batch([pa.array(span, pa.int64())], SCHEMA) for span in spans]


@given(st.lists(st.integers(0, 40)), st.integers(1, 17))
def test_cuts_do_not_depend_on_how_rows_arrive(sizes: list[int], rows: int) -> None:
    groups = list(row_groups(batches(sizes), rows))
    again = list(row_groups(batches([sum(sizes)]), rows))
    assert [group.to_pydict() for group in groups] == [group.to_pydict() for group in again]
    assert all(group.num_rows == rows for group in groups[:-1])
    assert [value for group in groups for value in group["a"].to_pylist()] == list(range(sum(sizes)))


def test_the_same_rows_give_the_same_bytes() -> None:
    first = write(row_groups(batches([5, 7, 9]), 6), SCHEMA)
    assert first == write(row_groups(batches([20, 1]), 6), SCHEMA)
    assert pq.read_metadata(pa.BufferReader(first)).row_group(0).column(0).compression == "ZSTD"


def test_a_footer_is_read_and_not_more() -> None:
    body = write(row_groups(batches([100_000]), 50_000), SCHEMA)
    asked: list[int] = []

    def read(start: int, length: int) -> bytes:
        asked.append(length)
        return body[start : start + length]

    assert count_rows(read, len(body)) == 100_000
    assert sum(asked) < len(body) / 10


@pytest.mark.parametrize("damage", [lambda body: body[:-1], lambda _: b"", lambda _: b"PAR1" * 3])
def test_a_damaged_file_is_no_file(damage: Callable[[bytes], bytes]) -> None:
    body = damage(write([], SCHEMA))
    with pytest.raises(ValidationFailed):
        count_rows(lambda start, length: body[start : start + length], len(body))
