"""Planning many tables: `python -m bench.plan_100k [TABLES]` runs the `plan` use case over a synthetic inventory.

Tables have 10 to 30 columns, 20 on average; every fifth has a nested one, every tenth is partitioned. Another process
writes the inventory; what is measured is the use case alone, from reading it to the last record and the list of tables.
Objects lie in a folder; the ledger is in this process's memory, so that the peak holds all of its records too.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench.extract_plan import migration
from bench.processes import CACHE, ROOT, report
from lakeshift.inventory.step import TABLES_OF_A_PART, Entry, line
from lakeshift.lake import keys
from lakeshift.ledger.memory import MemoryLedger
from lakeshift.model import RunRecord, RunState, SourceTable, TableRef
from lakeshift.plan.step import plan
from lakeshift.ports import Defaults, Places, Ports, Statement
from lakeshift.types.bigquery import columns

TABLES = 100_000
RUN = "bench-000000000000"
TYPES = ("INT64", "STRING", "NUMERIC", "TIMESTAMP", "DATE", "FLOAT64", "BOOL", "JSON", "BYTES", "DATETIME")
LEGS = [{"name": "sku", "type": "STRING"}, {"name": "count", "type": "INT64"}, {"name": "price", "type": "NUMERIC"}]
NESTED: dict[str, Any] = {"name": "items", "type": "RECORD", "mode": "REPEATED", "fields": LEGS}


LIST = "list"


class Folder:
    """An object store in a folder, as far as planning needs one."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, bucket: str, key: str) -> Path:
        """The file of an object."""
        return self._root / quote(f"{bucket}/{key}", safe="")

    def put(self, bucket: str, key: str, body: bytes, content_type: str = "") -> str:
        """Write an object whole."""
        self.path(bucket, key).write_bytes(body)
        return content_type and "1"

    def get(self, bucket: str, key: str, version: str = "") -> bytes:
        """Read an object; KeyError when absent."""
        path = self.path(bucket, key)
        if version or not path.exists():
            raise KeyError(key)
        return path.read_bytes()

    def read_range(self, bucket: str, key: str, start: int, length: int) -> bytes:
        """Read a part of an object."""
        with self.path(bucket, key).open("rb") as file:
            file.seek(start)
            return file.read(length)

    def size(self, bucket: str, key: str) -> int:
        """Bytes of an object."""
        return self.path(bucket, key).stat().st_size


class Obliging:
    """A warehouse that does everything at once."""

    def submit(self, statements: object, token: str) -> str:
        """Take a batch."""
        return f"{token}{statements!r}"[:8]

    def poll(self, statement: str, seconds: float) -> Statement:
        """It is done."""
        return Statement(finished=bool(statement) and seconds > 0)

    def query(self, sql: str, *_: str) -> list[tuple[object, ...]]:
        """Nothing was published before."""
        return [] if sql else [()]


def entries(tables: int) -> Iterator[Entry]:
    """The synthetic inventory."""
    for number in range(tables):
        ref = TableRef(project="bench", dataset="speed", table=f"table_{number:06d}")
        yield Entry(ref=ref, source_index=0, target_schema="speed", table=table(ref, number))


def table(ref: TableRef, number: int) -> SourceTable:
    """Metadata of one table."""
    count = 10 + number % 21
    fields = [{"name": f"column_{i}_{number % 97}", "type": TYPES[(number + i) % len(TYPES)]} for i in range(count)]
    nested = [NESTED] if number % 5 == 0 else []
    layout = {"partition_column": "day", "partition_kind": "DAY"} if number % 10 == 0 else {}
    day = [{"name": "day", "type": "DATE"}] if layout else []
    known: dict[str, Any] = {"rows": number * 1_000, "bytes": number % 5_000 * 100_000, **layout}
    return SourceTable(ref=ref, type="TABLE", columns=columns([*fields, *nested, *day]), **known)


def write_inventory(folder: Path, tables: int) -> None:
    """What the step before leaves: inventory and config."""
    store = Folder(folder)
    left = entries(tables)
    names = [str(number) for number in range(-(-tables // TABLES_OF_A_PART))]
    for name in names:
        part = b"".join(line(entry) for entry in islice(left, TABLES_OF_A_PART))
        store.put("staging", keys.run_file(RUN, f"inventory/{name}"), part)
    store.put("staging", keys.run_file(RUN, f"inventory/{LIST}"), "\n".join(names).encode())
    config = migration(statistics=True).model_dump_json(by_alias=True)
    store.put("staging", keys.run_file(RUN, "config.json"), config.encode())


def ports_for(folder: Path, tables: int) -> Ports:
    """Ports of a run that has its inventory."""
    now, ledger = datetime.now(UTC), MemoryLedger()
    values: dict[str, Any] = {"config_bucket": "config", "config_key": "configs/bench.json", "config_version": "1"}
    state = RunState.INVENTORIED
    values |= {"tables": tables, "inventory": LIST}
    ledger.claim(RunRecord(run=RUN, state=state, execution="e", started=now, snapshot=now, **values))
    store: Any = Folder(folder)
    obliging: Any = Obliging()
    return Ports(
        places=Places("config", "lake", "staging"),
        defaults=Defaults(30, True, "role", "dev", "", "bench", "key"),
        ledger=ledger,
        objects=store,
        source=lambda _: obliging,
        warehouse=lambda _: obliging,
        clock=lambda: datetime.now(UTC),
    )


def main(tables: int) -> None:
    """Plan, and report."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        subprocess.run([sys.executable, "-m", "bench.plan_100k", folder, str(tables)], check=True, cwd=ROOT)
        ports = ports_for(Path(folder), tables)
        started = time.perf_counter()
        planned = plan(ports, RUN)
        seconds = time.perf_counter() - started
    report(seconds=seconds, tables=planned.tables)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        write_inventory(Path(sys.argv[1]), int(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else TABLES)
