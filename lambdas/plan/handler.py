"""plan: how each table travels."""

from typing import Any

from lakeshift.plan.step import plan
from lakeshift.ports import Ports
from lambdas.step import Context, RunEvent, step


@step(RunEvent)
def handler(event: RunEvent, ports: Ports, _context: Context) -> dict[str, Any]:
    """Write the plan of a run; return where the list of tables stands."""
    made = plan(ports, event.run)
    items = {"bucket": made.bucket, "key": made.key}
    return {"run": event.run, "items": items, "maxConcurrency": made.max_concurrency}
