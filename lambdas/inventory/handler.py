"""inventory: the metadata of all tables."""

from typing import Any

from lakeshift.inventory.step import inventory
from lakeshift.ledger.orders import wanted
from lakeshift.ports import Ports
from lambdas.step import Context, RunEvent, late, step

# A hundred tables take seconds; partitions of large ones may be asked for, which takes minutes at worst.
MARGIN_MILLISECONDS = 180_000


@step(RunEvent)
def handler(event: RunEvent, ports: Ports, context: Context) -> dict[str, Any]:
    """Write the inventory of a run as far as time goes; say whether that is all, and whether the run is to go on."""
    done = wanted(ports, event.run) and inventory(ports, event.run, late(context, MARGIN_MILLISECONDS))
    return {"run": event.run, "done": done, "go": wanted(ports, event.run)}
