"""A Parquet file of the lake read again, row group by row group, in the order of its bytes and in bounded memory."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from lakeshift.errors import ValidationFailed

Read = Callable[[int, int], bytes]
"""Gives `length` bytes from byte `start` of the object, fewer at its end."""
Wanted = Callable[[pq.RowGroupMetaData], bool]
"""Whether a row group is read, by what the footer says of it."""


def every(_: pq.RowGroupMetaData) -> bool:
    """All row groups are wanted."""
    return True


# One request brings the footer of any file of ours, and all of a small file.
_TAIL_BYTES = 256 * 1024
_FOOTER_TAIL_BYTES = 8
_MAGIC = b"PAR1"


class LakeFileReader:
    """One file; a row group's bytes are one request, and its columns are decoded out of them.

    Args:
        read: gives bytes of the object.
        size: bytes of the object.

    Raises:
        ValidationFailed: the object is not a whole Parquet file.
    """

    def __init__(self, read: Read, size: int) -> None:
        self._window = _Window(read, size)
        self._size = size
        self._digest = hashlib.sha256()
        self._digested = 0
        try:
            self._check_tail()
            self._file = pq.ParquetFile(pa.PythonFile(self._window, mode="r"), pre_buffer=False)
        except (pa.ArrowException, OSError) as error:
            raise ValidationFailed("the footer of a lake file is damaged") from error

    def _check_tail(self) -> None:
        tail = self._window.at(max(0, self._size - _FOOTER_TAIL_BYTES), _FOOTER_TAIL_BYTES)
        if len(tail) < _FOOTER_TAIL_BYTES or tail[4:] != _MAGIC:
            raise ValidationFailed("a lake file is not a whole Parquet file")
        footer = struct.unpack("<I", tail[:4])[0] + _FOOTER_TAIL_BYTES
        if footer > self._size:
            raise ValidationFailed("the footer of a lake file is damaged")
        self._window.keep_end(footer)

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema of the file, without what a writer has noted beside it."""
        return self._file.schema_arrow.remove_metadata()

    @property
    def rows(self) -> int:
        """Rows by the file's footer."""
        return int(self._file.metadata.num_rows)

    @property
    def row_groups(self) -> int:
        """How many row groups the file has."""
        return int(self._file.num_row_groups)

    def batches(self, first: int = 0, wanted: Wanted = every) -> Iterator[pa.RecordBatch]:
        """Row groups from the given one on, as far as they are wanted, each as one batch.

        Raises:
            ValidationFailed: a row group cannot be decoded; names the columns.
        """
        for number in range(first, self.row_groups):
            if not wanted(self._file.metadata.row_group(number)):
                continue
            self._move(number)
            yield self._group(number)
        if self._digested == self._end(self.row_groups - 1):
            self._digest_up_to(self._size)

    def sha256(self) -> str:
        """SHA-256 of the file in hex, once all row groups were read; "" where not all were."""
        return self._digest.hexdigest() if self._digested == self._size else ""

    def _group(self, number: int) -> pa.RecordBatch:
        try:
            table = self._file.read_row_group(number, use_threads=False)
        except (pa.ArrowException, OSError) as error:
            names = ", ".join(self._undecodable(number))
            raise ValidationFailed(f"row group {number} cannot be decoded: {names or 'its pages'}") from error
        return table.combine_chunks().to_batches()[0] if table.num_rows else _nothing(table.schema)

    def _undecodable(self, number: int) -> Iterator[str]:
        for name in self.schema.names:
            try:
                self._file.read_row_group(number, columns=[name], use_threads=False)
            except (pa.ArrowException, OSError):
                yield name

    def _move(self, number: int) -> None:
        """Bring the bytes of a row group: all between the end of the one before and its own end."""
        start, end = self._end(number - 1), self._end(number)
        self._window.move(start, end)
        if self._digested == start:
            self._digest_up_to(end)

    def _digest_up_to(self, end: int) -> None:
        self._digest.update(self._window.at(self._digested, end - self._digested))
        self._digested = end

    def _end(self, number: int) -> int:
        if number < 0:
            return 0
        group = self._file.metadata.row_group(number)
        ends = (_chunk_end(group.column(place)) for place in range(group.num_columns))
        return min(self._size, max(ends, default=0))


def _chunk_end(chunk: pq.ColumnChunkMetaData) -> int:
    dictionary = chunk.dictionary_page_offset
    start = chunk.data_page_offset if dictionary is None else min(dictionary, chunk.data_page_offset)
    return int(start + chunk.total_compressed_size)


def _nothing(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.nulls(0, kind) for kind in schema.types], schema=schema)


class _Window:
    """The object as the file that Arrow wants: the bytes at hand, those of its end, and any others by a request."""

    def __init__(self, read: Read, size: int) -> None:
        self._read, self._size = read, size
        self._tail_start, self._tail = size, b""
        self._start, self._bytes = 0, b""
        self._at = 0
        self.closed = False
        self.keep_end(_TAIL_BYTES)

    def keep_end(self, length: int) -> None:
        """Have at least so many bytes of the end at hand from now on."""
        start = max(0, self._size - length)
        if start < self._tail_start:
            self._tail = self._read(start, self._tail_start - start) + self._tail
            self._tail_start = start

    def move(self, start: int, end: int) -> None:
        """Have these bytes at hand, and no others but those of the end."""
        inside = start >= self._tail_start or not start < end
        self._start, self._bytes = start, b"" if inside else self._read(start, end - start)

    def at(self, start: int, length: int) -> bytes:
        """Some bytes, from wherever they are."""
        length = max(0, min(length, self._size - start))
        for first, held in ((self._start, self._bytes), (self._tail_start, self._tail)):
            if first <= start and start + length <= first + len(held):
                return held[start - first : start - first + length]
        return self._read(start, length) if length else b""

    def read(self, length: int = -1) -> bytes:
        found = self.at(self._at, self._size - self._at if length < 0 else length)
        self._at += len(found)
        return found

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def size(self) -> int:
        return self._size

    def flush(self) -> None:
        """Nothing is written."""

    def close(self) -> None:
        self.closed = True
