"""The plan of one table, read whole. Pure: inventory entry and config in, plan out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from lakeshift.errors import ObjectUnsupported, TypeUnsupported
from lakeshift.inventory.family import SHARDED, SUFFIX, suffix_column
from lakeshift.inventory.query import QUERIED, result_sql
from lakeshift.inventory.select import columns as chosen_columns
from lakeshift.inventory.step import Entry, rule_of
from lakeshift.lake.keys import table_prefix
from lakeshift.load.ddl import NO_KEY, Keys, keys_of, target_columns
from lakeshift.load.sql import MAX_CHILDREN
from lakeshift.model import (
    Column,
    ColumnPlan,
    Depth,
    Gate,
    Handling,
    Kind,
    Masking,
    MisfitPolicy,
    ResultQuery,
    Slice,
    SourceTable,
    TablePlan,
    TableRef,
    TargetRef,
)
from lakeshift.plan.bounds import is_ingestion_time
from lakeshift.plan.engine import Shares, explain, size
from lakeshift.plan.nested import Choice, Shape, one_column, shape
from lakeshift.plan.slices import slices, whole
from lakeshift.plan.wide import STATEMENT_BYTES, fitted, statement_bytes
from lakeshift.spec import Migration, TableRule
from lakeshift.types import names
from lakeshift.types.redshift import MAX_COLUMNS

RESERVED = "__ls_"
READABLE = ("TABLE", "SNAPSHOT", "CLONE", SHARDED)
MIB = 2**20
# A row group is held in memory while it is made: so many rows, fewer where these have more bytes.
MAX_GROUP_ROWS = 128 * 1024
GROUP_BYTES = 16 * MIB
MANY_COLUMNS = 250
# So many columns are named in a note.
MOST_COLUMNS = 10
# https://cloud.google.com/bigquery/pricing#analysis_pricing_models, on demand, US
DOLLARS_PER_TIB = 6.25


def target_of(entry: Entry, migration: Migration) -> TargetRef:
    """Where a table goes: names as Redshift folds them."""
    return TargetRef(
        database=migration.target.database or "",
        schema_=names.assigned([entry.target_schema])[0],
        table=names.assigned([entry.ref.table])[0],
    )


def table_plan(
    run: str,
    entry: Entry,
    table: SourceTable,
    migration: Migration,
    snapshot: datetime,
    shares: Shares = Shares(1, 1),  # noqa: B008 - immutable
    number: int = 0,
) -> TablePlan:
    """The plan of a table that can be migrated, of all its rows.

    Args:
        shares: how the run divides its read streams.
        number: of the table within the run; names the result of its query.

    Raises:
        ObjectUnsupported: not a table, or a view whose query is not wanted or scans too much.
        TypeUnsupported: columns, or names that Redshift cannot tell apart or hold.
    """
    rule, target = rule_of(migration, entry), target_of(entry, migration)
    _check_object(entry, table, migration)
    columns = columns_of(entry, table, rule)
    made = _shape(table, columns, rule, target.table)
    keys = _keys(table, made)
    _check(table, made, target, precreated=migration.initiate_schema_detection is False)
    row_filter = (rule.filter if rule else None) or ""
    query = _query(run, entry, columns, row_filter, migration, number)
    parts = _slices(table, query, chunk_bytes_of(migration))
    chosen = size(parts, shares.share, migration.extract.engine)
    plan = TablePlan(
        run=run,
        source=entry.ref,
        source_index=entry.source_index,
        snapshot=snapshot,
        target=target,
        columns=made.columns,
        rows=sum(part.rows for part in parts),
        bytes=sum(part.bytes for part in parts),
        rows_per_group=MAX_GROUP_ROWS,
        group_bytes=GROUP_BYTES,
        file_bytes=migration.extract.file_megabytes * MIB,
        slices=parts,
        lake_prefix=table_prefix(migration.lake.prefix, entry.ref, run),
        streams=chosen.streams,
        engine=chosen.engine,
        workers=chosen.workers,
        worker_type=chosen.worker_type,
        partition_column=table.partition_column,
        # The query of a view has applied the filter; its result may lack the columns that the filter names.
        row_filter="" if query else row_filter,
        sample=_percent(migration, rule),
        query=query,
        precreated=migration.initiate_schema_detection is False,
        # The rows of child tables are counted against them.
        statistics=migration.extract.statistics or _by_column(rule) or bool(made.children),
        stall_seconds=migration.extract.stall_seconds,
        priority=rule.priority if rule else 0,
        partitions=tuple(partition.id for partition in table.partitions),
        partition_rows=tuple(partition.rows for partition in table.partitions),
        notes=(*_notes(table, query, _percent(migration, rule), snapshot), *_notes_of_columns(columns)),
        children=made.children,
        row_key=made.row_key,
        primary_key=keys.primary,
        sort_key=keys.sort,
        dist_key=keys.dist,
        misfits=MisfitPolicy((rule.misfits if rule else None) or migration.misfits),
        quarantine_key=_quarantine_key(table, rule, made),
        description=table.description,
        gate=gate_of(migration, rule),
    )
    return with_sizing(plan)


def gate_of(migration: Migration, rule: TableRule | None = None) -> Gate:
    """What must hold of a table before it is published: its rule's setting, or the file's."""
    chosen = (rule.validation if rule else None) or migration.validation
    return Gate(
        depth=Depth(chosen.depth),
        rows=chosen.tolerance.rows,
        percent=chosen.tolerance.percent,
        max_rows=chosen.max_rows_compared,
        mask=Masking(chosen.mask),
        anomalies=chosen.anomalies,
        anomaly_score=chosen.anomaly_score,
        anomaly_change=chosen.anomaly_change,
        asks_source=chosen.source == "query",
        share_bytes=chosen.share_megabytes * MIB,
    )


def with_sizing(plan: TablePlan) -> TablePlan:
    """The plan with the sentence that explains its engine as its last note."""
    return plan.model_copy(update={"notes": (*plan.notes, explain(plan))})


def chunk_bytes_of(migration: Migration) -> int:
    """Source bytes of a chunk."""
    return migration.extract.chunk_megabytes * MIB


def columns_of(entry: Entry, table: SourceTable, rule: TableRule | None) -> tuple[Column, ...]:
    """The columns that travel, with the one that names the shard of a family's row.

    Raises:
        TypeUnsupported: a pattern of the rule takes no column, or the family has a column of that name itself.
    """
    try:
        columns = chosen_columns(rule, table.columns)
    except TypeUnsupported as error:
        raise TypeUnsupported(error.what, where=entry.ref.id, next_step=error.next_step) from error
    if not table.shards:
        return columns
    if any(column.name.casefold() == SUFFIX for column in columns):
        raise TypeUnsupported(
            f"a column {SUFFIX} is there already; a family gets one of that name",
            where=entry.ref.id,
            next_step='leave it out by a rule, or set "shards" to "tables".',
        )
    return (*columns, suffix_column())


def column_plan(column: Column) -> ColumnPlan:
    """How a column travels that stays one, beside no other."""
    return one_column(column, names.assigned([column.name])[0])


def choice_of(rule: TableRule | None) -> Choice:
    """What the config wants of a table's nested columns."""
    if rule is None:
        return Choice()
    columns = {name: Handling(one) for name, one in rule.nested.columns.items()}
    return Choice(Handling(rule.nested.default), columns, tuple(rule.nested.key))


