"""Redshift's types for logical types, and what Redshift allows.

Limits: https://docs.aws.amazon.com/redshift/latest/dg/c_Supported_data_types.html,
https://docs.aws.amazon.com/redshift/latest/dg/limitations-super.html and
https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from lakeshift.model import Column, Kind

MAX_VARCHAR_BYTES = 65_535
MAX_VARBYTE_BYTES = 16_777_216
MAX_SUPER_BYTES = 16_777_216
# https://docs.aws.amazon.com/redshift/latest/dg/r_COPY.html: a row that is loaded, from any source
MAX_ROW_BYTES = 4_194_304
MAX_DECIMAL_DIGITS = 38
MAX_DECIMAL_SCALE = 37
MAX_COLUMNS = 1_600
MAX_IDENTIFIER_BYTES = 127
BYTES_PER_CHARACTER = 4

TEXT = f"VARCHAR({MAX_VARCHAR_BYTES})"
_LONG_TEXT = f"a value beyond {MAX_VARCHAR_BYTES:,} bytes does not fit"
_LONG_BYTES = f"a value beyond {MAX_VARBYTE_BYTES:,} bytes does not fit"


@dataclass(frozen=True)
class RedshiftType:
    """A column's type in the published table and in the table COPY fills, and the way between.

    Attributes:
        note: why it is this type, where that needs a word.
        risk: which values it cannot hold; see `misfits` of the config; none is changed in silence.
    """

    target: str
    landing: str
    conversion: str = ""
    note: str = ""
    risk: str = ""


def _same(name: str, note: str = "", risk: str = "") -> RedshiftType:
    return RedshiftType(name, name, note=note, risk=risk)


_PLAIN = {
    Kind.BOOLEAN: _same("BOOLEAN"),
    Kind.INT16: _same("SMALLINT"),
    Kind.INT32: _same("INTEGER"),
    Kind.INT64: _same("BIGINT"),
    Kind.FLOAT32: _same("REAL"),
    Kind.FLOAT64: _same("DOUBLE PRECISION"),
    Kind.DATE: _same("DATE"),
    # COPY cannot fill TIME from Parquet, so it travels as text.
    Kind.TIME: RedshiftType("TIME", "VARCHAR(15)", "CAST({column} AS TIME)"),
    Kind.TIME_ZONED: RedshiftType("TIMETZ", "VARCHAR(21)", "CAST({column} AS TIMETZ)"),
    Kind.DATETIME: _same("TIMESTAMP"),
    # COPY reads Parquet as Spectrum does, which knows no TIMESTAMPTZ: the instant lands as UTC without its zone.
    # https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_EXTERNAL_TABLE.html
    Kind.TIMESTAMP: RedshiftType("TIMESTAMPTZ", "TIMESTAMP", "({column} AT TIME ZONE 'UTC')"),
    # Redshift has year-month and day-second intervals, the sources mix both in one value: only text holds all.
    Kind.INTERVAL: _same("VARCHAR(64)", "INTERVAL becomes text, as the source prints it"),
    # SERIALIZETOJSON makes a string scalar of JSON text; JSON_PARSE makes the value of it.
    Kind.JSON: RedshiftType("SUPER", TEXT, "JSON_PARSE({column})", risk=_LONG_TEXT),
    Kind.GEOGRAPHY: RedshiftType("GEOGRAPHY", TEXT, "ST_GeogFromText({column})", risk=_LONG_TEXT),
    Kind.GEOMETRY: RedshiftType("GEOMETRY", TEXT, "ST_GeomFromText({column})", risk=_LONG_TEXT),
    Kind.RANGE: _same("SUPER", "RANGE becomes {start, end}"),
    Kind.STRUCT: _same("SUPER"),
    Kind.ARRAY: _same("SUPER"),
}


def type_of(column: Column) -> RedshiftType:
    """The Redshift type that holds every value of the column, with what its source's type says beside it."""
    chosen = _chosen(column)
    note = "; ".join(filter(None, (chosen.note, column.note)))
    return replace(chosen, note=note, risk="; ".join(filter(None, (chosen.risk, column.risk))))


def _chosen(column: Column) -> RedshiftType:
    if column.kind in _SIZED:
        return _SIZED[column.kind](column)
    plain = _PLAIN[column.kind]
    note = nested_note(column) if plain.target == "SUPER" else ""
    return replace(plain, note="; ".join(filter(None, (plain.note, note))))


def _string(column: Column) -> RedshiftType:
    width = column.max_bytes or (column.length or MAX_VARCHAR_BYTES) * BYTES_PER_CHARACTER
    return _same(f"VARCHAR({min(width, MAX_VARCHAR_BYTES)})", risk=_LONG_TEXT if width > MAX_VARCHAR_BYTES else "")


def _bytes(column: Column) -> RedshiftType:
    length = column.max_bytes or column.length or MAX_VARBYTE_BYTES + 1
    return _same(f"VARBYTE({min(length, MAX_VARBYTE_BYTES)})", risk=_LONG_BYTES if length > MAX_VARBYTE_BYTES else "")


