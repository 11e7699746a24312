"""INSERT, UPDATE and DELETE: each makes a new version of its table.

https://cloud.google.com/bigquery/docs/reference/standard-sql/dml-syntax
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from localcloud.bigquery.storage import buckets, partitions, writer
from localcloud.bigquery.storage.buckets import Labelled
from localcloud.bigquery.storage.catalog import Catalog, Table
from localcloud.bigquery.storage.partitions import Partitioning

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
    own = [(f.name, a) for f, a in zip(targets, rows, strict=True) if f.name != pseudo.TIME]
    batch = coerce.batch([a for _, a in own], [n for n, _ in own], table.fields, numbers, 1)
    if len(own) == len(rows):
        writer.append(catalog, table, table.fields, [batch])
    else:
        times = rows[[f.name for f in targets].index(pseudo.TIME)]
        writer.append_labelled(catalog, table, _by_time(table, batch, times))
    return Outcome("INSERT", affected=numbers, bytes=size, tables=(table.ref,))


def _by_time(table: Table, batch: pa.RecordBatch, times: pa.Array) -> Iterator[Labelled]:
    """Rows under the `_PARTITIONTIME` that the statement gives them, which must be the start of a partition."""
    unit = str(table.partitioning.unit if table.partitioning else "")
    if times.null_count:
        raise invalid_query("Cannot insert NULL into the pseudo column _PARTITIONTIME")
    naive = times.cast(pa.timestamp("us", tz="UTC")).cast(pa.timestamp("us"))
    if not pc.all(pc.equal(pc.floor_temporal(naive, unit=unit.lower()), naive)).as_py():
        raise invalid_query(f"_PARTITIONTIME must be the start of a partition of type {unit}")
    keyed = pa.RecordBatch.from_arrays([naive], names=[pseudo.TIME])
    codes, labels = partitions.labels(keyed.column(0), Partitioning(pseudo.TIME, unit))
    for code, label in enumerate(labels):
        yield label, batch.filter(pa.array(codes == code))


def _targets(table: Table, names: list[str]) -> Schema:
    known = {f.name.lower(): f for f in table.fields}
    if pseudo.has_pseudo(table):
        known[pseudo.TIME.lower()] = Field(pseudo.TIME, "TIMESTAMP")
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
    restriction.require_filter(table, where.this, {table.ref.table.lower(), str(statement.this.alias).lower()})
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
    gone = _marked(catalog, table, condition)
    affected = pc.sum(gone).as_py() or 0
    if affected:
        writer.replace_rows(catalog, table, gone)
    return Outcome("DELETE", affected=affected, bytes=size, tables=(table.ref,))


def _marked(catalog: Catalog, table: Table, condition: exp.Expr) -> pa.ChunkedArray:
    """A boolean for each row of the newest version, in row order."""
    batches = pseudo.batches(catalog, table, table.current)
    return pa.chunked_array(restriction.evaluate(table, table.fields, batches, condition), pa.bool_())


def _update(catalog: Catalog, context: Context, statement: exp.Update) -> Outcome:
    if statement.args.get("from_") or statement.args.get("from"):
        raise unsupported("UPDATE with FROM")
    table = _table(catalog, context, statement.this)
    condition = _condition(table, statement, "UPDATE")
    hit = _marked(catalog, table, condition)
    affected = pc.sum(hit).as_py() or 0
    size = table.current.size()
    assigned = _assignments(table, statement)
    if affected:
        batches = pseudo.batches(catalog, table, table.current)
        before = pseudo.rows(batches, table.fields).filter(hit)
        after = _assigned(table, before, assigned)
        writer.replace_rows(catalog, table, hit, _placed(table, after, _labels(batches, hit)))
    return Outcome("UPDATE", affected=affected, bytes=size, tables=(table.ref,))


def _labels(batches: list[pseudo.Batch], hit: pa.ChunkedArray) -> list[tuple[str | None, int]]:
    """Runs of the marked rows: their partition, and how many."""
    found, row = [], 0
    for batch in batches:
        number = int(pc.sum(hit.slice(row, batch.extent.rows)).as_py() or 0)
        row += batch.extent.rows
        if number:
            found.append((batch.extent.partition, number))
    return found


def _placed(table: Table, rows: pa.Table, labels: list[tuple[str | None, int]]) -> Iterator[Labelled]:
    """Changed rows with their partitions: those they come to lie in, or by ingestion time those they were in."""
    if not pseudo.has_pseudo(table):
        yield from buckets.arranged(engine.batches(rows), table.partitioning)
        return
    start = 0
    for label, number in labels:
        yield from ((label, batch) for batch in engine.batches(rows.slice(start, number)))
        start += number


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
