"""The nouns: what is known of a source table, what is planned for it, and what the ledger remembers."""

from __future__ import annotations

import hashlib
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from lakeshift.kept import per_object


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
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    DECIMAL = "decimal"
    STRING = "string"
    BYTES = "bytes"
    DATE = "date"
    TIME = "time"
    TIME_ZONED = "time with zone"
    DATETIME = "datetime"
    TIMESTAMP = "timestamp"
    INTERVAL = "interval"
    RANGE = "range"
    JSON = "json"
    GEOGRAPHY = "geography"
    GEOMETRY = "geometry"
    STRUCT = "struct"
    ARRAY = "array"


class Column(Noun):
    """A column (or a field of a STRUCT, or the element of an ARRAY) with its logical type.

    Attributes:
        source_type: the type as the source prints it, e.g. `ARRAY<STRUCT<a INT64>>`.
        length: characters (STRING) or bytes (BYTES) when the source declares them.
        precision, scale: digits of a DECIMAL.
        fields: fields of a STRUCT; the one element of an ARRAY or of a RANGE.
        max_bytes: most bytes that a text or binary value gets room for, where the type itself says so, e.g. 36 for a
            UUID, or its values were measured.
        default: the source's DEFAULT expression, as it stands there.
        tags: policy tags and data policies, which the plan carries.
        collation: how the source compares texts, where not by their characters.
        note, risk: why the type is read as it is, and which values could be lost; "" where there is nothing to say.
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
    max_bytes: int | None = None
    default: str = ""
    tags: tuple[str, ...] = ()
    collation: str = ""
    note: str = ""
    risk: str = ""


class ForeignKey(Noun):
    """A reference to another table of the source; it only informs, in Redshift too."""

    columns: tuple[str, ...]
    table: str
    references: tuple[str, ...] = ()


class ViewQuery(Noun):
    """What a view or a materialized view is made of; `legacy` SQL is another language than GoogleSQL."""

    sql: str
    legacy: bool = False


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
        primary_key, foreign_keys: as the source declares them, by its column names.
        view: the query of a view or a materialized view.
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
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    view: ViewQuery | None = None


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
        keys: only the key columns are read, of all rows: what is gone from the source is found by them.
    """

    ref: TableRef
    range: Range | None = None
    streams: int = 1
    rows: int = 0
    bytes: int = 0
    suffix: str = ""
    missing: tuple[str, ...] = ()
    requires_partition_filter: bool = False
    keys: bool = False


class Increment(Noun):
    """What an incremental run takes up, and what it does with it.

    Attributes:
        previous: the run whose published state it builds on.
        since: the snapshot of that run (UTC, the source's clock).
        ranges: the rows that are read; none where nothing is, or, of a merge, where all are.
        mode: replace: the ranges' rows in the target are those that were read. merge: rows with the keys of those that
            were read are. append: what was read is added, and no row of the target is in the ranges before.
    """

    previous: str
    since: datetime
    ranges: tuple[Range, ...]
    mode: Literal["replace", "merge", "append"] = "replace"

    @property
    def empty(self) -> bool:
        """True when nothing has changed."""
        return not self.ranges and self.mode != "merge"


class MergePlan(Noun):
    """What names a row of a table that is merged by key; its target has one row for each key, from the first run on.

    Attributes:
        key: target columns.
        cursor: the target column whose greatest value is a key's latest row; "" where none tells.
        deletes: rows whose key is gone from the source go from the target.
    """

    key: tuple[str, ...]
    cursor: str = ""
    deletes: bool = False


class ResultQuery(Noun):
    """The query that makes a readable table of a view or an external table.

    Attributes:
        destination: the table that holds the result.
        bytes: what the query scans by the source's own estimate, and bills.
        max_bytes: what it may bill, if that is more: of external tables the source knows a lower bound only.
    """

    sql: str
    destination: TableRef
    bytes: int
    max_bytes: int = 0


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


class Handling(StrEnum):
    """What becomes of a nested column."""

    SUPER = "super"
    FLATTEN = "flatten"
    CHILD_TABLE = "child_table"
    JSON_TEXT = "json_text"


class PartPlan(Noun):
    """A target column that is made of a part of a lake column.

    Attributes:
        path: the part, by the source's names, e.g. `customer.address.city`.
        target, target_type: its name and type in the published table.
        conversion: SQL over `{column}`, the lake column (in a child table: the element), that makes its value.
        note, risk: as of a ColumnPlan.
    """

    path: str
    source: Column
    target: str
    target_type: str
    conversion: str
    note: str = ""
    risk: str = ""


