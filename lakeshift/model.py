"""The nouns: what is known of a source table, what is planned for it, and what the ledger remembers."""

from __future__ import annotations

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


class SourceTable(Noun):
    """What the source's metadata say of a table. `rows` and `bytes` are the source's own estimate."""

    ref: TableRef
    type: str
    columns: tuple[Column, ...]
    rows: int
    bytes: int
    partition_column: str = ""
    partition_kind: str = ""
    requires_partition_filter: bool = False
    cluster_columns: tuple[str, ...] = ()
    description: str = ""


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
        rows_per_group: rows in each Parquet row group but the last of a chunk.
        rows_per_file: rows in each Parquet file but the last of a chunk; whole row groups.
        streams: how many read streams are asked for; the source may return fewer.
        lake_prefix: key prefix of the table's files in the lake bucket, ending in "/".
        refusal: why the table cannot be migrated; "" for one that can.
        precreated: the target table must exist already and is checked, not created.
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
    rows_per_file: int
    streams: int
    lake_prefix: str
    partition_column: str = ""
    requires_partition_filter: bool = False
    engine: Literal["lambda"] = "lambda"
    refusal: str = ""
    precreated: bool = False


class RunState(StrEnum):
    """States of a run. The last five are final for the execution that wrote them."""

    CHECKING = "checking"
    ACCEPTED = "accepted"
    INVENTORIED = "inventoried"
    MIGRATING = "migrating"
    REFUSED = "refused"
    AWAITING_LOAD = "awaiting load"
    SUCCEEDED = "succeeded"
    PROBLEMS = "complete with problems"
    FAILED = "failed"


FINAL_RUN_STATES = frozenset(
    {RunState.REFUSED, RunState.AWAITING_LOAD, RunState.SUCCEEDED, RunState.PROBLEMS, RunState.FAILED}
)


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
    """

    run: str
    state: RunState
    config_bucket: str
    config_key: str
    config_version: str
    execution: str
    started: datetime
    ended: datetime | None = None
    snapshot: datetime | None = None
    tables: int | None = None
    failure: Failure | None = None


class TableRecord(Noun):
    """The ledger's record of a table in a run.

    Attributes:
        rows_done, bytes_done: committed to the lake so far (rows, bytes of Parquet).
        rows_expected: the source's estimate, for progress.
        session: the read session that the chunks belong to; "" before there is one.
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
    rows_expected: int = 0
    rows_done: int = 0
    bytes_done: int = 0
    rows: Rows = Rows()
    session: str = ""
    load_attempt: int = 0
    spans: dict[str, Span] = {}
    failure: Failure | None = None
    pending: bool = False
    notes: tuple[str, ...] = ()
    version: int = 0


class LakeFile(Noun):
    """One Parquet file of a chunk, committed. `offset` is the row of the stream it starts with."""

    key: str
    offset: int
    rows: int
    bytes: int
    sha256: str


class ChunkRecord(Noun):
    """A slice of a table: one read stream of one session, committed file by file."""

    run: str
    table: str
    chunk: str
    stream: str
    offset: int = 0
    bytes: int = 0
    done: bool = False
    files: tuple[LakeFile, ...] = ()


class ExtractManifest(Noun):
    """What a complete extract is made of; written last, so that its presence means completeness."""

    run: str
    table: str
    rows: int
    bytes: int
    files: tuple[LakeFile, ...]
