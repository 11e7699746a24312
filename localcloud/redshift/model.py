"""Nouns of the twin: columns, tables, results, load records."""

from __future__ import annotations

from dataclasses import dataclass, field

from localcloud.redshift.types import ColumnType


@dataclass(frozen=True)
class Column:
    name: str
    type: ColumnType
    nullable: bool = True
    default: str = ""
    encode: str = ""
    distkey: bool = False
    sortkey: int = 0


@dataclass(frozen=True)
class TableName:
    """A relation of the current database; `schema` is `pg_temp` for a temporary table."""

    schema: str
    name: str

    def __str__(self) -> str:
        return self.name

    @property
    def is_temporary(self) -> bool:
        return self.schema == TEMPORARY


TEMPORARY = "pg_temp"
MATERIALIZED = "materialized view"


@dataclass(frozen=True)
class TableDefinition:
    """What CREATE TABLE declared."""

    name: TableName
    columns: tuple[Column, ...]
    diststyle: str = "AUTO"
    sortstyle: str = ""
    constraints: tuple[str, ...] = ()


@dataclass(frozen=True)
class ResultColumn:
    name: str
    type_name: str
    length: int = 0
    precision: int = 0
    scale: int = 0


@dataclass(frozen=True)
class Result:
    """What a statement gave: rows affected or returned, and the rows when it is a query."""

    rows_affected: int = 0
    columns: tuple[ResultColumn, ...] = ()
    rows: list[tuple[object, ...]] = field(default_factory=list)

    @property
    def has_rows(self) -> bool:
        return bool(self.columns)