class ChildPlan(Noun):
    """A table of the elements of an array: a row for each, with the key of its parent row and its position.

    Or, without steps, more columns of its parent's rows: a row for each, with its key.

    Attributes:
        path: the array, by the source's names; "" for the rows of the parent.
        table: name of the child table, in the schema of its parent.
        steps: what PartiQL iterates over, outermost first; step n has the alias `e<n>` and the position `p<n>`.
        positions: names of the position columns, one for each step; positions count from 0.
        key: columns of the parent's key, and their names here.
        measured: path of a column statistic whose number of values is the number of elements; "" where none is.
    """

    path: str
    table: str
    steps: tuple[str, ...]
    positions: tuple[str, ...]
    key: tuple[tuple[str, str], ...]
    parts: tuple[PartPlan, ...]
    measured: str = ""


class ColumnPlan(Noun):
    """How one column travels.

    Attributes:
        target: name in the lake and in the warehouse.
        target_type: its type in the published table.
        landing_type: its type in the table that COPY fills; differs where COPY cannot make the target type.
        conversion: SQL over `{column}` that turns landing into target; "" where they are the same.
        note: what a reader should know, e.g. a type that became text; "" otherwise.
        risk: which values the target cannot hold, and what happens to them; "" where it holds all.
        handling: what becomes of it if it is nested.
        parts: the target columns made of it, where it is not one itself (flatten, child_table); may be none.
        lake: the column as the lake carries it, where names inside it differ from the source's, or it comes apart.
        folds: names of columns of the source that are the fields of this one, in their order; `source` is made up then.
    """

    source: Column
    target: str
    target_type: str
    landing_type: str
    conversion: str = ""
    note: str = ""
    risk: str = ""
    handling: Handling = Handling.SUPER
    parts: tuple[PartPlan, ...] = ()
    lake: Column | None = None
    folds: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the source's columns that it is made of."""
        return self.folds or (self.source.name,)

    @property
    def taken(self) -> tuple[tuple[str, Column, Column, tuple[str, ...]], ...]:
        """The source's columns in it: name, column, the form it has in the lake, and the way to it there."""
        lake = self.lake or self.source
        if not self.folds:
            return ((self.source.name, self.source, lake, (self.target,)),)
        fields = zip(self.folds, self.source.fields, lake.fields, strict=True)
        return tuple((name, field, form, (self.target, form.name)) for name, field, form in fields)

    @property
    def divided(self) -> bool:
        """True when other columns, or the rows of child tables, take its place."""
        return self.lake is not None


class Change(Noun):
    """How a column differs from what was published last.

    Attributes:
        column: its name in the target; "" for the table as a whole.
        level: safe (nothing that was there means anything else), widen (a type that holds all old values), breaking.
        what: the difference in words.
        how: what an incremental run does: nothing, an ALTER TABLE, or a reload of the whole table.
        ddl: the statement that alters the target in place; "" where there is none.
        target_type: the type that the column has from now on; "" for one that is gone.
    """

    column: str
    level: Literal["safe", "widen", "breaking"]
    what: str
    how: Literal["nothing", "in place", "reload"]
    ddl: str = ""
    target_type: str = ""


class MisfitPolicy(StrEnum):
    """What becomes of a row with a value that the target cannot hold. Whatever it is, the lake keeps the row whole.

    FAIL: the table fails before anything is loaded. QUARANTINE: the row is left out and recorded. TRUNCATE: it is
    loaded with its text cut, NULL: without the value, and recorded.
    """

    FAIL = "fail"
    QUARANTINE = "quarantine"
    TRUNCATE = "truncate"
    NULL = "null"


class Depth(StrEnum):
    """How deep the gate looks before a table is published; each depth includes those before it.

    SCHEMA: names and types. COUNT: rows in source, lake and target. AGGREGATES: NULLs, bounds, sums and lengths of
    every column. CHECKSUM: every value, as sums over segments of rows. ROWS: every row, compared one by one.
    """

    SCHEMA = "schema"
    COUNT = "count"
    AGGREGATES = "aggregates"
    CHECKSUM = "checksum"
    ROWS = "rows"

    def includes(self, other: Depth) -> bool:
        """True when this depth looks at what `other` looks at."""
        order = tuple(Depth)
        return order.index(self) >= order.index(other)


class Masking(StrEnum):
    """Which values of rows are hidden in results and reports: none, texts and bytes, or all."""

    NONE = "none"
    TEXT = "text"
    ALL = "all"


