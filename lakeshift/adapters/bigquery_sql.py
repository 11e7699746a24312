"""GoogleSQL text: which rows a slice reads, how a plan's rows are counted, which partitions tables have. Pure.

https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC
from decimal import Decimal

from lakeshift.inventory.family import SUFFIX
from lakeshift.inventory.query import identifier
from lakeshift.model import Column, ColumnPlan, Kind, Range, Slice, TablePlan, TableRef
from lakeshift.plan.keys import of_rows

INGESTION_TIME = "_PARTITIONTIME"
# BigQuery takes 1 MB of text (https://cloud.google.com/bigquery/quotas#query_jobs); the rest is room for its frame.
MAX_QUERY_BYTES = 900_000
# It takes 1,000 tables as well, but plans a statement of hundreds of subqueries badly.
MAX_COUNTS = 100
MAX_RANGES = 100
# https://cloud.google.com/bigquery/docs/information-schema-partitions
MAX_PARTITION_TABLES = 1000
# Whole and fractional digits that a NUMERIC always holds.
_NUMERIC = (29, 9)
_ESCAPED = re.compile(r"[\\'\x00-\x1f\x7f]")
_PREFIXES = {Kind.DATE: "DATE", Kind.DATETIME: "DATETIME", Kind.TIMESTAMP: "TIMESTAMP"}


def selected(plan: TablePlan, part: Slice | None = None) -> list[str]:
    """Names of the source's columns that are read, in its order; with a slice, only those that its table has.

    The Storage Read API takes an empty list for all columns: a shard that has none of them must be read whole.
    """
    missing = {name.casefold() for name in part.missing} if part else set()
    names = (name for column in plan.columns for name in column.sources)
    return [name for name in names if name != SUFFIX and name.casefold() not in missing]


def restriction(plan: TablePlan, part: Slice) -> str:
    """Condition for the rows of a slice under the plan's filter; "" for all rows of its table."""
    ranges = [part.range] if part.range else []
    return _condition(plan, part, ranges)


def filter_sql(plan: TablePlan) -> list[str]:
    """Statements under the plan's filter as its read sessions have it, of all rows; of a view the query itself.

    Shards that have the same columns are refused or taken alike, so that one stands for them. None without slices.
    """
    if plan.query:
        return [plan.query.sql]
    alike = {(part.missing, part.requires_partition_filter): part for part in plan.slices}
    return [f"SELECT 1 FROM {table_name(one.ref)} WHERE {_condition(plan, one, [])}" for one in alike.values()]  # noqa: S608


def count_sql(plan: TablePlan) -> list[str]:
    """Statements that each count a part of the plan's rows at `@snapshot`; their sum is the number of its rows.

    Slices that together take every row of a table are counted as the table: a bare COUNT(*) bills no bytes. The
    result of a query is counted as it is now, for it is younger than the snapshot.
    """
    batches = _batches(_counts(plan), MAX_COUNTS)
    return [_summed(batch) for batch in batches]


def relation(plan: TablePlan) -> str:
    """The plan's rows at its snapshot as a table expression, with its columns by the source's names.

    What makes one column of the target out of others, or out of the name of a shard, does so here as well. Of a plan
    that is read through a query and has no slices, the rows are those that the query gives now.
    """
    if plan.query and not (plan.slices or plan.increment):
        return f"({plan.query.sql})"
    snapshot = literal(plan.snapshot.astimezone(UTC).isoformat(sep=" ").removesuffix("+00:00"), Kind.TIMESTAMP)
    found = list(_rows(of_rows(plan), snapshot)) or [(Slice(ref=plan.source), f"{table_name(plan.source)} WHERE FALSE")]
    selects = (f"SELECT {_selected_as(plan, part)} FROM {rows}" for part, rows in found)  # noqa: S608
    return f"({' UNION ALL '.join(selects)})"


