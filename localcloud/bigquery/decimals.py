"""NUMERIC and BIGNUMERIC as Arrow decimals, bit by bit.

Python's decimal context rounds at 28 digits, and the largest BIGNUMERIC has 77 digits while Arrow
checks for 76. So values go through their two's complement and never through a check.
https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#decimal_types
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, localcontext

import pyarrow as pa

SCALE = 38
TYPE = pa.decimal256(76, SCALE)
MAX = 2**255 - 1
NUMERIC_MAX = 10**38 - 1


def from_unscaled(values: Sequence[int | None], kind: pa.DataType = TYPE) -> pa.Array:
    """Unscaled integers (value x 10^scale) as a decimal array."""
    width = kind.byte_width
    data = b"".join((v or 0).to_bytes(width, "little", signed=True) for v in values)
    valid = pa.array([v is not None for v in values], pa.bool_())
    return pa.Array.from_buffers(kind, len(values), [valid.buffers()[1], pa.py_buffer(data)])


def to_unscaled(array: pa.Array) -> list[int | None]:
    """The unscaled integers of a decimal128 or decimal256 array."""
    if isinstance(array, pa.ChunkedArray):
        return [v for chunk in array.chunks for v in to_unscaled(chunk)]
    if len(array) == 0:
        return []
    width, data = array.type.byte_width, memoryview(array.buffers()[1])
    positions = range(array.offset * width, (array.offset + len(array)) * width, width)
    valid = array.is_valid().to_pylist()
    return [
        int.from_bytes(data[at : at + width], "little", signed=True) if ok else None
        for at, ok in zip(positions, valid, strict=True)
    ]


def unscaled(value: Decimal, scale: int) -> int | None:
    """`value` x 10^scale when that is an integer, else None."""
    with localcontext() as context:
        context.prec = 200
        shifted = value.scaleb(scale)
        return int(shifted) if shifted == shifted.to_integral_value() else None


def text(value: int, scale: int = SCALE) -> str:
    """The shortest plain decimal text of an unscaled integer."""
    sign, digits = ("-", str(-value)) if value < 0 else ("", str(value))
    if scale == 0:
        return sign + digits
    digits = digits.rjust(scale + 1, "0")
    fraction = digits[-scale:].rstrip("0")
    return sign + digits[:-scale] + (f".{fraction}" if fraction else "")
