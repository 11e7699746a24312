"""`lakeshift extract` when it or one of its processes is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from select import select

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


# The command's pool, and who works in it; the worker itself never ends.
_COMMAND = """
import os, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from lakeshift.cli.extract import _end_with_parent

if __name__ == "__main__":
    with ProcessPoolExecutor(1, get_context("spawn"), _end_with_parent) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        time.sleep(60)
"""


def test_the_processes_of_a_killed_command_end_with_it(tmp_path: Path) -> None:
    script = tmp_path / "command.py"
    script.write_text(_COMMAND)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE) as command:
        assert command.stdout
        assert int(command.stdout.readline())
        command.kill()
        # The worker holds the other end of the pipe for as long as it lives.
        readable, _, _ = select([command.stdout], [], [], 30)
        ended = bool(readable) and not command.stdout.read()
        if not ended:
            pytest.fail("a process of the pool has outlived the command")
