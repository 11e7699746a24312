"""Plans of the tables that the tests read, cut as finely as their partitions allow."""

from __future__ import annotations

from collections import Counter
from typing import Any

from lakeshift.adapters.bigquery import BigQuerySource
from lakeshift.inventory.step import Entry
from lakeshift.model import Range, Slice, SourceTable, TablePlan, TableRef
from lakeshift.plan.slices import slices
from lakeshift.plan.table import table_plan
from lakeshift.spec import Migration
from tests.source import forms
from tests.source.tables import DATASET, PROJECT

RUN = "shop-0123456789ab"
STALL_SECONDS = 30.0
MIGRATION = Migration.model_validate(
    {
        "sources": [{"type": "bigquery", "project": PROJECT, "datasets": [{"name": DATASET}]}],
        "target": {"workgroup": "analytics", "database": "dev"},
    }
)


def described(source: BigQuerySource, ref: TableRef) -> SourceTable:
    """A table with its partitions."""
    return source.describe(ref).model_copy(update={"partitions": source.partitions([ref])[ref]})


def plan_of(source: BigQuerySource, table: SourceTable, chunk_bytes: int = 1, **changes: Any) -> TablePlan:
    """The plan of a table at this moment; a slice for each partition."""
    entry = Entry(ref=table.ref, source_index=0, target_schema=DATASET, table=table)
    plan = table_plan(RUN, entry, table, MIGRATION, source.now())
    return plan.model_copy(update={"slices": slices(table, chunk_bytes), **changes})


def of(rows: Range | None, table: SourceTable, **more: Any) -> Slice:
    """A slice of a table by a range of its own."""
    return Slice(
        ref=table.ref, range=rows, streams=3, requires_partition_filter=table.requires_partition_filter, **more
    )


def read(source: BigQuerySource, plan: TablePlan, part: Slice) -> Counter[str]:
    """How often each row comes out of a slice, by all streams of its session."""
    session = source.open_session(plan, part)
    columns = [column.source for column in plan.columns]
    batches = (batch for stream in session.streams for batch in source.read(stream, 0, STALL_SECONDS))
    return forms.of_batches(batches, columns)


def read_all(source: BigQuerySource, plan: TablePlan) -> Counter[str]:
    """How often each row comes out of all slices together."""
    return sum((read(source, plan, part) for part in plan.slices), Counter[str]())
