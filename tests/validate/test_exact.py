"""Values are compared by what they mean: whatever is spelled otherwise is equal, whatever is another value differs."""

from __future__ import annotations

import base64
import json
import math
import re
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lakeshift.lake.rows import lake_type
from lakeshift.model import Column, Kind
from lakeshift.validate.canonical import canonical
from lakeshift.validate.exact import ABSENT, Difference, Leaf, Node, differences, of_lake, of_text, shown, token
from lakeshift.validate.wkt import normalised
from tests.validate.tables import TYPED, column


def lake(value: Any, of: Column) -> Node:
    return of_lake(pa.array([value], lake_type(of, nested=False))[0], of)


NUMERIC = column(Kind.DECIMAL, precision=38, scale=9)
BIG = column(Kind.DECIMAL, precision=76, scale=38)
BASE = datetime(2024, 2, 29, 23, 30, 0, 1, tzinfo=UTC)
MICROS = int((BASE - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))

EQUAL: list[tuple[Column, Any, object]] = [
    (column(Kind.BOOLEAN), True, "true"),
    (column(Kind.BOOLEAN), False, False),
    (column(Kind.INT64), -(2**63), "-9223372036854775808"),
    (column(Kind.INT64), 5, 5),
    (column(Kind.FLOAT64), 0.1, "7205759403792794p-56"),
    (column(Kind.FLOAT64), -0.0, "-0"),
    (column(Kind.FLOAT64), 0.0, "0"),
    (column(Kind.FLOAT64), math.nan, "nan"),
    (column(Kind.FLOAT64), -math.inf, "-inf"),
    (column(Kind.FLOAT64), 5e-324, "4503599627370496p-1126"),
    (column(Kind.FLOAT64), 1e23, "1e+23"),
    (column(Kind.FLOAT32), 0.1, "0.1"),
    (column(Kind.FLOAT32), 0.1, "7205759511166976p-56"),
    (NUMERIC, Decimal("-0.5"), "-0.500000000"),
    (NUMERIC, Decimal("99999999999999999999999999999.999999999"), "99999999999999999999999999999.999999999"),
    (NUMERIC, Decimal("0E-9"), "0.000000000"),
    (BIG, "0.00000000000000000000000000000000000001", "0.00000000000000000000000000000000000001"),
    (column(Kind.STRING), "a ", "a "),
    (column(Kind.STRING), "", ""),
    (column(Kind.BYTES), b"\x00\xff", "00ff"),
    (column(Kind.BYTES), b"", ""),
    (column(Kind.DATE), BASE.date(), "19782"),
    (column(Kind.DATE), BASE.date(), "2024-02-29"),
    (column(Kind.TIME), "23:30:00.000001", str(84_600_000_001)),
    (column(Kind.TIME), "23:30:00", "23:30:00.000000"),
    (column(Kind.TIME_ZONED), "23:30:00+01", "22:30:00+00:00"),
    (column(Kind.TIME_ZONED), "00:30:00+01", str(84_600_000_000)),
    (column(Kind.DATETIME), BASE.replace(tzinfo=None), str(MICROS)),
    (column(Kind.DATETIME), BASE.replace(tzinfo=None), "2024-02-29 23:30:00.000001"),
    (column(Kind.TIMESTAMP), BASE, str(MICROS)),
    (column(Kind.TIMESTAMP), BASE, "2024-03-01T01:30:00.000001+02"),
    (column(Kind.TIMESTAMP), BASE, "2024-02-29 18:00:00.000001-05:30"),
    (column(Kind.TIMESTAMP), BASE, "2024-02-29 23:30:00.000001"),
    (column(Kind.TIMESTAMP), BASE, "2024-02-29T23:30:00.000001Z"),
    (column(Kind.DATETIME), BASE.replace(tzinfo=None), "2024-02-29T23:30:00.000001Z"),
    (column(Kind.INTERVAL), "1-2 3 4:5:6", "1-2 3 4:5:6"),
    (column(Kind.JSON), '{"b":1.0,"a":"\\u00e9"}', '{"a":"é","b":1}'),
    (column(Kind.JSON), "null", "null"),
    (column(Kind.JSON), "not json", "not json"),
    (column(Kind.GEOGRAPHY), "POINT(1 2)", "Point (1.0 2e0)"),
    (column(Kind.GEOMETRY), "MULTIPOINT(1 2, 3 4)", "MULTIPOINT((1 2),(3 4))"),
]

