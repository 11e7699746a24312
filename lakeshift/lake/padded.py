"""Texts as rows of little-endian 64-bit words, padded with zero bytes by Arrow: all values of a block at a time.

Arrow pads a text of some words in the time that numpy takes to gather one of its words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakeshift.lake import layout
from lakeshift.lake.words import WORD_BYTES, Words

if TYPE_CHECKING:
    # The layer leaves NumPy's typing out.
    import numpy.typing as npt

    Places = npt.NDArray[np.intp]

# Words of a block stay below the size from which glibc asks the kernel for memory each time (128 KiB).
BLOCK = 15 * 1024
# A block is padded as a whole while that makes at most so many times its words; else lengths go apart.
_WASTE = 2
# Values of at most so many words, in classes none of whose values is padded to more than twice its words.
_CLASSES = (1, 2, 4, 8, 16, 32, 64)
MAX_BYTES = _CLASSES[-1] * WORD_BYTES


@dataclass(frozen=True)
class Padded:
    """Some values of an array.

    Attributes:
        places: which ones.
        lengths: bytes of each.
        words: a row for each, of as many words as the longest has.
    """

    places: Places | slice
    lengths: layout.Integers
    words: Words

    def least(self) -> int:
        """The place in the array of one of the least values."""
        return self._extreme(least=True)

    def greatest(self) -> int:
        """The place in the array of one of the greatest values."""
        return self._extreme(least=False)

    def _extreme(self, *, least: bool) -> int:
        """Word by word, first byte highest, only the values with the least (greatest) word so far stay in the race."""
        chosen: Places | None = None
        for number in range(self.words.shape[1]):
            column = self.words[:, number]
            keys = (column if chosen is None else column[chosen]).byteswap()
            best = np.flatnonzero(keys == (keys.min() if least else keys.max()))
            chosen = best if chosen is None else chosen[best]
            if len(chosen) == 1:
                break
        # What is left is equal but for zero bytes at the end.
        lengths = self.lengths if chosen is None else self.lengths[chosen]
        one = int(lengths.argmin() if least else lengths.argmax())
        one = one if chosen is None else int(chosen[one])
        return one + self.places.start if isinstance(self.places, slice) else int(self.places[one])


def padded(array: pa.Array, lengths: layout.Integers) -> Iterator[Padded]:
    """The values of a text or binary array that are not NULL and have at most `MAX_BYTES` bytes, each once.

    Args:
        lengths: bytes of each value; of NULL any number.
    """
    wide = pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)
    texts, absent = array.view(pa.large_string() if wide else pa.string()), layout.nulls(array)
    for start in range(0, len(array), BLOCK):
        part = lengths[start : start + BLOCK]
        present = None if absent is None else ~absent[start : start + BLOCK]
        yield from _block(texts[start : start + BLOCK], start, part, present)


def _block(
    texts: pa.Array, start: int, lengths: layout.Integers, present: npt.NDArray[np.bool_] | None
) -> Iterator[Padded]:
    counts = (lengths + (WORD_BYTES - 1)) >> 3
    chosen: Places | None = None
    if present is not None:
        counts[~present] = 0
        chosen = np.flatnonzero(present)
        if not len(chosen):
            return
    widest = int(counts.max(initial=0))
    if widest <= _CLASSES[-1] and widest * len(counts) <= _WASTE * int(counts.sum()):
        places = slice(start, start + len(counts)) if chosen is None else chosen + start
        yield Padded(places, lengths if chosen is None else lengths[chosen], _padded(texts, widest))
        return
    for width in _CLASSES:
        of_class = (counts <= width) & (counts > width // 2) if width > 1 else counts <= 1
        places = np.flatnonzero(of_class if present is None else of_class & present)
        if len(places):
            yield Padded(places + start, lengths[places], _padded(texts.take(pa.array(places)), width))


def _padded(texts: pa.Array, width: int) -> Words:
    """The words of the texts that are not NULL."""
    made = pc.ascii_rpad(texts, width * WORD_BYTES, "\0")
    rows = len(made) - made.null_count
    first = int(layout.offsets(made)[0])
    return np.frombuffer(made.buffers()[2] or b"", np.uint64, rows * width, first).reshape(rows, width)
