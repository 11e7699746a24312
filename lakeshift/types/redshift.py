"""Redshift's types for logical types, and what Redshift allows.

Limits: https://docs.aws.amazon.com/redshift/latest/dg/c_Supported_data_types.html,
https://docs.aws.amazon.com/redshift/latest/dg/limitations-super.html and
https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html
"""

from __future__ import annotations

from dataclasses import dataclass

from lakeshift.model import Column, Kind

MAX_VARCHAR_BYTES = 65_535
MAX_VARBYTE_BYTES = 16_777_216
MAX_DECIMAL_DIGITS = 38
MAX_COLUMNS = 1_600
MAX_IDENTIFIER_BYTES = 127
BYTES_PER_CHARACTER = 4

TEXT = f"VARCHAR({MAX_VARCHAR_BYTES})"


@dataclass(frozen=True)
class RedshiftType:
    """A column's type in the published table and in the table COPY fills, and the way between."""

    target: str
    landing: str
    conversion: str = ""
    note: str = ""


def _same(name: str) -> RedshiftType:
    return RedshiftType(name, name)


_PLAIN = {
    Kind.BOOLEAN: _same("BOOLEAN"),
    Kind.INT64: _same("BIGINT"),
    Kind.FLOAT64: _same("DOUBLE PRECISION"),
    Kind.DATE: _same("DATE"),
    # COPY cannot fill TIME from Parquet, so it travels as text.
    Kind.TIME: RedshiftType("TIME", "VARCHAR(15)", "CAST({column} AS TIME)"),
    Kind.DATETIME: _same("TIMESTAMP"),
    # COPY reads Parquet as Spectrum does, which knows no TIMESTAMPTZ: the instant lands as UTC without its zone.
    # https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_EXTERNAL_TABLE.html
    Kind.TIMESTAMP: RedshiftType("TIMESTAMPTZ", "TIMESTAMP", "({column} AT TIME ZONE 'UTC')"),
    # Redshift has year-month and day-second intervals, BigQuery mixes both in one value: only text holds all.
    Kind.INTERVAL: RedshiftType("VARCHAR(64)", "VARCHAR(64)", note="INTERVAL becomes text, as BigQuery prints it"),
    # SERIALIZETOJSON makes a string scalar of JSON text; JSON_PARSE makes the value of it.
    Kind.JSON: RedshiftType("SUPER", TEXT, "JSON_PARSE({column})"),
    Kind.GEOGRAPHY: RedshiftType("GEOGRAPHY", TEXT, "ST_GeogFromText({column})"),
    Kind.RANGE: RedshiftType("SUPER", "SUPER", note="RANGE becomes {start, end}"),
    Kind.STRUCT: _same("SUPER"),
    Kind.ARRAY: _same("SUPER"),
}


def type_of(column: Column) -> RedshiftType:
    """The Redshift type that holds every value of the column."""
    if column.kind is Kind.STRING:
        return _same(f"VARCHAR({_characters(column)})")
    if column.kind is Kind.BYTES:
        return _same(f"VARBYTE({column.length or MAX_VARBYTE_BYTES})")
    if column.kind is Kind.DECIMAL:
        return _decimal(column)
    plain = _PLAIN[column.kind]
    note = nested_note(column) if plain.target == "SUPER" else ""
    return RedshiftType(plain.target, plain.landing, plain.conversion, "; ".join(filter(None, (plain.note, note))))


def _characters(column: Column) -> int:
    declared = (column.length or MAX_VARCHAR_BYTES) * BYTES_PER_CHARACTER
    return min(declared, MAX_VARCHAR_BYTES)


def _decimal(column: Column) -> RedshiftType:
    precision, scale = column.precision or MAX_DECIMAL_DIGITS, column.scale or 0
    if precision <= MAX_DECIMAL_DIGITS:
        return _same(f"DECIMAL({precision},{scale})")
    return RedshiftType("VARCHAR(80)", "VARCHAR(80)", note=f"{precision} digits do not fit DECIMAL(38): exact text")


_NESTED_AS_TEXT = {
    Kind.BYTES: "base64 text",
    Kind.TIME: "text",
    Kind.INTERVAL: "text",
    Kind.JSON: "text holding JSON",
    Kind.GEOGRAPHY: "WKT text",
}


def nested_note(column: Column) -> str:
    """Which leaves of a nested column change their form inside SUPER; "" when none does."""
    notes = []
    for leaf in _leaves(column):
        form = _NESTED_AS_TEXT.get(leaf.kind)
        if leaf.kind is Kind.DECIMAL and (leaf.precision or 0) > MAX_DECIMAL_DIGITS:
            form = "exact text"
        if form:
            notes.append(f"{leaf.name} ({leaf.source_type}) becomes {form}")
    return ", ".join(notes)


def _leaves(column: Column) -> list[Column]:
    return [leaf for child in column.fields for leaf in ([child] if not child.fields else _leaves(child))]
