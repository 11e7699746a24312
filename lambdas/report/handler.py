"""report: close a run."""

from typing import Any

from lakeshift.ledger.failure import failure_of
from lakeshift.model import RunState
from lakeshift.ports import Ports
from lakeshift.report.step import report, report_check
from lambdas.check.handler import Upload
from lambdas.fail.handler import Caught
from lambdas.step import Context, Event, count, step


class RunEnded(Event):
    """A run, or the upload whose check broke, and the error that stopped it if one did."""

    run: str = ""
    upload: Upload | None = None
    error: Caught | None = None
    refresh: bool = False


@step(RunEnded)
def handler(event: RunEnded, ports: Ports, _context: Context) -> dict[str, Any]:
    """Write the report of a run, or answer an upload whose check broke."""
    why = failure_of(event.error.Error, event.error.Cause) if event.error else None
    place = ((up.bucket, up.key, up.versionId), up.execution) if (up := event.upload) else None
    closed = report_check(ports, *place, why) if place and why else report(ports, event.run, why, refresh=event.refresh)
    count(RunsFailed=int(closed.state in (RunState.FAILED, RunState.PROBLEMS)))
    return {"run": closed.run, "status": closed.state.value}
