"""A process that extracts one table and may be killed at any moment."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from multiprocessing import get_context
from multiprocessing.process import BaseProcess

from lakeshift.adapters import bigquery  # noqa: F401 - imported once, before the processes fork
from lakeshift.bootstrap import ports, settings
from lakeshift.errors import TransientError
from lakeshift.extract.chunk import never
from lakeshift.extract.step import extract

# A server that has imported everything forks each process at once, before any connection is open.
_PROCESSES = get_context("forkserver")
_PROCESSES.set_forkserver_preload([__name__])


def start(run: str, table: str, environment: Mapping[str, str]) -> BaseProcess:
    """A process at work on a table."""
    process = _PROCESSES.Process(target=_main, args=(run, table, dict(environment)), daemon=True)
    process.start()
    return process


def _main(run: str, table: str, environment: Mapping[str, str]) -> None:
    os.environ.update(environment)
    adapters = ports(settings())
    while True:
        try:
            if extract(adapters, run, table, never).next == "done":
                sys.exit(0)
        except TransientError:
            time.sleep(0.2)
