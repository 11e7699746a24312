"""validate: the gate."""

from typing import Any

from lakeshift.errors import ValidationFailed
from lakeshift.ports import Ports
from lakeshift.validate.step import read_share, validate
from lambdas.step import Context, GateEvent, count, late, step

# Between row groups the step looks at the time; what it has is kept then.
MARGIN_MILLISECONDS = 90_000


@step(GateEvent)
def handler(event: GateEvent, ports: Ports, context: Context) -> dict[str, Any]:
    """Compare source, lake and staging of a table, as far as one invocation gets."""
    about, out_of_time = event.model_dump(), late(context, MARGIN_MILLISECONDS)
    if event.share is not None:
        return {**about, "done": read_share(ports, event.run, event.table, event.share, out_of_time)}
    try:
        found = validate(ports, event.run, event.table, out_of_time, rest=event.rest)
    except ValidationFailed:
        count(ValidationsFailed=1)
        raise
    if found.next == "done":
        count(TablesValidated=1)
    return {**about, **found.model_dump()}
