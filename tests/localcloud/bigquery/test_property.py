"""Any schema and any rows: loaded as JSON lines, read back equal over gRPC."""

from __future__ import annotations

import base64
import datetime as dt
import itertools
import json
from decimal import Decimal
from typing import Any

from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.localcloud.bigquery.connections import PROJECT, load_lines, read_table

_numbers = itertools.count()
Pair = tuple[Any, Any]
"""A JSON value, and the value that must come back."""


def _same(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Pair]:
    return values.map(lambda v: (v, v))


def _text(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Pair]:
    return values.map(lambda v: (str(v), v))


def _moment(value: dt.datetime) -> Pair:
    return value.isoformat(), value


def _decimal(digits: int, scale: int) -> st.SearchStrategy[Pair]:
    limit = 10**digits - 1
    return st.integers(-limit, limit).map(lambda n: _scaled(n, scale))


def _scaled(unscaled: int, scale: int) -> Pair:
    digits = str(abs(unscaled)).rjust(scale + 1, "0")
    text = f"{'-' if unscaled < 0 else ''}{digits[:-scale]}.{digits[-scale:]}"
    return text, Decimal(text)


VALUES: dict[str, st.SearchStrategy[Pair]] = {
    "INT64": _same(st.integers(-(2**63), 2**63 - 1)),
    "FLOAT64": _same(st.floats(allow_nan=False, allow_infinity=False)),
    "BOOL": _same(st.booleans()),
    "STRING": _same(st.text(st.characters(codec="utf-8"))),
    "BYTES": st.binary().map(lambda v: (base64.b64encode(v).decode(), v)),
    "DATE": _text(st.dates()),
    "TIME": _text(st.times()),
    "DATETIME": st.datetimes().map(_moment),
    "TIMESTAMP": st.datetimes(timezones=st.just(dt.UTC)).map(_moment),
    "NUMERIC": _decimal(38, 9),
    "BIGNUMERIC": _decimal(76, 38),
}


@st.composite
def fields(draw: st.DrawFn, depth: int = 0) -> list[dict[str, Any]]:
    """A schema."""
    kinds = [*VALUES, "RECORD", "RECORD"] if depth < 3 else list(VALUES)
    found = []
    for number in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(kinds))
        field: dict[str, Any] = {
            "name": f"c{number}",
            "type": kind,
            "mode": draw(st.sampled_from(["NULLABLE", "REQUIRED", "REPEATED"])),
        }
        if kind == "RECORD":
            field["fields"] = draw(fields(depth + 1))
        found.append(field)
    return found


def _value(field: dict[str, Any]) -> st.SearchStrategy[Pair]:
    one = _record(field["fields"]) if field["type"] == "RECORD" else VALUES[field["type"]]
    if field["mode"] == "REPEATED":
        return st.lists(one, max_size=4).map(lambda pairs: ([p[0] for p in pairs], [p[1] for p in pairs]))
    return one if field["mode"] == "REQUIRED" else st.one_of(st.just((None, None)), one)


def _record(schema: list[dict[str, Any]]) -> st.SearchStrategy[Pair]:
    parts = st.tuples(*(_value(f) for f in schema))
    names = [f["name"] for f in schema]
    return parts.map(lambda ps: ({n: p[0] for n, p in zip(names, ps)}, {n: p[1] for n, p in zip(names, ps)}))  # noqa: B905


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[Pair]]:
    """A schema with rows."""
    schema = draw(fields())
    return schema, draw(st.lists(_record(schema), max_size=6))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(table=tables())
def test_what_is_loaded_is_read(
    bq: bigquery.Client, reads: BigQueryReadClient, table: tuple[list[dict[str, Any]], list[Pair]]
) -> None:
    schema, rows = table
    bq.create_dataset(f"{PROJECT}.anything", exists_ok=True)
    name = f"{PROJECT}.anything.t{next(_numbers)}"
    load_lines(bq, name, [json.dumps(raw) for raw, _ in rows], schema)
    expected = [value for _, value in rows]
    assert read_table(reads, name, 3).to_pylist() == expected
    assert [dict(r) for r in bq.list_rows(name)] == expected
    assert [dict(r) for r in bq.query_and_wait(f"SELECT * FROM `{name}`")] == expected
