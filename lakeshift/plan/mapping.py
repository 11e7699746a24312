"""The mapping document: where each column of the source ends up, as what, and what that costs. Pure.

It is made of a plan and of nothing else, so what it says is what runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from lakeshift.kept import per_object
from lakeshift.load import ddl
from lakeshift.model import ChildPlan, Column, ColumnPlan, Kind, PartPlan, TablePlan
from lakeshift.plan.measure import by_values
from lakeshift.plan.nested import ROW_KEY
from lakeshift.types.defaults import default_of
from lakeshift.types.names import quoted, rename_note
from lakeshift.types.redshift import MAX_COLUMNS, nested_note, super_risk

NO_LOSS = "none"
_REASONS = {
    Kind.BOOLEAN: "the same two values",
    Kind.INT16: "the same range",
    Kind.INT32: "the same range",
    Kind.INT64: "64-bit integers need BIGINT",
    Kind.FLOAT32: "the same IEEE 754 numbers",
    Kind.FLOAT64: "the same IEEE 754 numbers",
    Kind.DECIMAL: "the same digits",
    Kind.DATE: "the same range of days",
    Kind.TIME: "through text: COPY cannot fill TIME from Parquet",
    Kind.TIME_ZONED: "through text: COPY cannot fill TIMETZ from Parquet",
    Kind.DATETIME: "microseconds, without a zone",
    Kind.TIMESTAMP: "the same instant: lands in UTC, then gets its zone",
    Kind.GEOGRAPHY: "through WKT",
    Kind.GEOMETRY: "through WKT",
    Kind.JSON: "parsed by JSON_PARSE",
    Kind.STRUCT: "nested values are kept whole in SUPER",
    Kind.ARRAY: "nested values are kept whole in SUPER",
}
_NESTED = frozenset({Kind.STRUCT, Kind.ARRAY})
_OVER = f"the table has more than {MAX_COLUMNS:,} columns"
_NUMBERS = frozenset({Kind.INT16, Kind.INT32, Kind.INT64, Kind.DECIMAL})


def document(plan: TablePlan) -> dict[str, Any]:
    """The mapping of one table."""
    return {"columns": entries(plan.columns), **_rest(plan)}


def line(plan: TablePlan) -> str:
    """The same as JSON, in one line. The same columns stand in many tables and are described once."""
    columns = ", ".join(filter(None, map(_texts, plan.columns)))
    return f'{{"columns": [{columns}], {json.dumps(_rest(plan), ensure_ascii=False)[1:]}'


def _rest(plan: TablePlan) -> dict[str, Any]:
    parent = ddl.target_columns(plan.columns, row_key=plan.row_key) if plan.children else []
    return {
        "source": plan.source.id,
        "table": plan.target.id,
        "children": [child_entry(child, parent, plan.target.schema_) for child in plan.children],
        "primary_key": list(plan.primary_key),
        "sort_key": list(plan.sort_key),
        "dist_key": plan.dist_key,
        "row_key": ROW_KEY if plan.row_key else "",
        "notes": list(plan.notes),
    }


@per_object(32_768)
def _texts(column: ColumnPlan) -> str:
    return json.dumps(entries([column]), ensure_ascii=False)[1:-1]


def entries(columns: Sequence[ColumnPlan]) -> list[dict[str, Any]]:
    """One entry for each leaf, or for each column that holds its leaves together."""
    return [entry for column in columns for entry in _entries(column)]


def _entries(column: ColumnPlan) -> list[dict[str, Any]]:
    if column.divided:
        return [_entry(part.path, part) for part in column.parts]
    if column.folds:
        pairs = zip(column.folds, column.source.fields, strict=True)
        return [_folded(name, field, column.target) for name, field in pairs]
    return [_entry(column.source.name, column)]


def _folded(name: str, field: Column, target: str) -> dict[str, Any]:
    """A column of the source that is a field of a SUPER column; `field` has its name there."""
    form = nested_note(Column(name="", kind=Kind.STRUCT, source_type="", fields=(field,)))
    notes = (f"the field {field.name} of {target}", form, field.note, rename_note(name, field.name))
    made = PartPlan(
        path=name,
        source=field,
        target=target,
        target_type="SUPER",
        conversion="",
        note="; ".join(filter(None, notes)),
        risk=super_risk(field),
    )
    entry = _entry(name, made)
    return {**entry, "reason": f"{_OVER}: {made.note}", "field": field.name}


def child_entry(child: ChildPlan, parent: Sequence[ddl.TargetColumn], schema: str = "") -> dict[str, Any]:
    """The mapping of a child table."""
    name = f"{quoted(schema)}.{quoted(child.table)}" if schema else quoted(child.table)
    return {
        "table": child.table,
        "path": child.path,
        "key": [{"parent": key, "column": name} for key, name in child.key],
        "positions": list(child.positions),
        "columns": [_entry(part.path, part) for part in child.parts],
        "ddl": ddl.create_table(name, ddl.child_columns(child, parent)),
    }


def _entry(path: str, made: ColumnPlan | PartPlan) -> dict[str, Any]:
    source = made.source
    entry: dict[str, Any] = {
        "source": path,
        "source_type": source.source_type,
        "target": made.target,
        "target_type": made.target_type,
        "decision": "mapped",
        "conversion": made.conversion,
        "loss_risk": made.risk or NO_LOSS,
        "reason": "; ".join(
            filter(None, (reason(source, made.target_type), made.note, _default(source, made.target_type)))
        ),
    }
    entry |= {"tags": list(source.tags)} if source.tags else {}
    return entry | ({"leaves": leaves(source, path)} if source.kind in _NESTED else {})


def reason(column: Column, target_type: str) -> str:
    """Why the target's type is what it is."""
    if by_values(column) or (column.note and column.kind in _NUMBERS):
        # What its values need, or the source's type says of it, is more; it is the column's note.
        return ""
    if column.kind is Kind.STRING:
        return _string_reason(column)
    if column.kind is Kind.BYTES:
        return "as declared" if column.length else "no declared length: the widest VARBYTE that there can be"
    if column.kind is Kind.DECIMAL and not target_type.startswith("DECIMAL"):
        return ""
    if column.kind in _NESTED and target_type != "SUPER":
        return ""
    return _REASONS.get(column.kind, "")


