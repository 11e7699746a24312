"""Serializable isolation between the transactions of one database, table by table.

A transaction comes before another when it read a table without the other's write, or when the other saw or followed
what it had committed. A circle of such relations has no serial order, and the statement that closes it fails with 1023:
https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from localcloud.redshift.errors import RedshiftError

_LINK = "https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation-serializable-isolation-troubleshooting.html"
_NEVER = float("inf")


@dataclass(eq=False)
class Transaction:
    """What one transaction read and wrote; `snapshot` and `committed` are moments of its database's clock."""

    id: int
    pid: int
    snapshot: float = _NEVER
    committed: float = _NEVER
    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)

    def sees(self, other: Transaction) -> bool:
        return other.committed <= self.snapshot

    def before(self, other: Transaction) -> set[str]:
        """The tables that put this transaction before the other one; none when they may be in any order."""
        unseen = set() if self.sees(other) else self.reads & other.writes
        if self.committed == _NEVER:
            return unseen
        followed = self.writes & other.writes if self.committed < other.committed else set()
        return unseen | followed | (self.writes & other.reads if other.sees(self) else set())


class Isolation:
    """The transactions of one database that are open or overlapped one that is.

    `guard` is held around DuckDB's own COMMIT and first read, so that its snapshots and this clock agree.
    """

    def __init__(self) -> None:
        self.guard = threading.RLock()
        self._clock = itertools.count(1)
        self._ids = itertools.count(5_000)
        self._known: list[Transaction] = []

    def start(self, pid: int) -> Transaction:
        """A transaction whose snapshot is what is committed now."""
        with self.guard:
            made = Transaction(next(self._ids), pid, snapshot=next(self._clock))
            self._known.append(made)
            return made

    def touch(
        self, transaction: Transaction, reads: Iterable[tuple[str, int]], writes: Iterable[tuple[str, int]]
    ) -> None:
        """Adds tables (name and id) to what the transaction read and wrote.

        Raises RedshiftError 1023 when no serial order of the transactions gives the same result.
        """
        with self.guard:
            ids = dict([*reads, *writes])
            transaction.reads.update(name for name, _ in reads)
            transaction.writes.update(name for name, _ in writes)
            circle = self._circle(transaction)
            if circle:
                raise _violation(transaction, circle, ids)

    def _circle(self, start: Transaction) -> list[Transaction]:
        """The transactions of a circle through this one, or none."""
        paths = [[start]]
        seen = {start.id}
        while paths:
            path = paths.pop()
            for other in self._known:
                if other is path[-1] or not path[-1].before(other):
                    continue
                if other is start:
                    return path
                if other.id not in seen:
                    seen.add(other.id)
                    paths.append([*path, other])
        return []

    def committed(self, transaction: Transaction) -> None:
        with self.guard:
            transaction.committed = next(self._clock)
            self._forget()

    def ended(self, transaction: Transaction) -> None:
        """Rolled back: it never was."""
        with self.guard:
            self._known = [each for each in self._known if each is not transaction]
            self._forget()

    def _forget(self) -> None:
        """What committed before every open snapshot cannot be in a circle any more."""
        oldest = min((each.snapshot for each in self._known if each.committed == _NEVER), default=_NEVER)
        self._known = [each for each in self._known if each.committed > oldest]


def _violation(transaction: Transaction, circle: list[Transaction], ids: dict[str, int]) -> RedshiftError:
    others = [each for each in circle if each is not transaction]
    met = {name for each in others for name in (each.writes | each.reads) & (transaction.reads | transaction.writes)}
    table = next((ids[name] for name in sorted(met) if name in ids), next(iter(ids.values()), 0))
    numbers = ", ".join(str(each.id) for each in circle)
    return RedshiftError(
        "1023",
        detail=f"Serializable isolation violation on table - {table}, transactions forming the cycle are: {numbers} "
        f"(pid:{transaction.pid})",
        link=_LINK,
    )
