"""Ratios of the extract against its peers: `python -m bench.extract [--runs N] [--quick] [--no-dlt]`.

Every figure is of a whole process, imports included. In each round every contender runs once, one after another; a
ratio is the median over the rounds of the ratios within a round. A first round that does not count fills the server's
page cache and the compiled modules, and settles which wire codec makes each peer faster. docs/explanation/bench.md
says what is compared and why.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import environments, twin
from bench.address import DATASET, PROJECT
from bench.processes import ALLOCATORS, CACHE, ROOT, Measured, measure, python

RUNS = 5
TABLES = ("lineitem", "nested")
PEERS = ("to_arrow", "stream")
CODECS = ("none", "lz4")
DLT_PEER = Path(__file__).parent / "dlt_peer.py"
RESULTS = Path(__file__).parent / "results" / "extract.json"
PACKAGES = ("google-cloud-bigquery-storage", "google-cloud-bigquery", "grpcio", "pyarrow", "obstore", "protobuf")
SINKS = {
    "ours": "multipart uploads to a local S3 that drops what it gets, in a process of its own",
    "official, dlt": "files on a local disk, nothing uploaded",
}
START_SECONDS = 30
# What one round measured, by contender.
Round = dict[str, Measured]


@dataclass(frozen=True)
class Place:
    """Where the contenders find the source, the store, room for files, and the modules that a function has."""

    program: Path
    address: Path
    s3: str
    folder: Path


def contenders(place: Place, table: str, codecs: dict[str, str]) -> dict[str, Callable[[], Measured]]:
    """What runs in a round, in its order: ours and peers in turn."""
    address = place.address

    def ours(statistics_: str) -> Callable[[], Measured]:
        planned = place.folder / f"{table}-{statistics_}.json"
        python(place.program, "bench.extract_plan", address, table, statistics_, planned)
        return lambda: python(place.program, "bench.extract_ours", address, place.s3, planned, **ALLOCATORS)

    def peer(way: str) -> Callable[[], Measured]:
        return lambda: official(place, table, way, codecs[way])

    return {
        "ours": ours("on"),
        "to_arrow": peer("to_arrow"),
        "ours_nostats": ours("off"),
        "stream": peer("stream"),
        "decode": lambda: python(place.program, "bench.limit", "decode", address, table, **ALLOCATORS),
        "encode": lambda: python(place.program, "bench.limit", "encode", address, table, **ALLOCATORS),
    }


def official(place: Place, table: str, way: str, codec: str) -> Measured:
    """One run of the official client."""
    with tempfile.TemporaryDirectory(dir=place.folder) as folder:
        return python(place.program, "bench.official", way, codec, place.address, table, folder)


def faster_codecs(place: Place, table: str) -> dict[str, str]:
    """The wire codec that makes each peer faster here."""
    return {
        way: min(CODECS, key=lambda codec, way=way: official(place, table, way, codec).seconds)  # type: ignore[misc]
        for way in PEERS
    }


def rounds(place: Place, table: str, runs: int, dlt: Path | None) -> tuple[dict[str, str], list[Round]]:
    """The codecs that were chosen, and what each round measured."""
    for codec in CODECS:
        official(place, table, "stream", codec)
    codecs = faster_codecs(place, table)
    running = contenders(place, table, codecs)
    if dlt is not None:
        running["dlt"] = lambda: _dlt(place, table, dlt)
    for name in ("ours", "ours_nostats"):
        running[name]()
    return codecs, [{name: run() for name, run in running.items()} for _ in range(runs)]


def _dlt(place: Place, table: str, program: Path) -> Measured:
    with tempfile.TemporaryDirectory(dir=place.folder) as folder:
        return measure([program, DLT_PEER, place.address, f"{PROJECT}.{DATASET}.{table}", folder])


def limit_seconds(measured: Round, cores: int) -> float:
    """What this machine needs at least: receiving and decoding, or all CPU work spread evenly over its cores."""
    decode = measured["decode"]
    cpu = decode.cpu_seconds + float(measured["encode"].said["encode_cpu_seconds"])
    return max(decode.seconds, cpu / cores)


def ratios_of(measured: Round, cores: int) -> dict[str, float]:
    """All ratios of one round. Above 1 we are faster, but for `vs_limit`: our time over the limit's."""
    found: dict[str, float] = {}
    for ours, suffix in (("ours", ""), ("ours_nostats", "_nostats")):
        mine = _speed(measured[ours])
        found[f"vs_official_to_arrow{suffix}"] = mine / _speed(measured["to_arrow"])
        found[f"vs_official_stream{suffix}"] = mine / _speed(measured["stream"])
        found[f"vs_limit{suffix}"] = measured[ours].seconds / limit_seconds(measured, cores)
    if "dlt" in measured:
        found["vs_dlt"] = _speed(measured["ours"]) / _speed(measured["dlt"])
    return found


def _speed(measured: Measured) -> float:
    """Rows a second; it is an error when a contender did not move all rows."""
    return float(measured.said["rows"]) / measured.seconds


def medians(each: Sequence[dict[str, float]]) -> dict[str, float]:
    """The median of every ratio over the rounds."""
    return {name: round(statistics.median(one[name] for one in each), 3) for name in each[0]}


def worse(by_table: dict[str, dict[str, float]]) -> dict[str, float | None]:
    """Of the tables' ratios those that are worse for us; `vs_dlt` is None where dlt did not run."""
    found: dict[str, float | None] = {"vs_dlt": None}
    for name in next(iter(by_table.values())):
        of_tables = [ratios[name] for ratios in by_table.values()]
        found[name] = max(of_tables) if name.startswith("vs_limit") else min(of_tables)
    return found


