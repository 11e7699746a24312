"""What one transaction has of the tables of its database: locks, and its place among the other transactions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from localcloud.redshift.catalog import Catalog
from localcloud.redshift.errors import RedshiftError
from localcloud.redshift.footprint import Use, uses
from localcloud.redshift.isolation import Isolation, Transaction
from localcloud.redshift.locks import Locks, Mode
from localcloud.redshift.model import TableName


@dataclass
class Traffic:
    """The locks and the transactions of one database."""

    locks: Locks = field(default_factory=Locks)
    isolation: Isolation = field(default_factory=Isolation)


@dataclass(frozen=True)
class TableUse:
    """A table found under the name of a statement; `oid` is 0 for one that is to be made."""

    name: TableName
    mode: Mode
    oid: int
    new: bool = False

    @property
    def key(self) -> str:
        return f"{self.name.schema}.{self.name.name}"


def tables(verb: str, sql: str, catalog: Catalog, search_path: tuple[str, ...]) -> list[TableUse]:
    """The tables that a statement uses, those behind views too; the catalog's temporary ones are nobody else's."""
    try:
        found = uses(verb, sql)
    except RedshiftError:
        return []  # its execution says what is wrong
    return [each for use in found for each in _located(use, catalog, search_path)]


def _located(use: Use, catalog: Catalog, search_path: tuple[str, ...]) -> Iterable[TableUse]:
    found = None
    with suppress(RedshiftError):
        found = catalog.lookup(use.path, search_path)
    if found is None:
        return [TableUse(TableName(_schema(use, search_path), use.path[-1]), use.mode, 0, new=True)] if use.new else []
    if use.lenient:
        return []
    name, oid, definition = found
    behind = tables("SELECT", definition, catalog, search_path) if definition and use.mode is Mode.READ else []
    return [TableUse(name, use.mode, oid, new=use.new), *behind]


def _schema(use: Use, search_path: tuple[str, ...]) -> str:
    return use.path[-2] if len(use.path) > 1 else search_path[0]


class Claims:
    """The locks and the isolation of a session's transaction; a new one after each commit and release."""

    def __init__(self, traffic: Traffic, pid: int, check: Callable[[], None]) -> None:
        self._traffic = traffic
        self._pid = pid
        self._check = check
        self._transaction: Transaction | None = None

    @property
    def id(self) -> int:
        """The number of the open transaction, 0 when there is none."""
        return self._transaction.id if self._transaction else 0

    def acquire(self, found: Iterable[TableUse]) -> list[TableUse]:
        """Waits for the tables; gives those that may be others now than when they were looked up.

        Those are the tables it waited for, and in an open transaction, whose view is older, all it did not have.
        """
        locks = self._traffic.locks
        fresh = {use.key for use in found if locks.mode(self, use.key) is None}
        stale = fresh if self._transaction else set()
        for use in sorted(found, key=lambda use: (-use.mode, use.key)):
            if locks.acquire(self, use.key, use.mode, self._check):
                stale = stale | ({use.key} & fresh)
        return [use for use in found if use.key in stale and not use.new]

    def start(self, begin: Callable[[], object]) -> None:
        """Opens the transaction of the database; what is committed now is what it sees."""
        isolation = self._traffic.isolation
        with isolation.guard:
            begin()
            self._transaction = isolation.start(self._pid)

    def touch(self, found: Iterable[TableUse]) -> None:
        """Raises RedshiftError 1023 when no order of the open transactions would give the same result."""
        if self._transaction is None:
            return
        reads = [(use.key, use.oid) for use in found if use.mode is Mode.READ and use.oid]
        writes = [(use.key, use.oid) for use in found if use.mode is not Mode.READ and use.oid]
        self._traffic.isolation.touch(self._transaction, reads, writes)

    def commit(self, commit: Callable[[], object]) -> None:
        isolation = self._traffic.isolation
        try:
            with isolation.guard:
                commit()
                if self._transaction is not None:
                    isolation.committed(self._transaction)
                    self._transaction = None
        finally:
            self.release()

    def release(self) -> None:
        """Lets go of the tables, and forgets the transaction when it did not commit."""
        if self._transaction is not None:
            self._traffic.isolation.ended(self._transaction)
            self._transaction = None
        self._traffic.locks.release(self)
