"""One AWS twin process for all tests of this folder; every test makes resources of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.localcloud.aws.cloud import Cloud

REPO = Path(__file__).parents[3]


def start(data: Path, *options: str) -> tuple[subprocess.Popen[bytes], Cloud]:
    """Starts a twin and waits until it answers."""
    data.mkdir(parents=True, exist_ok=True)
    ready = data / "ready.json"
    command = [sys.executable, "-m", "localcloud.aws", "--data", str(data), "--ready", str(ready), *options]
    environment = {**os.environ, "LAKESHIFT_TWIN_RETRY_SCALE": "0.1"}
    with (data / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=REPO, env=environment, stdout=log, stderr=log)
    deadline = time.monotonic() + 60
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            stop(process)
            raise RuntimeError((data / "server.log").read_text())
        time.sleep(0.02)
    return process, Cloud(f"http://127.0.0.1:{json.loads(ready.read_text())['port']}", data)


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(20)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    process, cloud = start(tmp_path_factory.mktemp("twin"), "--lambda-env", "FROM_TWIN=yes")
    yield cloud
    stop(process)
