"""Statements: parsed, sorted by kind, run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp

from localcloud.bigquery.errors import invalid_query, unsupported
from localcloud.bigquery.load import job as load_job
from localcloud.bigquery.schema import Schema, arrow_schema
from localcloud.bigquery.sql import native, parameters
from localcloud.bigquery.sql.context import Context
from localcloud.bigquery.sql.sources import Sources
from localcloud.bigquery.storage import writer
from localcloud.bigquery.storage.catalog import Catalog, TableRef
from localcloud.bigquery.storage.files import BATCH_ROWS


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
    from localcloud.bigquery.sql import ddl, dml

    statement = parameters.substitute(parse(text), context.parameters)
    if isinstance(statement, exp.Query):
        return select(catalog, context, statement, dry_run=dry_run)
    for kinds, handler in ((dml.KINDS, dml.run), (ddl.KINDS, ddl.run)):
        if isinstance(statement, kinds):
            if dry_run:
                return Outcome(type(statement).__name__.upper())
            return handler(catalog, context, statement)
    raise unsupported(f"the statement {type(statement).__name__.upper()}")


def select(catalog: Catalog, context: Context, query: exp.Expr, *, dry_run: bool = False) -> Outcome:
    """Run a query."""
    with native.connect() as connection:
        sources = Sources(catalog, context, connection)
        try:
            relation = connection.sql(sources.translate(query))
            relation = narrowed(relation)
            fields = native.result_fields(relation)
            _check_columns(fields)
            table = None if dry_run else native.fetch(relation, fields)
        except duckdb.Error as error:
            raise invalid_query(str(error)) from None
        return Outcome("SELECT", fields, table, None, sources.bytes(query), sources.refs())


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
    options = load_job.table_options(config)
    with catalog.lock:
        # A query job refuses a table with rows unless told otherwise; a load job appends.
        wanted = {"writeDisposition": "WRITE_EMPTY", **config}
        table = load_job.destination(catalog, wanted, target)
        created = table is None
        table = table or catalog.create(target, outcome.fields, options)
        try:
            if wanted["writeDisposition"] == "WRITE_APPEND" and not created:
                fields = load_job.evolved(table, outcome.fields, set(config.get("schemaUpdateOptions") or ()))
                aligned = (writer.conform(b, arrow_schema(fields)) for b in batches(outcome.table))
                writer.append(catalog, table, fields, aligned)
            else:
                writer.rewrite(catalog, table, outcome.fields, batches(outcome.table), options=options)
        except BaseException:
            if created:
                catalog.drop(target)
            raise
