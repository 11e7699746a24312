"""Statements: parsed, sorted by kind, run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp

from localcloud.bigquery.errors import BigQueryError, invalid_query, unsupported
from localcloud.bigquery.load import job as load_job
from localcloud.bigquery.schema import Schema, arrow_schema
from localcloud.bigquery.sql import native, parameters, pseudo
from localcloud.bigquery.sql.context import Context
from localcloud.bigquery.sql.sources import Sources
from localcloud.bigquery.storage import writer
from localcloud.bigquery.storage.buckets import BATCH_ROWS
from localcloud.bigquery.storage.catalog import Catalog, Table, TableRef

_MIB = 1 << 20


@dataclass(frozen=True)
class Outcome:
    """What a statement did. `table` is None for DML, DDL and dry runs."""

    statement: str
    fields: Schema | None = None
    table: pa.Table | None = None
    affected: int | None = None
    bytes: int = 0
    tables: tuple[TableRef, ...] = ()
    target: TableRef | None = None
    billed: int = 0


def parse(text: str) -> exp.Expr:
    """One statement; raises `invalidQuery`."""
    try:
        statements = [s for s in sqlglot.parse(text, read="bigquery") if s is not None]
    except sqlglot.errors.SqlglotError as error:
        raise invalid_query(f"Syntax error: {str(error).splitlines()[0]}") from None
    if len(statements) != 1:
        raise unsupported(f"scripts of {len(statements)} statements" if statements else "an empty query")
    statement = statements[0]
    if isinstance(statement, exp.Command):
        raise unsupported(f"the statement {statement.name}")
    return statement


def run(catalog: Catalog, context: Context, text: str, *, dry_run: bool = False) -> Outcome:
    """Run one statement, or only bind it."""
    from localcloud.bigquery.sql import clones, ddl, dml

    if copied := clones.find(text):
        return Outcome(copied.statement, target=None if dry_run else copied.run(catalog, context))
    text, dropped = clones.dropped(text)
    statement = parameters.substitute(parse(text), context.parameters)
    if dropped:
        statement.set("kind", dropped)
    if isinstance(statement, exp.Query):
        limit = context.options.get("maximumBytesBilled")
        return select(catalog, context, statement, dry_run=dry_run, most_billed=int(limit) if limit else None)
    for kinds, handler in ((dml.KINDS, dml.run), (ddl.KINDS, ddl.run)):
        if isinstance(statement, kinds):
            if dry_run:
                return Outcome(type(statement).__name__.upper())
            return handler(catalog, context, statement)
    raise unsupported(f"the statement {type(statement).__name__.upper()}")


def select(
    catalog: Catalog, context: Context, query: exp.Expr, *, dry_run: bool = False, most_billed: int | None = None
) -> Outcome:
    """Run a query; raises `bytesBilledLimitExceeded` instead when it would bill more than it may."""
    with native.connect() as connection:
        sources = Sources(catalog, context, connection)
        try:
            relation = connection.sql(sources.translate(query))
            # What files outside have of bytes is known when they are read; before, there is a lower bound without them.
            # https://cloud.google.com/bigquery/docs/reference/rest/v2/Job: totalBytesProcessedAccuracy
            outside = [] if dry_run else sources.outside
            billed = sum(_billed(size) for size in [*sources.bytes_by_table(query), *outside])
            if most_billed is not None and billed > most_billed and not dry_run:
                raise _too_dear(most_billed, billed)
            relation = narrowed(relation)
            fields = native.result_fields(relation)
            _check_columns(fields)
            table = None if dry_run else native.fetch(relation, fields)
        except duckdb.Error as error:
            raise invalid_query(str(error)) from None
        size = sources.bytes(query) + sum(outside)
        return Outcome("SELECT", fields, table, None, size, sources.refs(), None, billed)


def _billed(size: int) -> int:
    """Bytes are billed by the MB, and at least 10 MB for a table.

    https://cloud.google.com/bigquery/pricing#on_demand_pricing
    """
    return max(10 * _MIB, -(-size // _MIB) * _MIB)


def _too_dear(limit: int, billed: int) -> BigQueryError:
    message = f"Query exceeded limit for bytes billed: {limit}. {billed} or higher required."
    return BigQueryError("bytesBilledLimitExceeded", message)


def narrowed(relation: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """The relation with types that BigQuery has: SUM of INT64 is INT64 again, or an overflow."""
    casts = {"hugeint": "BIGINT", "uhugeint": "BIGINT", "ubigint": "BIGINT", "uuid": "VARCHAR"}
    casts |= {f"timestamp_{unit}": "TIMESTAMP" for unit in ("s", "ms", "ns")}
    kinds = [str(kind).lower() for kind in relation.types]
    if not set(kinds) & set(casts):
        return relation
    names = [native.quoted(name) for name in relation.columns]
    parts = [f"CAST({n} AS {casts[k]}) AS {n}" if k in casts else n for n, k in zip(names, kinds, strict=True)]
    return relation.project(", ".join(parts))


def _check_columns(fields: Schema) -> None:
    names = [f.name.lower() for f in fields]
    for name in names:
        if name in pseudo.NAMES:
            raise invalid_query(f'Invalid field name "{name}". Field names are not allowed to start with _PARTITION')
    doubles = {n for n in names if names.count(n) > 1}
    if doubles:
        raise invalid_query(
            f"Duplicate column names in the result are not supported. Found duplicate(s): {sorted(doubles)}"
        )


def batches(table: pa.Table) -> Iterator[pa.RecordBatch]:
    """A result in storage batches."""
    return iter(table.combine_chunks().to_batches(max_chunksize=BATCH_ROWS))


def write_result(catalog: Catalog, target: TableRef, config: Mapping[str, Any], outcome: Outcome) -> None:
    """Put the rows of a query into a table, as the dispositions say."""
    if outcome.table is None or outcome.fields is None:
        raise invalid_query("Cannot set destination table in jobs with DML or DDL statements")
    ref, decorator = load_job.undecorated(target)
    # A query job refuses a table with rows unless told otherwise; a load job appends.
    wanted = {"writeDisposition": "WRITE_EMPTY", **config, "$": decorator}
    with catalog.lock:
        table = load_job.destination(catalog, wanted, ref)
        created = table is None
        table = table or catalog.create(ref, outcome.fields, load_job.table_options(config))
        try:
            _store(catalog, table, wanted, outcome.table, outcome.fields)
        except BaseException:
            if created:
                catalog.drop(ref)
            raise


def _store(catalog: Catalog, table: Table, config: Mapping[str, Any], rows: pa.Table, found: Schema) -> None:
    """Rows of a query into a table; an empty or a truncated one takes the schema of the query."""
    decorator = str(config["$"])
    keeps = config["writeDisposition"] == "WRITE_APPEND" or decorator
    if not keeps or not table.fields:
        writer.rewrite(catalog, table, found, batches(rows), options=load_job.table_options(config))
        return
    fields = load_job.evolved(table, found, set(config.get("schemaUpdateOptions") or ()))
    aligned = (writer.conform(b, arrow_schema(fields)) for b in batches(rows))
    load_job.store(catalog, table, fields, aligned, config, decorator)
