"""The canonical form: each type against a plain reading of the specification, and the examples of its page."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshift.errors import ValueUnsupported
from lakeshift.lake.checksum import mixed
from lakeshift.lake.farm import NULL_FINGERPRINT, fingerprints
from lakeshift.lake.rows import lake_type
from lakeshift.model import Column, Kind
from lakeshift.types.bigquery import columns
from lakeshift.validate import texts
from lakeshift.validate.canonical import (
    canonical,
    column_fingerprints,
    lane_keys,
    row_fingerprints,
    value_fingerprints,
)
from lakeshift.validate.columns import Checked
from localcloud.redshift.json_parse import parse
from localcloud.redshift.json_text import json_text
from tests.unit.arrow_values import arrays, large, padded
from tests.unit.test_farm import signed

PAGE = Path(__file__).parents[2] / "docs/reference/canonical-form.md"
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a DATETIME has no zone
SCALED = Column(name="n", kind=Kind.DECIMAL, source_type="NUMERIC", precision=38, scale=9)


def column(kind: Kind, **more: Any) -> Column:
    return Column(name="c", kind=kind, source_type=kind.upper(), **more)


def of(array: pa.Array, source: Column) -> list[Any]:
    return [one.decode() if isinstance(one, bytes) else one for one in canonical(array, source).to_pylist()]


def float_text(value: float) -> str:
    """By integers alone."""
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    mantissa, divisor = value.as_integer_ratio()
    power = 1 - divisor.bit_length()
    sign, mantissa = ("-", -mantissa) if mantissa < 0 else ("", mantissa)
    while mantissa < 2**52:
        mantissa, power = mantissa * 2, power - 1
    while mantissa >= 2**53:
        mantissa, power = mantissa // 2, power + 1
    return f"{sign}{mantissa}p{power}"


@given(st.lists(st.none() | st.floats()))
def test_doubles(values: list[float | None]) -> None:
    expected = [None if one is None else float_text(one) for one in values]
    assert of(pa.array(values, pa.float64()), column(Kind.FLOAT64)) == expected


@given(st.lists(st.none() | st.floats(width=32)))
def test_singles(values: list[float | None]) -> None:
    expected = [None if one is None else float_text(one) for one in values]
    assert of(pa.array(values, pa.float32()), column(Kind.FLOAT32)) == expected


@given(st.integers(0, 2**64 - 1), st.integers(0, 63))
def test_each_bit_of_a_double_counts(bits: int, place: int) -> None:
    """All NaNs are one value; nothing else is."""
    pair = [struct.unpack("<d", struct.pack("<Q", one))[0] for one in (bits, bits ^ 1 << place)]
    one, other = of(pa.array(pair, pa.float64()), column(Kind.FLOAT64))
    assert (one != other) or all(map(math.isnan, pair))


EDGES = [2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**38 - 1, 1 - 10**38, 0, 1, -1, 10**18, 999_999_999]


@given(st.integers(1, 38), st.integers(0, 37), st.lists(st.none() | st.integers(1 - 10**38, 10**38 - 1)))
def test_decimals(precision: int, scale: int, values: list[int | None]) -> None:
    scale = min(scale, precision)
    fitting = [one for one in [*values, *EDGES] if one is None or abs(one) < 10**precision]
    numbers = [None if one is None else Decimal(f"{one}E-{scale}") for one in fitting]
    array = pa.array(numbers, pa.decimal128(precision, scale))
    expected = [None if one is None else f"{one:.{scale}f}" for one in numbers]
    assert of(array, column(Kind.DECIMAL, precision=precision, scale=scale)) == expected
    assert of(padded(array, 1, 1), column(Kind.DECIMAL, precision=precision, scale=scale)) == expected


def test_decimals_that_travel_as_text_are_the_text() -> None:
    values = ["1.5", "-0.00000000000000000000000000000000000001", None]
    assert of(pa.array(values), column(Kind.DECIMAL, precision=76, scale=38)) == values


@given(st.lists(st.none() | st.datetimes()))
def test_moments(values: list[datetime | None]) -> None:
    expected = [None if one is None else str((one - EPOCH) // timedelta(microseconds=1)) for one in values]
    assert of(pa.array(values, pa.timestamp("us")), column(Kind.DATETIME)) == expected
    assert of(pa.array(values, pa.timestamp("us", "UTC")), column(Kind.TIMESTAMP)) == expected


@given(st.lists(st.none() | st.dates()))
def test_days(values: list[date | None]) -> None:
    expected = [None if one is None else str(one.toordinal() - date(1970, 1, 1).toordinal()) for one in values]
    assert of(pa.array(values, pa.date32()), column(Kind.DATE)) == expected


def micros(clock: time) -> int:
    return ((clock.hour * 60 + clock.minute) * 60 + clock.second) * 1_000_000 + clock.microsecond


@given(st.lists(st.none() | st.times()))
def test_times_of_day(values: list[time | None]) -> None:
    """As the lake writes them, as people do, and as Arrow has them."""
    expected = [None if one is None else str(micros(one)) for one in values]
    array = pa.array(values, pa.time64("us"))
    for form in (array, array.cast(pa.string()), pa.array([one and one.isoformat() for one in values], pa.string())):
        assert of(form, column(Kind.TIME)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12:00:00+02", "10:00:00"),
        ("00:30:00+01:00", "23:30:00"),
        ("23:30:00-01", "00:30:00"),
        ("01:00:00.000001-00:30", "01:30:00.000001"),
        ("01:00:00+0000", "01:00:00"),
        ("01:00:00.5Z", "01:00:00.500000"),
        ("08:00:00+00:00:30", "07:59:30"),
    ],
)
def test_times_with_a_zone_are_taken_to_utc(text: str, expected: str) -> None:
    found = of(pa.array([None, text]), column(Kind.TIME_ZONED))
    assert found == [None, str(micros(time.fromisoformat(expected)))]


@pytest.mark.parametrize(("kind", "text"), [(Kind.TIME, "25:secret"), (Kind.TIME_ZONED, "12:00:00 secret")])
def test_a_text_that_is_no_time_is_refused_without_its_value(kind: Kind, text: str) -> None:
    one = Checked("at", column(kind), "TIME", "shop.at", ("at",))
    batch = pa.RecordBatch.from_pydict({"at": pa.array(["12:00:00", text])})
    with pytest.raises(ValueUnsupported) as caught:
        column_fingerprints(batch, [one])
    assert "shop.at" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_texts_and_bytes_are_what_they_are() -> None:
    values = ["", " a ", "a", "a ", "é", "e\u0301", "\0", None, "null"]
    assert of(pa.array(values), column(Kind.STRING)) == values
    raw = [b"", b"\xff\x00", None]
    assert canonical(pa.array(raw), column(Kind.BYTES)).to_pylist() == raw
    assert len(set(value_fingerprints(pa.array(values), column(Kind.STRING)).tolist())) == len(values)


@pytest.mark.parametrize("kind", [Kind.INT16, Kind.INT32, Kind.INT64])
def test_integers(kind: Kind) -> None:
    bits = int(kind.removeprefix("int"))
    values = [0, -1, 2 ** (bits - 1) - 1, -(2 ** (bits - 1)), None]
    expected = [None if one is None else str(one) for one in values]
    assert of(pa.array(values, getattr(pa, kind)()), column(kind)) == expected


def is_json(array: pa.Array) -> bool:
    """No leaf is binary, which nested columns have not, or NaN or infinite, which SUPER has not."""
    return all(
        not pa.types.is_binary(leaf.type) and not (pa.types.is_floating(leaf.type) and not _finite(leaf))
        for leaf in _leaves(array)
    )


def _finite(array: pa.Array) -> bool:
    return all(one is None or math.isfinite(one) for one in array.to_pylist())


def _leaves(array: pa.Array) -> list[pa.Array]:
    if pa.types.is_struct(array.type):
        return [leaf for child in array.flatten() for leaf in _leaves(child)]
    return _leaves(array.flatten()) if pa.types.is_list(array.type) else [array]


@settings(max_examples=300)
@given(arrays().filter(is_json))
def test_nested_values_are_the_json_that_copy_makes(array: pa.Array) -> None:
    """The local Redshift writes it independently of the product."""
    expected = json_text(array, "c").to_pylist()
    assert texts.json_texts(array).to_pylist() == expected
    assert texts.json_texts(padded(array, 2, 1)).to_pylist() == expected
    if pa.types.is_nested(array.type):
        assert texts.json_texts(array.cast(large(array.type))).to_pylist() == expected


def test_nested_values_by_hand() -> None:
    kind = pa.struct(
        [
            ("a", pa.list_(pa.int64())),
            ('q"', pa.decimal128(38, 9)),
            ("s", pa.string()),
            ("t", pa.timestamp("us", "UTC")),
            ("d", pa.date32()),
            ("b", pa.bool_()),
            ("n", pa.struct([("x", pa.float64())])),
        ]
    )
    moment = datetime(2024, 3, 31, 1, 30, 0, 5, UTC)
    rows = [
        {
            "a": [1, None],
            'q"': Decimal("1E-9"),
            "s": 'é"\\\n\x01/',
            "t": moment,
            "d": date(1, 1, 1),
            "b": True,
            "n": {"x": 0.1},
        },
        {"a": [], 'q"': None, "s": "", "t": None, "d": None, "b": False, "n": None},
        None,
    ]  # fmt: skip
    assert of(pa.array(rows, kind), column(Kind.STRUCT)) == [
        '{"a":[1,null],"q\\"":0.000000001,"s":"é\\"\\\\\\n\\u0001/","t":"2024-03-31 01:30:00.000005",'
        '"d":"0001-01-01","b":true,"n":{"x":0.1}}',
        '{"a":[],"q\\"":null,"s":"","t":null,"d":null,"b":false,"n":null}',
        None,
    ]


def test_an_object_without_fields() -> None:
    assert texts.json_texts(pa.array([{}, None], pa.struct([]))).to_pylist() == ["{}", None]


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=300)
@given(st.lists(st.none() | st.tuples(JSONS, st.booleans(), st.sampled_from([None, 1, "\t", " \r\n"])), max_size=8))
def test_json_loses_its_blanks_and_nothing_else(values: list[tuple[Any, bool, Any] | None]) -> None:
    """With and without escapes, indented and not; the local Redshift's JSON_PARSE says what is expected."""
    written = [one and json.dumps(one[0], ensure_ascii=one[1], indent=one[2]) for one in values]
    encodable = [one if one is None or _encodes(one) else None for one in written]
    expected = [None if one is None else parse(one) for one in encodable]
    array = pa.array(encodable, pa.string())
    assert of(array, column(Kind.JSON)) == expected
    assert of(padded(array, 1, 2), column(Kind.JSON)) == expected


