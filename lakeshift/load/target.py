"""What stands at the target before a run replaces it: ours, somebody else's, made beforehand, or newer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lakeshift.errors import Superseded, TargetMismatch, TargetMissing
from lakeshift.load import sql
from lakeshift.load.ddl import TargetColumn
from lakeshift.model import Change, ChildPlan, TablePlan
from lakeshift.ports import Warehouse

# The spellings under which Redshift's catalog shows the types that we plan.
_CATALOG_NAMES = {
    "boolean": "BOOLEAN",
    "smallint": "SMALLINT",
    "integer": "INTEGER",
    "real": "REAL",
    "bigint": "BIGINT",
    "double precision": "DOUBLE PRECISION",
    "date": "DATE",
    "time without time zone": "TIME",
    "time with time zone": "TIMETZ",
    "timestamp without time zone": "TIMESTAMP",
    "timestamp with time zone": "TIMESTAMPTZ",
    "character varying": "VARCHAR",
    "binary varying": "VARBYTE",
    "varbyte": "VARBYTE",
    "numeric": "DECIMAL",
    "super": "SUPER",
    "geography": "GEOGRAPHY",
    "geometry": "GEOMETRY",
}

_SIZED = re.compile(r"VARCHAR\((\d+)\)")

AGAIN = "the increment has nothing to build on: drop the table and submit the config again, all rows are read then."


def check_target(warehouse: Warehouse, plan: TablePlan) -> None:
    """Make sure that the plan may replace what stands at its target.

    Raises:
        TargetMismatch: a view, a table that this source has not published, or a pre-created one with other columns.
        TargetMissing: a pre-created table that is not there.
        Superseded: a later snapshot is published already.
    """
    kinds = [str(row[0]) for row in warehouse.query(sql.kind(plan.target.schema_, plan.target.table))]
    last = warehouse.query(sql.last_published(plan))
    if kinds and kinds != ["BASE TABLE"]:
        raise TargetMismatch(f"{plan.target.id} is a {kinds[0].lower()}", where=plan.source.id, next_step="rename it.")
    owner = str(last[0][0]) if last else ""
    if kinds and plan.sample is not None and owner == plan.source.id:
        raise TargetMismatch(
            f"{plan.target.id} holds the whole table; a sample does not replace it",
            where=plan.source.id,
            next_step='rehearse into another "schema".',
        )
    if plan.precreated or plan.increment:
        check_precreated(warehouse, plan)
    if kinds and not plan.precreated and not _ours(plan, owner):
        raise TargetMismatch(
            f"{plan.target.id} exists and {f'was published from {owner}' if owner else 'was not made by a migration'}",
            where=plan.source.id,
            next_step="rename or drop it, choose another schema, or set initiateSchemaDetection to false.",
        )
    if last and str(last[0][1]) > sql.instant(plan.snapshot) and not plan.replaces_later:
        what = f"{plan.target.id} holds a later snapshot, of {last[0][1]}"
        raise Superseded(what, where=plan.source.id, next_step="none: what stands there is newer than these rows.")

    if plan.increment and last and str(last[0][2]) not in (plan.increment.previous, plan.run):
        what = f"{plan.target.id} was published by {last[0][2]} since this increment was planned"
        raise Superseded(what, where=plan.source.id, next_step="submit the config again: a new increment.")
    for child in plan.children:
        _check_child(warehouse, plan, child)


def _check_child(warehouse: Warehouse, plan: TablePlan, child: ChildPlan) -> None:
    """A child table is replaced only where its parent's source has published it."""
    kinds = [str(row[0]) for row in warehouse.query(sql.kind(plan.target.schema_, child.table))]
    last = warehouse.query(sql.last_published(plan, child))
    owner = str(last[0][0]) if last else ""
    if kinds and (kinds != ["BASE TABLE"] or not _ours(plan, owner)):
        raise TargetMismatch(
            f"{sql.child_id(plan, child)} exists and is no child table of {plan.source.id}",
            where=plan.source.id,
            next_step=f"rename or drop it, or choose another form for {child.path or 'its columns (wide)'}.",
        )
    if plan.increment and child_difference(warehouse, plan, child, child.table) != "":
        raise TargetMismatch(f"{sql.child_id(plan, child)} differs from the plan", next_step=AGAIN)


