"""MERGE under Redshift's rules: both clauses or REMOVE DUPLICATES, and at most one source row for each target row.

https://docs.aws.amazon.com/redshift/latest/dg/r_MERGE.html
"""

# ruff: noqa: S608  (names go through `quote`, values through parameters or translated expressions)

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp

from localcloud.redshift.assignment import check_assignable, stored_as
from localcloud.redshift.catalog import quote
from localcloud.redshift.dml import assignments, compile_parts_of_text, named_columns, store
from localcloud.redshift.errors import NotInTwinError, RedshiftError, unsupported
from localcloud.redshift.model import Result, TableName
from localcloud.redshift.queries import parse_unchecked, table_path
from localcloud.redshift.tokens import TokenReader

if TYPE_CHECKING:
    from localcloud.redshift.dml import Parts
    from localcloud.redshift.session import Session

_LINK = "https://docs.aws.amazon.com/redshift/latest/dg/r_MERGE.html"
_WHEN = frozenset({"WHEN", "REMOVE"})


@dataclass
class _Merge:
    target: tuple[str, ...]
    source: tuple[str, ...]
    alias: str
    condition: str = ""
    sets: dict[str, str] = field(default_factory=dict)
    delete: bool = False
    remove_duplicates: bool = False
    names: list[str] = field(default_factory=list)
    values: list[str] = field(default_factory=list)


def merge(session: Session, reader: TokenReader) -> Result:
    reader.expect("MERGE")
    statement = _read(reader)
    target, source = session.table(statement.target), _source(session, statement.source)
    if target == source:
        raise RedshiftError("the source and target of MERGE must be different tables", code="42601", link=_LINK)
    query = _as_query(statement)
    _check_expressions(statement, query)
    parts = compile_parts_of_text(session, query, len(statement.sets) + len(statement.values))
    target_sql = f"{session.catalog.physical(target)} AS {quote(target.name)}"
    source_sql = f"{session.catalog.physical(source)} AS {quote(statement.alias)}"
    _refuse_multiple_matches(session, target_sql, quote(target.name), source_sql, parts.where_clause)
    if statement.remove_duplicates:
        return _replace(session, target, source, target_sql, source_sql, parts.where_clause)
    changed = named_columns(session, target, list(statement.sets))
    matched = (
        "DELETE" if statement.delete else f"UPDATE SET {', '.join(assignments(changed, parts.first(len(changed))))}"
    )
    condition = parts.where_clause.removeprefix(" WHERE ")
    sql = f"MERGE INTO {target_sql} USING {source_sql} ON {condition} WHEN MATCHED THEN {matched}"
    inserted = _insert_clause(session, statement, parts)
    return Result(rows_affected=session.run(f"{sql} WHEN NOT MATCHED THEN {inserted}"))


def _source(session: Session, path: tuple[str, ...]) -> TableName:
    name = session.catalog.resolve(path, session.search_path)
    if session.catalog.kind(name) != "table":
        raise NotInTwinError("a view as the source of MERGE; load it into a table")
    return name


def _refused_subquery(reader: TokenReader, target: tuple[str, ...]) -> RedshiftError:
    tables = parse_unchecked(f"SELECT 1 FROM {reader.rest().partition(') ')[0]}) AS s").find_all(exp.Table)
    if any(table_path(table)[-1] == target[-1] for table in tables):
        message = "Source view/subquery in Merge statement cannot reference target table."
        return RedshiftError(message, code="0A000", link=_LINK)
    return NotInTwinError("a subquery as the source of MERGE; load it into a table")


def _check_expressions(statement: _Merge, query: str) -> None:
    """The guide: equal predicates only, and SUPER columns only as a whole."""
    tree = parse_unchecked(query)
    names = {statement.target[-1], statement.source[-1], statement.alias}
    if tree.find(exp.Bracket, exp.Dot) or any(column.db.lower() in names for column in tree.find_all(exp.Column)):
        message = "Partial reference of SUPER column is not supported in MERGE statement."
        raise RedshiftError(message, code="0A000", link=_LINK)
    condition = tree.args["where"].this.unnest()
    parts = condition.flatten() if isinstance(condition, exp.And) else [condition]
    if not all(isinstance(part.unnest(), exp.EQ) for part in parts):
        raise NotInTwinError("a MERGE condition other than equalities joined by AND")


