"""pending: what the scheduled load has to do."""

from typing import Any

from lakeshift.load.pending import pending
from lakeshift.ports import Ports
from lambdas.step import Context, Event, step


class Execution(Event):
    """The execution of the load machine that asks."""

    execution: str


@step(Execution)
def handler(event: Execution, ports: Ports, _context: Context) -> dict[str, Any]:
    """List the tables that wait for their load."""
    waiting = pending(ports, event.execution)
    return {
        "count": waiting.count,
        "items": {"bucket": waiting.bucket, "key": waiting.key},
        "maxConcurrency": waiting.max_concurrency,
        "runs": list(waiting.runs),
    }
