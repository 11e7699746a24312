"""The statements that the Data API has taken, on disk: a restart of the twin forgets neither them nor their tokens.

What had not ended when the process died failed, as far as the service knows; the database may have committed it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from localcloud.redshift.statements import Statement, SubStatement

LOST = "FATAL: terminating connection due to administrator command"


class Journal:
    """One JSON line when a statement is taken and one when it has ended. Safe for many threads."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()

    def taken(self, statement: Statement, at: float) -> None:
        texts = [part.sql for part in statement.parts]
        self._add(id=statement.id, at=at, request=statement.request, sqls=texts, user=statement.user)

    def ended(self, statement: Statement) -> None:
        parts = [[part.status, part.error, part.rows, part.duration] for part in statement.parts]
        self._add(id=statement.id, status=statement.status, error=statement.error, parts=parts)

    def _add(self, **line: Any) -> None:
        with self._lock, self._file.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def clear(self) -> None:
        self._file.unlink(missing_ok=True)

    def read(self) -> Iterator[tuple[float, Statement]]:
        """When each statement was taken, and the statement. A line cut short by a crash is the last and left out."""
        found: dict[str, tuple[float, Statement]] = {}
        for line in self._lines():
            if "request" in line:
                found[line["id"]] = (line["at"], _statement(line))
            elif line["id"] in found:
                _end(found[line["id"]][1], line)
        for at, statement in found.values():
            if not statement.ended:
                statement.error = LOST
                statement.set("FAILED")
            yield at, statement

    def _lines(self) -> Iterator[dict[str, Any]]:
        for line in self._file.read_text().splitlines() if self._file.exists() else []:
            try:
                yield json.loads(line)
            except ValueError:
                continue


def _statement(line: dict[str, Any]) -> Statement:
    is_batch = "Sqls" in line["request"]
    parts = [
        SubStatement(f"{line['id']}:{position}" if is_batch else line["id"], sql, status="FAILED")
        for position, sql in enumerate(line["sqls"], 1)
    ]
    return Statement(line["id"], line["request"], parts, is_batch, line["user"], created=line["at"])


def _end(statement: Statement, line: dict[str, Any]) -> None:
    statement.error = line["error"]
    statement.set(line["status"])
    for part, (status, error, rows, duration) in zip(statement.parts, line["parts"], strict=True):
        part.error, part.kept_rows, part.duration = error, rows, duration
        part.set(status)