DIFFERENT: list[tuple[Column, Any, object]] = [
    (column(Kind.BOOLEAN), True, "false"),
    (column(Kind.BOOLEAN), None, "false"),
    (column(Kind.INT64), 2**53 + 1, str(2**53)),
    (column(Kind.FLOAT64), -0.0, "0"),
    (column(Kind.FLOAT64), math.nextafter(0.1, 1), "0.1"),
    (column(Kind.FLOAT64), math.inf, "nan"),
    (column(Kind.FLOAT32), 0.1, "0.10000001"),
    (NUMERIC, Decimal("0.000000001"), "0"),
    (NUMERIC, Decimal("99999999999999999999999999999.999999999"), "99999999999999999999999999999.999999998"),
    (BIG, "1" * 38 + "." + "1" * 38, "1" * 38 + "." + "1" * 37 + "2"),
    (column(Kind.STRING), "a ", "a"),
    (column(Kind.STRING), "", None),
    (column(Kind.STRING), "é", "e\u0301"),
    (column(Kind.STRING), "null", None),
    (column(Kind.BYTES), b"\x00", ""),
    (column(Kind.DATE), BASE.date(), "19783"),
    (column(Kind.TIME), "23:30:00.000001", "23:30:00"),
    (column(Kind.TIME), "23:30:00", "23:30:00+01"),
    (column(Kind.DATETIME), BASE.replace(tzinfo=None), str(MICROS + 1)),
    (column(Kind.DATETIME), BASE.replace(tzinfo=None), "2024-02-29T23:30:00.000001+01"),
    (column(Kind.TIMESTAMP), BASE, str(MICROS + 3_600_000_000)),
    (column(Kind.TIMESTAMP), BASE, "2024-02-29 23:30:00.0000011"),
    (column(Kind.JSON), '{"a":1}', '{"a":"1"}'),
    (column(Kind.JSON), '{"a":null}', "{}"),
    (column(Kind.JSON), "9007199254740993", "9007199254740992"),
    (column(Kind.JSON), "null", None),
    (column(Kind.JSON), "[1,2]", "[2,1]"),
    (column(Kind.GEOGRAPHY), "POINT(1 2)", "POINT(2 1)"),
    (column(Kind.GEOGRAPHY), "LINESTRING(0 0,1 1)", "LINESTRING(1 1,0 0)"),
    (column(Kind.GEOGRAPHY), "POINT(1 2)", "POINT(1 2.0000000000000004)"),
]


def identified(case: tuple[Column, Any, object]) -> str:
    return f"{case[0].kind.value}-{case[1]}-{case[2]}"


@pytest.mark.parametrize("case", EQUAL, ids=identified)
def test_another_spelling_is_the_same_value(case: tuple[Column, Any, object]) -> None:
    of, mine, theirs = case
    assert list(differences(lake(mine, of), of_text(theirs, of), "v")) == []
    assert token(lake(mine, of)) == token(of_text(theirs, of))


@pytest.mark.parametrize("case", DIFFERENT, ids=identified)
def test_another_value_differs(case: tuple[Column, Any, object]) -> None:
    of, mine, theirs = case
    assert list(differences(lake(mine, of), of_text(theirs, of), "v"))
    assert token(lake(mine, of)) != token(of_text(theirs, of))


ITEM = column(
    Kind.STRUCT,
    column(Kind.STRING, name="sku"),
    column(Kind.DECIMAL, name="price", precision=10, scale=2),
    column(Kind.FLOAT64, name="weight"),
    column(Kind.BYTES, name="tag"),
    column(Kind.TIMESTAMP, name="sold at"),
    column(Kind.JSON, name="doc"),
    name="item",
)
ITEMS = column(Kind.ARRAY, ITEM, name="items")
ROW = {
    "sku": "a",
    "price": Decimal("1.50"),
    "weight": -0.0,
    "tag": "AP8=",
    "sold at": BASE,
    "doc": '{"x": {"y": [1, 2]}}',
}
LOADED = {
    "sku": "a",
    "price": 1.5,
    "weight": -0.0,
    "tag": "AP8=",
    "sold at": "2024-02-29 23:30:00.000001",
    "doc": '{"x":{"y":[1.0,2]}}',
}


def compared(loaded: object, rows: list[Any]) -> list[Difference]:
    return list(differences(lake(rows, ITEMS), of_text(json.dumps(loaded), ITEMS), "items"))


def test_what_the_load_makes_of_nested_values_is_equal() -> None:
    assert compared([LOADED, LOADED], [ROW, ROW]) == []
    assert compared([None, dict.fromkeys(ROW)], [None, dict.fromkeys(ROW)]) == []
    assert of_text(None, ITEMS) is None


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"sku": "b"}, "items[1].sku"),
        ({"price": 1.51}, "items[1].price"),
        ({"price": "1.50"}, "items[1].price"),
        ({"weight": 0.0}, "items[1].weight"),
        ({"tag": "AP4="}, "items[1].tag"),
        ({"sold at": "2024-02-29 22:30:00.000001"}, 'items[1]."sold at"'),
        ({"doc": '{"x":{"y":[1,3]}}'}, "items[1].doc.x.y[1]"),
        ({"doc": {"x": {"y": [1, 2]}}}, "items[1].doc"),
        ({"sku": None}, "items[1].sku"),
        ({"more": 1}, "items[1].more"),
    ],
)
def test_the_innermost_place_is_named(change: dict[str, Any], path: str) -> None:
    (found,) = compared([LOADED, LOADED | change, LOADED], [ROW] * 3)
    assert found.path == path


