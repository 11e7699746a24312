"""ALTER TABLE: one action at a time, and types only widen.

https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE.html
"""

# ruff: noqa: S608  (names go through `quote`, values through parameters or translated expressions)

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from localcloud.redshift.catalog import quote
from localcloud.redshift.create_table import Attributes, read_column
from localcloud.redshift.dml import store
from localcloud.redshift.errors import NotInTwinError, RedshiftError, relation_exists, unknown_object, unsupported
from localcloud.redshift.model import Column, Result, TableName
from localcloud.redshift.tokens import TokenReader
from localcloud.redshift.types import ColumnType, read_type

if TYPE_CHECKING:
    from localcloud.redshift.session import Session

_APPEND = "https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE_APPEND.html"
_ALTER = "https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE.html"


def alter(session: Session, reader: TokenReader) -> Result:
    reader.expect("ALTER")
    if not reader.accept("TABLE"):
        raise unknown_object("ALTER", reader.current.text)
    name = session.table(reader.path())
    session.catalog.need_owner(name)
    for words, act in _ACTIONS:
        if reader.accept(*words):
            return act(session, reader, name)
    raise unsupported(f"ALTER TABLE ... {reader.current.text.upper()}", _ALTER)


def _append(session: Session, reader: TokenReader, name: TableName) -> Result:
    """Moves all rows of another table: https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE_APPEND.html"""
    session.need_autocommit("ALTER TABLE APPEND")
    reader.expect("FROM")
    source = session.table(reader.path())
    extra = reader.accept_one("IGNOREEXTRA", "FILLTARGET")
    reader.end()
    if name == source:
        raise RedshiftError("the source and target of ALTER TABLE APPEND must be different tables", link=_APPEND)
    if name.is_temporary or source.is_temporary:
        raise unsupported("ALTER TABLE APPEND with a temporary table", _APPEND)
    shared = _appended(session, name, source, extra)
    moved = {column: quote(column) for column in shared}
    result = store(session, name, moved, session.catalog.physical(source))
    session.run(f"DELETE FROM {session.catalog.physical(source)}")
    return result


def _appended(session: Session, target: TableName, source: TableName, extra: str | None) -> list[str]:
    """The columns that move. Raises when the tables are not alike enough for the option that was given."""
    into, out_of = ({column.name: column for column in session.catalog.columns(each)} for each in (target, source))
    missing = [(into.keys() - out_of.keys(), "FILLTARGET"), (out_of.keys() - into.keys(), "IGNOREEXTRA")]
    for names, option in missing:
        if names and extra != option:
            message = f'column "{min(names)}" is in one of the tables only; ALTER TABLE APPEND needs {option}'
            raise RedshiftError(message, code="42601", link=_APPEND)
    shared = [name for name in into if name in out_of]
    for name in shared:
        if replace(into[name], default="") != replace(out_of[name], default=""):
            raise RedshiftError(f'column "{name}" has other attributes in the source', code="42601", link=_APPEND)
    return shared


def _owner(session: Session, reader: TokenReader, name: TableName) -> Result:
    owner = reader.name()
    reader.end()
    session.catalog.set_owner(name, owner)
    return Result()


def _rename(session: Session, reader: TokenReader, name: TableName) -> Result:
    path = reader.path()
    reader.end()
    if len(path) != 1:
        raise RedshiftError("a new table name cannot have a schema: RENAME TO stays in the schema", code="42601")
    new = TableName(name.schema, path[0])
    if session.catalog.kind(new):
        raise relation_exists(new.name)
    _refuse_dependents(session, name, "renaming a table under a bound view")
    session.catalog.rename(name, new.name)
    return Result()


def _refuse_dependents(session: Session, name: TableName, what: str) -> None:
    if session.catalog.dependents(name):
        raise NotInTwinError(f"{what}; make the view WITH NO SCHEMA BINDING")


