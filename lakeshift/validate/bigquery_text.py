"""Canonical texts that BigQuery has no function for: DECIMAL with its scale, intervals, JSON of nested values. Pure.

Nested values are put together field by field, since TO_JSON_STRING writes large numbers in quotes, and times otherwise
than the load does; _LEAVES says how each kind stands inside JSON. Every kind that BigQuery has is there; floats inside
nested values and JSON columns have the digits that BigQuery prints, so their texts may differ where values are equal.
https://cloud.google.com/bigquery/docs/reference/standard-sql/json_functions#json_encodings
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from lakeshift.errors import TypeUnsupported
from lakeshift.inventory.query import identifier
from lakeshift.model import Column, Kind
from lakeshift.types.redshift import fits_decimal

# https://cloud.google.com/bigquery/docs/reference/standard-sql/format-elements#format_elements_date_time
_DATE, _CLOCK = "%E4Y-%m-%d", "%H:%M:%E6S"
_STRUCTS = frozenset({Kind.STRUCT, Kind.RANGE})


def _literal(text: str) -> str:
    """A string literal. https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical#string_and_bytes_literals"""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def decimal_text(value: str, scale: int) -> str:
    """Digits with `scale` of them after the point, or more where the value has more: such a one equals no other text.

    BigQuery's own text has no zeros at its end, and RPAD cuts what is longer.
    """
    text = f"CAST({value} AS STRING)"
    if scale == 0:
        return text
    pointed = f"CASE WHEN STRPOS({text}, '.') = 0 THEN {text} || '.' ELSE {text} END"
    return f"RPAD({pointed}, GREATEST(LENGTH({pointed}), STRPOS({text} || '.', '.') + {scale}), '0')"


def interval_text(value: str) -> str:
    """`Y-M D H:M:S[.F]`, the fraction without zeros at its end.

    https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#interval_type
    """
    text = f"CAST({value} AS STRING)"
    return f"CASE WHEN STRPOS({text}, '.') = 0 THEN {text} ELSE RTRIM(RTRIM({text}, '0'), '.') END"


def text_of(column: Column, value: str, path: str) -> str:
    """The canonical text of a value of a kind without a template of its own.

    Raises:
        TypeUnsupported: a kind that no source in BigQuery has; names the path of the value.
    """
    if column.kind is Kind.DECIMAL:
        return decimal_text(value, column.scale or 0)
    if column.kind is Kind.INTERVAL:
        return interval_text(value)
    if column.kind is Kind.JSON:
        return _there(value, f"TO_JSON_STRING({value})")
    if column.kind is Kind.ARRAY or column.kind in _STRUCTS:
        return _json(column, value, path, 0)
    raise TypeUnsupported(f"{column.source_type} has no canonical form in BigQuery's SQL", where=path)


def _json(column: Column, value: str, path: str, depth: int) -> str:
    """JSON of a value, NULL for NULL; `depth` counts the arrays around it."""
    if column.kind is Kind.ARRAY:
        return _array(column.fields[0], value, path, depth)
    if column.kind in _STRUCTS:
        return _struct(column, value, path, depth)
    if column.kind is Kind.DECIMAL:
        return decimal_text(value, column.scale or 0) if fits_decimal(column) else _quoted(f"CAST({value} AS STRING)")
    if column.kind not in _LEAVES:
        raise TypeUnsupported(f"{column.source_type} has no canonical form in BigQuery's SQL", where=path)
    return _LEAVES[column.kind].format(value)


def _there(value: str, text: str) -> str:
    """The text of a value, NULL for NULL, of which TO_JSON_STRING makes the text `null`, as of the null of JSON."""
    return f"CASE WHEN {value} IS NOT NULL THEN {text} END"


def _quoted(text: str) -> str:
    return f"'\"' || {text} || '\"'"


_LEAVES: Mapping[Kind, str] = {
    Kind.BOOLEAN: "CASE WHEN {0} THEN 'true' WHEN NOT {0} THEN 'false' END",
    Kind.INT64: "CAST({0} AS STRING)",
    # 1.0 where the load writes 1.
    Kind.FLOAT64: r"REGEXP_REPLACE(TO_JSON_STRING({0}), r'\.0$', '')",
    Kind.STRING: "TO_JSON_STRING({0})",
    Kind.BYTES: _quoted("TO_BASE64({0})"),
    Kind.DATE: _quoted(f"FORMAT_DATE('{_DATE}', {{0}})"),
    Kind.TIME: _quoted(f"FORMAT_TIME('{_CLOCK}', {{0}})"),
    Kind.DATETIME: _quoted(f"FORMAT_DATETIME('{_DATE} {_CLOCK}', {{0}})"),
    Kind.TIMESTAMP: _quoted(f"FORMAT_TIMESTAMP('{_DATE} {_CLOCK}', {{0}}, 'UTC')"),
    Kind.INTERVAL: _quoted(interval_text("{0}")),
    # A text that holds JSON.
    Kind.JSON: _there("{0}", "TO_JSON_STRING(TO_JSON_STRING({0}))"),
    Kind.GEOGRAPHY: "TO_JSON_STRING(ST_ASTEXT({0}))",
}


def _struct(column: Column, value: str, path: str, depth: int) -> str:
    fields = _bounds(column, value) if column.kind is Kind.RANGE else _fields(column, value)
    pieces = []
    for place, (field, inside) in enumerate(fields):
        name = f"{',' if place else '{'}{json.dumps(field.name, ensure_ascii=False)}:"
        text = _json(field, inside, f"{path}.{field.name}", depth)
        pieces.append(f"{_literal(name)} || COALESCE({text}, 'null')")
    made = " || ".join([*(pieces or ["'{'"]), "'}'"])
    return f"CASE WHEN {value} IS NOT NULL THEN {made} END"


def _fields(column: Column, value: str) -> list[tuple[Column, str]]:
    return [(field, f"{value}.{identifier(field.name)}") for field in column.fields]


def _bounds(column: Column, value: str) -> list[tuple[Column, str]]:
    """https://cloud.google.com/bigquery/docs/reference/standard-sql/range-functions"""
    bound = column.fields[0]
    return [(bound.model_copy(update={"name": name}), f"RANGE_{name.upper()}({value})") for name in ("start", "end")]


def _array(element: Column, value: str, path: str, depth: int) -> str:
    """A NULL array is an empty one, as BigQuery stores it."""
    of = "".join(letter for letter in path.rpartition(".")[2] if letter.isascii() and letter.isalnum())
    one, place = f"e{depth}_{of}", f"o{depth}_{of}"
    text = f"COALESCE({_json(element, one, f'{path}[]', depth + 1)}, 'null')"
    items = f"SELECT STRING_AGG({text}, ',' ORDER BY {place}) FROM UNNEST({value}) AS {one} WITH OFFSET AS {place}"
    return f"'[' || COALESCE(({items}), '') || ']'"
