"""Row restrictions of read sessions as a mask over the rows of a version."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp

from localcloud.bigquery.errors import BigQueryError, invalid
from localcloud.bigquery.sql import dialect, native, pseudo
from localcloud.bigquery.storage.catalog import Catalog, Table, Version


def mask(catalog: Catalog, table: Table, version: Version, text: str) -> pa.ChunkedArray | None:
    """True for each row that stays; None when there is nothing to restrict. Raises `invalid`."""
    condition = _parse(text) if text.strip() else None
    require_filter(table, condition)
    if condition is None:
        return None
    try:
        return evaluate(catalog, table, version, condition)
    except (duckdb.Error, BigQueryError) as error:
        raise invalid(f"request failed: Query error: {error}") from None


def _parse(text: str) -> exp.Expr:
    try:
        parsed = sqlglot.parse_one(f"SELECT 1 FROM t WHERE {text}", read="bigquery")  # noqa: S608
    except sqlglot.errors.SqlglotError as error:
        raise invalid(f"request failed: Query error: {error}") from None
    where = parsed.args.get("where")
    clauses = {
        key for key, value in parsed.args.items() if value and key not in ("expressions", "from_", "where", "kind")
    }
    if where is None or clauses or any(where.find_all(exp.Subquery, exp.Select)):
        raise invalid("request failed: row_restriction must be one expression without subqueries")
    if any(where.find_all(exp.AggFunc, exp.Window)):
        raise invalid("request failed: Query error: Aggregate functions are not allowed in row_restriction")
    condition: exp.Expr = where.this
    return condition


def require_filter(table: Table, condition: exp.Expr | None) -> None:
    """Refuse a read without a filter on the partition key where the table asks for one."""
    layout = table.partitioning
    time_options = table.meta.get("timePartitioning") or {}
    if layout is None or not (table.meta.get("requirePartitionFilter") or time_options.get("requirePartitionFilter")):
        return
    keys = pseudo.NAMES if layout.by_ingestion else {str(layout.field).lower()}
    if condition is None or not any(c.name.lower() in keys for c in condition.find_all(exp.Column)):
        raise invalid(
            f"Cannot query over table '{table.ref.dotted}' without a filter over column(s) "
            f"'{', '.join(sorted(keys))}' that can be used for partition elimination"
        )


def evaluate(catalog: Catalog, table: Table, version: Version, condition: exp.Expr) -> pa.ChunkedArray:
    """A boolean per row of a version, in row order; NULL counts as false."""
    with native.connect() as connection:
        source = pseudo.rows(catalog, table, version)
        native.register(connection, "t", source, version.fields)
        predicate = dialect.to_duckdb(condition.copy(), version.fields)
        query = f"SELECT coalesce(CAST({predicate} AS BOOLEAN), false) AS keep FROM t"  # noqa: S608
        return connection.sql(query).to_arrow_table().column("keep")
