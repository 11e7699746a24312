"""One connection to one database: dispatch of statements, transactions, results."""

# ruff: noqa: S608  (names go through `quote`, values through parameters or translated expressions)

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb
from sqlglot import exp

from localcloud.redshift import dml, drop, lint
from localcloud.redshift.alter import alter
from localcloud.redshift.assignment import check_assignable, stored_as
from localcloud.redshift.catalog import INTERNAL, Catalog, quote
from localcloud.redshift.claims import Claims, tables
from localcloud.redshift.copy import copy
from localcloud.redshift.create import create
from localcloud.redshift.duckdb_errors import translated
from localcloud.redshift.errors import NotInTwinError, RedshiftError, syntax_error, unsupported
from localcloud.redshift.materialized import refresh
from localcloud.redshift.merge import merge
from localcloud.redshift.model import Column, Result, TableDefinition, TableName
from localcloud.redshift.queries import compile_query, parse
from localcloud.redshift.results import Prepared, fetch, prepared
from localcloud.redshift.tokens import TokenReader, tokenize

if TYPE_CHECKING:
    from localcloud.redshift.engine import Warehouse

VERSION = "PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2, Redshift 1.0 (local twin on DuckDB)"


class Session:
    """Executes Redshift statements one after the other. Not for use by several threads at once, except `cancel`."""

    def __init__(self, warehouse: Warehouse, database: str, connection: duckdb.DuckDBPyConnection, user: str) -> None:
        self.warehouse = warehouse
        self.database = database
        self.user = user
        self.search_path: tuple[str, ...] = ("public",)
        self.last_copy_count = 0
        self.query_id = 0
        self.cancelled = threading.Event()
        self.catalog = Catalog(connection, database, user)
        self._connection = connection
        self._outside = Catalog(connection.cursor(), database, user)
        self._claims = Claims(warehouse.traffic(database), warehouse.pid, self.check_cancelled)
        self._open = self._closed = False
        self._explicit = False
        self._failed = False
        self._saved: dict[str, TableDefinition] = {}
        connection.execute("SET TimeZone = 'UTC'")
        self._set_search_path(self.search_path)

    # Transactions

    def begin(self) -> None:
        """Starts a transaction that ends with `commit` or `rollback`."""
        if self._explicit:
            raise RedshiftError("there is already a transaction in progress", code="25001")
        self._explicit = True

    def commit(self) -> None:
        """Ends the transaction; one in which a statement failed was rolled back then, as in PostgreSQL."""
        self._explicit = self._failed = False
        if not self._open:
            self._claims.release()
            return
        try:
            self._claims.commit(lambda: self._connection.execute("COMMIT"))
        except duckdb.Error as error:
            self.catalog.temporary = dict(self._saved)
            raise translated(error) from error
        finally:
            self._open = False
            self.catalog.ended()

    def rollback(self) -> None:
        self._explicit = self._failed = False
        self._abort()

    def _abort(self) -> None:
        """Undoes what was done and lets go of the tables; a transaction block stays to be ended."""
        try:
            if self._open:
                self.catalog.temporary = dict(self._saved)
                self._connection.execute("ROLLBACK")
        except duckdb.TransactionException:
            pass  # DuckDB has ended it already
        finally:
            self._open = False
            self.catalog.ended()
            self._claims.release()

    def commit_within(self) -> None:
        """Commits what was done so far, as TRUNCATE makes Redshift do; the block goes on in a new transaction."""
        explicit = self._explicit
        self.commit()
        self._explicit = explicit

    def need_autocommit(self, what: str) -> None:
        if self._explicit:
            raise RedshiftError(f"{what} cannot run inside a transaction block", code="25001")

    def _start(self) -> None:
        if self._open:
            return
        self._saved = dict(self.catalog.temporary)
        self._claims.start(self.catalog.begin)
        self._open = True

    def _claim(self, verb: str, sql: str) -> None:
        """Waits for the tables of a statement, then opens the transaction, then looks for a serial order."""
        self._outside.temporary = self.catalog.temporary
        found = tables(verb, sql, self.catalog if self._open else self._outside, self.search_path)
        waited = self._claims.acquire(found)
        for use in waited:
            if use.oid != self._outside.oid(use.name):
                raise RedshiftError(f"could not open relation with OID {use.oid}")
        try:
            self._start()
        except duckdb.Error as error:
            raise translated(error) from error
        if self._explicit or verb in _WRITES:
            self._claims.touch(found)

    def check_cancelled(self) -> None:
        if self.cancelled.is_set():
            raise RedshiftError("Query cancelled on user's request", code="57014")

    def cancel(self) -> None:
        """Stops the running statement, from another thread."""
        self.cancelled.set()
        self._connection.interrupt()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self.rollback()
        self._outside.close()
        self._connection.close()

    # Statements

    def execute(self, sql: str) -> Result:
        """Runs one statement, in its own transaction unless one is open.

        Raises RedshiftError; a failed statement has no effect, and inside a transaction the caller must roll back.
        """
        reader = TokenReader(sql)
        lint.check_tokens(tokenize(sql))
        if reader.done:
            raise unsupported("an empty statement")
        verb = reader.current.text.upper().split()[0]
        if verb in _TRANSACTION:
            return self._transaction_verb(verb, reader)
        if verb not in _READS and verb not in _WRITES:
            raise NotInTwinError(verb) if verb in _NOT_IN_TWIN else syntax_error(reader.current.text)
        return self._within(verb, sql, reader)

    def _transaction_verb(self, verb: str, reader: TokenReader) -> Result:
        reader.next()
        reader.accept_one("TRANSACTION", "WORK")
        reader.end()
        if verb in ("BEGIN", "START"):
            self.begin()
        elif self._explicit:
            self.commit() if verb in ("COMMIT", "END") else self.rollback()
        return Result()

    def _within(self, verb: str, sql: str, reader: TokenReader) -> Result:
        if self._failed:
            message = "current transaction is aborted, commands ignored until end of transaction block"
            raise RedshiftError(message, code="25P02")
        try:
            self._claim(verb, sql)
            result = self._dispatch(verb, sql, reader)
        except BaseException:
            self._abort()
            self._failed = self._explicit
            raise
        if not self._explicit:
            self.commit()
        return result

    def _dispatch(self, verb: str, sql: str, reader: TokenReader) -> Result:
        try:
            self.check_cancelled()
            return _STATEMENTS[verb](self, sql, reader)
        except duckdb.Error as error:
            self.check_cancelled()
            raise translated(error) from error

    def query(self, sql: str) -> Result:
        """Runs a query; what it was compiled to is kept for the next time that it is asked."""

        def made() -> Prepared:
            return prepared(self._connection, compile_query(sql, self))

        terms = (sql, self.database, self.user, self.search_path, self.last_copy_count)
        return fetch(self._connection, self.warehouse.compiled.of(terms, self.catalog, made))

    def set_option(self, reader: TokenReader) -> Result:
        """SET search_path TO a, b. Other settings change results, so they are refused."""
        reader.expect("SET")
        name = reader.name()
        if not reader.accept("TO"):
            reader.expect("=")
        if name != "search_path":
            raise NotInTwinError(f"SET {name}")
        path = [reader.name()]
        while reader.accept(","):
            path.append(reader.name())
        reader.end()
        self._set_search_path(tuple(path))
        return Result()

    def _set_search_path(self, path: tuple[str, ...]) -> None:
        self.search_path = path
        self._connection.execute("SET VARIABLE search_path = '" + ",".join(path).replace("'", "''") + "'")

    # What the statement modules use

    @property
    def transaction_id(self) -> int:
        return self._claims.id

    @property
    def constants(self) -> dict[str, exp.Expr]:
        """Functions whose value belongs to the session."""
        return {
            "PG_LAST_COPY_COUNT": exp.cast(exp.Literal.number(self.last_copy_count), "BIGINT"),
            "CURRENT_DATABASE": exp.Literal.string(self.database),
            "CURRENT_SCHEMA": exp.Literal.string(self.search_path[0]),
            "VERSION": exp.Literal.string(VERSION),
            "PG_BACKEND_PID": exp.Literal.number(self.warehouse.pid),
        }

    def table(self, path: tuple[str, ...]) -> TableName:
        """The existing table with that name; a view is refused."""
        name = self.catalog.resolve(path, self.search_path)
        if self.catalog.kind(name) != "table":
            raise RedshiftError(f'"{name}" is not a table', code="42809")
        return name

    def run(self, sql: str) -> int:
        """Executes DuckDB SQL and returns its count of rows."""
        rows = self._connection.execute(sql).fetchall()
        return int(rows[0][0]) if rows and isinstance(rows[0][0], int) else 0

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        found: list[tuple[object, ...]] = self._connection.execute(sql).fetchall()
        return found

    @contextmanager
    def visible(self, name: str, data: object) -> Iterator[None]:
        """Makes an Arrow table readable under a name."""
        self._connection.register(name, data)
        try:
            yield
        finally:
            self._connection.unregister(name)

    def log(self, table: str, row: tuple[object, ...]) -> None:
        """Adds a row to one of the twin's own tables, inside the transaction."""
        marks = ", ".join("?" * len(row))
        self._connection.execute(f"INSERT INTO {quote(self.database, INTERNAL, table)} VALUES ({marks})", list(row))

    def describe(self, sql: str) -> list[str]:
        """The DuckDB types of a query's columns."""
        return [str(row[1]) for row in self.rows(f"DESCRIBE {sql}")]

    def constant(self, column: Column) -> str:
        """A DEFAULT as fitted DuckDB SQL. Raises when it is not an expression the column takes."""
        query = compile_query(f"SELECT {column.default} AS c", self)
        if any(query.typed.find_all(exp.Column)):
            raise RedshiftError("cannot use column references in DEFAULT clause", code="0A000")
        (kind,) = self.describe(query.sql)
        check_assignable(column, kind, constant=dml.is_constant(query.typed, 0))
        return stored_as(column, kind, f"({query.sql})")

    def default(self, column: Column) -> str:
        """What a column gets when a statement leaves it out."""
        return (
            self.constant(column)
            if column.default
            else stored_as(column, "JSON", f"CAST(NULL AS {column.type.duckdb})")
        )

    def check_late_binding(self, body: str) -> None:
        """Lints the query of a view WITH NO SCHEMA BINDING; every table in it must have its schema."""
        tree = parse(body)
        hidden = {cte.alias for cte in tree.find_all(exp.CTE)}
        for table in tree.find_all(exp.Table):
            if not table.db and table.name not in hidden:
                raise RedshiftError(
                    "All the relation names inside should be qualified when creating VIEW WITH NO SCHEMA BINDING"
                )


