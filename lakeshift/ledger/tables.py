"""Moves of a table through its states, as every step makes them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import structlog

from lakeshift.errors import LedgerConflict, TerminalError, WrongState
from lakeshift.model import Span, TableRecord, TableState
from lakeshift.ports import Ports

log = structlog.get_logger()
ORDER = tuple(TableState)[:7]


def passed(record: TableRecord, state: TableState) -> bool:
    """True when the table has reached `state` already, so that the step has nothing to do."""
    return record.state in ORDER and ORDER.index(record.state) >= ORDER.index(state)


Answer = TypeVar("Answer")
More = ParamSpec("More")
Step = Callable[Concatenate[Ports, str, str, More], Answer]


def unless_passed(state: TableState) -> Callable[[Step[More, Answer]], Step[More, Answer]]:
    """Let a step's failure count only while the table has not come to `state`, the step's end.

    A worker that another one has outrun finds staging gone, or the target changed: that is no failure of the table.
    """

    def decorate(step: Step[More, Answer]) -> Step[More, Answer]:
        @wraps(step)
        def outrun(ports: Ports, run: str, table: str, /, *more: More.args, **named: More.kwargs) -> Answer:
            try:
                return step(ports, run, table, *more, **named)
            except TerminalError as error:
                if passed(ports.ledger.table(run, table), state):
                    raise LedgerConflict("another worker has gone on with the table", where=table) from error
                raise

        return outrun

    return decorate


def begin(ports: Ports, record: TableRecord, verb: str, state: TableState) -> TableRecord:
    """Enter a step's working state from the state before it; a table that stands there already goes on.

    Raises:
        WrongState: the table has ended, or has not come to this step yet.
        LedgerConflict: another worker has changed the table since it was read.
    """
    if record.state is state:
        return record
    if record.state is not ORDER[ORDER.index(state) - 1]:
        raise WrongState(f"the table is {record.state}, so {verb} has nothing to do", where=record.table)
    log.info(f"{verb}.started", run=record.run, table=record.table)
    return ports.ledger.save_table(clocked(ports, record.model_copy(update={"state": state}), verb))


def clocked(ports: Ports, record: TableRecord, verb: str) -> TableRecord:
    """The record with the step's start time, not saved yet."""
    return record.model_copy(update={"spans": {**record.spans, verb: Span(started=ports.clock())}})


def end(ports: Ports, record: TableRecord, verb: str, state: TableState, **changes: object) -> TableRecord:
    """Leave a step for its end state; LedgerConflict when another worker has changed the table meanwhile."""
    spans = {**record.spans, verb: Span(started=record.spans[verb].started, ended=ports.clock())}
    after = ports.ledger.save_table(record.model_copy(update={"state": state, "spans": spans, **changes}))
    log.info(f"{verb}.done", run=record.run, table=record.table)
    return after
