"""What one local AWS process needs to know about itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ACCOUNT = "123456789012"
REGION = "us-east-1"


@dataclass(frozen=True)
class TwinSettings:
    """Settings of a running twin.

    data: directory of everything the twin writes (code, logs, job runs).
    endpoint_url: where this process listens; workers get it as AWS_ENDPOINT_URL.
    lambda_env: variables every Lambda worker and Glue job gets on top of its own.
    max_workers: upper bound of Lambda worker processes at one time.
    idle_seconds: a worker idle for longer ends.
    retry_scale: factor on waiting times between retries (1.0 = as on AWS).
    enforce_iam: evaluate the IAM policies of the roles of functions, jobs and state machines.
    spark_executors: most executors of one run of a Glue job; a run with fewer workers has fewer.
    spark_memory_mib: heap of each executor.
    """

    data: Path
    endpoint_url: str
    lambda_env: Mapping[str, str] = field(default_factory=dict)
    max_workers: int = 16
    idle_seconds: float = 60.0
    retry_scale: float = 1.0
    enforce_iam: bool = False
    spark_executors: int = 2
    spark_memory_mib: int = 512


def retry_scale_from_environment() -> float:
    """The factor in LAKESHIFT_TWIN_RETRY_SCALE, 1.0 when unset."""
    return float(os.environ.get("LAKESHIFT_TWIN_RETRY_SCALE", "1"))
