"""Row restrictions of read sessions and conditions of DML: which storage batches, and which rows of them."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp

from localcloud.bigquery.errors import BigQueryError, invalid
from localcloud.bigquery.schema import Schema, arrow_schema
from localcloud.bigquery.sql import conditions, dialect, native, pruning, pseudo
from localcloud.bigquery.sql.pseudo import Batch
from localcloud.bigquery.storage.catalog import Catalog, Table, Version

_MASKS = 16_384
_OWN = "t"
# https://github.com/GoogleCloudDataproc/spark-bigquery-connector/issues/514
_PARSED = re.compile(r"\bPARSE_TIMESTAMP\s*\(", re.IGNORECASE)


@dataclass(frozen=True)
class Piece:
    """A storage batch of a read, and which of its rows stay: all of them without a mask."""

    batch: Batch
    mask: pa.BooleanArray | None = None


class Restrictions:
    """Restrictions of read sessions; what was computed for a storage batch is kept, for it never changes."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = threading.Lock()
        self._masks: OrderedDict[tuple[str, int, str], pa.BooleanArray] = OrderedDict()

    def pieces(self, table: Table, version: Version, text: str) -> list[Piece]:
        """The storage batches that may hold rows of a restriction, with their masks. Raises `invalid`."""
        condition = parse(text) if text.strip() else None
        require_filter(table, condition)
        if condition is None:
            return [Piece(b) for b in pseudo.batches(self._catalog, table, version)]
        try:
            return self._restricted(table, version, condition)
        except (duckdb.Error, BigQueryError) as error:
            raise invalid(f"request failed: Query error: {error}") from None

    def _restricted(self, table: Table, version: Version, condition: exp.Expr) -> list[Piece]:
        ready = pruning.prepare(table, version, condition, {_OWN, table.ref.table.lower()})
        outcomes = ready.evaluate(version.bounds)
        if not ready.complete:
            # Rows that were not looked at must not hide a condition that makes no sense.
            evaluate(table, version.fields, [], condition)
        open_ones = pseudo.batches(self._catalog, table, version, outcomes.true & ~outcomes.certain)
        masks = self._evaluated(table, version.fields, open_ones, condition, condition.sql("bigquery"))
        return [Piece(b, masks.get(b.key)) for b in pseudo.batches(self._catalog, table, version, outcomes.true)]

    def _evaluated(
        self, table: Table, fields: Schema, wanted: list[Batch], condition: exp.Expr, text: str
    ) -> dict[tuple[str, int], pa.BooleanArray]:
        with self._lock:
            known = {b.key: self._masks[(*b.key, text)] for b in wanted if (*b.key, text) in self._masks}
        missing = [b for b in wanted if b.key not in known]
        if missing:
            known |= zip((b.key for b in missing), evaluate(table, fields, missing, condition), strict=True)
        with self._lock:
            for key, mask in known.items():
                self._masks[(*key, text)] = mask
                self._masks.move_to_end((*key, text))
            while len(self._masks) > _MASKS:
                self._masks.popitem(last=False)
        return known


def parse(text: str) -> exp.Expr:
    """The condition of a row_restriction; raises `invalid`."""
    try:
        parsed = sqlglot.parse_one(f"SELECT 1 FROM {_OWN} WHERE {text}", read="bigquery")  # noqa: S608
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
    if _PARSED.search(condition.sql("bigquery")):
        raise invalid(f"request failed: Row filter is invalid. Filter is '{text}'")
    return condition


def require_filter(table: Table, condition: exp.Expr | None, own: set[str] | None = None) -> None:
    """Refuse a read without a usable filter on the partition key where the table asks for one."""
    layout = table.partitioning
    time_options = table.meta.get("timePartitioning") or {}
    if layout is None or not (table.meta.get("requirePartitionFilter") or time_options.get("requirePartitionFilter")):
        return
    names = own or {_OWN, table.ref.table.lower()}
    if condition is None or not pruning.prepare(table, table.current, condition, names).usable:
        keys = sorted({pseudo.TIME, pseudo.DATE}) if layout.by_ingestion else [str(layout.field)]
        raise invalid(
            f"Cannot query over table '{table.ref.dotted}' without a filter over column(s) "
            f"{', '.join(repr(k) for k in keys)} that can be used for partition elimination"
        )


def evaluate(table: Table, fields: Schema, batches: Sequence[Batch], condition: exp.Expr) -> list[pa.BooleanArray]:
    """A boolean per row of each storage batch; NULL counts as false. Only the columns it names are read."""
    names = pseudo.named(condition)
    with_pseudo = pseudo.has_pseudo(table) and bool(names & pseudo.NAMES)
    columns = pseudo.narrowed(fields, names)
    if batches:
        source = pseudo.rows(batches, columns, pseudo=with_pseudo)
    else:
        source = _nothing(columns, with_pseudo=with_pseudo)
    with native.connect() as connection:
        native.register(connection, _OWN, source, columns)
        conditions.check(condition, partial(_type_of, connection, fields))
        predicate = dialect.to_duckdb(condition.copy(), fields)
        query = f"SELECT coalesce(CAST({predicate} AS BOOLEAN), false) AS keep FROM {_OWN}"  # noqa: S608
        keep = connection.sql(query).to_arrow_table().column("keep")
    found, row = [], 0
    for batch in batches:
        found.append(pa.concat_arrays(keep.slice(row, batch.extent.rows).chunks))
        row += batch.extent.rows
    return found


def _type_of(connection: duckdb.DuckDBPyConnection, fields: Schema, term: exp.Expr) -> str | None:
    asked = exp.select(exp.alias_(term.copy(), "term")).from_(_OWN)
    try:
        return native.type_of(connection.sql(dialect.to_duckdb(asked, fields)))
    except (duckdb.Error, BigQueryError):
        return None


def _nothing(columns: Schema, *, with_pseudo: bool) -> pa.Table:
    target = arrow_schema(columns)
    if with_pseudo:
        target = target.append(pa.field(pseudo.TIME, pa.timestamp("us", tz="UTC")))
        target = target.append(pa.field(pseudo.DATE, pa.date32()))
    return target.empty_table()
