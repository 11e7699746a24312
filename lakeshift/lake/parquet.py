"""Parquet files of the lake: zstd, whole row groups, the same bytes for the same rows."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from lakeshift.errors import ValidationFailed

_FOOTER_TAIL_BYTES = 8


def row_groups(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """The same rows cut into tables of exactly `rows` rows, the last one shorter.

    The cuts depend on the rows alone and not on how the source packed them, so a repeated read gives the same files.
    """
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        rest = batch
        while count + rest.num_rows >= rows:
            cut = rows - count
            yield pa.Table.from_batches([*held, rest.slice(0, cut)])
            held, count, rest = [], 0, rest.slice(cut)
        if rest.num_rows:
            held.append(rest)
            count += rest.num_rows
    if held:
        yield pa.Table.from_batches(held)


def write(groups: Iterable[pa.Table], schema: pa.Schema) -> bytes:
    """One Parquet file of the given row groups."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, schema, compression="zstd", coerce_timestamps="us") as writer:
        for group in groups:
            writer.write_table(group, row_group_size=max(1, group.num_rows))
    return sink.getvalue().to_pybytes()


def count_rows(read: Callable[[int, int], bytes], size: int) -> int:
    """Rows of a Parquet file by its own footer, reading only that: `read(start, length)` gives bytes of the object.

    Raises:
        ValidationFailed: the object is not a whole Parquet file.
    """
    tail = read(max(0, size - _FOOTER_TAIL_BYTES), _FOOTER_TAIL_BYTES)
    if len(tail) < _FOOTER_TAIL_BYTES or tail[4:] != b"PAR1":
        raise ValidationFailed("a lake file is not a whole Parquet file")
    length = struct.unpack("<I", tail[:4])[0] + _FOOTER_TAIL_BYTES
    if length > size:
        raise ValidationFailed("the footer of a lake file is damaged")
    return int(pq.read_metadata(pa.BufferReader(read(size - length, length))).num_rows)