def _string_reason(column: Column) -> str:
    if column.length and not column.max_bytes:
        return f"VARCHAR counts bytes: 4 for each of {column.length:,} characters"
    if column.max_bytes:
        return f"at most {column.max_bytes:,} bytes"
    return "no declared length: the widest VARCHAR"


def _default(column: Column, target_type: str) -> str:
    if not column.default or default_of(column.default, target_type) is not None:
        return ""
    return f"DEFAULT {column.default} is not carried: Redshift has none that is the same"


def leaves(column: Column, path: str) -> list[dict[str, str]]:
    """Paths and types of the leaves that a column holds together."""
    return [{"path": name, "type": kind} for name, kind in _leaves(column, path)]


def _leaves(column: Column, path: str) -> Iterator[tuple[str, str]]:
    if column.kind is Kind.ARRAY:
        yield from _leaves(column.fields[0], path)
    elif column.kind is Kind.STRUCT and column.fields:
        for child in column.fields:
            yield from _leaves(child, f"{path}.{child.name}")
    else:
        yield path, column.source_type


def page(mapping: dict[str, Any]) -> str:
    """The mapping as Markdown."""
    lines = [f"# {mapping['source']} to {mapping['table']}", "", *_table(mapping["columns"])]
    for child in mapping["children"]:
        rows = f"the elements of `{child['path']}`" if child["path"] else f"more columns, since {_OVER}"
        lines += ["", f"## {child['table']}: {rows}", "", *_table(child["columns"])]
    facts = [f"primary key {', '.join(mapping['primary_key'])}"] if mapping["primary_key"] else []
    facts += [f"sorted by {', '.join(mapping['sort_key'])}"] if mapping["sort_key"] else []
    facts += [f"distributed by {mapping['dist_key']}"] if mapping["dist_key"] else []
    facts += mapping["notes"]
    return "\n".join([*lines, *(["", *(f"- {_cell(fact)}" for fact in facts)] if facts else [])]) + "\n"


_HEADS = ("source", "source_type", "target", "target_type", "conversion", "loss_risk", "reason")


def _table(found: Sequence[dict[str, Any]]) -> list[str]:
    rows = ["| source | type | target | type | conversion | loss risk | reason |", "|---|---|---|---|---|---|---|"]
    return rows + ["| " + " | ".join(_cell(str(entry.get(head, ""))) for head in _HEADS) + " |" for entry in found]


def _cell(text: str) -> str:
    """Text that does not break a row of a Markdown table, and makes no HTML."""
    plain = text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
    return plain if len(plain) <= 300 else f"{plain[:299]}…"
