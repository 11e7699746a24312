"""Materialized views: a stored result that REFRESH makes anew.

https://docs.aws.amazon.com/redshift/latest/dg/materialized-view-create-sql-command.html
"""

# ruff: noqa: S608  (names go through `quote`, values through parameters or translated expressions)

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from localcloud.redshift import system
from localcloud.redshift.create_table import Attributes, apply_attributes, read_attributes
from localcloud.redshift.dml import insert_rows, query_rows
from localcloud.redshift.errors import RedshiftError, relation_exists, syntax_error, unsupported
from localcloud.redshift.iterations import resolve
from localcloud.redshift.model import MATERIALIZED, Column, Result, TableDefinition, TableName
from localcloud.redshift.queries import Query, compile_query, parse, table_path
from localcloud.redshift.tokens import TokenReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.redshift.session import Session

_LINK = "https://docs.aws.amazon.com/redshift/latest/dg/materialized-view-create-sql-command.html"
_ORDERING = ("order", "limit", "offset")


def create_materialized_view(
    session: Session, reader: TokenReader, columns_of: Callable[[Session, Query], list[Column]]
) -> Result:
    """CREATE MATERIALIZED VIEW name [attributes] [AUTO REFRESH YES | NO] AS query; `columns_of` types its columns."""
    name = session.catalog.new_name(reader.path(), session.search_path, temporary=False)
    attributes = Attributes()
    _read_attributes(reader, attributes)
    body = reader.rest().strip().rstrip(";").rstrip()
    if session.catalog.kind(name):
        raise relation_exists(name.name)
    tree = parse(body)
    resolve(tree)
    bound = _check_body(session, tree)
    query = compile_query(body, session)
    columns = apply_attributes(columns_of(session, query), attributes)
    style = attributes.diststyle if attributes.diststyle != "AUTO" else "EVEN"
    session.catalog.create_table(TableDefinition(name, columns, diststyle=style, sortstyle=attributes.sortstyle))
    session.catalog.set_materialized(name, body, bound)
    insert_rows(session, name, columns, query_rows(query))
    return Result()


def _read_attributes(reader: TokenReader, attributes: Attributes) -> None:
    while not reader.accept("AS"):
        if reader.done:
            raise syntax_error(reader.current.text)
        if reader.accept("AUTO", "REFRESH"):
            if reader.accept_one("YES", "NO") is None:
                raise syntax_error(reader.current.text)
            continue
        if reader.accept("DISTSTYLE", "AUTO"):
            raise syntax_error("AUTO")
        read_attributes(reader, attributes, stop=("AS", "AUTO"))


def _check_body(session: Session, tree: exp.Expr) -> list[str]:
    """Refuses what a materialized view cannot contain; gives the relations it stands on."""
    for query in tree.find_all(exp.Query):
        if any(query.args.get(name) for name in _ORDERING):
            raise unsupported("ORDER BY, LIMIT or OFFSET in a materialized view", _LINK)
    hidden = {table.alias.lower() for table in tree.find_all(exp.CTE)}
    bound: list[str] = []
    for table in tree.find_all(exp.Table):
        if table.db or table.name.lower() not in hidden:
            bound += _base(session, table)
    return sorted(set(bound))


def _base(session: Session, table: exp.Table) -> list[str]:
    path = table_path(table)
    if system.find(path) is not None or system.is_reserved(path):
        raise unsupported("a system relation in a materialized view", _LINK)
    name = session.catalog.find(path, session.search_path)
    if name is None:
        return []  # the compiler tells
    if name.is_temporary or session.catalog.kind(name) == "view":
        raise unsupported("a view or a temporary table in a materialized view", _LINK)
    return [f"{name.schema}.{name.name}"]


def refresh(session: Session, reader: TokenReader) -> Result:
    """REFRESH MATERIALIZED VIEW name: its query runs again, whole."""
    reader.expect("REFRESH")
    reader = TokenReader(reader.next().text)  # sqlglot keeps what follows REFRESH as one text
    reader.expect("MATERIALIZED")
    reader.expect("VIEW")
    name = _existing(session, reader.path())
    reader.accept_one("CASCADE", "RESTRICT")
    reader.end()
    session.catalog.need_owner(name)
    query = compile_query(session.catalog.view_definition(name), session)
    session.run(f"DELETE FROM {session.catalog.physical(name)}")
    insert_rows(session, name, session.catalog.columns(name), query_rows(query))
    return Result()


def _existing(session: Session, path: tuple[str, ...]) -> TableName:
    name = session.catalog.resolve(path, session.search_path)
    if session.catalog.kind(name) != MATERIALIZED:
        raise RedshiftError(f'"{name}" is not a materialized view', code="42809")
    return name
