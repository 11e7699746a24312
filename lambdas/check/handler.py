"""check: claim the run and read the config."""

from typing import Any

from lakeshift.check.step import check
from lakeshift.ports import Ports
from lambdas.step import Context, Event, step


class Upload(Event):
    """A config file as the S3 event names it."""

    bucket: str
    key: str
    versionId: str = ""  # noqa: N815  the state machine's own spelling
    execution: str


@step(Upload)
def handler(event: Upload, ports: Ports, _context: Context) -> dict[str, Any]:
    """Answer whether the upload starts a run."""
    return check(ports, event.bucket, event.key, event.versionId, event.execution).model_dump()