def _replace(
    session: Session, target: TableName, source: TableName, target_sql: str, source_sql: str, where: str
) -> Result:
    """REMOVE DUPLICATES: what a source row matches gives way to it, the other source rows are added."""
    into, out_of = session.catalog.columns(target), session.catalog.columns(source)
    if len(into) != len(out_of):
        message = "REMOVE DUPLICATES needs the same number of columns in the source and the target of MERGE"
        raise RedshiftError(message, code="42601", link=_LINK)
    kinds = session.describe(f"SELECT * FROM {session.catalog.physical(source)}")
    stored = {}
    for column, other, kind in zip(into, out_of, kinds, strict=True):
        check_assignable(column, kind, constant=False)
        stored[column.name] = stored_as(column, kind, quote("src", other.name))
    session.run(f"DELETE FROM {target_sql} USING {source_sql}{where}")
    return store(session, target, stored, f"{session.catalog.physical(source)} AS src")


def _read(reader: TokenReader) -> _Merge:
    reader.accept("INTO")
    target = reader.path()
    if not reader.peek("USING"):
        raise unsupported("an alias for the target of MERGE", _LINK)
    reader.expect("USING")
    if reader.peek("("):
        raise _refused_subquery(reader, target)
    source = reader.path()
    alias = reader.name() if reader.accept("AS") or not reader.peek("ON") else source[-1]
    reader.expect("ON")
    statement = _Merge(target, source, alias, reader.expression(_WHEN))
    if reader.accept("REMOVE", "DUPLICATES"):
        statement.remove_duplicates = True
        reader.end()
        return statement
    _read_matched(reader, statement)
    _read_not_matched(reader, statement)
    reader.end()
    return statement


def _read_matched(reader: TokenReader, statement: _Merge) -> None:
    reader.expect("WHEN")
    reader.expect("MATCHED")
    if reader.peek("AND"):
        raise unsupported("a condition in WHEN MATCHED", _LINK)
    reader.expect("THEN")
    if reader.accept("DELETE"):
        statement.delete = True
        return
    reader.expect("UPDATE")
    reader.expect("SET")
    while True:
        name = reader.name()
        reader.expect("=")
        statement.sets[name] = reader.expression(_WHEN)
        if not reader.accept(","):
            return


def _read_not_matched(reader: TokenReader, statement: _Merge) -> None:
    if not reader.peek("WHEN", "NOT", "MATCHED"):
        raise RedshiftError("MERGE needs WHEN MATCHED and WHEN NOT MATCHED, in this order", code="42601", link=_LINK)
    reader.expect("WHEN", "NOT", "MATCHED")
    if reader.peek("AND") or reader.peek("BY"):
        raise unsupported("a condition in WHEN NOT MATCHED", _LINK)
    reader.expect("THEN")
    reader.expect("INSERT")
    statement.names = reader.names() if reader.peek("(") else []
    reader.expect("VALUES")
    reader.expect("(")
    statement.values.append(reader.expression(frozenset()))
    while reader.accept(","):
        statement.values.append(reader.expression(frozenset()))
    reader.expect(")")


def _as_query(statement: _Merge) -> str:
    """A SELECT of all expressions, which resolves, checks and translates them."""
    expressions = [*statement.sets.values(), *statement.values]
    items = ", ".join(f'({text}) AS "c{at}"' for at, text in enumerate(expressions))
    target, source = quote(*statement.target), quote(*statement.source)
    tables = f"{target} CROSS JOIN {source} AS {quote(statement.alias)}"
    return f"SELECT {items or '1 AS one'} FROM {tables} WHERE {statement.condition}"


def _refuse_multiple_matches(session: Session, target: str, alias: str, source: str, where: str) -> None:
    pairs = f"SELECT 1 FROM {target}, {source}{where} GROUP BY {alias}.rowid HAVING count(*) > 1 LIMIT 1"
    if session.rows(pairs):
        raise RedshiftError("Found multiple matches to update the same tuple.", code="21000", link=_LINK)


def _insert_clause(session: Session, statement: _Merge, parts: Parts) -> str:
    target = session.table(statement.target)
    columns = named_columns(session, target, statement.names)
    values = parts.last(len(statement.values))
    if len(values.sql) != len(columns):
        raise RedshiftError("INSERT of MERGE has another number of values than columns", code="42601")
    stored = {
        column.name: stored_as(column, kind, f"({value})")
        for column, kind, value in zip(columns, values.types, values.sql, strict=True)
    }
    every = session.catalog.columns(target)
    cells = [stored.get(column.name) or session.default(column) for column in every]
    return f"INSERT ({', '.join(quote(column.name) for column in every)}) VALUES ({', '.join(cells)})"