def test_a_lost_field_is_not_a_null_one() -> None:
    without = {name: value for name, value in LOADED.items() if name != "sku"}
    (found,) = compared([without], [ROW | {"sku": None}])
    assert found == Difference("items[0].sku", None, ABSENT)


def test_a_lost_element_shifts_no_other() -> None:
    rows = [ROW | {"sku": letter} for letter in "abcde"]
    loaded = [LOADED | {"sku": letter} for letter in "abde"]
    (found,) = compared(loaded, rows)
    assert (found.path, found.target) == ("items[2]", ABSENT)
    (found,) = list(differences([Leaf("int64", "1")], [Leaf("int64", "1")] * 2, "v"))
    assert found == Difference("v[1]", ABSENT, Leaf("int64", "1"))


def test_order_of_elements_counts_and_order_of_names_does_not() -> None:
    rows = [ROW | {"sku": "a"}, ROW | {"sku": "b"}]
    swapped = [LOADED | {"sku": "b"}, LOADED | {"sku": "a"}]
    assert [found.path for found in compared(swapped, rows)] == ["items[0].sku", "items[1].sku"]
    assert compared([dict(reversed(LOADED.items()))], [ROW]) == []


def test_a_range_is_compared_by_its_bounds() -> None:
    of = column(Kind.RANGE, column(Kind.DATE, name="element"))
    mine = lake({"start": BASE.date(), "end": None}, of)
    assert list(differences(mine, of_text('{"start":"2024-02-29","end":null}', of), "r")) == []
    (found,) = differences(mine, of_text('{"start":"2024-02-29","end":"2024-03-01"}', of), "r")
    assert found == Difference("r.end", None, Leaf("date", "2024-03-01"))


def test_a_damaged_file_can_be_compared() -> None:
    far = pa.array([2**62], pa.int64()).view(pa.timestamp("us", "UTC"))[0]
    assert of_lake(far, column(Kind.TIMESTAMP)) == Leaf("timestamp", "148108-07-06T14:00:27.387904Z")
    broken = pa.array([b"\xff"], pa.binary()).view(pa.string())[0]
    assert of_lake(broken, column(Kind.STRING)) == Leaf("string", "\udcff")


DEEP = "[" * 900 + "]" * 900


def test_json_nested_too_deep_is_compared_as_text() -> None:
    assert lake(DEEP, column(Kind.JSON)) == of_text(DEEP, column(Kind.JSON))
    assert lake(DEEP, column(Kind.JSON)) != of_text(DEEP[1:-1], column(Kind.JSON))


@given(st.floats(width=64), st.floats(width=64))
def test_floats_are_equal_as_their_bits_are(first: float, second: float) -> None:
    def bits(one: float) -> bytes:
        return struct.pack(">d", math.nan if math.isnan(one) else one)

    of = column(Kind.FLOAT64)
    assert (lake(first, of) == of_text(repr(second), of)) == (bits(first) == bits(second))
    assert lake(first, of) == of_text(scaled(first), of)


def scaled(value: float) -> str:
    """The float as SQL makes it: a mantissa of 53 bits and an exponent."""
    if not math.isfinite(value) or value == 0:
        return {"0.0": "0", "-0.0": "-0"}.get(repr(value), repr(value))
    mantissa, exponent = math.frexp(value)
    return f"{int(mantissa * 2**53)}p{exponent - 53}"


@given(st.datetimes(), st.integers(-14 * 4, 14 * 4))
def test_an_instant_is_the_same_in_every_zone(moment: datetime, quarters: int) -> None:
    of, ahead = column(Kind.TIMESTAMP), timedelta(minutes=15 * quarters)
    if not datetime(2, 1, 1) < moment < datetime(9998, 1, 1):  # noqa: DTZ001
        return
    sign, minutes = ("-" if quarters < 0 else "+"), abs(quarters) * 15
    local = f"{(moment + ahead).isoformat(' ')}{sign}{minutes // 60:02}:{minutes % 60:02}"
    assert lake(moment.replace(tzinfo=UTC), of) == of_text(local, of)


