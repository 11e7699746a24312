"""Environments of their own for what is measured: what the project's tests need besides would slow its start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.processes import CACHE, ROOT

DEPLOYED = ROOT / "requirements-lambda.lock"
DLT = Path(__file__).parent / "requirements-dlt.txt"
INSTALL_SECONDS = 600


class Unavailable(Exception):
    """It cannot be installed here; the message says why."""


def python(requirements: Path) -> Path:
    """The interpreter that has these requirements and nothing else; installed when they are new or have changed.

    Raises:
        Unavailable: there is no package index, or it does not have the pinned versions.
    """
    folder = CACHE / f"venv-{requirements.stem}"
    program, ready = folder / "bin" / "python", folder / "requirements.txt"
    if ready.exists() and ready.read_bytes() == requirements.read_bytes():
        return program
    _run([sys.executable, "-m", "venv", "--clear", str(folder)])
    _run([str(program), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements)])
    ready.write_bytes(requirements.read_bytes())
    return program


def version(requirements: Path, package: str) -> str:
    """The pinned version of a package."""
    line = next(line for line in requirements.read_text().splitlines() if line.startswith(f"{package}=="))
    return line.rsplit("==", 1)[1]


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(str(error)) from error
    if done.returncode:
        raise Unavailable(f"{' '.join(command[1:4])} failed: {done.stderr.strip()[-300:]}")
