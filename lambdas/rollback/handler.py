"""rollback: take back what a run has published."""

from typing import Any

from lakeshift.load.rollback import rollback
from lakeshift.ports import Ports
from lakeshift.report.step import report
from lambdas.step import Context, Event, step


class Rollback(Event):
    """A run, and one of its tables or none for all."""

    run: str
    table: str = ""


@step(Rollback)
def handler(event: Rollback, ports: Ports, _context: Context) -> dict[str, Any]:
    """Take it back table by table, and report on the run anew."""
    done = rollback(ports, event.run, event.table)
    report(ports, event.run, refresh=True)
    return done.model_dump()
