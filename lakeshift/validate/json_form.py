"""JSON by value: the canonical form of RFC 8785, with every digit kept. Pure.

Objects are written with their names sorted by UTF-16 code units, texts with the shortest escapes, numbers as ECMAScript
writes them: https://www.rfc-editor.org/rfc/rfc8785. In one thing this form says more than the RFC, which takes every
number for a double: nothing is rounded. A number that is the shortest text of a double looks as the RFC wants it; any
other, such as 9007199254740993 or 0.1234567890123456789, keeps the digits that the RFC would drop, since two values
that differ in them are not equal. 1.0, 1 and 1e0 are one number, and so are 0 and -0.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

_NUMBER = re.compile(r"(-?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?", re.ASCII)
# Digits before and zeros behind the point up to which ECMAScript writes a number without an exponent.
# https://262.ecma-international.org/#sec-numeric-types-number-tostring
_PLAIN_DIGITS, _PLAIN_ZEROS = 21, -6
# An exponent of more digits is no number of anybody.
_EXPONENT_DIGITS = 18
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
_ESCAPED = re.compile(r'["\\\x00-\x1f]')


@dataclass(frozen=True)
class Number:
    """A number with all its digits: 0.DIGITS times ten to the power of `point`; no digits: zero.

    Attributes:
        digits: without zeros at either end.
        negative: also of a zero that was written -0, which floats tell apart and JSON does not.
    """

    digits: str
    point: int
    negative: bool = False

    @property
    def text(self) -> str:
        """As ECMAScript writes it."""
        if not self.digits:
            return "0"
        return ("-" if self.negative else "") + _laid_out(self.digits, self.point)

    @property
    def plain(self) -> str:
        """Without an exponent, however long that is."""
        if not self.digits:
            return "0"
        whole = self.digits[: max(0, self.point)].ljust(self.point, "0") or "0"
        rest = "0" * -self.point + self.digits[max(0, self.point) :]
        return ("-" if self.negative else "") + whole + (f".{rest}" if rest else "")


Json: TypeAlias = "bool | str | Number | list[Json] | dict[str, Json] | None"


def number(text: str) -> Number:
    """The number that a text stands for, in any of the usual notations. Raises ValueError for any other text."""
    found = _NUMBER.fullmatch(text.strip().removeprefix("+"))
    if not found or not (found[2] or found[3]) or len(found[4] or "") > _EXPONENT_DIGITS:
        raise ValueError("not a number")
    whole, rest = found[2], found[3] or ""
    digits = (whole + rest).lstrip("0")
    point = len(whole) + int(found[4] or 0) - (len(whole + rest) - len(digits))
    kept = digits.rstrip("0")
    return Number(kept, point if kept else 0, bool(found[1]))


def parsed(text: str) -> Json:
    """The value of a JSON text, numbers with all their digits.

    Raises:
        ValueError: it is not JSON, is nested deeper than can be read, or an object has a name twice: RFC 8785 excludes
            that, and engines keep the first, the last, or refuse. The message quotes no value.
    """
    try:
        return json.loads(  # type: ignore[no-any-return]
            text, object_pairs_hook=_object, parse_float=number, parse_int=number, parse_constant=_refused
        )
    except json.JSONDecodeError:
        raise ValueError("not JSON") from None
    except RecursionError:
        raise ValueError("JSON that is nested too deep") from None


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a JSON object with a name twice")
    return found


def _refused(_: str) -> NoReturn:
    raise ValueError("not JSON")


def canonical(value: Json | float) -> str:
    """The canonical text of a value; a Python float is a double, an int is exact.

    Raises:
        ValueError: NaN and infinity have no JSON form, and half of a surrogate pair is no character.
    """
    if isinstance(value, dict):
        names = sorted(value, key=_code_units)
        return "{" + ",".join(f"{_text(name)}:{canonical(value[name])}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    # The shortest text that reads as the same double is Python's and ECMAScript's alike.
    return (value if isinstance(value, Number) else number(repr(value))).text


def canonical_text(text: str) -> str:
    """The canonical form of a JSON text. Raises ValueError as `parsed` and `canonical` do."""
    return canonical(parsed(text))


def _code_units(name: str) -> bytes:
    """What RFC 8785 sorts by; characters beyond the basic plane come before U+E000 then."""
    return name.encode("utf-16-be", "surrogatepass")


def _text(value: str) -> str:
    # Raises UnicodeEncodeError, a ValueError, which would quote the text.
    if not _encodable(value):
        raise ValueError("half of a surrogate pair")
    return '"' + _ESCAPED.sub(lambda found: _ESCAPES.get(found[0]) or f"\\u{ord(found[0]):04x}", value) + '"'


def _encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _laid_out(digits: str, point: int) -> str:
    """Digits and the place of their point as Number::toString of ECMAScript lays them out."""
    if len(digits) <= point <= _PLAIN_DIGITS:
        return digits.ljust(point, "0")
    if 0 < point <= _PLAIN_DIGITS:
        return f"{digits[:point]}.{digits[point:]}"
    if _PLAIN_ZEROS < point <= 0:
        return f"0.{'0' * -point}{digits}"
    exponent = f"e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return digits[:1] + (f".{digits[1:]}" if len(digits) > 1 else "") + exponent
