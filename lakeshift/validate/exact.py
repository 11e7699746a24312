"""Values compared exactly, by what they mean: the lake's Arrow and the text of an engine, whatever its spelling. Pure.

A fingerprint says that two texts differ; this module says whether two values do, and where inside. Both sides become
the same tree first: a struct is a dict, an array a list, NULL is None, and everything else a `Leaf` whose text is
normal, so that two values are equal exactly where their trees are.

    BOOLEAN                 true, false
    integers, DECIMAL       all digits, no zeros in front or behind: nothing is rounded
    FLOAT32, FLOAT64        the shortest text of the very bits; -0.0 is not 0.0, every NaN is nan
    STRING, INTERVAL        the characters; blanks at the end count
    BYTES                   hexadecimal, from hexadecimal or, inside SUPER, base64
    DATE, TIME, DATETIME    ISO 8601 with microseconds; a TIMESTAMP and a time with a zone in UTC
    JSON                    by value (RFC 8785): order of names, spelling of numbers and escapes do not count
    GEOGRAPHY, GEOMETRY     coordinates by value
    STRUCT, RANGE           by the names of fields; ARRAY by order

An attribute that SUPER lacks is not one that is null: COPY writes all fields of a struct. A null inside JSON is a
value, not NULL. What cannot be read as its type is compared as the text that it is.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa

from lakeshift.model import Column, Kind
from lakeshift.types.redshift import fits_decimal
from lakeshift.validate import clock, wkt
from lakeshift.validate.json_form import Json, Number, canonical, number, parsed

_INTEGERS = frozenset({Kind.INT16, Kind.INT32, Kind.INT64})
_FLOATS = frozenset({Kind.FLOAT32, Kind.FLOAT64})
_NESTED = frozenset({Kind.STRUCT, Kind.ARRAY, Kind.RANGE})
_WORD = re.compile(r"\w+")


class Leaf(NamedTuple):
    """A value without parts: what it is, and its normal text."""

    kind: str
    text: str


Node: TypeAlias = "Leaf | list[Node] | dict[str, Node] | None"

ABSENT = Leaf("absent", "")
"""Stands for what the other side has and this one has not: an attribute, an element."""


class Difference(NamedTuple):
    """A place where two values differ, e.g. `items[2].price`, and what stands there."""

    path: str
    lake: Node
    target: Node


def of_lake(scalar: Any, column: Column, *, nested: bool = False) -> Node:
    """The tree of a value of the lake, an Arrow scalar."""
    if not scalar.is_valid:
        return None
    if column.kind is Kind.ARRAY:
        return [of_lake(one, column.fields[0], nested=True) for one in scalar.values]
    if column.kind in _NESTED:
        # By place: two fields of a struct of the lake may differ from the source's in spelling, never in order.
        return {
            field.name: of_lake(scalar[place], field, nested=True) for place, field in enumerate(_fields_of(column))
        }
    return _leaf(column.kind, _raw(scalar), base64_text=nested)


def of_text(text: object, column: Column) -> Node:
    """The tree of a value of the target, from the exact text that it was asked for in; None for NULL."""
    if text is None:
        return None
    if isinstance(text, bytes) and column.kind is not Kind.BYTES:
        return of_text(text.decode("utf-8", "surrogateescape"), column)
    if column.kind in _NESTED and isinstance(text, str):
        try:
            found = parsed(text)
        except ValueError:
            return Leaf("text", text)
        # Text that says null is not NULL.
        return _of_json(found, column) if found is not None else _plain(found)
    return _leaf(column.kind, text)


def _fields_of(column: Column) -> tuple[Column, ...]:
    """Fields of a STRUCT, bounds of a RANGE."""
    if column.kind is Kind.STRUCT:
        return column.fields
    return tuple(column.fields[0].model_copy(update={"name": name}) for name in ("start", "end"))


def _raw(scalar: Any) -> object:
    """A value of Arrow as Python has it, without what Python's dates cannot hold and its texts cannot decode."""
    kind = scalar.type
    if pa.types.is_temporal(kind):
        return _count(scalar)
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return scalar.as_py()
    if pa.types.is_decimal(kind):
        return scalar.as_py()
    held = scalar.as_buffer().to_pybytes()
    binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    return held if binary else held.decode("utf-8", "surrogateescape")


