"""The nouns: what is known of a source table, what is planned for it, and what the ledger remembers."""

from __future__ import annotations

import hashlib
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Noun(BaseModel):
    """Base of all nouns: immutable, closed, JSON in and out."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TableRef(Noun):
    """A table of a source, by its full name."""

    project: str
    dataset: str
    table: str

    @property
    def id(self) -> str:
        """`project.dataset.table`, the name of the table in ledger, plan and report."""
        return f"{self.project}.{self.dataset}.{self.table}"


class Kind(StrEnum):
    """Logical types: what a value means, apart from any engine."""

    BOOLEAN = "boolean"
    INT64 = "int64"
    FLOAT64 = "float64"
    DECIMAL = "decimal"
    STRING = "string"
    BYTES = "bytes"
    DATE = "date"
    TIME = "time"
    DATETIME = "datetime"
    TIMESTAMP = "timestamp"
    INTERVAL = "interval"
    RANGE = "range"
    JSON = "json"
    GEOGRAPHY = "geography"
    STRUCT = "struct"
    ARRAY = "array"


class Column(Noun):
    """A column (or a field of a STRUCT, or the element of an ARRAY) with its logical type.

    Attributes:
        source_type: the type as the source prints it, e.g. `ARRAY<STRUCT<a INT64>>`.
        length: characters (STRING) or bytes (BYTES) when the source declares them.
        precision, scale: digits of a DECIMAL.
        fields: fields of a STRUCT; the one element of an ARRAY or of a RANGE.
    """

    name: str
    kind: Kind
    source_type: str
    required: bool = False
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    fields: tuple[Column, ...] = ()
    description: str = ""


class Partition(Noun):
    """One partition of a source table; `modified` is when its rows changed last (UTC, the source's clock)."""

    id: str
    rows: int
    bytes: int
    modified: datetime | None = None


class Shard(Noun):
    """One table of a date-sharded family; `suffix` is its date as the name ends, YYYYMMDD.

    Attributes:
        missing: columns of the family that it does not have; they are NULL in its rows.
    """

    ref: TableRef
    suffix: str
    rows: int
    bytes: int
    requires_partition_filter: bool = False
    missing: tuple[str, ...] = ()


class SourceTable(Noun):
    """What the source's metadata say of a table. `rows` and `bytes` are the source's own estimate.

    Attributes:
        partition_column: the column that the table is partitioned by; `_PARTITIONTIME` for ingestion time; else "".
        partition_kind: HOUR, DAY, MONTH, YEAR or RANGE; "" for a table without partitions.
        partitions: its partitions, where somebody needs them: tables larger than one chunk, incremental ones.
        shards: for a date-sharded family, its tables in the order of their dates; `ref` then names the family.
    """

    ref: TableRef
    type: str
    columns: tuple[Column, ...]
    rows: int
    bytes: int
    partition_column: str = ""
    partition_kind: str = ""
    requires_partition_filter: bool = False
    partitions: tuple[Partition, ...] = ()
    shards: tuple[Shard, ...] = ()
    cluster_columns: tuple[str, ...] = ()
    description: str = ""


class Range(Noun):
    """Rows of a table by one column: `lower <= column < upper`.

    Attributes:
        kind: type of the bounds.
        lower, upper: bounds as text, None where open: digits, or ISO 8601 without a zone (a TIMESTAMP in UTC).
        nulls: NULLs belong to it too.
    """

    column: str
    kind: Kind
    lower: str | None = None
    upper: str | None = None
    nulls: bool = False


class Slice(Noun):
    """A part of a table that read sessions of its own deliver; what an expired session can cost at most.

    Attributes:
        ref: the table that is really read: the table itself, a shard of its family, the result of its query.
        range: the rows of it; None for all.
        streams: how many read streams are asked for; the source may return fewer.
        rows, bytes: the source's estimate.
        suffix: value of the column `_table_suffix` for its rows; "" where the table has no such column.
        missing: columns of the plan, by their source names, that `ref` does not have; NULL in its rows.
    """

    ref: TableRef
    range: Range | None = None
    streams: int = 1
    rows: int = 0
    bytes: int = 0
    suffix: str = ""
    missing: tuple[str, ...] = ()
    requires_partition_filter: bool = False


class Increment(Noun):
    """What an incremental run takes up and replaces: the rows of `ranges`, in the source and in the target.

    Attributes:
        previous: the run whose published state it builds on.
        since: the snapshot of that run (UTC, the source's clock).
    """

    previous: str
    since: datetime
    ranges: tuple[Range, ...]


class ResultQuery(Noun):
    """The query that makes a readable table of a view or an external table.

    Attributes:
        destination: the table that holds the result.
        bytes: what the query scans by the source's own estimate, and bills.
    """

    sql: str
    destination: TableRef
    bytes: int


class TargetRef(Noun):
    """A table of the warehouse."""

    database: str
    schema_: Annotated[str, Field(alias="schema")]
    table: str

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    @property
    def id(self) -> str:
        """`schema.table`, the name of the table in reports."""
        return f"{self.schema_}.{self.table}"


class ColumnPlan(Noun):
    """How one column travels.

    Attributes:
        target: name in the lake and in the warehouse.
        target_type: its type in the published table.
        landing_type: its type in the table that COPY fills; differs where COPY cannot make the target type.
        conversion: SQL over `{column}` that turns landing into target; "" where they are the same.
        note: what a reader should know, e.g. a type that became text; "" otherwise.
    """

    source: Column
    target: str
    target_type: str
    landing_type: str
    conversion: str = ""
    note: str = ""


class TablePlan(Noun):
    """Everything the later steps need for one table. What is printed as the plan is what runs.

    Attributes:
        snapshot: the instant of the source that is read (UTC).
        rows_per_group, group_bytes: rows of a Parquet row group, fewer where these would have more bytes.
        file_bytes: a Parquet file is closed at the first row group that reaches this size.
        slices: what is read, by sessions; none for an incremental run that finds nothing changed.
        row_filter: GoogleSQL condition on the rows that are wanted; "" for all.
        sample: percent of the rows that are kept; None for all.
        streams: read streams of this table that are open at a time; its share of the run's budget.
        workers, worker_type: size of the Glue job; 0 and "" for Lambda.
        lake_prefix: key prefix of the table's files in the lake bucket, ending in "/".
        precreated: the target table must exist already and is checked, not created.
        statistics: whether column statistics and checksums are taken while extracting.
        stall_seconds: a reader without a message for so long is cut off and goes on from its offset.
        priority: tables with a higher one start first.
        partitions: ids of the source's partitions, where they were asked for: what a later increment compares with.
        notes: what a reader should know of the table as a whole.
    """

    run: str
    source: TableRef
    source_index: int
    snapshot: datetime
    target: TargetRef
    columns: tuple[ColumnPlan, ...]
    rows: int
    bytes: int
    rows_per_group: int
    group_bytes: int
    file_bytes: int
    slices: tuple[Slice, ...]
    lake_prefix: str
    streams: int = 1
    engine: Literal["lambda", "glue"] = "lambda"
    workers: int = 0
    worker_type: str = ""
    partition_column: str = ""
    row_filter: str = ""
    sample: float | None = None
    query: ResultQuery | None = None
    increment: Increment | None = None
    precreated: bool = False
    statistics: bool = True
    stall_seconds: float = 120.0
    priority: int = 0
    partitions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def split(self) -> str:
        """Digest of what is read and how it is cut into files: 64 hex digits, the same for the same work."""
        text = self.model_dump_json(include=_SPLIT)
        return hashlib.sha256(text.encode()).hexdigest()


_SPLIT = {
    "source",
    "snapshot",
    "columns",
    "slices",
    "row_filter",
    "sample",
    "query",
    "increment",
    "rows_per_group",
    "group_bytes",
    "file_bytes",
    "lake_prefix",
    "statistics",
}


class RunState(StrEnum):
    """States of a run. Those from `refused` on are final for the execution that wrote them."""

    CHECKING = "checking"
    ACCEPTED = "accepted"
    INVENTORIED = "inventoried"
    MIGRATING = "migrating"
    REFUSED = "refused"
    AWAITING_LOAD = "awaiting load"
    SUCCEEDED = "succeeded"
    PROBLEMS = "complete with problems"
    FAILED = "failed"
    PAUSED = "paused"
    CANCELLED = "cancelled"


FINAL_RUN_STATES = frozenset(
    {
        RunState.REFUSED,
        RunState.AWAITING_LOAD,
        RunState.SUCCEEDED,
        RunState.PROBLEMS,
        RunState.FAILED,
        RunState.PAUSED,
        RunState.CANCELLED,
    }
)


class Order(StrEnum):
    """What a person wants of a run that is at work."""

    GO = "go"
    PAUSE = "pause"
    CANCEL = "cancel"


class TableState(StrEnum):
    """States of a table inside a run, in the order they are passed."""

    PLANNED = "planned"
    EXTRACTING = "extracting"
    EXTRACTED = "extracted"
    LOADING = "loading"
    LOADED = "loaded"
    VALIDATED = "validated"
    PUBLISHED = "published"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Failure(Noun):
    """Why a run or a table did not go on: the error's code and its full message."""

    code: str
    message: str


class Rows(Noun):
    """Row counts of the three places; None where not counted yet."""

    source: int | None = None
    lake: int | None = None
    target: int | None = None


class Span(Noun):
    """When a step worked on a table (UTC)."""

    started: datetime
    ended: datetime | None = None


class RunRecord(Noun):
    """The ledger's record of a run.

    Attributes:
        execution: the state machine execution that owns the run; another one with the same upload is a duplicate.
        snapshot: the instant that all sources are read at (UTC).
        order: what a person wants of it; steps look at it between files.
        resumed: how often it was taken up again.
    """

    run: str
    state: RunState
    order: Order = Order.GO
    config_bucket: str
    config_key: str
    config_version: str
    execution: str
    started: datetime
    ended: datetime | None = None
    snapshot: datetime | None = None
    tables: int | None = None
    failure: Failure | None = None
    resumed: int = 0


class Place(Noun):
    """Bytes of an object: where one table's plan stands among others."""

    key: str
    start: int
    length: int


class TableRecord(Noun):
    """The ledger's record of a table in a run.

    Attributes:
        plan: where the table's plan stands in the staging bucket; None for a refused table.
        split: digest of that plan; a plan that does not match it is refused.
        rows_done, bytes_done: committed to the lake so far (rows, bytes of Parquet).
        rows_expected: the source's estimate, for progress.
        cut: the set of chunks that counts, 10 hex digits; "" before there is one.
        load_attempt: part of every idempotency token; goes up when a statement must really run again.
        spans: per step, when it worked.
        pending: the table waits for the scheduled load, until it is published or has failed.
        notes: columns that change their form on the way, and how.
        version: counts writes; a write succeeds only on the version that was read.
    """

    run: str
    table: str
    target: str
    state: TableState
    plan: Place | None = None
    split: str = ""
    priority: int = 0
    rows_expected: int = 0
    rows_done: int = 0
    bytes_done: int = 0
    rows: Rows = Rows()
    cut: str = ""
    load_attempt: int = 0
    spans: dict[str, Span] = {}
    failure: Failure | None = None
    pending: bool = False
    notes: tuple[str, ...] = ()
    version: int = 0


Scalar = bool | int | float | str


class ColumnStatistics(Noun):
    """What was measured of a column, or of a leaf inside a nested one, in its lake form.

    Attributes:
        path: `name` of a column, `items[].price` of a leaf.
        values, nulls: how many values it has, NULLs among them; inside arrays more or fewer than rows.
        min, max: least and greatest value: numbers (finite ones), ISO text, plain text of a DECIMAL, hex of BYTES;
            of text and bytes the first 64 characters or bytes.
        max_bytes: length of the longest text or binary value (bytes).
        max_digits: digits of the greatest absolute DECIMAL, its scale included.
        nans, infinities: of a FLOAT64.
        checksum: sum of the values' hashes modulo 2^64, 16 hex digits; does not depend on order.
    """

    path: str
    values: int
    nulls: int
    min: Scalar | None = None
    max: Scalar | None = None
    max_bytes: int | None = None
    max_digits: int | None = None
    nans: int | None = None
    infinities: int | None = None
    checksum: str = ""


class Statistics(Noun):
    """What was measured of rows while they were written; parts of a table can be merged in any order.

    Attributes:
        sum, xor: of the rows' hashes modulo 2^64, 16 hex digits; XOR alone would hide a doubled pair of rows.
        omitted: nested leaves that were too many to be kept.
    """

    rows: int
    sum: str
    xor: str
    columns: tuple[ColumnStatistics, ...] = ()
    omitted: int = 0


class LakeFile(Noun):
    """One Parquet file of a chunk, committed.

    Attributes:
        offset: the row of the stream it starts with.
        read: rows of the stream that it stands for; more than `rows` only in a sample.
    """

    key: str
    offset: int
    read: int
    rows: int
    bytes: int
    sha256: str


class ChunkRecord(Noun):
    """One read stream of a slice, committed file by file: what a crash costs at most.

    Attributes:
        slice: index of its slice in the plan.
        attempt: how many sessions it has lost; part of its files' keys.
        session, stream: what it reads; "" before its session is open, or after that was lost.
        offset: rows of the stream that are committed.
        rows, bytes: of its files.
        statistics: of all its files; None where the plan wants none.
        version: counts writes; a write succeeds only on the version that was read.
    """

    run: str
    table: str
    chunk: str
    slice: int
    attempt: int = 0
    session: str = ""
    stream: str = ""
    offset: int = 0
    rows: int = 0
    bytes: int = 0
    done: bool = False
    files: tuple[LakeFile, ...] = ()
    statistics: Statistics | None = None
    version: int = 0


class ExtractManifest(Noun):
    """What a complete extract is made of; written last, so that its presence means completeness.

    Attributes:
        read: rows of the source that it stands for; more than `rows` only in a sample.
    """

    run: str
    table: str
    split: str
    read: int
    rows: int
    bytes: int
    files: tuple[LakeFile, ...]
    statistics: Statistics | None = None
