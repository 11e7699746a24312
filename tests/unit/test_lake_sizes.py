"""Bytes of rows: those of the values, whatever surrounds them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from lakeshift.lake.sizes import counts_more_than_arrow, row_bytes, total_bytes
from tests.unit.arrow_values import batches, large, padded


def size(value: Any, kind: pa.DataType) -> int:
    if pa.types.is_struct(kind):
        return sum(size(value and value[field.name], field.type) for field in kind)
    if pa.types.is_list(kind):
        return 4 + sum(size(element, kind.value_type) for element in value or ())
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return 4 + len(value.encode() if isinstance(value, str) else value or b"")
    return max(1, int(kind.bit_width) // 8)


@given(batches())
def test_bytes_are_counted_by_value(batch: pa.RecordBatch) -> None:
    expected = [
        sum(size(row[field.name], field.type) for field in batch.schema)
        for row in batch.to_pylist()
    ]  # fmt: skip
    assert row_bytes(batch).tolist() == expected
    assert total_bytes(pa.Table.from_batches([batch])) == sum(expected)


@given(batches(), st.integers(0, 9), st.integers(0, 9))
def test_framing_does_not_show(batch: pa.RecordBatch, front: int, back: int) -> None:
    names = batch.schema.names
    columns = [padded(column, front, back) for column in batch.columns]
    assert row_bytes(pa.RecordBatch.from_arrays(columns, names)).tolist() == row_bytes(batch).tolist()
    wide = [column.cast(large(column.type)) for column in batch.columns]
    assert row_bytes(pa.RecordBatch.from_arrays(wide, names)).tolist() == row_bytes(batch).tolist()


@given(batches(), st.integers(0, 9), st.integers(0, 9))
def test_the_sum_of_all_rows_is_that_of_each(batch: pa.RecordBatch, front: int, back: int) -> None:
    table = pa.Table.from_arrays([padded(column, front, back) for column in batch.columns], batch.schema.names)
    pieces = pa.concat_tables([table, table.slice(1), table.slice(0, 0)])
    assert total_bytes(pieces) == sum(int(row_bytes(piece).sum()) for piece in pieces.to_batches())


@given(batches(), st.integers(0, 5))
def test_arrow_holds_no_less_than_is_counted(batch: pa.RecordBatch, start: int) -> None:
    part = batch.slice(start)
    factor = 8 if any(counts_more_than_arrow(field.type) for field in part.schema) else 1
    assert int(row_bytes(part).sum()) <= part.nbytes * factor
