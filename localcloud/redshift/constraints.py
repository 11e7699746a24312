"""Keys and encodings of a table: informational in Redshift, but checked when they are declared.

https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_TABLE_NEW.html
https://docs.aws.amazon.com/redshift/latest/dg/c_Compression_encodings.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localcloud.redshift.errors import RedshiftError, no_column
from localcloud.redshift.model import Column, TableDefinition

if TYPE_CHECKING:
    from localcloud.redshift.session import Session

_CREATE = "https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_TABLE_NEW.html"
_ENCODINGS = "https://docs.aws.amazon.com/redshift/latest/dg/c_Compression_encodings.html"
_WHOLE = frozenset({"smallint", "integer", "bigint", "decimal"})
_MOMENTS = frozenset({"date", "timestamp", "timestamptz"})
_TEXT = frozenset({"char", "varchar"})
# Encoding -> the types it is for; an encoding that is not here takes every type.
_TYPES = {
    "az64": _WHOLE | _MOMENTS | {"time", "timetz"},
    "bytedict": _WHOLE | _MOMENTS | _TEXT | {"real", "double", "time", "timetz"},
    "delta": _WHOLE | {"date", "timestamp"},
    "delta32k": (_WHOLE - {"smallint"}) | {"date", "timestamp"},
    "mostly8": _WHOLE,
    "mostly16": _WHOLE - {"smallint"},
    "mostly32": frozenset({"bigint", "decimal"}),
    "text255": frozenset({"varchar"}),
    "text32k": frozenset({"varchar"}),
}
_NOT_FOR = {"lzo": frozenset({"boolean", "real", "double"})}
_KEY = re.compile(r"(PRIMARY KEY|UNIQUE|FOREIGN KEY) \((.*?)\)(?: REFERENCES ([^ ]+)(?: \((.*)\))?)?")


def check_encodings(columns: tuple[Column, ...]) -> None:
    for column in columns:
        kinds = _TYPES.get(column.encode)
        if (kinds is not None and column.type.name not in kinds) or column.type.name in _NOT_FOR.get(column.encode, ()):
            where = f'column "{column.name}" of type {column.type.catalog_name}'
            message = f"invalid encoding type {column.encode} specified for {where}"
            raise RedshiftError(message, code="42601", link=_ENCODINGS)


def check_keys(session: Session, definition: TableDefinition) -> None:
    """Raises for two primary keys, keys over missing columns, and references to what is no key of its table."""
    own = [_parts(text) for text in definition.constraints]
    if sum(kind == "PRIMARY KEY" for kind, *_ in own) > 1:
        message = f'multiple primary keys for table "{definition.name}" are not allowed'
        raise RedshiftError(message, code="42P16", link=_CREATE)
    names = {column.name for column in definition.columns}
    for _, columns, target, referenced in own:
        missing = next((name for name in columns if name not in names), None)
        if missing:
            raise no_column(missing)
        if target:
            _check_reference(session, definition, own, target, referenced or [])


_Key = tuple[str, list[str], str, list[str] | None]


def _parts(text: str) -> _Key:
    found = _KEY.fullmatch(text)
    if found is None:
        raise ValueError(f"not a key: {text}")
    kind, columns, target, referenced = found.groups()
    return kind, columns.split(", "), target or "", referenced.split(", ") if referenced else None


def _check_reference(
    session: Session, definition: TableDefinition, own: list[_Key], target: str, columns: list[str]
) -> None:
    keys = own
    if target.rsplit(".", maxsplit=1)[-1] != definition.name.name:
        name = session.table(tuple(target.split(".")))
        keys = [_parts(text) for text in session.catalog.constraints(name)]
    unique = [set(each) for kind, each, *_ in keys if kind in ("PRIMARY KEY", "UNIQUE")]
    primary = any(kind == "PRIMARY KEY" for kind, *_ in keys)
    if not (set(columns) in unique if columns else primary):
        message = f'there is no unique constraint matching given keys for referenced table "{target}"'
        raise RedshiftError(message, code="42830", link=_CREATE)
