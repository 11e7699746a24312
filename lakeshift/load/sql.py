"""SQL text for Redshift: staging, COPY, publish, and the questions the gate asks. Pure functions."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from lakeshift.load import ddl, history
from lakeshift.load.ddl import Keys, TargetColumn
from lakeshift.model import ChildPlan, Kind, Range, TablePlan
from lakeshift.plan.nested import ROW_KEY, ROW_KEY_TYPE
from lakeshift.types.names import beside, literal, quoted

# https://docs.aws.amazon.com/redshift-data/latest/APIReference/API_BatchExecuteStatement.html
MAX_BATCH = 40
HISTORY = history.HISTORY
# So many tables can be filled, and swapped, by one batch: two statements for each, and some for all.
MAX_CHILDREN = 15


def token(*parts: str) -> str:
    """Idempotency token of a batch (the Data API allows 64 characters): the same parts, the same batch."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def run_suffix(plan: TablePlan) -> str:
    """Short id of the run for table names."""
    return plan.run.rsplit("-", 1)[-1]


def staging_name(plan: TablePlan) -> str:
    """The table that is checked and then published."""
    return beside(plan.target.table, run_suffix(plan))


def landing_name(plan: TablePlan) -> str:
    """The table COPY fills: staging itself, or one beside it where columns need a conversion."""
    return beside(plan.target.table, f"{run_suffix(plan)}_in") if converts(plan) else staging_name(plan)


def numbered_name(plan: TablePlan) -> str:
    """The landing table's rows with a key each, for a table whose children need one."""
    return beside(plan.target.table, f"{run_suffix(plan)}_no") if plan.row_key else landing_name(plan)


def child_staging_name(plan: TablePlan, child: ChildPlan) -> str:
    """The child table that is checked and then published."""
    return beside(child.table, run_suffix(plan))


def kept_name(plan: TablePlan, table: str) -> str:
    """What this run has taken the place of: the version before it, or the rows that an increment took out."""
    return beside(table, f"{run_suffix(plan)}_old")


def undone_name(plan: TablePlan, table: str) -> str:
    """What this run had published, once a rollback has taken it out."""
    return beside(table, f"{run_suffix(plan)}_undone")


def converts(plan: TablePlan) -> bool:
    """True when what COPY fills is not what is published: other types, other columns, child tables."""
    return plan.row_key or any(column.conversion or column.divided for column in plan.columns)


def in_schema(plan: TablePlan, table: str) -> str:
    """A table of the plan's target schema, quoted."""
    return f"{quoted(plan.target.schema_)}.{quoted(table)}"


def staging(plan: TablePlan) -> list[str]:
    """Statements that make empty landing and staging tables anew; the schema is there since the plan."""
    names = dict.fromkeys((landing_name(plan), numbered_name(plan), staging_name(plan)))
    tables = [*names, *(child_staging_name(plan, child) for child in plan.children)]
    creates = [_create_landing(plan, landing_name(plan))] if converts(plan) else []
    creates += [_create_landing(plan, numbered_name(plan))] if plan.row_key else []
    children = [_create_child(plan, child) for child in plan.children]
    return [*_drops(plan, tables), *creates, _create_staging(plan), *children]


def _drops(plan: TablePlan, tables: Sequence[str]) -> list[str]:
    """One statement for each table, or one for all where a batch must hold the tables of many children."""
    found = [in_schema(plan, name) for name in tables]
    return (
        [f"DROP TABLE IF EXISTS {', '.join(found)}"]
        if plan.children
        else [f"DROP TABLE IF EXISTS {name}" for name in found]
    )


def _create_landing(plan: TablePlan, name: str) -> str:
    lines = [f"  {quoted(column.target)} {column.landing_type}" for column in plan.columns]
    lines += [f"  {quoted(ROW_KEY)} {ROW_KEY_TYPE}"] if plan.row_key and name == numbered_name(plan) else []
    body = ",\n".join(lines)
    return f"CREATE TABLE {in_schema(plan, name)} (\n{body}\n)"


