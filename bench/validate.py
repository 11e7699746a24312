"""Figures of the validation gate: `python -m bench.validate [--runs N] [--smoke]`.

Every figure is of a whole process, imports included; contenders run one after another in each round, a ratio is taken
within the round, and the result is the median over the rounds. docs/explanation/bench.md says what is measured and why.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import signal
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bench import environments, extract, lake_files, tables, twin
from bench.processes import ALLOCATORS, CACHE, Measured, python
from lakeshift.lake.parquet import FileWriter

RUNS = 5
THREADS = "2"
RESULTS = Path(__file__).parent / "results" / "validate.json"
PACKAGES = ("pyarrow", "numpy", "duckdb")


@dataclass(frozen=True)
class Aim:
    """A figure that is to hold: at least, or at most."""

    least: float | None = None
    most: float | None = None

    def holds(self, figure: float) -> bool:
        """Whether it does."""
        return (self.least is None or figure >= self.least) and (self.most is None or figure <= self.most)


AIMS = {
    "lineitem_rows_per_second": Aim(least=4_000_000),
    "lineitem_vs_duckdb_hash": Aim(least=0.6),
    "lineitem_vs_duckdb_md5": Aim(least=2.0),
    "nested_rows_per_second": Aim(least=1_000_000),
    "extract_with_statistics": Aim(most=1.25),
    "bisect_full_passes": Aim(most=3.0),
    "peak_of_ten_times_the_rows": Aim(most=1.15),
}

Round = dict[str, Measured]
Running = dict[str, Callable[[], Measured]]


def checksums(folder: Path, table: str) -> Running:
    """The checksum of a folder's lake files: ours, and what DuckDB takes."""
    here = Path(sys.executable)

    def ours(way: str) -> Callable[[], Measured]:
        return lambda: python(here, "bench.lake_checksum", way, folder, THREADS, **ALLOCATORS)

    def peer(way: str) -> Callable[[], Measured]:
        return lambda: python(here, "bench.duckdb_checksum", way, folder, THREADS)

    return {
        "rows": ours("rows"),
        "duckdb_hash": peer("hash"),
        "statistics": ours("statistics"),
        "duckdb_md5": peer("md5"),
        "gate_pass": lambda: python(here, "bench.gate", "pass", folder, table, **ALLOCATORS),
    }


def rounds(running: Running, runs: int) -> list[Round]:
    """What each round measured; a first one, which fills the page cache, does not count."""
    for name, run in running.items():
        if runs > 1 and name != "duckdb_md5":
            run()
    return [{name: run() for name, run in running.items()} for _ in range(runs)]


def check_rows(rows: int, each: Sequence[Round]) -> None:
    """Every contender has seen every row, and the ways of one checksum agree, or its time says nothing.

    Raises RuntimeError.
    """
    for measured in each:
        for name, one in measured.items():
            if one.said["rows"] != rows:
                raise RuntimeError(f"{name} read {one.said['rows']} rows of {rows}")
        if measured["rows"].said["sum"] != measured["statistics"].said["sum"]:
            raise RuntimeError("the rows' checksum is another one with statistics")


def rate(measured: Measured) -> float:
    """Rows a second."""
    return float(measured.said["rows"]) / measured.seconds


def middle(values: Sequence[float]) -> float:
    """The median."""
    return round(statistics.median(values), 3)


def checksum_figures(table: str, each: Sequence[Round]) -> dict[str, float]:
    """Rows a second, and how many times as fast as each peer."""
    found = {f"{table}_rows_per_second": middle([rate(one["rows"]) for one in each])}
    for peer in ("duckdb_hash", "duckdb_md5"):
        found[f"{table}_vs_{peer}"] = middle([rate(one["rows"]) / rate(one[peer]) for one in each])
    found[f"{table}_statistics_rows_per_second"] = middle([rate(one["statistics"]) for one in each])
    found[f"{table}_gate_pass_rows_per_second"] = middle([rate(one["gate_pass"]) for one in each])
    return found


def summary(each: Sequence[Round]) -> dict[str, Any]:
    """All contenders of some rounds."""
    return {
        name: {
            "seconds": middle([one[name].seconds for one in each]),
            "cpu_seconds": middle([one[name].cpu_seconds for one in each]),
            "peak_mib": middle([one[name].peak_mib for one in each]),
            "runs": [one[name].figures for one in each],
        }
        for name in each[0]
    }


def extraction(*, runs: int, quick: bool) -> dict[str, Any]:
    """How much longer an extract takes that measures its rows: wall time over that of one that does not."""
    found: dict[str, Any] = {}
    with (
        tempfile.TemporaryDirectory(dir=CACHE) as folder,
        twin.running(quick=quick) as address,
        extract.null_s3(Path(folder)) as s3,
    ):
        place = extract.Place(
            environments.python(environments.DEPLOYED), Path(folder) / "address.json", s3, Path(folder)
        )
        address.write(place.address)
        for table in extract.TABLES:
            running = extract.contenders(place, table, dict.fromkeys(extract.PEERS, "none"))
            each = rounds({name: running[name] for name in ("ours", "ours_nostats")}, runs)
            ratios = [one["ours"].seconds / one["ours_nostats"].seconds for one in each]
            found[table] = {"ratio": middle(ratios), "contenders": summary(each)}
    return found


