"""Exit codes of every command, and how errors become them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import IntEnum

import typer
from rich.console import Console

from lakeshift.errors import ConfigInvalid, LakeshiftError, OptionInvalid, StageMissing, StoreRefused, TransientError
from lakeshift.model import RunState

_UNFINISHED = (
    RunState.FAILED,
    RunState.PROBLEMS,
    RunState.QUARANTINED,
    RunState.PAUSED,
    RunState.CANCELLED,
    RunState.ROLLED_BACK,
)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


class Exit(IntEnum):
    """0 all good, 1 problems in the run (or stopped short), 2 bad input, 3 environment, 4 something is refused."""

    GOOD = 0
    PROBLEMS = 1
    BAD_INPUT = 2
    ENVIRONMENT = 3
    REFUSED = 4


def exit_of(state: RunState) -> Exit:
    """The exit code that a run's state stands for."""
    if state is RunState.REFUSED:
        return Exit.BAD_INPUT
    return Exit.PROBLEMS if state in _UNFINISHED else Exit.GOOD


@contextmanager
def exits(*, as_json: bool = False) -> Iterator[None]:
    """Print an error as text on stderr, or as JSON on stdout, and leave with its exit code."""
    try:
        yield
    except LakeshiftError as error:
        _print(error, as_json=as_json)
        environment = isinstance(error, StageMissing | StoreRefused | TransientError)
        raise typer.Exit(Exit.ENVIRONMENT if environment else Exit.BAD_INPUT) from error


def _print(error: LakeshiftError, *, as_json: bool) -> None:
    if not as_json:
        errors.print(str(error), style="red", markup=False)
        return
    problems = (
        [asdict(problem) for problem in error.problems] if isinstance(error, ConfigInvalid | OptionInvalid) else []
    )
    typer.echo(json.dumps({"error": error.code, "message": str(error), "problems": problems}, indent=1))
