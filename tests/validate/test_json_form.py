"""JSON by value: the vectors of RFC 8785, and every digit beyond what the RFC keeps."""

from __future__ import annotations

import json
import struct
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshift.validate.json_form import canonical, canonical_text, number, parsed

# https://www.rfc-editor.org/rfc/rfc8785#appendix-B: bits of a double, and its text.
DOUBLES = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}


def double(bits: str) -> float:
    return float(struct.unpack(">d", bytes.fromhex(bits))[0])


@pytest.mark.parametrize(("bits", "text"), DOUBLES.items())
def test_doubles_look_as_ecmascript_writes_them(bits: str, text: str) -> None:
    assert canonical(double(bits)) == text
    assert canonical_text(repr(double(bits))) == text


def test_the_example_of_the_rfc() -> None:
    text = r"""{
      "numbers": [333333333.3333333, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }"""
    assert canonical_text(text) == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        r'"string":"€$\u000f\nA' + "'" + r'B\"\\\\\"/"}'
    )


def test_names_are_sorted_by_utf_16_code_units() -> None:
    text = r'{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}'
    assert list(json.loads(canonical_text(text)).values()) == [2, 4, 6, 7, 1, 5, 3]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("9007199254740992", "9007199254740993"),
        ("0.1", "0.10000000000000000000000000000000000001"),
        ("333333333.33333329", "333333333.3333333"),
        ("99999999999999999999999999999999999999", "99999999999999999999999999999999999998"),
        ("1e400", "1e401"),
        ("1e-400", "0"),
        ("[1,2]", "[2,1]"),
        ('{"a":null}', "{}"),
        ('"1"', "1"),
        ("true", '"true"'),
        (r'"\u00e9"', r'"e\u0301"'),
        ('""', "null"),
    ],
)
def test_what_differs_by_value_differs(first: str, second: str) -> None:
    assert canonical_text(first) != canonical_text(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("1", "1.0"),
        ("1", "1e0"),
        ("100", "1E+2"),
        ("-0", "0"),
        ("-0.0e5", "0"),
        ("0.000001", "1e-6"),
        ("123456789012345678901234567890", "1.2345678901234567890123456789e29"),
        (r'"\u00e9\/\u0041"', '"é/A"'),
        ('{"b": [ 1 , 2 ],"a" : {}}', '{"a":{},"b":[1,2]}'),
    ],
)
def test_spelling_does_not_count(first: str, second: str) -> None:
    assert canonical_text(first) == canonical_text(second)


@pytest.mark.parametrize(
    "text",
    ['{"a":1,"a":1}', '{"x":{"a":1,"a":2}}', "NaN", "[Infinity]", "-Infinity", "", "{", "1 2", "[" * 100_000, "'a'"],
)
def test_what_is_no_json_is_refused_without_its_text(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(not JSON|a JSON object with a name twice|JSON that is nested too deep)$"):
        canonical_text(text)


def test_half_a_surrogate_pair_is_no_character() -> None:
    with pytest.raises(ValueError, match=r"^half of a surrogate pair$"):
        canonical_text(r'"\ud800"')


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def shuffled(value: Any) -> Any:
    """The same with names in another order."""
    if isinstance(value, dict):
        return {name: shuffled(value[name]) for name in reversed(value)}
    return [shuffled(one) for one in value] if isinstance(value, list) else value


def exact(value: Any) -> Any:
    """The same with numbers as the texts say them: a double beyond 2^53 is another integer than its shortest text."""
    if isinstance(value, dict):
        return {name: exact(one) for name, one in value.items()}
    if isinstance(value, list):
        return [exact(one) for one in value]
    return Decimal(repr(value)) if isinstance(value, float) else value


@given(VALUES)
def test_the_form_is_one_for_all_spellings_and_stays(value: Any) -> None:
    form = canonical_text(json.dumps(value))
    assert canonical_text(json.dumps(shuffled(value), ensure_ascii=False, indent=1)) == form
    assert canonical_text(form) == form
    assert json.loads(form, parse_int=Decimal, parse_float=Decimal) == exact(value)


@given(st.decimals(allow_nan=False, allow_infinity=False), st.decimals(allow_nan=False, allow_infinity=False))
def test_numbers_are_equal_as_their_values_are(first: Decimal, second: Decimal) -> None:
    assert (number(str(first)).text == number(str(second)).text) == (first == second)
    assert number(number(str(first)).text).text == number(str(first)).text


@given(st.decimals(min_value=-(10**40), max_value=10**40, places=38))
def test_plain_notation_keeps_the_value(value: Decimal) -> None:
    assert Decimal(number(str(value)).plain) == value
    assert "e" not in number(str(value)).plain.lower()


@pytest.mark.parametrize("text", ["", ".", "e5", "1e", "0x1", "1_0", "--1", "nan", "1e9999999999999999999", "٣"])
def test_no_number(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not a number$"):
        number(text)


def test_parsed_keeps_a_negative_zero_apart() -> None:
    assert parsed("-0.0") != parsed("0.0")
