"""FarmHash Fingerprint64 of texts, which BigQuery and Redshift have too: a block of values at a time.

https://github.com/google/farmhash (farmhashna::Hash64, fixed forever),
https://cloud.google.com/bigquery/docs/reference/standard-sql/hash_functions#farm_fingerprint,
https://docs.aws.amazon.com/redshift/latest/dg/r_FARMFINGERPRINT64.html

Sums, products and left shifts are modulo 2^64: numpy's wrap by themselves, Python's are cut where bits move to the
right.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa

from lakeshift.lake import layout
from lakeshift.lake.words import Block, Words, blocks

if TYPE_CHECKING:
    # The layer leaves NumPy's typing out.
    import numpy.typing as npt

NULL_FINGERPRINT = -7_046_029_254_386_353_131
"""What stands for NULL, which has no text: 2^64 divided by the golden ratio, as a signed number."""

Fingerprints: TypeAlias = "npt.NDArray[np.int64]"
# Words of many values, or a number of Python's.
_Number: TypeAlias = Any
_Chosen: TypeAlias = "npt.NDArray[np.intp] | None"
_State: TypeAlias = "list[_Number]"

_MASK = 2**64 - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F
_SEED = 81
_ROUND = 64
# Below so many long values Python's own numbers are faster than numpy's calls.
_FEW = 16


def fingerprints(array: pa.Array) -> Fingerprints:
    """One fingerprint for each text or binary value, signed as SQL has them; NULL_FINGERPRINT for NULL."""
    array = layout.plain(array)
    found = np.full(len(array), _K2, np.uint64)
    for block in blocks(array):
        _fill(block, found[block.start : block.end])
    signed = found.view(np.int64)
    absent = layout.nulls(array)
    if absent is not None:
        signed[absent] = NULL_FINGERPRINT
    return signed


def _fill(block: Block, found: Words) -> None:
    """Each class of lengths by its own formula; most blocks have values of one or two. That of no bytes is there."""
    least, greatest = int(block.lengths.min()), int(block.lengths.max())
    for first, last, formula in _CLASSES:
        if first <= least and greatest <= last:
            found[:] = formula(block, block.lengths, None)
        elif least <= last and first <= greatest:
            chosen = np.flatnonzero((block.lengths >= first) & (block.lengths <= last))
            if len(chosen):
                found[chosen] = formula(block, block.lengths[chosen], chosen)


def _turn(value: _Number, by: int) -> _Number:
    """The bits turned to the right."""
    if isinstance(value, int):
        value &= _MASK
    return (value >> by) | (value << (64 - by))


def _shifted(value: _Number) -> _Number:
    if isinstance(value, int):
        value &= _MASK
    return value ^ (value >> 47)


def _mix(u: _Number, v: _Number, factor: _Number) -> _Number:
    a = _shifted((u ^ v) * factor)
    return _shifted((v ^ a) * factor) * factor


def _factor(lengths: layout.Integers) -> Words:
    return lengths.view(np.uint64) * 2 + _K2


def _to_3(block: Block, lengths: layout.Integers, chosen: _Chosen) -> _Number:
    sizes = lengths.view(np.uint64)
    (word,) = block.run(0, 1, chosen)
    y = (word & 0xFF) + ((word >> (sizes >> 1 << 3) & 0xFF) << 8)
    z = sizes + ((word >> (sizes - 1 << 3) & 0xFF) << 2)
    return _shifted(y * _K2 ^ z * _K0) * _K2


def _to_7(block: Block, lengths: layout.Integers, chosen: _Chosen) -> _Number:
    (first,), (last,) = block.run(0, 1, chosen), block.run(lengths - 4, 1, chosen)
    first &= 0xFFFFFFFF
    last &= 0xFFFFFFFF
    return _mix((first << 3) + lengths.view(np.uint64), last, _factor(lengths))


def _to_16(block: Block, lengths: layout.Integers, chosen: _Chosen) -> _Number:
    factor = _factor(lengths)
    (a,), (b,) = block.run(0, 1, chosen), block.run(lengths - 8, 1, chosen)
    a += _K2
    return _mix(_turn(b, 37) * factor + a, (_turn(a, 25) + b) * factor, factor)


def _to_32(block: Block, lengths: layout.Integers, chosen: _Chosen) -> _Number:
    factor = _factor(lengths)
    (a, b), (d, c) = block.run(0, 2, chosen), block.run(lengths - 16, 2, chosen)
    a, c, d = a * _K1, c * factor, d * _K2
    return _mix(_turn(a + b, 43) + _turn(c, 30) + d, a + _turn(b + _K2, 18) + c, factor)


def _to_64(block: Block, lengths: layout.Integers, chosen: _Chosen) -> _Number:
    factor = _factor(lengths)
    (a, b, e, f), (g, h, d, c) = block.run(0, 4, chosen), block.run(lengths - 32, 4, chosen)
    a, c, d = a * _K2, c * factor, d * _K2
    y = _turn(a + b, 43) + _turn(c, 30) + d
    z = _mix(y, a + _turn(b + _K2, 18) + c, factor)
    e, g, h = e * factor, (y + g) * factor, (z + h) * factor
    return _mix(_turn(e + f, 43) + _turn(g, 30) + h, e + _turn(f + a, 18) + g, factor)


def _weak(words: _State, a: _Number, b: _Number) -> tuple[_Number, _Number]:
    w, x, y, z = words
    a = a + w
    b = _turn(b + a + z, 21)
    c = a
    a = a + x + y
    return a + z, b + _turn(a, 44) + c


def _round(state: _State, words: _State, factor: _Number, nine: int = 1) -> _State:
    """64 bytes more; the last ones weigh some of the state `nine` times."""
    x, y, z, v, v2, w, w2 = state
    x = _turn(x + y + v + words[1], 37) * factor ^ w2 * nine
    y = _turn(y + v2 + words[6], 42) * factor + v * nine + words[5]
    z = _turn(z + w, 33) * factor
    v, v2 = _weak(words[:4], v2 * factor, x + w)
    w, w2 = _weak(words[4:], z + w2, y + words[2])
    return [z, y, x, v, v2, w, w2]


def _finished(state: _State, words: _State, rest: _Number) -> _Number:
    """The fingerprint, of the state after all rounds and the last 64 bytes; one more than `rest` of them are new."""
    x, y, z, v, v2, w, w2 = state
    factor = ((z & 0xFF) << 1) + _K1
    w = w + rest
    v = v + w
    w = w + v
    x, y, z, v, v2, w, w2 = _round([x, y, z, v, v2, w, w2], words, factor, 9)
    return _mix(_mix(v, w, factor) + _shifted(y) * _K0 + z, _mix(v2, w2, factor) + x, factor)


def _start(first: _Number) -> _State:
    """The state before the first round, by the first word."""
    y = (_SEED * _K1 + 113) & _MASK
    z = _shifted(y * _K2 + 113) * _K2 & _MASK
    zero = first * 0
    return [first + (_SEED * _K2 & _MASK), zero + y, zero + z, zero, zero, zero, zero]


def _above(block: Block, lengths: layout.Integers, chosen: _Chosen) -> Words:
    """Longest values first, so that those which go on are always the first ones."""
    order = np.argsort(-lengths, kind="stable")
    places = order if chosen is None else chosen[order]
    lengths = lengths[order]
    found, made = np.empty(len(lengths), np.uint64), 0
    state, live = _start(block.run(0, 1, places)[0]), len(lengths)
    while live > _FEW:
        state = _round(state, block.run(made * _ROUND, 8, places[:live]), _K1)
        made += 1
        longer = int(np.searchsorted(-lengths, -(made + 1) * _ROUND, side="left"))
        if longer < live:
            ended = slice(longer, live)
            last = block.run(lengths[ended] - _ROUND, 8, places[ended])
            rest = (lengths[ended] - 1 & _ROUND - 1).view(np.uint64)
            found[order[ended]] = _finished([one[ended] for one in state], last, rest)
            state, live = [one[:longer] for one in state], longer
    for place in range(live):
        found[order[place]] = _alone([int(one[place]) for one in state], block.value(int(places[place])), made)
    return found


_WORDS = struct.Struct("<8Q")


def _alone(state: _State, value: memoryview, made: int) -> int:
    """The fingerprint of one value, of its state after so many rounds."""
    last = len(value) - 1
    for at in range(made * _ROUND, last // _ROUND * _ROUND, _ROUND):
        state = [one & _MASK for one in _round(state, list(_WORDS.unpack_from(value, at)), _K1)]
    words = list(_WORDS.unpack_from(value, len(value) - _ROUND))
    return int(_finished(state, words, last % _ROUND)) & _MASK


_CLASSES: tuple[tuple[int, int, Callable[[Block, layout.Integers, _Chosen], _Number]], ...] = (
    (1, 3, _to_3),
    (4, 7, _to_7),
    (8, 16, _to_16),
    (17, 32, _to_32),
    (33, 64, _to_64),
    (65, 2**62, _above),
)
