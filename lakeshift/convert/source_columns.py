"""A source's declarations as logical columns: BigQuery's JSON schema, and DDL of three engines. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from lakeshift.convert import source_ddl
from lakeshift.convert.source_ddl import DdlColumn, DdlTable, Declarations, Token
from lakeshift.errors import SchemaUnreadable, SourceNotFound, TypeUnsupported
from lakeshift.model import Column, ForeignKey, Kind
from lakeshift.types import bigquery, mysql, postgres
from lakeshift.types.source import Written, column_of, written


@dataclass(frozen=True)
class Refusal:
    """A column that has no target: why, and the leaves that are in it."""

    name: str
    type: str
    reason: str
    leaves: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Declared:
    """One table of a source. `found` holds its columns in order, a refusal where there is no type for one."""

    name: str
    found: tuple[Column | Refusal, ...]
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    partition: tuple[str, ...] = ()
    cluster: tuple[str, ...] = ()
    description: str = ""

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that have a type."""
        return tuple(one for one in self.found if isinstance(one, Column))


def declared(text: str, source: str, table: str = "") -> Declared:
    """The table that a file declares; `table` picks one of several.

    Raises:
        SchemaUnreadable: neither a JSON schema nor DDL with a table.
        SourceNotFound: the file has no table of that name, or several and none is picked.
    """
    if source == "bigquery" and text.lstrip("\ufeff \t\r\n")[:1] in {"[", "{"}:
        return _of_json(text)
    found = source_ddl.read(text.lstrip("\ufeff"), source)
    picked = _picked(found.tables, table)
    return _of_ddl(picked, found, source)


