"""Values on their way into DuckDB and back, with BigQuery's types kept.

DuckDB has no BIGNUMERIC, GEOGRAPHY or RANGE. Each travels in a STRUCT with one field named after it,
so that the type survives every query and DuckDB itself refuses arithmetic on it. A BIGNUMERIC is the
unscaled integer as BIGNUM, which compares and sorts exactly; its own SUM goes through DOUBLE, ours does not.
"""

from __future__ import annotations

import json
from decimal import Decimal
from math import isfinite
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from duckdb.func import FunctionNullHandling, PythonUDFType

from localcloud import farm
from localcloud.bigquery import decimals, schema
from localcloud.bigquery.arrays import list_parts, without_extensions
from localcloud.bigquery.errors import invalid_query, unsupported
from localcloud.bigquery.schema import Field, Schema

WRAPPED = ("BIGNUMERIC", "GEOGRAPHY", "RANGE")
_TAGS = {"$bignumeric": "BIGNUMERIC", "$geography": "GEOGRAPHY", "$range": "RANGE"}
_BIGNUM_HEADER = 3

_TYPES = {
    "bigint": "INTEGER",
    "integer": "INTEGER",
    "smallint": "INTEGER",
    "tinyint": "INTEGER",
    "utinyint": "INTEGER",
    "usmallint": "INTEGER",
    "uinteger": "INTEGER",
    "ubigint": "INTEGER",
    "hugeint": "INTEGER",
    "uhugeint": "INTEGER",
    "double": "FLOAT",
    "float": "FLOAT",
    "boolean": "BOOLEAN",
    "varchar": "STRING",
    "uuid": "STRING",
    "blob": "BYTES",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "DATETIME",
    "timestamp_s": "DATETIME",
    "timestamp_ms": "DATETIME",
    "timestamp_ns": "DATETIME",
    "timestamp with time zone": "TIMESTAMP",
    "decimal": "NUMERIC",
    "interval": "INTERVAL",
    "json": "JSON",
    '"null"': "INTEGER",
    "null": "INTEGER",
}


def connect() -> duckdb.DuckDBPyConnection:
    """A private DuckDB without access to files or network."""
    connection = duckdb.connect(config={"threads": 2})
    for setting in ("TimeZone='UTC'", "python_enable_replacements=false", "enable_external_access=false"):
        connection.execute(f"SET {setting}")
    _add_functions(connection)
    return connection


def _add_functions(connection: duckdb.DuckDBPyConnection) -> None:
    """What BigQuery computes and DuckDB has no exact function for."""
    number = "DECIMAL(38, 9)"
    connection.create_function("numeric_divide", numeric_divide, [number, number], number)
    connection.create_function("scaled_text", _scaled_text, ["VARCHAR"], "VARCHAR")
    connection.create_function("numeric_text", _numeric_text, [number], "VARCHAR")
    connection.create_function("unscaled_total", _unscaled_total, ["VARCHAR[]"], "VARCHAR")
    connection.create_function("farm_fingerprint", farm.fingerprints_of, None, "BIGINT", type=PythonUDFType.ARROW)
    # By value: a CASE around a function of columns may read texts that are no longer there.
    nulls = FunctionNullHandling.SPECIAL
    connection.create_function("string_json", _string_json, ["VARCHAR"], "VARCHAR", null_handling=nulls)
    connection.create_function("float_json", _float_json, ["DOUBLE"], "VARCHAR", null_handling=nulls)
    connection.execute("CREATE MACRO ieee_divide(x, y) AS CAST(x AS DOUBLE) / CAST(y AS DOUBLE)")
    connection.execute(f"CREATE MACRO interval_text(value) AS {_INTERVAL_TEXT}")
    connection.execute(
        "CREATE MACRO bignumeric_text(value) AS scaled_text(CAST(struct_extract(value, '$bignumeric') AS VARCHAR))"
    )
    # The list of no value is NULL, and so is all that is made of it.
    texts = "list(CAST(struct_extract(value, '$bignumeric') AS VARCHAR)) FILTER (WHERE value IS NOT NULL)"
    total = _wrap(f"unscaled_total({texts})", Field("total", "BIGNUMERIC"))
    connection.execute(f"CREATE MACRO bignumeric_sum(value) AS {total}")


# `Y-M D H:M:S[.F]`: https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#interval_type
_MONTHS = "(date_part('year', value) * 12 + date_part('month', value))"
_MICROS = (
    "(date_part('hour', value) * 3600000000 + date_part('minute', value) * 60000000 + date_part('microsecond', value))"
)
_INTERVAL_TEXT = (
    f"CASE WHEN {_MONTHS} < 0 THEN '-' ELSE '' END || (abs({_MONTHS}) // 12) || '-' || (abs({_MONTHS}) % 12) || ' ' || "
    f"date_part('day', value) || ' ' || CASE WHEN {_MICROS} < 0 THEN '-' ELSE '' END || "
    f"(abs({_MICROS}) // 3600000000) || ':' || (abs({_MICROS}) // 60000000 % 60) || ':' || "
    f"(abs({_MICROS}) // 1000000 % 60) || "
    f"CASE WHEN {_MICROS} % 1000000 = 0 THEN '' ELSE '.' || lpad(CAST(abs({_MICROS}) % 1000000 AS VARCHAR), 6, '0') END"
)


