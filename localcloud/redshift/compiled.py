"""Queries that were compiled before: a text means the same while the catalog answers as it did then."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from localcloud.redshift.catalog import Answers, Catalog
from localcloud.redshift.results import Prepared

# So many, and none that takes much room.
KEPT, MOST_LETTERS = 1_000, 10_000


@dataclass(frozen=True)
class _Entry:
    query: Prepared
    answers: Answers


class Compiled:
    """The last queries with what they rest on. Safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[Hashable, _Entry] = {}

    def of(self, terms: Hashable, catalog: Catalog, make: Callable[[], Prepared]) -> Prepared:
        """The query that the terms stand for; made anew unless it is known and rests on what is still so."""
        with self._lock:
            entry = self._entries.pop(terms, None)
        # Temporary tables are in no file that could be asked.
        if entry is None or catalog.temporary or not catalog.still(entry.answers):
            with catalog.noting() as answers:
                entry = _Entry(make(), answers)
        if not catalog.temporary and len(entry.query.sql) <= MOST_LETTERS:
            self._keep(terms, entry)
        return entry.query

    def _keep(self, terms: Hashable, entry: _Entry) -> None:
        with self._lock:
            self._entries[terms] = entry
            while len(self._entries) > KEPT:
                del self._entries[next(iter(self._entries))]
