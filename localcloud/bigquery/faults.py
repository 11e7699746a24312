"""Failures on demand, and counters of what was served; both are for tests of the twin's clients."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from typing import Any

from localcloud.bigquery.errors import access_denied, invalid

STREAM_KINDS = ("unavailable", "rst_stream", "resource_exhausted", "stall", "expire_session")
KINDS = (*STREAM_KINDS, "deny_project")


@dataclass
class Fault:
    """One failure to inject.

    `after_rows` counts the rows of one ReadRows call; `times` is how often it happens at most (None: always);
    `table` (project.dataset.table) limits it to one table; `retry_after_seconds` adds RetryInfo to
    resource_exhausted; `seconds` is the length of a stall; `project` is the one to deny.
    """

    kind: str
    after_rows: int = 0
    times: int | None = 1
    table: str | None = None
    project: str | None = None
    seconds: float = 0.0
    retry_after_seconds: float | None = None

    @staticmethod
    def parse(raw: Mapping[str, Any]) -> Fault:
        """Read a request body; raises `invalid` for what is unknown."""
        known = {f.name for f in fields(Fault)}
        if raw.get("kind") not in KINDS or set(raw) - known:
            raise invalid(f"A fault has the keys {sorted(known)} and a kind of {KINDS}; got {dict(raw)}")
        fault = Fault(**raw)
        if fault.kind == "deny_project":
            fault.times = raw.get("times")
            if not fault.project:
                raise invalid("deny_project needs a project")
        return fault


class Faults:
    """The faults that are still to happen."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self.cleared = 0

    def add(self, fault: Fault) -> None:
        """Let a fault happen from now on."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """Forget all faults; a stall that is under way ends."""
        with self._lock:
            self._faults.clear()
            self.cleared += 1

    def list(self) -> list[dict[str, Any]]:
        """The faults that are left."""
        with self._lock:
            return [asdict(f) for f in self._faults]

    def next_for(self, table: str) -> Fault | None:
        """The first stream fault that could hit a read of this table; it is not used up yet."""
        with self._lock:
            return next((f for f in self._faults if f.kind in STREAM_KINDS and f.table in (None, table)), None)

    def use(self, fault: Fault) -> bool:
        """Use a fault up once; False when another call was faster."""
        with self._lock:
            if fault not in self._faults:
                return False
            if fault.times is not None:
                fault.times -= 1
                if fault.times <= 0:
                    self._faults.remove(fault)
            return True

    def check_project(self, project: str) -> None:
        """Raise `accessDenied` for a denied project."""
        with self._lock:
            denied = next((f for f in self._faults if f.kind == "deny_project" and f.project == project), None)
        if denied and self.use(denied):
            raise access_denied(project)


class TooManyReads(Exception):
    """More ReadRows calls at a time than the quota allows."""


class Requests:
    """Counters since the start: by table, and `*` for all of them in `peak_reads`, the most reads at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()
        self._counts: dict[str, Counter[str]] = {
            name: Counter() for name in ("rest", "sessions", "reads", "rows", "responses", "bytes", "peak_reads")
        }

    def count(self, name: str, key: str, number: int = 1) -> None:
        """Add to one counter."""
        with self._lock:
            self._counts[name][key] += number

    def sent(self, table: str, rows: int, size: int) -> None:
        """Count one response."""
        with self._lock:
            for name, number in (("rows", rows), ("responses", 1), ("bytes", size)):
                self._counts[name][table] += number

    @contextmanager
    def reading(self, table: str, limit: int | None) -> Iterator[None]:
        """One ReadRows call, as long as it is open; raises TooManyReads beyond the limit."""
        with self._lock:
            self._counts["reads"][table] += 1
            if limit is not None and self._open["*"] >= limit:
                raise TooManyReads(f"Quota exceeded: more than {limit} concurrent ReadRows calls")
            for key in (table, "*"):
                self._open[key] += 1
                self._counts["peak_reads"][key] = max(self._counts["peak_reads"][key], self._open[key])
        try:
            yield
        finally:
            with self._lock:
                self._open.subtract((table, "*"))

    def snapshot(self) -> dict[str, dict[str, int]]:
        """All counters."""
        with self._lock:
            return {name: dict(counter) for name, counter in self._counts.items()}

    def clear(self) -> None:
        """Start counting anew; reads that are open stay counted among those at a time."""
        with self._lock:
            for counter in self._counts.values():
                counter.clear()
