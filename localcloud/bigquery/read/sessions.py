"""Read sessions: which pages of which version belong to which stream.

A page is what one message carries: some rows of one storage batch, before the restriction. Streams are made of whole
pages, so that every read of a version is made of the same ones.
"""

from __future__ import annotations

import threading
import time
import uuid
from bisect import bisect_right
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, pairwise

import pyarrow as pa

from localcloud.bigquery import schema
from localcloud.bigquery.errors import BigQueryError, invalid, not_found
from localcloud.bigquery.read import wire
from localcloud.bigquery.read.cache import PageCache
from localcloud.bigquery.schema import Schema
from localcloud.bigquery.sql.restriction import Piece
from localcloud.bigquery.storage.catalog import Table, Version
from localcloud.bigquery.storage.writer import conform

# What users see of the real service: 1,024 rows in a message, whatever their width, and never more than 10 MiB.
# https://github.com/GoogleCloudDataproc/hadoop-connectors/issues/245
MAX_PAGE_ROWS = 1_024


def page_rows(version: Version, fields: Schema, wanted_bytes: int) -> int:
    """Rows per page: a power of two, so that pages fill storage batches and stay the same when a table grows."""
    average = max(1, version.size(fields) // max(1, version.rows))
    rows = min(MAX_PAGE_ROWS, max(1, wanted_bytes // average))
    return 1 << (rows.bit_length() - 1)


@dataclass(frozen=True)
class Page:
    """Some rows of one storage batch; `rows` is how many of them the restriction leaves."""

    piece: Piece
    start: int
    stop: int
    rows: int


@dataclass(frozen=True)
class Stream:
    """A range of the pages of a session."""

    name: str
    start: int
    stop: int


@dataclass
class Session:
    """One CreateReadSession and what was decided for it."""

    name: str
    table: Table
    fields: Schema
    restriction: str
    expires: float
    codec: str | None
    pages: Sequence[Page]
    streams: dict[str, Stream] = field(default_factory=dict)

    @cached_property
    def arrow_schema(self) -> pa.Schema:
        """The schema of every batch."""
        return schema.arrow_schema(self.fields, wire=True)

    @cached_property
    def schema_message(self) -> bytes:
        """The IPC schema message that clients get."""
        return bytes(self.arrow_schema.serialize().to_pybytes())

    @cached_property
    def content(self) -> tuple[Hashable, ...]:
        """What a page depends on besides its storage batch."""
        return (self.arrow_schema.to_string(), self.codec)

    @cached_property
    def before(self) -> list[int]:
        """For each page the rows before it, and at last all rows."""
        return [0, *accumulate(page.rows for page in self.pages)]

    @cached_property
    def scanned(self) -> list[int]:
        """As `before`, without the restriction."""
        return [0, *accumulate(page.stop - page.start for page in self.pages)]

    def length(self, stream: Stream) -> int:
        """How many rows a stream gives."""
        return self.before[stream.stop] - self.before[stream.start]

    def add_stream(self, start: int, stop: int) -> Stream:
        """A new stream over a range of pages."""
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


def pages(pieces: Sequence[Piece], rows: int) -> list[Page]:
    """Storage batches cut into pages of so many rows."""
    return [
        Page(piece, start, min(start + rows, piece.batch.extent.rows), _left(piece, start, rows))
        for piece in pieces
        for start in range(0, piece.batch.extent.rows, rows)
    ]


def _left(piece: Piece, start: int, rows: int) -> int:
    if piece.mask is None:
        return min(rows, piece.batch.extent.rows - start)
    return int(piece.mask.slice(start, rows).true_count)


def ranges(session: Session, wanted: int) -> list[tuple[int, int]]:
    """At most `wanted` ranges of pages with about the same number of rows. None for an empty table."""
    total = session.scanned[-1]
    targets = (total * i // wanted for i in range(1, wanted))
    cuts = {_nearest(session.scanned, target) for target in targets}
    return list(pairwise(sorted({0, len(session.pages)} | cuts)))


def _nearest(edges: Sequence[int], target: int) -> int:
    """The position of the edge next to a number of rows."""
    after = min(bisect_right(edges, target), len(edges) - 1)
    return after if edges[after] - target < target - edges[after - 1] else after - 1


def split(session: Session, stream: Stream, fraction: float) -> tuple[Stream, Stream] | None:
    """Two back-to-back children of a stream, cut between pages; None when there is no such place inside."""
    if not 0.0 < fraction < 1.0:
        raise invalid(f"fraction must lie between 0 and 1, got {fraction}")
    if stream.stop - stream.start < 2:
        return None
    first, last = session.scanned[stream.start], session.scanned[stream.stop]
    middle = _nearest(session.scanned, first + int((last - first) * fraction))
    middle = min(max(middle, stream.start + 1), stream.stop - 1)
    return session.add_stream(stream.start, middle), session.add_stream(middle, stream.stop)


def read(session: Session, stream: Stream, offset: int) -> Iterator[Part]:
    """The pages of a stream from an offset on; the first may be a part of one.

    Raises `IndexError` when the offset lies beyond the end.
    """
    if offset > session.length(stream):
        raise IndexError(f"offset {offset} is beyond the end of the stream")
    reader = _Reader(session)
    start = session.before[stream.start] + offset
    first = max(stream.start, bisect_right(session.before, start, stream.start, stream.stop) - 1)
    for number in range(first, stream.stop):
        page = session.pages[number]
        skip = max(0, start - session.before[number])
        if skip < page.rows:
            yield Part(reader, page, skip, page.rows)


class _Reader:
    """The storage batch that was read last in the session's columns."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._piece: Piece | None = None
        self._batch: pa.RecordBatch | None = None

    def rows(self, page: Page) -> pa.RecordBatch:
        """The rows of a page that the restriction leaves."""
        if self._batch is None or self._piece is not page.piece:
            stored = page.piece.batch.read()
            names = self.session.arrow_schema.names
            narrow = stored if names == stored.schema.names else stored.select(names)
            self._batch, self._piece = conform(narrow, self.session.arrow_schema), page.piece
        found = self._batch.slice(page.start, page.stop - page.start)
        mask = page.piece.mask
        return found if mask is None else found.filter(mask.slice(page.start, page.stop - page.start))


@dataclass(frozen=True)
class Part:
    """The rows of a page from `low` up to `high`."""

    reader: _Reader
    page: Page
    low: int
    high: int

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return self.high - self.low

    def cut(self, row: int) -> tuple[Part, Part]:
        """The first rows, and the rest."""
        middle = self.low + row
        return Part(self.reader, self.page, self.low, middle), Part(self.reader, self.page, middle, self.high)

    def data(self, cache: PageCache) -> pa.Buffer:
        """The IPC message; whole pages are kept."""
        if self.rows < self.page.rows:
            return self._message()
        page, session = self.page, self.reader.session
        restricted = session.restriction if page.piece.mask is not None else ""
        key = (*page.piece.batch.key, page.start, page.stop, restricted, *session.content)
        return cache.get(key, self._message)

    def _message(self) -> pa.Buffer:
        found = self.reader.rows(self.page)
        return wire.batch_message(found.slice(self.low, self.rows), self.reader.session.codec)