class Gate(Noun):
    """What must hold of a table before it is published.

    Attributes:
        rows, percent: so many rows may differ, or so many percent of them; the larger number counts.
        max_rows: rows that are compared one by one at most; where more would have to be, the table fails.
        mask: values that results and reports do not show.
        anomalies: whether what stands out against earlier runs is reported, blocks, or is not looked for.
        anomaly_score, anomaly_change: from where on it stands out; see `lakeshift.validate.anomaly`.
        asks_source: the source is asked for its own checksums at the run's snapshot, which bills a scan.
        share_bytes: bytes of lake files that one function reads; those of a table with more are read side by side.
    """

    depth: Depth = Depth.CHECKSUM
    rows: int = 0
    percent: float = 0.0
    max_rows: int = 1_000_000
    mask: Masking = Masking.TEXT
    anomalies: Literal["report", "block", "off"] = "report"
    anomaly_score: float = 3.5
    anomaly_change: float = 0.5
    asks_source: bool = False
    share_bytes: int = 4 * 2**30

    @property
    def tolerant(self) -> bool:
        """True when some rows may differ."""
        return bool(self.rows or self.percent)

    def allows(self, differing: int, rows: int) -> bool:
        """True when so many differing rows of a table of `rows` rows are within what is allowed."""
        return differing <= max(self.rows, int(rows * self.percent / 100))


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
        partition_rows: how many rows each of them had; none in plans that were written before these were kept.
        notes: what a reader should know of the table as a whole.
        children: the child tables, parents before their children.
        row_key: the table gets a column `__ls_row`, since its children need a key and it declares none.
        primary_key, sort_key, dist_key: target columns; the key only informs.
        skipped: names of columns that the config leaves in the source.
        changes: how the columns differ from those that were published last.
        misfits: what becomes of rows with values that the target cannot hold.
        widths: bytes that text and binary columns of a target hold that was made beforehand, by target names.
        not_null: columns of such a target that must have a value.
        replaces_later: an older extract that a person has put in the place of a later one.
        quarantine_key: target columns that a record of such a row carries: what names it, and what increments go by.
        merge: how rows are told apart in a table that is merged by key; None for one that is not.
        description: of the table, as the source has it.
        append: target column by which rows are appended; "" for a table that is not.
        gate: what must hold before it is published; None in plans that were written before there was a choice.
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
    partition_rows: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    children: tuple[ChildPlan, ...] = ()
    row_key: bool = False
    primary_key: tuple[str, ...] = ()
    sort_key: tuple[str, ...] = ()
    dist_key: str = ""
    skipped: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    misfits: MisfitPolicy = MisfitPolicy.QUARANTINE
    widths: dict[str, int] = {}
    not_null: tuple[str, ...] = ()
    quarantine_key: tuple[str, ...] = ()
    replaces_later: bool = False
    merge: MergePlan | None = None
    description: str = ""
    append: str = ""
    gate: Gate | None = None

    @property
    def elsewhere(self) -> dict[str, tuple[str, PartPlan]]:
        """Columns of the source that other tables have, for want of room: the table's name and the column there."""
        return {part.path: (one.table, part) for one in self.children if not one.steps for part in one.parts}

    @property
    def split(self) -> str:
        """Digest of what is read and how it is cut into files: 64 hex digits, the same for the same work."""
        # Without defaults: a field that is added later does not make plans that stand other ones.
        head = self.model_dump_json(include={"source", "snapshot"}, exclude_defaults=True)
        rest = self.model_dump_json(include=_SPLIT, exclude_defaults=True)
        text = f'{head[:-1]},"columns":{self.columns_json},{rest[1:]}'
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def columns_json(self) -> str:
        """The columns as JSON without defaults. The same ones stand in many tables and are printed once."""
        return f"[{','.join(map(_column_json, self.columns))}]"

    def line(self) -> str:
        """The plan as JSON without defaults, in one line."""
        rest = self.model_dump_json(exclude={"columns"}, exclude_defaults=True)
        return f'{{"columns":{self.columns_json},{rest[1:]}'


@per_object(32_768)
def _column_json(column: ColumnPlan) -> str:
    return column.model_dump_json(exclude_defaults=True)


# What is read and how it is cut, beside source, snapshot and columns.
_SPLIT = {
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
    "misfits",
    "widths",
    "not_null",
    "quarantine_key",
}


class Finding(Noun):
    """What a reader of a translated view should know.

    Attributes:
        code: its name in lower-case words with dashes.
        line: of the source's text, from 1; 0 where it is about all of it.
        construct: what stands there.
        advice: what to do about it.
    """

    code: str
    line: int = 0
    construct_: Annotated[str, Field(alias="construct")] = ""
    advice: str = ""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)


