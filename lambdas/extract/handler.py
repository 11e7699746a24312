"""extract: a table into the lake, as far as one invocation gets."""

from typing import Any

from lakeshift.extract.step import extract
from lakeshift.ports import Ports
from lambdas.step import Context, TableEvent, late, step

# Readers stop at the next row group, which takes a second or two; the last parts of the files are sent after that.
MARGIN_MILLISECONDS = 90_000


@step(TableEvent)
def handler(event: TableEvent, ports: Ports, context: Context) -> dict[str, Any]:
    """Extract until done or until the time left is less than the margin; say what comes next."""
    got = extract(ports, event.run, event.table, late(context, MARGIN_MILLISECONDS))
    return {
        "run": event.run,
        "table": event.table,
        "next": got.next,
        "load": got.load,
        "workers": got.workers,
        "workerType": got.worker_type,
    }
