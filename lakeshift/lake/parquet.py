"""Parquet files of the lake: zstd, whole row groups, the same bytes for the same rows."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lakeshift.errors import ValidationFailed
from lakeshift.lake import layout
from lakeshift.lake.dictionaries import dictionary_leaves, encoded, leaves
from lakeshift.lake.sizes import Sizes, counts_more_than_arrow, row_bytes, total_bytes

GROUP_BYTES = 16 * 1024 * 1024
"""Bytes of a row group at most, by `row_bytes`; twice that is needed while it is put together."""
_FOOTER_TAIL_BYTES = 8
# What reaches the sink at a time, at least; a page's header alone would be a call of some bytes.
_WRITE_BYTES = 1024 * 1024
# Arrow's own: a page is closed when it has so many bytes, which is looked at after so many values.
_PAGE_BYTES = 1024 * 1024
_CHECKED_VALUES = 1024


class Sink(Protocol):
    """Takes the bytes of a file in order."""

    def write(self, data: bytes | memoryview, /) -> int:
        """Take all of the data; returns how many bytes that were."""


@dataclass(frozen=True)
class Written:
    """A complete file: its rows, bytes, and SHA-256 in hex."""

    rows: int
    bytes: int
    sha256: str


def row_groups(batches: Iterable[pa.RecordBatch], rows: int, size: int = GROUP_BYTES) -> Iterator[pa.Table]:
    """The same rows cut into tables of `rows` rows, or fewer where one more would make more than `size` bytes.

    The cuts depend on the rows alone and not on how the source packed them, so a repeated read gives the same files.
    Bytes are those of `row_bytes`; a row of more than `size` bytes is a group of its own. Who keeps a
    group while asking for the next one holds both.
    """
    group = _Group(rows, size)
    for batch in batches:
        rest = batch
        while rest.num_rows:
            rest = group.take(rest)
            if rest.num_rows or group.rows == rows:
                yield group.close()
    if group.rows:
        yield group.close()


class _Group:
    """Batches that are gathered until the next row is too much."""

    def __init__(self, rows: int, size: int) -> None:
        self._limit, self._size = rows, size
        self._batches: list[pa.RecordBatch] = []
        self._factor = 0
        self.rows = self._measured = self._known = self._bound = 0

    def take(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Take up as many rows as fit; returns the others. The group is full when there are others."""
        fits = min(self._limit - self.rows, batch.num_rows)
        bound = self._most(batch)
        if self._bound + bound > self._size:
            fits, bound = self._measure(batch, fits)
        if fits:
            self._batches.append(batch.slice(0, fits))
            self.rows += fits
            self._bound += bound
        return batch.slice(fits)

    def _most(self, batch: pa.RecordBatch) -> int:
        """Bytes that the rows do not exceed, without a look at them."""
        # A bit of a BOOLEAN counts as a byte; the largest factor between the two measures is 8.
        self._factor = self._factor or (8 if any(counts_more_than_arrow(kind) for kind in batch.schema.types) else 1)
        # Whole buffers: what `nbytes` says is closer, and takes twenty times as long for a page of some columns.
        return int(batch.get_total_buffer_size()) * self._factor

    def _measure(self, batch: pa.RecordBatch, fits: int) -> tuple[int, int]:
        """How many of the rows fit, and their exact bytes; what was only bounded before is made exact."""
        held = self._batches[self._measured :]
        if held:
            self._known += total_bytes(pa.Table.from_batches(held))
        sums: Sizes = np.cumsum(row_bytes(batch.slice(0, fits)))
        under = int(np.searchsorted(sums, self._size - self._known, side="right"))
        taken = min(fits, under) if self.rows or under else min(fits, 1)
        exact = int(sums[taken - 1]) if taken else 0
        self._bound = self._known
        self._known += exact
        self._measured = len(self._batches) + (1 if taken else 0)
        return taken, exact

    def close(self) -> pa.Table:
        """The gathered rows; the group is empty after. Small rows are joined, which makes hashing a quarter faster."""
        small = self._bound < _PAGE_BYTES * self.rows // _CHECKED_VALUES
        table = pa.Table.from_batches([pa.concat_batches(self._batches)] if small else self._batches)
        self._batches = []
        self.rows = self._measured = self._known = self._bound = 0
        return table


