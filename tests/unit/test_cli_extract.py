"""`lakeshift extract` when one of its processes is killed."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from lakeshift.cli.extract import _read_all
from lakeshift.errors import TransientError


def killed(*_: str) -> bool:
    """A process that runs out of memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    return True


def test_a_killed_process_is_named_and_what_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakeshift.cli.extract._read", killed)
    with (
        ProcessPoolExecutor(1, get_context("spawn")) as pool,
        pytest.raises(TransientError, match=r"process .* was killed .*run p\.d\.t.*same command"),
    ):
        _read_all(pool, "local", "run", "p.d.t", ["0", "1"])
