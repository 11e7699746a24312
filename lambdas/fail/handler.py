"""fail: write down why a table stopped."""

from typing import Any

from lakeshift.ledger.failure import fail, failure_of
from lakeshift.ports import Ports
from lambdas.step import Context, Event, count, step


class Caught(Event):
    """A Step Functions error."""

    Error: str = ""
    Cause: str = ""


class TableFailed(Event):
    """A table and the error that stopped it."""

    run: str
    table: str
    error: Caught


@step(TableFailed)
def handler(event: TableFailed, ports: Ports, _context: Context) -> dict[str, Any]:
    """Record the failure of a table."""
    fail(ports, event.run, event.table, failure_of(event.error.Error, event.error.Cause))
    count(TablesFailed=1)
    return {"run": event.run, "table": event.table}