class ViewPlan(Noun):
    """A view of the source and what its query is on the target.

    Attributes:
        mode: create it on the target, or only deliver it as a file.
        status: converted, or why it is not: it needs a person's review, or has no translation that is sure.
        query: the source's own text.
        sql: the same for Redshift; "" where it is refused.
        reads: full names of the tables and views that it reads.
        materialized: the source keeps its rows; the target makes them anew each time.
    """

    source: TableRef
    target: TargetRef
    mode: Literal["create", "deliver"]
    status: Literal["converted", "needs_review", "refused"]
    query: str
    sql: str = ""
    findings: tuple[Finding, ...] = ()
    reads: tuple[str, ...] = ()
    materialized: bool = False


class ViewState(StrEnum):
    """What became of a view in a run."""

    CREATED = "created"
    DELIVERED = "delivered"
    WAITING = "waiting"
    NEEDS_REVIEW = "needs_review"
    REFUSED = "refused"
    BLOCKED = "blocked"
    FAILED = "failed"


class ViewResult(Noun):
    """A view in the report of a run.

    Attributes:
        asked: the config wants it on the target, so that anything but `created` is a problem.
        reason: why it is not there; "" for one that is.
        file: key of its SQL in the config bucket.
    """

    source: str
    target: str
    state: ViewState
    asked: bool
    reason: str = ""
    file: str = ""
    findings: tuple[Finding, ...] = ()


class RunState(StrEnum):
    """States of a run. Those from `refused` on are final for the execution that wrote them."""

    CHECKING = "checking"
    ACCEPTED = "accepted"
    INVENTORIED = "inventoried"
    MIGRATING = "migrating"
    REFUSED = "refused"
    AWAITING_LOAD = "awaiting load"
    SUCCEEDED = "succeeded"
    QUARANTINED = "complete with quarantined"
    PROBLEMS = "complete with problems"
    FAILED = "failed"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    ROLLED_BACK = "rolled back"