def _encodes(text: str) -> bool:
    try:
        parse(text).encode()
    except UnicodeEncodeError:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (' { "a b" : [ 1.0 , 1e5 ] } ', '{"a b":[1.0,1e5]}'),
        ('{"b":1,"a":2}', '{"b":1,"a":2}'),
        ('"\\u00e9\\/\\n \\"x y"', '"é/\\n \\"x y"'),
        ("null", "null"),
    ],
)
def test_json_by_hand(text: str, expected: str) -> None:
    assert of(pa.array([text, None, '["no  blank"]']), column(Kind.JSON)) == [expected, None, '["no  blank"]']


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("POINT (1 2)", "POINT(1 2)"),
        ("point(1.50 -0.0)", "POINT(1.5 -0)"),
        ("LINESTRING(0 0 , 1e-7 +2.)", "LINESTRING(0 0,9.9999999999999995e-08 2)"),
        ("GEOMETRYCOLLECTION ( POINT(1 1), LINESTRING (0 0, 10 0.05) )",
         "GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,10 0.050000000000000003))"),
        ("GEOMETRYCOLLECTION EMPTY", "GEOMETRYCOLLECTION EMPTY"),
        ("POINT Z (1 2 3)", "POINT Z(1 2 3)"),
        ("POINT(-122.084051 37.385348)", "POINT(-122.084051 37.385348)"),
    ],
)  # fmt: skip
def test_shapes(text: str, expected: str) -> None:
    assert of(pa.array([None, text]), column(Kind.GEOGRAPHY)) == [None, expected]
    assert of(pa.array([text]), column(Kind.GEOMETRY)) == [expected]


