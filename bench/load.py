"""What a small table costs from upload to publish: `python -m bench.load [TABLES]`, on a local cloud of its own.

A run of one table is taken off, so that what is printed is the cost of one table more: its wall time while others run
beside it, its statements on the warehouse, its state transitions, its write units on the ledger.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from lakeshift.bootstrap import Console
from lakeshift.lake import keys
from lakeshift.model import FINAL_RUN_STATES, RunState
from localcloud import connect, lifecycle, query

TABLES, PARALLELISM = 200, 10
AIM_SECONDS = 1.5
RESULTS = Path(__file__).parent / "results"
_PAUSE = 0.2


@dataclass(frozen=True)
class Cost:
    """What a run, or a table, has used."""

    seconds: float
    statements: float
    transitions: float
    write_units: float

    def each(self, other: Cost, tables: int) -> Cost:
        """This cost less the other, divided among the tables."""
        mine, less = asdict(self), asdict(other)
        return Cost(**{name: round((mine[name] - less[name]) / tables, 3) for name in mine})


class Place:
    """A local cloud with tables of one row."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._aws = str(connect.endpoints(home)["aws"])
        self._console: Console = connect.local_console(home)

    def seed(self, dataset: str, tables: int) -> None:
        """Make a data set of small tables."""
        query.bigquery(f"CREATE SCHEMA {dataset}", "demo", self._home)
        for number in range(tables):
            query.bigquery(
                f"CREATE TABLE {dataset}.t{number:05d} AS SELECT {number} AS id, 'x' AS note", "demo", self._home
            )

    def cost(self, dataset: str) -> Cost:
        """Move a data set and say what that has used."""
        before, started = self._used(), time.perf_counter()
        state = self._moved(dataset)
        seconds = time.perf_counter() - started
        if state is not RunState.SUCCEEDED:
            raise SystemExit(f"the run of {dataset} has ended as {state}")
        after = self._used()
        return Cost(seconds, *(now - then for now, then in zip(after, before, strict=True)))

    def _moved(self, dataset: str) -> RunState:
        ports = self._console.ports
        source = {"type": "bigquery", "project": "demo", "datasets": [{"name": dataset}]}
        key = f"{keys.CONFIGS}{dataset}.json"
        body = json.dumps({"sources": [source], "inputMaxParallelism": PARALLELISM}).encode()
        run = keys.run_id(ports.places.config, key, ports.objects.put(ports.places.config, key, body))
        while True:
            try:
                if (record := ports.ledger.run(run)).state in FINAL_RUN_STATES:
                    return record.state
            except KeyError:
                pass
            time.sleep(_PAUSE)

    def _used(self) -> tuple[int, int, int]:
        with urlopen(f"{self._aws}/_twin/usage", timeout=60) as answer:  # noqa: S310  the local cloud's own address
            found: dict[str, Any] = json.loads(answer.read())
        return self._statements(), found["transitions"], found["dynamodb"]["write_units"]

    def _statements(self) -> int:
        api = connect.session().client("redshift-data", endpoint_url=self._aws)
        pages = api.get_paginator("list_statements").paginate(Status="ALL")
        return sum(len(one.get("QueryStrings") or [one]) for page in pages for one in page["Statements"])


def measured(tables: int) -> dict[str, Any]:
    """The cost of a table, and of a run of one."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "local"
        try:
            lifecycle.start(home)
            place = Place(home)
            place.seed("warm", 1)
            place.seed("alone", 1)
            place.seed("many", tables)
            place.cost("warm")
            alone = place.cost("alone")
            many = place.cost("many")
        finally:
            lifecycle.stop(home)
    return {
        "tables": tables,
        "parallelism": PARALLELISM,
        "seconds": round(many.seconds, 1),
        "seconds_per_table": round(many.seconds / tables, 3),
        "one_table_more": asdict(many.each(alone, tables - 1)),
        "run_of_one_table": asdict(alone),
        "aim_seconds": AIM_SECONDS,
        "load_average": [round(one, 1) for one in os.getloadavg()],
    }


def main() -> None:
    """Measure and print; of as many tables as are stated, also write bench/results/load.json."""
    tables = int(sys.argv[1]) if len(sys.argv) > 1 else TABLES
    # Its servers end with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    result = json.dumps(measured(tables), indent=1)
    print(result)
    if tables >= TABLES:
        (RESULTS / "load.json").write_text(result + "\n")


if __name__ == "__main__":
    main()
