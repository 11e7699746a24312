"""Arrow types as the lake has them, nested, with values of them; and other framings of the same values."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st


def _decimal(number: int) -> Decimal:
    return Decimal((int(number < 0), tuple(int(digit) for digit in str(abs(number))), -9))


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["é" * 40, "x" * 600, "a\0", "a"]
)
LEAVES: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.bool_(), st.booleans()),
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.float64(), st.floats()),
    (pa.string(), TEXTS),
    (pa.binary(), st.binary(max_size=20) | st.sampled_from([b"\xff" * 100, b"", b"\0", b"\0\0"])),
    (pa.decimal128(38, 9), st.integers(-(10**38) + 1, 10**38 - 1).map(_decimal)),
    (pa.date32(), st.dates()),
    (pa.time64("us"), st.times()),
    (pa.timestamp("us"), st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))),  # noqa: DTZ001
]
"""Leaf types and their values."""


Typed = tuple[pa.DataType, st.SearchStrategy[Any]]


def _list(typed: Typed) -> Typed:
    kind, values = typed
    return pa.list_(pa.field("element", kind)), st.none() | st.lists(values, max_size=4)


def _struct(parts: list[Typed]) -> Typed:
    kind = pa.struct([pa.field(f"f{number}", part[0]) for number, part in enumerate(parts)])
    return kind, st.none() | st.fixed_dictionaries({f"f{number}": part[1] for number, part in enumerate(parts)})


_TYPED: st.SearchStrategy[Typed] = st.recursive(
    st.sampled_from(LEAVES).map(lambda typed: (typed[0], st.none() | typed[1])),
    lambda inner: inner.map(_list) | st.lists(inner, min_size=1, max_size=3).map(_struct),
    max_leaves=4,
)


@st.composite
def arrays(draw: st.DrawFn, max_size: int = 12) -> pa.Array:
    """An array of some type."""
    kind, values = draw(_TYPED)
    return pa.array(draw(st.lists(values, max_size=max_size)), kind)


@st.composite
def batches(draw: st.DrawFn, max_size: int = 12) -> pa.RecordBatch:
    """A batch of some columns."""
    typed = draw(st.lists(_TYPED, min_size=1, max_size=4))
    rows = draw(st.integers(0, max_size))
    columns = [pa.array(draw(st.lists(values, min_size=rows, max_size=rows)), kind) for kind, values in typed]
    return pa.RecordBatch.from_arrays(columns, names=[f"c{number}" for number in range(len(columns))])


def padded(array: pa.Array, front: int, back: int) -> pa.Array:
    """The same values as a slice out of a longer array."""
    ends = pa.concat_arrays([array, array])[: max(front, back)]
    return pa.concat_arrays([ends[:front], array, ends[:back]]).slice(len(ends[:front]), len(array))


def large(kind: pa.DataType) -> pa.DataType:
    """The type with 64-bit offsets."""
    if pa.types.is_list(kind):
        return pa.large_list(pa.field("item", large(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, large(field.type)) for field in kind])
    return {pa.string(): pa.large_string(), pa.binary(): pa.large_binary()}.get(kind, kind)


def hiding(array: pa.ListArray, absent: list[bool]) -> pa.ListArray:
    """The list array with some lists made NULL whose elements stay in the buffers."""
    return pa.ListArray.from_arrays(array.offsets, array.values, type=array.type, mask=pa.array(absent, pa.bool_()))
