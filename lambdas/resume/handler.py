"""resume: take a run up again."""

from typing import Any

from lakeshift.ports import Ports
from lakeshift.resume.step import resume
from lambdas.step import Context, Event, step


class Resumption(Event):
    """A run, the execution that had it, and the one that takes it up."""

    run: str
    after: str
    execution: str


@step(Resumption)
def handler(event: Resumption, ports: Ports, _context: Context) -> dict[str, Any]:
    """Make this execution the run's owner."""
    return {"run": resume(ports, event.run, event.after, event.execution).run}