def _count(scalar: Any) -> int:
    """Days of a date, microseconds of a time or an instant."""
    if pa.types.is_date(scalar.type):
        return int(scalar.cast(pa.date32()).value)
    unit = pa.timestamp("us", scalar.type.tz) if pa.types.is_timestamp(scalar.type) else pa.time64("us")
    return int(scalar.cast(unit).value)


def _of_json(value: Json, column: Column) -> Node:
    """The tree of a value that SUPER holds; a part of another JSON type than the load makes stays what it is."""
    if value is None:
        return None
    if column.kind is Kind.ARRAY and isinstance(value, list):
        return [_of_json(one, column.fields[0]) for one in value]
    if column.kind in _NESTED and isinstance(value, dict):
        fields = {field.name: field for field in _fields_of(column)}
        return {
            name: _of_json(inside, fields[name]) if name in fields else _plain(inside) for name, inside in value.items()
        }
    if not isinstance(value, _super_type(column)):
        # The load makes text of JSON inside SUPER; the value itself would look like what the text says.
        return Leaf("super", canonical(value)) if column.kind is Kind.JSON else _plain(value)
    return _leaf(column.kind, value, base64_text=True)


def _super_type(column: Column) -> type | tuple[()]:
    """What the load makes of a leaf inside SUPER; nothing else is one."""
    if column.kind in _NESTED:
        return ()
    if column.kind is Kind.BOOLEAN:
        return bool
    numeric = column.kind in _INTEGERS or column.kind in _FLOATS
    return Number if numeric or (column.kind is Kind.DECIMAL and fits_decimal(column)) else str


def _plain(value: Json) -> Node:
    """JSON as it is."""
    if isinstance(value, dict):
        return {name: _plain(inside) for name, inside in value.items()}
    if isinstance(value, list):
        return [_plain(inside) for inside in value]
    if isinstance(value, Number):
        return Leaf("number", value.text)
    if isinstance(value, str):
        return Leaf("string", value)
    return Leaf("null", "null") if value is None else Leaf("boolean", str(value).lower())


def _leaf(kind: Kind, raw: object, *, base64_text: bool = False) -> Node:
    if kind is Kind.JSON:
        return _json(raw)
    if kind is Kind.BYTES and isinstance(raw, str):
        read = _from_base64 if base64_text else bytes.fromhex
        return _read(kind, lambda text: read(str(text)).hex(), raw)
    return _read(kind, _NORMAL[kind], raw)


def _read(kind: Kind, normal: Callable[[Any], str], raw: object) -> Leaf:
    try:
        return Leaf(kind.value, normal(raw))
    except (ValueError, OverflowError):
        return Leaf("text", str(raw))


def _json(raw: object) -> Node:
    try:
        return _plain(parsed(str(raw)))
    except (ValueError, RecursionError):
        return Leaf("text", str(raw))


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _boolean(raw: object) -> str:
    text = str(raw).lower()
    if text not in {"true", "false"}:
        raise ValueError("no truth value")
    return text


def _whole(raw: object) -> str:
    found = raw if isinstance(raw, Number) else number(str(raw))
    if found.point < len(found.digits):
        raise ValueError("no integer")
    return found.plain


def _decimal(raw: object) -> str:
    text = f"{raw:f}" if isinstance(raw, Decimal) else str(raw)
    return (raw if isinstance(raw, Number) else number(text)).plain


def _double(raw: object) -> str:
    return repr(_float(raw))


def _single(raw: object) -> str:
    """The bits are those of 32 bits, whatever the text had been made of."""
    with np.errstate(over="ignore"):
        return repr(float(np.float32(_float(raw))))


