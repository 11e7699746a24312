"""CREATE TABLE ... CLONE, CREATE SNAPSHOT TABLE and their DROP, which the SQL parser knows in part only.

https://cloud.google.com/bigquery/docs/reference/standard-sql/data-definition-language#create_snapshot_table
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from localcloud.bigquery.errors import invalid_query, unsupported
from localcloud.bigquery.sql import columns, native
from localcloud.bigquery.sql.context import Context
from localcloud.bigquery.sql.sources import as_of, name_parts
from localcloud.bigquery.storage import copying
from localcloud.bigquery.storage.catalog import Catalog, TableRef

_NAME = r"(?:`[^`]+`|[\w\-]+)(?:\.(?:`[^`]+`|[\w\-]+))*"
_CREATE = re.compile(
    r"^\s*CREATE\s+(?P<replace>OR\s+REPLACE\s+)?(?P<snapshot>SNAPSHOT\s+)?TABLE\s+(?P<exists>IF\s+NOT\s+EXISTS\s+)?"
    rf"(?P<target>{_NAME})\s+(?P<verb>CLONE|COPY)\s+(?P<origin>{_NAME})"
    r"(?P<time>\s+FOR\s+SYSTEM_TIME\s+AS\s+OF\s+.+?)?(?P<options>\s+OPTIONS\s*\(.*\))?\s*;?\s*$",
    re.IGNORECASE | re.DOTALL,
)
_DROP = re.compile(r"^\s*DROP\s+(?P<kind>SNAPSHOT|EXTERNAL)\s+TABLE\b", re.IGNORECASE)


@dataclass(frozen=True)
class Copy:
    """A parsed statement that makes a table from another one's files."""

    operation: str
    target: exp.Table
    origin: exp.Table
    options: exp.Expr | None
    exists: bool

    def run(self, catalog: Catalog, context: Context) -> TableRef:
        """Make the table; raises `duplicate` unless IF NOT EXISTS was said."""
        target = context.table(name_parts(self.target))
        if catalog.has(target) and self.exists:
            return target
        with native.connect() as connection:
            micros = as_of(self.origin, connection)
        meta = columns.table_options(self.options)
        origin = context.table(name_parts(self.origin))
        return copying.make(catalog, origin, target, self.operation, micros=micros, meta=meta).ref

    @property
    def statement(self) -> str:
        """BigQuery's statementType."""
        return "CREATE_SNAPSHOT_TABLE" if self.operation == "SNAPSHOT" else "CREATE_TABLE"


def find(text: str) -> Copy | None:
    """The statement, if it is one of these; raises `invalidQuery`."""
    match = _CREATE.match(text)
    if match is None:
        return None
    if match["replace"]:
        raise unsupported("CREATE OR REPLACE with CLONE or COPY")
    operation = "SNAPSHOT" if match["snapshot"] else match["verb"].upper()
    try:
        names = [
            sqlglot.parse_one(f"SELECT 1 FROM {name}", read="bigquery").find(exp.Table)  # noqa: S608
            for name in (match["target"], match["origin"] + (match["time"] or ""))
        ]
        options = sqlglot.parse_one(f"CREATE TABLE x (a INT64) {match['options'] or ''}", read="bigquery")
    except sqlglot.errors.SqlglotError as error:
        raise invalid_query(f"Syntax error: {str(error).splitlines()[0]}") from None
    target, origin = names
    if target is None or origin is None:
        raise invalid_query("Syntax error: a table name is missing")
    return Copy(operation, target, origin, options.args.get("properties"), bool(match["exists"]))


def dropped(text: str) -> tuple[str, str | None]:
    """A DROP as the SQL parser knows it, and the kind of table that it meant."""
    match = _DROP.match(text)
    return (text, None) if match is None else (f"DROP TABLE{text[match.end() :]}", match["kind"].upper())
