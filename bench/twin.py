"""A local BigQuery of the bench's own: a process on free ports, its tables kept between runs."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import tables
from bench.address import DATASET, PROJECT, Address
from bench.processes import CACHE, ROOT
from localcloud.bigquery.seed import client, seed

START_SECONDS = 60
# Room for the pages of both tables in each codec that is read, so that no process waits for the server's encoder.
CACHE_BYTES = 4_000_000_000


@contextmanager
def running(*, quick: bool) -> Iterator[Address]:
    """The server with both tables in it, until the block ends."""
    data = CACHE / f"bigquery-{'quick' if quick else 'full'}-{_recipe()}"
    data.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.json"
        command = [sys.executable, "-m", "localcloud.bigquery", "--data", data, "--ready", ready]
        options = ["--project", PROJECT, "--cache-bytes", str(CACHE_BYTES)]
        server = subprocess.Popen([*map(str, command), *options], cwd=ROOT)
        try:
            address = _address(server, ready, data)
            _load(address, data, quick=quick)
            yield address
        finally:
            server.terminate()
            server.wait()


def _recipe() -> str:
    """Tables are made anew when what makes or keeps them has changed."""
    sources = [Path(tables.__file__), *sorted((ROOT / "localcloud" / "bigquery" / "storage").glob("*.py"))]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:8]


def _address(server: subprocess.Popen[bytes], ready: Path, data: Path) -> Address:
    end = time.monotonic() + START_SECONDS
    while not ready.exists():
        if server.poll() is not None or time.monotonic() > end:
            raise RuntimeError("the local BigQuery does not start")
        time.sleep(0.05)
    ports = json.loads(ready.read_text())
    rest = f"http://127.0.0.1:{ports['rest_port']}"
    account = json.loads((data / "service-account.json").read_text())
    account |= {"auth_uri": f"{rest}/token", "token_uri": f"{rest}/token", "universe_domain": "googleapis.com"}
    return Address(rest, f"127.0.0.1:{ports['grpc_port']}", account)


def _load(address: Address, data: Path, *, quick: bool) -> None:
    for table in tables.tables(quick=quick):
        loaded = data / f"{table.name}.loaded"
        if loaded.exists():
            continue
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            file = table.make(Path(folder))
            names = (PROJECT, DATASET, table.name)
            rows = seed(address.rest, address.credentials, *names, file, table.schema)
        loaded.write_text(str(rows))


def rows(address: Address, table: str) -> int:
    """Rows of a table by its own metadata."""
    with client(address.rest, address.credentials, PROJECT) as bq:
        return int(bq.get_table(f"{PROJECT}.{DATASET}.{table}").num_rows)
