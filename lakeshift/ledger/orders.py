"""What a person wants of a run, as the steps before its tables see it."""

from __future__ import annotations

from lakeshift.model import Order
from lakeshift.ports import Ports


def wanted(ports: Ports, run: str) -> bool:
    """True while nobody wants the run to pause or to be cancelled."""
    return ports.ledger.run(run).order is Order.GO
