"""Writes lines to CloudWatch log groups of the twin."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from moto.logs.models import logs_backends

from localcloud.aws.settings import ACCOUNT, REGION

# CloudWatch takes 256 KB per event.
LONGEST_LINE = 262_000

_lock = threading.Lock()


def put_lines(group: str, stream: str, lines: Sequence[str]) -> None:
    """Appends lines to a log stream; group and stream are created when missing."""
    backend = logs_backends[ACCOUNT][REGION]
    now = int(time.time() * 1000)
    with _lock:
        if group not in backend.groups:
            backend.create_log_group(group, {})
        backend.ensure_log_stream(group, stream)
        if lines:
            events = [{"timestamp": now, "message": line[:LONGEST_LINE]} for line in lines]
            backend.put_log_events(group, stream, events)