class FileWriter:
    """One Parquet file, streamed: a column chunk is in the sink as soon as it is encoded.

    The same row groups give the same bytes. Leaving the block without an exception completes the file; with one, the
    sink gets nothing more. Memory: the row group at hand, its pages of about 1 MiB, and 1 MiB.
    """

    def __init__(self, sink: Sink, schema: pa.Schema) -> None:
        self._tap = _Tap(sink)
        self._schema = self._form = schema
        self._out = pa.BufferedOutputStream(pa.PythonFile(self._tap, mode="w"), _WRITE_BYTES)
        self._parquet: pq.ParquetWriter | None = None
        self._dictionaries: list[str] | None = None
        self._rows = 0
        self._written: Written | None = None

    @property
    def rows(self) -> int:
        """Rows written so far."""
        return self._rows

    @property
    def bytes(self) -> int:
        """Bytes of the file so far, without its footer; the same at the same row for the same rows."""
        return self._written.bytes if self._written else int(self._out.tell())

    def encoded(self, group: pa.RecordBatch) -> pa.RecordBatch:
        """A row group with those texts as dictionaries that the file will hold as such.

        For who does more with the rows than to write them. All groups of the file are then to be written in this form.
        """
        made = encoded(group, self._repeating(pa.Table.from_batches([group])))
        self._form = made.schema
        return made

    def write(self, group: pa.Table | pa.RecordBatch) -> None:
        """One row group."""
        table = pa.Table.from_batches([group]) if isinstance(group, pa.RecordBatch) else group
        self._opened(table).write_table(_paged(table), row_group_size=max(1, table.num_rows))
        self._rows += table.num_rows

    def close(self) -> Written:
        """Write the footer. The sink has every byte after; it is not closed."""
        if self._written is None:
            self._opened(self._schema.empty_table()).close()
            self._out.flush()
            self._written = Written(self._rows, self._tap.size, self._tap.digest.hexdigest())
        return self._written

    def __enter__(self) -> Self:
        """The writer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Complete the file, or leave it as it is."""
        if kind is None:
            self.close()
        else:
            # Arrow writes what it has when its objects are collected.
            self._tap.dead = True

    def _repeating(self, first: pa.Table) -> list[str]:
        if self._dictionaries is None:
            self._dictionaries = dictionary_leaves(first)
        return self._dictionaries

    def _opened(self, first: pa.Table) -> pq.ParquetWriter:
        if self._parquet is None:
            self._parquet = pq.ParquetWriter(
                self._out,
                self._form,
                compression="zstd",
                coerce_timestamps="us",
                use_dictionary=self._repeating(first) or False,
                write_statistics=_ordered_leaves(self._schema) or False,
                # Parquet's own types say all; Arrow's would have readers take encoded texts for another type.
                store_schema=False,
            )
        return self._parquet


def _paged(table: pa.Table) -> pa.Table:
    """The table in one piece, or in pieces of about a page where its rows are large, cut by the rows alone.

    Arrow looks at the size of a page after every 1,024 values and at the end of a piece. Other pieces would give other
    pages, and one piece of large values would become one page, held three times over.
    """
    size = total_bytes(table)
    rows = max(1, _PAGE_BYTES * table.num_rows // max(1, size))
    if rows >= min(_CHECKED_VALUES, table.num_rows):
        return table.combine_chunks()
    pieces = [table.slice(start, rows).combine_chunks() for start in range(0, table.num_rows, rows)]
    return pa.concat_tables(pieces)


class _Tap:
    """The sink as the file that Arrow wants, with the sum of what went through."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.size = 0
        self.digest = hashlib.sha256()
        self.dead = self.closed = False

    def write(self, data: bytes | memoryview) -> int:
        if not self.dead:
            self.digest.update(data)
            self._sink.write(data)
            self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back here."""

    def tell(self) -> int:
        return self.size

    def close(self) -> None:
        """The sink is not ours to close."""


def _ordered_leaves(schema: pa.Schema) -> list[str]:
    """Parquet paths of the leaves whose least and greatest value let a reader skip row groups: all but texts, amounts.

    Bounds of texts, and of decimals that are no whole numbers, are a tenth of the encoder's time each, and hardly ever
    exclude anything.
    """
    empty = schema.empty_table()
    found = [leaf for name in schema.names for leaf in leaves(pa.concat_arrays(empty.column(name).chunks), name)]
    return [path for path, values in found if not (layout.is_text(values.type) or _is_amount(values.type))]


def _is_amount(kind: pa.DataType) -> bool:
    return pa.types.is_decimal(kind) and bool(kind.scale)


def write(groups: Iterable[pa.Table], schema: pa.Schema) -> bytes:
    """One Parquet file of the given row groups, in memory."""
    sink = _Held()
    with FileWriter(sink, schema) as writer:
        for group in groups:
            writer.write(group)
    return b"".join(sink.parts)


class _Held:
    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes | memoryview) -> int:
        self.parts.append(bytes(data))
        return len(data)


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
