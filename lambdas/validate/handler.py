"""validate: the gate."""

from typing import Any

from lakeshift.errors import ValidationFailed
from lakeshift.ports import Ports
from lakeshift.validate.step import validate
from lambdas.step import Context, TableEvent, count, late, step

# Between row groups the step looks at the time; what it has is kept then.
MARGIN_MILLISECONDS = 90_000


@step(TableEvent)
def handler(event: TableEvent, ports: Ports, context: Context) -> dict[str, Any]:
    """Compare source, lake and staging of a table, as far as one invocation gets."""
    try:
        done = validate(ports, event.run, event.table, late(context, MARGIN_MILLISECONDS))
    except ValidationFailed:
        count(ValidationsFailed=1)
        raise
    if done:
        count(TablesValidated=1)
    return {"run": event.run, "table": event.table, "done": done}
