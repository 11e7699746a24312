"""INSERT, UPDATE and DELETE: each makes a new version of its table.

https://cloud.google.com/bigquery/docs/reference/standard-sql/dml-syntax
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from localcloud.bigquery import schema
from localcloud.bigquery.errors import invalid_query, unsupported
from localcloud.bigquery.load import coerce, columns, values
from localcloud.bigquery.load.columns import RowError
from localcloud.bigquery.schema import Field, Schema
from localcloud.bigquery.sql import dialect, engine, native, pseudo, restriction
from localcloud.bigquery.sql.context import Context
from localcloud.bigquery.sql.engine import Outcome
from localcloud.bigquery.sql.sources import name_parts
from localcloud.bigquery.storage import writer
from localcloud.bigquery.storage.catalog import Catalog, Table

KINDS = (exp.Insert, exp.Update, exp.Delete)
_WIDENING = {
    ("INTEGER", "FLOAT"),
    ("INTEGER", "NUMERIC"),
    ("INTEGER", "BIGNUMERIC"),
    ("NUMERIC", "BIGNUMERIC"),
    ("NUMERIC", "FLOAT"),
}
_FROM_TEXT = {"DATE", "TIME", "DATETIME", "TIMESTAMP"}


def run(catalog: Catalog, context: Context, statement: exp.Expr) -> Outcome:
    """Run a DML statement."""
    with catalog.lock:
        try:
            if isinstance(statement, exp.Insert):
                return _insert(catalog, context, statement)
            if isinstance(statement, exp.Update):
                return _update(catalog, context, statement)
            return _delete(catalog, context, statement)
        except RowError as error:
            raise invalid_query(str(error)) from None
        except duckdb.Error as error:
            raise invalid_query(str(error)) from None


def _table(catalog: Catalog, context: Context, node: exp.Expr) -> Table:
    if not isinstance(node, exp.Table):
        raise unsupported(f"DML on {node.sql('bigquery')}")
    table = catalog.table(context.table(name_parts(node)))
    if table.kind != "TABLE":
        raise invalid_query(f"DML over {table.ref}, a {table.kind}, is not allowed")
    return table


def _insert(catalog: Catalog, context: Context, statement: exp.Insert) -> Outcome:
    node = statement.this
    table = _table(catalog, context, node.this if isinstance(node, exp.Schema) else node)
    names = [e.name for e in node.expressions] if isinstance(node, exp.Schema) else [f.name for f in table.fields]
    targets = _targets(table, names)
    source = statement.expression
    if isinstance(source, exp.Values):
        rows, size = _literal_rows(catalog, context, source, targets), 0
    else:
        outcome = engine.select(catalog, context, source)
        rows, size = _query_rows(outcome, targets), outcome.bytes
    numbers = len(rows[0]) if rows else 0
    batch = coerce.batch(rows, [f.name for f in targets], table.fields, numbers, 1)
    writer.append(catalog, table, table.fields, [batch])
    return Outcome("INSERT", affected=numbers, bytes=size, tables=(table.ref,))


def _targets(table: Table, names: list[str]) -> Schema:
    known = {f.name.lower(): f for f in table.fields}
    missing = [n for n in names if n.lower() not in known]
    if missing:
        raise invalid_query(f"Column {missing[0]} is not present in table {table.ref}")
    return tuple(known[n.lower()] for n in names)


def _query_rows(outcome: Outcome, targets: Schema) -> list[pa.Array]:
    fields, table = outcome.fields or (), outcome.table
    if table is None or len(fields) != len(targets):
        raise invalid_query(f"Inserted row has wrong column count; Has {len(fields)}, expected {len(targets)}")
    arrays = [pa.concat_arrays(c.chunks) if c.num_chunks else pa.nulls(0, c.type) for c in table.columns]
    return [_fit(a, own, target) for a, own, target in zip(arrays, fields, targets, strict=True)]


def _fit(array: pa.Array, own: Field, target: Field, *, literal: bool = False) -> pa.Array:
    """A query's column for a target column; only BigQuery's own coercions are allowed."""
    if array.null_count == len(array) and not own.repeated:
        return pa.nulls(len(array))
    same = own.type == target.type and own.repeated == target.repeated
    if same or (own.type, target.type) in _WIDENING:
        return array.cast(pa.float64()) if target.type == "FLOAT" and own.type != "FLOAT" else array
    if literal and own.type == "STRING" and target.type in _FROM_TEXT:
        return columns.scalars(target, array.to_pylist(), range(1, len(array) + 1), target.name)
    raise invalid_query(
        f"Query column has type {own.type} which cannot be inserted into column {target.name}, "
        f"which has type {target.type}"
    )


def _literal_rows(catalog: Catalog, context: Context, source: exp.Values, targets: Schema) -> list[pa.Array]:
    tuples = [t.expressions if isinstance(t, exp.Tuple) else [t] for t in source.expressions]
    if any(len(t) != len(targets) for t in tuples):
        raise invalid_query(f"Inserted row has wrong column count; expected {len(targets)}")
    columns_of = list(zip(*tuples, strict=True))
    return [_literal_column(catalog, context, list(c), f) for c, f in zip(columns_of, targets, strict=True)]


def _literal_column(catalog: Catalog, context: Context, cells: list[exp.Expr], target: Field) -> pa.Array:
    return pa.concat_arrays([_aligned(_cell(catalog, context, cell, target), target) for cell in cells])


def _aligned(array: pa.Array, target: Field) -> pa.Array:
    return coerce.column(array, columns.relaxed(target), pa.array(range(1, len(array) + 1)), target.name)


def _cell(catalog: Catalog, context: Context, cell: exp.Expr, target: Field) -> pa.Array:
    number = cell.this if isinstance(cell, exp.Neg) else cell
    if isinstance(number, exp.Literal) and not number.is_string and target.type in ("NUMERIC", "BIGNUMERIC"):
        # A number literal becomes the column's own type without a detour over FLOAT64.
        text = f"{'-' if isinstance(cell, exp.Neg) else ''}{number.this}"
        return columns.scalars(target, [values.Number(Decimal(text))], [1], target.name)
    outcome = engine.select(catalog, context, exp.select(exp.alias_(cell.copy(), "cell")))
    if outcome.table is None or outcome.fields is None:
        raise invalid_query("INSERT VALUES without a value")
    literal = isinstance(cell, exp.Literal)
    return _fit(pa.concat_arrays(outcome.table.column(0).chunks), outcome.fields[0], target, literal=literal)


def _condition(table: Table, statement: exp.Expr, verb: str) -> exp.Expr:
    where = statement.args.get("where")
    if where is None:
        raise invalid_query(f"{verb} must have a WHERE clause")
    if any(where.find_all(exp.Subquery, exp.Select)):
        raise unsupported(f"{verb} with a subquery")
    restriction.require_filter(table, where.this)
    return _unqualified(where.this, table, statement)


def _unqualified(tree: exp.Expr, table: Table, statement: exp.Expr) -> exp.Expr:
    """The expression without the table's own name or alias before its columns."""
    own = {table.ref.table.lower(), str(statement.this.alias).lower()}
    copy = exp.Paren(this=tree.copy())
    for column in copy.find_all(exp.Column):
        if column.table.lower() in own:
            column.set("table", None)
    inner: exp.Expr = copy.this
    return inner


