"""A warehouse in memory: real transactions (SQLite's) under the Data API's promises, for very many interleavings.

Batches run when the test says so, not when they are submitted. The contract test holds it against the real adapter.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from itertools import count

from lakeshift.errors import StatementFailed
from lakeshift.ports import Statement

TOKEN_HOURS = 8
SCHEMAS = ("shop", "lakeshift")
_TABLES = " UNION ALL ".join(
    f"SELECT '{schema}' AS table_schema, name AS table_name, 'BASE TABLE' AS table_type FROM {schema}.sqlite_master"
    for schema in SCHEMAS
)
_COPY = re.compile(r'COPY ("\w+"\."\w+")\nFROM \'([^\']+)\'')
_MERGE = re.compile(
    r"MERGE INTO (.+)\nUSING (.+)\nON (.+)\nWHEN MATCHED THEN UPDATE SET (.+)\n"
    r"WHEN NOT MATCHED THEN INSERT \((.+)\)\nVALUES \((.+)\)"
)
_DELETE_USING = re.compile(r"DELETE FROM (\S+)\nUSING (\S+)\nWHERE (.+)", re.DOTALL)
_TYPES = {"BIGINT": "bigint", "VARCHAR(65535)": "character varying"}


class FakeWarehouse:
    """The Warehouse port, without any server.

    Attributes:
        files: rows that COPY finds by a manifest's address.
        hours: its clock.
    """

    def __init__(self, files: dict[str, list[tuple[object, ...]]]) -> None:
        self.files, self.hours = files, 0.0
        self._batches: dict[str, Sequence[str]] = {}
        self._ended: dict[str, Statement] = {}
        self._tokens: dict[str, tuple[float, str]] = {}
        self._numbers = count(1)
        self._data = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        for schema in SCHEMAS:
            self._data.execute(f"ATTACH ':memory:' AS {schema}")

    def close(self) -> None:
        """Forget everything."""
        self._data.close()

    def submit(self, statements: Sequence[str], token: str) -> str:
        """Keep a batch until it is run."""
        at, name = self._tokens.get(token, (0.0, ""))
        if name and self.hours - at < TOKEN_HOURS:
            assert list(self._batches[name]) == list(statements), "a token was used for another batch"
            return name
        name = f"batch-{next(self._numbers)}"
        self._tokens[token] = (self.hours, name)
        self._batches[name] = tuple(statements)
        return name

    def poll(self, statement: str, seconds: float) -> Statement:  # noqa: ARG002
        """State of a batch, without waiting."""
        return self._ended.get(statement, Statement(finished=False))

    def query(self, sql: str, *_: str) -> list[tuple[object, ...]]:
        """Rows of a query over what is committed."""
        try:
            return self._run(sql)[1]
        except sqlite3.Error as error:
            raise StatementFailed(str(error), where=sql[:200]) from error

    @property
    def waiting(self) -> list[str]:
        """Batches that have not run."""
        return [name for name in self._batches if name not in self._ended]

    def work(self, fails: str = "") -> None:
        """Run the oldest batch that waits: all of it, or nothing; `fails`: an error of two transactions meeting."""
        name = self.waiting[0]
        self._data.execute("BEGIN")
        try:
            rows = tuple(self._run(text)[0] for text in self._batches[name])
            if fails:
                raise sqlite3.OperationalError(fails)
        except sqlite3.Error as error:
            self._data.execute("ROLLBACK")
            self._ended[name] = Statement(finished=True, error=f"ERROR: {error}", transient=bool(fails))
        else:
            self._data.execute("COMMIT")
            self._ended[name] = Statement(finished=True, rows=rows)

    def _run(self, text: str) -> tuple[int, list[tuple[object, ...]]]:
        """Rows affected or returned (-1: none of both), and the rows."""
        if text.startswith("LOCK "):
            return -1, []
        if text.startswith("COPY "):
            return self._copied(text), []
        if text.startswith("DROP TABLE"):
            first, _, names = text.partition('"')
            for name in f'"{names}'.split(", "):
                self._data.execute(f"{first}{name}")
            return -1, []
        if "svv_columns" in text:
            return -1, self._columns(text)
        if merge := _MERGE.fullmatch(text):
            return self._merged(merge), []
        cursor = self._data.execute(_in_sqlite(text))
        found = cursor.fetchall()
        if text.startswith("SELECT 1 / ") and found[0][0] is None:
            # SQLite divides by zero without a word; Redshift does not.
            raise sqlite3.OperationalError("Divide by zero")
        return (len(found) if found else cursor.rowcount), found

    def _merged(self, merge: re.Match[str]) -> int:
        """SQLite has no MERGE; the two halves of one are an UPDATE and an INSERT."""
        target, source, same, sets, names, values = merge.groups()
        updated = self._data.execute(f"UPDATE {target} SET {sets} FROM {source} WHERE {same}").rowcount
        new = f"NOT EXISTS (SELECT 1 FROM {target} WHERE {same})"
        added = self._data.execute(f"INSERT INTO {target} ({names}) SELECT {values} FROM {source} WHERE {new}").rowcount
        return updated + added

    def _copied(self, text: str) -> int:
        match = _COPY.match(text)
        assert match, text
        rows = self.files[match[2]]
        marks = ", ".join("?" * len(rows[0]))
        self._data.executemany(f"INSERT INTO {match[1]} VALUES ({marks})", rows)
        return len(rows)

    def _columns(self, text: str) -> list[tuple[object, ...]]:
        schema, table = re.findall(r"= '([^']*)'", text)[:2]
        found = self._data.execute("SELECT name, type FROM pragma_table_info(?, ?)", (table, schema)).fetchall()
        return [(name, _TYPES.get(kind, kind), 65535 if "CHAR" in kind else None, 64, 0) for name, kind in found]


def _in_sqlite(text: str) -> str:
    """The same statement in SQLite's words, as far as publishing uses them."""
    text = text.replace("FROM svv_tables", f"FROM ({_TABLES})").replace("GETDATE()", "julianday('now')")
    text = re.sub(r"DATEADD\(day, (-?\d+), ([^)]*\))\)", r"(\2 + \1)", text)
    text = text.replace("CREATE SCHEMA IF NOT EXISTS lakeshift", "SELECT 1")
    text = _DELETE_USING.sub(r"DELETE FROM \1 WHERE EXISTS (SELECT 1 FROM \2 WHERE \3)", text)
    return re.sub(r"ALTER TABLE (\S+) RENAME TO", r"ALTER TABLE \1 RENAME TO", text)