def check_rows(table: str, rows: int, each: Sequence[Round]) -> None:
    """Every contender has moved every row, or its time says nothing. Raises RuntimeError."""
    for measured in each:
        for name, one in measured.items():
            if one.said["rows"] != rows:
                raise RuntimeError(f"{name} moved {one.said['rows']} rows of {rows} of {table}")


def detail(rows: int, codecs: dict[str, str], each: Sequence[Round], cores: int) -> dict[str, Any]:
    """Everything that was measured of a table."""
    return {
        "rows": rows,
        "ratios": medians([ratios_of(one, cores) for one in each]),
        "peer_wire_codec": codecs,
        "limit_seconds": [round(limit_seconds(one, cores), 3) for one in each],
        "contenders": {name: _summary([one[name] for one in each]) for name in each[0]},
    }


def _summary(runs: Sequence[Measured]) -> dict[str, Any]:
    def middle(values: Iterator[float]) -> float:
        return round(statistics.median(values), 3)

    said = {key: value for key, value in runs[0].said.items() if key != "rows"}
    return {
        "seconds": middle(run.seconds for run in runs),
        "rows_per_second": round(statistics.median(_speed(run) for run in runs)),
        "cpu_seconds": middle(run.cpu_seconds for run in runs),
        "peak_mib": middle(run.peak_mib for run in runs),
        **said,
        "runs": [run.figures for run in runs],
    }


@contextmanager
def null_s3(folder: Path) -> Iterator[str]:
    """The store that drops what it gets, in a process of its own; its address."""
    ready = folder / "s3"
    server = subprocess.Popen([sys.executable, "-m", "bench.null_s3", str(ready)], cwd=ROOT)
    try:
        end = time.monotonic() + START_SECONDS
        while not ready.exists():
            if server.poll() is not None or time.monotonic() > end:
                raise RuntimeError("the S3 does not start")
            time.sleep(0.02)
        yield ready.read_text()
    finally:
        server.terminate()
        server.wait()


def measure_tables(*, runs: int, quick: bool, dlt: Path | None) -> dict[str, dict[str, Any]]:
    """Both tables through all contenders."""
    cores = os.cpu_count() or 1
    found = {}
    with (
        tempfile.TemporaryDirectory(dir=CACHE) as folder,
        twin.running(quick=quick) as address,
        null_s3(Path(folder)) as s3,
    ):
        program = environments.python(environments.DEPLOYED)
        place = Place(program, Path(folder) / "address.json", s3, Path(folder))
        address.write(place.address)
        for table in TABLES:
            rows = twin.rows(address, table)
            codecs, each = rounds(place, table, runs, dlt)
            check_rows(table, rows, each)
            found[table] = detail(rows, codecs, each, cores)
    return found


def result(tables: dict[str, dict[str, Any]], planning: dict[str, Any], dlt: str) -> dict[str, Any]:
    """The document that is written."""
    ours = [tables[table]["contenders"][name] for table in tables for name in ("ours", "ours_nostats")]
    return {
        "ratios": worse({table: found["ratios"] for table, found in tables.items()}),
        "peak_mib": round(max(run["peak_mib"] for one in ours for run in one["runs"]), 1),
        "plan_100k_tables": planning,
        "versions": versions(dlt),
        "note": "each ratio is the worse of the two tables for us; vs_limit is our time over the limit's",
        "sinks": SINKS,
        "cores": os.cpu_count(),
        "tables": tables,
    }


def versions(dlt: str) -> dict[str, str]:
    """Of the peers, and of what we stand on."""
    found = {package: importlib.metadata.version(package) for package in PACKAGES}
    return {"python": platform.python_version(), **found, "dlt": dlt}


def dlt_program(*, wanted: bool) -> tuple[Path | None, str]:
    """The interpreter that has dlt, and its version; None and the reason where there is none."""
    if not wanted:
        return None, "not measured: left out by --no-dlt"
    try:
        return environments.python(environments.DLT), environments.version(environments.DLT, "dlt[filesystem,parquet]")
    except environments.Unavailable as error:
        return None, f"not measured: {error}"


def planning(tables: int) -> dict[str, Any]:
    """Seconds and peak memory of planning so many tables."""
    measured = python(environments.python(environments.DEPLOYED), "bench.plan_100k", str(tables))
    return {
        "seconds": round(float(measured.said["seconds"]), 2),
        "peak_mib": round(measured.peak_mib, 1),
        "tables": measured.said["tables"],
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the ratios with the versions, and write bench/results/extract.json."""
    parser = argparse.ArgumentParser(prog="python -m bench.extract", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help="rounds that count")
    parser.add_argument("--quick", action="store_true", help="one round of small tables, to see that it works")
    parser.add_argument("--no-dlt", action="store_true", help="leave dlt out")
    parser.add_argument("--result", type=Path, default=RESULTS, help="file to write")
    options = parser.parse_args(arguments)
    # Its servers end with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    CACHE.mkdir(parents=True, exist_ok=True)
    dlt, dlt_says = dlt_program(wanted=not options.no_dlt)
    tables = measure_tables(runs=1 if options.quick else options.runs, quick=options.quick, dlt=dlt)
    document = result(tables, planning(1_000 if options.quick else 100_000), dlt_says)
    options.result.parent.mkdir(parents=True, exist_ok=True)
    options.result.write_text(json.dumps(document, indent=1) + "\n")
    print(
        json.dumps({name: document[name] for name in ("ratios", "peak_mib", "plan_100k_tables", "versions")}, indent=1)
    )


if __name__ == "__main__":
    main()
