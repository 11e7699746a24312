"""A date-sharded family as one table. Pure: descriptions of its shards in, one description out.

https://cloud.google.com/bigquery/docs/partitioned-tables#dt_partition_shard
"""

from __future__ import annotations

from collections.abc import Sequence

from lakeshift.errors import ObjectUnsupported, TypeUnsupported
from lakeshift.model import Column, Kind, Shard, SourceTable, TableRef

SUFFIX = "_table_suffix"
SHARDED = "SHARDED"
DATE_DIGITS = 8


def suffix_column() -> Column:
    """The column that says of each row which shard it came from, as `_TABLE_SUFFIX` does in BigQuery."""
    return Column(name=SUFFIX, kind=Kind.STRING, source_type="STRING", required=True, length=DATE_DIGITS)


def family(ref: TableRef, shards: Sequence[SourceTable]) -> SourceTable:
    """The family's table: the newest shard's columns, then those that only older shards have.

    Args:
        ref: its name.
        shards: its tables in the order of their dates; at least one.

    Raises:
        TypeUnsupported: a column has two types.
        ObjectUnsupported: a shard is no base table, or shards ask for filters on different columns.
    """
    newest = shards[-1]
    columns = _union(shards)
    return SourceTable(
        ref=ref,
        type=SHARDED,
        columns=columns,
        rows=sum(shard.rows for shard in shards),
        bytes=sum(shard.bytes for shard in shards),
        partition_column=_partition_column(shards),
        requires_partition_filter=any(shard.requires_partition_filter for shard in shards),
        shards=tuple(_shard(shard, columns) for shard in shards),
        cluster_columns=newest.cluster_columns,
        description=newest.description,
    )


def _shard(table: SourceTable, columns: Sequence[Column]) -> Shard:
    if table.type != "TABLE":
        raise ObjectUnsupported(
            f"{table.ref.id} is a {table.type.lower().replace('_', ' ')} in a family of tables",
            next_step='exclude it, or set "shards" to "tables".',
        )
    own = {column.name.casefold() for column in table.columns}
    return Shard(
        ref=table.ref,
        suffix=table.ref.table[-DATE_DIGITS:],
        rows=table.rows,
        bytes=table.bytes,
        requires_partition_filter=table.requires_partition_filter,
        missing=tuple(column.name for column in columns if column.name.casefold() not in own),
    )


def _union(shards: Sequence[SourceTable]) -> tuple[Column, ...]:
    found: dict[str, tuple[Column, SourceTable]] = {}
    holders: dict[str, int] = {}
    required: dict[str, bool] = {}
    for shard in reversed(shards):
        for column in shard.columns:
            name = column.name.casefold()
            first, holder = found.setdefault(name, (column, shard))
            _same_type(first, holder, column, shard)
            holders[name] = holders.get(name, 0) + 1
            required[name] = required.get(name, True) and column.required
    return tuple(
        column.model_copy(update={"required": required[name] and holders[name] == len(shards)})
        for name, (column, _) in found.items()
    )


def _same_type(first: Column, holder: SourceTable, column: Column, shard: SourceTable) -> None:
    if first.source_type != column.source_type:
        raise TypeUnsupported(
            f"{column.name} is {first.source_type} in {holder.ref.id} and {column.source_type} in {shard.ref.id}",
            next_step='leave the column out by a rule, exclude one shard, or set "shards" to "tables".',
        )


def _partition_column(shards: Sequence[SourceTable]) -> str:
    """The column that a filter of every shard can name, where a shard asks for one."""
    asked = {shard.partition_column for shard in shards if shard.requires_partition_filter}
    if len(asked) > 1:
        raise ObjectUnsupported(
            f"its shards require filters on {' and '.join(sorted(asked))}", next_step='set "shards" to "tables".'
        )
    return "".join(asked)
