"""Whether a run can be taken up again at all. Pure."""

from __future__ import annotations

from lakeshift.errors import WrongState
from lakeshift.model import Order, RunRecord, RunState

_ENDED_WELL = (RunState.SUCCEEDED, RunState.QUARANTINED, RunState.AWAITING_LOAD)


def refuse(record: RunRecord) -> None:
    """Raise WrongState for a run that can never go on, with the reason; whether it is at work is another question."""
    if record.state is RunState.CANCELLED or record.order is Order.CANCEL:
        raise WrongState("the run was cancelled", where=record.run, next_step="upload its config again.")
    if record.state is RunState.ROLLED_BACK:
        raise WrongState("the run was rolled back", where=record.run, next_step="upload its config again.")
    if record.state is RunState.REFUSED:
        raise WrongState("its config was refused", where=record.run, next_step="mend it, upload it again.")
    if record.snapshot is None:
        step = "upload its config again."
        raise WrongState("its config was never checked to the end", where=record.run, next_step=step)


def nothing_left(record: RunRecord) -> bool:
    """True for a run whose tables are all published, or wait for their scheduled load."""
    return record.state in _ENDED_WELL
