"""Which stage a command talks to: the local cloud (the default) or one deployed on AWS."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Annotated

import structlog
import typer

from lakeshift.errors import StageMissing, no_run

if TYPE_CHECKING:
    from lakeshift.bootstrap import Console
    from lakeshift.model import RunRecord
    from lakeshift.ports import Ledger

LOCAL = "local"

StageOption = Annotated[
    str,
    typer.Option("--stage", help="A deployed stage (dev, staging, prod), or `local` for the cloud on this machine."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def open_stage(stage: str) -> Console:
    """The console of a stage. Raises StageMissing or StoreRefused when it cannot be reached."""
    _quiet()
    if stage != LOCAL:
        # The SDKs take a second to import; commands that talk to no stage do without.
        from lakeshift.adapters.aws import store_errors
        from lakeshift.bootstrap import console

        with store_errors(stage):
            return console(stage)
    try:
        from localcloud.connect import local_console
    except ImportError as error:
        step = "install lakeshift[local], or name a deployed --stage."
        raise StageMissing(f"the local cloud is not installed: {error}", next_step=step) from error
    return local_console()


def record_of(ledger: Ledger, run: str) -> RunRecord:
    """The record of a run. Raises SourceNotFound when the stage does not know it."""
    try:
        return ledger.run(run)
    except KeyError as error:
        raise no_run(run) from error


def _quiet() -> None:
    """Steps that a command runs itself log as functions do; stdout belongs to the command's answer."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
