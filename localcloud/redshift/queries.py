"""From the text of a Redshift query to a DuckDB query: parse, lint, resolve, type, translate."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, cast

import sqlglot
from sqlglot import exp
from sqlglot.errors import OptimizeError, ParseError, SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from localcloud.redshift import lint, system
from localcloud.redshift.catalog import INTERNAL, Catalog
from localcloud.redshift.categories import check_categories
from localcloud.redshift.correlation import check_correlation
from localcloud.redshift.dialect import TwinRedshift
from localcloud.redshift.errors import NotInTwinError, RedshiftError, no_column, unsupported
from localcloud.redshift.iterations import resolve as resolve_iterations
from localcloud.redshift.model import TableName
from localcloud.redshift.naming import name_projections
from localcloud.redshift.pivots import expand as expand_pivots
from localcloud.redshift.super_paths import is_super, rewrite_paths
from localcloud.redshift.tokens import tokenize
from localcloud.redshift.translate import translate

_MAX_ROUNDS = 6
_SUPER_LIMITS = "https://docs.aws.amazon.com/redshift/latest/dg/limitations-super.html"


class Scope(Protocol):
    """What a query can see: the session's catalog, search path and constants."""

    @property
    def catalog(self) -> Catalog: ...
    @property
    def search_path(self) -> tuple[str, ...]: ...
    @property
    def constants(self) -> dict[str, exp.Expr]: ...


@dataclass(frozen=True)
class Query:
    """A query ready for DuckDB; `typed` keeps the Redshift types of its columns."""

    translated: exp.Query
    typed: exp.Query

    @property
    def sql(self) -> str:
        return to_duckdb(self.translated)

    @property
    def names(self) -> list[str]:
        return list(self.typed.named_selects)


def parse(text: str) -> exp.Expr:
    """One statement as a linted tree. Raises RedshiftError for anything that is not Redshift SQL."""
    lint.check_tokens(tokenize(text))
    tree = parse_unchecked(text)
    lint.check_query(tree)
    return tree


def parse_unchecked(text: str) -> exp.Expr:
    try:
        trees = sqlglot.parse(text, read=TwinRedshift)
    except ParseError as error:
        raise _syntax(error) from error
    except SqlglotError as error:
        raise RedshiftError(f"syntax error: {str(error).splitlines()[0]}", code="42601") from error
    found = [tree for tree in trees if tree is not None]
    if len(found) != 1:
        raise unsupported("more than one statement in one text" if found else "an empty statement")
    return found[0]


def _syntax(error: ParseError) -> RedshiftError:
    first = error.errors[0] if error.errors else {}
    near = str(first.get("highlight") or "").strip() or "end of input"
    return RedshiftError(f'syntax error at or near "{near}"', code="42601", detail=str(first.get("description") or ""))


def compile_query(text: str, scope: Scope) -> Query:
    """A SELECT, WITH or set operation from its text."""
    tree = parse(text)
    if isinstance(tree, exp.Subquery):
        tree = tree.unnest()
    if not isinstance(tree, exp.Query):
        raise unsupported(f"{type(tree).__name__} as a query")
    return compile_tree(tree, scope)


def compile_tree(tree: exp.Query, scope: Scope) -> Query:
    """A linted query tree; the tree is used up."""
    typed = analyse(tree, scope)
    translated = translate(typed.copy(), scope.constants)
    return Query(translated=cast("exp.Query", translated), typed=typed)


def to_duckdb(tree: exp.Expr) -> str:
    return tree.sql(dialect="duckdb", identify=True, comments=False)


def analyse(tree: exp.Query, scope: Scope) -> exp.Query:
    """Resolves tables and columns against the catalog and gives every expression its type."""
    expand_pivots(tree, lambda query: analyse(query, scope).named_selects)
    resolve_iterations(tree)
    name_projections(tree)
    schema = MappingSchema(dialect=TwinRedshift, normalize=False)
    _resolve_tables(tree, scope, schema)
    _check_aliases(tree, schema)
    try:
        qualified = qualify(
            tree, schema=schema, dialect=TwinRedshift, quote_identifiers=False, validate_qualify_columns=True
        )
        check_correlation(qualified)
        typed = annotate_types(qualified, schema=schema, dialect=TwinRedshift)
    except OptimizeError as error:
        raise _unresolved(error) from error
    for _ in range(_MAX_ROUNDS):
        if not rewrite_paths(typed):
            break
        typed = annotate_types(typed, schema=schema, dialect=TwinRedshift)
    _check_super_use(typed)
    check_categories(typed)
    return typed


def _check_aliases(tree: exp.Query, schema: MappingSchema) -> None:
    """Only the select list, GROUP BY, ORDER BY and QUALIFY see the names that the select list gives."""
    clauses = [clause for clause in tree.find_all(exp.Where, exp.Having) if _uses_alias(clause)]
    if not clauses:
        return
    bare = tree.copy()
    with suppress(OptimizeError):
        bare = qualify(
            bare,
            schema=schema,
            dialect=TwinRedshift,
            quote_identifiers=False,
            expand_alias_refs=False,
            validate_qualify_columns=False,
        )
        for clause in bare.find_all(exp.Where, exp.Having):
            loose = next((column for column in clause.find_all(exp.Column) if not column.table), None)
            if loose is not None:
                raise no_column(loose.name)


