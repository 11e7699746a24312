"""INSERT, UPDATE, DELETE and MERGE: every value passes through `assignment` before it is stored."""

# ruff: noqa: S608  (names go through `quote`, values through parameters or translated expressions)

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from localcloud.redshift import lint
from localcloud.redshift.assignment import check_assignable, stored_as
from localcloud.redshift.catalog import quote
from localcloud.redshift.errors import NotInTwinError, RedshiftError, syntax_error, unsupported
from localcloud.redshift.model import Column, Result, TableName
from localcloud.redshift.queries import Query, compile_query, compile_tree, parse_unchecked, table_path, to_duckdb
from localcloud.redshift.tokens import fold, tokenize

if TYPE_CHECKING:
    from localcloud.redshift.session import Session

_INSERT = "https://docs.aws.amazon.com/redshift/latest/dg/r_INSERT_30.html"


def _checked(statement: exp.Expr, kind: str, allowed: set[str]) -> None:
    extra = [name for name, value in statement.args.items() if value and name not in allowed]
    if extra:
        raise unsupported(f"{kind} with {extra[0].rstrip('_').upper().replace('_', ' ')}")


def _parse(text: str) -> exp.Expr:
    lint.check_tokens(tokenize(text))
    return parse_unchecked(text)


def insert(session: Session, text: str) -> Result:
    """INSERT INTO t [(columns)] VALUES ... | query."""
    statement = _parse(text)
    if not isinstance(statement, exp.Insert):
        raise syntax_error(text.split(maxsplit=1)[0])
    _checked(statement, "INSERT", {"this", "expression", "default"})
    target, names = _insert_target(statement.this)
    name = session.table(target)
    columns = named_columns(session, name, names)
    rows = _rows_of(session, statement.expression)
    return insert_rows(session, name, columns, rows)


@dataclass(frozen=True)
class Rows:
    """DuckDB SQL that gives rows, and which of its columns are text constants or NULL throughout."""

    sql: str
    constant: list[bool]


def query_rows(query: Query) -> Rows:
    return Rows(query.sql, [is_constant(query.typed, position) for position in range(len(query.typed.selects))])


def _rows_of(session: Session, source: exp.Expr | None) -> Rows:
    if isinstance(source, exp.Values):
        return _values_rows(session, source)
    if isinstance(source, exp.Subquery):
        source = source.unnest()
    if not isinstance(source, exp.Query):
        raise unsupported("INSERT without VALUES or a query", _INSERT)
    lint.check_query(source)
    return query_rows(compile_tree(source, session))


def _insert_target(node: exp.Expr) -> tuple[tuple[str, ...], list[str]]:
    if isinstance(node, exp.Schema):
        return _insert_target(node.this)[0], [fold(item.name) for item in node.expressions]
    if not isinstance(node, exp.Table) or node.alias:
        raise syntax_error(node.sql(dialect="redshift"))
    return table_path(node), []


def named_columns(session: Session, name: TableName, names: list[str]) -> tuple[Column, ...]:
    """The columns of a table in the given order, or all of them. Raises for a name it has not."""
    columns = {column.name: column for column in session.catalog.columns(name)}
    for given in names:
        if given not in columns:
            raise RedshiftError(f'column "{given}" of relation "{name}" does not exist', code="42703")
    if len(set(names)) < len(names):
        raise RedshiftError("a column is specified more than once", code="42701")
    return tuple(columns[given] for given in names) if names else tuple(columns.values())


def _values_rows(session: Session, values: exp.Values) -> Rows:
    """VALUES: all cells are compiled as one SELECT without FROM, then put back into rows."""
    rows = [_row(item) for item in values.expressions]
    width = len(rows[0])
    if any(len(row) != width for row in rows):
        raise RedshiftError("VALUES lists must all be the same length", code="42601")
    cells = [exp.alias_(cell, f"c{at}", quoted=True) for at, cell in enumerate(cell for row in rows for cell in row)]
    select = exp.select(*cells, copy=False)
    lint.check_query(select)
    query = compile_tree(select, session)
    texts = [to_duckdb(item.unalias()) for item in query.translated.selects]
    lines = [f"({', '.join(texts[start : start + width])})" for start in range(0, len(texts), width)]
    constant = [is_constant(query.typed, position) for position in range(len(texts))]
    return Rows(f"SELECT * FROM (VALUES {', '.join(lines)})", [all(constant[at::width]) for at in range(width)])


def _row(item: exp.Expr) -> list[exp.Expr]:
    cells = list(item.expressions) if isinstance(item, exp.Tuple) else [item]
    if any(isinstance(cell, exp.Var) for cell in cells):
        raise NotInTwinError("DEFAULT inside VALUES; leave the column out of the list")
    return cells


def insert_rows(session: Session, name: TableName, columns: Sequence[Column], rows: Rows) -> Result:
    """Stores rows in the given columns, in order; the others get their default."""
    types = session.describe(rows.sql)
    if len(types) > len(columns):
        raise RedshiftError("INSERT has more expressions than target columns", code="42601")
    if len(types) < len(columns):
        raise RedshiftError("INSERT has more target columns than expressions", code="42601")
    for column, kind, constant in zip(columns, types, rows.constant, strict=True):
        check_assignable(column, kind, constant=constant)
    inputs = [f"i{position}" for position in range(len(columns))]
    source = f"({rows.sql}) AS src({', '.join(quote(each) for each in inputs)})"
    stored = {
        column.name: stored_as(column, kind, f"src.{quote(each)}")
        for column, kind, each in zip(columns, types, inputs, strict=True)
    }
    return store(session, name, stored, source)


