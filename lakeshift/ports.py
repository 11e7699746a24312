"""What the core asks of the outside world. Adapters implement these; the core knows nothing else."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import pyarrow as pa
from typing_extensions import Buffer

from lakeshift.model import (
    ChunkRecord,
    Order,
    Partition,
    RunRecord,
    RunState,
    Slice,
    SourceTable,
    TablePlan,
    TableRecord,
    TableRef,
)
from lakeshift.spec import Source as SourceSpec
from lakeshift.spec import Target as TargetSpec


class Upload(Protocol):
    """An object that is being written."""

    def write(self, data: Buffer, /) -> int:
        """Append bytes; returns how many."""


class ObjectStore(Protocol):
    """Buckets of objects. Raises StoreBusy when throttled, KeyError when an object is absent."""

    def put(self, bucket: str, key: str, body: bytes, content_type: str = "application/octet-stream") -> str:
        """Write an object whole; returns its version id."""

    def get(self, bucket: str, key: str, version: str = "") -> bytes:
        """Read an object, or the given version of it; KeyError when absent."""

    def read_range(self, bucket: str, key: str, start: int, length: int) -> bytes:
        """Read `length` bytes from byte `start`."""

    def size(self, bucket: str, key: str) -> int:
        """Bytes of an object; KeyError when absent."""

    def upload(
        self, bucket: str, key: str, content_type: str = "application/octet-stream"
    ) -> AbstractContextManager[Upload]:
        """Write an object while it is being made, in parts and bounded memory.

        Leaving the block completes the object; leaving it by an exception leaves nothing behind.
        """


class Secrets(Protocol):
    """Named secrets."""

    def get(self, name: str) -> str:
        """The secret's text; SecretMissing when it does not exist or may not be read."""


@dataclass(frozen=True)
class ReadSession:
    """An open read session: the same rows in the same order per stream, until it expires."""

    name: str
    streams: tuple[str, ...]


@dataclass(frozen=True)
class Children:
    """The two halves of a stream: `primary` begins where the stream begins, `remainder` ends where it ends."""

    primary: str
    remainder: str


@dataclass(frozen=True)
class Answer:
    """Rows of a question that the source has answered itself, and the bytes that it scanned for them."""

    rows: tuple[tuple[object, ...], ...]
    bytes: int


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

    def partitions(self, refs: Sequence[TableRef]) -> Mapping[TableRef, tuple[Partition, ...]]:
        """Partitions of tables of one data set, by id; a table without any has none."""

    def estimate(self, sql: str) -> int:
        """Bytes that a query would scan and bill; QueryFailed when it is no query that can run."""

    def check_filter(self, plan: TablePlan) -> None:
        """Let the source look at the plan's row filter; nothing runs or is billed. QueryFailed when it is refused."""

    def ask(self, sql: str, max_bytes: int) -> Answer:
        """Run one SELECT to its end inside the source and return all rows.

        Args:
            max_bytes: what it may scan, e.g. its own estimate; a little more passes, for what is rounded up in a bill.

        Raises:
            QueryFailed: it is refused, or would bill more; nothing is billed then.
        """

    def make_result(self, plan: TablePlan) -> bool:
        """Start the plan's query once and look whether its result is there; true when it is.

        Raises:
            QueryFailed: the query ended in an error, or would bill more than the plan says.
        """

    def count(self, plan: TablePlan) -> int:
        """Rows of the plan's slices at its snapshot, under its filter."""

    def relation(self, plan: TablePlan) -> str:
        """The rows that `count` counts, as a table expression for `ask`: the plan's columns by the source's names."""

    def open_session(self, plan: TablePlan, part: Slice) -> ReadSession:
        """Open a read session of a slice at the plan's snapshot."""

    def read(self, stream: str, offset: int, stall_seconds: float) -> Generator[pa.RecordBatch]:
        """Rows of a stream from `offset`; goes on by itself after a broken, busy or stalled connection.

        Raises:
            SessionLost: its session has expired.
            QuotaExhausted: the source refuses for its quota and does not say when to come back.
            SourceBusy: no progress after several attempts.
        """

    def split(self, stream: str, fraction: float) -> Children | None:
        """Cut a stream in two at about `fraction` (0 to 1) of it; None where it cannot be cut."""


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

    def query(self, sql: str, token: str = "", /) -> list[tuple[object, ...]]:
        """Run one SELECT to its end and return all rows.

        With a token it runs once: a call that gives up before its end, another one with the same token goes on with.

        Raises:
            StatementFailed: it is refused.
            StillRunning: it has a token, and has not ended in about a minute.
        """