def _create_child(plan: TablePlan, child: ChildPlan) -> str:
    return ddl.create_table(in_schema(plan, child_staging_name(plan, child)), child_columns(plan, child))


def target_columns(plan: TablePlan) -> list[TargetColumn]:
    """Columns of the published table."""
    return ddl.target_columns(plan.columns, row_key=plan.row_key)


def child_columns(plan: TablePlan, child: ChildPlan) -> list[TargetColumn]:
    """Columns of a published child table."""
    return ddl.child_columns(child, target_columns(plan))


def _create_staging(plan: TablePlan) -> str:
    name = in_schema(plan, staging_name(plan))
    if plan.precreated:
        return f"CREATE TABLE {name} (LIKE {in_schema(plan, plan.target.table)} INCLUDING DEFAULTS)"
    return create_table(plan, staging_name(plan))


def create_table(plan: TablePlan, table: str) -> str:
    """DDL of the target under a given name."""
    keys = Keys(plan.primary_key, plan.sort_key, plan.dist_key)
    return ddl.create_table(in_schema(plan, table), target_columns(plan), keys)


def copy(plan: TablePlan, manifest_url: str, role: str) -> str:
    """COPY of the whole extract into the landing table.

    https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html
    """
    nested = " SERIALIZETOJSON" if any(column.landing_type == "SUPER" for column in plan.columns) else ""
    return (
        f"COPY {in_schema(plan, landing_name(plan))}\nFROM {literal(manifest_url)}\n"
        f"IAM_ROLE {literal(role)}\nFORMAT AS PARQUET MANIFEST{nested}"
    )


def convert(plan: TablePlan) -> list[str]:
    """Statements that fill staging and child tables from landing; none where COPY filled staging itself."""
    if not converts(plan):
        return []
    source = in_schema(plan, numbered_name(plan))
    filled = [_insert(in_schema(plan, staging_name(plan)), target_columns(plan), source)]
    for child in plan.children:
        name = in_schema(plan, child_staging_name(plan, child))
        filled.append(_insert(name, child_columns(plan, child), _iterated(child, source)))
    drops = ", ".join(in_schema(plan, name) for name in dict.fromkeys((landing_name(plan), numbered_name(plan))))
    return [*_number(plan), *filled, f"DROP TABLE {drops}"]


def _insert(table: str, columns: Sequence[TargetColumn], source: str) -> str:
    names = ", ".join(quoted(column.name) for column in columns)
    values = ", ".join(column.value for column in columns)
    return f"INSERT INTO {table} ({names})\nSELECT {values}\nFROM {source}"


def _iterated(child: ChildPlan, source: str) -> str:
    """FROM of a child table: each row; with steps, each with each element of its array, and the element's position.

    https://docs.aws.amazon.com/redshift/latest/dg/query-super.html#unnest
    """
    steps = (f'{step} AS "e{number}" AT "p{number}"' for number, step in enumerate(child.steps, 1))
    return ", ".join((f'{source} AS "t"', *steps))


def _number(plan: TablePlan) -> list[str]:
    """Give each row a key that no other run gives: once, since another query might number them otherwise."""
    if not plan.row_key:
        return []
    names = ", ".join(quoted(column.target) for column in plan.columns)
    key = f"{literal(run_suffix(plan) + '-')} || CAST(ROW_NUMBER() OVER () AS VARCHAR(20))"
    return [
        f"INSERT INTO {in_schema(plan, numbered_name(plan))} ({names}, {quoted(ROW_KEY)})\n"
        f"SELECT {names}, {key}\nFROM {in_schema(plan, landing_name(plan))}"
    ]


def history_table() -> list[str]:
    """Statements that make the history of published loads where there is none."""
    return history.tables()


def label(plan: TablePlan) -> str:
    """What the history calls the source of a plan; a sample is not the table."""
    return plan.source.id if plan.sample is None else f"{sample_label(plan)}{plan.sample:g} %"


