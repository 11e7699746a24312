"""DROP, TRUNCATE and COMMENT."""

# ruff: noqa: S608  (names go through `quote`, values through parameters or translated expressions)

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.redshift.errors import NotInTwinError, RedshiftError, unknown_object
from localcloud.redshift.model import Result
from localcloud.redshift.tokens import TokenReader

if TYPE_CHECKING:
    from localcloud.redshift.session import Session


def drop(session: Session, reader: TokenReader) -> Result:
    reader.expect("DROP")
    kind = reader.accept_one("TABLE", "VIEW", "MATERIALIZED VIEW", "SCHEMA")
    if kind is None:
        raise unknown_object("DROP", reader.current.text)
    lenient = reader.accept("IF", "EXISTS")
    paths = [reader.path()]
    while reader.accept(","):
        paths.append(reader.path())
    cascade = reader.accept_one("CASCADE", "RESTRICT") == "CASCADE"
    reader.end()
    for path in paths:
        if kind == "SCHEMA":
            _drop_schema(session, path[0], lenient=lenient, cascade=cascade)
        else:
            _drop_relation(session, path, kind.lower(), lenient=lenient, cascade=cascade)
    return Result()


def _drop_relation(session: Session, path: tuple[str, ...], kind: str, *, lenient: bool, cascade: bool) -> None:
    if lenient and len(path) > 1 and path[-2] not in session.catalog.schemas():
        return
    name = session.catalog.find(path, session.search_path)
    if name is None:
        if lenient:
            return
        raise RedshiftError(f"{kind.capitalize()} {'.'.join(path)} does not exist", code="42P01")
    if session.catalog.kind(name) != kind:
        raise RedshiftError(f'"{name}" is not a {kind}', code="42809")
    session.catalog.need_owner(name)
    dependents = session.catalog.dependents(name)
    if dependents and not cascade:
        detail = f"view {dependents[0]} depends on {kind} {name}"
        raise RedshiftError(
            f"cannot drop {kind} {name} because other objects depend on it", code="2BP01", detail=detail
        )
    for dropped in dict.fromkeys((*dependents, name)):
        session.catalog.drop(dropped)


def _drop_schema(session: Session, schema: str, *, lenient: bool, cascade: bool) -> None:
    if schema not in session.catalog.schemas():
        if lenient:
            return
        raise RedshiftError(f'schema "{schema}" does not exist', code="3F000")
    relations = session.catalog.relations(schema)
    if relations and not cascade:
        raise RedshiftError(f"cannot drop schema {schema} because other objects depend on it", code="2BP01")
    for name in relations:
        if session.catalog.kind(name):
            for dropped in dict.fromkeys((*session.catalog.dependents(name), name)):
                session.catalog.drop(dropped)
    session.catalog.drop_schema(schema)


def truncate(session: Session, reader: TokenReader) -> Result:
    """Empties a table and commits the transaction it is in: https://docs.aws.amazon.com/redshift/latest/dg/r_TRUNCATE.html"""
    reader.expect("TRUNCATE")
    reader.accept("TABLE")
    name = session.table(reader.path())
    reader.end()
    session.catalog.need_owner(name)
    session.run(f"DELETE FROM {session.catalog.physical(name)}")
    session.commit_within()
    return Result()


def comment(session: Session, reader: TokenReader) -> Result:
    reader.expect("COMMENT")
    reader.expect("ON")
    kind = reader.accept_one("TABLE", "VIEW", "COLUMN")
    if kind is None:
        raise NotInTwinError(f"COMMENT ON {reader.current.text.upper()}")
    path = reader.path()
    column = path[-1] if kind == "COLUMN" else None
    name = session.catalog.resolve(path[:-1] if column else path, session.search_path)
    reader.expect("IS")
    text = None if reader.accept("NULL") else reader.string()
    reader.end()
    if column:
        session.catalog.column(name, column)
    if name.is_temporary:
        raise NotInTwinError("COMMENT ON a temporary table")
    session.catalog.set_comment(name, column, text)
    return Result()
