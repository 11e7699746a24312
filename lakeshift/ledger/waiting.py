"""Whether a run that has ended still has tables that the schedule will load."""

from __future__ import annotations

from lakeshift.model import RunRecord, RunState
from lakeshift.ports import Ledger


def waits(ledger: Ledger, record: RunRecord) -> bool:
    """Whether tables of the run wait for their scheduled load; beside one that has failed they do so as well."""
    if record.state is not RunState.PROBLEMS:
        return record.state is RunState.AWAITING_LOAD
    return any(table.pending for table in ledger.tables(record.run))
