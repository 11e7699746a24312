"""Batches on their way to the lake: every form exact, every refusal by name."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshift.errors import ValueUnsupported
from lakeshift.lake.rows import convert, decimal_text, interval_text, schema
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
def test_nested_floats_that_json_cannot_hold_are_refused(bad: float) -> None:
    with pytest.raises(ValueUnsupported, match=r"c\[\]"):
        converted([{"name": "c", "type": "FLOAT64", "mode": "REPEATED"}], [pa.array([[1.0, bad]])])


def test_floats_at_the_top_keep_nan_and_infinity() -> None:
    values = one("FLOAT64", pa.array([float("nan"), float("-inf"), None]))
    assert str(values) == "[nan, -inf, None]"
