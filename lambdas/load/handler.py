"""load: COPY into staging."""

from typing import Any

from lakeshift.load.step import load
from lakeshift.ports import Ports
from lambdas.step import Context, TableEvent, step


@step(TableEvent)
def handler(event: TableEvent, ports: Ports, _context: Context) -> dict[str, Any]:
    """Start or follow the COPY of a table."""
    return {"run": event.run, "table": event.table, "done": load(ports, event.run, event.table)}