def with_one_change(folder: Path) -> Path:
    """A copy of lake files in which one value of one row is another one."""
    other = folder.with_name(f"{folder.name}-changed")
    if not other.exists():
        work = Path(tempfile.mkdtemp(dir=CACHE))
        for file in folder.iterdir():
            shutil.copy(file, work)
        _change(lake_files.files(work)[-1])
        work.rename(other)
    return other


def _change(file: Path) -> None:
    """The number in the middle of the first column goes up by one."""
    table = pq.read_table(file)
    numbers = table.column(0).to_numpy().copy()
    numbers[len(numbers) // 2] += 1
    table = table.set_column(0, table.schema.field(0), pa.array(numbers))
    groups = [
        pq.ParquetFile(file).metadata.row_group(place).num_rows
        for place in range(pq.read_metadata(file).num_row_groups)
    ]
    with file.with_suffix(".new").open("wb") as sink, FileWriter(sink, table.schema) as writer:
        start = 0
        for rows in groups:
            writer.write(table.slice(start, rows).combine_chunks())
            start += rows
    file.with_suffix(".new").rename(file)


def bisecting(folder: Path) -> dict[str, Any]:
    """Finding the one row that differs from a copy; the passes of both sides are added up."""
    found = python(
        Path(sys.executable), "bench.gate", "bisect", folder, "lineitem", with_one_change(folder), **ALLOCATORS
    )
    if (found.said["differing"], found.said["columns"]) != (1, ["l_orderkey"]):
        raise RuntimeError(f"the one changed value was not found: {found.said}")
    passes = found.said["rows_read"] / found.said["rows"]
    return {"full_passes": round(passes, 4), **found.said, **found.figures}


def measure_all(*, runs: int, smoke: bool) -> dict[str, Any]:
    """Everything, as the document that is written."""
    made = {table.name: table for table in tables.tables(quick=smoke)}
    folders = {name: lake_files.made(table, "quick" if smoke else "1") for name, table in made.items()}
    figures: dict[str, float] = {}
    detail: dict[str, Any] = {}
    for name, folder in folders.items():
        each = rounds(checksums(folder, name), runs)
        check_rows(lake_files.row_count(folder), each)
        figures |= checksum_figures(name, each)
        detail[name] = {"rows": lake_files.row_count(folder), "contenders": summary(each)}
    detail["extract"] = extraction(runs=runs, quick=smoke)
    figures["extract_with_statistics"] = max(one["ratio"] for one in detail["extract"].values())
    detail["bisect"] = bisecting(folders["lineitem"])
    figures["bisect_full_passes"] = detail["bisect"]["full_passes"]
    detail["memory"] = memory(folders["lineitem"], runs=runs, smoke=smoke)
    figures["peak_of_ten_times_the_rows"] = detail["memory"]["ratio"]
    return document(figures, detail)


def memory(folder: Path, *, runs: int, smoke: bool) -> dict[str, Any]:
    """Peak of the gate's pass over a tenth of the rows, and over all of them; medians, since an allocator has moods."""
    part = folder.with_name(f"{folder.name}-tenth")
    if not part.exists():
        _tenth(folder, part, groups=1 if smoke else 6)
    small, large = (_peak(place, runs) for place in (part, folder))
    return {"small": small, "large": large, "ratio": round(large["peak_mib"] / small["peak_mib"], 3)}


def _peak(folder: Path, runs: int) -> dict[str, Any]:
    each = [python(Path(sys.executable), "bench.gate", "pass", folder, "lineitem", **ALLOCATORS) for _ in range(runs)]
    return {"rows": each[0].said["rows"], "peak_mib": round(middle([one.peak_mib for one in each]), 1)}


def _tenth(folder: Path, part: Path, groups: int) -> None:
    """The first row groups of a folder's first file, in two files, since two are read at a time."""
    source = pq.ParquetFile(lake_files.files(folder)[0])
    part.mkdir()
    rows = 0
    for number in range(2):
        with (part / f"{number}.parquet").open("wb") as sink, FileWriter(sink, source.schema_arrow) as writer:
            for place in range(number, min(groups, source.num_row_groups), 2):
                writer.write(source.read_row_group(place))
            rows += writer.close().rows
    (part / lake_files.ROWS).write_text(str(rows))


def document(figures: dict[str, float], detail: dict[str, Any]) -> dict[str, Any]:
    """What is written: figures, whether the aims hold, and everything behind them."""
    return {
        "figures": figures,
        "aims": {
            name: {"least": aim.least, "most": aim.most, "figure": figures[name], "holds": aim.holds(figures[name])}
            for name, aim in AIMS.items()
        },
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in PACKAGES},
        },
        "cores": os.cpu_count(),
        "load_average": [round(one, 2) for one in os.getloadavg()],
        "detail": detail,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print figures and aims, and write bench/results/validate.json."""
    parser = argparse.ArgumentParser(prog="python -m bench.validate", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help="rounds that count")
    parser.add_argument("--smoke", action="store_true", help="one round of small tables, to see that it works")
    parser.add_argument("--result", type=Path, default=RESULTS, help="file to write")
    options = parser.parse_args(arguments)
    # Its servers end with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    CACHE.mkdir(parents=True, exist_ok=True)
    found = measure_all(runs=1 if options.smoke else options.runs, smoke=options.smoke)
    options.result.parent.mkdir(parents=True, exist_ok=True)
    options.result.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps({name: found[name] for name in ("figures", "aims", "versions", "load_average")}, indent=1))


if __name__ == "__main__":
    main()