def sample_label(plan: TablePlan) -> str:
    """How the label of any sample of the plan's source begins."""
    return f"{plan.source.id} sample "


def publish(
    plan: TablePlan,
    manifest_url: str,
    rows: int,
    *,
    replaces: bool,
    present: Collection[str] = (),
    quarantine: Sequence[str] = (),
    checksum: str = "",
    keep_days: int = history.KEEP_DAYS,
) -> list[str]:
    """One transaction: the new version in place of the old one, or into it, and the history row that proves it.

    Args:
        present: the child tables of which a version is published already.
        quarantine: what changes the table of misfits with it.
        checksum: of the rows of the extract.
        keep_days: how long what was there before is kept.
    """
    replaced = {*present, *([plan.target.table] if replaces else [])}
    change = _apply(plan, keeps=keeps(plan, len(quarantine))) if plan.increment else _swap(plan, replaced)
    if plan.increment:
        kept = {name: kept_name(plan, name) if keeps(plan, len(quarantine)) else None for name in tables_of(plan)}
    else:
        kept = {name: kept_name(plan, name) if name in replaced else "" for name in tables_of(plan)}
    entry = history.Entry(plan.run, label(plan), instant(plan.snapshot), manifest_url, checksum, keep_days=keep_days)
    return [*change, *quarantine, *said(plan, entry, rows, kept)]


def said(plan: TablePlan, entry: history.Entry, rows: int, kept: Mapping[str, str | None]) -> list[str]:
    """The history rows of a publish; `kept` says where what was there before is, table by table."""
    row = f"VALUES ({entry.row(plan.target.id, str(rows), kept[plan.target.table])})"
    later = [history.take_back_later(targets_of(plan), instant(plan.snapshot))] if plan.replaces_later else []
    return [*later, history.insert(row), *_child_history(plan, entry, kept)]


def tables_of(plan: TablePlan) -> list[str]:
    """Names of the tables that a plan publishes: the target and its child tables."""
    return [plan.target.table, *(child.table for child in plan.children)]


def targets_of(plan: TablePlan) -> list[str]:
    """The same as the history calls them."""
    return [f"{plan.target.schema_}.{name}" for name in tables_of(plan)]


def keeps(plan: TablePlan, more: int) -> bool:
    """True when one batch has room for what undoes an increment, beside `more` other statements."""
    return 3 * len(tables_of(plan)) + 4 + more + history.GUARDS <= MAX_BATCH


def _child_history(plan: TablePlan, entry: history.Entry, kept: Mapping[str, str | None]) -> list[str]:
    """The history rows of the child tables, which make them ours: a later run may replace them."""
    if not plan.children:
        return []
    selects = "\nUNION ALL\n".join(
        f"SELECT {entry.row(child_id(plan, child), 'COUNT(*)', kept[child.table])}\nFROM {in_schema(plan, child.table)}"
        for child in plan.children
    )
    return [history.insert(selects)]


def child_id(plan: TablePlan, child: ChildPlan) -> str:
    """`schema.table` of a child table, as the history calls it."""
    return f"{plan.target.schema_}.{child.table}"


def _swap(plan: TablePlan, replaced: Collection[str]) -> list[str]:
    """The old versions aside, the new ones in their places."""
    aside = [renamed(plan, name, kept_name(plan, name)) for name in tables_of(plan) if name in replaced]
    children = [renamed(plan, child_staging_name(plan, child), child.table) for child in plan.children]
    return [*aside, renamed(plan, staging_name(plan), plan.target.table), *children]


def renamed(plan: TablePlan, old: str, new: str) -> str:
    return f"ALTER TABLE {in_schema(plan, old)} RENAME TO {quoted(new)}"


