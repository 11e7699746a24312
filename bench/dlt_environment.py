"""An environment for dlt of its own, so that its dependencies stay out of the project's lock."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.processes import CACHE, Measured, measure

REQUIREMENTS = Path(__file__).parent / "requirements-dlt.txt"
INSTALL_SECONDS = 600


class Unavailable(Exception):
    """dlt cannot be installed here; the message says why."""


def python() -> Path:
    """The interpreter of that environment, made when it is not there or when its requirements have changed.

    Raises:
        Unavailable: there is no package index, or it does not have the pinned versions.
    """
    folder = CACHE / "dlt-venv"
    program, ready = folder / "bin" / "python", folder / "requirements.txt"
    if ready.exists() and ready.read_bytes() == REQUIREMENTS.read_bytes():
        return program
    _run([sys.executable, "-m", "venv", "--clear", str(folder)])
    _run([str(program), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(REQUIREMENTS)])
    ready.write_bytes(REQUIREMENTS.read_bytes())
    return program


def version() -> str:
    """The pinned version of dlt."""
    line = next(line for line in REQUIREMENTS.read_text().splitlines() if line.startswith("dlt"))
    return line.rsplit("==", 1)[1]


def move(program: Path, address: Path, table: str, folder: Path) -> Measured:
    """One dlt pipeline that moves a table, as a whole process."""
    script = Path(__file__).parent / "dlt_peer.py"
    return measure([program, script, address, table, folder])


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(str(error)) from error
    if done.returncode:
        raise Unavailable(f"{' '.join(command[1:4])} failed: {done.stderr.strip()[-300:]}")
