"""fail: write down why a table stopped, once."""

from __future__ import annotations

import json

import structlog

from lakeshift.model import Failure, TableState
from lakeshift.ports import Ports

log = structlog.get_logger()
FINAL = (TableState.PUBLISHED, TableState.REFUSED, TableState.FAILED)


def fail(ports: Ports, run: str, table: str, failure: Failure) -> None:
    """Record a table's failure; a table that has ended already stays as it is."""
    record = ports.ledger.table(run, table)
    if record.state in FINAL:
        return
    failed = record.model_copy(update={"state": TableState.FAILED, "failure": failure, "pending": False})
    ports.ledger.save_table(failed)
    log.error("table.failed", run=run, table=table, code=failure.code)


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
        return str(json.loads(cause)["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return cause