def _apply(plan: TablePlan, *, keeps: bool) -> list[str]:
    """Rows of the increment's ranges out of the target, those of staging into it; children go with their parents.

    What goes is kept in tables beside them, so that it can be put back.
    """
    target, staged = in_schema(plan, plan.target.table), in_schema(plan, staging_name(plan))
    ranges = plan.increment.ranges if plan.increment else ()
    appends = plan.increment is not None and plan.increment.mode == "append"
    condition = in_any(plan, ranges)
    replace = [
        *(_kept_rows(plan, condition) if keeps else []),
        *([] if appends else taken_out(plan, condition)),
        _moved(target, staged, target_columns(plan)),
        *(
            _moved(
                in_schema(plan, child.table),
                in_schema(plan, child_staging_name(plan, child)),
                child_columns(plan, child),
            )
            for child in plan.children
        ),
        *([_added(plan, condition)] if appends else []),
    ]
    tables = [staged, *(in_schema(plan, child_staging_name(plan, child)) for child in plan.children)]
    return [*(replace if ranges else []), f"DROP TABLE {', '.join(tables)}"]


def _added(plan: TablePlan, condition: str) -> str:
    """Fails unless the rows of the ranges are those of staging: none was there before."""
    there = f"(SELECT COUNT(*) FROM {in_schema(plan, staging_name(plan))})"
    target = in_schema(plan, plan.target.table)
    return f"SELECT 1 / CASE WHEN COUNT(*) = {there} THEN 1 ELSE 0 END AS appended\nFROM {target}\nWHERE {condition}"


def _kept_rows(plan: TablePlan, condition: str) -> list[str]:
    """Tables of the rows that are about to go."""
    rows = [
        (plan.target.table, condition),
        *((child.table, _orphaned(plan, child, condition)) for child in plan.children),
    ]
    tables = [(in_schema(plan, kept_name(plan, name)), in_schema(plan, name), which) for name, which in rows]
    return [f"CREATE TABLE {kept} AS\nSELECT *\nFROM {name}\nWHERE {which}" for kept, name, which in tables]


def taken_out(plan: TablePlan, condition: str) -> list[str]:
    """Rows of the target out of it, those of the child tables that belong to them first."""
    children = (
        f"DELETE FROM {in_schema(plan, child.table)}\nWHERE {_orphaned(plan, child, condition)}"
        for child in plan.children
    )
    return [*children, f"DELETE FROM {in_schema(plan, plan.target.table)}\nWHERE {condition}"]


def put_back(plan: TablePlan) -> list[str]:
    """The rows that `taken_out` took, into the target and its child tables again."""
    columns = [target_columns(plan), *(child_columns(plan, child) for child in plan.children)]
    return [
        _moved(in_schema(plan, name), in_schema(plan, kept_name(plan, name)), those)
        for name, those in zip(tables_of(plan), columns, strict=True)
    ]


def _moved(table: str, staged: str, columns: Sequence[TargetColumn]) -> str:
    names = ", ".join(quoted(column.name) for column in columns)
    return f"INSERT INTO {table} ({names})\nSELECT {names}\nFROM {staged}"


def _orphaned(plan: TablePlan, child: ChildPlan, condition: str) -> str:
    """Condition on a child table for the rows whose parents are about to go."""
    table = in_schema(plan, child.table)
    same = " AND ".join(f'"p".{quoted(key)} = {table}.{quoted(name)}' for key, name in child.key)
    parents = f'SELECT 1 FROM {in_schema(plan, plan.target.table)} AS "p" WHERE {same} AND ({condition})'
    return f"EXISTS ({parents})"


def count_within(plan: TablePlan, ranges: Sequence[Range]) -> str:
    """Rows of the target in any of the ranges."""
    return f"SELECT COUNT(*) FROM {in_schema(plan, plan.target.table)}\nWHERE {in_any(plan, ranges)}"


def in_any(plan: TablePlan, ranges: Sequence[Range]) -> str:
    """Condition on a table with the target's names and types for the rows of any of the ranges."""
    return "\n   OR ".join(_within(plan, one) for one in ranges)