def _selected_as(plan: TablePlan, part: Slice) -> str:
    missing = {name.casefold() for name in part.missing}

    def one(column: Column, name: str) -> str:
        if name == SUFFIX:
            return _string(part.suffix)
        return f"CAST(NULL AS {column.source_type})" if name.casefold() in missing else identifier(name)

    def made(column: ColumnPlan) -> str:
        if column.folds and not column.divided:
            fields = (f"{one(field, name)} AS {identifier(field.name)}" for name, field, *_ in column.taken)
            return f"STRUCT({', '.join(fields)}) AS {identifier(column.source.name)}"
        return ", ".join(f"{one(field, name)} AS {identifier(name)}" for name, field, *_ in column.taken)

    return ", ".join(map(made, plan.columns))


def partitions_sql(project: str, dataset: str, tables: Sequence[str]) -> list[str]:
    """Statements that list the partitions of tables: table_name, partition_id, total_rows, bytes, last_modified_time.

    The names stand in the text, not in a parameter: only so is it certain that BigQuery reads no other tables,
    which it counts against its limit.
    """
    view = f"{identifier(project)}.{identifier(dataset)}.INFORMATION_SCHEMA.PARTITIONS"
    select = "SELECT table_name, partition_id, total_rows, total_logical_bytes, last_modified_time"
    return [
        f"{select} FROM {view} WHERE partition_id IS NOT NULL AND table_name IN ({', '.join(names)})"
        for names in _batches((literal(name, Kind.STRING) for name in tables), MAX_PARTITION_TABLES)
    ]


def table_name(ref: TableRef) -> str:
    """The full name of a table, quoted."""
    return ".".join(identifier(part) for part in (ref.project, ref.dataset, ref.table))


def literal(text: str, kind: Kind, source_type: str = "NUMERIC") -> str:
    """A value as GoogleSQL text.

    Args:
        text: the value as bounds have it: digits, ISO 8601 without a zone (a TIMESTAMP in UTC), or the string itself.
        kind: its type; ValueError for one that cannot bound a range.
        source_type: for a DECIMAL, the type of the column that it is compared with.
    """
    if kind in _PREFIXES:
        return f"{_PREFIXES[kind]} {_string(text + '+00' if kind is Kind.TIMESTAMP else text)}"
    if kind is Kind.INT64:
        return str(int(text))
    if kind is Kind.DECIMAL:
        return f"{'BIGNUMERIC' if _is_big(text, source_type) else 'NUMERIC'} {_string(text)}"
    if kind is Kind.FLOAT64:
        return f"CAST({_string(text)} AS FLOAT64)"
    if kind is Kind.STRING:
        return _string(text)
    raise ValueError(f"a {kind} cannot bound a range")


def _string(text: str) -> str:
    escaped = _ESCAPED.sub(lambda found: _escape(found.group()), text)
    return f"'{escaped}'"


def _escape(character: str) -> str:
    return f"\\{character}" if character in "\\'" else f"\\x{ord(character):02x}"


def _is_big(text: str, source_type: str) -> bool:
    number = Decimal(text)
    whole, fraction = number.adjusted() + 1, -int(number.as_tuple().exponent)
    return source_type.startswith("BIGNUMERIC") or whole > _NUMERIC[0] or fraction > _NUMERIC[1]


def _condition(plan: TablePlan, part: Slice, ranges: Sequence[Range]) -> str:
    """Rows of `part.ref` in any of the ranges (without ranges: all) under the plan's filter."""
    found = [_range(plan, rows) for rows in ranges]
    terms = found if all(found) else []
    # A filter that was applied by the query must not be asked again: the result need not have its columns.
    wanted = "" if plan.query else plan.row_filter
    parts = [" OR ".join(_each(terms)), wanted, _every_row(plan, part, ranges if terms else [])]
    return " AND ".join(_each([condition for condition in parts if condition]))


def _each(conditions: Sequence[str]) -> list[str]:
    """Conditions ready to be joined; a single one needs no parentheses."""
    return list(conditions) if len(conditions) == 1 else [f"({condition})" for condition in conditions]


