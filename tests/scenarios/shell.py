"""`lakeshift` as a person types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

import structlog
from typer.testing import CliRunner

from lakeshift.cli.main import app

Done = subprocess.CompletedProcess[str]


class Shell:
    """Runs `lakeshift` in a folder, against a home of the local cloud; in this process, which saves its start."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self._more = {"LAKESHIFT_HOME": str(home)}

    def __call__(self, *words: str) -> Done:
        return self._run([*words])

    def json(self, *words: str) -> tuple[int, Any]:
        """Exit code and what --json printed."""
        done = self(*words, "--json")
        return done.returncode, json.loads(done.stdout)

    def _run(self, words: list[str]) -> Done:
        with chdir(self.folder), _logging_as_before():
            done = CliRunner(env=self._more).invoke(app, words)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Done(words, done.exit_code, done.stdout, done.stderr)


class Program(Shell):
    """The same as a program of its own: what is installed, its start and its end, and the processes that it starts."""

    def _run(self, words: list[str]) -> Done:
        command = [str(Path(sys.executable).parent / "lakeshift"), *words]
        environment = {**os.environ, **self._more}
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=170
        )


@contextmanager
def _logging_as_before() -> Iterator[None]:
    """A command sets logging to its stderr, which is closed behind it."""
    configured, before = structlog.is_configured(), structlog.get_config()
    try:
        yield
    finally:
        structlog.reset_defaults()
        if configured:
            structlog.configure(**before)
