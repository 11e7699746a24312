"""The files of one commit: the rows that are loaded, and beside them, once one does not fit, what was held back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

import pyarrow as pa

from lakeshift.lake import keys, rows
from lakeshift.lake.parquet import FileWriter
from lakeshift.lake.quarantine import Sorted, merged, record_schema
from lakeshift.model import ChunkRecord, Held, LakeFile, MisfitCount, SideFile, TablePlan
from lakeshift.ports import Ports

CONTENT_TYPE = "application/vnd.apache.parquet"


@dataclass(frozen=True)
class _Open:
    """A file that is being written."""

    key: str
    writer: FileWriter

    def closed(self) -> SideFile:
        written = self.writer.close()
        return SideFile(key=self.key, rows=written.rows, bytes=written.bytes, sha256=written.sha256)


class ChunkFiles:
    """Writes them side by side, group by group; leaving the block by an exception leaves none of them behind."""

    def __init__(self, ports: Ports, plan: TablePlan, chunk: ChunkRecord) -> None:
        """The files of the commit that begins where `chunk` ends; nothing is opened yet."""
        self._ports, self._plan, self._chunk = ports, plan, chunk
        self._stack = ExitStack()
        self._counts: tuple[MisfitCount, ...] = ()
        self._quarantined = 0
        self._held: _Open | None = None
        self._records: _Open | None = None

    def __enter__(self) -> Self:
        """Open the file of what is loaded."""
        self._main = self._opened(keys.parquet_file, rows.schema(self._plan.columns))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Complete the files, or give them up."""
        self._stack.__exit__(kind, error, trace)

    @property
    def bytes(self) -> int:
        """Bytes of the rows so far; the same at the same row for the same rows."""
        return self._main.writer.bytes + (self._held.writer.bytes if self._held else 0)

    def encoded(self, found: Sorted) -> Sorted:
        """A row group, its texts that repeat as dictionaries; all groups of the commit are to be written like that."""
        return replace(found, kept=self._main.writer.encoded(found.kept)) if found.kept.num_rows else found

    def write(self, found: Sorted) -> None:
        """One row group."""
        if found.kept.num_rows or found.held is None:
            self._main.writer.write(found.kept)
        if found.held is not None:
            self._hold(found, found.held)

    def _hold(self, found: Sorted, held: pa.RecordBatch) -> None:
        schema = record_schema(self._plan)
        self._held = self._held or self._opened(keys.held_file, held.schema)
        self._records = self._records or self._opened(keys.records_file, schema)
        place = f"s3://{self._ports.places.lake}/{self._held.key}"
        self._records.writer.write(found.records(place, self._held.writer.rows, schema))
        self._held.writer.write(held)
        self._counts = merged([*self._counts, *found.counts()])
        self._quarantined += found.quarantined

    def close(self, read: int) -> LakeFile:
        """Write the footers; the uploads end with the block. `read`: rows of the source that the commit stands for."""
        main = self._main.closed()
        held = None
        if self._held and self._records:
            file, records = self._held.closed(), self._records.closed()
            held = Held(file=file, records=records, quarantined=self._quarantined, counts=self._counts)
        return LakeFile(offset=self._chunk.offset, read=read, held=held, **main.model_dump())

    def _opened(self, named: Callable[[str, str, int, int], str], schema: pa.Schema) -> _Open:
        chunk = self._chunk
        key = named(self._plan.lake_prefix, chunk.chunk, chunk.attempt, chunk.offset)
        sink = self._stack.enter_context(self._ports.objects.upload(self._ports.places.lake, key, CONTENT_TYPE))
        return _Open(key, self._stack.enter_context(FileWriter(sink, schema)))