def _of_json(text: str) -> Declared:
    try:
        given = json.loads(text.lstrip("\ufeff"))
        schema = given if isinstance(given, list) else given.get("fields") or given["schema"]["fields"]
        whole = given if isinstance(given, dict) else {}
        return replace(_of_metadata(whole), found=tuple(_of_field(one) for one in schema))
    except RecursionError as error:
        raise SchemaUnreadable(
            "the schema is nested too deep", next_step="give it as the service prints it."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"not a BigQuery schema: {type(error).__name__} {str(error)[:200]}"
        raise SchemaUnreadable(what, next_step="give what `bq show --schema --format=json` prints.") from error


def _of_metadata(table: Mapping[str, Any]) -> Declared:
    """What `bq show` says of a table beside its columns. https://cloud.google.com/bigquery/docs/reference/rest/v2/tables"""
    partition = table.get("timePartitioning") or table.get("rangePartitioning") or {}
    constraints = table.get("tableConstraints") or {}
    keys = tuple(
        ForeignKey(
            columns=tuple(pair["referencingColumn"] for pair in key["columnReferences"]),
            table=key["referencedTable"]["tableId"],
            references=tuple(pair["referencedColumn"] for pair in key["columnReferences"]),
        )
        for key in constraints.get("foreignKeys") or ()
    )
    return Declared(
        name=str((table.get("tableReference") or {}).get("tableId") or ""),
        found=(),
        primary_key=tuple((constraints.get("primaryKey") or {}).get("columns") or ()),
        foreign_keys=keys,
        partition=(partition["field"],) if partition.get("field") else (),
        cluster=tuple((table.get("clustering") or {}).get("fields") or ()),
        description=str(table.get("description") or ""),
    )


def _of_field(given: Mapping[str, Any]) -> Column | Refusal:
    name, kind = str(given["name"]), str(given["type"])
    try:
        return bigquery.columns([given])[0]
    except TypeUnsupported as error:
        where = f" [{error.where}]" if error.where != name else ""
        return Refusal(name, kind, f"{error.what}{where}", tuple(_raw_leaves(given, name)))


def _raw_leaves(given: Mapping[str, Any], path: str) -> list[tuple[str, str]]:
    children = given.get("fields") or ()
    if not children:
        return [(path, str(given["type"]))]
    return [leaf for child in children for leaf in _raw_leaves(child, f"{path}.{child['name']}")]


def _picked(tables: Mapping[str, DdlTable], wanted: str) -> DdlTable:
    if not tables:
        raise SchemaUnreadable("no CREATE TABLE stands in the file", next_step="give the DDL of the tables.")
    folded = {name.casefold(): table for name, table in tables.items()}
    bare = wanted.casefold()
    for name in (bare, bare.rsplit(".", 1)[-1]):
        if name in folded:
            return folded[name]
    if len(tables) == 1:
        return next(iter(tables.values()))
    near = get_close_matches(bare.rsplit(".", 1)[-1], folded, n=1, cutoff=0.0)
    hint = f"did you mean {folded[near[0]].name!r}?" if wanted and near else f"name one of {len(tables)} with --table."
    raise SourceNotFound(f"the file declares no table {wanted!r}", next_step=hint)


def _of_ddl(table: DdlTable, found: Declarations, source: str) -> Declared:
    names = {one.name for one in table.columns}
    # Exactly where there is such a name: PostgreSQL can have "Id" and id side by side.
    keyed = {name if name in names else name.casefold() for name in table.primary_key}
    columns = [_of_column(one, found, source, keyed) for one in table.columns]
    return Declared(
        name=table.name,
        found=tuple(columns),
        primary_key=table.primary_key,
        foreign_keys=table.foreign_keys,
        partition=table.partitioned_by,
        cluster=table.clustered_by,
        description=table.comment,
    )


def _of_column(one: DdlColumn, found: Declarations, source: str, keyed: set[str]) -> Column | Refusal:
    kind = source_ddl.text(one.type)
    try:
        column = _READERS[source](one, found)
    except TypeUnsupported as error:
        return Refusal(one.name, kind, error.what, ((one.name, kind),))
    note = column.note
    if one.generated == "identity":
        note = "; ".join(filter(None, (note, "values are kept; the numbering behind them is not made on the target")))
    elif one.generated:
        note = "; ".join(filter(None, (note, f"computed in the source as {one.generated}; its values are copied")))
    return column.model_copy(
        update={
            "required": one.required or bool({one.name, one.name.casefold()} & keyed),
            "default": one.default,
            "description": one.comment,
            "note": note,
        }
    )


def _postgres(one: DdlColumn, found: Declarations) -> Column:
    return _postgres_type(one.name, one.type, found, ())


def _postgres_type(name: str, tokens: Sequence[Token], found: Declarations, seen: tuple[str, ...]) -> Column:
    """A column of a type, arrays included; `seen` are the types that it is made of already."""
    inner, dimensions = _without_arrays(tokens)
    column = _postgres_single(name, inner, found, seen)
    for _ in range(dimensions):
        kind = f"{column.source_type}[]"
        column = Column(name=name, kind=Kind.ARRAY, source_type=kind, fields=(column,), note=column.note)
    return column


def _without_arrays(tokens: Sequence[Token]) -> tuple[tuple[Token, ...], int]:
    """A type without `[3][]` or ARRAY behind it, and how many dimensions these are."""
    opens = [place for place, token in enumerate(tokens) if token.raw == "["]
    if opens:
        return tuple(tokens[: opens[0]]), len(opens)
    if len(tokens) > 1 and tokens[-1].word == "ARRAY":
        return tuple(tokens[:-1]), 1
    return tuple(tokens), 0


def _postgres_single(name: str, tokens: tuple[Token, ...], found: Declarations, seen: tuple[str, ...]) -> Column:
    while len(tokens) > 2 and tokens[1].raw == ".":
        tokens = tokens[2:]
    own = tokens[0].text.lower() if tokens else ""
    if own not in seen:
        for kinds, made in _DECLARED.items():
            if own in getattr(found, kinds):
                return made(name, own, found, (*seen, own))
    return _postgres_builtin(name, source_ddl.text(tokens))


def _enum(name: str, own: str, found: Declarations, _: tuple[str, ...]) -> Column:
    longest = max((len(value.encode()) for value in found.enums[own]), default=1)
    note = "the text of the value; the list of allowed values is not enforced on the target"
    return Column(name=name, kind=Kind.STRING, source_type=own, max_bytes=max(1, longest), note=note)


def _domain(name: str, own: str, found: Declarations, seen: tuple[str, ...]) -> Column:
    base = found.domains[own].type
    column = _postgres_type(name, base, found, seen)
    note = _joined(column.note, f"a domain over {source_ddl.text(base)}; its checks are not enforced")
    return column.model_copy(update={"source_type": own, "note": note})


def _composite(name: str, own: str, found: Declarations, seen: tuple[str, ...]) -> Column:
    fields = tuple(_postgres_type(one.name, one.type, found, seen) for one in found.composites[own])
    return Column(name=name, kind=Kind.STRUCT, source_type=own, fields=fields)


def _range(name: str, own: str, found: Declarations, seen: tuple[str, ...]) -> Column:
    bound = _postgres_type("element", found.ranges[own], found, seen)
    return Column(name=name, kind=Kind.RANGE, source_type=own, fields=(bound,))


# Types that a file declares itself, by where they stand in Declarations.
_DECLARED: dict[str, Callable[[str, str, Declarations, tuple[str, ...]], Column]] = {
    "enums": _enum,
    "domains": _domain,
    "composites": _composite,
    "ranges": _range,
}


def _joined(*notes: str) -> str:
    return "; ".join(filter(None, notes))


def _postgres_builtin(name: str, text: str) -> Column:
    said = written(text)
    if said.name.startswith("interval"):
        said = Written("interval")
    if said.name == "float" and said.arguments and int(said.arguments[0]) <= 24:
        said = Written("real")
    column = column_of(postgres.ENGINE, name, text, said)
    if column.kind is Kind.RANGE:
        bound = Column(name="element", kind=postgres.RANGE_OF[said.name], source_type=said.name)
        return column.model_copy(update={"fields": (bound,)})
    return column


def _mysql(one: DdlColumn, _: Declarations) -> Column:
    text = source_ddl.text(one.type)
    words = [token.word for token in one.type]
    if words and words[0] in {"ENUM", "SET"}:
        values = [token.text for token in one.type if token.kind == "string"]
        column = column_of(mysql.ENGINE, one.name, text, Written(words[0]))
        return column.model_copy(update={"max_bytes": _members(words[0], values)})
    said = written(source_ddl.text([token for token in one.type if token.word not in _MYSQL_EXTRA]))
    base = said.name.removesuffix(" unsigned").removesuffix(" binary")
    unsigned = "UNSIGNED" in words or "ZEROFILL" in words
    name = f"{base} unsigned" if unsigned else base
    column = column_of(mysql.ENGINE, one.name, text, Written(name, said.arguments))
    return _mysql_widths(column, base, said.arguments)


_MYSQL_EXTRA = frozenset({"SIGNED", "ZEROFILL", "ASCII", "UNICODE", "BYTE"})


def _members(base: str, values: Sequence[str]) -> int:
    """Bytes of the longest value of an ENUM; of all members of a SET together, with commas."""
    sizes = [len(value.encode()) for value in values] or [1]
    return max(1, max(sizes) if base == "ENUM" else sum(sizes) + len(sizes) - 1)


def _mysql_widths(column: Column, base: str, arguments: tuple[str, ...]) -> Column:
    """Types whose meaning is in their width: BIT(n), FLOAT(p), TINYINT(1)."""
    if base == "bit":
        bits = int(arguments[0]) if arguments else 1
        kind = next((kind for most, kind in _BITS if bits <= most), Kind.DECIMAL)
        return column.model_copy(
            update={"kind": kind} | ({} if kind is Kind.DECIMAL else {"precision": None, "scale": None})
        )
    if base == "float" and len(arguments) == 1 and int(arguments[0]) > 24:
        return column.model_copy(update={"kind": Kind.FLOAT64})
    if base == "tinyint" and arguments == ("1",):
        return column.model_copy(update={"note": "often a boolean, but it holds -128 to 127: all are kept as numbers"})
    return column


_BITS = ((1, Kind.BOOLEAN), (15, Kind.INT16), (31, Kind.INT32), (63, Kind.INT64))


def _bigquery(one: DdlColumn, _: Declarations) -> Column:
    given = bigquery_field(one.name, list(one.type))
    return bigquery.columns([given])[0].model_copy(update={"required": one.required})


def bigquery_field(name: str, tokens: list[Token]) -> dict[str, Any]:
    """A type of GoogleSQL as a field of a JSON schema: `ARRAY<STRUCT<a INT64>>`."""
    head = tokens[0].text.upper() if tokens else ""
    inner = source_ddl.inside(tokens)
    if head == "ARRAY":
        return {**bigquery_field(name, inner), "mode": "REPEATED"}
    if head == "STRUCT":
        parts = source_ddl.split(inner)
        fields = [bigquery_field(part[0].text, source_ddl.type_tokens(part[1:])) for part in parts if part]
        return {"name": name, "type": "RECORD", "fields": fields}
    if head == "RANGE":
        return {"name": name, "type": "RANGE", "rangeElementType": {"type": inner[0].text if inner else ""}}
    numbers = [token.text for token in inner if token.kind == "number"]
    if head in {"STRING", "BYTES"}:
        return {"name": name, "type": head} | ({"maxLength": numbers[0]} if numbers else {})
    return {"name": name, "type": head} | dict(zip(("precision", "scale"), numbers, strict=False))


_READERS: dict[str, Callable[[DdlColumn, Declarations], Column]] = {
    "postgres": _postgres,
    "mysql": _mysql,
    "bigquery": _bigquery,
}
