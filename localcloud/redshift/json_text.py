"""Arrow values as JSON text, column by column, with every digit kept.

DuckDB's and pyarrow's own JSON writers go through floating point for some types; this one does not.
"""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from localcloud.redshift.errors import NotInTwinError, RedshiftError

MAX_STRING_BYTES = 65_535
_SUPER = "https://docs.aws.amazon.com/redshift/latest/dg/limitations-super.html"
_ESCAPES = (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"))


def json_text(values: Any, column: str) -> Any:
    """JSON of each value as large_string; a null value stays null.

    Raises RedshiftError for a string beyond 65,535 bytes, NotInTwinError for what has no certain JSON form.
    """
    kind = values.type
    if pa.types.is_dictionary(kind):
        return json_text(values.cast(kind.value_type), column)
    if pa.types.is_struct(kind):
        return _object(values, column)
    if pa.types.is_map(kind):
        return _map(values, column)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _array(values, column)
    return _scalar(values, column)


def _scalar(values: Any, column: str) -> Any:
    for belongs, write in _WRITERS:
        if belongs(values.type):
            return write(values, column)
    raise NotInTwinError(f'{values.type} inside the nested column "{column}"')


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _bare(values: Any, _: str) -> Any:
    return values.cast(pa.large_string())


def _quoted_cast(values: Any, _: str) -> Any:
    return _quoted(values.cast(pa.large_string()))


def _moment(values: Any, _: str) -> Any:
    """Instants are written as UTC without a mark, like TIMESTAMP."""
    return _quoted(values.cast(pa.timestamp("us")).cast(pa.large_string()))


def _quoted(text: Any) -> Any:
    return pc.binary_join_element_wise(_text('"'), text, _text('"'), _text(""))


def _text(value: str) -> Any:
    return pa.scalar(value, pa.large_string())


def _string(values: Any, column: str) -> Any:
    text = values.cast(pa.large_string())
    longest = pc.max(pc.binary_length(text)).as_py() or 0
    if longest > MAX_STRING_BYTES:
        raise RedshiftError(
            f'a string of {longest} bytes in SUPER column "{column}" exceeds the max size of {MAX_STRING_BYTES} bytes',
            code="22001",
            link=_SUPER,
        )
    if pc.any(pc.match_substring_regex(text, r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")).as_py():
        escaped = [None if item is None else json.dumps(item, ensure_ascii=False) for item in text.to_pylist()]
        return pa.array(escaped, pa.large_string())
    for plain, escape in _ESCAPES:
        text = pc.replace_substring(text, plain, escape)
    return _quoted(text)


def _floating(values: Any, column: str) -> Any:
    if not pc.all(pc.is_finite(values)).as_py() and pc.any(pc.invert(pc.is_finite(values))).as_py():
        raise RedshiftError(f'NaN or Infinity in SUPER column "{column}" has no JSON form', code="22003")
    text = values.cast(pa.large_string())
    # As an integer it would lose its sign.
    return pc.if_else(pc.equal(text, _text("-0")), _text("-0.0"), text)


def _decimal(values: Any, _: str) -> Any:
    text = values.cast(pa.string()).cast(pa.large_string())
    if not pc.any(pc.match_substring(text, "E")).as_py():
        return text
    return pa.array([None if item is None else format(item, "f") for item in values.to_pylist()], pa.large_string())


def _object(values: Any, column: str) -> Any:
    pieces: list[Any] = []
    for position, field in enumerate(values.type):
        lead = ("{" if position == 0 else ",") + json.dumps(field.name, ensure_ascii=False) + ":"
        child = json_text(pc.struct_field(values, position), f"{column}.{field.name}")
        pieces += [_text(lead), pc.fill_null(child, _text("null"))]
    if not pieces:
        raise NotInTwinError(f'a struct without fields in column "{column}"')
    joined = pc.binary_join_element_wise(*pieces, _text("}"), _text(""))
    return _where_valid(values, joined)


def _array(values: Any, column: str) -> Any:
    items = pc.fill_null(json_text(values.flatten(), f"{column}[]"), _text("null"))
    return _where_valid(values, _joined(values, items, "[", "]"))


def _joined(values: Any, items: Any, opening: str, closing: str) -> Any:
    lengths = pc.fill_null(pc.list_value_length(values), 0).cast(pa.int64())
    offsets = pa.concat_arrays([pa.array([0], pa.int64()), _flat(pc.cumulative_sum(lengths))])
    lists = pa.LargeListArray.from_arrays(offsets, _flat(items))
    return pc.binary_join_element_wise(_text(opening), pc.binary_join(lists, _text(",")), _text(closing), _text(""))


def _flat(values: Any) -> Any:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _map(values: Any, column: str) -> Any:
    if not pa.types.is_string(values.type.key_type):
        raise NotInTwinError(f'a map with {values.type.key_type} keys in column "{column}"')
    entries = values.cast(pa.list_(pa.struct([("key", values.type.key_type), ("value", values.type.item_type)])))
    pairs = entries.flatten()
    keys = json_text(pc.struct_field(pairs, 0), column)
    items = pc.fill_null(json_text(pc.struct_field(pairs, 1), column), _text("null"))
    joined = pc.binary_join_element_wise(keys, items, _text(":"))
    return _where_valid(values, _joined(entries, joined, "{", "}"))


def _where_valid(values: Any, text: Any) -> Any:
    return pc.if_else(pc.is_valid(values), text, pa.scalar(None, pa.large_string()))


_WRITERS = (
    (_is_text, _string),
    (pa.types.is_integer, _bare),
    (pa.types.is_boolean, _bare),
    (pa.types.is_null, _bare),
    (pa.types.is_floating, _floating),
    (pa.types.is_decimal, _decimal),
    (pa.types.is_date, _quoted_cast),
    (pa.types.is_time, _quoted_cast),
    (pa.types.is_timestamp, _moment),
)