REPEATED: list[tuple[pa.DataType, Column, list[Any]]] = [
    (pa.float64(), column(Kind.FLOAT64), [0.0, -0.0, float("nan"), 1.5, None]),
    (pa.float32(), column(Kind.FLOAT32), [0.0, -0.0, float("nan"), 1.5, None]),
    (pa.bool_(), column(Kind.BOOLEAN), [True, False, None]),
    (pa.int16(), column(Kind.INT16), [1, None]),
    (pa.int64(), column(Kind.INT64), [1, -1]),
    (pa.decimal128(38, 9), SCALED, [Decimal("0.5"), None, Decimal("-0.5")]),
    (pa.string(), column(Kind.STRING), ["", None, "a", "a "]),
    (pa.binary(), column(Kind.BYTES), [b"", None, b"\0"]),
    (pa.date32(), column(Kind.DATE), [date(2024, 1, 1), None]),
    (pa.string(), column(Kind.TIME), ["12:00:00", None]),
    (pa.timestamp("us"), column(Kind.DATETIME), [datetime(2024, 1, 1), None]),  # noqa: DTZ001
    (pa.timestamp("us", "UTC"), column(Kind.TIMESTAMP), [datetime(2024, 1, 1, tzinfo=UTC), None]),
    (pa.string(), column(Kind.JSON), ["{ }", None]),
    (pa.list_(pa.int64()), column(Kind.ARRAY, fields=(column(Kind.INT64),)), [[1, 2], [], None]),
    (pa.string(), column(Kind.STRING), [None]),
]


