"""What a person sees of a run: a table with progress, plain lines where there is no terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.table import Table

from lakeshift.load.quarantine import text
from lakeshift.model import FINAL_RUN_STATES, Order, RunRecord, RunState, TableRecord, TableState
from lakeshift.report.document import said

# Columns of a table that does not go to a terminal: wide enough that no name is folded in a log.
PLAIN_WIDTH = 200
_STYLES = {
    TableState.PUBLISHED: "green",
    TableState.FAILED: "red",
    TableState.REFUSED: "red",
    TableState.CANCELLED: "yellow",
    TableState.ROLLED_BACK: "yellow",
}
_UNDER_WAY = {Order.PAUSE: " (pausing)", Order.CANCEL: " (cancelling)"}


def headline(record: RunRecord, tables: Sequence[TableRecord] = ()) -> str:
    """The run and its state, and what it is brought to by a person's order."""
    under_way = "" if record.state in FINAL_RUN_STATES else _UNDER_WAY.get(record.order, "")
    waits = record.state is RunState.AWAITING_LOAD or any(table.pending for table in tables)
    if waits and record.order is Order.PAUSE and record.state in FINAL_RUN_STATES:
        under_way = " (paused: the schedule leaves it out)"
    return f"{record.run}: {said(record.state, tables)}{under_way}"


def is_at_work(record: RunRecord) -> bool:
    """Whether something works on the run's tables, so that time that passes says something of them."""
    return record.state not in FINAL_RUN_STATES


def rate(table: TableRecord, now: datetime, *, at_work: bool = True) -> float:
    """Rows a second of a table's extract so far; 0 before it began, and where it was left halfway."""
    span = table.spans.get("extract")
    if span is None or not table.rows_done or not (span.ended or at_work):
        return 0.0
    seconds = ((span.ended or now) - span.started).total_seconds()
    return table.rows_done / seconds if seconds > 0 else 0.0


def eta(table: TableRecord, now: datetime, *, at_work: bool = True) -> float | None:
    """Seconds until the extract's end by its rate so far; None when it cannot be said or has ended."""
    speed = rate(table, now, at_work=at_work)
    if table.state is not TableState.EXTRACTING or not speed:
        return None
    return max(0, table.rows_expected - table.rows_done) / speed


def view(record: RunRecord, tables: Sequence[TableRecord], now: datetime) -> Table:
    """The run as a table."""
    shown = Table(title=headline(record, tables), title_justify="left")
    for heading in ("source", "target", "status"):
        shown.add_column(heading, overflow="fold")
    for heading in ("source rows", "lake rows", "target rows", "MB", "rows/s", "ETA s"):
        shown.add_column(heading, justify="right")
    for table in tables:
        shown.add_row(*_cells(table, now, at_work=is_at_work(record)), style=_STYLES.get(table.state))
    return shown


def _cells(table: TableRecord, now: datetime, *, at_work: bool) -> list[str]:
    rows = [_number(count) for count in (table.rows.source, table.rows.lake or table.rows_done, table.rows.target)]
    size = f"{table.bytes_done / 1e6:,.1f}"
    return [
        table.table,
        table.target,
        table.state.value,
        *rows,
        size,
        _rate(table, now, at_work=at_work),
        _eta(table, now, at_work=at_work),
    ]


def _rate(table: TableRecord, now: datetime, *, at_work: bool) -> str:
    speed = rate(table, now, at_work=at_work)
    return f"{speed:,.0f}" if speed or at_work else ""


def _eta(table: TableRecord, now: datetime, *, at_work: bool) -> str:
    left = eta(table, now, at_work=at_work)
    return "" if left is None else f"{left:,.0f}"


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def line(table: TableRecord, now: datetime, *, at_work: bool = True) -> str:
    """One table as a plain line; `at_work` is whether its run is."""
    parts = [table.table, table.state.value, f"{table.rows_done:,} rows", f"{table.bytes_done:,} bytes"]
    speed, left = _rate(table, now, at_work=at_work), _eta(table, now, at_work=at_work)
    return "  ".join([*parts, *([f"{speed} rows/s"] if speed else []), *([f"ETA {left} s"] if left else [])])


def failures(record: RunRecord, tables: Sequence[TableRecord]) -> list[str]:
    """Every reason why the run is not all good."""
    whole = [f"{record.failure.code}: {record.failure.message}"] if record.failure else []
    whole += [f"{table.table}: {table.failure.code}: {table.failure.message}" for table in tables if table.failure]
    return whole + [
        f"{table.table}: {one.action}: {text(one)}" for table in tables if not table.failure for one in table.misfits
    ]


def report_table(report: Mapping[str, Any]) -> Table:
    """A report as a table: every table with its rows in source, lake, target and quarantine."""
    shown = Table(title=f"{report['run']}: {report['status']}", title_justify="left")
    for heading in ("source", "target", "status"):
        shown.add_column(heading, overflow="fold")
    for place in ("source", "lake", "target"):
        shown.add_column(f"{place} rows", justify="right")
    shown.add_column("quarantined", justify="right")
    for table in report["tables"]:
        counts = [_number(table["rows"][place]) for place in ("source", "lake", "target", "quarantined")]
        style = _STYLES.get(TableState(table["status"]))
        shown.add_row(table["source"], table["target"], table["status"], *counts, style=style)
    return shown


def notes(report: Mapping[str, Any]) -> list[str]:
    """What a report says about tables that moved, but not as they were; a line each."""
    whole = [f"note {text}" for text in report["notes"]]
    whole += [
        f"view {view['source']}: {view['state']}" + (f": {view['reason']}" if view["reason"] else "")
        for view in report["views"]
    ]
    tables = [f"note {table['source']}: {text}" for table in report["tables"] for text in table["notes"]]
    # Reports of earlier versions have no anomalies.
    odd = [(table["source"], one["text"]) for table in report["tables"] for one in table.get("anomalies", ())]
    return [*whole, *tables, *(f"unlike earlier runs {source}: {text}" for source, text in odd)]
