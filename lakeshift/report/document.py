"""The report of a run as data. Pure functions over the ledger's records and what the gate has found.

docs/reference/report.md says what each field means. Fields are only ever added.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from lakeshift.errors import PlanDrifted
from lakeshift.ledger.failure import open_tables
from lakeshift.model import Order, RunRecord, RunState, TableRecord, TableState, Verdict, ViewResult, ViewState
from lakeshift.report.evidence import Evidence
from lakeshift.validate.anomaly import Profile
from lakeshift.validate.anomaly import said as anomaly_said

_NOT_THERE = frozenset({ViewState.NEEDS_REVIEW, ViewState.REFUSED, ViewState.BLOCKED, ViewState.FAILED})


def outcome(record: RunRecord, tables: Sequence[TableRecord], views: Sequence[ViewResult] = ()) -> RunState:
    """How a run has ended: green only when every table of it is published whole, and every view created.

    One whose plan does not fit any more is refused as a whole. A run is paused or cancelled only where that kept
    something from its end; else it has ended as any other.
    """
    if record.failure and record.failure.code == PlanDrifted.__name__:
        return RunState.REFUSED
    states = Counter(table.state for table in tables)
    if states[TableState.ROLLED_BACK] and not (states[TableState.PUBLISHED] or open_tables(tables)):
        return RunState.ROLLED_BACK
    return _halted(record, tables, states) or _ended(record, tables, views, states)


def _halted(record: RunRecord, tables: Sequence[TableRecord], states: Counter[TableState]) -> RunState | None:
    """The state of a run that a person has stopped short of its end."""
    if record.order is Order.CANCEL and (states[TableState.CANCELLED] or not tables):
        return RunState.CANCELLED
    if record.order is Order.PAUSE and not record.failure and (open_tables(tables) or not tables):
        return RunState.PAUSED
    return None


def _ended(
    record: RunRecord, tables: Sequence[TableRecord], views: Sequence[ViewResult], states: Counter[TableState]
) -> RunState:
    """The state of a run that nobody has stopped."""
    good = states[TableState.PUBLISHED] + sum(table.pending for table in tables)
    missing = sum(view.asked and view.state in _NOT_THERE for view in views)
    if record.failure or not (tables or views) or not (good or len(views) > missing):
        return RunState.FAILED
    if good < len(tables) or missing:
        return RunState.PROBLEMS
    complete = RunState.QUARANTINED if any(table.misfits for table in tables) else RunState.SUCCEEDED
    return RunState.AWAITING_LOAD if states[TableState.PUBLISHED] < len(tables) else complete


def said(state: RunState, tables: Sequence[TableRecord]) -> str:
    """The state of a run in words, with what did not fit."""
    if state is not RunState.QUARANTINED:
        return state.value
    mended = sum(table.rows.mended for table in tables)
    left = sum(table.rows.quarantined for table in tables)
    return f"complete with {left:,} quarantined" + (f", {mended:,} mended" if mended else "")


def document(
    record: RunRecord,
    tables: Sequence[TableRecord],
    views: Sequence[ViewResult] = (),
    evidence: Mapping[str, Evidence] | None = None,
    lake: str = "",
) -> dict[str, Any]:
    """The report: the run, its totals, every table with its rows in source, lake and target, and every view.

    Args:
        evidence: what the gate has found, by the tables' names.
        lake: the lake's bucket, where the gate writes.
    """
    found = evidence or {}
    published = [table for table in tables if table.state is TableState.PUBLISHED]
    return {
        "run": record.run,
        "status": said(record.state, tables),
        "config": {"bucket": record.config_bucket, "key": record.config_key, "versionId": record.config_version},
        "snapshot": record.snapshot.isoformat() if record.snapshot else None,
        "started": record.started.isoformat(),
        "ended": record.ended.isoformat() if record.ended else None,
        "failure": record.failure.model_dump() if record.failure else None,
        "notes": list(record.notes),
        "totals": {
            "tables": len(tables),
            "published": len(published),
            "rows": sum(table.rows.target or 0 for table in published),
            "quarantined": sum(table.rows.quarantined for table in published),
            "mended": sum(table.rows.mended for table in published),
            "bytes": sum(table.bytes_done for table in tables),
        },
        "tables": [_table(table, found.get(table.table, Evidence()), lake) for table in tables],
        "views": [view.model_dump(mode="json") for view in views],
    }


def _table(table: TableRecord, evidence: Evidence, lake: str) -> dict[str, Any]:
    return {
        "source": table.table,
        "target": table.target,
        "status": table.state.value,
        "rows": table.rows.model_dump(),
        "bytes": table.bytes_done,
        "notes": list(table.notes),
        "misfits": [one.model_dump() for one in table.misfits],
        "seconds": {
            verb: round((span.ended - span.started).total_seconds(), 3)
            for verb, span in table.spans.items()
            if span.ended
        },
        "failure": table.failure.model_dump() if table.failure else None,
        "validation": _validation(table.verdict, evidence, lake) if table.verdict else None,
        "anomalies": [{**one.model_dump(), "text": anomaly_said(one)} for one in _anomalies(evidence)],
        "nulls": _nulls(evidence.profile) if evidence.profile and evidence.profile.columns else None,
    }


def _validation(verdict: Verdict, evidence: Evidence, lake: str) -> dict[str, Any]:
    """The gate's words on a table; results and differences as the URLs of where they stand."""
    named = {
        name: f"s3://{lake}/{key}" if (key := getattr(verdict, name)) else "" for name in ("results", "differences")
    }
    told = [one.model_dump(mode="json", exclude={"run", "table"}) for one in evidence.results]
    return {**verdict.model_dump(mode="json"), **named, "told": told}


def _anomalies(evidence: Evidence) -> Sequence[Any]:
    return evidence.profile.anomalies if evidence.profile else ()


def _nulls(profile: Profile) -> dict[str, Any]:
    """Share of NULLs of every column, and in the last run before."""
    columns = [
        {"column": path, "share": share, "before": profile.shares_before.get(path)}
        for path, share in profile.shares.items()
    ]
    return {"against": profile.earlier[0] if profile.earlier else None, "columns": columns}