class Catalog(Protocol):
    """What query engines know of the lake. Raises StoreBusy or StoreRefused; repeating a call changes nothing."""

    def database(self, schema: str) -> str:
        """Name of the database for a target schema."""

    def put(self, schema: str, table: Mapping[str, Any]) -> None:
        """Write an entry whole, in the place of one of that name."""

    def add_partitions(self, schema: str, table: str, partitions: Sequence[Mapping[str, Any]]) -> None:
        """Write partitions of a table; one that is there already stays as it is."""

    def remove(self, schema: str, table: str) -> None:
        """Remove an entry, if it is there."""


class Ledger(Protocol):
    """The truth about runs, tables and chunks. Writes are conditional; a repeated write is a no-op."""

    def claim(self, record: RunRecord) -> RunRecord:
        """Insert a run unless it stands there; returns what stands there now."""

    def run(self, run: str) -> RunRecord:
        """A run; KeyError when unknown."""

    def save_run(self, record: RunRecord, expect: RunState) -> None:
        """Write a run whose state is still `expect`, but for its order; LedgerConflict when it is not."""

    def give(self, run: str, order: Order) -> None:
        """Set what is wanted of a run, whatever its state; KeyError when unknown."""

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

    def lease(self, name: str) -> str | None:
        """Who has it or was the last to have it; None where nobody ever had it."""

    def take(self, name: str, holder: str, before: str | None) -> bool:
        """Give the lease to a holder in the place of the one `before`; false when another one has it now."""

    def add_chunks(self, records: Sequence[ChunkRecord]) -> None:
        """Insert chunks that are not there; those that are stay as they are."""

    def chunks(self, run: str, table: str) -> list[ChunkRecord]:
        """All chunks of a table, by name."""

    def chunk(self, run: str, table: str, chunk: str) -> ChunkRecord:
        """One chunk; KeyError when unknown."""

    def save_chunk(self, record: ChunkRecord) -> ChunkRecord:
        """Write a chunk that still has the record's version, and return it with the next one; else LedgerConflict."""

    def split_chunk(self, record: ChunkRecord, remainder: ChunkRecord) -> ChunkRecord:
        """Write a chunk as `save_chunk` does and insert the one that takes over its end: both or none."""


@dataclass(frozen=True)
class Places:
    """Names of the buckets of this stage."""

    config: str
    lake: str
    staging: str


@dataclass(frozen=True)
class Defaults:
    """What the stage supplies where a config file is silent.

    Attributes:
        target_secret, target_user: the warehouse's, where the config names neither workgroup nor cluster.
        load_max_parallelism: targets that the scheduled load of all runs fills at a time.
    """

    input_max_parallelism: int
    initiate_schema_detection: bool
    copy_role: str
    database: str
    cluster: str
    workgroup: str
    secret: str
    load_max_parallelism: int = 10
    target_secret: str = ""
    target_user: str = ""


@dataclass(frozen=True)
class Limits:
    """What a process may use.

    Attributes:
        readers: streams that it reads at a time.
        streams: read streams that all tables of a run may have open at a time.
    """

    readers: int = 2
    streams: int = 300


@dataclass(frozen=True)
class Ports:
    """All adapters of a process, handed to every step.

    Attributes:
        is_running: whether an execution of a state machine has not ended, by its ARN. Raises StoreRefused, StoreBusy.
    """

    places: Places
    defaults: Defaults
    ledger: Ledger
    objects: ObjectStore
    source: Callable[[SourceSpec], Source]
    warehouse: Callable[[TargetSpec], Warehouse]
    clock: Callable[[], datetime]
    limits: Limits = Limits()
    catalog: Catalog | None = None
    is_running: Callable[[str], bool] = lambda _: False
