"""views: those of a run, as far as one invocation gets."""

from typing import Any

from lakeshift.ports import Ports
from lakeshift.views.step import views
from lambdas.step import Context, RunEvent, late, step

# A statement is asked for its state in calls of 20 s.
MARGIN_MILLISECONDS = 60_000


@step(RunEvent)
def handler(event: RunEvent, ports: Ports, context: Context) -> dict[str, Any]:
    """Create and deliver the views of a run until done or until the time is nearly up."""
    done = views(ports, event.run, late(context, MARGIN_MILLISECONDS))
    return {"run": event.run, "done": done}