def _decimal(column: Column) -> RedshiftType:
    if column.precision is None:
        return _same(TEXT, "the source sets no precision: exact text, never rounded")
    if not fits_decimal(column):
        # Digits, sign, point and the zero before it.
        width = max(80, column.precision + 4)
        return _same(f"VARCHAR({width})", f"{_digits(column)} do not fit DECIMAL(38): exact text")
    return _same(f"DECIMAL({column.precision},{column.scale or 0})")


def _digits(column: Column) -> str:
    if (column.precision or 0) > MAX_DECIMAL_DIGITS:
        return f"{column.precision} digits"
    return f"{column.scale} digits after the point"


def fits_decimal(column: Column) -> bool:
    """True for a DECIMAL whose declared digits Redshift holds; all others travel as exact text.

    https://docs.aws.amazon.com/redshift/latest/dg/r_Numeric_types201.html
    """
    if column.precision is None:
        return False
    return column.precision <= MAX_DECIMAL_DIGITS and (column.scale or 0) <= MAX_DECIMAL_SCALE


_SIZED: dict[Kind, Callable[[Column], RedshiftType]] = {
    Kind.STRING: _string,
    Kind.BYTES: _bytes,
    Kind.DECIMAL: _decimal,
}

_NESTED_AS_TEXT = {
    Kind.BYTES: "base64 text",
    Kind.TIME: "text",
    Kind.TIME_ZONED: "text",
    Kind.INTERVAL: "text",
    Kind.JSON: "text holding JSON",
    Kind.GEOGRAPHY: "WKT text",
    Kind.GEOMETRY: "WKT text",
}


def nested_note(column: Column) -> str:
    """Which leaves of a nested column change their form inside SUPER; "" when none does."""
    notes = []
    for leaf in _leaves(column):
        form = _NESTED_AS_TEXT.get(leaf.kind)
        if leaf.kind is Kind.DECIMAL and not fits_decimal(leaf):
            form = "exact text"
        if form:
            notes.append(f"{leaf.name} ({leaf.source_type}) becomes {form}")
    return ", ".join(notes)


def _leaves(column: Column) -> list[Column]:
    return [leaf for child in column.fields for leaf in ([child] if not child.fields else _leaves(child))]


# Base64 text inside SUPER has at most 65,535 bytes.
_NESTED_BYTES = MAX_VARCHAR_BYTES // 4 * 3
_OUT_OF_SUPER = {
    Kind.DATE: "CAST(CAST({column} AS VARCHAR(10)) AS DATE)",
    Kind.TIME: "CAST(CAST({column} AS VARCHAR(15)) AS TIME)",
    Kind.TIME_ZONED: "CAST(CAST({column} AS VARCHAR(21)) AS TIMETZ)",
    Kind.DATETIME: "CAST(CAST({column} AS VARCHAR(32)) AS TIMESTAMP)",
    Kind.TIMESTAMP: "(CAST(CAST({column} AS VARCHAR(32)) AS TIMESTAMP) AT TIME ZONE 'UTC')",
    Kind.JSON: f"JSON_PARSE(CAST({{column}} AS {TEXT}))",
    Kind.GEOGRAPHY: f"ST_GeogFromText(CAST({{column}} AS {TEXT}))",
    Kind.GEOMETRY: f"ST_GeomFromText(CAST({{column}} AS {TEXT}))",
    Kind.RANGE: "{column}",
    Kind.STRUCT: "{column}",
    Kind.ARRAY: "{column}",
}


def leaf_type(column: Column) -> RedshiftType:
    """The type of a leaf that is taken out of a SUPER value, and the SQL that takes it: its landing is SUPER.

    Values go through their text where SUPER holds text:
    https://docs.aws.amazon.com/redshift/latest/dg/r_TO_VARBYTE.html
    """
    chosen = type_of(column)
    if column.kind is Kind.BYTES:
        length = min(column.length or _NESTED_BYTES, _NESTED_BYTES)
        conversion = f"TO_VARBYTE(CAST({{column}} AS {TEXT}), 'base64')"
        risk = f"a value beyond {_NESTED_BYTES:,} bytes does not fit"
        return RedshiftType(f"VARBYTE({length})", "SUPER", conversion, chosen.note, risk)
    conversion = _OUT_OF_SUPER.get(column.kind, f"CAST({{column}} AS {chosen.target})")
    return replace(chosen, landing="SUPER", conversion=conversion)


def super_risk(column: Column) -> str:
    """Which values of a column do not fit SUPER, in which it is on its way or stays; "" where all do."""
    odd = "NaN and infinities do not fit SUPER" if column.kind in (Kind.FLOAT32, Kind.FLOAT64) else ""
    return "; ".join(filter(None, (leaf_type(column).risk, odd)))


def as_json_text(column: Column) -> RedshiftType:
    """A nested column as the text of its JSON. Raises nothing: the function refuses what is too long.

    Of NULL it makes the text `null`, which no nested value has.
    https://docs.aws.amazon.com/redshift/latest/dg/JSON_SERIALIZE.html
    """
    note = "; ".join(filter(None, ("JSON text", nested_note(column), column.note)))
    return RedshiftType(TEXT, "SUPER", "NULLIF(JSON_SERIALIZE({column}), 'null')", note, _LONG_TEXT)
