"""Schemas and rows of others, kept beside the checkout, as tables: FHIR resources and telemetry pings.

for table in corpora():        # [] where the folder is absent: mark the test `corpora`, and skip with REASON
    load(bq, table)
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.source.tables import Fields, Made, Row

FOLDER = Path(__file__).parents[3] / "shared" / "corpora"
DATASET = "corpora"
needed = pytest.mark.skipif(not FOLDER.is_dir(), reason="the schemas beside the checkout are absent")


def corpora() -> list[Made]:
    """One table for each schema: the rows that came with it, and generated ones that fill every leaf."""
    return [*_fhir(), *_pings()] if FOLDER.is_dir() else []


def _fhir() -> Iterator[Made]:
    folder = FOLDER / "fhir-bigquery"
    for path in sorted(folder.glob("*.schema.json")):
        name = path.name.removesuffix(".schema.json")
        examples = [one for one in folder.glob("*.json") if one.name.lower().startswith(f"{name.lower()}-")]
        rows = [json.loads(one.read_text()) for one in sorted(examples)]
        assert rows, name
        yield _made(name, json.loads(path.read_text()), rows)


def _pings() -> Iterator[Made]:
    for path in sorted((FOLDER / "mozilla-pipeline-schemas").glob("*.bq.json")):
        yield _made(path.name.removesuffix(".bq.json"), json.loads(path.read_text()), [])


def _made(name: str, fields: Fields, rows: Sequence[Row]) -> Made:
    return Made(re.sub(r"\W", "_", name), fields, [*rows, *generated(fields)], dataset=DATASET)


def generated(fields: Fields) -> list[Row]:
    """Rows that hold: a value in every leaf; in each leaf alone; arrays of several; nothing that is not required."""
    return [
        _full(fields, "a", 1),
        _full(fields, "b", 3),
        *(_alone(fields, path) for path in paths(fields)),
        _full(fields, "c", 0),
        _required(fields),
    ]


def paths(fields: Fields) -> list[tuple[str, ...]]:
    """Names down to each leaf."""
    return [
        (field["name"], *below)
        for field in fields
        for below in (paths(field["fields"]) if field.get("fields") else [()])
    ]


def _full(fields: Fields, seed: str, length: int) -> Row:
    return {field["name"]: _of(field, f"{seed}.{field['name']}", length) for field in fields}


def _of(field: Mapping[str, Any], seed: str, length: int) -> Any:
    def one(number: int) -> Any:
        inner = f"{seed}.{number}"
        return _full(field["fields"], inner, length) if field.get("fields") else _value(field["type"], inner)

    # Inside of an array of several each array has one element, or rows would grow with their depth.
    if field.get("mode") == "REPEATED":
        length = min(length, 1) if seed.count(".") > 3 else length
        return [one(number) for number in range(length)]
    return one(0)


def _alone(fields: Fields, path: Sequence[str]) -> Row:
    """A row with a value in one leaf, and in what is required beside it."""
    row = _required(fields)
    field = next(one for one in fields if one["name"] == path[0])
    value = _alone(field["fields"], path[1:]) if field.get("fields") else _value(field["type"], ".".join(path))
    row[field["name"]] = [value] if field.get("mode") == "REPEATED" else value
    return row


def _required(fields: Fields) -> Row:
    return {field["name"]: _of(field, field["name"], 0) for field in fields if field.get("mode") == "REQUIRED"}


def _value(kind: str, seed: str) -> Any:
    return _VALUES[kind](int.from_bytes(hashlib.sha256(seed.encode()).digest()[:6], "big"))


_VALUES: dict[str, Callable[[int], Any]] = {
    "STRING": lambda n: f"text {n} é",
    "INTEGER": lambda n: n - 2**47,
    "FLOAT": lambda n: n / 1024 - 2.0**36,
    "NUMERIC": lambda n: f"{n}.{n % 10**9:09d}",
    "BYTES": lambda n: base64.b64encode(n.to_bytes(6, "big")).decode(),
    "BOOLEAN": lambda n: bool(n % 2),
    "TIMESTAMP": lambda n: f"20{n % 90 + 10}-0{n % 9 + 1}-1{n % 10}T0{n % 10}:00:00.{n % 10**6:06d}Z",
    "DATE": lambda n: f"20{n % 90 + 10}-0{n % 9 + 1}-1{n % 10}",
    "JSON": lambda n: {"n": n, "list": [n % 7, None, "é"]},
}
_VALUES |= {"INT64": _VALUES["INTEGER"], "FLOAT64": _VALUES["FLOAT"], "BOOL": _VALUES["BOOLEAN"]}
