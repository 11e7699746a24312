"""`lakeshift extract`: chunks of a planned table read by processes of this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import TYPE_CHECKING, Annotated

import typer
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from lakeshift.cli.exits import Exit, exits
from lakeshift.cli.show import is_at_work, line
from lakeshift.cli.stages import LOCAL, StageOption, open_stage, record_of
from lakeshift.errors import TransientError, no_table
from lakeshift.model import Order, RunRecord

if TYPE_CHECKING:
    from lakeshift.ports import Ports

# What meets a busy place is tried again, as the state machine does.
_again = Retrying(
    retry=retry_if_exception_type(TransientError),
    stop=stop_after_attempt(8),
    wait=wait_exponential_jitter(initial=1, max=60),
    reraise=True,
)

TableArgument = Annotated[str, typer.Argument(help="The table as project.dataset.table.", metavar="TABLE")]
ProcessesOption = Annotated[int, typer.Option("--processes", min=1, help="Processes, each reads one chunk at a time.")]


def extract(
    run: Annotated[str, typer.Argument(help="Id of a run, as `submit` prints it.", metavar="RUN")],
    table: TableArgument,
    processes: ProcessesOption = 2,
    stage: StageOption = LOCAL,
) -> None:
    """Read the chunks of a planned table from this machine; what others have read already is not read again."""
    with exits():
        ports = open_stage(stage).ports
        record_of(ports.ledger, run)
        try:
            done = _extracted(ports, run, table, processes, stage)
        except KeyError as error:
            raise no_table(run, table) from error
        record = ports.ledger.run(run)
        typer.echo(line(ports.ledger.table(run, table), ports.clock(), at_work=is_at_work(record)))
        if not done:
            typer.echo(_stopped(record), err=True)
    raise typer.Exit(Exit.GOOD if done else Exit.PROBLEMS)


def _extracted(ports: Ports, run: str, table: str, processes: int, stage: str) -> bool:
    """Make the chunks, read them, close the table; false when somebody wants the run to stop."""
    from lakeshift.extract import step

    with ProcessPoolExecutor(processes, get_context("spawn"), initializer=_end_with_parent) as pool:
        while True:
            # Out of time from the start: it makes the chunks, or closes a table that has none left, and reads nothing.
            got = _again(step.extract, ports, run, table, lambda: True)
            if got.next in ("done", "paused"):
                return got.next == "done"
            if not ports.ledger.table(run, table).cut:
                time.sleep(step.RESULT_POLL_SECONDS)  # the query of a view is under way
                continue
            _read_all(pool, stage, run, table, step.open_chunks(ports, run, table))


def _end_with_parent() -> None:
    """Let a process of the pool end when the command is killed: it holds the writing end of its own queue open."""
    Thread(target=_outlived, daemon=True).start()


def _outlived() -> None:
    if parent := parent_process():
        parent.join()
        os._exit(Exit.ENVIRONMENT)


def _stopped(record: RunRecord) -> str:
    """Why chunks are left, and what reads them."""
    if record.order is Order.CANCEL:
        return f"{record.run} is cancelled: what is left is not read."
    return f"{record.run} is paused: what is left is read after `lakeshift resume {record.run}`."


def _read_all(pool: ProcessPoolExecutor, stage: str, run: str, table: str, chunks: Sequence[str]) -> None:
    """Read chunks side by side.

    Raises:
        TransientError: a process of the pool has ended before its time.
    """
    count = len(chunks)
    try:
        list(pool.map(_read, [stage] * count, [run] * count, [table] * count, chunks))
    except BrokenProcessPool as error:
        step = "run the same command again: it goes on from there; with fewer --processes, if memory ran out."
        raise TransientError("a process that read chunks was killed", where=f"{run} {table}", next_step=step) from error


def _read(stage: str, run: str, table: str, chunk: str) -> bool:
    """One chunk, in a process of its own."""
    from lakeshift.extract.step import extract_one

    return bool(_again(extract_one, _ports(stage), run, table, chunk))


@cache
def _ports(stage: str) -> Ports:
    return open_stage(stage).ports
