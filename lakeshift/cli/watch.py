"""Follow a run until it ends."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer
from rich.console import Console as Screen
from rich.live import Live

from lakeshift.cli.show import is_at_work, line, view
from lakeshift.errors import StageMissing
from lakeshift.model import FINAL_RUN_STATES, RunRecord, TableRecord

if TYPE_CHECKING:
    from lakeshift.bootstrap import Console

START_SECONDS = 120.0
PAUSE_SECONDS = 0.5
ENDED = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"})


def wait_for_start(console: Console, run: str) -> RunRecord:
    """The run's record, once its execution has begun.

    Raises:
        StageMissing: nothing took the upload up within two minutes.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            return console.ports.ledger.run(run)
        except KeyError:
            time.sleep(PAUSE_SECONDS)
    step = "look at the rule's dead letter queue and at the migrate state machine."
    raise StageMissing("no execution has taken up the upload", where=run, next_step=step)


def wait_for_takeover(console: Console, run: str, execution: str) -> None:
    """Return once an execution has made the run its own; before that the run still shows how it ended last time.

    Raises:
        StageMissing: it ended without taking the run up, or did not begin within two minutes.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        ended = console.execution_status(execution) in ENDED
        if console.ports.ledger.run(run).execution == execution:
            return
        if ended:
            break
        time.sleep(PAUSE_SECONDS)
    step = f"look at the execution {execution}."
    raise StageMissing("the execution has not taken the run up", where=run, next_step=step)


def watch(console: Console, run: str, *, quiet: bool = False) -> RunRecord:
    """Show a run's progress until it ends; quiet shows nothing."""
    record = wait_for_start(console, run)
    screen = Screen()
    if quiet or not screen.is_terminal:
        return _lines(console, record, quiet=quiet)
    with Live(console=screen, refresh_per_second=4) as live:
        while True:
            record = _current(console, record)
            live.update(view(record, console.ports.ledger.tables(run), console.ports.clock()))
            if record.state in FINAL_RUN_STATES:
                return record
            time.sleep(PAUSE_SECONDS)


def _lines(console: Console, record: RunRecord, *, quiet: bool) -> RunRecord:
    shown: dict[str, TableRecord] = {}
    while True:
        record = _current(console, record)
        tables = console.ports.ledger.tables(record.run)
        if not quiet:
            _changed(console, record, tables, shown)
        if record.state in FINAL_RUN_STATES:
            return record
        time.sleep(PAUSE_SECONDS)


def _changed(console: Console, record: RunRecord, tables: Sequence[TableRecord], shown: dict[str, TableRecord]) -> None:
    for table in tables:
        if shown.get(table.table) != table:
            typer.echo(line(table, console.ports.clock(), at_work=is_at_work(record)))
            shown[table.table] = table


def _current(console: Console, before: RunRecord) -> RunRecord:
    """The run as it stands; an execution that ended without closing its run is an error, not a long wait."""
    ended = console.execution_status(before.execution) in ENDED
    record = console.ports.ledger.run(before.run)
    if ended and record.state not in FINAL_RUN_STATES:
        step = f"look at the execution {record.execution}."
        raise StageMissing("the execution ended without closing the run", where=record.run, next_step=step)
    return record
