"""Columns of every logical type, and rows whose values are easily damaged without being noticed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from random import Random
from typing import Any

import pyarrow as pa

from lakeshift.model import Column, Kind
from lakeshift.types.bigquery import columns

CITY = [{"name": "city", "type": "STRING"}, {"name": "zip", "type": "STRING"}]
PERSON = [
    {"name": "name", "type": "STRING"},
    {"name": "age", "type": "INT64"},
    {"name": "score", "type": "FLOAT64"},
    {"name": "paid", "type": "NUMERIC"},
    {"name": "big", "type": "BIGNUMERIC"},
    {"name": "born", "type": "DATE"},
    {"name": "seen", "type": "TIMESTAMP"},
    {"name": "key", "type": "BYTES"},
    {"name": "member", "type": "BOOL"},
    {"name": "home", "type": "RECORD", "fields": CITY},
]
ITEM = [
    {"name": "sku", "type": "STRING"},
    {"name": "n", "type": "INT64"},
    {"name": "price", "type": "NUMERIC"},
    {"name": "tags", "type": "STRING", "mode": "REPEATED"},
]
FIELDS: list[dict[str, Any]] = [
    {"name": "id", "type": "INT64", "mode": "REQUIRED"},
    {"name": "flag", "type": "BOOL"},
    {"name": "whole", "type": "INT64"},
    {"name": "other", "type": "INT64"},
    {"name": "ratio", "type": "FLOAT64"},
    {"name": "amount", "type": "NUMERIC"},
    {"name": "huge", "type": "BIGNUMERIC"},
    {"name": "name", "type": "STRING"},
    {"name": "note", "type": "STRING"},
    {"name": "long", "type": "STRING"},
    {"name": "raw", "type": "BYTES"},
    {"name": "day", "type": "DATE"},
    {"name": "clock", "type": "TIME"},
    {"name": "local", "type": "DATETIME"},
    {"name": "at", "type": "TIMESTAMP"},
    {"name": "took", "type": "INTERVAL"},
    {"name": "span", "type": "RANGE", "rangeElementType": {"type": "DATE"}},
    {"name": "doc", "type": "JSON"},
    {"name": "place", "type": "GEOGRAPHY"},
    {"name": "person", "type": "RECORD", "fields": PERSON},
    {"name": "items", "type": "RECORD", "mode": "REPEATED", "fields": ITEM},
    {"name": "words", "type": "STRING", "mode": "REPEATED"},
    {"name": "numbers", "type": "INT64", "mode": "REPEATED"},
]
# Types that other sources than BigQuery have.
MORE = (
    Column(name="small", kind=Kind.INT16, source_type="smallint"),
    Column(name="middle", kind=Kind.INT32, source_type="integer"),
    Column(name="single", kind=Kind.FLOAT32, source_type="real"),
    Column(name="shape", kind=Kind.GEOMETRY, source_type="geometry"),
    Column(name="zoned", kind=Kind.TIME_ZONED, source_type="time with time zone"),
)
COLUMNS = (*columns(FIELDS), *MORE)
ROWS = 20

LONG = "x" * 65_534 + "y"
BASE: dict[str, Any] = {
    "flag": False,
    "whole": 0,
    "other": 1,
    "ratio": 0.1,
    "amount": Decimal("12345678901234567890123456789.123456789"),
    "huge": Decimal("12345678901234567890123456789012345678.12345678901234567890123456789012345678"),
    "name": "Zoé  Köln ",
    "note": "",
    "long": "short",
    "raw": b"\x00\x01\xfe\x00",
    "day": date(2024, 3, 4),
    "clock": time(23, 59, 59, 999_999),
    "local": datetime(2024, 3, 31, 2, 30, 0, 123_456),  # noqa: DTZ001 - a DATETIME has no zone
    "at": datetime(2024, 3, 31, 1, 30, 0, 123_456, UTC),
    "took": pa.MonthDayNano([14, -3, 4_500_000_000]),
    "span": {"start": date(2024, 1, 1), "end": None},
    "doc": '{"a": [1, 2, {"b": null}], "n": 9007199254740993, "t": "x"}',
    "place": "POINT(7.125 50.75)",
    "person": {
        "name": "Ada",
        "age": 36,
        "score": 0.30000000000000004,
        "paid": Decimal("10.500000000"),
        "big": Decimal("0.00000000000000000000000000000000000001"),
        "born": date(1815, 12, 10),
        "seen": datetime(2024, 3, 31, 1, 30, 0, 1, UTC),
        "key": b"\x01\x02\x03",
        "member": True,
        "home": {"city": "London", "zip": None},
    },
    "items": [
        {"sku": "a", "n": 1, "price": Decimal("1.100000000"), "tags": ["x", "y"]},
        {"sku": "b", "n": 2, "price": Decimal("2.200000000"), "tags": []},
    ],
    "words": ["one", "two", "three"],
    "numbers": [1, 2, 3],
    "small": 7,
    "middle": 70_000,
    "single": 1.5,
    "shape": "LINESTRING(0 0,1 1)",
    "zoned": "12:00:00+02",
}
# What differs from the base, by the key of the row.
SPECIAL: dict[int, dict[str, Any]] = {
    2: {name: None for name in BASE if name not in {"items", "words", "numbers"}},
    3: {"whole": 2**63 - 2, "ratio": 0.0, "amount": Decimal("0.000000000"), "note": "abc", "day": date(1, 1, 1)},
    4: {"whole": -(2**63), "ratio": float("nan"), "name": "null", "raw": b"", "items": [], "words": []},
    5: {"whole": 2**53, "ratio": 5e-324, "name": "Ａscii", "flag": True, "numbers": []},
    6: {"ratio": 1e300, "long": LONG, "day": date(9999, 12, 31), "person": None},
    7: {"ratio": float("inf"), "name": "a\tb\r\nc", "at": datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)},
    8: {"whole": 8, "other": 9, "name": "left", "note": "right", "flag": True},
    9: {"whole": 18, "other": 19, "name": "LEFT", "note": "RIGHT"},
    10: {"person": dict.fromkeys(BASE["person"]), "doc": "null", "span": {"start": None, "end": None}},
    11: {"ratio": -1.7976931348623157e308, "amount": Decimal("-0.000000001"), "doc": "[]"},
    12: {
        "ratio": 2.0,
        "single": 16777216.0,
        "doc": '{"k": 1, "l": {"m": "é", "o": 1.5}}',
        "person": {**BASE["person"], "age": -1},
    },
    # The sum of the greatest floats is none.
    13: {"ratio": 1.7976931348623157e308, "single": 3.4028234663852886e38},
    14: {"ratio": 1.7976931348623157e308, "single": 3.4028234663852886e38},
}


def row(key: int) -> dict[str, Any]:
    """The row with a key."""
    if key in SPECIAL or key == 1:
        return {**BASE, "id": key, **SPECIAL.get(key, {})}
    return _random(key)


def _random(key: int) -> dict[str, Any]:
    """A row that no fault is planted in."""
    random = Random(key)  # noqa: S311 - test data
    item = {"sku": f"s{key}", "n": key, "price": Decimal(key).scaleb(-2), "tags": [str(key)] * (key % 3)}
    return {
        **BASE,
        "id": key,
        "flag": key % 3 == 0,
        "whole": random.getrandbits(60),
        "other": random.getrandbits(20),
        "ratio": random.random(),
        "amount": Decimal(random.getrandbits(90)).scaleb(-9),
        "name": f"name {key}",
        "note": None if key % 4 else "",
        "raw": random.randbytes(key % 9),
        "items": [item] * (key % 4),
        "words": [str(random.getrandbits(8)) for _ in range(key % 5)],
        "doc": f'{{"n": {key}, "s": "{key}"}}',
    }


def rows() -> list[dict[str, Any]]:
    """All rows, in the order of their keys."""
    return [row(key) for key in range(1, ROWS + 1)]


@dataclass(frozen=True)
class Form:
    """Some of the columns, and what becomes of nested ones; few columns, since each question names all of them."""

    names: tuple[str, ...]
    nested: dict[str, Any] | None = None

    @property
    def columns(self) -> tuple[Column, ...]:
        """The key and the named columns."""
        return tuple(one for one in COLUMNS if one.name in {"id", *self.names})


FORMS = {
    "floats": Form(("ratio", "single")),
    "integers": Form(("flag", "whole", "other", "small", "middle")),
    "decimals": Form(("amount", "huge")),
    "texts": Form(("name", "note", "raw")),
    "long texts": Form(("long",)),
    "days": Form(("day", "clock", "zoned", "took", "span")),
    "moments": Form(("local", "at")),
    "documents": Form(("doc", "place", "shape")),
    "structs": Form(("person",)),
    "arrays": Form(("items", "words", "numbers")),
    "flat": Form(("person", "words"), {"columns": {"person": "flatten"}}),
    "children": Form(("name", "items"), {"columns": {"items": "child_table"}}),
    "keyed": Form(("name", "items"), {"columns": {"items": "child_table"}, "key": ["id"]}),
    "json text": Form(("person", "items", "doc"), {"default": "json_text"}),
}


def form_of(column: str) -> str:
    """The form that has a column as it is."""
    return next(name for name, form in FORMS.items() if column in form.names and form.nested is None)
