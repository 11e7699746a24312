"""Column definitions, PARTITION BY, CLUSTER BY and OPTIONS of DDL statements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlglot import exp

from localcloud.bigquery import schema
from localcloud.bigquery.errors import invalid_query, unsupported
from localcloud.bigquery.schema import Field, Schema
from localcloud.bigquery.sql import pruning

_T = exp.DType
_TYPES = {
    _T.BIGINT: "INTEGER",
    _T.INT: "INTEGER",
    _T.SMALLINT: "INTEGER",
    _T.TINYINT: "INTEGER",
    _T.DOUBLE: "FLOAT",
    _T.FLOAT: "FLOAT",
    _T.BOOLEAN: "BOOLEAN",
    _T.TEXT: "STRING",
    _T.VARCHAR: "STRING",
    _T.BINARY: "BYTES",
    _T.VARBINARY: "BYTES",
    _T.DATE: "DATE",
    _T.TIME: "TIME",
    _T.TIMESTAMP: "DATETIME",
    _T.DATETIME: "DATETIME",
    _T.TIMESTAMPTZ: "TIMESTAMP",
    _T.DECIMAL: "NUMERIC",
    _T.BIGDECIMAL: "BIGNUMERIC",
    _T.JSON: "JSON",
    _T.GEOGRAPHY: "GEOGRAPHY",
    _T.INTERVAL: "INTERVAL",
}
_EXPIRATION = "expiration_timestamp"
_NAMES = {
    "description": "description",
    "friendly_name": "friendlyName",
    "require_partition_filter": "requirePartitionFilter",
    _EXPIRATION: "expirationTime",
}
_TRUNCATIONS = (exp.TimestampTrunc, exp.DatetimeTrunc, exp.DateTrunc)


def definitions(nodes: Sequence[exp.Expr]) -> tuple[Schema, dict[str, Any]]:
    """The columns, and the table constraints among them."""
    fields = tuple(definition(n) for n in nodes if isinstance(n, exp.ColumnDef))
    constraints: dict[str, Any] = {}
    for node in nodes:
        if isinstance(node, exp.PrimaryKey):
            constraints["primaryKey"] = {"columns": [e.name for e in node.expressions]}
        elif not isinstance(node, exp.ColumnDef):
            raise unsupported(f"the constraint {node.sql('bigquery')}")
    schema.parse([f.json() for f in fields])
    return fields, {"tableConstraints": constraints} if constraints else {}


def definition(node: exp.ColumnDef) -> Field:
    """One column."""
    required, extra = False, {}
    for constraint in node.args.get("constraints") or ():
        kind = constraint.kind
        if isinstance(kind, exp.NotNullColumnConstraint):
            required = True
        elif isinstance(kind, exp.Properties):
            extra = {k: v for k, v in options(kind).items() if k == "description"}
        else:
            raise unsupported(f"the column constraint {constraint.sql('bigquery')}")
    return _field(node.name, node.args["kind"], required=required, extra=extra)


def _field(
    name: str,
    kind: exp.DataType,
    mode: str = "NULLABLE",
    *,
    required: bool = False,
    extra: dict[str, Any] | None = None,
) -> Field:
    if kind.this == _T.ARRAY:
        return _field(name, kind.expressions[0], "REPEATED", extra=extra)
    mode = "REQUIRED" if required else mode
    if kind.this == _T.STRUCT:
        children = tuple(definition(c) for c in kind.expressions)
        return Field(schema.check_name(name), "RECORD", mode, fields=children, extra=extra or {})
    if kind.this == _T.RANGE:
        return Field(schema.check_name(name), "RANGE", mode, element=kind.expressions[0].sql("bigquery").upper())
    if kind.this not in _TYPES:
        raise invalid_query(f"Type not found: {kind.sql('bigquery')}")
    numbers = [int(p.this.this) for p in kind.expressions]
    typed = _parameterized(schema.check_name(name), _TYPES[kind.this], mode, numbers, extra or {})
    schema.check(typed)
    return typed


def _parameterized(name: str, kind: str, mode: str, numbers: list[int], extra: dict[str, Any]) -> Field:
    if not numbers:
        return Field(name, kind, mode, extra=extra)
    if kind in ("STRING", "BYTES"):
        return Field(name, kind, mode, max_length=numbers[0], extra=extra)
    scale = numbers[1] if len(numbers) > 1 else None
    return Field(name, kind, mode, precision=numbers[0], scale=scale, extra=extra)


def options(properties: exp.Expr | None) -> dict[str, Any]:
    """The OPTIONS(...) with literal values."""
    found: dict[str, Any] = {}
    for node in properties.expressions if properties is not None else ():
        if isinstance(node, exp.FileFormatProperty):
            found["format"] = _value(node.this)
        elif type(node) is exp.Property:
            name = str(node.name or node.this.name).lower()
            found[name] = _moment(node.args["value"]) if name == _EXPIRATION else _value(node.args["value"])
    return found


def _moment(node: exp.Expr) -> str | None:
    """The milliseconds of a TIMESTAMP, as the Table resource has them."""
    micros = pruning.moment(node)
    return None if micros is None else str(micros // 1000)


def _value(node: exp.Expr) -> Any:
    if isinstance(node, exp.Null):
        return None
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    if isinstance(node, exp.Array):
        return [_value(e) for e in node.expressions]
    if isinstance(node, exp.Tuple):
        return tuple(_value(e) for e in node.expressions)
    if isinstance(node, exp.Literal):
        return node.this if node.is_string else int(node.this) if node.is_int else float(node.this)
    raise unsupported(f"the option value {node.sql('bigquery')}")


def table_options(properties: exp.Expr | None) -> dict[str, Any]:
    """Table properties from PARTITION BY, CLUSTER BY and OPTIONS."""
    meta: dict[str, Any] = {}
    for node in properties.expressions if properties is not None else ():
        if isinstance(node, exp.PartitionedByProperty):
            meta |= _partitioning(node.this)
        elif isinstance(node, exp.ClusterProperty):
            meta["clustering"] = {"fields": [e.name for e in node.expressions]}
        elif type(node) is not exp.Property and not isinstance(node, (exp.ExternalProperty, exp.FileFormatProperty)):
            raise unsupported(f"{node.sql('bigquery')} in CREATE TABLE")
    return {**meta, **{k: v for k, v in named(options(properties)).items() if v}}


def named(given: dict[str, Any]) -> dict[str, Any]:
    """Options of a table as properties of its resource; None takes one away."""
    meta = {_NAMES[k]: v for k, v in given.items() if k in _NAMES}
    if "labels" in given:
        meta["labels"] = dict(given["labels"] or ())
    unknown = set(given) - {*_NAMES, "labels"}
    if unknown:
        raise unsupported(f"the table options {sorted(unknown)}")
    return meta


def _partitioning(node: exp.Expr) -> dict[str, Any]:
    if isinstance(node, exp.Schema):
        node = node.expressions[0]
    if isinstance(node, exp.RangeBucket):
        series = node.expression
        bounds = {k: str(series.args[a].this) for k, a in (("start", "start"), ("end", "end"), ("interval", "step"))}
        return {"rangePartitioning": {"field": node.this.name, "range": bounds}}
    if isinstance(node, _TRUNCATIONS):
        return _time(node.this.name, str(node.args["unit"].name).upper())
    if isinstance(node, (exp.Date, exp.TsOrDsToDate)):
        return _time(node.this.name, "DAY")
    if isinstance(node, (exp.Column, exp.Identifier)):
        return _time(node.name, "DAY")
    raise unsupported(f"PARTITION BY {node.sql('bigquery')}")


def _time(name: str, unit: str) -> dict[str, Any]:
    if name.lower() in ("_partitiondate", "_partitiontime"):
        return {"timePartitioning": {"type": unit}}
    return {"timePartitioning": {"type": unit, "field": name}}
