"""inventory: the metadata of all tables."""

from typing import Any

from lakeshift.inventory.step import inventory
from lakeshift.ledger.orders import wanted
from lakeshift.ports import Ports
from lambdas.step import Context, RunEvent, step


@step(RunEvent)
def handler(event: RunEvent, ports: Ports, _context: Context) -> dict[str, Any]:
    """Write the inventory of a run; say whether the run is to go on."""
    if wanted(ports, event.run):
        inventory(ports, event.run)
    return {"run": event.run, "go": wanted(ports, event.run)}
