"""Rows of a query as Redshift gives them: numbers and truth values as such, everything else as its text."""

# ruff: noqa: S608  (names go through `quote`, values through parameters or translated expressions)

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.expressions import DType

from localcloud.redshift.casts import redshift_type
from localcloud.redshift.catalog import quote
from localcloud.redshift.errors import NotInTwinError
from localcloud.redshift.model import Result, ResultColumn
from localcloud.redshift.queries import Query
from localcloud.redshift.types import ColumnType, build_type, parse_type

if TYPE_CHECKING:
    import duckdb

# Little-endian bytes of the SRID: a GEOGRAPHY is on WGS 84 (4326); a GEOMETRY made from text has none.
_SRIDS = {"geography": "E6100000", "geometry": ""}

_PLAIN = {
    "SMALLINT": ColumnType("smallint"),
    "TINYINT": ColumnType("smallint"),
    "INTEGER": ColumnType("integer"),
    "BIGINT": ColumnType("bigint"),
    "FLOAT": ColumnType("real"),
    "DOUBLE": ColumnType("double"),
    "BOOLEAN": ColumnType("boolean"),
    "DATE": ColumnType("date"),
    "TIME": ColumnType("time"),
    "TIME WITH TIME ZONE": ColumnType("timetz"),
    "TIMESTAMP": ColumnType("timestamp"),
    "TIMESTAMP WITH TIME ZONE": ColumnType("timestamptz"),
    "JSON": ColumnType("super"),
    '"NULL"': build_type("varchar", ["1"]),
}


@dataclass(frozen=True)
class Prepared:
    """A query in DuckDB's words, and the columns of its result."""

    sql: str
    columns: tuple[ResultColumn, ...]


def fetch(connection: duckdb.DuckDBPyConnection, query: Prepared) -> Result:
    """Runs a query; the order of its rows is kept."""
    rows = connection.execute(query.sql).fetchall()
    return Result(rows_affected=len(rows), columns=query.columns, rows=rows)


def prepared(connection: duckdb.DuckDBPyConnection, query: Query) -> Prepared:
    """The query with its result in the Data API's forms."""
    sql = query.sql
    kinds = [str(row[1]) for row in connection.execute(f"DESCRIBE {sql}").fetchall()]
    types = [_type(kind, item) for kind, item in zip(kinds, query.typed.selects, strict=True)]
    names = [f"c{position}" for position in range(len(types))]
    outputs = ", ".join(_output(kind, quote(name)) for kind, name in zip(types, names, strict=True))
    inner = ", ".join(quote(name) for name in names)
    columns = tuple(_column(name, kind) for name, kind in zip(query.names, types, strict=True))
    return Prepared(f"SELECT {outputs} FROM ({sql}) AS result({inner})", columns)


def _type(duckdb_type: str, item: exp.Expr) -> ColumnType:
    if duckdb_type.startswith("DECIMAL"):
        return parse_type(duckdb_type)
    if duckdb_type in ("VARCHAR", "BLOB"):
        return _sized(duckdb_type, item)
    if duckdb_type in _PLAIN:
        return _PLAIN[duckdb_type]
    if duckdb_type == "GEOMETRY":
        return ColumnType("geography" if item.is_type(DType.GEOGRAPHY) else "geometry")
    raise NotInTwinError(f"results of the internal type {duckdb_type}; cast the expression")


def _sized(duckdb_type: str, item: exp.Expr) -> ColumnType:
    if item.type is not None and item.type.expressions and item.is_type(DType.VARCHAR, DType.CHAR, DType.VARBINARY):
        return redshift_type(item.type)
    return build_type("varbyte" if duckdb_type == "BLOB" else "varchar", ["MAX"] if duckdb_type == "VARCHAR" else [])


def _output(kind: ColumnType, name: str) -> str:
    if kind.name in ("smallint", "integer", "bigint", "double", "boolean", "varchar", "varbyte"):
        return name
    if kind.name == "real":
        return f"CAST({name} AS DOUBLE)"
    if kind.name == "char":
        return f"rpad({name}, {kind.length}, ' ')"
    if kind.name in ("geometry", "geography"):
        return _ewkb(name, srid=_SRIDS[kind.name])
    return f"CAST({name} AS VARCHAR)"


def _ewkb(name: str, *, srid: str) -> str:
    """A shape as hexadecimal EWKB: https://docs.aws.amazon.com/redshift/latest/dg/geospatial-overview.html.

    EWKB is WKB with a flag in the fourth byte of the type and, where it is set, the SRID behind the type.
    """
    wkb = f"hex(ST_AsWKB({name}))"
    return f"concat(substr({wkb}, 1, 8), '20', '{srid}', substr({wkb}, 11))" if srid else wkb


def _column(name: str, kind: ColumnType) -> ResultColumn:
    return ResultColumn(name, kind.api_name, kind.length or 0, kind.precision or 0, kind.scale or 0)