def store(session: Session, name: TableName, stored: dict[str, str], source: str) -> Result:
    """INSERT of ready expressions over a DuckDB source, with defaults for the columns left out."""
    every = session.catalog.columns(name)
    values = [stored.get(column.name) or session.default(column) for column in every]
    names = ", ".join(quote(column.name) for column in every)
    target = session.catalog.physical(name)
    return Result(rows_affected=session.run(f"INSERT INTO {target} ({names}) SELECT {', '.join(values)} FROM {source}"))


def is_constant(query: exp.Query, position: int) -> bool:
    """Whether every branch of the query has a text constant or NULL there."""
    if isinstance(query, exp.SetOperation):
        sides = (query.left.unnest(), query.right.unnest())
        return all(isinstance(side, exp.Query) and is_constant(side, position) for side in sides)
    item = query.selects[position].unalias().unnest()
    return isinstance(item, exp.Null) or (isinstance(item, exp.Literal) and item.is_string)


def update(session: Session, text: str) -> Result:
    """UPDATE t SET c = e [FROM ...] [WHERE ...]: compiled as a SELECT of its new values and condition."""
    statement = _parse(text)
    if not isinstance(statement, exp.Update):
        raise syntax_error(text.split(maxsplit=1)[0])
    _checked(statement, "UPDATE", {"this", "expressions", "from_", "where"})
    target = _dml_target(session, statement.this)
    columns = named_columns(session, target.name, [_assigned(item) for item in statement.expressions])
    values = [item.expression for item in statement.expressions]
    sources = [statement.args["from_"].this] if statement.args.get("from_") else []
    query = _compile_parts(session, target, sources, values, statement.args.get("where"))
    sets = assignments(columns, query.values)
    sql = f"UPDATE {target.sql} SET {', '.join(sets)}{query.from_clause}{query.where_clause}"
    return Result(rows_affected=session.run(sql))


def _assigned(item: exp.Expr) -> str:
    if not isinstance(item, exp.EQ) or not isinstance(item.this, exp.Column) or item.this.table:
        raise syntax_error(item.sql(dialect="redshift"))
    return fold(item.this.name)


def delete(session: Session, text: str) -> Result:
    """DELETE [FROM] t [USING ...] [WHERE ...]."""
    statement = _parse(text)
    if not isinstance(statement, exp.Delete):
        raise syntax_error(text.split(maxsplit=1)[0])
    _checked(statement, "DELETE", {"this", "using", "where"})
    target = _dml_target(session, statement.this)
    query = _compile_parts(session, target, statement.args.get("using") or [], [], statement.args.get("where"))
    using = query.from_clause.replace(" FROM ", " USING ", 1)
    return Result(rows_affected=session.run(f"DELETE FROM {target.sql}{using}{query.where_clause}"))


class _Target:
    """The table a statement changes, under the name its expressions use."""

    def __init__(self, session: Session, node: exp.Table) -> None:
        self.name = session.table(table_path(node))
        self.alias = fold(node.alias or node.name)
        self.sql = f"{session.catalog.physical(self.name)} AS {quote(self.alias)}"
        self.node = node


def _dml_target(session: Session, node: exp.Expr) -> _Target:
    if not isinstance(node, exp.Table):
        raise syntax_error(node.sql(dialect="redshift"))
    lint.check_query(node)
    return _Target(session, node)


@dataclass(frozen=True)
class Values:
    """Translated expressions with their DuckDB types; `constant` tells which are literals."""

    sql: list[str]
    types: list[str]
    constant: list[bool]


@dataclass(frozen=True)
class Parts:
    """A statement's pieces after translation, taken back out of the SELECT they were compiled in."""

    values: Values
    from_clause: str
    where_clause: str

    def first(self, count: int) -> Values:
        return self._between(0, count)

    def last(self, count: int) -> Values:
        return self._between(len(self.values.sql) - count, len(self.values.sql))

    def _between(self, start: int, end: int) -> Values:
        values = self.values
        return Values(values.sql[start:end], values.types[start:end], values.constant[start:end])


def _compile_parts(
    session: Session, target: _Target, sources: list[exp.Expr], values: list[exp.Expr], where: exp.Expr | None
) -> Parts:
    items = [exp.alias_(value, f"c{at}", quoted=True) for at, value in enumerate(values)]
    select = exp.select(*(items or [exp.alias_(exp.Literal.number(1), "one")])).from_(target.node.copy())
    for source in sources:
        if source.args.get("joins"):
            raise NotInTwinError("JOIN in the FROM or USING of UPDATE and DELETE; use a subquery")
        select = select.join(source.copy(), join_type="cross")
    if where is not None:
        select = select.where(where.this.copy())
    lint.check_query(select)
    return _parts(session, compile_tree(select, session), len(values))


def compile_parts_of_text(session: Session, text: str, values: int) -> Parts:
    """The pieces of a SELECT given as text; its first `values` columns are the values."""
    return _parts(session, compile_query(text, session), values)


def _parts(session: Session, query: Query, values: int) -> Parts:
    select = query.translated
    joins = [to_duckdb(join.this) for join in select.args.get("joins") or []]
    where = select.args.get("where")
    return Parts(
        Values(
            [to_duckdb(item.unalias()) for item in select.selects[:values]],
            session.describe(query.sql)[:values],
            [is_constant(query.typed, position) for position in range(values)],
        ),
        f" FROM {', '.join(joins)}" if joins else "",
        f" WHERE {to_duckdb(where.this)}" if where else "",
    )


def assignments(columns: Sequence[Column], values: Values) -> list[str]:
    """The `column = value` list of an UPDATE, with every value fitted to its column."""
    sets = []
    for column, kind, value, constant in zip(columns, values.types, values.sql, values.constant, strict=True):
        check_assignable(column, kind, constant=constant)
        sets.append(f"{quote(column.name)} = {stored_as(column, kind, f'({value})')}")
    return sets