def _add(session: Session, reader: TokenReader, name: TableName) -> Result:
    if reader.accept_one("CONSTRAINT", "PRIMARY KEY", "UNIQUE", "FOREIGN KEY"):
        raise NotInTwinError("ALTER TABLE ADD CONSTRAINT")
    reader.accept("COLUMN")
    attributes = Attributes()
    column = read_column(reader, attributes)
    _one_action(reader)
    columns = session.catalog.columns(name)
    if column.name in {existing.name for existing in columns}:
        raise RedshiftError(f'column "{column.name}" of relation "{name}" already exists', code="42701")
    if not column.nullable and not column.default:
        raise RedshiftError("ALTER TABLE ADD COLUMN defined as NOT NULL must have a non-null default", code="42P16")
    target = session.catalog.physical(name)
    session.run(f"ALTER TABLE {target} ADD COLUMN {quote(column.name)} {column.type.duckdb}")
    if column.default:
        session.run(f"UPDATE {target} SET {quote(column.name)} = {session.constant(column)}")
    session.catalog.set_columns(name, (*columns, column))
    return Result()


def _one_action(reader: TokenReader) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE.html: one action in one ALTER TABLE."""
    if reader.peek(","):
        raise unsupported("more than one action in one ALTER TABLE", _ALTER)
    reader.end()


def _drop_part(session: Session, reader: TokenReader, name: TableName) -> Result:
    if reader.accept("CONSTRAINT"):
        raise NotInTwinError("ALTER TABLE DROP CONSTRAINT")
    reader.accept("COLUMN")
    column = session.catalog.column(name, reader.name())
    reader.accept_one("RESTRICT", "CASCADE")
    _one_action(reader)
    if column.distkey or column.sortkey:
        raise RedshiftError(
            f'cannot drop column "{column.name}": it is a distkey or sortkey', code="0A000", link=_ALTER
        )
    _refuse_dependents(session, name, "dropping a column under a bound view")
    session.run(f"ALTER TABLE {session.catalog.physical(name)} DROP COLUMN {quote(column.name)}")
    kept = tuple(other for other in session.catalog.columns(name) if other.name != column.name)
    session.catalog.set_columns(name, kept)
    return Result()


def _alter_part(session: Session, reader: TokenReader, name: TableName) -> Result:
    if reader.accept_one("DISTKEY", "DISTSTYLE", "SORTKEY", "COMPOUND", "ENCODE"):
        raise NotInTwinError("ALTER TABLE ALTER DISTKEY, SORTKEY or ENCODE")
    reader.expect("COLUMN")
    column = session.catalog.column(name, reader.name())
    if reader.accept("ENCODE"):
        raise NotInTwinError("ALTER COLUMN ENCODE")
    if not reader.accept("TYPE"):
        raise unsupported(f"ALTER COLUMN ... {reader.current.text.upper()}", _ALTER)
    session.need_autocommit("ALTER TABLE ALTER COLUMN")
    wider = read_type(reader)
    _one_action(reader)
    _check_widening(column, wider)
    columns = session.catalog.columns(name)
    changed = (replace(other, type=wider) if other.name == column.name else other for other in columns)
    session.catalog.set_columns(name, tuple(changed))
    return Result()


def _check_widening(column: Column, wider: ColumnType) -> None:
    if column.type.name != "varchar" or wider.name != "varchar":
        raise unsupported(f'changing the type of column "{column.name}" from {column.type.sql} to {wider.sql}', _ALTER)
    if (wider.length or 0) < (column.type.length or 0):
        raise NotInTwinError(f'making column "{column.name}" narrower')


def _rename_column(session: Session, reader: TokenReader, name: TableName) -> Result:
    column = session.catalog.column(name, reader.name())
    reader.expect("TO")
    new = reader.name()
    _one_action(reader)
    columns = session.catalog.columns(name)
    if new in {other.name for other in columns}:
        raise RedshiftError(f'column "{new}" of relation "{name}" already exists', code="42701")
    _refuse_dependents(session, name, "renaming a column under a bound view")
    session.run(f"ALTER TABLE {session.catalog.physical(name)} RENAME COLUMN {quote(column.name)} TO {quote(new)}")
    changed = (replace(other, name=new) if other.name == column.name else other for other in columns)
    session.catalog.set_columns(name, tuple(changed))
    return Result()


_ACTIONS = (
    (("RENAME", "TO"), _rename),
    (("RENAME", "COLUMN"), _rename_column),
    (("ADD",), _add),
    (("DROP",), _drop_part),
    (("ALTER",), _alter_part),
    (("APPEND",), _append),
    (("OWNER", "TO"), _owner),
)