def _shape(table: SourceTable, columns: Sequence[Column], rule: TableRule | None, target: str) -> Shape:
    choice = choice_of(rule)
    made = shape(columns, choice, target)
    if rule is None or rule.wide == "refuse":
        return made
    joined = (name for key in table.foreign_keys for name in key.columns)
    return fitted(made, rule.wide, target, choice, [*_named(table, rule), *table.cluster_columns, *joined, SUFFIX])


def _named(table: SourceTable, rule: TableRule | None) -> list[str]:
    """Columns that name a row, and those that increments go by."""
    named = [*table.primary_key, *(rule.nested.key if rule else ()), table.partition_column]
    named += [rule.incremental.column or "", *rule.incremental.key] if rule and rule.incremental else []
    return [name for name in named if name]


def _keys(table: SourceTable, made: Shape) -> Keys:
    """Keys of the target. Ingestion time is no column, and a family's shards are of one day each."""
    partition = [table.partition_column] if table.partition_column and not is_ingestion_time(table) else []
    if not (partition or table.cluster_columns or table.primary_key):
        return Keys()
    joined = [name for key in table.foreign_keys for name in key.columns]
    columns = target_columns(made.columns, row_key=made.row_key)
    return keys_of(columns, made.targets, table.primary_key, partition, table.cluster_columns, joined)


