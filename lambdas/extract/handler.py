"""extract: a table into the lake, as far as one invocation gets."""

from typing import Any

from lakeshift.extract.step import extract
from lakeshift.ports import Ports
from lambdas.step import Context, TableEvent, step

# A file of the default size takes some 20 s; the margin lets a slow one end before Lambda does.
MARGIN_MILLISECONDS = 180_000


@step(TableEvent)
def handler(event: TableEvent, ports: Ports, context: Context) -> dict[str, Any]:
    """Extract until done or until the time left is less than the margin."""
    got = extract(ports, event.run, event.table, lambda: context.get_remaining_time_in_millis() < MARGIN_MILLISECONDS)
    return {"run": event.run, "table": event.table, "done": got.done, "load": got.load}