@given(st.binary(max_size=30))
def test_bytes_inside_and_outside_of_nested_values(value: bytes) -> None:
    of = column(Kind.BYTES)
    inside = column(Kind.ARRAY, of)
    text = base64.b64encode(value).decode()
    assert lake(value, of) == of_text(value.hex(), of) == of_text(value, of)
    assert lake([text], inside) == of_text(json.dumps([text]), inside) == [lake(value, of)]


@given(TYPED.flatmap(lambda typed: st.tuples(st.just(typed.column), st.none() | typed.values)))
def test_the_canonical_text_of_a_value_is_read_as_that_value(drawn: tuple[Column, Any]) -> None:
    of, value = drawn
    array = pa.array([value], lake_type(of, nested=False))
    text = canonical(array, of)[0].as_py()
    assert of_lake(array[0], of) == of_text(text, of)


NODES = st.recursive(
    st.none() | st.text(max_size=3).map(lambda text: Leaf("string", text)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab.", max_size=2), inner, max_size=4),
    max_leaves=8,
)


def leaves(node: Node, path: str) -> Iterator[tuple[str, list[str | int]]]:
    """Where the innermost values of a tree stand: paths, and the steps that lead there."""
    if isinstance(node, dict):
        for name, inside in node.items():
            written = name if re.fullmatch(r"\w+", name) else json.dumps(name)
            yield from ((found, [name, *steps]) for found, steps in leaves(inside, f"{path}.{written}"))
    elif isinstance(node, list):
        for place, inside in enumerate(node):
            yield from ((found, [place, *steps]) for found, steps in leaves(inside, f"{path}[{place}]"))
    else:
        yield path, []


@given(NODES, st.data())
def test_one_planted_change_is_exactly_what_is_named(node: Node, data: st.DataObject) -> None:
    places = list(leaves(node, "v"))
    assume(places)
    path, steps = data.draw(st.sampled_from(places))
    planted = Leaf("string", "planted")
    (found,) = differences(node, changed(node, steps, planted), "v")
    assert (found.path, found.target) == (path, planted)


def changed(node: Any, steps: list[str | int], value: Node) -> Any:
    """The tree with another value in one place."""
    if not steps:
        return value
    first, *rest = steps
    copy = node.copy()
    copy[first] = changed(node[first], rest, value)
    return copy


@given(NODES, NODES)
def test_trees_differ_where_their_tokens_do(first: Node, second: Node) -> None:
    assert (token(first) == token(second)) == (first == second) == (not list(differences(first, second, "v")))


def test_shown_is_for_people() -> None:
    assert shown(None) == "NULL"
    assert shown(Leaf("string", "a")) == "a"
    assert shown([{"é": Leaf("int64", "1")}, None]) == '[{"é": "1"}, null]'


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("point(-0 1.50)", "POINT(0.0 1.5)"),
        ("POINT EMPTY", "POINT EMPTY"),
        ("POINT Z (1 2 3)", "POINTZ(1.0 2.0 3.0)"),
        ("POINT(1 2 3)", "POINTZ(1.0 2.0 3.0)"),
        ("POINTM(1 2 3)", "POINTM(1.0 2.0 3.0)"),
        ("SRID=4326;POINT(1 2)", "SRID=4326;POINT(1.0 2.0)"),
        ("SRID=0;POINT(1 2)", "POINT(1.0 2.0)"),
        ("POLYGON ((0 0, 1 0, 1 1, 0 0), (.1 .1, .2 .1, .2 .2, .1 .1))", None),
        ("GEOMETRYCOLLECTION Z (POINT Z (1 2 3), LINESTRING(0 0 0,1 1 1))", None),
        ("MULTIPOLYGON(((0 0,1 0,1 1,0 0)),((5 5,6 5,6 6,5 5)))", None),
    ],
)
def test_well_known_text_has_one_form(text: str, form: str | None) -> None:
    assert normalised(text) == (form or normalised(text))
    assert normalised(normalised(text)) == normalised(text)
    assert normalised(text.lower().replace(",", " ,  ").replace("(", " ( ")) == normalised(text)


@pytest.mark.parametrize(("points", "same"), [(512, False), (513, True)])
def test_shapes_of_many_points_are_compared_by_15_digits(points: int, same: bool) -> None:
    mine, theirs = (
        f"LINESTRING({','.join([f'0.5 {y}'] * points)})" for y in ("1.4142135623730949", "1.41421356237309")
    )
    assert (normalised(mine) == normalised(theirs)) is same
    assert normalised(mine) != normalised(theirs.replace("309)", "308)"))


@pytest.mark.parametrize(
    "text", ["", "POINT", "POINT(", "POINT(1 2))", "POINT(1 x)", "1 2", "POINT(1 2);", "LINESTRING(0 0,1 1 1)"]
)
def test_other_texts_are_no_shapes(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        normalised(text)