def _quarantine_key(table: SourceTable, rule: TableRule | None, made: Shape) -> tuple[str, ...]:
    """Columns that name a row, and those that increments go by, as far as a table can have them as they are."""
    named = _named(table, rule)
    if not named:
        return ()
    targets = made.targets
    found = {targets.get(name) or targets.get(name.casefold()) for name in named}
    usable = (column for column in made.columns if not column.target_type.startswith(NO_KEY))
    return tuple(column.target for column in usable if column.target in found)


def _check_object(entry: Entry, table: SourceTable, migration: Migration) -> None:
    if table.type in READABLE:
        return
    kind = "an external table" if table.type == "EXTERNAL" else f"a {table.type.lower().replace('_', ' ')}, not a table"
    if table.type not in QUERIED:
        raise ObjectUnsupported(f"{entry.ref.id} is {kind}", next_step="exclude it.")
    if migration.sources[entry.source_index].views.read == "refuse":
        convert = "" if table.type == "EXTERNAL" else '"convert" takes its SQL, '
        raise ObjectUnsupported(
            f"{entry.ref.id} is {kind}",
            next_step=f'exclude it, or set "views" of its source: {convert}"read" its rows by a query.',
        )


def _check(table: SourceTable, made: Shape, target: TargetRef, *, precreated: bool) -> None:
    ours = RESERVED in target.table or target.table.endswith(f"__{names.QUARANTINE}")
    problem = f"names with {RESERVED} or __{names.QUARANTINE} are those of our own staging tables" if ours else ""
    problem = problem or _schema_problem(target.schema_)
    problem = problem or _width_problem(made) or (_precreated_problem(made) if precreated else "")
    if problem:
        raise TypeUnsupported(problem, where=table.ref.id, next_step="change it in the source or exclude the table.")


def _schema_problem(schema: str) -> str:
    own = f'{schema} is a schema of Redshift\'s own, or of the history of loads: give the data set another "schema"'
    return own if names.is_system_schema(schema) else ""


def _width_problem(made: Shape) -> str:
    if not made.columns:
        return "the table has no columns"
    # The landing table's columns, the target's own, and those of each child.
    parts = sum(len(one.parts) if one.divided else 1 for one in made.columns) + made.row_key
    widest = max(
        len(made.columns) + made.row_key,
        parts,
        *(len(one.parts) + len(one.key) + len(one.positions) for one in made.children),
    )
    if widest > MAX_COLUMNS:
        ways = 'fold them with "wide": "super", split them with "split", or take fewer'
        return f"{widest:,} columns; Redshift holds {MAX_COLUMNS:,}: {ways}"
    # Names are of 127 bytes at most: no statement about fewer columns is too long.
    size = statement_bytes(made.columns) if len(made.columns) > MANY_COLUMNS else 0
    if size > STATEMENT_BYTES:
        return (
            f"its columns take {size:,} bytes of a statement, the Data API {STATEMENT_BYTES:,}: "
            'set "wide" to "super" or "split"'
        )
    if len(made.children) > MAX_CHILDREN:
        return f"{len(made.children)} tables beside it; one transaction of the Data API publishes {MAX_CHILDREN}"
    return ""


def _precreated_problem(made: Shape) -> str:
    """A target that was made by hand has the names that its maker chose, which we do not guess."""
    if made.children:
        return "child tables are made by the run itself, never beforehand"
    renamed = [one.source.name for one in made.columns if one.target != names.fold(one.source.name)]
    return f"the column {renamed[0]!r} has no name of its own on Redshift" if renamed else ""


