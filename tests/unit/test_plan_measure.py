"""Types by what the values need: the question, and the columns that its answer makes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshift.model import Column, Kind
from lakeshift.plan.measure import Need, measurable, narrowed, needs, question
from lakeshift.types.redshift import type_of

TEXT = Column(name="t`x", kind=Kind.STRING, source_type="STRING")
BYTES = Column(name="b", kind=Kind.BYTES, source_type="BYTES")
BIG = Column(name="n", kind=Kind.DECIMAL, source_type="BIGNUMERIC", precision=76, scale=38)
SMALL = Column(name="s", kind=Kind.DECIMAL, source_type="NUMERIC", precision=38, scale=9)
WHOLE = Column(name="i", kind=Kind.INT64, source_type="INT64")


def target(column: Column) -> str:
    return type_of(column).target


def test_the_question_has_two_numbers_for_each_column_that_can_be_narrower() -> None:
    asked = measurable([TEXT, BYTES, BIG, SMALL, WHOLE])
    assert asked == [TEXT, BYTES, BIG]
    assert question(asked, "(SELECT 1)") == (
        "SELECT MAX(BYTE_LENGTH(`t\\`x`)), 0, MAX(BYTE_LENGTH(`b`)), 0, "
        "MAX(LENGTH(REGEXP_EXTRACT(CAST(`n` AS STRING), r'^-?([0-9]+)'))), "
        "MAX(LENGTH(REGEXP_EXTRACT(CAST(`n` AS STRING), r'\\.([0-9]*[1-9])'))) FROM (SELECT 1)"
    )
    assert needs(asked, [7, 0, None, 0, 3, 12]) == {"t`x": Need(7), "b": Need(0), "n": Need(3, 12)}


@pytest.mark.parametrize(
    ("column", "need", "published", "expected"),
    [
        (TEXT, Need(7), "", "VARCHAR(16)"),
        (TEXT, Need(20), "", "VARCHAR(64)"),
        (TEXT, Need(20), "VARCHAR(32)", "VARCHAR(32)"),
        (TEXT, Need(33), "VARCHAR(32)", "VARCHAR(128)"),
        (TEXT, Need(40_000), "", "VARCHAR(65535)"),
        (TEXT, Need(0), "", "VARCHAR(65535)"),
        (TEXT, Need(3), "VARCHAR(65535)", "VARCHAR(65535)"),
        (TEXT.model_copy(update={"length": 3}), Need(9), "", "VARCHAR(12)"),
        (BYTES, Need(1_000_000), "", "VARBYTE(2097152)"),
        (BYTES.model_copy(update={"length": 10}), Need(4), "", "VARBYTE(10)"),
        (BIG, Need(30, 8), "", "DECIMAL(38,8)"),
        (BIG, Need(30, 9), "", "VARCHAR(80)"),
        (BIG, Need(1, 38), "", "VARCHAR(80)"),
        (BIG, Need(20, 4), "DECIMAL(38,8)", "DECIMAL(38,8)"),
        (BIG, Need(20, 9), "DECIMAL(38,8)", "DECIMAL(38,13)"),
        (BIG, Need(2, 2), "", "DECIMAL(38,6)"),
        (BIG, Need(20, 4), "VARCHAR(80)", "VARCHAR(80)"),
    ],
)
def test_the_type_holds_what_was_found(column: Column, need: Need, published: str, expected: str) -> None:
    assert target(narrowed(column, need, 2.0, published)) == expected


@given(
    st.integers(1, 65_535),
    st.floats(1, 100),
    st.sampled_from(["", "VARCHAR(16)", "VARCHAR(200)", "VARCHAR(65535)"]),
    st.none() | st.integers(1, 10_000),
)
def test_no_text_type_is_too_narrow(size: int, headroom: float, published: str, length: int | None) -> None:
    column = TEXT.model_copy(update={"length": length})
    if length is not None:
        size = min(size, 4 * length)
    width = int(target(narrowed(column, Need(size), headroom, published)).removeprefix("VARCHAR(").removesuffix(")"))
    assert size <= width <= 65_535


@given(st.integers(1, 38), st.integers(0, 38), st.sampled_from(["", "DECIMAL(38,8)", "DECIMAL(20,2)"]))
def test_no_decimal_type_is_too_narrow(size: int, scale: int, published: str) -> None:
    found = narrowed(BIG, Need(size, scale), 2.0, published)
    if target(found).startswith("DECIMAL"):
        assert found.precision is not None
        assert found.scale is not None
        assert scale <= found.scale
        assert size <= found.precision - found.scale