def _every_row(plan: TablePlan, part: Slice, ranges: Sequence[Range]) -> str:
    """A filter that keeps every row, for a table that demands one on its partition column and has none yet."""
    name = plan.partition_column or INGESTION_TIME
    named = any(rows.column.casefold() == name.casefold() for rows in ranges)
    if named or not part.requires_partition_filter:
        return ""
    return f"{_column(name)} IS NOT NULL OR {_column(name)} IS NULL"


def _range(plan: TablePlan, rows: Range) -> str:
    """Condition for the rows of a range; "" when these are all."""
    name, source_type = _column(rows.column), _source_type(plan, rows.column)
    lower = [f"{name} >= {literal(rows.lower, rows.kind, source_type)}"] if rows.lower is not None else []
    upper = [f"{name} < {literal(rows.upper, rows.kind, source_type)}"] if rows.upper is not None else []
    inside = " AND ".join(lower + upper)
    if not rows.nulls:
        return inside or f"{name} IS NOT NULL"
    return f"({inside}) OR {name} IS NULL" if inside else ""


def _column(name: str) -> str:
    """Pseudo columns stand unquoted, as everywhere in BigQuery's documentation.

    https://cloud.google.com/bigquery/docs/querying-partitioned-tables
    """
    return INGESTION_TIME if name.upper() == INGESTION_TIME else identifier(name)


def _source_type(plan: TablePlan, name: str) -> str:
    folded = name.casefold()
    types = (column.source.source_type for column in plan.columns if column.source.name.casefold() == folded)
    return next(types, "")


def _counts(plan: TablePlan) -> Iterator[str]:
    return (f"SELECT COUNT(*) AS n FROM {rows}" for _, rows in _rows(plan, "@snapshot"))  # noqa: S608


def _rows(plan: TablePlan, snapshot: str) -> Iterator[tuple[Slice, str]]:
    """A slice of each table that is read, and what stands behind FROM for its rows; several for many ranges of it."""
    at = "" if plan.query else f" FOR SYSTEM_TIME AS OF {snapshot}"
    tables: dict[TableRef, list[Slice]] = {}
    for part in plan.slices:
        tables.setdefault(part.ref, []).append(part)
    for ref, parts in tables.items():
        ranges = _joined([part.range for part in parts if part.range])
        whole = not all(part.range for part in parts) or _takes_all(plan, ranges)
        groups = [[]] if whole else [ranges[at : at + MAX_RANGES] for at in range(0, len(ranges), MAX_RANGES)]
        for group in groups:
            condition = _condition(plan, parts[0], group)
            yield parts[0], f"{table_name(ref)}{at}" + (f" WHERE {condition}" if condition else "")


def _joined(ranges: Sequence[Range]) -> list[Range]:
    """The same rows by fewer ranges: neighbours become one."""
    joined: list[Range] = []
    for rows in ranges:
        if joined and _continues(rows, joined[-1]):
            last = joined[-1]
            joined[-1] = last.model_copy(update={"upper": rows.upper, "nulls": last.nulls or rows.nulls})
        else:
            joined.append(rows)
    return joined


def _continues(rows: Range, last: Range) -> bool:
    return rows.lower is not None and (last.column, last.kind, last.upper) == (rows.column, rows.kind, rows.lower)


def _takes_all(plan: TablePlan, ranges: Sequence[Range]) -> bool:
    """Whether disjoint ranges take every row: each begins where another ends, and one takes NULL."""
    required = {column.source.name for column in plan.columns if column.source.required}
    nulls = any(rows.nulls or rows.column in required for rows in ranges)
    return nulls and Counter(rows.lower for rows in ranges) == Counter(rows.upper for rows in ranges)


def _summed(counts: Sequence[str]) -> str:
    if len(counts) == 1:
        return counts[0]
    return f"SELECT SUM(n) AS n FROM ({' UNION ALL '.join(counts)})"  # noqa: S608


def _batches(texts: Iterator[str], most: int) -> Iterator[list[str]]:
    """Texts in groups that fit a query."""
    batch: list[str] = []
    size = 0
    for text in texts:
        length = len(text.encode()) + len(" UNION ALL ")
        if batch and (len(batch) == most or size + length > MAX_QUERY_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += length
    if batch:
        yield batch
