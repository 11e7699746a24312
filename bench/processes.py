"""Whole processes as the unit of measurement: wall time, CPU and memory of each one, and nothing of ours in them."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from infra.allocators import allocators

ROOT = Path(__file__).parent.parent
CACHE = ROOT / "build" / "bench"
# What the deployed functions have, with two readers as by default.
ALLOCATORS = allocators(2)


@dataclass(frozen=True)
class Measured:
    """One process from its start to its end.

    Attributes:
        seconds: wall time, imports included.
        cpu_seconds: user and system time of the process, all threads.
        peak_mib: largest resident set.
        said: the JSON object that it printed last.
    """

    seconds: float
    cpu_seconds: float
    peak_mib: float
    said: dict[str, Any]

    @property
    def figures(self) -> dict[str, float]:
        """What goes into the results."""
        return {name: round(value, 3) for name, value in asdict(self).items() if name != "said"}


def measure(command: Sequence[str | Path], **environment: str) -> Measured:
    """Run a command to its end; its last line on stdout is one JSON object with `peak_mib`.

    Raises RuntimeError with the end of its stderr when it fails.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=_environment(environment),
    )
    try:
        output, errors = process.communicate()
    except BaseException:
        process.kill()
        raise
    seconds = time.perf_counter() - started
    if process.returncode:
        raise RuntimeError(f"{command}: {errors.decode(errors='replace')[-2000:]}")
    said = json.loads(output.decode().strip().rsplit("\n", 1)[-1])
    return Measured(seconds, said.pop("cpu_seconds"), said.pop("peak_mib"), said)


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    """Compiled modules are kept, as in any installation, so that no process spends its time in the compiler."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    ours = {"PYTHONPYCACHEPREFIX": str(CACHE / "pycache"), "PYTHONWARNINGS": "ignore"}
    return {**kept, **ours, **more}


def python(program: Path, module: str, *arguments: str | Path, **environment: str) -> Measured:
    """Run a module by an environment's interpreter, with more variables if it is deployed with some."""
    return measure([program, "-m", module, *arguments], **environment)


def report(**figures: object) -> None:
    """What a measured process prints last: its own figures, its CPU time and its peak memory.

    The peak is the kernel's high-water mark of this address space; ru_maxrss would begin with the parent's.
    """
    times = os.times()
    print(json.dumps({**figures, "cpu_seconds": times.user + times.system, "peak_mib": peak_mib()}), flush=True)


def peak_mib() -> float:
    """Largest resident set of this process so far, MiB."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
