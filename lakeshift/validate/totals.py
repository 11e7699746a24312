"""Totals of values: of whole numbers and decimals exactly, of truths how many, of floats about. Pure.

https://en.wikipedia.org/wiki/Floating-point_arithmetic#Accuracy_problems: a sum of floats depends on the order of its
terms, so two sums are equal within a bound, see `float_bound`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakeshift.lake import layout

Total = int | float | None
_LOW = np.int64(0xFFFF_FFFF)
_HALF = np.int64(32)
SHRUNK = 64
"""The power of two that engines take off floats before they add them, so that no total of finite ones is infinite."""


def total(array: pa.Array) -> Total:
    """The total of an array: of decimals the sum of their unscaled numbers, of booleans how many are true.

    NULL, NaN and infinities are left out. None for values that have no sum.
    """
    kind = array.type
    if pa.types.is_boolean(kind):
        return int(pc.sum(array).as_py() or 0)
    if pa.types.is_integer(kind):
        return _whole(layout.fixed(array.drop_null().cast(pa.int64()), np.int64))
    if pa.types.is_decimal128(kind):
        words = layout.fixed(array.drop_null(), np.int64, 2).reshape(-1, 2)
        return _unsigned(words[:, 0]) + (_whole(words[:, 1]) << 64)
    if pa.types.is_floating(kind):
        values = layout.fixed(array.drop_null().cast(pa.float64()), np.float64)
        # Beyond the greatest float it is infinite, as the engine's is.
        with np.errstate(over="ignore", invalid="ignore"):
            return float(values[np.isfinite(values)].sum())
    return None


def _whole(numbers: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> int:
    """The exact sum of signed 64-bit numbers, by their halves: the sums of these leave no room to overflow."""
    found = numbers.view(np.int64)
    return int((found & _LOW).sum()) + (int((found >> _HALF).sum()) << 32)


def _unsigned(numbers: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> int:
    found = numbers.view(np.int64)
    return int((found & _LOW).sum()) + (int(((found >> _HALF) & _LOW).sum()) << 32)


def added(first: Sequence[Total], second: Sequence[Total]) -> tuple[Total, ...]:
    """Totals of the rows of both; none stand for no rows."""
    if not (first and second):
        return tuple(first or second)
    return tuple(
        None if mine is None or theirs is None else mine + theirs for mine, theirs in zip(first, second, strict=True)
    )


def float_bound(values: int, greatest: float) -> float:
    """How far two sums of the same floats may lie apart, whatever the order of their terms.

    Args:
        values: how many are added.
        greatest: absolute value of the greatest.
    """
    # What is taken off leaves no bits of the floats next to zero.
    lost = values * math.ldexp(math.ulp(0.0), SHRUNK)
    return 2 * values * math.ulp(1.0) * values * greatest + lost