def _query(
    run: str, entry: Entry, columns: Sequence[Column], row_filter: str, migration: Migration, number: int
) -> ResultQuery | None:
    if entry.query_bytes is None:
        return None
    views = migration.sources[entry.source_index].views
    if entry.query_bytes > views.max_bytes:
        raise ObjectUnsupported(
            f"the query of {entry.ref.id} would scan {_cost(entry.query_bytes)}; "
            f"views.maxBytes allows {_cost(views.max_bytes)}",
            next_step="raise maxBytes, take fewer columns or exclude it.",
        )
    name = f"ls_{run.rsplit('-', 1)[-1]}_{number}"
    destination = TableRef(project=entry.ref.project, dataset=views.dataset or "", table=name)
    sql = result_sql(entry.ref, columns, row_filter)
    return ResultQuery(sql=sql, destination=destination, bytes=entry.query_bytes, max_bytes=views.max_bytes)


def _slices(table: SourceTable, query: ResultQuery | None, chunk_bytes: int) -> tuple[Slice, ...]:
    if query is None:
        return slices(table, chunk_bytes)
    # What a query scans is the best guess there is of what it returns.
    scanned = table.model_copy(update={"bytes": max(table.bytes, query.bytes)})
    return (whole(scanned, chunk_bytes, ref=query.destination),)


def _percent(migration: Migration, rule: TableRule | None) -> float | None:
    sample = (rule.sample if rule else None) or migration.sample
    return sample.percent if sample and sample.percent < 100 else None


def _by_column(rule: TableRule | None) -> bool:
    """A cursor's greatest value is taken from the statistics, so such a table always has them."""
    return bool(rule and rule.incremental and rule.incremental.column)


def _notes(table: SourceTable, query: ResultQuery | None, percent: float | None, snapshot: datetime) -> tuple[str, ...]:
    notes = []
    if is_ingestion_time(table):
        notes.append("partitioned by ingestion time: the pseudo column _PARTITIONTIME is not carried")
    if table.shards:
        notes.append(f"{len(table.shards)} date-sharded tables become one; {SUFFIX} holds each row's date")
    if query:
        least = "at least " if table.type == "EXTERNAL" else ""
        notes.append(f"read through a query that bills {least}{_cost(query.bytes)} on demand")
        notes.append(f"holds what the query found when it ran, after {snapshot:%Y-%m-%d %H:%M:%S} UTC")
        notes.append("rows that row access policies hide from the service account are not found by it")
    if percent is not None:
        notes.append(f"a sample of about {percent:g} % of the rows")
    return tuple(notes)


def _notes_of_columns(columns: Sequence[Column]) -> Iterator[str]:
    """What the target cannot have of the source's rules for columns.

    Who may see a column masked only gets the masked values as if they were its values:
    https://cloud.google.com/bigquery/docs/column-data-masking-intro
    The read API refuses columns with a collation:
    https://github.com/googleapis/python-bigquery-storage/issues/592
    """
    leaves = list(_leaves(columns, ""))
    if found := _named_first([path for path, column in leaves if column.tags]):
        yield f"policies on {found}: masked values are moved where the account sees no other"
    if found := _named_first([path for path, column in leaves if column.collation]):
        yield f"collation of {found}: not carried; BigQuery may refuse to have such a column read, but by a view"


def _named_first(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - MOST_COLUMNS:,} more" if len(paths) > MOST_COLUMNS else ""
    return f"{', '.join(paths[:MOST_COLUMNS])}{more}"


def _leaves(columns: Sequence[Column], parent: str) -> Iterator[tuple[str, Column]]:
    for column in columns:
        path = f"{parent}{column.name}"
        if column.kind is Kind.ARRAY:
            # The element has the array's name, and its tags.
            yield from _leaves(column.fields, parent)
            continue
        yield path, column
        yield from _leaves(column.fields, f"{path}.")


def _cost(count: int) -> str:
    return f"{count:,} bytes (${count / 2**40 * DOLLARS_PER_TIB:,.2f})"
