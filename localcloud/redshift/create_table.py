"""CREATE TABLE as text -> TableDefinition.

https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_TABLE_NEW.html
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from localcloud.redshift.errors import NotInTwinError, RedshiftError, syntax_error
from localcloud.redshift.model import Column
from localcloud.redshift.tokens import TokenReader
from localcloud.redshift.types import read_type

_LINK = "https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_TABLE_NEW.html"
ENCODINGS = frozenset(
    [
        "raw",
        "az64",
        "bytedict",
        "delta",
        "delta32k",
        "lzo",
        "mostly8",
        "mostly16",
        "mostly32",
        "runlength",
        "text255",
        "text32k",
        "zstd",
    ]
)
_STOPS = frozenset({"NOT", "NULL", "ENCODE", "DISTKEY", "SORTKEY", "PRIMARY KEY", "UNIQUE", "REFERENCES", "COLLATE"})
_NO_KEY = frozenset({"super", "geography", "geometry"})


@dataclass
class Attributes:
    """Distribution, order and constraints of a table."""

    diststyle: str = "AUTO"
    distkey: str = ""
    sortkey: list[str] = field(default_factory=list)
    sortstyle: str = ""
    constraints: list[str] = field(default_factory=list)


def read_columns(reader: TokenReader, attributes: Attributes) -> list[Column]:
    """The list in parentheses: columns and table constraints."""
    columns: list[Column] = []
    reader.expect("(")
    while True:
        if not _table_constraint(reader, attributes):
            columns.append(read_column(reader, attributes))
        if not reader.accept(","):
            break
    reader.expect(")")
    return columns


def read_column(reader: TokenReader, attributes: Attributes) -> Column:
    """One column with its attributes, as in CREATE TABLE and ADD COLUMN."""
    column = Column(reader.name(), read_type(reader))
    while (changed := _column_attribute(reader, column, attributes)) is not None:
        column = changed
    return column


def _column_attribute(reader: TokenReader, column: Column, attributes: Attributes) -> Column | None:
    """The column with its next attribute, or None when there is no further one."""
    if reader.accept("NOT", "NULL"):
        return replace(column, nullable=False)
    if reader.accept("DEFAULT"):
        return replace(column, default=reader.expression(_STOPS))
    if reader.accept("ENCODE"):
        return replace(column, encode=_encoding(reader.word()))
    if reader.peek("IDENTITY") or reader.peek("GENERATED"):
        raise NotInTwinError("IDENTITY columns")
    return _key_attribute(reader, column, attributes)


def _key_attribute(reader: TokenReader, column: Column, attributes: Attributes) -> Column | None:
    if reader.accept("NULL"):
        return column
    if reader.accept("DISTKEY"):
        _set_distkey(attributes, column.name)
        return column
    if reader.accept("SORTKEY"):
        attributes.sortkey.append(column.name)
        return column
    return _column_constraint(reader, column, attributes)


def _column_constraint(reader: TokenReader, column: Column, attributes: Attributes) -> Column | None:
    if reader.accept("PRIMARY", "KEY"):
        attributes.constraints.append(f"PRIMARY KEY ({column.name})")
        return replace(column, nullable=False)
    if reader.accept("UNIQUE"):
        attributes.constraints.append(f"UNIQUE ({column.name})")
        return column
    if reader.accept("REFERENCES"):
        attributes.constraints.append(f"FOREIGN KEY ({column.name}) {_references(reader)}")
        return column
    if reader.peek("CHECK"):
        raise RedshiftError("CHECK constraints are not supported", code="0A000", link=_LINK)
    return None


def _encoding(word: str) -> str:
    if word.lower() not in {*ENCODINGS, "auto"}:
        raise RedshiftError(f'invalid encoding type specified for column: "{word.lower()}"', code="42601", link=_LINK)
    return word.lower()


def _table_constraint(reader: TokenReader, attributes: Attributes) -> bool:
    if reader.accept("CONSTRAINT"):
        reader.name()
    if reader.accept("PRIMARY", "KEY"):
        attributes.constraints.append(f"PRIMARY KEY ({', '.join(reader.names())})")
        return True
    if reader.peek("UNIQUE", "(") and reader.accept("UNIQUE"):
        attributes.constraints.append(f"UNIQUE ({', '.join(reader.names())})")
        return True
    if reader.accept("FOREIGN", "KEY"):
        names = ", ".join(reader.names())
        reader.expect("REFERENCES")
        attributes.constraints.append(f"FOREIGN KEY ({names}) {_references(reader)}")
        return True
    if reader.peek("CHECK"):
        raise RedshiftError("CHECK constraints are not supported", code="0A000", link=_LINK)
    return False


def _references(reader: TokenReader) -> str:
    target = ".".join(reader.path())
    columns = f" ({', '.join(reader.names())})" if reader.peek("(") else ""
    return f"REFERENCES {target}{columns}"


def _set_distkey(attributes: Attributes, column: str) -> None:
    if attributes.distkey:
        raise RedshiftError("multiple distkey columns are not allowed", code="42P16", link=_LINK)
    attributes.distkey, attributes.diststyle = column, "KEY"


def read_attributes(reader: TokenReader, attributes: Attributes, stop: tuple[str, ...] = ()) -> None:
    """What follows the columns: BACKUP, DISTSTYLE, DISTKEY, SORTKEY, ENCODE AUTO."""
    while not reader.done and not reader.peek(";") and not any(reader.peek(word) for word in stop):
        _table_attribute(reader, attributes)


def _table_attribute(reader: TokenReader, attributes: Attributes) -> None:
    if reader.accept("BACKUP"):
        if reader.accept_one("YES", "NO") is None:
            raise syntax_error(reader.current.text)
    elif reader.accept("DISTSTYLE"):
        _diststyle(reader, attributes)
    elif reader.accept("DISTKEY"):
        names = reader.names() if reader.peek("(") else [reader.name()]
        if len(names) != 1:
            raise RedshiftError("multiple distkey columns are not allowed", code="42P16", link=_LINK)
        _set_distkey(attributes, names[0])
    elif reader.accept("ENCODE"):
        reader.expect("AUTO")
    else:
        _sortkey(reader, attributes)


def _diststyle(reader: TokenReader, attributes: Attributes) -> None:
    style = reader.accept_one("AUTO", "EVEN", "KEY", "ALL")
    if style is None:
        raise syntax_error(reader.current.text)
    attributes.diststyle = style


def _sortkey(reader: TokenReader, attributes: Attributes) -> None:
    style = reader.accept_one("COMPOUND", "INTERLEAVED") or "COMPOUND"
    reader.expect("SORTKEY")
    if reader.accept("AUTO"):
        attributes.sortstyle = "AUTO"
        return
    attributes.sortkey, attributes.sortstyle = reader.names(), style
    limit = 400 if style == "COMPOUND" else 8
    if len(attributes.sortkey) > limit:
        raise RedshiftError(f"SORTKEY cannot have more than {limit} columns", code="54011", link=_LINK)


def apply_attributes(columns: list[Column], attributes: Attributes) -> tuple[Column, ...]:
    """Marks the key columns. Raises when a key is missing or of a type that cannot be a key."""
    names = [column.name for column in columns]
    for key in (*attributes.sortkey, *([attributes.distkey] if attributes.distkey else [])):
        if key not in names:
            raise RedshiftError(f'column "{key}" named in key does not exist', code="42703")
    if attributes.diststyle == "KEY" and not attributes.distkey:
        raise RedshiftError("DISTSTYLE KEY requires a DISTKEY column", code="42P16", link=_LINK)
    if attributes.distkey and attributes.diststyle != "KEY":
        message = f"cannot specify a DISTKEY column with DISTSTYLE {attributes.diststyle}"
        raise RedshiftError(message, code="42P16", link=_LINK)
    return tuple(_with_keys(column, attributes) for column in columns)


def _with_keys(column: Column, attributes: Attributes) -> Column:
    is_key = column.name == attributes.distkey or column.name in attributes.sortkey
    if is_key and column.type.name in _NO_KEY:
        message = f'Column "{column.name}" of type {column.type.name} cannot be a DISTKEY or SORTKEY'
        raise RedshiftError(
            message, code="42P16", link="https://docs.aws.amazon.com/redshift/latest/dg/r_SUPER_type.html"
        )
    sortkey = attributes.sortkey.index(column.name) + 1 if column.name in attributes.sortkey else 0
    return replace(column, distkey=column.name == attributes.distkey, sortkey=sortkey)
