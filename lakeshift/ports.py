"""What the core asks of the outside world. Adapters implement these; the core knows nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import pyarrow as pa

from lakeshift.model import ChunkRecord, LakeFile, RunRecord, RunState, SourceTable, TablePlan, TableRecord, TableRef
from lakeshift.spec import Source as SourceSpec
from lakeshift.spec import Target as TargetSpec


class ObjectStore(Protocol):
    """Buckets of objects. Raises StoreBusy when throttled, KeyError when an object is absent."""

    def put(self, bucket: str, key: str, body: bytes, content_type: str = "application/octet-stream") -> str:
        """Write an object whole; returns its version id."""

    def get(self, bucket: str, key: str, version: str = "") -> bytes:
        """Read an object, or the given version of it; KeyError when absent."""

    def read_range(self, bucket: str, key: str, start: int, length: int) -> bytes:
        """Read `length` bytes from byte `start`."""


class Secrets(Protocol):
    """Named secrets."""

    def get(self, name: str) -> str:
        """The secret's text; SecretMissing when it does not exist or may not be read."""


@dataclass(frozen=True)
class ReadSession:
    """An open read session: the same rows in the same order per stream, until it expires."""

    name: str
    streams: tuple[str, ...]


class Source(Protocol):
    """A database to read from. All methods raise SourceNotFound, SourceForbidden or SourceBusy."""

    def now(self) -> datetime:
        """The source's own clock (UTC); a snapshot is never taken from ours."""

    def datasets(self) -> Sequence[str]:
        """Names of the data sets that the credentials can see."""

    def tables(self, dataset: str) -> Sequence[str]:
        """Names of the tables and views of a data set."""

    def describe(self, ref: TableRef) -> SourceTable:
        """Metadata of one table; TypeUnsupported names a column that has no logical type."""

    def count(self, plan: TablePlan) -> int:
        """Rows of the table at the plan's snapshot."""

    def open_session(self, plan: TablePlan) -> ReadSession:
        """Open a read session at the plan's snapshot."""

    def read(self, stream: str, offset: int) -> Iterator[pa.RecordBatch]:
        """Rows of a stream from `offset`; SessionLost when its session has expired."""


@dataclass(frozen=True)
class Statement:
    """A batch of statements as the warehouse sees it now.

    Attributes:
        error: why it failed, with the loader's own detail; "" while it has not.
        transient: the failure came of two transactions meeting or of load; a new attempt may work.
        rows: one entry for each statement (-1: none).
    """

    finished: bool
    error: str = ""
    transient: bool = False
    rows: tuple[int, ...] = ()


class Warehouse(Protocol):
    """A warehouse that runs SQL asynchronously. Raises TargetMissing or TargetBusy."""

    def submit(self, statements: Sequence[str], token: str) -> str:
        """Start statements in one transaction; the same token gives the same id and runs nothing again."""

    def poll(self, statement: str, seconds: float) -> Statement:
        """State of a batch, waiting at most `seconds` for its end."""

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Run one SELECT to its end and return all rows; StatementFailed when it is refused."""


class Ledger(Protocol):
    """The truth about runs, tables and chunks. Writes are conditional; a repeated write is a no-op."""

    def claim(self, record: RunRecord) -> RunRecord:
        """Insert a run unless it stands there; returns what stands there now."""

    def run(self, run: str) -> RunRecord:
        """A run; KeyError when unknown."""

    def save_run(self, record: RunRecord, expect: RunState) -> None:
        """Write a run whose state is still `expect`; LedgerConflict when it is not."""

    def add_tables(self, records: Sequence[TableRecord]) -> None:
        """Insert tables that are not there; those that are stay as they are."""

    def tables(self, run: str) -> list[TableRecord]:
        """All tables of a run, by name."""

    def table(self, run: str, table: str) -> TableRecord:
        """One table; KeyError when unknown."""

    def save_table(self, record: TableRecord) -> TableRecord:
        """Write a table that still has the record's version, and return it with the next one; else LedgerConflict."""

    def pending(self) -> list[tuple[str, str]]:
        """(run, table) of all tables whose record says `pending`."""

    def add_chunks(self, records: Sequence[ChunkRecord]) -> None:
        """Insert chunks that are not there; those that are stay as they are."""

    def chunks(self, run: str, table: str) -> list[ChunkRecord]:
        """All chunks of a table, by name."""

    def commit_file(self, chunk: ChunkRecord, file: LakeFile) -> ChunkRecord:
        """Append a file to a chunk that still ends where the file begins; LedgerConflict otherwise."""

    def finish_chunk(self, chunk: ChunkRecord) -> ChunkRecord:
        """Mark a chunk done that still ends at `chunk.offset`; LedgerConflict otherwise."""


@dataclass(frozen=True)
class Places:
    """Names of the buckets of this stage."""

    config: str
    lake: str
    staging: str


@dataclass(frozen=True)
class Defaults:
    """What the stage supplies where a config file is silent."""

    input_max_parallelism: int
    initiate_schema_detection: bool
    copy_role: str
    database: str
    cluster: str
    workgroup: str
    secret: str


@dataclass(frozen=True)
class Ports:
    """All adapters of a process, handed to every step."""

    places: Places
    defaults: Defaults
    ledger: Ledger
    objects: ObjectStore
    source: Callable[[SourceSpec], Source]
    warehouse: Callable[[TargetSpec], Warehouse]
    clock: Callable[[], datetime]