def _string_json(value: str | None) -> str:
    return json.dumps(value, ensure_ascii=False)


def _float_json(value: float | None) -> str:
    """Numbers as they are, what is none as text.

    https://cloud.google.com/bigquery/docs/reference/standard-sql/json_functions#json_encodings
    """
    if value is None:
        return "null"
    return repr(value) if isfinite(value) else f'"{_WORDS[str(value)]}"'


_WORDS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def _numeric_text(value: Decimal) -> str:
    return decimals.text(decimals.unscaled(value, 9) or 0, 9)


def _scaled_text(unscaled: str) -> str:
    return decimals.text(int(unscaled))


def _unscaled_total(unscaled: list[str]) -> str:
    total = sum(map(int, unscaled))
    if not -decimals.MAX - 1 <= total <= decimals.MAX:
        raise OverflowError("bignumeric overflow")
    return str(total)


def numeric_divide(left: Decimal, right: Decimal) -> Decimal:
    """NUMERIC division, rounded half away from zero at nine digits; the divisor is not zero."""
    top, bottom = decimals.unscaled(left, 9) or 0, decimals.unscaled(right, 9) or 0
    quotient = (2 * abs(top) * 10**9 + abs(bottom)) // (2 * abs(bottom))
    if quotient > decimals.NUMERIC_MAX:
        raise OverflowError("numeric overflow")
    return Decimal(decimals.text(quotient if (top < 0) == (bottom < 0) else -quotient, 9))


def register(connection: duckdb.DuckDBPyConnection, name: str, table: pa.Table, fields: Schema) -> None:
    """Make a table of exact BigQuery types available under a name."""
    columns = [_outgoing(table.column(f.name), f) for f in fields]
    extra = [n for n in table.schema.names if n not in {f.name for f in fields}]
    raw = pa.table([*columns, *(table.column(n) for n in extra)], names=[*(f.name for f in fields), *extra])
    connection.register(f"{name}_raw", raw)
    select = [f"{_wrap(quoted(f.name), f)} AS {quoted(f.name)}" for f in fields] + [quoted(n) for n in extra]
    connection.execute(f"CREATE VIEW {name} AS SELECT {', '.join(select)} FROM {name}_raw")  # noqa: S608


def quoted(name: str) -> str:
    """A DuckDB identifier."""
    return '"' + name.replace('"', '""') + '"'


def _special(field: Field) -> bool:
    return field.type in (*WRAPPED, "JSON") or any(_special(child) for child in field.fields)


def _holds_bignumeric(field: Field) -> bool:
    return field.type == "BIGNUMERIC" or any(_holds_bignumeric(child) for child in field.fields)


def _outgoing(column: pa.ChunkedArray, field: Field) -> pa.ChunkedArray:
    if not _holds_bignumeric(field):
        return column
    chunks = [_as_text(chunk, field) for chunk in column.chunks]
    return pa.chunked_array(chunks) if chunks else pa.chunked_array([_as_text(pa.nulls(0, column.type), field)])


def _as_text(array: pa.Array, field: Field) -> pa.Array:
    """The array with each BIGNUMERIC as the text of its unscaled integer."""
    if not _holds_bignumeric(field):
        return array
    if field.repeated:
        offsets, values = list_parts(array)
        return pa.ListArray.from_arrays(offsets, _as_text(values, field.item()))
    if field.fields:
        parts = [_as_text(part, f) for part, f in zip(array.flatten(), field.fields, strict=True)]
        return pa.StructArray.from_arrays(parts, names=[f.name for f in field.fields], mask=array.is_null())
    return pa.array([None if v is None else str(v) for v in decimals.to_unscaled(array)], pa.string())


def _wrap(expression: str, field: Field) -> str:
    if not _special(field):
        return expression
    if field.repeated:
        return f"list_transform({expression}, lambda item: {_wrap('item', field.item())})"
    if field.type == "JSON":
        return f"CAST({expression} AS JSON)"
    value = _struct(expression, field) if field.fields else _tagged(expression, field.type)
    return f"CASE WHEN {expression} IS NULL THEN NULL ELSE {value} END"


def _struct(expression: str, field: Field) -> str:
    parts = (f"{quoted(f.name)} := {_wrap(f'({expression}).{quoted(f.name)}', f)}" for f in field.fields)
    return f"struct_pack({', '.join(parts)})"


