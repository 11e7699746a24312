"""Table locks of one database, as Redshift takes them: readers, one writer, or nobody else.

https://docs.aws.amazon.com/redshift/latest/dg/r_LOCK.html and
https://docs.aws.amazon.com/redshift/latest/dg/c_write_readwrite.html
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from localcloud.redshift.errors import RedshiftError

_LINK = "https://docs.aws.amazon.com/redshift/latest/dg/c_write_readwrite.html"
_PAUSE_SECONDS = 0.05


class Mode(IntEnum):
    """What a statement does to a table; a greater mode includes the smaller ones."""

    READ = 1
    WRITE = 2
    EXCLUSIVE = 3

    def conflicts(self, other: Mode) -> bool:
        """Readers wait for nobody but ALTER, DROP, TRUNCATE and LOCK; writers wait for each other too."""
        return Mode.EXCLUSIVE in (self, other) or (self, other) == (Mode.WRITE, Mode.WRITE)


@dataclass(frozen=True, eq=False)
class _Claim:
    owner: object
    key: str
    mode: Mode

    def stops(self, other: _Claim) -> bool:
        return self.owner is not other.owner and self.key == other.key and self.mode.conflicts(other.mode)


class Locks:
    """Who holds and who waits, in the order they came. Safe for many threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._held: list[_Claim] = []
        self._waiting: list[_Claim] = []

    def mode(self, owner: object, key: str) -> Mode | None:
        """The greatest mode in which the owner holds the table."""
        return max((claim.mode for claim in self._held if claim.owner is owner and claim.key == key), default=None)

    def waiting(self) -> int:
        """How many claims wait now."""
        with self._changed:
            return len(self._waiting)

    def acquire(self, owner: object, key: str, mode: Mode, check: Callable[[], None]) -> bool:
        """Waits until nobody stands in the way, and tells whether it had to.

        `check` is called while it waits and may raise.

        Raises RedshiftError when those it waits for wait for it.
        """
        claim = _Claim(owner, key, mode)
        with self._changed:
            if (self.mode(owner, key) or 0) >= mode:
                return False
            self._waiting.append(claim)
            try:
                waited = self._wait(claim, check)
                self._held.append(claim)
            finally:
                self._waiting.remove(claim)
                self._changed.notify_all()
            return waited

    def _wait(self, claim: _Claim, check: Callable[[], None]) -> bool:
        waited = False
        while any(True for _ in self._blockers(claim)):
            check()
            if self._in_circle(claim):
                raise RedshiftError("deadlock detected", code="40P01", link=_LINK)
            waited = True
            self._changed.wait(_PAUSE_SECONDS)
        return waited

    def _blockers(self, claim: _Claim) -> Iterator[object]:
        """Holders, and those who wait longer; but who holds the table already does not queue behind them."""
        yield from (held.owner for held in self._held if held.stops(claim))
        if self.mode(claim.owner, claim.key) is None:
            ahead = self._waiting[: self._waiting.index(claim)]
            yield from (other.owner for other in ahead if other.stops(claim))

    def _in_circle(self, claim: _Claim) -> bool:
        seen: set[int] = set()
        todo = list(self._blockers(claim))
        while todo:
            owner = todo.pop()
            if owner is claim.owner:
                return True
            if id(owner) not in seen:
                seen.add(id(owner))
                todo += [each for other in self._waiting if other.owner is owner for each in self._blockers(other)]
        return False

    def release(self, owner: object) -> None:
        """Gives up everything the owner holds."""
        with self._changed:
            self._held = [claim for claim in self._held if claim.owner is not owner]
            self._changed.notify_all()
