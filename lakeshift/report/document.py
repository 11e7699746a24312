"""The report of a run as data and as a page. Pure functions over the ledger's records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from lakeshift.ledger.failure import open_tables
from lakeshift.model import Order, RunRecord, RunState, TableRecord, TableState


def outcome(record: RunRecord, tables: Sequence[TableRecord]) -> RunState:
    """How a run has ended: green only when every table of it is published.

    A run is paused or cancelled only where that kept something from its end; else it has ended as any other.
    """
    states = Counter(table.state for table in tables)
    if record.order is Order.CANCEL and (states[TableState.CANCELLED] or not tables):
        return RunState.CANCELLED
    if record.order is Order.PAUSE and not record.failure and (open_tables(tables) or not tables):
        return RunState.PAUSED
    good = states[TableState.PUBLISHED] + sum(table.pending for table in tables)
    if record.failure or not tables or not good:
        return RunState.FAILED
    if good < len(tables):
        return RunState.PROBLEMS
    return RunState.AWAITING_LOAD if states[TableState.PUBLISHED] < len(tables) else RunState.SUCCEEDED


def document(record: RunRecord, tables: Sequence[TableRecord]) -> dict[str, Any]:
    """The report: the run, its totals, and every table with its rows in source, lake and target."""
    published = [table for table in tables if table.state is TableState.PUBLISHED]
    return {
        "run": record.run,
        "status": record.state.value,
        "config": {"bucket": record.config_bucket, "key": record.config_key, "versionId": record.config_version},
        "snapshot": record.snapshot.isoformat() if record.snapshot else None,
        "started": record.started.isoformat(),
        "ended": record.ended.isoformat() if record.ended else None,
        "failure": record.failure.model_dump() if record.failure else None,
        "totals": {
            "tables": len(tables),
            "published": len(published),
            "rows": sum(table.rows.target or 0 for table in published),
            "bytes": sum(table.bytes_done for table in tables),
        },
        "tables": [_table(table) for table in tables],
    }


def _table(table: TableRecord) -> dict[str, Any]:
    return {
        "source": table.table,
        "target": table.target,
        "status": table.state.value,
        "rows": table.rows.model_dump(),
        "bytes": table.bytes_done,
        "notes": list(table.notes),
        "seconds": {
            verb: round((span.ended - span.started).total_seconds(), 3)
            for verb, span in table.spans.items()
            if span.ended
        },
        "failure": table.failure.model_dump() if table.failure else None,
    }


def page(report: dict[str, Any]) -> str:
    """The report as one HTML page without outside parts."""
    template = files(__package__).joinpath("report.html.j2").read_text(encoding="utf-8")
    return Environment(autoescape=True, undefined=StrictUndefined).from_string(template).render(report=report)