@pytest.mark.parametrize(("kind", "source", "values"), REPEATED, ids=lambda one: str(one)[:20])
def test_values_that_repeat_are_made_once_and_the_same(kind: pa.DataType, source: Column, values: list[Any]) -> None:
    array = pa.array(values * 5_000, kind)
    expected = [value_fingerprints(pa.array([one], kind), source)[0] for one in values] * 5_000
    assert value_fingerprints(array, source).tolist() == expected
    assert value_fingerprints(array.slice(1, 6_000), source).tolist() == expected[1:6_001]


def test_rows_by_the_formula() -> None:
    generator = np.random.default_rng(3)
    prints = [generator.integers(-(2**63), 2**63, 50) for _ in range(7)]
    keys = lane_keys(7)
    for row, found in enumerate(row_fingerprints(prints).tolist()):
        values = [int(column[row]) for column in prints]
        a = sum((one & 0x7FFFFFFF) * key for one, (key, _) in zip(values, keys, strict=True))
        b = sum((one >> 31 & 0x7FFFFFFF) * key for one, (_, key) in zip(values, keys, strict=True))
        assert found == fingerprints(pa.array([f"{a},{b}"]))[0]


def test_keys() -> None:
    """Odd, below 2^21, no pair twice, the same whatever comes after; no sum of 1,600 columns leaves 63 bits."""
    keys = lane_keys(2_048)
    assert all(one % 2 and 0 < one < 2**21 for pair in keys for one in pair)
    assert len(set(keys)) == len(keys)
    assert lane_keys(3) == keys[:3]
    number = mixed(0x9E3779B97F4A7C15)
    assert keys[0] == (number & 0x1FFFFF | 1, number >> 21 & 0x1FFFFF | 1)
    assert max(sum(pair[lane] * (2**31 - 1) for pair in keys[:1_600]) for lane in (0, 1)) < 2**63


def test_the_place_of_a_value_counts() -> None:
    one, other = np.array([1, 5]), np.array([5, 1])
    found = row_fingerprints([one, other])
    assert found[0] != found[1]
    assert row_fingerprints([one, one])[0] != row_fingerprints([one, one, one])[0]


def test_rows_without_columns() -> None:
    (expected,) = fingerprints(pa.array(["0,0"]))
    assert row_fingerprints([], 3).tolist() == [expected] * 3


def _bytes(text: str) -> bytes:
    return text.encode().decode("unicode_escape").encode("latin-1")


