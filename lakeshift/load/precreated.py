"""Target tables that exist before the run: they are used as they are, after a look at every column."""

from __future__ import annotations

from collections.abc import Sequence

from lakeshift.errors import TargetMismatch, TargetMissing
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


def check_precreated(warehouse: Warehouse, plan: TablePlan) -> None:
    """Raise TargetMissing or TargetMismatch unless the target has the plan's columns in the plan's order.

    A VARCHAR or VARBYTE of any length is accepted: COPY itself refuses a value that is too long for it.
    """
    found = [_column(row) for row in warehouse.query(sql.columns(plan.target.schema_, plan.target.table))]
    if not found:
        raise TargetMissing(
            f"the table {plan.target.id} does not exist",
            where=plan.source.id,
            next_step="create it, or set initiateSchemaDetection to true.",
        )
    planned = [(column.target, _family(column.target_type)) for column in plan.columns]
    if found != planned:
        raise TargetMismatch(
            f"{plan.target.id} differs from the plan: {_difference(found, planned)}",
            where=plan.source.id,
            next_step="change the table, or set initiateSchemaDetection to true.",
        )


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