def _within(plan: TablePlan, wanted: Range) -> str:
    """Condition on the target for the rows of a range of the source."""
    name = quoted(next(column.target for column in plan.columns if column.source.name == wanted.column))
    compared = [f"{name} >= {_value(wanted.kind, wanted.lower)}"] if wanted.lower is not None else []
    compared += [f"{name} < {_value(wanted.kind, wanted.upper)}"] if wanted.upper is not None else []
    if not compared:
        return "TRUE" if wanted.nulls else f"{name} IS NOT NULL"
    inside = f"({' AND '.join(compared)})"
    return f"({inside} OR {name} IS NULL)" if wanted.nulls else inside


_TYPES = {Kind.DATE: "DATE", Kind.DATETIME: "TIMESTAMP", Kind.TIMESTAMP: "TIMESTAMPTZ"}


def _value(kind: Kind, bound: str) -> str:
    """A bound as a literal of the target's type; numbers stand as they are."""
    if kind not in _TYPES:
        return bound
    text = bound.replace("T", " ") + ("+00" if kind is Kind.TIMESTAMP else "")
    return f"CAST({literal(text)} AS {_TYPES[kind]})"


def published(plan: TablePlan) -> str:
    """The history row of this run and table, if it is there."""
    return f"SELECT row_count FROM {HISTORY} WHERE run = {literal(plan.run)} AND source = {literal(label(plan))}"


def last_published(plan: TablePlan, child: ChildPlan | None = None) -> str:
    """Source, snapshot and run of what was published to the plan's target, or a child table, last, by snapshot."""
    return history.last(child_id(plan, child) if child else plan.target.id)


def all_published() -> str:
    """Target, source and run of what was published last to every target, by snapshot."""
    return history.last_of_all()


def instant(moment: datetime) -> str:
    """A moment as text that sorts by time: UTC, microseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def count(plan: TablePlan) -> str:
    """Rows in staging."""
    return f"SELECT COUNT(*) FROM {in_schema(plan, staging_name(plan))}"


def count_nulls(plan: TablePlan, column: str) -> str:
    """Rows of staging that have NULL in a column."""
    return f"SELECT COUNT(*) FROM {in_schema(plan, staging_name(plan))} WHERE {quoted(column)} IS NULL"


def repeated(plan: TablePlan, key: Sequence[str]) -> str:
    """Keys that more than one row of staging has."""
    names, table = ", ".join(map(quoted, key)), in_schema(plan, staging_name(plan))
    return f"SELECT COUNT(*) FROM (SELECT {names} FROM {table} GROUP BY {names} HAVING COUNT(*) > 1) AS d"


def count_child(plan: TablePlan, child: ChildPlan) -> str:
    """Rows in a child table's staging."""
    return f"SELECT COUNT(*) FROM {in_schema(plan, child_staging_name(plan, child))}"


def columns(schema: str, table: str) -> str:
    """Names and types of a table's columns, in order.

    https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_COLUMNS.html
    """
    return (
        "SELECT column_name, data_type, character_maximum_length, numeric_precision, numeric_scale FROM svv_columns "
        f"WHERE table_schema = {literal(schema)} AND table_name = {literal(table)} ORDER BY ordinal_position"
    )


def widths(schema: str) -> str:
    """Table, name, width in bytes and whether NULL is allowed, of the columns of a schema with such a bound.

    https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_COLUMNS.html
    """
    return (
        "SELECT table_name, column_name, character_maximum_length, is_nullable FROM svv_columns "
        f"WHERE table_schema = {literal(schema)} AND (character_maximum_length IS NOT NULL OR is_nullable = 'NO')"
    )


def kind(schema: str, table: str) -> str:
    """BASE TABLE or VIEW; no row when there is no such table."""
    return f"SELECT table_type FROM svv_tables WHERE table_schema = {literal(schema)} AND table_name = {literal(table)}"
