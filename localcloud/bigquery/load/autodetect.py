"""The schema of a JSON file that comes without one.

https://cloud.google.com/bigquery/docs/schema-detect
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from localcloud.bigquery.errors import invalid
from localcloud.bigquery.load import values
from localcloud.bigquery.schema import Field, Schema, check_name

_TEXT: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("INTEGER", values.integer),
    ("FLOAT", values.floating),
    ("BOOLEAN", values.boolean),
    ("DATE", values.date),
    ("TIME", values.time),
)
_WIDER = {
    frozenset(("INTEGER", "FLOAT")): "FLOAT",
    frozenset(("DATE", "TIMESTAMP")): "TIMESTAMP",
}


def detect(records: Iterable[dict[str, Any]]) -> Schema:
    """A schema that takes every record; columns in order of first appearance."""
    return _fields(list(records))


def _fields(records: list[dict[str, Any]]) -> Schema:
    samples: dict[str, list[Any]] = {}
    for record in records:
        for name, value in record.items():
            samples.setdefault(name, []).append(value)
    if not samples:
        raise invalid("Schema has no fields.")
    return tuple(_field(check_name(name), found) for name, found in samples.items())


def _field(name: str, found: list[Any]) -> Field:
    lists = [v for v in found if isinstance(v, list)]
    present = [v for v in found if v is not None and not isinstance(v, list)]
    if lists and present:
        raise invalid(f"Field {name} is an array in some rows and a value in others")
    items = [item for v in lists for item in v if item is not None] if lists else present
    mode = "REPEATED" if lists else "NULLABLE"
    objects = [v for v in items if isinstance(v, dict)]
    if objects and len(objects) == len(items):
        return Field(name, "RECORD", mode, fields=_fields(objects))
    return Field(name, _widest({_scalar(v) for v in items}), mode)


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, int):
        return "INTEGER" if -(2**63) <= value < 2**63 else "FLOAT"
    if isinstance(value, values.Number):
        return "FLOAT"
    return _text(value) if isinstance(value, str) else "STRING"


def _text(value: str) -> str:
    for kind, parse in (*_TEXT, *_moments(value)):
        try:
            parse(value)
        except ValueError:
            continue
        return kind
    return "STRING"


def _moments(value: str) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    # A "T" without a zone is a DATETIME, every other full time a TIMESTAMP.
    kinds = (("DATETIME", values.datetime),) if "T" in value else ()
    return (*kinds, ("TIMESTAMP", values.timestamp))


def _widest(kinds: set[str]) -> str:
    if not kinds:
        return "STRING"
    if len(kinds) == 1:
        return kinds.pop()
    return _WIDER.get(frozenset(kinds), "STRING")
