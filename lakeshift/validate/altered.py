"""Why the warehouse refuses files of the lake: they are not as they were written any more."""

from __future__ import annotations

import time

from lakeshift.errors import StatementFailed, ValidationFailed
from lakeshift.model import ExtractManifest, TablePlan
from lakeshift.ports import Ports
from lakeshift.validate.compare import notary
from lakeshift.validate.depth import lake_of, source_and_lake
from lakeshift.validate.measure import Scope
from lakeshift.validate.results import failed

# Within the time that a load may take, whatever its COPY has taken of it.
SECONDS = 120.0


def refuse_altered(ports: Ports, plan: TablePlan, extracted: ExtractManifest, failure: StatementFailed) -> None:
    """Look for altered files after a COPY that has failed, as far as there is time.

    Raises:
        ValidationFailed: there are some; names them, and the columns whose values are not those of the source.
    """
    until = time.monotonic() + SECONDS
    lake = lake_of(ports, Scope(plan), extracted, lambda: time.monotonic() > until)
    if lake is None or not lake.altered:
        return
    said = failed(source_and_lake(notary(plan), plan, extracted, lake))
    said = said or "; ".join(difference for _, difference in lake.altered)
    step = f"restore the files from an earlier version, or submit the config again. The warehouse: {failure.what}"
    raise ValidationFailed(said, where=plan.source.id, next_step=step) from failure