def _tagged(expression: str, kind: str) -> str:
    inner = f"CAST({expression} AS BIGNUM)" if kind == "BIGNUMERIC" else expression
    return f'struct_pack("${kind.lower()}" := {inner})'


def result_fields(relation: duckdb.DuckDBPyRelation) -> Schema:
    """The BigQuery schema of a result."""
    return tuple(_field(name, kind) for name, kind in zip(relation.columns, relation.types, strict=True))


def type_of(relation: duckdb.DuckDBPyRelation) -> str | None:
    """The type of a result's only column; None of a NULL, which has the type that its place wants."""
    (kind,) = relation.types
    return None if str(kind).lower() in ("null", '"null"') else result_fields(relation)[0].type


def _field(name: str, kind: Any, mode: str = "NULLABLE") -> Field:
    if kind.id == "list":
        element = _field(name, kind.children[0][1], "REPEATED")
        if kind.children[0][1].id == "list":
            raise invalid_query(
                "Cannot construct array with element type ARRAY because nested arrays are not supported"
            )
        return element
    if kind.id == "struct":
        return _record(name, kind, mode)
    text = str(kind).lower() if kind.id != "decimal" else "decimal"
    if text not in _TYPES:
        raise unsupported(f"column {name} of DuckDB type {kind}")
    return Field(name, _TYPES[text], mode)


def _record(name: str, kind: Any, mode: str) -> Field:
    children = kind.children
    tag = _TAGS.get(children[0][0])
    if tag == "RANGE":
        element = _field("bound", children[0][1].children[0][1]).type
        return Field(name, "RANGE", mode, element=element)
    if tag:
        return Field(name, tag, mode)
    return Field(name, "RECORD", mode, fields=tuple(_field(n, child) for n, child in children))


def fetch(relation: duckdb.DuckDBPyRelation, fields: Schema) -> pa.Table:
    """The rows of a result in exact BigQuery types."""
    source, target = relation.to_arrow_table(), schema.arrow_schema(fields)
    columns = [
        pa.chunked_array(
            [incoming(without_extensions(chunk), f) for chunk in source.column(i).chunks], target.field(i).type
        )
        for i, f in enumerate(fields)
    ]
    return pa.table(columns, schema=target)


def incoming(array: pa.Array, field: Field) -> pa.Array:
    """A column as DuckDB returns it in the type of a field."""
    if field.repeated:
        return _incoming_list(array, field)
    if field.type in WRAPPED:
        return _unwrap(array, field)
    if field.fields:
        parts = [incoming(part, f) for part, f in zip(array.flatten(), field.fields, strict=True)]
        return pa.StructArray.from_arrays(parts, fields=list(schema.value_type(field)), mask=array.is_null())
    return _cast(array, field)


def _incoming_list(array: pa.Array, field: Field) -> pa.Array:
    offsets, values = list_parts(array)
    if values.null_count:
        raise invalid_query(f"Array cannot have a null element; error in writing field {field.name}")
    return pa.ListArray.from_arrays(offsets, incoming(values, field.item()), type=schema.arrow_type(field))


def _unwrap(array: pa.Array, field: Field) -> pa.Array:
    inner = array.flatten()[0]
    if field.type == "GEOGRAPHY":
        return inner.cast(pa.string())
    if field.type == "BIGNUMERIC":
        return decimals.from_unscaled([_bignum(v) for v in inner.to_pylist()])
    bound = Field("bound", str(field.element))
    ends = [incoming(end, bound) for end in inner.flatten()]
    return pa.StructArray.from_arrays(ends, fields=list(schema.value_type(field)), mask=array.is_null())


def _bignum(raw: bytes | None) -> int | None:
    """DuckDB's BIGNUM: a three byte header, then the magnitude; all bits inverted when negative.

    https://github.com/duckdb/duckdb/blob/main/src/include/duckdb/common/types/bignum.hpp
    """
    if raw is None:
        return None
    if raw[0] & 0x80:
        value = int.from_bytes(raw[_BIGNUM_HEADER:], "big")
    else:
        value = -int.from_bytes(bytes(b ^ 0xFF for b in raw[_BIGNUM_HEADER:]), "big")
    if not -decimals.MAX - 1 <= value <= decimals.MAX:
        raise invalid_query("BIGNUMERIC overflow")
    return value


def _cast(array: pa.Array, field: Field) -> pa.Array:
    target = schema.value_type(field)
    if array.type == target:
        return array
    try:
        if field.type == "NUMERIC" and array.type.scale > 9:
            return pc.round(array, 9, round_mode="half_towards_infinity").cast(target)
        return array.cast(target)
    except pa.ArrowInvalid as error:
        raise invalid_query(f"{field.type} overflow in column {field.name}: {error}") from None
