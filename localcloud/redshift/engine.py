"""The warehouse: databases as DuckDB files, and sessions over them."""

# ruff: noqa: S608  (names go through `quote`, values through parameters or translated expressions)

from __future__ import annotations

import itertools
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from localcloud.redshift import (
    arithmetic,
    casts,
    comparisons,
    hashes,
    json_parse,
    patterns,
    shapes,
    super_arrays,
    system,
)
from localcloud.redshift.catalog import INTERNAL, SUPERUSER, prepare, quote
from localcloud.redshift.claims import Traffic
from localcloud.redshift.compiled import Compiled
from localcloud.redshift.errors import RedshiftError
from localcloud.redshift.objects import MemoryObjects, MemoryRoles, ObjectStore, Roles
from localcloud.redshift.session import Session

DEFAULT_DATABASE = "dev"
_RESERVED = frozenset({"temp", "system", "main", "memory", "template0", "template1", "padb_harvest"})


@dataclass
class _Database:
    connection: duckdb.DuckDBPyConnection
    traffic: Traffic = field(default_factory=Traffic)


class Warehouse:
    """Several databases in one directory; `dev` exists from the start. Safe for use by many threads."""

    def __init__(
        self,
        directory: Path,
        objects: ObjectStore | None = None,
        roles: Roles | None = None,
        region: str = "us-east-1",
    ) -> None:
        self.objects: ObjectStore = objects if objects is not None else MemoryObjects()
        self.roles: Roles = roles if roles is not None else MemoryRoles()
        self.region = region
        self.pid = os.getpid()
        self.directory = directory
        self.compiled = Compiled()
        self._databases: dict[str, _Database] = {}
        self._guard = threading.RLock()
        self._queries = itertools.count(1_000)
        directory.mkdir(parents=True, exist_ok=True)
        for file in sorted(directory.glob("*.duckdb")):
            self._open(file.stem)
        if DEFAULT_DATABASE not in self._databases:
            self._open(DEFAULT_DATABASE)

    def databases(self) -> list[str]:
        with self._guard:
            return sorted(self._databases)

    def create_database(self, name: str) -> None:
        """Raises when it exists or the name is taken by the system."""
        with self._guard:
            if name in self._databases:
                raise RedshiftError(f'database "{name}" already exists', code="42P04")
            if name in _RESERVED or not name.replace("_", "").isalnum():
                raise RedshiftError(f'invalid database name "{name}"', code="42602")
            self._open(name)

    def _open(self, name: str) -> None:
        connection = duckdb.connect(
            str(self.directory / f"{name}.duckdb"),
            config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"},
        )
        for module in (arithmetic, casts, comparisons, hashes, json_parse, patterns, shapes, super_arrays):
            module.register(connection)
        connection.execute("BEGIN TRANSACTION")
        prepare(connection)
        for statement in system.create_statements(name):
            connection.execute(statement)
        connection.execute("COMMIT")
        connection.execute("SET enable_external_access = false")
        self._databases[name] = _Database(connection)

    def session(self, database: str, user: str = SUPERUSER) -> Session:
        """Raises for an unknown database as Redshift words it."""
        return Session(self, database, self._database(database).connection.cursor(), user)

    def _database(self, name: str) -> _Database:
        with self._guard:
            if name not in self._databases:
                raise RedshiftError(f'database "{name}" does not exist', code="3D000")
            return self._databases[name]

    def traffic(self, database: str) -> Traffic:
        """The locks and open transactions of a database."""
        return self._database(database).traffic

    def next_query(self) -> int:
        return next(self._queries)

    def log(self, database: str, table: str, row: tuple[object, ...]) -> None:
        """Adds a row to one of the twin's own tables, outside every session's transaction."""
        with self._database(database).connection.cursor() as cursor:
            marks = ", ".join("?" * len(row))
            cursor.execute(f"INSERT INTO {quote(database, INTERNAL, table)} VALUES ({marks})", list(row))

    def close(self) -> None:
        with self._guard:
            for database in self._databases.values():
                database.connection.close()
            self._databases.clear()
