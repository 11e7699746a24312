"""What can be set when the twin starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Addresses are 127.0.0.1; port 0 takes a free one. Sizes are bytes of logical BigQuery data.

    `cache_bytes` is the memory for finished pages, `max_concurrent_reads` the quota of open ReadRows calls, `workers`
    the calls that are served at a time.
    """

    data: Path
    port: int = 0
    grpc_port: int = 0
    project: str = "local-project"
    location: str = "US"
    session_seconds: int = 6 * 3600
    stream_bytes: int = 64 * 1024 * 1024
    max_streams: int = 1000
    response_bytes: int = 10 * 1024 * 1024
    workers: int = 256
    cache_bytes: int = 1_500_000_000
    max_concurrent_reads: int | None = None
