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
# Below so many candidates plain Python is faster.
_FEW = 16


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
        self.absent = absent
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

    def word(self, number: int, chosen: npt.NDArray[np.intp] | None = None) -> Words:
        """The `number`th word of every value, or of the chosen ones: zero-padded at the end, 0 behind it."""
        starts, lengths = (
            (self._starts, self.lengths) if chosen is None else (self._starts[chosen], self.lengths[chosen])
        )
        at = starts + number * WORD_BYTES if number else starts
        words = self._gather(at)
        rest = lengths - number * WORD_BYTES if number else lengths
        if len(rest) and int(rest.min()) < WORD_BYTES:
            unused = (np.minimum(np.maximum(WORD_BYTES - rest, 0), WORD_BYTES) << 3).view(np.uint64)
            words <<= unused
            words >>= unused
        return words

    def _gather(self, at: layout.Integers) -> Words:
        # Aligned words are gathered and joined: four times as fast as numpy's gather of unaligned ones.
        aligned, index = self._aligned(), at >> 3
        shift = ((at & 7) << 3).view(np.uint64)
        low = np.take(aligned, index, mode="clip")
        low >>= shift
        index += 1
        high = np.take(aligned, index, mode="clip")
        # A shift by 64 gives 0 in numpy, in two steps also by the language's rule.
        np.subtract(np.uint64(63), shift, out=shift)
        high <<= shift
        high <<= np.uint64(1)
        low |= high
        return low

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


def extremes(block: Block, first: Words, limit: int) -> tuple[bytes, bytes] | None:
    """The least and the greatest value of a block by their first `limit` bytes; None if all are NULL.

    Args:
        first: the first word of every value.
    """
    if block.absent is None:
        keys, present = first.byteswap(), np.arange(len(first))
    else:
        present = np.flatnonzero(~block.absent)
        keys = first[present].byteswap()
    if not len(present):
        return None
    return _extreme(block, keys, present, limit, least=True), _extreme(block, keys, present, limit, least=False)


def _extreme(block: Block, keys: Words, chosen: npt.NDArray[np.intp], limit: int, *, least: bool) -> bytes:
    """Word by word, first byte highest, only the values with the least (greatest) word so far stay in the race."""
    for number in range(1, -(-limit // WORD_BYTES) + 1):
        chosen = chosen[np.flatnonzero(keys == (keys.min() if least else keys.max()))]
        if len(chosen) <= _FEW or int(block.lengths[chosen].max()) <= number * WORD_BYTES:
            break
        keys = block.word(number, chosen).byteswap()
    if len(chosen) > _FEW:
        # Equal but for zero bytes at their end.
        lengths = block.lengths[chosen]
        chosen = chosen[[int(lengths.argmin() if least else lengths.argmax())]]
    values = [bytes(block.value(int(index))[:limit]) for index in chosen]
    return min(values) if least else max(values)
