"""Batches on their way to the lake: every form exact, every refusal by name."""

from __future__ import annotations

import base64
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshift.errors import SplitMismatch, ValueUnsupported
from lakeshift.lake.rows import convert, converter, decimal_text, interval_text, schema
from lakeshift.plan.table import column_plan
from lakeshift.types.bigquery import columns


def converted(fields: list[dict[str, Any]], arrays: list[pa.Array]) -> pa.RecordBatch:
    plans = [column_plan(column) for column in columns(fields)]
    batch = pa.RecordBatch.from_arrays(arrays, names=[field["name"] for field in fields])
    result = convert(batch, plans)
    result.validate(full=True)
    assert result.schema == schema(plans)
    return result


def one(kind: str, array: pa.Array, **more: Any) -> list[Any]:
    values: list[Any] = converted([{"name": "C", "type": kind, **more}], [array]).column(0).to_pylist()
    return values


def test_columns_take_their_target_names() -> None:
    assert converted([{"name": "UserId", "type": "INT64"}], [pa.array([1])]).schema.names == ["userid"]


@pytest.mark.parametrize("rows", [3, 0])
def test_what_a_shard_lacks_is_null_and_an_array_empty(rows: int) -> None:
    struct = {"name": "s", "type": "RECORD", "fields": [{"name": "x", "type": "INT64", "mode": "REPEATED"}]}
    array = {"name": "items", "type": "RECORD", "mode": "REPEATED", "fields": [struct, {"name": "y", "type": "STRING"}]}
    fields: list[dict[str, Any]] = [{"name": "id", "type": "INT64"}, {"name": "Note", "type": "STRING"}, struct, array]
    form = converter([column_plan(column) for column in columns(fields)], missing=["Note", "S", "items"])
    found = form(pa.record_batch({"id": pa.array(range(rows), pa.int64())}))
    found.validate(full=True)
    assert found.to_pylist() == [{"id": n, "note": None, "s": None, "items": []} for n in range(rows)]


def test_time_becomes_text_with_all_its_digits() -> None:
    array = pa.array([time(1, 2, 3, 4), None, time(23, 59, 59, 999999)], pa.time64("us"))
    assert one("TIME", array) == ["01:02:03.000004", None, "23:59:59.999999"]


def test_bignumeric_becomes_exact_text() -> None:
    big = Decimal("5" * 38 + "." + "7" * 38)
    array = pa.array([big, Decimal("-0.5"), Decimal(100), None], pa.decimal256(76, 38))
    assert one("BIGNUMERIC", array) == [f"{big:f}", "-0.5", "100", None]


def test_a_declared_scale_is_kept_and_never_rounded() -> None:
    array = pa.array([Decimal("1.50")], pa.decimal128(38, 9))
    assert one("NUMERIC", array, precision="10", scale="2") == [Decimal("1.50")]
    with pytest.raises(ValueUnsupported, match=r"\[C\]"):
        one("NUMERIC", pa.array([Decimal("1.505")], pa.decimal128(38, 9)), precision="10", scale="2")


@pytest.mark.parametrize(
    ("name", "digits", "kind", "wanted"),
    [
        ("NUMERIC", (10, 2), pa.decimal128(10, 2), [Decimal("1.50"), None]),
        ("BIGNUMERIC", (20, 5), pa.decimal256(20, 5), [Decimal("1.50000"), None]),
        ("BIGNUMERIC", (50, 10), pa.decimal256(50, 10), ["1.5", None]),
    ],
)
def test_a_declared_decimal_comes_with_its_own_digits(
    name: str, digits: tuple[int, int], kind: pa.DataType, wanted: list[object]
) -> None:
    array = pa.array([Decimal("1.5"), None], kind)
    assert one(name, array, precision=str(digits[0]), scale=str(digits[1])) == wanted


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((14, 3, 0), "1-2 3 0:0:0"),
        ((-14, -3, -3_661_500_000_000), "-1-2 -3 -1:1:1.5"),
        ((0, 0, 123_456_000), "0-0 0 0:0:0.123456"),
    ],
)
def test_interval_is_canonical_text(value: tuple[int, int, int], text: str) -> None:
    assert interval_text(pa.MonthDayNano(value)) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=-(10**20), max_value=10**20))
def test_decimal_text_reads_back(value: Decimal) -> None:
    text = decimal_text(value)
    assert Decimal(text) == value
    assert "e" not in text.lower()


def test_bytes_are_binary_at_the_top_and_base64_inside() -> None:
    assert one("BYTES", pa.array([b"\x00\xff"])) == [b"\x00\xff"]
    nested = pa.array([{"b": b"\x00\xff"}], pa.struct([("b", pa.binary())]))
    assert one("RECORD", nested, fields=[{"name": "b", "type": "BYTES"}]) == [{"b": "AP8="}]