def _uses_alias(clause: exp.Expr) -> bool:
    select = clause.parent
    if not isinstance(select, exp.Select):
        return False
    names = {item.alias for item in select.expressions if isinstance(item, exp.Alias)}
    return any(not column.table and column.name in names for column in clause.find_all(exp.Column))


def _unresolved(error: OptimizeError) -> RedshiftError:
    text = str(error)
    if "could not be resolved" in text and "'" in text:
        return no_column(text.split("'")[1].lower())
    if "ambiguous" in text.lower():
        return RedshiftError(f"column reference is ambiguous: {text}", code="42702")
    return RedshiftError(f"syntax error: {text}", code="42601")


def _check_super_use(tree: exp.Expr) -> None:
    """The twin keeps SUPER as text, whose equality and order are not those of the values."""
    for clause in tree.find_all(exp.Group, exp.Order, exp.Distinct):
        items = clause.parent.selects if isinstance(clause.parent, exp.Select) else []
        compared = items if isinstance(clause, exp.Distinct) else clause.expressions
        for item in (*compared, *clause.expressions):
            if is_super(item.this if isinstance(item, exp.Ordered) else item):
                raise NotInTwinError("SUPER in GROUP BY, ORDER BY or DISTINCT; cast it")
    outer = any(join.side in ("RIGHT", "FULL") for join in tree.find_all(exp.Join))
    if outer and any(is_super(column) for column in tree.find_all(exp.Column)):
        raise unsupported("SUPER in a right or full outer join", _SUPER_LIMITS)
    for operation in tree.find_all(exp.SetOperation):
        if operation.args.get("distinct") and any(is_super(item) for item in operation.selects):
            raise NotInTwinError("SUPER in UNION, INTERSECT or EXCEPT; use UNION ALL")


def _resolve_tables(tree: exp.Expr, scope: Scope, schema: MappingSchema) -> None:
    """Points every table at its DuckDB place, puts views in as subqueries, and adds the columns seen to the schema."""
    hidden = {cte.alias for cte in tree.find_all(exp.CTE)}
    tables = list(tree.find_all(exp.Table))
    _shorten_columns(tree, {(table.db, table.name) for table in tables if table.db})
    for table in tables:
        if not (table.name in hidden and not table.db):
            _resolve_table(table, scope, schema)


def _shorten_columns(tree: exp.Expr, tables: set[tuple[str, str]]) -> None:
    """`schema.table.column` becomes `table.column`; what else has three parts is a path into SUPER."""
    for column in tree.find_all(exp.Column):
        if (column.db, column.table) in tables:
            column.set("db", None)
            column.set("catalog", None)


def table_path(table: exp.Table) -> tuple[str, ...]:
    parts = (table.catalog, table.db, table.name)
    return tuple(part.lower() for part in parts if part)


def _resolve_table(table: exp.Table, scope: Scope, schema: MappingSchema) -> None:
    path = table_path(table)
    view = system.find(path)
    if view is not None:
        _place(table, (scope.catalog.database, INTERNAL, view.stored), view.name)
        schema.add_table(table.copy(), dict(view.columns))
        return
    if system.is_reserved(path):
        raise NotInTwinError(f"the system relation {'.'.join(path)}")
    name = scope.catalog.resolve(path, scope.search_path)
    if scope.catalog.kind(name) == "view":
        _inline_view(table, name, scope, schema)
        return
    _place(table, scope.catalog.location(name), name.name)
    schema.add_table(table.copy(), column_types(scope.catalog, name))


def column_types(catalog: Catalog, name: TableName) -> dict[str, str]:
    return {column.name: _schema_type(column.type.sql) for column in catalog.columns(name)}


def _schema_type(sql: str) -> str:
    """sqlglot knows `binary varying` as VARBYTE, and takes no numeric without precision."""
    return sql.replace("binary varying", "varbyte")


def _place(table: exp.Table, location: tuple[str, str, str], alias: str) -> None:
    catalog, db, name = (exp.to_identifier(part, quoted=True) for part in location)
    table.set("catalog", catalog)
    table.set("db", db)
    table.set("this", name)
    if not table.alias:
        table.set("alias", exp.TableAlias(this=exp.to_identifier(alias)))


def _inline_view(table: exp.Table, name: TableName, scope: Scope, schema: MappingSchema) -> None:
    inner = cast("exp.Query", parse(scope.catalog.view_definition(name)))
    expand_pivots(inner, lambda query: analyse(query, scope).named_selects)
    resolve_iterations(inner)
    name_projections(inner)
    _resolve_tables(inner, scope, schema)
    alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(name.name))
    joins = table.args.get("joins")
    table.replace(exp.Subquery(this=inner, alias=alias, joins=joins))
