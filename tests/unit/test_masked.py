"""No value of a row stands in an error that we pass on."""

from __future__ import annotations

import pytest

from lakeshift.masked import masked, sample


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            'invalid input syntax for integer: "anna@x.de"',
            "invalid input syntax for integer: <9 characters: letters, signs>",
        ),
        (
            "Invalid digit, Value 'N', Pos 0, Type: Integer",
            "Invalid digit, Value <1 character: letters>, Pos 0, Type: Integer",
        ),
        ('duplicate key value violates unique constraint "pk"', None),
        ("Key (id)=(4711) already exists.", "Key (id)=(<4 characters: digits>) already exists."),
        ("Bad int64 value: Anna Maria", "Bad int64 value: <10 characters: letters, blanks>"),
        ("int64 overflow: 9223372036854775807 + 1", "int64 overflow: <23 characters: digits, blanks, signs>"),
        (
            'Could not cast literal "4711x" to type DATE at [1:8]',
            "Could not cast literal <5 characters: letters, digits> to type DATE at [1:8]",
        ),
        ("Invalid date: '2020-13-01'", "Invalid date: <10 characters: digits, signs>"),
        ("Value out of range. (value: 99999)", "Value out of range. (value: <5 characters: digits>)"),
        ("it''s 'O''Brien'", "it<0 characters>s <7 characters: letters, signs>"),
        ('relation "shop.orders" does not exist', None),
        ('column "a" of relation "shop"."orders" already exists', None),
        ("Spectrum Scan Error: file 's3://lake/raw/a.parquet' has an incompatible Parquet schema", None),
        ("Length of VARCHAR value is 300 bytes, more than 256", None),
        ("COPY failed Table: 1020", None),
    ],
)
def test_values_are_gone_and_names_stay(text: str, left: str | None) -> None:
    assert masked(text) == (text if left is None else left)
    assert masked(masked(text)) == masked(text)


def test_a_sample_tells_length_and_kinds_only() -> None:
    assert sample("") == "<0 characters>"
    assert sample("é 1") == "<3 characters: letters, digits, blanks, beyond ASCII>"