def present_children(warehouse: Warehouse, plan: TablePlan) -> tuple[str, ...]:
    """Names of the child tables of which a version is published."""
    schema = plan.target.schema_
    return tuple(child.table for child in plan.children if warehouse.query(sql.kind(schema, child.table)))


def _ours(plan: TablePlan, owner: str) -> bool:
    """True when what stands there was published from the plan's source; an increment needs all of it, not a sample."""
    return owner == plan.source.id or (plan.increment is None and owner.startswith(sql.sample_label(plan)))


def pending_alters(warehouse: Warehouse, plan: TablePlan) -> list[str]:
    """Statements that bring the target of an increment to the plan's columns, without those that have run.

    Raises:
        TargetMismatch: the target was not published from the plan's source, and is not ours to alter.
    """
    wanted = [change for change in plan.changes if change.how == "in place"]
    if not wanted or plan.increment is None:
        return []
    last = warehouse.query(sql.last_published(plan))
    if not last or str(last[0][0]) != plan.source.id:
        raise TargetMismatch(f"{plan.target.id} was not published from {plan.source.id}", next_step=AGAIN)
    if str(last[0][2]) not in (plan.increment.previous, plan.run):
        return []  # another run was there first; the check of the target says so
    found = {str(row[0]): _width(row) for row in warehouse.query(sql.columns(plan.target.schema_, plan.target.table))}
    return [change.ddl for change in wanted if not _is_done(found, change)]


def _width(row: Sequence[object]) -> int:
    return int(str(row[2])) if row[2] is not None else 0


def _is_done(found: Mapping[str, int], change: Change) -> bool:
    """Whether the column is there, and as wide as it is to be."""
    sized = _SIZED.fullmatch(change.target_type)
    return change.column in found and (sized is None or found[change.column] >= int(sized[1]))


def check_precreated(warehouse: Warehouse, plan: TablePlan) -> None:
    """Raise TargetMissing or TargetMismatch unless the target has the plan's columns in the plan's order.

    A VARCHAR or VARBYTE of any length is accepted: COPY itself refuses a value that is too long for it.
    """
    different = difference(warehouse, plan, plan.target.table)
    if different is None:
        raise TargetMissing(
            f"the table {plan.target.id} does not exist",
            where=plan.source.id,
            next_step=AGAIN if plan.increment else "create it, or set initiateSchemaDetection to true.",
        )
    if different:
        raise TargetMismatch(
            f"{plan.target.id} differs from the plan: {different}",
            where=plan.source.id,
            next_step=AGAIN if plan.increment else "change the table, or set initiateSchemaDetection to true.",
        )


def difference(warehouse: Warehouse, plan: TablePlan, table: str) -> str | None:
    """How a table of the plan's schema differs from the plan in names, order and types; "" if not, None if absent."""
    return _compared(warehouse, plan.target.schema_, table, sql.target_columns(plan))


def child_difference(warehouse: Warehouse, plan: TablePlan, child: ChildPlan, table: str) -> str | None:
    """`difference` of a child table."""
    return _compared(warehouse, plan.target.schema_, table, sql.child_columns(plan, child))


def _compared(warehouse: Warehouse, schema: str, table: str, columns: Sequence[TargetColumn]) -> str | None:
    found = [catalog_column(row) for row in warehouse.query(sql.columns(schema, table))]
    planned = [(column.name, _family(column.type)) for column in columns]
    if not found:
        return None
    return "" if found == planned else _difference(found, planned)


def catalog_column(row: Sequence[object]) -> tuple[str, str]:
    """Name and type, as we spell it, of a row of `sql.columns`; text and binary types without their width."""
    name, kind, _, precision, scale = row
    family = _CATALOG_NAMES.get(str(kind).lower(), str(kind).upper())
    return str(name), f"DECIMAL({precision},{scale})" if family == "DECIMAL" else family


def _family(target_type: str) -> str:
    return target_type if target_type.startswith("DECIMAL") else target_type.split("(", maxsplit=1)[0]


def _difference(found: list[tuple[str, str]], planned: list[tuple[str, str]]) -> str:
    if len(found) != len(planned):
        return f"it has {len(found)} columns, the plan {len(planned)}"
    pairs = [(old, new) for old, new in zip(found, planned, strict=True) if old != new]
    return "; ".join(f"{' '.join(old)} where the plan has {' '.join(new)}" for old, new in pairs)
