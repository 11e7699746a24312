"""Failures and delays on demand, for tests of what runs against the twin.

A fault acts on a SQL statement, or with `call` on a request to the Data API. The COMMIT that ends a batch is a
statement `COMMIT` here.

From Python: `faults.add(Fault(pattern="COPY", error="..."))`. From another process: a JSON list of the same fields in
`faults.json` of the data directory, read again before each statement when it has changed.
"""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Fault:
    """Acts on what matches.

    Statements that match `pattern` (a regular expression, case-insensitive) are hit from the `nth` match on.

    `times` matches are hit; each waits `delay` seconds, then fails with `error` unless that is empty. With
    `after=True` the statement has run (and, outside a batch, committed) when the error comes. `cut` ends the session
    there, `kill` the process.

    With `call`, an operation such as `ExecuteStatement`, requests are hit whose texts match `pattern`: after `delay`
    seconds they are answered with the exception named `error`. With `after=True` the request was carried out first.
    """

    pattern: str
    nth: int = 1
    times: int = 1
    error: str = ""
    delay: float = 0.0
    after: bool = False
    cut: bool = False
    kill: bool = False
    call: str = ""

    def matches(self, sql: str) -> bool:
        return re.search(self.pattern, sql, re.IGNORECASE | re.DOTALL) is not None


class Faults:
    """The faults that are armed. Safe for many threads."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read_at = 0
        self._lock = threading.Lock()
        self._added: list[Fault] = []
        self._from_file: list[Fault] = []
        self._seen: dict[Fault, int] = {}

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._added.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._added.clear()
            self._seen.clear()

    def due(self, sql: str, call: str = "") -> list[Fault]:
        """The faults that hit this statement or request; every call counts as one match."""
        with self._lock:
            self._reload()
            armed = (fault for fault in (*self._added, *self._from_file) if fault.call == call)
            return [fault for fault in armed if fault.matches(sql) and self._hits(fault)]

    def _hits(self, fault: Fault) -> bool:
        seen = self._seen[fault] = self._seen.get(fault, 0) + 1
        return fault.nth <= seen < fault.nth + fault.times

    def _reload(self) -> None:
        changed = self._file.stat().st_mtime_ns if self._file.exists() else 0
        if changed == self._read_at:
            return
        try:
            items = json.loads(self._file.read_text()) if changed else []
        except (ValueError, FileNotFoundError):
            return  # it is being written; the next statement reads it
        self._read_at = changed
        self._from_file = [Fault(**item) for item in items]
        self._seen = {fault: count for fault, count in self._seen.items() if fault in self._added}
