"""From which state each table of a run goes on. Pure."""

from __future__ import annotations

from lakeshift.model import TableRecord, TableState


def restored(table: TableRecord, *, scheduled: bool) -> TableRecord | None:
    """The record that a table goes on with; None where it stays as it is.

    A failed table goes back to the last state that was complete. A load that was begun is begun anew under a new
    token: its statement may have failed, or be forgotten, and its batch fills the staging table from nothing.

    Args:
        scheduled: the run's tables are loaded by the schedule, so an extracted one waits for that.
    """
    if table.state is TableState.FAILED:
        return table.model_copy(update={"failure": None, **_back(table, scheduled=scheduled)})
    if table.state is TableState.LOADING and not table.pending:
        return table.model_copy(update={"load_attempt": table.load_attempt + 1})
    return None


def _back(table: TableRecord, *, scheduled: bool) -> dict[str, object]:
    extract = table.spans.get("extract")
    if extract is None:
        return {"state": TableState.PLANNED}
    if extract.ended is None:
        return {"state": TableState.EXTRACTING}
    return {"state": TableState.EXTRACTED, "load_attempt": table.load_attempt + 1, "pending": scheduled}
