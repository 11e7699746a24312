"""The tables of a query: found in the catalog, handed to DuckDB, renamed in the query."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass
from functools import partial

import duckdb
import pyarrow as pa
from sqlglot import exp

from localcloud.bigquery.errors import BigQueryError, invalid_query, not_found, unsupported
from localcloud.bigquery.schema import Schema
from localcloud.bigquery.sql import (
    conditions,
    dialect,
    external,
    information_schema,
    native,
    pruning,
    pseudo,
    restriction,
)
from localcloud.bigquery.sql.context import Context
from localcloud.bigquery.sql.pseudo import Batch
from localcloud.bigquery.storage.catalog import Catalog, Table, TableRef, Version

_MAX_VIEW_DEPTH = 16


class Sources:
    """Everything one query reads.

    Attributes:
        outside: bytes of each external table.
    """

    def __init__(self, catalog: Catalog, context: Context, connection: duckdb.DuckDBPyConnection) -> None:
        self._catalog = catalog
        self._context = context
        self._connection = connection
        self._registered: dict[tuple[Hashable, ...], str] = {}
        self._used: list[_Read] = []
        self._with_pseudo: set[str] = set()
        self._fields: list[Schema] = []
        self.outside: list[int] = []

    def translate(self, query: exp.Expr) -> str:
        """The query as DuckDB text; its tables are then known to the connection."""
        bound = self._bind(dialect.name_columns(query.copy()), self._context, 0)
        self._hide_pseudo(bound)
        known = tuple(f for fields in self._fields for f in fields)
        for select in bound.find_all(exp.Select):
            if where := select.args.get("where"):
                conditions.check(where.this, partial(self._type_of, select, known))
        return dialect.to_duckdb(bound, known)

    def _type_of(self, select: exp.Select, known: Schema, term: exp.Expr) -> str | None:
        """The type of a term among the tables of its SELECT; None where those do not stand for themselves."""
        parts = {name: select.args[name] for name in ("from_", "joins", "laterals") if select.args.get(name)}
        asked = exp.Select(expressions=[exp.alias_(term.copy(), "term")], **parts).copy()
        try:
            return native.type_of(self._connection.sql(dialect.to_duckdb(asked, known)))
        except (duckdb.Error, BigQueryError):
            return None

    def refs(self) -> tuple[TableRef, ...]:
        """The tables that were read."""
        return tuple(dict.fromkeys(read.ref for read in self._used))

    def bytes(self, query: exp.Expr) -> int:
        """Logical bytes of the columns that a query names; all of them with a star."""
        return sum(self.bytes_by_table(query))

    def bytes_by_table(self, query: exp.Expr) -> list[int]:
        """Logical bytes for each table of a query; partitions that the query rules out are not counted."""
        names = {c.name.lower() for c in query.find_all(exp.Column)}
        everything = any(not isinstance(s.parent, exp.Count) for s in query.find_all(exp.Star))
        views = len(self._used) > sum(1 for _ in query.find_all(exp.Table))
        return [read.bytes(None if everything or views else names) for read in self._used]

    def _bind(self, tree: exp.Expr, context: Context, depth: int) -> exp.Expr:
        if depth > _MAX_VIEW_DEPTH:
            raise invalid_query("Views are nested too deeply")
        ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
        for node in list(tree.find_all(exp.Table)):
            parts = name_parts(node)
            if len(parts) == 1 and parts[0].lower() in ctes:
                continue
            if correlated(node, parts):
                node.replace(_unnest(node, parts))
                continue
            replacement = self._replacement(node, parts, context, depth)
            if node is tree:
                tree = replacement
            else:
                node.replace(replacement)
        return tree

    def _replacement(self, node: exp.Table, parts: tuple[str, ...], context: Context, depth: int) -> exp.Expr:
        alias = node.alias or parts[-1]
        if node.args.get("pivots") or node.args.get("sample"):
            raise unsupported("PIVOT, UNPIVOT and TABLESAMPLE")
        if information := information_schema.find(self._catalog, context, parts, _own_where(node)):
            fields, rows = information
            return _renamed(self._register((".".join(parts), len(self._registered)), rows, fields), alias)
        if any("*" in p for p in parts):
            raise unsupported("wildcard tables")
        ref = context.table(parts)
        table = self._found(ref, context)
        if table.kind in ("VIEW", "MATERIALIZED_VIEW"):
            return self._view(table, alias, depth)
        if table.kind == "EXTERNAL":
            rows, fields = external.rows(table)
            self.outside.append(rows.nbytes)
            return _renamed(self._register((str(ref), 0), rows, fields), alias)
        version = table.at(as_of(node, self._connection))
        own = {alias.lower()}
        restriction.require_filter(table, _where(node), own)
        batches = self._batches(table, version, node, own)
        self._used.append(_Read(ref, version, sum(b.extent.rows for b in batches)))
        return _renamed(self._table(table, version, batches, node), alias)

    def _batches(self, table: Table, version: Version, node: exp.Table, own: set[str]) -> list[Batch]:
        """The storage batches that the query cannot do without.

        Beside other tables a batch that the WHERE rules out may still decide which rows of an outer join are NULL.
        """
        where = _own_where(node)
        ready = None if where is None else pruning.prepare(table, version, where, own)
        kept = None if ready is None else ready.evaluate(version.bounds).true
        return pseudo.batches(self._catalog, table, version, kept)

    def _found(self, ref: TableRef, context: Context) -> Table:
        location = self._catalog.dataset(ref.project, ref.dataset).location
        if context.location and location.lower() != context.location.lower():
            dataset = f"{ref.project}:{ref.dataset}"
            raise not_found("Dataset", f"{dataset} was not found in location {context.location}")
        return self._catalog.table(ref)

    def _view(self, table: Table, alias: str, depth: int) -> exp.Expr:
        from localcloud.bigquery.sql import engine

        definition = table.meta.get("view") or table.meta.get("materializedView") or {}
        inner = Context(table.ref.project, (table.ref.project, table.ref.dataset), (), self._context.location)
        bound = self._bind(engine.parse(definition["query"]), inner, depth + 1)
        if not isinstance(bound, exp.Query):
            raise invalid_query(f"View {table.ref} is not a query")
        return bound.subquery(exp.to_identifier(alias, quoted=True))

    def _table(self, table: Table, version: Version, batches: list[Batch], node: exp.Table) -> str:
        root = node.root()
        wanted = pseudo.has_pseudo(table) and any(c.name.lower() in pseudo.NAMES for c in root.find_all(exp.Column))
        key = (str(table.ref), version.micros, *(b.key for b in batches))
        if key not in self._registered:
            self._register(key, pseudo.rows(batches, version.fields, pseudo=wanted), version.fields)
        if wanted:
            self._with_pseudo.add(self._registered[key])
        return self._registered[key]

    def _register(self, key: tuple[Hashable, ...], rows: pa.Table, fields: Schema) -> str:
        name = f"source_{len(self._registered)}"
        native.register(self._connection, name, rows, fields)
        self._registered[key] = name
        self._fields.append(fields)
        return name

    def _hide_pseudo(self, tree: exp.Expr) -> None:
        """A star does not stand for pseudo columns."""
        for select in tree.find_all(exp.Select):
            sources = [s.this for s in (select.args.get("from_"), *(select.args.get("joins") or ())) if s is not None]
            hidden = {s.alias_or_name.lower() for s in sources if s.name in self._with_pseudo}
            for item in select.expressions:
                star = item.this if isinstance(item, exp.Column) else item
                named = isinstance(item, exp.Column) and item.table.lower() not in hidden
                if isinstance(star, exp.Star) and hidden and not named:
                    excepted = [exp.column(name) for name in (pseudo.TIME, pseudo.DATE)]
                    star.set("except_", [*(star.args.get("except_") or ()), *excepted])


@dataclass(frozen=True)
class _Read:
    """A table of a query, with the rows that it cannot do without."""

    ref: TableRef
    version: Version
    rows: int

    def bytes(self, names: set[str] | None) -> int:
        fields = tuple(f for f in self.version.fields if names is None or f.name.lower() in names)
        size = self.version.size(fields) if fields else 0
        return size * self.rows // max(1, self.version.rows)


def name_parts(node: exp.Table) -> tuple[str, ...]:
    """The parts of a table name, however they were quoted."""
    names = [part.name for part in node.parts]
    return tuple(piece for name in names for piece in _pieces(name))


def _pieces(name: str) -> list[str]:
    # `INFORMATION_SCHEMA.TABLES` comes as one identifier; a project may hold a domain before a colon.
    return re.split(r"\.(?![^:]*:)", name)


def correlated(node: exp.Table, parts: tuple[str, ...]) -> bool:
    """Whether `t.items` in a FROM means an array of the table `t` beside it."""
    select = node.find_ancestor(exp.Select)
    if len(parts) < 2 or select is None:
        return False
    siblings = [t for t in select.find_all(exp.Table, exp.Unnest) if t is not node]
    return any(t.alias_or_name.lower() == parts[0].lower() for t in siblings if t.parent is not None)


def _unnest(node: exp.Table, parts: tuple[str, ...]) -> exp.Expr:
    path = exp.Dot.build([exp.column(parts[1], table=parts[0]), *(exp.to_identifier(p) for p in parts[2:])])
    column = path if len(parts) > 2 else exp.column(parts[1], table=parts[0])
    alias = exp.TableAlias(this=exp.to_identifier("_items"), columns=[exp.to_identifier(node.alias or parts[-1])])
    return exp.Unnest(expressions=[column], alias=alias)


def _renamed(name: str, alias: str) -> exp.Table:
    return exp.Table(this=exp.to_identifier(name), alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))


def _where(node: exp.Table) -> exp.Expr | None:
    select = node.find_ancestor(exp.Select)
    where = select.args.get("where") if select else None
    found: exp.Expr | None = where.this if where is not None else None
    return found


def _own_where(node: exp.Table) -> exp.Expr | None:
    """The WHERE of a query that reads this table and nothing beside it."""
    select = node.find_ancestor(exp.Select)
    alone = select is not None and not select.args.get("joins") and not select.args.get("laterals")
    return _where(node) if alone else None


def as_of(node: exp.Table, connection: duckdb.DuckDBPyConnection) -> int | None:
    """The FOR SYSTEM_TIME AS OF of a table in microseconds."""
    version = node.args.get("version")
    if version is None:
        return None
    text = dialect.to_duckdb(version.expression.copy(), ())
    row = connection.sql(f"SELECT epoch_us(CAST({text} AS TIMESTAMPTZ)) AS at").to_arrow_table()
    micros = row.column("at")[0].as_py()
    if micros is None:
        raise BigQueryError("invalidQuery", "FOR SYSTEM_TIME AS OF cannot be NULL", "query")
    return int(micros)
