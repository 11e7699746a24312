"""What may be stored in a column: the one place where widths, NULLs and implicit conversions are enforced.

https://docs.aws.amazon.com/redshift/latest/dg/c_Supported_data_types.html#implicit-conversion-types
"""

from __future__ import annotations

from localcloud.redshift.errors import RedshiftError
from localcloud.redshift.model import Column
from localcloud.redshift.types import ColumnType

MAX_SUPER_BYTES = 16_777_216


def fitted(column: Column, value: str) -> str:
    """DuckDB SQL that gives the value as the column stores it, or fails with Redshift's words."""
    stored = _STORED.get(column.type.name, _plain)(column.type, value)
    if column.nullable:
        return stored
    message = _literal(f"Cannot insert a NULL value into column {column.name}")
    return f"CASE WHEN {value} IS NULL THEN error({message}) ELSE {stored} END"


def _plain(kind: ColumnType, value: str) -> str:
    return f"CAST({value} AS {kind.duckdb})"


def _varchar(kind: ColumnType, value: str) -> str:
    """Blanks beyond the width are cut, anything else is an error; the width is in bytes."""
    text = f"CAST({value} AS VARCHAR)"
    bare = f"rtrim({text}, ' ')"
    cut = f"{bare} || repeat(' ', {kind.length} - strlen({bare}))"
    return (
        f"CASE WHEN strlen({bare}) > {kind.length} THEN {_too_long(kind)} "
        f"WHEN strlen({text}) > {kind.length} THEN {cut} ELSE {text} END"
    )


def _char(kind: ColumnType, value: str) -> str:
    """CHAR takes single-byte characters only; its trailing blanks mean nothing and are not stored."""
    text = f"rtrim(CAST({value} AS VARCHAR), ' ')"
    foreign = "error('CHAR string contains invalid ASCII character')"
    return (
        f"CASE WHEN strlen({text}) > {kind.length} THEN {_too_long(kind)} "
        f"WHEN strlen({text}) <> length({text}) THEN {foreign} ELSE {text} END"
    )


def _varbyte(kind: ColumnType, value: str) -> str:
    return f"CASE WHEN octet_length({value}) > {kind.length} THEN {_too_long(kind)} ELSE {value} END"


def _super(_: ColumnType, value: str) -> str:
    too_long = "error('Value exceeds the maximum size of 16777216 bytes for type super')"
    return f"CASE WHEN strlen(CAST({value} AS VARCHAR)) > {MAX_SUPER_BYTES} THEN {too_long} ELSE {value} END"


def _too_long(kind: ColumnType) -> str:
    return f"error({_literal(f'value too long for type {kind.sql}')})"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_STORED = {"varchar": _varchar, "char": _char, "varbyte": _varbyte, "super": _super}

_NUMBERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL"})
_TIMES = frozenset({"DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"})
_CLOCKS = frozenset({"TIME", "TIME WITH TIME ZONE"})
_ANY_SCALAR = _NUMBERS | _TIMES | _CLOCKS | {"VARCHAR"}
# Redshift family -> the DuckDB types whose values it takes without a CAST.
_ACCEPTED = {
    **dict.fromkeys(("smallint", "integer", "bigint", "decimal", "real", "double"), _NUMBERS),
    "boolean": frozenset({"BOOLEAN"}),
    "char": _ANY_SCALAR,
    "varchar": _ANY_SCALAR,
    "date": _TIMES,
    "time": _CLOCKS | {"TIMESTAMP", "TIMESTAMP WITH TIME ZONE"},
    "timetz": _CLOCKS | {"TIMESTAMP WITH TIME ZONE"},
    "timestamp": _TIMES,
    "timestamptz": _TIMES,
    "varbyte": frozenset({"BLOB"}),
    "geometry": frozenset({"GEOMETRY"}),
    "geography": frozenset({"GEOMETRY"}),
    "super": frozenset({"JSON", "VARCHAR", "BOOLEAN"}) | _NUMBERS,
}
_FROM_CONSTANT = frozenset({"geometry", "geography"})


def check_assignable(column: Column, duckdb_type: str, *, constant: bool) -> None:
    """Refuses an expression whose type the column does not take implicitly.

    `constant` marks text constants, which are read as the column's type, and NULL, which DuckDB calls INTEGER.
    """
    base = duckdb_type.split("(", 1)[0]
    if base in _ACCEPTED[column.type.name] or base == '"NULL"':
        return
    if constant and base in ("VARCHAR", "INTEGER") and column.type.name not in _FROM_CONSTANT:
        return
    raise RedshiftError(
        f'column "{column.name}" is of type {column.type.catalog_name} but expression is of type '
        f"{_SPOKEN.get(base, base.lower())}",
        code="42804",
        detail="You will need to rewrite or cast the expression.",
    )


_SPOKEN = {
    "VARCHAR": "character varying",
    "JSON": "super",
    "BLOB": "binary varying",
    "TIMESTAMP": "timestamp without time zone",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
    "DOUBLE": "double precision",
    "FLOAT": "real",
    "DECIMAL": "numeric",
}


def stored_as(column: Column, duckdb_type: str, value: str) -> str:
    """`fitted`, after the conversion DuckDB needs: into SUPER a text goes as a JSON string, into VARBYTE as bytes."""
    if column.type.name == "super" and duckdb_type != "JSON":
        value = f"to_json({value})"
    if column.type.name == "varbyte" and duckdb_type != "BLOB":
        value = f"encode({value})" if duckdb_type == "VARCHAR" else f"CAST({value} AS BLOB)"
    return fitted(column, value)
