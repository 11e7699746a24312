"""Texts as little-endian 64-bit words: a block of values at a time, gathered by numpy, small enough for the cache."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa

from lakeshift.lake import layout

if TYPE_CHECKING:
    # The layer leaves NumPy's typing out.
    import numpy.typing as npt

Words: TypeAlias = "npt.NDArray[np.uint64]"

BLOCK = 16_384
WORD_BYTES = 8
# Bytes of text that a block holds at most; a value longer than that is a block of its own.
_BLOCK_BYTES = 4 * 1024 * 1024


class Block:
    """Some values of a text or binary array.

    Attributes:
        start, end: which values of the array they are.
        lengths: bytes of each value; 0 for NULL.
    """

    def __init__(
        self, data: memoryview, bounds: layout.Integers, start: int, absent: npt.NDArray[np.bool_] | None
    ) -> None:
        """Values whose bytes lie between `bounds` of `data`."""
        self.start, self.end = start, start + len(bounds) - 1
        self.lengths = np.diff(bounds)
        if absent is not None:
            self.lengths[absent] = 0
        self._bytes = data[int(bounds[0]) : int(bounds[-1])]
        self._starts = bounds[:-1] - bounds[0]
        self._words: Words | None = None

    def value(self, index: int) -> memoryview:
        """Bytes of one value."""
        start = int(self._starts[index])
        return self._bytes[start : start + int(self.lengths[index])]

    def run(self, offset: int | layout.Integers, count: int, chosen: npt.NDArray[np.intp] | None = None) -> list[Words]:
        """`count` words, one behind the other, of every value, or of the chosen ones; they may reach beyond its end.

        Args:
            offset: the byte of the value that they start with, the same one for all or one for each.
        """
        starts = self._starts if chosen is None else self._starts[chosen]
        return self._gather(starts + offset, count)

    def _gather(self, at: layout.Integers, count: int = 1) -> list[Words]:
        # Aligned words are gathered and joined: four times as fast as numpy's gather of unaligned ones.
        aligned, index = self._aligned(), at >> 3
        shift = ((at & 7) << 3).view(np.uint64)
        # A shift by 64 gives 0 in numpy, in two steps also by the language's rule.
        rest = np.subtract(np.uint64(63), shift)
        found, low = [], np.take(aligned, index, mode="clip")
        for after in reversed(range(count)):
            index += 1
            following = np.take(aligned, index, mode="clip")
            high = np.left_shift(following, rest, out=None if after else following)
            high <<= np.uint64(1)
            low >>= shift
            low |= high
            found.append(low)
            low = following
        return found

    def _aligned(self) -> Words:
        if self._words is None:
            self._words = np.zeros(len(self._bytes) // WORD_BYTES + 2, np.uint64)
            self._words.view(np.uint8)[: len(self._bytes)] = np.frombuffer(self._bytes, np.uint8)
        return self._words


def blocks(array: pa.Array) -> Iterator[Block]:
    """The values of a text or binary array in blocks of at most `BLOCK`."""
    bounds, absent = layout.offsets(array), layout.nulls(array)
    buffer = array.buffers()[2]
    data = memoryview(buffer) if buffer is not None else memoryview(b"")
    start = 0
    while start < len(array):
        fits = int(np.searchsorted(bounds, bounds[start] + _BLOCK_BYTES, side="right")) - 1
        end = min(start + BLOCK, max(start + 1, fits), len(array))
        yield Block(data, bounds[start : end + 1], start, None if absent is None else absent[start:end])
        start = end
