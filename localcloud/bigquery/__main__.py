"""`python -m localcloud.bigquery --data DIR`: run the twin until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import json
import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from localcloud.bigquery.server import Twin
from localcloud.bigquery.settings import Settings

_NUMBERS = (
    "port", "grpc_port", "session_seconds", "stream_bytes", "max_streams", "response_bytes", "workers", "cache_bytes",
    "max_concurrent_reads",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Start both servers, say so in the ready file, wait for the end."""
    options = _parser().parse_args(arguments)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    ready: Path | None = options.ready
    values = {k: v for k, v in vars(options).items() if k != "ready"}
    # Any of the many worker threads may make the next page, and Arrow's own allocator keeps memory for each of them.
    pa.set_memory_pool(pa.system_memory_pool())
    with Twin(Settings(**values)) as twin:
        if ready is not None:
            _announce(ready, twin)
        ended.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m localcloud.bigquery", description=__doc__)
    defaults = Settings(Path())
    parser.add_argument("--data", type=Path, required=True, help="folder that keeps all state")
    parser.add_argument("--ready", type=Path, help="file to write the ports to when both servers listen")
    parser.add_argument("--project", default=defaults.project, help="project of the service account")
    parser.add_argument("--location", default=defaults.location, help="location of datasets made without one")
    for name in _NUMBERS:
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=getattr(defaults, name))
    return parser


def _announce(path: Path, twin: Twin) -> None:
    temporary = path.with_suffix(".tmp")
    ports = {"rest_port": twin.rest_port, "grpc_port": twin.grpc_port, "pid": os.getpid()}
    temporary.write_text(json.dumps(ports))
    os.replace(temporary, path)


if __name__ == "__main__":
    main()
