"""Texts of whole columns at a time: decimals, nested values as JSON, JSON without blanks, WKT. Pure.

The JSON of nested values is what COPY with SERIALIZETOJSON makes of them and JSON_SERIALIZE prints: fields in their
order, no blanks, all digits, every moment as `YYYY-MM-DD hh:mm:ss.ffffff` (instants in UTC).
https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakeshift.lake import layout
from lakeshift.validate import wkt

if TYPE_CHECKING:
    # The layer leaves NumPy's typing out.
    import numpy.typing as npt

_DECIMAL_BITS = 128
_INT64_DIGITS = 18
_TEXT = pa.large_string()
# Written as a letter behind a backslash; what else is a control character goes through Python.
_ESCAPES = (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"))
_CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f]"
_ABOVE_CONTROLS = 32
_BLANKS = np.isin(np.arange(256), [*b" \t\r\n"])
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|[ \t\r\n]+')


def decimal_texts(array: pa.Array) -> pa.Array:
    """Digits with exactly the type's scale after the point, and at least one before it."""
    scale, numbers = array.type.scale, _unscaled(array)
    if scale <= 0:
        return numbers
    negative = pc.starts_with(numbers, "-")
    signed = pc.any(negative).as_py()
    digits = pc.utf8_ltrim(numbers, "-") if signed else numbers
    if (pc.min(pc.binary_length(digits)).as_py() or 0) <= scale:
        digits = pc.utf8_lpad(digits, scale + 1, "0")
    found = pc.binary_replace_slice(digits, -scale, -scale, ".")
    return pc.if_else(negative, pc.binary_join_element_wise("-", found, ""), found) if signed else found


def _unscaled(array: pa.Array) -> pa.Array:
    """The digits as if there were no point."""
    if array.type.bit_width != _DECIMAL_BITS:
        array = array.cast(pa.decimal128(array.type.precision, array.type.scale))
    words = layout.fixed(array, np.int64, 2)
    low = np.ascontiguousarray(words[:, 0])
    if array.type.precision <= _INT64_DIGITS or not (low >> 63 != words[:, 1]).any():
        return pa.array(low, mask=layout.nulls(array)).cast(pa.string())
    # Without a scale Arrow writes no power of ten.
    whole = pa.decimal128(array.type.precision, 0)
    return pa.Array.from_buffers(whole, len(array), array.buffers(), array.null_count, array.offset).cast(pa.string())


def json_texts(array: pa.Array) -> pa.Array:
    """JSON of each value, as large_string; NULL stays NULL, inside a value it is `null`."""
    array = layout.plain(array)
    return _where_there(array, _joined(_pieces(array)))


_Pieces = list[str | pa.Array]


def _pieces(array: pa.Array) -> _Pieces:
    """What makes the JSON of each value one behind the other: texts that are the same in all, and columns of texts."""
    kind = array.type
    if pa.types.is_struct(kind):
        return _object(array)
    if layout.is_list(kind):
        return _list(array)
    if layout.is_text(kind):
        return ['"', _escaped(array.cast(_TEXT)), '"']
    if pa.types.is_decimal(kind):
        return [decimal_texts(array).cast(_TEXT)]
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_floating(kind):
        return [_number_texts(array)]
    moment = array.cast(pa.timestamp("us")) if pa.types.is_timestamp(kind) else array
    return ['"', moment.cast(_TEXT), '"']


def _number_texts(array: pa.Array) -> pa.Array:
    text = array.cast(_TEXT)
    if not pa.types.is_floating(array.type):
        return text
    # As an integer it would lose its sign.
    return pc.if_else(pc.equal(text, pa.scalar("-0", _TEXT)), pa.scalar("-0.0", _TEXT), text)


def _inside(array: pa.Array, hidden: int) -> _Pieces:
    """The pieces of a field; `hidden` of them are NULL only because the whole is, which is NULL whatever they are."""
    array = layout.plain(array)
    return [json_texts(array).fill_null("null")] if array.null_count > hidden else _pieces(array)


def _joined(pieces: _Pieces) -> pa.Array:
    parts: _Pieces = []
    for is_text, group in groupby(pieces, lambda one: isinstance(one, str)):
        found = list(group)
        parts += [pa.scalar("".join(found), _TEXT)] if is_text else found
    return pc.binary_join_element_wise(*parts, pa.scalar("", _TEXT)) if len(parts) > 1 else parts[0]


