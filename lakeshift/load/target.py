"""What stands at the target before a run replaces it: ours, somebody else's, made beforehand, or newer."""

from __future__ import annotations

from collections.abc import Sequence

from lakeshift.errors import Superseded, TargetMismatch, TargetMissing
from lakeshift.load import sql
from lakeshift.model import TablePlan
from lakeshift.ports import Warehouse

# The spellings under which Redshift's catalog shows the types that we plan.
_CATALOG_NAMES = {
    "boolean": "BOOLEAN",
    "bigint": "BIGINT",
    "double precision": "DOUBLE PRECISION",
    "date": "DATE",
    "time without time zone": "TIME",
    "timestamp without time zone": "TIMESTAMP",
    "timestamp with time zone": "TIMESTAMPTZ",
    "character varying": "VARCHAR",
    "binary varying": "VARBYTE",
    "varbyte": "VARBYTE",
    "numeric": "DECIMAL",
    "super": "SUPER",
    "geography": "GEOGRAPHY",
}


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
    if last and str(last[0][1]) > sql.instant(plan.snapshot):
        raise Superseded(f"{plan.target.id} holds a later snapshot, of {last[0][1]}", where=plan.source.id)

    if plan.increment and last and str(last[0][2]) not in (plan.increment.previous, plan.run):
        what = f"{plan.target.id} was published by {last[0][2]} since this increment was planned"
        raise Superseded(what, where=plan.source.id, next_step="submit the config again: a new increment.")


def _ours(plan: TablePlan, owner: str) -> bool:
    """True when what stands there was published from the plan's source; an increment needs all of it, not a sample."""
    return owner == plan.source.id or (plan.increment is None and owner.startswith(sql.sample_label(plan)))


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
    found = [_column(row) for row in warehouse.query(sql.columns(plan.target.schema_, table))]
    planned = [(column.target, _family(column.target_type)) for column in plan.columns]
    if not found:
        return None
    return "" if found == planned else _difference(found, planned)


def _column(row: Sequence[object]) -> tuple[str, str]:
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