LEGS = {"type": "RECORD", "mode": "REPEATED", "fields": [
    {"name": "no", "type": "INT64"},
    {"name": "stops", "type": "RECORD", "mode": "REPEATED", "fields": [
        {"name": "at", "type": "TIME"}, {"name": "on", "type": "DATE"}, {"name": "seen", "type": "DATETIME"}]},
]}  # fmt: skip
LEGS_ARROW = pa.list_(
    pa.struct(
        [
            ("no", pa.int64()),
            (
                "stops",
                pa.list_(pa.struct([("at", pa.time64("us")), ("on", pa.date32()), ("seen", pa.timestamp("us"))])),
            ),
        ]
    )
)
STOPS = st.fixed_dictionaries(
    {
        "at": st.none() | st.times(),
        "on": st.none() | st.dates(),
        "seen": st.none() | st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)),  # noqa: DTZ001
    }
)
LEG_VALUES = st.fixed_dictionaries({"no": st.none() | st.integers(-(2**63), 2**63 - 1), "stops": st.lists(STOPS)})


@given(st.lists(st.lists(LEG_VALUES, max_size=3), max_size=6), st.integers(0, 3))
def test_nested_values_keep_their_shape_in_every_slice(rows: list[list[dict[str, Any]]], start: int) -> None:
    array = pa.array(rows, LEGS_ARROW).slice(start)
    expected = [
        [{**leg, "stops": [{**stop, "at": _clock(stop["at"])} for stop in leg["stops"]]} for leg in legs]
        for legs in rows[start:]
    ]
    assert converted([{"name": "c", **LEGS}], [array]).column(0).to_pylist() == expected


def _clock(value: time | None) -> str | None:
    return None if value is None else value.strftime("%H:%M:%S") + f".{value.microsecond:06d}"


def test_null_structs_stay_null() -> None:
    array = pa.array([None, {"d": date(1, 1, 1)}, {"d": None}], pa.struct([("d", pa.date32())]))
    fields = [{"name": "d", "type": "DATE"}]
    assert one("RECORD", array, fields=fields) == [None, {"d": date(1, 1, 1)}, {"d": None}]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_nested_floats_that_json_cannot_hold_are_kept_in_the_lake(bad: float) -> None:
    batch = converted([{"name": "c", "type": "FLOAT64", "mode": "REPEATED"}], [pa.array([[1.0, bad]])])
    assert str(batch.column(0).to_pylist()) == str([[1.0, bad]])


def test_floats_at_the_top_keep_nan_and_infinity() -> None:
    values = one("FLOAT64", pa.array([float("nan"), float("-inf"), None]))
    assert str(values) == "[nan, -inf, None]"


SHIPMENT_LEGS = [{"name": "at", "type": "TIMESTAMP"}, {"name": "tags", "type": "STRING", "mode": "REPEATED"}]
SHIPMENT: list[dict[str, Any]] = [
    {"name": "id", "type": "INT64"},
    {"name": "code", "type": "STRING"},
    {"name": "no", "type": "NUMERIC"},
    {"name": "legs", "type": "RECORD", "mode": "REPEATED", "fields": SHIPMENT_LEGS},
]
LEGS_WIRE = pa.list_(pa.struct([("at", pa.timestamp("us", "UTC")), ("tags", pa.list_(pa.string()))]))


def shipments() -> pa.RecordBatch:
    legs: list[Any] = [[{"at": 1, "tags": ["a", "b"]}], None, [], [{"at": None, "tags": []}, None]]
    arrays = [pa.array([1, 2, None, 4]), pa.array(["x", None, "", "é"]), pa.array([None] * 4, pa.decimal128(38, 9))]
    return pa.RecordBatch.from_arrays([*arrays, pa.array(legs, LEGS_WIRE)], names=["id", "code", "no", "legs"])


def addresses(array: pa.Array) -> list[int]:
    return [buffer.address for buffer in array.buffers() if buffer is not None]


def test_columns_that_need_no_change_are_not_copied() -> None:
    plans = [column_plan(column) for column in columns(SHIPMENT)]
    for batch in (shipments(), shipments().slice(1, 2)):
        result = converter(plans)(batch)
        result.validate(full=True)
        assert result.schema == schema(plans)
        assert result.to_pydict() == batch.to_pydict()
        for before, after in zip(batch.columns, result.columns, strict=True):
            assert addresses(after) == addresses(before)


def test_columns_that_the_plan_does_not_hold_are_not_touched() -> None:
    class Untouched(pa.ExtensionType):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(pa.int64(), "untouched")

        def __arrow_ext_serialize__(self) -> bytes:
            return b""

    plans = [column_plan(column) for column in columns([SHIPMENT[0]])]
    odd = pa.ExtensionArray.from_storage(Untouched(), pa.array([1, 2, 3, 4]))
    result = converter(plans)(shipments().append_column("odd", odd))
    assert result.to_pydict() == {"id": [1, 2, None, 4]}


