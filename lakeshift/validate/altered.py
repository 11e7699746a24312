"""Why the warehouse refuses files of the lake: they are not as they were written any more."""

from __future__ import annotations

import time

import structlog

from lakeshift.errors import LakeshiftError, StatementFailed, ValidationFailed
from lakeshift.model import ExtractManifest, TablePlan
from lakeshift.ports import Ports
from lakeshift.validate.compare import notary
from lakeshift.validate.depth import lake_of, source_and_lake
from lakeshift.validate.measure import Scope
from lakeshift.validate.results import failed

log = structlog.get_logger()
# Within the time that a load may take, whatever its COPY has taken of it.
SECONDS = 120.0


def refuse_altered(ports: Ports, plan: TablePlan, extracted: ExtractManifest, failure: StatementFailed) -> None:
    """Look for altered files after a COPY that has failed, as far as there is time.

    Raises:
        ValidationFailed: there are some; names them, and the columns whose values are not those of the source.
    """
    until = time.monotonic() + SECONDS
    try:
        # What is kept of an earlier pass may tell of files that are put right since, and a load may keep nothing.
        lake = lake_of(ports, Scope(plan, keeps=False), [extracted.files], lambda: time.monotonic() > until)
    except LakeshiftError as error:
        # The failure of the COPY says more than that its files could not be looked at.
        log.warning("load.files_unread", run=plan.run, table=plan.source.id, why=error.what)
        return
    if lake is None or not lake.altered:
        return
    said = failed(source_and_lake(notary(plan), plan, extracted, lake))
    said = said or "; ".join(difference for _, difference in lake.altered)
    step = f"restore the files from an earlier version, or submit the config again. The warehouse: {failure.what}"
    raise ValidationFailed(said, where=plan.source.id, next_step=step) from failure