def _object(array: pa.Array) -> _Pieces:
    pieces: _Pieces = ["{"]
    for place, (field, child) in enumerate(zip(array.type, array.flatten(), strict=True)):
        pieces.append(f"{',' if place else ''}{json.dumps(field.name, ensure_ascii=False)}:")
        pieces += _inside(child, array.null_count)
    # An object without fields has no column that says how many there are.
    return [*pieces, "}"] if array.type.num_fields else [pa.repeat(pa.scalar("{}", _TEXT), len(array))]


def _list(array: pa.Array) -> _Pieces:
    bounds, elements = layout.elements(array)
    lists = pa.LargeListArray.from_arrays(pa.array(bounds), json_texts(elements).fill_null("null"))
    return ["[", pc.binary_join(lists, pa.scalar(",", _TEXT)), "]"]


def _escaped(text: pa.Array) -> pa.Array:
    there, found = _bytes(text), text
    for plain, escape in _ESCAPES:
        if (there == ord(plain)).any():
            found = pc.replace_substring(found, plain, escape)
    if not (there < _ABOVE_CONTROLS).any():
        return found
    odd = pc.match_substring_regex(text, _CONTROL)
    return _mended(found, text, odd, lambda one: json.dumps(one, ensure_ascii=False)[1:-1])


def _bytes(text: pa.Array) -> npt.NDArray[np.uint8]:
    """The bytes of all texts, one behind the other."""
    bounds, data = layout.offsets(text), text.buffers()[2]
    return np.frombuffer(data or b"", np.uint8)[bounds[0] : bounds[-1]]


def _mended(found: pa.Array, text: pa.Array, odd: pa.Array, way: Callable[[str], str]) -> pa.Array:
    """What was found, but for the odd texts, which Python takes one by one."""
    if not pc.any(odd).as_py():
        return found
    # Half of a surrogate pair can stand in an escape; it has bytes, though no valid ones.
    anew = [way(one).encode(errors="surrogatepass") for one in text.filter(odd).to_pylist()]
    return pc.replace_with_mask(found, odd, pa.array(anew, pa.large_binary()).view(_TEXT))


def _where_there(array: pa.Array, text: pa.Array) -> pa.Array:
    return pc.if_else(array.is_valid(), text, pa.scalar(None, _TEXT)) if array.null_count else text


def compact_json(text: pa.Array) -> pa.Array:
    """JSON texts without blanks between their tokens, and with the shortest escapes; order and numbers stay."""
    text = text.cast(_TEXT)
    escapes = pc.match_substring(text, "\\")
    # Where no text has a backslash, every quotation mark begins or ends a string.
    bare = pc.if_else(escapes, pa.scalar("", _TEXT), text) if pc.any(escapes).as_py() else text
    return _mended(_without_blanks(bare), text, escapes, lambda one: _TOKENS.sub(_token, one))


def _token(found: re.Match[str]) -> str:
    token = found[0]
    if not token.startswith('"'):
        return ""
    return json.dumps(json.loads(token, strict=False), ensure_ascii=False) if "\\" in token else token


def _without_blanks(text: pa.Array) -> pa.Array:
    found, bounds = _bytes(text), layout.offsets(text)
    blank = _BLANKS[found]
    if not blank.any():
        return text
    # Each text has an even number of marks, so that one after another all start outside of a string.
    blank &= np.bitwise_xor.accumulate(found == ord('"')) == 0
    before = np.zeros(len(found) + 1, np.int64)
    np.cumsum(~blank, out=before[1:])
    buffers = [None, pa.py_buffer(before[bounds - bounds[0]]), pa.py_buffer(found[~blank])]
    return _where_there(text, pa.Array.from_buffers(_TEXT, len(text), buffers))


# What may have another text: numbers with a point, a power or a sign, or that begin with a zero.
_ODD_NUMBERS = r"[.+]|[0-9]E|(?:^|[^0-9.])0[0-9]"
_NUMBERS = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:E[+-]?\d+)?")
_POINT_ENDS = re.compile(r"[0-9.][,)]")


def shape_texts(text: pa.Array) -> pa.Array:
    """WKT in capitals, with one blank where one must be and none elsewhere, and numbers as C's `%.17g` prints them.

    Those of shapes of many points have fewer digits, see `wkt`.
    """
    found = pc.utf8_upper(text.cast(_TEXT))
    found = pc.replace_substring_regex(found, r"\s+", " ")
    found = pc.utf8_trim(pc.replace_substring_regex(found, r" ?([(),]) ?", r"\1"), " ")
    odd = pc.match_substring_regex(found, _ODD_NUMBERS)
    return _mended(found, found, odd, _rounded)


def _rounded(shape: str) -> str:
    significant = wkt.digits(len(_POINT_ENDS.findall(shape)))
    return _NUMBERS.sub(lambda each: f"{float(each[0]):.{significant}g}", shape)