def test_columns_that_a_shard_lacks_are_null_or_constant() -> None:
    fields = [*SHIPMENT, {"name": "Wide", "type": "BIGNUMERIC"}, {"name": "_table_suffix", "type": "STRING"}]
    plans = [column_plan(column) for column in columns(fields)]
    absent = {field["name"] for field in fields} - {"code", "_table_suffix"}
    convert_all = converter(plans, {"_table_suffix": "20240131"}, absent)
    result = convert_all(shipments().select(["code"]))
    result.validate(full=True)
    assert result.schema == schema(plans)
    assert result["code"].to_pylist() == ["x", None, "", "é"]
    assert result["_table_suffix"].to_pylist() == ["20240131"] * 4
    assert result["legs"].to_pylist() == [[]] * 4
    for name in ("id", "no", "wide"):
        assert result[name].null_count == 4
    assert convert_all(shipments().slice(0, 0)).num_rows == 0


def test_names_are_found_without_regard_to_case() -> None:
    made = converter([column_plan(column) for column in columns([{"name": "Id", "type": "INT64"}])])
    assert made(pa.record_batch({"ID": pa.array([1, 2])}))["id"].to_pylist() == [1, 2]


def test_a_planned_column_that_does_not_come_is_never_taken_for_null() -> None:
    made = converter([column_plan(column) for column in columns([{"name": "a", "type": "INT64"}])])
    with pytest.raises(SplitMismatch, match=r"did not deliver.*\[a\]"):
        made(pa.record_batch({"b": pa.array([1])}))


def test_a_refused_value_is_not_quoted() -> None:
    made = converter([column_plan(column) for column in columns([{"name": "a", "type": "INT64"}])])
    with pytest.raises(ValueUnsupported) as raised:
        made(pa.record_batch({"a": pa.array([1.625])}))
    assert "1.625" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_types_may_change_between_batches() -> None:
    plans = [column_plan(column) for column in columns([{"name": "a", "type": "INT64"}])]
    made = converter(plans)
    assert made(pa.record_batch({"a": pa.array([1], pa.int32())}))["a"].to_pylist() == [1]
    assert made(pa.record_batch({"a": pa.array([2], pa.int64())}))["a"].to_pylist() == [2]
    with pytest.raises(ValueUnsupported, match=r"\[a\]"):
        made(pa.record_batch({"a": pa.array([1.5])}))


BIG = st.integers(-(10**76) + 1, 10**76 - 1) | st.integers(-1000, 1000) | st.integers(-(10**40), 10**40)


@given(st.lists(st.none() | BIG, max_size=20), st.integers(0, 4))
def test_bignumeric_text_is_exact_and_plain(numbers: list[int | None], start: int) -> None:
    values = [None if number is None else Decimal(f"{number}E-38") for number in numbers]
    texts = one("BIGNUMERIC", pa.array(values, pa.decimal256(76, 38)).slice(start))
    assert texts == [None if value is None else decimal_text(value) for value in values[start:]]
    for text, value in zip(texts, values[start:], strict=True):
        if value is not None:
            assert Decimal(text) == value
            assert not text.endswith((".", "-0"))
            assert "." not in text or not text.endswith("0")
            assert "E" not in text


@given(st.lists(st.none() | st.integers(-(10**20), 10**20), max_size=9), st.sampled_from([-5, 0, 3]))
def test_other_scales_of_big_decimals(numbers: list[int | None], scale: int) -> None:
    values = [None if number is None else Decimal(f"{number}E{-scale}") for number in numbers]
    texts = one("BIGNUMERIC", pa.array(values, pa.decimal256(76, scale)))
    assert [text and Decimal(text) for text in texts] == values
    assert texts == [None if value is None else decimal_text(value) for value in values]


INTERVALS = st.tuples(
    st.integers(-120_000, 120_000), st.integers(-4_000_000, 4_000_000), st.integers(-(10**15), 10**15)
)


@given(st.lists(st.none() | INTERVALS, max_size=12), st.integers(0, 3))
def test_interval_text_reads_back(values: list[tuple[int, int, int] | None], start: int) -> None:
    parts = [None if value is None else pa.MonthDayNano((value[0], value[1], value[2] * 1000)) for value in values]
    texts = one("INTERVAL", pa.array(parts, pa.month_day_nano_interval()).slice(start))
    assert [text and _interval(text) for text in texts] == values[start:]


def _interval(text: str) -> tuple[int, int, int]:
    """Months, days, microseconds."""
    year_month, days, clock = text.split(" ")
    years, months = (int(part) for part in year_month.removeprefix("-").split("-"))
    hours, minutes, seconds = clock.removeprefix("-").split(":")
    micros = int(Decimal(int(hours) * 3600 + int(minutes) * 60 + Decimal(seconds)) * 1_000_000)
    sign, turn = (-1 if year_month.startswith("-") else 1), (-1 if clock.startswith("-") else 1)
    return sign * (years * 12 + months), int(days), turn * micros


@given(st.lists(st.lists(st.binary(max_size=30), max_size=3), max_size=6), st.integers(0, 3))
def test_nested_bytes_are_base64(rows: list[list[bytes]], start: int) -> None:
    array = pa.array(rows, pa.list_(pa.binary())).slice(start)
    texts = one("BYTES", array, mode="REPEATED")
    assert [[base64.b64decode(text, validate=True) for text in row] for row in texts] == rows[start:]