def _ignore(_: Session, __: str, ___: TokenReader) -> Result:
    """GRANT and REVOKE are taken and have no effect; ANALYZE has nothing to do."""
    return Result()


def _analyze(session: Session, _: str, reader: TokenReader) -> Result:
    reader.expect("ANALYZE")
    if not reader.done:
        session.table(reader.path())
    reader.end()
    return Result()


def _lock(session: Session, reader: TokenReader) -> Result:
    """LOCK [TABLE] a, b. The wait was before it ran, and the transaction sees what was committed then.

    https://docs.aws.amazon.com/redshift/latest/dg/r_LOCK.html
    """
    reader.expect("LOCK")
    reader = TokenReader(reader.next().text)  # sqlglot keeps what follows LOCK as one text
    reader.accept("TABLE")
    session.table(reader.path())
    while reader.accept(","):
        session.table(reader.path())
    reader.end()
    return Result()


def _vacuum(session: Session, _: str, reader: TokenReader) -> Result:
    reader.expect("VACUUM")
    session.need_autocommit("VACUUM")
    reader.accept_one("FULL", "SORT ONLY", "DELETE ONLY", "REINDEX", "RECLUSTER")
    if not reader.done:
        session.table(reader.path())
    reader.end()
    return Result()


Statement = Callable[[Session, str, TokenReader], Result]
_STATEMENTS: dict[str, Statement] = {
    "SELECT": lambda session, sql, _: session.query(sql),
    "WITH": lambda session, sql, _: session.query(sql),
    "(": lambda session, sql, _: session.query(sql),
    "INSERT": lambda session, sql, _: dml.insert(session, sql),
    "UPDATE": lambda session, sql, _: dml.update(session, sql),
    "DELETE": lambda session, sql, _: dml.delete(session, sql),
    "MERGE": lambda session, _, reader: merge(session, reader),
    "COPY": lambda session, _, reader: copy(session, reader),
    "CREATE": lambda session, _, reader: create(session, reader),
    "ALTER": lambda session, _, reader: alter(session, reader),
    "DROP": lambda session, _, reader: drop.drop(session, reader),
    "TRUNCATE": lambda session, _, reader: drop.truncate(session, reader),
    "REFRESH": lambda session, _, reader: refresh(session, reader),
    "COMMENT": lambda session, _, reader: drop.comment(session, reader),
    "LOCK": lambda session, _, reader: _lock(session, reader),
    "GRANT": _ignore,
    "REVOKE": _ignore,
    "ANALYZE": _analyze,
    "VACUUM": _vacuum,
    "SET": lambda session, _, reader: session.set_option(reader),
}
_READS = frozenset({"SELECT", "WITH", "(", "GRANT", "REVOKE", "ANALYZE", "SET"})
_WRITES = frozenset(_STATEMENTS) - _READS
_TRANSACTION = frozenset({"BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT"})
_NOT_IN_TWIN = frozenset(
    [
        "CALL",
        "CANCEL",
        "CLOSE",
        "DEALLOCATE",
        "DECLARE",
        "DESC",
        "EXECUTE",
        "EXPLAIN",
        "FETCH",
        "PREPARE",
        "RESET",
        "SHOW",
        "UNLOAD",
        "USE",
    ]
)
