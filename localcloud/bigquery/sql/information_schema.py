"""INFORMATION_SCHEMA views of a dataset.

https://cloud.google.com/bigquery/docs/information-schema-intro
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
from sqlglot import exp

from localcloud.bigquery import schema
from localcloud.bigquery.errors import invalid_query, unsupported
from localcloud.bigquery.schema import Field, Schema
from localcloud.bigquery.sql.context import Context
from localcloud.bigquery.storage.catalog import Catalog, Table

MAX_PARTITION_TABLES = 1000
_SQL = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}
_KINDS = {"TABLE": "BASE TABLE", "MATERIALIZED_VIEW": "MATERIALIZED VIEW"}
Row = tuple[Any, ...]


def _schema(text: str) -> Schema:
    return tuple(Field(name, kind) for name, _, kind in (pair.partition(":") for pair in text.split()))


_TABLES = _schema(
    "table_catalog:STRING table_schema:STRING table_name:STRING table_type:STRING is_insertable_into:STRING "
    "is_typed:STRING creation_time:TIMESTAMP ddl:STRING"
)
_COLUMNS = _schema(
    "table_catalog:STRING table_schema:STRING table_name:STRING column_name:STRING ordinal_position:INTEGER "
    "is_nullable:STRING data_type:STRING is_hidden:STRING is_system_defined:STRING is_partitioning_column:STRING "
    "clustering_ordinal_position:INTEGER"
)
_PARTITIONS = _schema(
    "table_catalog:STRING table_schema:STRING table_name:STRING partition_id:STRING total_rows:INTEGER "
    "total_logical_bytes:INTEGER total_billable_bytes:INTEGER last_modified_time:TIMESTAMP storage_tier:STRING"
)
_STORAGE = _schema(
    "project_id:STRING table_catalog:STRING project_number:INTEGER table_schema:STRING table_name:STRING "
    "creation_time:TIMESTAMP total_rows:INTEGER total_partitions:INTEGER total_logical_bytes:INTEGER "
    "active_logical_bytes:INTEGER long_term_logical_bytes:INTEGER table_type:STRING "
    "storage_last_modified_time:TIMESTAMP deleted:BOOLEAN"
)


def find(
    catalog: Catalog, context: Context, parts: tuple[str, ...], where: exp.Expr | None = None
) -> tuple[Schema, pa.Table] | None:
    """The view that a name means with its rows, or None when it is no such name.

    Rows of tables that `where` rules out by name may be missing.
    """
    upper = [p.upper() for p in parts]
    if "INFORMATION_SCHEMA" not in upper:
        return None
    at = upper.index("INFORMATION_SCHEMA")
    before, name = parts[:at], upper[-1]
    if name == "TABLE_STORAGE":
        return _STORAGE, _rows(_STORAGE, (_storage(t) for t in _storage_tables(catalog, context, before)))
    if len(before) == 2:
        project, dataset = before
    elif len(before) == 1 and not before[0].lower().startswith("region-"):
        project, dataset = context.project, before[0]
    elif not before and context.dataset:
        project, dataset = context.dataset
    else:
        raise unsupported("INFORMATION_SCHEMA of a region")
    if name not in _VIEWS:
        raise unsupported(f"INFORMATION_SCHEMA.{name}")
    fields, rows = _VIEWS[name]
    wanted = _named(where) if where is not None else None
    tables = [t for t in catalog.tables(project, dataset) if wanted is None or t.ref.table in wanted]
    return fields, _rows(fields, rows(tables))


def _named(where: exp.Expr) -> set[str] | None:
    """The only table names that a condition lets through; None when it does not say so."""
    if isinstance(where, exp.Paren):
        return _named(where.this)
    if isinstance(where, exp.And):
        sides = [found for found in (_named(where.this), _named(where.expression)) if found is not None]
        return set.intersection(*sides) if sides else None
    if isinstance(where, exp.Or):
        left, right = _named(where.this), _named(where.expression)
        return None if left is None or right is None else left | right
    items = where.expressions if isinstance(where, exp.In) else []
    if isinstance(where, exp.EQ):
        items = [where.expression]
    column = isinstance(where.this, exp.Column) and where.this.name.lower() == "table_name"
    if not column or not items or not all(isinstance(i, exp.Literal) and i.is_string for i in items):
        return None
    return {str(i.this) for i in items}


def _rows(fields: Schema, rows: Iterator[Row]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(fields)
    arrays = [pa.array(c, schema.value_type(f)) for c, f in zip(columns, fields, strict=True)]
    return pa.table(arrays, schema=schema.arrow_schema(fields))


def _time(millis: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(millis / 1000, dt.UTC)


def _names(t: Table) -> tuple[str, str, str]:
    return t.ref.project, t.ref.dataset, t.ref.table


def _tables(tables: list[Table]) -> Iterator[Row]:
    for t in tables:
        insertable = "YES" if t.kind == "TABLE" else "NO"
        yield (*_names(t), _kind(t), insertable, "NO", _time(t.created), None)


def _kind(t: Table) -> str:
    return "CLONE" if "cloneDefinition" in t.meta else _KINDS.get(t.kind, t.kind)


def _columns(tables: list[Table]) -> Iterator[Row]:
    for t in tables:
        key = str(t.partitioning.field).lower() if t.partitioning else ""
        clustered = [str(n).lower() for n in (t.meta.get("clustering") or {}).get("fields", ())]
        for number, f in enumerate(t.fields, 1):
            name = f.name.lower()
            place = clustered.index(name) + 1 if name in clustered else None
            nullable = "NO" if f.mode == "REQUIRED" else "YES"
            partitioning = "YES" if name == key else "NO"
            yield (*_names(t), f.name, number, nullable, sql_type(f), "NO", "NO", partitioning, place)


def sql_type(field: Field) -> str:
    """The type of a column as SQL spells it."""
    kind = _SQL.get(field.type, field.type)
    if field.fields:
        kind = f"STRUCT<{', '.join(f'{f.name} {sql_type(f)}' for f in field.fields)}>"
    elif field.element:
        kind = f"RANGE<{field.element}>"
    elif field.max_length is not None:
        kind = f"{kind}({field.max_length})"
    elif field.precision is not None:
        kind = f"{kind}({field.precision}, {field.scale or 0})" if field.scale else f"{kind}({field.precision})"
    return f"ARRAY<{kind}>" if field.repeated else kind


def _partitions(tables: list[Table]) -> Iterator[Row]:
    base = [t for t in tables if t.kind == "TABLE"]
    if len(base) > MAX_PARTITION_TABLES:
        raise invalid_query(f"INFORMATION_SCHEMA.PARTITIONS query attempted to read too many tables: {len(base)}")
    for t in base:
        size = t.current.size()
        known = t.partitions if t.partitioning else {None: [t.current.rows, t.modified, size]}
        for name, (rows, modified, held) in known.items():
            yield (*_names(t), name, rows, held, held, _time(modified), "ACTIVE")


def _storage_tables(catalog: Catalog, context: Context, before: tuple[str, ...]) -> list[Table]:
    project = before[0] if len(before) == 2 else context.project
    region = before[-1].lower() if before else ""
    if not region.startswith("region-"):
        raise invalid_query("INFORMATION_SCHEMA.TABLE_STORAGE needs a region, as in `region-us`")
    found = [t for t in catalog.visible() if t.ref.project == project and t.holds_rows]
    place = region.removeprefix("region-")
    return [t for t in found if catalog.dataset(t.ref.project, t.ref.dataset).location.lower() == place]


def _storage(t: Table) -> Row:
    size, created = t.current.size(), _time(t.created)
    names = (t.ref.project, t.ref.project, 0, t.ref.dataset, t.ref.table)
    counts = (t.current.rows, len(t.partitions), size, size, 0)
    return (*names, created, *counts, _kind(t), _time(t.modified), False)


_VIEWS: dict[str, tuple[Schema, Callable[[list[Table]], Iterator[Row]]]] = {
    "TABLES": (_TABLES, _tables),
    "COLUMNS": (_COLUMNS, _columns),
    "PARTITIONS": (_PARTITIONS, _partitions),
}