def _float(raw: object) -> float:
    """A float from itself, from `-3p-2` (-3 times two to the power of -2), or from a number in decimal notation."""
    if isinstance(raw, float | int):
        return float(raw)
    if isinstance(raw, Number):
        return math.copysign(float(raw.text), -1 if raw.negative else 1)
    mantissa, mark, exponent = str(raw).lower().partition("p")
    # Python's own notation of that is hexadecimal, and exact.
    return float.fromhex(f"{int(mantissa):#x}p{int(exponent)}") if mark else float(mantissa)


def _bytes(raw: object) -> str:
    if not isinstance(raw, bytes):
        raise ValueError("no bytes")
    return raw.hex()


def _shape(raw: object) -> str:
    return wkt.normalised(str(raw))


_NORMAL: Mapping[Kind, Callable[[Any], str]] = {
    Kind.BOOLEAN: _boolean,
    Kind.INT16: _whole,
    Kind.INT32: _whole,
    Kind.INT64: _whole,
    Kind.FLOAT32: _single,
    Kind.FLOAT64: _double,
    Kind.DECIMAL: _decimal,
    Kind.STRING: str,
    Kind.INTERVAL: str,
    Kind.BYTES: _bytes,
    Kind.DATE: clock.date_text,
    Kind.TIME: clock.time_text,
    Kind.TIME_ZONED: clock.zoned_time_text,
    Kind.DATETIME: clock.moment_text,
    Kind.TIMESTAMP: clock.instant_text,
    Kind.GEOGRAPHY: _shape,
    Kind.GEOMETRY: _shape,
}


def differences(lake: Node, target: Node, path: str) -> Iterator[Difference]:
    """The innermost places where two values differ; none where they are equal. `path` is that of the value itself."""
    if lake == target:
        return
    if isinstance(lake, dict) and isinstance(target, dict):
        for name in [*lake, *(name for name in target if name not in lake)]:
            yield from differences(lake.get(name, ABSENT), target.get(name, ABSENT), f"{path}.{_named(name)}")
    elif isinstance(lake, list) and isinstance(target, list):
        for place, mine, theirs in _aligned(lake, target):
            yield from differences(mine, theirs, f"{path}[{place}]")
    else:
        yield Difference(path, lake, target)


def _named(name: str) -> str:
    return name if _WORD.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _aligned(lake: Sequence[Node], target: Sequence[Node]) -> Iterator[tuple[int, Node, Node]]:
    """Elements side by side, with their place in the longer array; one that is too many or lost shifts no others."""
    if len(lake) == len(target):
        yield from ((place, *pair) for place, pair in enumerate(zip(lake, target, strict=True)))
        return
    shorter = min(len(lake), len(target))
    start = next((place for place in range(shorter) if lake[place] != target[place]), shorter)
    rest = shorter - start
    end = next((back for back in range(rest) if lake[-1 - back] != target[-1 - back]), rest)
    mine, theirs = lake[start : len(lake) - end], target[start : len(target) - end]
    for place in range(max(len(mine), len(theirs))):
        yield (
            start + place,
            mine[place] if place < len(mine) else ABSENT,
            theirs[place] if place < len(theirs) else ABSENT,
        )


def token(node: Node) -> str:
    """A text that two trees share exactly when they are equal."""
    return json.dumps(node, sort_keys=True, ensure_ascii=True)


def shown(node: Node) -> str:
    """A tree as a reader wants it: a text as it is, NULL, everything with parts as JSON."""
    if node is None:
        return "NULL"
    return node.text if isinstance(node, Leaf) else json.dumps(_shown(node), ensure_ascii=False)


def _shown(node: Node) -> Any:
    if isinstance(node, Leaf):
        return node.text
    if isinstance(node, list):
        return [_shown(one) for one in node]
    return node if node is None else {name: _shown(one) for name, one in node.items()}