PERSON: list[dict[str, Any]] = [
    {"name": "name", "type": "STRING"},
    {"name": "paid", "type": "NUMERIC", "precision": 5, "scale": 2},
    {"name": "days", "type": "DATE", "mode": "REPEATED"},
    {"name": "key", "type": "BYTES"},
]
RANGE = {"type": "RANGE", "rangeElementType": {"type": "DATE"}}
# Types of the page: a field of BigQuery, or a column where it has no such type; and what reads a value.
READ: dict[str, tuple[dict[str, Any] | Column, Callable[[str], Any]]] = {
    "BOOL": ({"type": "BOOL"}, {"true": True, "false": False}.__getitem__),
    "INT64": ({"type": "INT64"}, int),
    "FLOAT64": ({"type": "FLOAT64"}, float),
    "FLOAT32": (column(Kind.FLOAT32), float),
    "NUMERIC": ({"type": "NUMERIC"}, Decimal),
    "NUMERIC(5,2)": (PERSON[1], Decimal),
    "BIGNUMERIC": ({"type": "BIGNUMERIC"}, str),
    "STRING": ({"type": "STRING"}, str),
    "BYTES": ({"type": "BYTES"}, _bytes),
    "DATE": ({"type": "DATE"}, date.fromisoformat),
    "TIME": ({"type": "TIME"}, str),
    "TIME with zone": (column(Kind.TIME_ZONED), str),
    "DATETIME": ({"type": "DATETIME"}, datetime.fromisoformat),
    "TIMESTAMP": ({"type": "TIMESTAMP"}, datetime.fromisoformat),
    "INTERVAL": ({"type": "INTERVAL"}, str),
    "JSON": ({"type": "JSON"}, str),
    "GEOGRAPHY": ({"type": "GEOGRAPHY"}, str),
    "ARRAY of INT64": ({"type": "INT64", "mode": "REPEATED"}, json.loads),
    "RANGE of DATE": (RANGE, lambda text: _dates(json.loads(text))),
    "STRUCT": ({"type": "RECORD", "fields": PERSON}, lambda text: _person(json.loads(text))),
}


def _dates(bounds: dict[str, str | None]) -> dict[str, date | None]:
    return {name: None if one is None else date.fromisoformat(one) for name, one in bounds.items()}


def _person(found: dict[str, Any]) -> dict[str, Any]:
    return {**found, "paid": Decimal(found["paid"]), "days": [date.fromisoformat(one) for one in found["days"]]}


def read(name: str, text: str) -> tuple[pa.Array, Column]:
    """A value of the page as the lake has it."""
    field, of_text = READ[name]
    source = field if isinstance(field, Column) else columns([{"name": "c", **field}])[0]
    return pa.array([None if text == "NULL" else of_text(text)], lake_type(source, nested=False)), source


def table(head: str) -> list[list[str]]:
    """The rows of a table of the page, marks of code taken off."""
    lines = PAGE.read_text().split(head)[1].split("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [[cell[1:-1] if cell.startswith("`") else cell for cell in row] for row in rows]


@pytest.mark.parametrize("row", table("| type | value | text | fingerprint |"), ids=lambda row: f"{row[0]} {row[1]}")
def test_examples_of_the_page(row: list[str]) -> None:
    name, given_, text, expected = row
    array, source = read(name, given_)
    found = canonical(array, source).to_pylist()[0]
    assert found == (None if text == "none" else _bytes(text) if name == "BYTES" else text)
    assert value_fingerprints(array, source).tolist() == [int(expected)]
    raw = found.encode() if isinstance(found, str) else found
    assert int(expected) == (NULL_FINGERPRINT if raw is None else signed(raw))


def test_every_type_has_an_example() -> None:
    assert {row[0] for row in table("| type | value | text | fingerprint |")} == set(READ)


def test_keys_and_the_row_of_the_page() -> None:
    keys = table("| k | key(k) | key'(k) |")
    assert [tuple(map(int, row[1:])) for row in keys] == list(lane_keys(len(keys)))
    values = [value_fingerprints(*read("INT64", "1")), value_fingerprints(*read("STRING", "a")),
              value_fingerprints(*read("DATE", "NULL"))]  # fmt: skip
    ((text, expected),) = table("| a and b as text | fingerprint |")
    assert fingerprints(pa.array([text])).tolist() == [int(expected)]
    assert row_fingerprints(values).tolist() == [int(expected)]
    assert f"{NULL_FINGERPRINT}" in PAGE.read_text()
