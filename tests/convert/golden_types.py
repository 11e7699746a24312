"""Every type of every engine, as one schema each: what the golden files hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lakeshift.errors import TypeUnsupported
from lakeshift.lake.rows import lake_type
from lakeshift.model import Column, Kind
from lakeshift.types import bigquery, dms, mysql, postgres
from lakeshift.types.redshift import type_of
from lakeshift.types.source import Engine, column_of

# Parameters that a type can have, tried on each type that takes some.
ARGUMENTS = {
    "characters": ("10", "20000"),
    "bytes": ("16",),
    "bits": ("8",),
    "digits": ("10,2", "38,37", "38,38", "60,10"),
}
BIGQUERY: tuple[dict[str, Any], ...] = (
    *(
        {"type": kind}
        for kind in [
            "BOOL",
            "BOOLEAN",
            "INT64",
            "INTEGER",
            "INT",
            "SMALLINT",
            "BIGINT",
            "TINYINT",
            "BYTEINT",
            "FLOAT64",
            "FLOAT",
            "NUMERIC",
            "DECIMAL",
            "BIGNUMERIC",
            "BIGDECIMAL",
            "STRING",
            "BYTES",
            "DATE",
            "TIME",
            "DATETIME",
            "TIMESTAMP",
            "INTERVAL",
            "JSON",
            "GEOGRAPHY",
            "POINT",
        ]
    ),
    {"type": "STRING", "maxLength": "10"},
    {"type": "STRING", "maxLength": "20000"},
    {"type": "BYTES", "maxLength": "16"},
    {"type": "NUMERIC", "precision": "10", "scale": "2"},
    {"type": "BIGNUMERIC", "precision": "38", "scale": "20"},
    {"type": "BIGNUMERIC", "precision": "38", "scale": "38"},
    {"type": "BIGNUMERIC", "precision": "60", "scale": "5"},
    {"type": "TIMESTAMP", "timestampPrecision": "12"},
    {"type": "RANGE", "rangeElementType": {"type": "DATE"}},
    {"type": "RANGE"},
    {"type": "INT64", "mode": "REPEATED"},
    {"type": "RECORD", "fields": [{"name": "b", "type": "BYTES"}, {"name": "n", "type": "BIGNUMERIC"}]},
    {"type": "RECORD", "mode": "REPEATED", "fields": [{"name": "j", "type": "JSON"}]},
)


def rows(engine: Engine) -> list[str]:
    """One line for each type of an engine with each of its parameters."""
    lines = []
    for one in engine.types:
        for spelling in (one.name, *one.also):
            lines += [_line(f"{spelling}{end}", _typed(engine, f"{spelling}{end}")) for end in _ends(one.takes)]
    return lines


def _ends(takes: str) -> tuple[str, ...]:
    return ("", *(f"({one})" for one in ARGUMENTS.get(takes, ())))


def _typed(engine: Engine, text: str) -> Callable[[], Column]:
    def made() -> Column:
        column = column_of(engine, "c", text)
        if column.kind is Kind.RANGE:
            bound = Column(name="element", kind=postgres.RANGE_OF[text], source_type=text)
            return column.model_copy(update={"fields": (bound,)})
        return column

    return made


def bigquery_rows() -> list[str]:
    """One line for each BigQuery type."""
    return [_line(" ".join(map(str, one.values())), _field(one)) for one in BIGQUERY]


def _field(given: dict[str, Any]) -> Callable[[], Column]:
    return lambda: bigquery.columns([{"name": "c", **given}])[0]


def _line(text: str, made: Callable[[], Column]) -> str:
    try:
        column = made()
    except TypeUnsupported as error:
        return f"{text} | REFUSED: {error.what}"
    chosen = type_of(column)
    fields = (
        column.kind,
        lake_type(column, nested=False),
        chosen.landing,
        chosen.target,
        chosen.conversion,
        chosen.risk,
        chosen.note,
    )
    return " | ".join([text, *map(str, fields)])


ENGINES = {
    "postgres": postgres.ENGINE,
    "mysql": mysql.ENGINE,
    **{engine.name.lower().replace(" ", ""): engine for engine in dms.ENGINES},
}


def golden(name: str) -> str:
    """The golden file of an engine."""
    lines = bigquery_rows() if name == "bigquery" else rows(ENGINES[name])
    return "\n".join(["source | kind | lake | landing | target | conversion | risk | note", *lines]) + "\n"
