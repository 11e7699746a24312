"""A small plan for tests of what is made from plans."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lakeshift.inventory.step import Entry
from lakeshift.model import SourceTable, TablePlan, TableRef
from lakeshift.plan.table import table_plan
from lakeshift.spec import Migration
from lakeshift.types.bigquery import columns

SNAPSHOT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PLAIN = [{"name": "Id", "type": "INT64", "mode": "REQUIRED"}, {"name": 'no"te', "type": "STRING"}]
LEGS = {"name": "legs", "type": "RECORD", "mode": "REPEATED", "fields": [{"name": "x", "type": "INT64"}]}
MIXED: list[dict[str, Any]] = [*PLAIN, {"name": "at", "type": "TIME"}, {"name": "doc", "type": "JSON"}, LEGS]


def migration(**changes: Any) -> Migration:
    source: dict[str, Any] = {"type": "bigquery", "project": "p", "datasets": [{"name": "Shop"}]}
    target = {"type": "redshift", "workgroup": "analytics", "database": "dev"}
    return Migration.model_validate({"sources": [source], "target": target, **changes})


def entry(fields: list[dict[str, Any]], name: str = "Orders", **changes: Any) -> Entry:
    ref = TableRef(project="p", dataset="Shop", table=name)
    table = SourceTable(ref=ref, type="TABLE", columns=columns(fields), rows=1000, bytes=8_000_000)
    return Entry(ref=ref, source_index=0, target_schema="Shop", table=table.model_copy(update=changes))


def plan(fields: list[dict[str, Any]], **changes: Any) -> TablePlan:
    given = entry(fields)
    assert given.table
    made = table_plan("shop-0123456789ab", given, given.table, migration(), SNAPSHOT)
    return made.model_copy(update=changes)
