"""The twin as a process: ready file, restart on the same data, end on SIGTERM."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from localcloud.bigquery.seed import client, seed


def start(data: Path, *options: str) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    ready = data / "ready.json"
    ready.unlink(missing_ok=True)
    command = [sys.executable, "-m", "localcloud.bigquery", "--data", str(data), "--ready", str(ready), *options]
    process = subprocess.Popen(command)
    end = time.monotonic() + 30
    while not ready.exists():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)
    return process, json.loads(ready.read_text())


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def test_state_survives_a_restart(tmp_path: Path) -> None:
    process, ready = start(tmp_path)
    try:
        assert ready["pid"] == process.pid
        credentials = json.loads((tmp_path / "service-account.json").read_text())
        endpoint = f"http://127.0.0.1:{ready['rest_port']}"
        assert credentials["token_uri"] == f"{endpoint}/token"
        (tmp_path / "rows.jsonl").write_text('{"a":1}\n{"a":2}\n')
        assert seed(endpoint, credentials, "p", "d", "t", tmp_path / "rows.jsonl") == 2
        with client(endpoint, credentials, "p") as bq:
            job = bq.query("SELECT SUM(a) AS s FROM d.t")
            assert [r["s"] for r in job.result()] == [3]
    finally:
        stop(process)
    process, again = start(tmp_path, "--port", str(ready["rest_port"]))
    try:
        assert again["rest_port"] == ready["rest_port"]
        with client(endpoint, credentials, "p") as bq:
            assert bq.get_table("p.d.t").num_rows == 2
            assert [r["a"] for r in bq.query_and_wait("SELECT a FROM d.t ORDER BY a")] == [1, 2]
            assert [r["s"] for r in bq.get_job(job.job_id).result()] == [3]
    finally:
        stop(process)
