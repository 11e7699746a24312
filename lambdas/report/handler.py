"""report: close a run."""

from typing import Any

from lakeshift.ledger.failure import failure_of
from lakeshift.model import RunState
from lakeshift.ports import Ports
from lakeshift.report.step import report
from lambdas.fail.handler import Caught
from lambdas.step import Context, Event, count, step


class RunEnded(Event):
    """A run, and the error that stopped it if one did."""

    run: str
    error: Caught | None = None


@step(RunEnded)
def handler(event: RunEnded, ports: Ports, _context: Context) -> dict[str, Any]:
    """Write the report of a run."""
    failure = failure_of(event.error.Error, event.error.Cause) if event.error else None
    closed = report(ports, event.run, failure)
    count(RunsFailed=int(closed.state in (RunState.FAILED, RunState.PROBLEMS)))
    return {"run": event.run, "status": closed.state.value}
