"""What a person wants of a run: pause it, cancel it, take it up again."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

from lakeshift.cli.watch import ENDED
from lakeshift.errors import LedgerConflict, WrongState
from lakeshift.ledger.waiting import waits
from lakeshift.model import FINAL_RUN_STATES, Order, RunRecord, RunState
from lakeshift.resume.state import nothing_left, refuse

if TYPE_CHECKING:
    from lakeshift.bootstrap import Console

CLOSE_ATTEMPTS = 5


def pause(console: Console, record: RunRecord) -> RunRecord:
    """Ask a run at work to stop at its next file, and the schedule to leave out one that waits for it.

    Raises:
        WrongState: nothing of it is at work, or it is being cancelled.
    """
    if waits(console.ports.ledger, record) and record.order is not Order.CANCEL:
        console.ports.ledger.give(record.run, Order.PAUSE)
        return console.ports.ledger.run(record.run)
    if record.state in FINAL_RUN_STATES:
        raise WrongState(f"the run is {record.state}", where=record.run, next_step="there is nothing to pause.")
    if record.order is Order.CANCEL:
        raise WrongState("the run is being cancelled", where=record.run, next_step="wait for its end: status --watch.")
    if not _at_work(console, record):
        step = "`lakeshift resume` takes it up, `lakeshift cancel` closes it."
        raise WrongState("the run's execution has ended without closing it", where=record.run, next_step=step)
    console.ports.ledger.give(record.run, Order.PAUSE)
    return console.ports.ledger.run(record.run)


def cancel(console: Console, record: RunRecord) -> RunRecord:
    """Ask a run at work to end; close one that nothing works on.

    Raises:
        WrongState: it has ended.
    """
    open_ended = record.state is RunState.PAUSED or waits(console.ports.ledger, record)
    if record.state in FINAL_RUN_STATES and not open_ended:
        raise WrongState(f"the run is {record.state}", where=record.run, next_step="there is nothing to cancel.")
    console.ports.ledger.give(record.run, Order.CANCEL)
    if _at_work(console, record):
        return console.ports.ledger.run(record.run)
    return _closed(console, record.run)


def resume(console: Console, record: RunRecord) -> str | None:
    """Start an execution that takes the run up; its ARN, or that of the one at work, or None with nothing to do.

    Raises:
        WrongState: the run cannot be taken up, with the reason.
    """
    if record.state is RunState.AWAITING_LOAD and record.order is Order.PAUSE:
        console.ports.ledger.give(record.run, Order.GO)
        return record.execution
    if nothing_left(record):
        return None
    refuse(record)
    if _at_work(console, record):
        if record.order is Order.PAUSE:
            step = "wait until it is paused: status --watch."
            raise WrongState("the run is still pausing", where=record.run, next_step=step)
        return record.execution
    console.ports.ledger.give(record.run, Order.GO)
    return _started(console, record)


def _at_work(console: Console, record: RunRecord) -> bool:
    return record.state not in FINAL_RUN_STATES and console.execution_status(record.execution) not in ENDED


def _closed(console: Console, run: str) -> RunRecord:
    """Close a run here; a table that moves on meanwhile is looked at again."""
    # Reports bring a template engine with them; commands that write none do without.
    from lakeshift.report.step import report

    for _ in range(CLOSE_ATTEMPTS - 1):
        with suppress(LedgerConflict):
            return report(console.ports, run)
    return report(console.ports, run)


def _started(console: Console, record: RunRecord) -> str:
    """The name says which resumption it is, so that the same command twice starts one execution.

    An execution of that name may have ended before it took the run up; then the next number is free.
    """
    given = json.dumps({"resume": {"run": record.run, "after": record.execution}})
    numbers = count(record.resumed + 1)
    names = (f"{record.run}-r{number}" for number in numbers)
    return next(found for name in names if (found := console.start_migrate(name, given)))
