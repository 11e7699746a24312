"""publish: staging takes the target's name."""

from typing import Any

from lakeshift.load.publish import publish
from lakeshift.ports import Ports
from lambdas.step import Context, TableEvent, count, step


@step(TableEvent)
def handler(event: TableEvent, ports: Ports, _context: Context) -> dict[str, Any]:
    """Start or follow the publish of a table."""
    done = publish(ports, event.run, event.table)
    if done:
        count(TablesPublished=1)
    return {"run": event.run, "table": event.table, "done": done}
