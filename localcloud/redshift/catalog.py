"""What was declared, kept in the same DuckDB file so that a rollback takes it back too."""

# ruff: noqa: S608  (names go through `quote`, values through parameters or translated expressions)

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from localcloud.redshift.errors import RedshiftError, no_relation, no_schema, relation_exists
from localcloud.redshift.model import MATERIALIZED, TEMPORARY, Column, TableDefinition, TableName
from localcloud.redshift.types import parse_type

if TYPE_CHECKING:
    import duckdb

MAX_COLUMNS = 1_600
INTERNAL = "_twin"
SUPERUSER = "awsuser"
_LIMITS = "https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_TABLE_usage.html"

_TABLES = """
CREATE SCHEMA IF NOT EXISTS public;
CREATE SCHEMA IF NOT EXISTS _twin;
CREATE TABLE IF NOT EXISTS _twin.schemas (name VARCHAR);
CREATE TABLE IF NOT EXISTS _twin.relations (
  schema_name VARCHAR, name VARCHAR, kind VARCHAR, diststyle VARCHAR, sortstyle VARCHAR, comment VARCHAR,
  definition VARCHAR, bound VARCHAR[], constraints VARCHAR[]);
ALTER TABLE _twin.relations ADD COLUMN IF NOT EXISTS owner VARCHAR;
ALTER TABLE _twin.relations ADD COLUMN IF NOT EXISTS oid BIGINT;
CREATE SEQUENCE IF NOT EXISTS _twin.oids START 100000;
UPDATE _twin.relations SET oid = nextval('_twin.oids') WHERE oid IS NULL;
CREATE TABLE IF NOT EXISTS _twin.columns (
  schema_name VARCHAR, table_name VARCHAR, position INTEGER, name VARCHAR, type VARCHAR, type_name VARCHAR,
  api_name VARCHAR, length INTEGER, number_precision INTEGER, number_scale INTEGER, nullable BOOLEAN,
  default_sql VARCHAR, encode VARCHAR, distkey BOOLEAN, sortkey INTEGER, comment VARCHAR);
CREATE TABLE IF NOT EXISTS _twin.loads (
  query_id BIGINT, transaction_id BIGINT, session_id INTEGER, table_name VARCHAR, data_source VARCHAR, status VARCHAR,
  loaded_rows BIGINT, loaded_bytes BIGINT, source_file_count BIGINT, error_count BIGINT,
  start_time TIMESTAMP, end_time TIMESTAMP);
CREATE TABLE IF NOT EXISTS _twin.misfits (
  query_id BIGINT, transaction_id BIGINT, session_id INTEGER, table_id BIGINT, start_time TIMESTAMP, file_name VARCHAR,
  line_number BIGINT, column_name VARCHAR, column_type VARCHAR, column_length VARCHAR, raw_line VARCHAR,
  raw_field_value VARCHAR, error_code INTEGER, error_message VARCHAR);
INSERT INTO _twin.schemas SELECT 'public' WHERE NOT EXISTS (FROM _twin.schemas WHERE name = 'public');
"""
_NEXT_OID = "nextval('_twin.oids')"
_COLUMN_FIELDS = "name, type, nullable, default_sql, encode, distkey, sortkey"
Answers = dict[tuple[str, tuple[object, ...]], list[tuple[object, ...]]]


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes the catalog of a new database; an existing one is left as it is."""
    connection.execute(_TABLES)


def quote(*parts: str) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


class Catalog:
    """Reads and writes the declared schemas, relations and columns through one session's connection.

    Temporary tables belong to the session and are kept here, not in the file.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, database: str, user: str) -> None:
        self._connection = connection
        self.database = database
        self.user = user.lower()  # as names in statements are read, quoted or not
        self.temporary: dict[str, TableDefinition] = {}
        # What was asked in the open transaction, which sees no change but its own; None outside of one.
        self._known: Answers | None = None
        self._noted: Answers | None = None

    def close(self) -> None:
        self._connection.close()

    def physical(self, name: TableName) -> str:
        """The relation as DuckDB reaches it."""
        return quote(*self.location(name))

    def location(self, name: TableName) -> tuple[str, str, str]:
        if name.is_temporary:
            return ("temp", "main", name.name)
        return (self.database, name.schema, name.name)

    def resolve(self, path: tuple[str, ...], search_path: tuple[str, ...]) -> TableName:
        """The existing relation meant by a dotted name. Raises when there is none."""
        found = self.find(path, search_path)
        if found is None:
            raise no_relation(".".join(path))
        return found

    def find(self, path: tuple[str, ...], search_path: tuple[str, ...]) -> TableName | None:
        if len(path) > 1:
            name = self.qualified(path)
            self.need_schema(name.schema)
            return name if self.kind(name) else None
        if path[0] in self.temporary:
            return TableName(TEMPORARY, path[0])
        candidates = (TableName(schema, path[0]) for schema in search_path)
        return next((name for name in candidates if self.kind(name)), None)

    def qualified(self, path: tuple[str, ...]) -> TableName:
        """Splits schema.table or database.schema.table."""
        if len(path) > 3:
            raise RedshiftError(f"improper qualified name (too many dotted names): {'.'.join(path)}", code="42601")
        if len(path) == 3 and path[0] != self.database:
            raise RedshiftError(
                f"the local Redshift twin does not support cross-database references: {'.'.join(path)}", code="0A000"
            )
        return TableName(path[-2], path[-1])

    def new_name(self, path: tuple[str, ...], search_path: tuple[str, ...], *, temporary: bool) -> TableName:
        """The name of a relation to be made, in the first schema of the search path unless given."""
        if temporary or path[-1].startswith("#"):
            return TableName(TEMPORARY, path[-1])
        name = self.qualified(path) if len(path) > 1 else TableName(search_path[0], path[0])
        self.need_schema(name.schema)
        return name

    def kind(self, name: TableName) -> str | None:
        """`table`, `view`, `materialized view` or None."""
        if name.is_temporary:
            return "table" if name.name in self.temporary else None
        rows = self._rows("SELECT kind FROM _twin.relations WHERE schema_name = ? AND name = ?", name.schema, name.name)
        return str(rows[0][0]) if rows else None

    def lookup(self, path: tuple[str, ...], search_path: tuple[str, ...]) -> tuple[TableName, int, str] | None:
        """A relation that is in the file, its number, and its query when it is a view, in one look."""
        if len(path) == 1 and path[0] in self.temporary:
            return None
        schemas = (self.qualified(path).schema,) if len(path) > 1 else search_path
        rows = self._rows("SELECT schema_name, oid, kind, definition FROM _twin.relations WHERE name = ?", path[-1])
        row = next((row for schema in schemas for row in rows if row[0] == schema), None)
        if row is None:
            return None
        return TableName(str(row[0]), path[-1]), int(str(row[1])), str(row[3]) if row[2] == "view" else ""

    def begin(self) -> None:
        """Opens a transaction and reads, so that it sees what is committed now and not at its first statement."""
        self._connection.execute("BEGIN TRANSACTION")
        self._rows("SELECT 1 FROM _twin.schemas LIMIT 0")
        self._known = {}

    def ended(self) -> None:
        """The transaction has ended: others may have changed what was read in it."""
        self._known = None

    @contextmanager
    def noting(self) -> Iterator[Answers]:
        """Everything that is asked of the file inside the block, with the answers."""
        noted: Answers = {}
        self._noted = noted
        try:
            yield noted
        finally:
            self._noted = None

    def still(self, noted: Answers) -> bool:
        """Whether the file would give the same answers now."""
        return all(self._rows(sql, *parameters) == rows for (sql, parameters), rows in noted.items())

    def oid(self, name: TableName) -> int:
        """The number by which system relations and errors call a relation; 0 when it is not there."""
        rows = self._rows("SELECT oid FROM _twin.relations WHERE schema_name = ? AND name = ?", name.schema, name.name)
        return int(str(rows[0][0])) if rows else 0

    def need_owner(self, name: TableName) -> None:
        """Raises unless the session's user may alter and drop the relation. Files of an older twin know no owners.

        https://docs.aws.amazon.com/redshift/latest/dg/r_roles-system-privileges.html
        """
        if self.user == SUPERUSER or name.is_temporary:
            return
        sql = "SELECT owner FROM _twin.relations WHERE schema_name = ? AND name = ?"
        if self._rows(sql, name.schema, name.name)[0][0] not in (self.user, None):
            raise RedshiftError(f"must be owner of relation {name}", code="42501")

    def set_owner(self, name: TableName, owner: str) -> None:
        sql = "UPDATE _twin.relations SET owner = ? WHERE schema_name = ? AND name = ?"
        self._rows(sql, owner, name.schema, name.name)

    def need_schema(self, schema: str) -> None:
        if schema not in self.schemas():
            raise no_schema(schema)

    def schemas(self) -> list[str]:
        return [str(row[0]) for row in self._rows("SELECT name FROM _twin.schemas ORDER BY name")]

    def add_schema(self, schema: str) -> None:
        self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(self.database, schema)}")
        self._rows("INSERT INTO _twin.schemas VALUES (?)", schema)

    def drop_schema(self, schema: str) -> None:
        if schema != "main":
            self._connection.execute(f"DROP SCHEMA {quote(self.database, schema)}")
        self._rows("DELETE FROM _twin.schemas WHERE name = ?", schema)

    def relations(self, schema: str) -> list[TableName]:
        rows = self._rows("SELECT name FROM _twin.relations WHERE schema_name = ? ORDER BY kind DESC, name", schema)
        return [TableName(schema, str(row[0])) for row in rows]

    def columns(self, name: TableName) -> tuple[Column, ...]:
        if name.is_temporary:
            return self.temporary[name.name].columns
        rows = self._rows(
            f"SELECT {_COLUMN_FIELDS} FROM _twin.columns WHERE schema_name = ? AND table_name = ? ORDER BY position",
            name.schema,
            name.name,
        )
        return tuple(_column(row) for row in rows)

    def column(self, table: TableName, name: str) -> Column:
        """One column of a table. Raises when it has none of that name."""
        found = next((column for column in self.columns(table) if column.name == name), None)
        if found is None:
            raise RedshiftError(f'column "{name}" of relation "{table}" does not exist', code="42703")
        return found

    def create_table(self, definition: TableDefinition) -> None:
        """Makes the DuckDB table and its record. Raises when the name is taken or a limit is passed."""
        self._check_new(definition)
        columns = ", ".join(f"{quote(column.name)} {column.type.duckdb}" for column in definition.columns)
        verb = "CREATE TEMP TABLE" if definition.name.is_temporary else "CREATE TABLE"
        self._connection.execute(f"{verb} {self.physical(definition.name)} ({columns})")
        self._record(definition)

    def _check_new(self, definition: TableDefinition) -> None:
        if self.kind(definition.name):
            raise relation_exists(definition.name.name)
        if not definition.columns:
            raise RedshiftError("tables must have at least one column", code="42P16")
        if len(definition.columns) > MAX_COLUMNS:
            raise RedshiftError(f"tables can have at most {MAX_COLUMNS} columns", code="54011", link=_LIMITS)
        names = [column.name for column in definition.columns]
        repeated = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else ""
        if repeated:
            raise RedshiftError(f'column "{repeated}" specified more than once', code="42701")

    def _record(self, definition: TableDefinition) -> None:
        name = definition.name
        if name.is_temporary:
            self.temporary[name.name] = definition
            return
        self._rows(
            f"INSERT INTO _twin.relations VALUES (?, ?, 'table', ?, ?, NULL, NULL, [], ?, ?, {_NEXT_OID})",
            name.schema,
            name.name,
            definition.diststyle,
            definition.sortstyle,
            list(definition.constraints),
            self.user,
        )
        for position, column in enumerate(definition.columns, 1):
            self.add_column_record(name, position, column)

    def add_column_record(self, name: TableName, position: int, column: Column) -> None:
        kind = column.type
        self._rows(
            "INSERT INTO _twin.columns VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
            *(name.schema, name.name, position, column.name, kind.sql, kind.catalog_name, kind.api_name),
            *(kind.length, kind.precision, kind.scale, column.nullable),
            *(column.default, column.encode, column.distkey, column.sortkey),
        )

    def set_columns(self, name: TableName, columns: tuple[Column, ...]) -> None:
        """Replaces the record of a table's columns after an ALTER."""
        if name.is_temporary:
            self.temporary[name.name] = replace(self.temporary[name.name], columns=columns)
            return
        self._rows("DELETE FROM _twin.columns WHERE schema_name = ? AND table_name = ?", name.schema, name.name)
        for position, column in enumerate(columns, 1):
            self.add_column_record(name, position, column)

    def create_view(self, name: TableName, columns: tuple[Column, ...], definition: str, bound: list[str]) -> None:
        self._rows(
            f"INSERT INTO _twin.relations VALUES (?, ?, 'view', NULL, NULL, NULL, ?, ?, [], ?, {_NEXT_OID})",
            *(name.schema, name.name, definition, bound, self.user),
        )
        for position, column in enumerate(columns, 1):
            self.add_column_record(name, position, column)

    def constraints(self, name: TableName) -> list[str]:
        """The keys of a table as they were declared."""
        if name.is_temporary:
            return list(self.temporary[name.name].constraints)
        sql = "SELECT unnest(constraints) FROM _twin.relations WHERE schema_name = ? AND name = ?"
        return [str(row[0]) for row in self._rows(sql, name.schema, name.name)]

    def set_materialized(self, name: TableName, definition: str, bound: list[str]) -> None:
        """Makes a stored table the result of a query."""
        sql = "UPDATE _twin.relations SET kind = ?, definition = ?, bound = ? WHERE schema_name = ? AND name = ?"
        self._rows(sql, MATERIALIZED, definition, bound, name.schema, name.name)

    def view_definition(self, name: TableName) -> str:
        sql = "SELECT definition FROM _twin.relations WHERE schema_name = ? AND name = ?"
        return str(self._rows(sql, name.schema, name.name)[0][0])

    def dependents(self, name: TableName) -> list[TableName]:
        """Views that are bound to the relation, those on top first."""
        sql = "SELECT schema_name, name FROM _twin.relations WHERE list_contains(bound, ?)"
        direct = [TableName(str(row[0]), str(row[1])) for row in self._rows(sql, f"{name.schema}.{name.name}")]
        return [view for found in direct for view in (*self.dependents(found), found)]

    def drop(self, name: TableName) -> None:
        if self.kind(name) in ("table", MATERIALIZED):
            self._connection.execute(f"DROP TABLE {self.physical(name)}")
        self.temporary.pop(name.name, None) if name.is_temporary else self._forget(name)

    def _forget(self, name: TableName) -> None:
        self._rows("DELETE FROM _twin.relations WHERE schema_name = ? AND name = ?", name.schema, name.name)
        self._rows("DELETE FROM _twin.columns WHERE schema_name = ? AND table_name = ?", name.schema, name.name)

    def rename(self, name: TableName, new: str) -> None:
        self._connection.execute(f"ALTER TABLE {self.physical(name)} RENAME TO {quote(new)}")
        if name.is_temporary:
            self.temporary[new] = replace(self.temporary.pop(name.name), name=TableName(TEMPORARY, new))
            return
        values = (new, name.schema, name.name)
        self._rows("UPDATE _twin.relations SET name = ? WHERE schema_name = ? AND name = ?", *values)
        self._rows("UPDATE _twin.columns SET table_name = ? WHERE schema_name = ? AND table_name = ?", *values)

    def set_comment(self, name: TableName, column: str | None, text: str | None) -> None:
        if column is None:
            sql = "UPDATE _twin.relations SET comment = ? WHERE schema_name = ? AND name = ?"
            self._rows(sql, text, name.schema, name.name)
            return
        sql = "UPDATE _twin.columns SET comment = ? WHERE schema_name = ? AND table_name = ? AND name = ?"
        self._rows(sql, text, name.schema, name.name, column)

    def _rows(self, sql: str, *parameters: object) -> list[tuple[object, ...]]:
        if not sql.startswith("SELECT"):
            self._known = {} if self._known is not None else None
            return self._run(sql, parameters)
        key = (sql, parameters)
        rows = self._known.get(key) if self._known is not None else None
        if rows is None:
            rows = self._run(sql, parameters)
        for memory in (self._known, self._noted):
            if memory is not None:
                memory[key] = rows
        return rows

    def _run(self, sql: str, parameters: tuple[object, ...]) -> list[tuple[object, ...]]:
        qualified = sql.replace("_twin.", f"{quote(self.database, INTERNAL)}.")
        rows: list[tuple[object, ...]] = self._connection.execute(qualified, list(parameters)).fetchall()
        return rows


def _column(row: tuple[object, ...]) -> Column:
    name, kind, nullable, default, encode, distkey, sortkey = row
    return Column(
        name=str(name),
        type=parse_type(str(kind)),
        nullable=bool(nullable),
        default=str(default or ""),
        encode=str(encode or ""),
        distkey=bool(distkey),
        sortkey=int(str(sortkey or 0)),
    )