def _delete(catalog: Catalog, context: Context, statement: exp.Expr) -> Outcome:
    table = _table(catalog, context, statement.this)
    condition = _condition(table, statement, "DELETE")
    size = table.current.size()
    gone = restriction.evaluate(catalog, table, table.current, condition)
    affected = pc.sum(gone).as_py() or 0
    if affected:
        rows = pseudo.plain(catalog, table, table.current)
        _replace(catalog, table, rows.filter(pc.invert(gone)), rows.filter(gone))
    return Outcome("DELETE", affected=affected, bytes=size, tables=(table.ref,))


def _update(catalog: Catalog, context: Context, statement: exp.Update) -> Outcome:
    if statement.args.get("from_") or statement.args.get("from"):
        raise unsupported("UPDATE with FROM")
    table = _table(catalog, context, statement.this)
    condition = _condition(table, statement, "UPDATE")
    hit = restriction.evaluate(catalog, table, table.current, condition)
    affected = pc.sum(hit).as_py() or 0
    size = table.current.size()
    if affected:
        rows = pseudo.plain(catalog, table, table.current)
        before = rows.filter(hit)
        after = _assigned(table, before, _assignments(table, statement))
        merged = pa.concat_tables([rows.filter(pc.invert(hit)), after])
        _replace(catalog, table, merged, pa.concat_tables([before, after]))
    return Outcome("UPDATE", affected=affected, bytes=size, tables=(table.ref,))


def _assignments(table: Table, statement: exp.Update) -> dict[str, exp.Expr]:
    found: dict[str, exp.Expr] = {}
    for assignment in statement.expressions:
        if any(assignment.find_all(exp.Subquery, exp.Select)):
            raise unsupported("UPDATE with a subquery")
        target = _unqualified(assignment.this, table, statement)
        if not isinstance(target, exp.Column) or target.table:
            raise unsupported("UPDATE of a field inside a STRUCT")
        if target.name.lower() in found:
            raise invalid_query(f"Update item {target.name} is assigned more than once")
        found[target.name.lower()] = _unqualified(assignment.expression, table, statement)
    _targets(table, list(found))
    return found


def _assigned(table: Table, rows: pa.Table, assigned: Mapping[str, exp.Expr]) -> pa.Table:
    """The rows with new values, computed over these rows only."""
    arrays = []
    for field in table.fields:
        expression = assigned.get(field.name.lower())
        column = rows.column(field.name)
        arrays.append(column if expression is None else _computed(table, rows, field, expression))
    return pa.table(arrays, schema=schema.arrow_schema(table.fields))


def _computed(table: Table, rows: pa.Table, target: Field, expression: exp.Expr) -> pa.Array:
    if isinstance(expression, exp.Literal) and not expression.is_string and target.type in ("NUMERIC", "BIGNUMERIC"):
        one = columns.scalars(target, [values.Number(expression.this)], [1], target.name)
        return pa.concat_arrays([one] * rows.num_rows)
    with native.connect() as connection:
        native.register(connection, "t", rows, table.fields)
        text = dialect.to_duckdb(expression.copy(), table.fields)
        relation = engine.narrowed(connection.sql(f"SELECT {text} AS value FROM t"))  # noqa: S608
        fields = native.result_fields(relation)
        array = pa.concat_arrays(native.fetch(relation, fields).column(0).chunks)
    fitted = _fit(array, fields[0], target, literal=isinstance(expression, exp.Literal))
    return coerce.column(fitted, target, pa.array(range(1, rows.num_rows + 1)), target.name)


def _replace(catalog: Catalog, table: Table, rows: pa.Table, changed: pa.Table) -> None:
    """Write a version; only partitions of changed rows count as modified."""
    layout = table.partitioning
    if layout is not None and layout.by_ingestion:
        raise unsupported("UPDATE and DELETE on ingestion-time partitioned tables")
    touched = writer.partition_ids(changed, layout) if layout else None
    writer.rewrite(catalog, table, table.fields, engine.batches(rows), touched=touched)
