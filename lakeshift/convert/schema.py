"""A source's schema as DDL of Redshift, with an account of every leaf. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lakeshift.convert.source_columns import Declared, Refusal, declared
from lakeshift.load import ddl
from lakeshift.load.ddl import Keys, TargetColumn
from lakeshift.model import ForeignKey
from lakeshift.plan import mapping
from lakeshift.plan.nested import ROW_KEY, Choice, Shape, shape
from lakeshift.plan.wide import Wide, fitted
from lakeshift.types.names import assigned, quoted
from lakeshift.types.redshift import MAX_COLUMNS

WIDE = (
    "fold them into SUPER or split them (wide), leave columns out, keep nested ones in SUPER, "
    "or choose child tables for them."
)


@dataclass(frozen=True)
class Converted:
    """The outcome: the document as it is printed, and whether all of it could be mapped."""

    document: dict[str, Any]

    @property
    def complete(self) -> bool:
        """True when nothing is refused."""
        return not self.document["refused"]


def convert(
    text: str,
    source: str,
    table: str = "",
    choice: Choice = Choice(),  # noqa: B008 - immutable
    *,
    wide: Wide = "refuse",
) -> Converted:
    """The conversion of one table of a file.

    Args:
        source: bigquery, postgres or mysql.
        table: name of the target, and of the table to pick out of a file of DDL; by default the file's only one.
        choice: what becomes of nested columns.
        wide: what becomes of the last columns of a table that has too many.

    Raises:
        SchemaUnreadable, SourceNotFound: the file holds no such table.
        TypeUnsupported: the choice names a column that there is not.
    """
    given = declared(text, source, table)
    path = _target_path(table or given.name or "table")
    made = shape(given.columns, choice, path[-1])
    made = fitted(made, wide, path[-1], choice, _placing(given, choice))
    refused = [_refused(one) for one in given.found if isinstance(one, Refusal)]
    columns = ddl.target_columns(made.columns, row_key=made.row_key)
    tables = [columns, *(ddl.child_columns(child, columns) for child in made.children)]
    over = max(map(len, tables))
    if over > MAX_COLUMNS or not columns:
        why = f"{over:,} columns; Redshift holds {MAX_COLUMNS:,}: {WIDE}" if columns else "no column is left"
        return Converted(_nothing(path, given, made, refused, why))
    return Converted(_document(path, given, made, refused, columns))


def _placing(given: Declared, choice: Choice) -> list[str]:
    """Columns that rows are named, placed and found by."""
    joined = [name for key in given.foreign_keys for name in key.columns]
    return [*given.primary_key, *choice.key, *given.partition, *given.cluster, *joined]


def _target_path(name: str) -> tuple[str, ...]:
    """Schema and table, as names on Redshift; the schema is there only if it was named."""
    parts = [part for part in name.split(".") if part][-2:] or ["table"]
    return tuple(assigned([part])[0] for part in parts)


def _sql_name(path: Sequence[str]) -> str:
    return ".".join(quoted(part) for part in path)


def _document(
    path: tuple[str, ...], given: Declared, made: Shape, refused: list[dict[str, Any]], columns: list[TargetColumn]
) -> dict[str, Any]:
    name = _sql_name(path)
    keys = _keys(given, made, columns)
    schema = path[0] if len(path) > 1 else ""
    children = [_child_entry(mapping.child_entry(child, columns, schema)) for child in made.children]
    tables = [ddl.create_table(name, columns, keys), *(child["ddl"] for child in children)]
    comments = ddl.comments(name, given.description, columns)
    for child in made.children:
        comments += ddl.comments(_sql_name((*path[:-1], child.table)), "", ddl.child_columns(child, columns))
    found = _in_table(path[-1], mapping.entries(made.columns))
    return {
        "table": path[-1],
        "ddl": ";\n\n".join(tables) + ";",
        "columns": [*found, *(entry for child in children for entry in child["columns"]), *refused],
        "refused": refused,
        "children": children,
        "comments": comments,
        "keys": _keys_entry(given, keys, made),
        "foreign_keys": _foreign_keys(path, given.foreign_keys, made),
    }


def _child_entry(entry: dict[str, Any]) -> dict[str, Any]:
    return {**entry, "columns": _in_table(entry["table"], entry["columns"])}


def _in_table(table: str, entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Columns of one list may stand in several tables, so each says which."""
    return [{**entry, "table": table} for entry in entries]


def _nothing(
    path: tuple[str, ...], given: Declared, made: Shape, refused: list[dict[str, Any]], why: str
) -> dict[str, Any]:
    """The account of a table that is refused as a whole: each column says why."""
    all_refused = [
        _entry(one.name, one.source_type, why, mapping.leaves(one, one.name) if one.fields else [])
        for one in given.columns
    ] + refused
    whole = [{"source": given.name or path[-1], "reason": why}] if not all_refused else []
    return {"table": path[-1], "ddl": "", "columns": all_refused, "refused": all_refused or whole, "children": []} | {
        "comments": [],
        "keys": _keys_entry(given, Keys(), made),
        "foreign_keys": [],
    }


def _refused(one: Refusal) -> dict[str, Any]:
    found = [{"path": path, "type": kind} for path, kind in one.leaves]
    return _entry(one.name, one.type, one.reason, found if found != [{"path": one.name, "type": one.type}] else [])


def _entry(source: str, kind: str, reason: str, leaves: list[dict[str, str]]) -> dict[str, Any]:
    entry: dict[str, Any] = {"source": source, "source_type": kind, "target": None, "target_type": None}
    entry |= {"decision": "refused", "conversion": "", "loss_risk": "all of it", "reason": reason}
    return entry | ({"leaves": leaves} if leaves else {})


def _keys(given: Declared, made: Shape, columns: Sequence[TargetColumn]) -> Keys:
    joined = [name for key in given.foreign_keys for name in key.columns]
    return ddl.keys_of(columns, made.targets, given.primary_key, given.partition, given.cluster, joined)


def _keys_entry(given: Declared, keys: Keys, made: Shape) -> dict[str, Any]:
    """The keys and why they are these."""
    reasons = []
    if keys.sort:
        reasons.append(
            "sorted by partition columns, then cluster columns: filters on them skip blocks, as they do there"
        )
    dist = "a cluster column that is part of a key: rows that are joined by it lie together"
    reasons.append(dist if keys.dist else "DISTSTYLE AUTO: the source says nothing of how rows are joined")
    reasons.append("ENCODE AUTO: Redshift chooses encodings from the data")
    if given.primary_key:
        reasons.append("Redshift does not enforce primary and foreign keys; its planner believes them")
    return {
        "primary_key": list(keys.primary),
        "sort_key": list(keys.sort),
        "dist_key": keys.dist,
        "row_key": ROW_KEY if made.row_key else "",
        "reasons": reasons,
    }


def _foreign_keys(path: tuple[str, ...], found: Sequence[ForeignKey], made: Shape) -> list[str]:
    """Statements for when all tables are there; only keys whose columns are all columns of the target."""
    names = made.targets
    return [
        f"ALTER TABLE {_sql_name(path)} ADD FOREIGN KEY ({_list(_found(names, key.columns))}) "
        f"REFERENCES {_sql_name((*path[:-1], assigned([key.table])[0]))}"
        + (f" ({_list(assigned(key.references))})" if key.references else "")
        for key in found
        if all(_found(names, key.columns))
    ]


def _found(names: dict[str, str], wanted: Sequence[str]) -> list[str]:
    return [names.get(name) or names.get(name.casefold(), "") for name in wanted]


def _list(names: Any) -> str:
    return ", ".join(quoted(name) for name in names)
