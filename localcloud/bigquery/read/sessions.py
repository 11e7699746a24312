"""Read sessions: which rows of which version belong to which stream."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

from localcloud.bigquery import schema
from localcloud.bigquery.errors import BigQueryError, invalid, not_found
from localcloud.bigquery.schema import Schema
from localcloud.bigquery.storage import files
from localcloud.bigquery.storage.catalog import Catalog, Table, TableRef, Version
from localcloud.bigquery.storage.writer import conform


@dataclass(frozen=True)
class Stream:
    """A range of table rows, before the restriction."""

    name: str
    start: int
    stop: int


@dataclass
class Session:
    """One CreateReadSession and what was decided for it."""

    name: str
    table: Table
    version: Version
    fields: Schema
    mask: pa.ChunkedArray | None
    expires: float
    page_rows: int
    codec: str | None
    streams: dict[str, Stream] = field(default_factory=dict)

    @property
    def arrow_schema(self) -> pa.Schema:
        """The schema of every batch."""
        return schema.arrow_schema(self.fields)

    @property
    def schema_message(self) -> bytes:
        """The IPC schema message that clients get."""
        return bytes(schema.arrow_schema(self.fields, wire=True).serialize().to_pybytes())

    def add_stream(self, start: int, stop: int) -> Stream:
        """A new stream over a range of rows."""
        name = f"{self.name}/streams/{uuid.uuid4().hex}"
        self.streams[name] = Stream(name, start, stop)
        return self.streams[name]

    def check_alive(self) -> None:
        """Raise when the session is past its time."""
        if time.time() >= self.expires:
            raise BigQueryError("conditionNotMet", f"session expired at {self.expires:.0f}: {self.name}")


class Sessions:
    """Every session of this process; like the table readers of the real service they are not for ever."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}

    def add(self, session: Session) -> None:
        """Remember a session."""
        with self._lock:
            self._sessions[session.name] = session

    def stream(self, name: str) -> tuple[Session, Stream]:
        """A stream with its session; raises `notFound`, or `conditionNotMet` once expired."""
        session = self._sessions.get(name.rpartition("/streams/")[0])
        if session is None or name not in session.streams:
            raise not_found("Stream", name)
        session.check_alive()
        return session, session.streams[name]

    def expire(self, name: str) -> None:
        """Let a session end now."""
        self._sessions[name].expires = 0.0


def ranges(catalog: Catalog, ref: TableRef, version: Version, wanted: int) -> list[tuple[int, int]]:
    """At most `wanted` ranges of about equal size, cut where storage batches end. None for an empty table."""
    edges = [start for start, _ in _extents(catalog, ref, version)] + [version.rows]
    if version.rows == 0:
        return []
    targets = [version.rows * i // wanted for i in range(1, wanted)]
    cuts = sorted({0, version.rows} | {min(edges, key=lambda e: abs(e - t)) for t in targets})
    return list(pairwise(cuts))


def _extents(catalog: Catalog, ref: TableRef, version: Version) -> list[tuple[int, pa.RecordBatch]]:
    """Every storage batch with its first row."""
    found: list[tuple[int, pa.RecordBatch]] = []
    row = 0
    for file in version.files:
        for batch in files.batches(catalog.folder(ref) / file.name):
            found.append((row, batch))
            row += batch.num_rows
    return found


def split(catalog: Catalog, session: Session, stream: Stream, fraction: float) -> tuple[Stream, Stream] | None:
    """Two back-to-back children of a stream, cut at a storage batch; None when there is no such place inside."""
    if not 0.0 < fraction < 1.0:
        raise invalid(f"fraction must lie between 0 and 1, got {fraction}")
    target = stream.start + (stream.stop - stream.start) * fraction
    extents = _extents(catalog, session.table.ref, session.version)
    inside = [row for row, _ in extents if stream.start < row < stream.stop]
    if not inside:
        return None
    middle = min(inside, key=lambda row: abs(row - target))
    return session.add_stream(stream.start, middle), session.add_stream(middle, stream.stop)


def pages(catalog: Catalog, session: Session, stream: Stream, offset: int) -> Iterator[pa.RecordBatch]:
    """The rows of a stream from an offset on, in batches of the session's page size.

    Raises `IndexError` when the offset lies beyond the end.
    """
    skip = offset
    for start, batch in _extents(catalog, session.table.ref, session.version):
        low, high = max(stream.start, start), min(stream.stop, start + batch.num_rows)
        if low >= high:
            continue
        rows = _selected(session, batch.slice(low - start, high - low), low)
        if skip >= rows.num_rows:
            skip -= rows.num_rows
            continue
        yield from _cut(rows.slice(skip), session.page_rows)
        skip = 0
    if skip:
        raise IndexError(f"offset {offset} is beyond the end of the stream")


def _selected(session: Session, batch: pa.RecordBatch, first: int) -> pa.RecordBatch:
    names = [f.name for f in session.fields]
    narrow = conform(batch.select(names), session.arrow_schema)
    if session.mask is None:
        return narrow
    mask = session.mask.slice(first, batch.num_rows).combine_chunks()
    return narrow.filter(mask)


def _cut(batch: pa.RecordBatch, rows: int) -> Iterator[pa.RecordBatch]:
    return (batch.slice(i, rows) for i in range(0, batch.num_rows, rows))


def length(session: Session, stream: Stream) -> int:
    """How many rows a stream gives, at least 1 so that one may divide by it."""
    rows = stream.stop - stream.start
    if session.mask is not None:
        rows = int(pc.sum(session.mask.slice(stream.start, rows)).as_py() or 0)
    return max(1, rows)
