"""CREATE SCHEMA, TABLE, VIEW and DATABASE: read strictly from the text, done on the catalog."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.expressions import DType

from localcloud.redshift import system
from localcloud.redshift.casts import redshift_type
from localcloud.redshift.catalog import quote
from localcloud.redshift.constraints import check_encodings, check_keys
from localcloud.redshift.create_table import (
    Attributes,
    apply_attributes,
    read_attributes,
    read_columns,
)
from localcloud.redshift.dml import insert_rows, query_rows
from localcloud.redshift.errors import NotInTwinError, RedshiftError, relation_exists, unknown_object, unsupported
from localcloud.redshift.kinds import SHAPES
from localcloud.redshift.materialized import create_materialized_view
from localcloud.redshift.model import Column, Result, TableDefinition, TableName
from localcloud.redshift.queries import Query, compile_query
from localcloud.redshift.tokens import TokenReader
from localcloud.redshift.types import ColumnType, build_type, parse_type

if TYPE_CHECKING:
    from localcloud.redshift.session import Session

_SET_DIGITS = 19


def create(session: Session, reader: TokenReader) -> Result:
    reader.expect("CREATE")
    if reader.accept("SCHEMA"):
        return _create_schema(session, reader)
    if reader.accept("DATABASE"):
        return _create_database(session, reader)
    replace_it = reader.accept("OR", "REPLACE")
    if not replace_it and reader.accept("MATERIALIZED"):
        reader.expect("VIEW")
        return create_materialized_view(session, reader, _loose_columns)
    if reader.accept("VIEW"):
        return _create_view(session, reader, replace_it=replace_it)
    temporary = reader.accept_one("TEMPORARY", "TEMP", "LOCAL TEMPORARY", "LOCAL TEMP") is not None
    if reader.accept("TABLE") and not replace_it:
        return _create_table(session, reader, temporary=temporary)
    raise unknown_object("CREATE", reader.current.text)


def _create_database(session: Session, reader: TokenReader) -> Result:
    name = reader.name()
    reader.end()
    session.need_autocommit("CREATE DATABASE")
    session.warehouse.create_database(name)
    return Result()


def _create_schema(session: Session, reader: TokenReader) -> Result:
    lenient = reader.accept("IF", "NOT", "EXISTS")
    name = reader.name()
    if reader.accept("AUTHORIZATION"):
        reader.name()
    if reader.accept("QUOTA") and not reader.accept("UNLIMITED"):
        reader.integer()
        reader.word()
    reader.end()
    if name.startswith("pg_") or name in system.SCHEMAS:
        raise RedshiftError(f'unacceptable schema name "{name}"', code="42939")
    if name in session.catalog.schemas():
        if lenient:
            return Result()
        raise RedshiftError(f'schema "{name}" already exists', code="42P06")
    session.catalog.add_schema(name)
    return Result()


def _create_table(session: Session, reader: TokenReader, *, temporary: bool) -> Result:
    lenient = reader.accept("IF", "NOT", "EXISTS")
    name = session.catalog.new_name(reader.path(), session.search_path, temporary=temporary)
    if lenient and session.catalog.kind(name):
        return Result()
    if reader.peek("(", "LIKE"):
        return _create_like(session, reader, name)
    attributes = Attributes()
    if reader.peek("(") and not _is_column_list_of_query(reader):
        return _create_declared(session, reader, name, attributes)
    names = reader.names() if reader.peek("(") else []
    read_attributes(reader, attributes, stop=("AS",))
    reader.expect("AS")
    return _create_from_query(session, reader, name, attributes, names)


def _is_column_list_of_query(reader: TokenReader) -> bool:
    """CREATE TABLE t (a, b) AS SELECT: names without types."""
    ahead = TokenReader(reader.sql[reader.current.start :])
    ahead.expect("(")
    ahead.name()
    return ahead.peek(",") or ahead.peek(")")


def _create_declared(session: Session, reader: TokenReader, name: TableName, attributes: Attributes) -> Result:
    columns = read_columns(reader, attributes)
    read_attributes(reader, attributes)
    reader.end()
    _define(session, name, columns, attributes)
    return Result()


def _define(session: Session, name: TableName, columns: list[Column], attributes: Attributes) -> TableDefinition:
    for column in columns:
        if column.default:
            session.constant(column)
    definition = TableDefinition(
        name,
        apply_attributes(columns, attributes),
        diststyle=attributes.diststyle,
        sortstyle=attributes.sortstyle,
        constraints=tuple(attributes.constraints),
    )
    check_encodings(definition.columns)
    check_keys(session, definition)
    session.catalog.create_table(definition)
    return definition


def _create_like(session: Session, reader: TokenReader, name: TableName) -> Result:
    reader.expect("(")
    reader.expect("LIKE")
    source = session.table(reader.path())
    defaults = reader.accept("INCLUDING", "DEFAULTS")
    reader.accept("EXCLUDING", "DEFAULTS")
    reader.expect(")")
    if reader.accept("BACKUP"):
        reader.word()
    reader.end()
    columns = session.catalog.columns(source)
    kept = [column if defaults else replace(column, default="") for column in columns]
    session.catalog.create_table(TableDefinition(name, tuple(kept)))
    return Result()


def _create_from_query(
    session: Session, reader: TokenReader, name: TableName, attributes: Attributes, names: list[str]
) -> Result:
    query = compile_query(reader.rest(), session)
    columns = query_columns(session, query)
    _check_set_operation(query, columns)
    if names and len(names) != len(columns):
        raise RedshiftError("CREATE TABLE AS specifies the wrong number of column names", code="42601")
    columns = [replace(column, name=new) for column, new in zip(columns, names or query.names, strict=True)]
    definition = _define(session, name, columns, attributes)
    return insert_rows(session, name, definition.columns, query_rows(query))


def _check_set_operation(query: Query, columns: list[Column]) -> None:
    """A DECIMAL that a set operation gives has 19 digits at most, says the guide.

    https://docs.aws.amazon.com/redshift/latest/dg/r_numeric_computations201.html
    """
    long = [column.name for column in columns if (column.type.precision or 0) > _SET_DIGITS]
    if long and isinstance(query.typed, exp.SetOperation):
        raise NotInTwinError(
            f'a table of a set operation with the DECIMAL "{long[0]}" of more than {_SET_DIGITS} digits'
        )


def query_columns(session: Session, query: Query) -> list[Column]:
    """The columns a query makes: Redshift types where they are known, and a refusal where a width is not."""
    found = session.describe(query.sql)
    typed = zip(query.typed.selects, query.names, found, strict=True)
    return [Column(name, _column_type(select, name, duckdb)) for select, name, duckdb in typed]


def _column_type(select: exp.Expr, name: str, duckdb_type: str) -> ColumnType:
    declared = select.type
    if declared is not None and (declared.expressions or select.is_type(DType.SUPER, *SHAPES)):
        return redshift_type(declared)
    inner = select.unalias()
    if isinstance(inner, exp.Literal) and inner.is_string:
        return build_type("varchar", [str(max(1, len(inner.name.encode())))])
    if duckdb_type in _FROM_DUCKDB:
        return ColumnType(_FROM_DUCKDB[duckdb_type])
    if duckdb_type.startswith("DECIMAL"):
        return parse_type(duckdb_type)
    raise NotInTwinError(f'the type of column "{name}" in CREATE TABLE AS; give it a CAST with its width')


_FROM_DUCKDB = {
    "SMALLINT": "smallint",
    "INTEGER": "integer",
    "BIGINT": "bigint",
    "FLOAT": "real",
    "DOUBLE": "double",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIME": "time",
    "TIME WITH TIME ZONE": "timetz",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "JSON": "super",
}


def _create_view(session: Session, reader: TokenReader, *, replace_it: bool) -> Result:
    name = session.catalog.new_name(reader.path(), session.search_path, temporary=False)
    names = reader.names() if reader.peek("(") else []
    reader.expect("AS")
    body, late = _without_binding_clause(reader.rest())
    if names:
        body = f"SELECT * FROM ({body}) AS {quote(name.name)} ({', '.join(map(quote, names))})"  # noqa: S608  (the view's own query)
    columns, bound = _view_columns(session, body, late=late)
    existing = session.catalog.kind(name)
    if existing and not (replace_it and existing == "view"):
        raise relation_exists(name.name)
    if existing:
        session.catalog.drop(name)
    session.catalog.create_view(name, tuple(columns), body, bound)
    return Result()


def _without_binding_clause(body: str) -> tuple[str, bool]:
    words = body.strip().rstrip(";").split()
    if [word.upper() for word in words[-4:]] == ["WITH", "NO", "SCHEMA", "BINDING"]:
        text = body.strip().rstrip(";").rstrip()
        for word in reversed(words[-4:]):
            text = text[: -len(word)].rstrip()
        return text, True
    return body, False


def _view_columns(session: Session, body: str, *, late: bool) -> tuple[list[Column], list[str]]:
    """A late-binding view must name schemas and is not checked: https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_VIEW.html"""
    if late:
        session.check_late_binding(body)
        return [], []
    query = compile_query(body, session)
    used = {
        f"{table.db}.{table.name}" for table in query.typed.find_all(exp.Table) if table.catalog == session.database
    }
    if any(table.catalog == "temp" for table in query.typed.find_all(exp.Table)):
        raise unsupported("a view over a temporary table")
    return _loose_columns(session, query), sorted(used)


def _loose_columns(session: Session, query: Query) -> list[Column]:
    """A view's text columns of unknown width are shown at the greatest width."""
    columns = []
    found = session.describe(query.sql)
    for select, name, duckdb in zip(query.typed.selects, query.names, found, strict=True):
        wide = duckdb == "VARCHAR" and not (select.type and select.type.expressions)
        kind = build_type("varchar", ["MAX"]) if wide else _column_type(select, name, duckdb)
        columns.append(Column(name, kind))
    return columns
