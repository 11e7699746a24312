"""Measurements: `python -m bench`. A figure is a ratio of whole processes of one run, the median of pairs."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 5
RESULTS = Path(__file__).parent / "results"
PEERS = {"vs_pyarrow_write_table": ("bench.lake", "ours", "pyarrow")}


def seconds(module: str, way: str) -> float:
    """Wall time of one whole process."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", module, way], check=True)
    return time.perf_counter() - started


def ratio(module: str, ours: str, peer: str) -> float:
    """The peer's time over ours, median of paired runs: above 1 means that we are faster."""
    pairs = [(seconds(module, ours), seconds(module, peer)) for _ in range(RUNS)]
    return statistics.median(theirs / mine for mine, theirs in pairs)


def main() -> None:
    """Measure, print, and write bench/results/bench.json."""
    ratios = {name: round(ratio(*ways), 3) for name, ways in PEERS.items()}
    versions = {"python": platform.python_version(), "pyarrow": importlib.metadata.version("pyarrow")}
    result = json.dumps({"ratios": ratios, "versions": versions}, indent=1)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "bench.json").write_text(result + "\n")
    print(result)


if __name__ == "__main__":
    main()
