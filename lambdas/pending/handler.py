"""pending: what the scheduled load has to do."""

from typing import Any

from lakeshift.load.pending import Wanted, pending
from lakeshift.ports import Ports
from lambdas.step import Context, Event, late, step

# A question is waited for about a minute, a drop for 20 s.
MARGIN_MILLISECONDS = 120_000


class Execution(Event):
    """The execution of the load machine that asks, and the tables that its starter named, if any."""

    execution: str
    wanted: Wanted = Wanted()


@step(Execution)
def handler(event: Execution, ports: Ports, context: Context) -> dict[str, Any]:
    """List the tables that wait for their load."""
    waiting = pending(ports, event.execution, event.wanted, late(context, MARGIN_MILLISECONDS))
    return {
        "count": waiting.count,
        "items": {"bucket": waiting.bucket, "key": waiting.key},
        "maxConcurrency": waiting.max_concurrency,
        "runs": list(waiting.runs),
    }
