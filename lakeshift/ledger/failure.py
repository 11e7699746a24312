"""fail, cancel: write down why a table stopped, once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import structlog

from lakeshift.model import Failure, TableRecord, TableState
from lakeshift.ports import Ports

log = structlog.get_logger()
FINAL = (
    TableState.PUBLISHED,
    TableState.REFUSED,
    TableState.FAILED,
    TableState.CANCELLED,
    TableState.ROLLED_BACK,
)
# A ledger item may have 400 KB; the log has every message in full.
MAX_MESSAGE = 20_000


def fail(ports: Ports, run: str, table: str, failure: Failure) -> None:
    """Record a table's failure; a table that has ended already stays as it is."""
    record = ports.ledger.table(run, table)
    if record.state in FINAL:
        return
    kept = failure.model_copy(update={"message": failure.message[:MAX_MESSAGE]})
    failed = record.model_copy(update={"state": TableState.FAILED, "failure": kept, "pending": False})
    ports.ledger.save_table(failed)
    log.error("table.failed", run=run, table=table, code=failure.code)


def open_tables(tables: Iterable[TableRecord]) -> list[TableRecord]:
    """Tables that neither ended nor wait for their scheduled load."""
    return [table for table in tables if table.state not in FINAL and not table.pending]


def can_be_cancelled(table: TableRecord) -> bool:
    """True for a table that no step works on once its run's tables have stopped.

    The scheduled load may be at work on a table that waits for it, and goes on to its end when it has begun.
    """
    return table.state not in FINAL and (not table.pending or table.state is TableState.EXTRACTED)


def cancel(ports: Ports, record: TableRecord) -> TableRecord:
    """Record that a table was cancelled; LedgerConflict when a worker has changed it meanwhile."""
    why = Failure(code="Cancelled", message=f"the run was cancelled while the table was {record.state}")
    cancelled = record.model_copy(update={"state": TableState.CANCELLED, "failure": why, "pending": False})
    return ports.ledger.save_table(cancelled)


def failure_of(error: str, cause: str) -> Failure:
    """A Step Functions error as we report it.

    Functions raise with the message `Code: text`, which stands in the cause's `errorMessage`; an error of the
    service itself (a timeout, a killed function) has another form and keeps its own name.
    """
    message = _message(cause)
    code, found, text = message.partition(": ")
    if error in ("TerminalError", "TransientError") and found and code.isidentifier():
        return Failure(code=code, message=text)
    return Failure(code=error or "Unknown", message=message or "the service gave no cause")


def _message(cause: str) -> str:
    try:
        said = json.loads(cause)
        return _job_run(said) if "JobRunState" in said else str(said["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return cause


def _job_run(run: Mapping[str, Any]) -> str:
    """A run of a Glue job that has failed, of which the cause is its whole description.

    https://docs.aws.amazon.com/glue/latest/webapi/API_JobRun.html
    """
    why = f": {run['ErrorMessage']}" if run.get("ErrorMessage") else ""
    step = "look at its log, then `lakeshift resume RUN`: chunks that are done are not read again."
    return f"the Glue job run {run['Id']} ended as {run['JobRunState']}{why} Next: {step}"