FINAL_RUN_STATES = frozenset(
    {
        RunState.REFUSED,
        RunState.AWAITING_LOAD,
        RunState.SUCCEEDED,
        RunState.QUARANTINED,
        RunState.PROBLEMS,
        RunState.FAILED,
        RunState.PAUSED,
        RunState.CANCELLED,
        RunState.ROLLED_BACK,
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
    ROLLED_BACK = "rolled back"


class Failure(Noun):
    """Why a run or a table did not go on: the error's code and its full message."""

    code: str
    message: str


class Rows(Noun):
    """Row counts of the three places; None where not counted yet.

    Attributes:
        lake: of the files that are loaded, as all counts of the lake.
        quarantined: left out of them, since the target cannot hold a value of theirs.
        mended: among those that are loaded, with a text cut or a value made NULL.
    """

    source: int | None = None
    lake: int | None = None
    target: int | None = None
    quarantined: int = 0
    mended: int = 0


class MisfitCount(Noun):
    """How many values of a column did not fit, and why.

    Attributes:
        path: `name` of a column, `items[].note` of a leaf; "" for the row as a whole.
        reason: a code of `lakeshift.lake.misfits`.
        action: what became of the value: quarantined with its row, truncated, nulled.
        count: of rows with such a value.
        bytes: size of the largest; None where not the size is the reason.
        limit: bytes that fit.
    """

    path: str
    reason: str
    action: str
    count: int
    bytes: int | None = None
    limit: int | None = None


class CheckStatus(StrEnum):
    """What a check has found.

    EQUAL_BY_VALUE: spelled differently on both sides (the keys of a JSON object in another order, say), and the same
    value. NOT_CHECKED: there was nothing to compare with; `difference` says why.
    """

    OK = "ok"
    FAILED = "failed"
    EQUAL_BY_VALUE = "equal_by_value"
    NOT_CHECKED = "not_checked"


class CheckResult(Noun):
    """One check of the gate on one column of a table, or on the table as a whole.

    Attributes:
        table: the source's full name.
        column: the target's column, `child.column` in a child table; "" where it is about the table.
        check: what was compared: `schema`, `rows`, `nulls`, `min`, `checksum`, `file` and so on.
        source_value, lake_value, target_value: what the places have, as text; None where a place was not asked.
        difference: what differs, in words without values of rows; "" where nothing does.
        seconds, bytes_scanned: what the check took; those that share a pass carry its cost on one of them.
    """

    run: str
    table: str
    column: str
    check: str
    source_value: str | None = None
    lake_value: str | None = None
    target_value: str | None = None
    difference: str = ""
    status: CheckStatus = CheckStatus.OK
    seconds: float = 0.0
    bytes_scanned: int = 0


class Verdict(Noun):
    """What the gate says of a table, in the ledger; the results themselves stand in the lake bucket.

    Attributes:
        checks: how many results have which status.
        columns: those that differ, the first of them.
        segments: those that differ, of so many as `segment_count` says.
        files: lake files that are not as they were written.
        rows: how many rows differ, as far as that is known.
        results: key of the Parquet file of the results, in the lake bucket.
        differences: prefix of the differing rows and their page, in the lake bucket; "" where there are none.
        anomalies: how many measures stand out against earlier runs; None where nobody looked.
    """

    depth: Depth
    passed: bool
    checks: dict[CheckStatus, int] = {}
    columns: tuple[str, ...] = ()
    segments: tuple[int, ...] = ()
    segment_count: int = 0
    files: tuple[str, ...] = ()
    rows: int | None = None
    seconds: float = 0.0
    bytes_scanned: int = 0
    results: str = ""
    differences: str = ""
    anomalies: int | None = None


class Span(Noun):
    """When a step worked on a table (UTC)."""

    started: datetime
    ended: datetime | None = None


class RunRecord(Noun):
    """The ledger's record of a run.

    Attributes:
        execution: the state machine execution that owns the run; another one with the same upload is a duplicate.
        snapshot: the instant that all sources are read at (UTC).
        inventory: the object that lists the parts of its inventory; "" before there is one.
        order: what a person wants of it; steps look at it between files.
        resumed: how often it was taken up again.
        notes: what a reader of its report should know.
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
    inventory: str = ""
    failure: Failure | None = None
    resumed: int = 0
    notes: tuple[str, ...] = ()


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
        misfits: values that the target cannot hold, by column and reason.
        pending: the table waits for the scheduled load, until it is published or has failed.
        notes: columns that change their form on the way, and how.
        verdict: what the gate has said; None before it has.
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
    misfits: tuple[MisfitCount, ...] = ()
    pending: bool = False
    notes: tuple[str, ...] = ()
    verdict: Verdict | None = None
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


class SideFile(Noun):
    """A Parquet file beside another one."""

    key: str
    rows: int
    bytes: int
    sha256: str


class Held(Noun):
    """The rows of a lake file's part of a stream that the target cannot hold as they are.

    Attributes:
        file: these rows, whole and unchanged.
        records: a row for each value that does not fit: what it is, and its place in `file`.
        quarantined: how many of the rows are not in the lake file; the others are there, mended.
        counts: of the records.
    """

    file: SideFile
    records: SideFile
    quarantined: int
    counts: tuple[MisfitCount, ...]


class LakeFile(Noun):
    """One Parquet file of a chunk, committed: rows that the target holds.

    Attributes:
        offset: the row of the stream it starts with.
        read: rows of the stream that it stands for; more than `rows` where some are held, and in a sample.
        held: the rows that are not in it as they are; None where there are none.
    """

    key: str
    offset: int
    read: int
    rows: int
    bytes: int
    sha256: str
    held: Held | None = None


# A field of the record is named `bytes`.
Packed = bytes


class ChunkRecord(Noun):
    """One read stream of a slice, committed file by file: what a crash costs at most.

    Attributes:
        slice: index of its slice in the plan.
        attempt: how many sessions it has lost; part of its files' keys.
        session, stream: what it reads; "" before its session is open, or after that was lost.
        offset: rows of the stream that are committed.
        rows, bytes: of its files.
        statistics: of all its files, packed, since the models of thousands of chunks would take gigabytes; empty where
            the plan wants none.
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
    statistics: Packed = b""
    version: int = 0

    @property
    def held(self) -> int:
        """Rows that the target cannot hold as they are."""
        return sum(file.held.file.rows for file in self.files if file.held)


class ExtractManifest(Noun):
    """What a complete extract is made of; written last, so that its presence means completeness.

    Attributes:
        read: rows of the source that it stands for; more than `rows` where some are quarantined, and in a sample.
        rows: of the files that are loaded.
        quarantined, mended: rows that are not in them, or not as they are in the source.
        misfits: why, by column.
        keys: files of the keys of all rows, where what is gone is found by them.
        keys_read: rows of the source that those stand for.
    """

    run: str
    table: str
    split: str
    read: int
    rows: int
    bytes: int
    files: tuple[LakeFile, ...]
    statistics: Statistics | None = None
    quarantined: int = 0
    mended: int = 0
    misfits: tuple[MisfitCount, ...] = ()
    keys: tuple[LakeFile, ...] = ()
    keys_read: int = 0

    @property
    def records(self) -> int:
        """Rows of the quarantine table that it makes."""
        return sum(file.held.records.rows for file in self.files if file.held)
