"""BigQuery's types as logical types. Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lakeshift.errors import TypeUnsupported
from lakeshift.model import Column, Kind

_KINDS = {
    "BOOL": Kind.BOOLEAN,
    "BOOLEAN": Kind.BOOLEAN,
    "INT64": Kind.INT64,
    "INTEGER": Kind.INT64,
    "INT": Kind.INT64,
    "SMALLINT": Kind.INT64,
    "BIGINT": Kind.INT64,
    "TINYINT": Kind.INT64,
    "BYTEINT": Kind.INT64,
    "FLOAT64": Kind.FLOAT64,
    "FLOAT": Kind.FLOAT64,
    "NUMERIC": Kind.DECIMAL,
    "BIGNUMERIC": Kind.DECIMAL,
    "DECIMAL": Kind.DECIMAL,
    "BIGDECIMAL": Kind.DECIMAL,
    "STRING": Kind.STRING,
    "BYTES": Kind.BYTES,
    "DATE": Kind.DATE,
    "TIME": Kind.TIME,
    "DATETIME": Kind.DATETIME,
    "TIMESTAMP": Kind.TIMESTAMP,
    "INTERVAL": Kind.INTERVAL,
    "RANGE": Kind.RANGE,
    "JSON": Kind.JSON,
    "GEOGRAPHY": Kind.GEOGRAPHY,
    "RECORD": Kind.STRUCT,
    "STRUCT": Kind.STRUCT,
}
_STANDARD_NAMES = {
    **dict.fromkeys(("INTEGER", "INT", "SMALLINT", "BIGINT", "TINYINT", "BYTEINT"), "INT64"),
    "FLOAT": "FLOAT64",
    "BOOLEAN": "BOOL",
    "RECORD": "STRUCT",
    "DECIMAL": "NUMERIC",
    "BIGDECIMAL": "BIGNUMERIC",
}
# (precision, scale) of the types without parameters; BIGNUMERIC holds 76 whole digits and a part of the 77th.
_DECIMALS = {"NUMERIC": (38, 9), "DECIMAL": (38, 9), "BIGNUMERIC": (76, 38), "BIGDECIMAL": (76, 38)}
_RANGED = frozenset({"DATE", "DATETIME", "TIMESTAMP"})
# Digits after the second.
_MICROSECONDS = 6


def columns(schema: Sequence[Mapping[str, Any]]) -> tuple[Column, ...]:
    """Columns of a BigQuery JSON schema (`tables.get` or `bq show --schema`).

    Raises:
        TypeUnsupported: a field's type is not known, or is finer than microseconds; names the column.
    """
    return tuple(_column(field, "") for field in schema)


def _column(field: Mapping[str, Any], parent: str) -> Column:
    path = f"{parent}.{field['name']}" if parent else str(field["name"])
    mode = str(field.get("mode") or "NULLABLE").upper()
    element = _single(field, path)
    if mode != "REPEATED":
        return element.model_copy(update={"required": mode == "REQUIRED"})
    # An array's element has no name; BigQuery stores a NULL array as an empty one, so it is never NULL.
    return Column(
        name=element.name,
        kind=Kind.ARRAY,
        source_type=f"ARRAY<{element.source_type}>",
        fields=(element,),
        description=element.description,
        default=element.default,
        tags=element.tags,
        collation=element.collation,
    )


def _single(field: Mapping[str, Any], path: str) -> Column:
    name = str(field["type"]).upper()
    if name not in _KINDS:
        raise TypeUnsupported(f"BigQuery type {name} is not known", where=path, next_step="exclude the table.")
    # Extracts hold microseconds; the rest of a TIMESTAMP(12) would be cut in silence.
    if int(field.get("timestampPrecision") or _MICROSECONDS) > _MICROSECONDS:
        text = f"{name}({field['timestampPrecision']}) is finer than microseconds"
        raise TypeUnsupported(text, where=path, next_step="exclude the table.")
    kind = _KINDS[name]
    precision, scale = _digits(field, name)
    fields = _fields(field, kind, path)
    return Column(
        name=str(field["name"]),
        kind=kind,
        source_type=_printed(name, field, fields),
        length=int(field["maxLength"]) if field.get("maxLength") else None,
        precision=precision,
        scale=scale,
        fields=fields,
        description=str(field.get("description") or ""),
        default=str(field.get("defaultValueExpression") or ""),
        tags=tuple(_tags(field)),
        collation=str(field.get("collation") or ""),
    )


def _tags(field: Mapping[str, Any]) -> Iterator[str]:
    """Policy tags of a column, and the data policies that it has without one.

    https://cloud.google.com/bigquery/docs/reference/rest/v2/tables#TableFieldSchema
    """
    yield from map(str, (field.get("policyTags") or {}).get("names") or ())
    listed = (field.get("dataPolicyList") or {}).get("dataPolicies")
    yield from (str(policy.get("name")) for policy in listed or field.get("dataPolicies") or ())


def _digits(field: Mapping[str, Any], name: str) -> tuple[int | None, int | None]:
    if name not in _DECIMALS:
        return None, None
    if not field.get("precision"):
        return _DECIMALS[name]
    return int(field["precision"]), int(field.get("scale") or 0)


def _fields(field: Mapping[str, Any], kind: Kind, path: str) -> tuple[Column, ...]:
    if kind is Kind.STRUCT:
        return tuple(_column(child, path) for child in field.get("fields") or ())
    if kind is Kind.RANGE:
        element = str((field.get("rangeElementType") or {}).get("type")).upper()
        if element not in _RANGED:
            raise TypeUnsupported(f"RANGE of {element} is not known", where=path, next_step="exclude the table.")
        return (Column(name="element", kind=_KINDS[element], source_type=element),)
    return ()


def _printed(name: str, field: Mapping[str, Any], fields: tuple[Column, ...]) -> str:
    standard = _STANDARD_NAMES.get(name, name)
    if standard == "STRUCT":
        return f"STRUCT<{', '.join(f'{child.name} {child.source_type}' for child in fields)}>"
    if standard == "RANGE":
        return f"RANGE<{fields[0].source_type}>"
    parameters = [str(field[key]) for key in ("maxLength", "precision", "scale") if field.get(key)]
    return f"{standard}({', '.join(parameters)})" if parameters else standard
