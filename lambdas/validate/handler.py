"""validate: the gate."""

from typing import Any

from lakeshift.ports import Ports
from lakeshift.validate.step import validate
from lambdas.step import Context, TableEvent, step


@step(TableEvent)
def handler(event: TableEvent, ports: Ports, _context: Context) -> dict[str, Any]:
    """Compare source, lake and staging of a table."""
    validate(ports, event.run, event.table)
    return {"run": event.run, "table": event.table, "done": True}
