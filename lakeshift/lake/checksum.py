"""Checksums of values and rows, version 1: 64 bits, a function of value and type, whatever Arrow's framing.

All arithmetic is modulo 2^64; `>>` shifts zeros in; numbers are taken as 64-bit two's complement, little-endian.

    mix(x)    x ^= x >> 30; x *= 0xbf58476d1ce4e5b9; x ^= x >> 27; x *= 0x94d049bb133111eb; x ^= x >> 31
    key(k)    mix((k + 1) * 0x9e3779b97f4a7c15) | 1                                       k = 0, 1, 2, ...
    fold(w)   sum over k of key(k) * (y ^ (y >> 32)), where y = w[k] * 0xd6e8feb86659fd93
    seed(t)   mix of the type's name, up to eight ASCII bytes, as a little-endian number
    length(n) n * 0xa24baed4963ee407

Hash of a value:

    NULL of any type                    mix("null")
    bool, int, date, time, timestamp    mix(seed(t) + number); t = "bool", "int", "date", "time", "stamp"
                                        number: 0 or 1, the integer, days, microseconds of the day, of the epoch
    float                               mix(seed("float") + bits of the double); every NaN is 0x7ff8000000000000
    decimal                             mix(seed("decimal") + fold(words of the unscaled number)); two words up to
                                        38 digits, four above
    text, binary                        mix(seed(t) + length(bytes) + fold(words)); t = "text", "binary"; the last
                                        word is padded with zero bytes; of more than 512 bytes, the 8-byte BLAKE2b
                                        digest takes the place of fold(words)
    struct                              mix(seed("struct") + sum over fields k of key(k) * hash of field k)
    list                                mix(seed("list") + length(elements) + sum over k of key(k) * hash of element k)

Hash of a row: mix(seed("row") + sum over columns k of key(k) * hash of column k). mix is a bijection, so numbers never
collide within a type; everything else collides as 64 random bits do. The constants of mix are those of splitmix64
(http://prng.di.unimi.it/splitmix64.c). It detects damage; it is no defence against somebody who makes collisions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakeshift.lake import layout
from lakeshift.lake.padded import BLOCK, padded
from lakeshift.lake.words import Words

if TYPE_CHECKING:
    # The layer leaves NumPy's typing out.
    import numpy.typing as npt

    Places = npt.NDArray[np.intp]

VERSION = 1
# Text up to here is hashed by words, longer text by BLAKE2b.
MAX_WORD_TEXT = 512
# Bytes that text extremes are told apart by: 64 characters of up to four bytes.
EXTREME_BYTES = 256
PART_ROWS = 2 * BLOCK
# Dictionaries up to here are remembered, some of them: the lists of a row group come to thousands of arrays that share
# one.
KEPT_BYTES = 1024 * 1024

_MASK = 2**64 - 1
_MIX_1, _MIX_2 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_GOLDEN = 0x9E3779B97F4A7C15
_FOLD = 0xD6E8FEB86659FD93
_LENGTH = np.uint64(0xA24BAED4963EE407)
_NAN = 0x7FF8000000000000
_KEYS = 4096
# Words of a value from which on values are folded whole, and words that are worked on at a time then.
_WIDE, _CACHED_WORDS = 4, 16_384

Extremes = tuple[bytes, bytes, int] | None
Observer = Callable[[str, pa.Array, Words, Extremes], None]
"""Called with path, live values, hashes, and for text (least, greatest, longest in bytes) of every leaf."""


def mixed(number: int) -> int:
    """`mix` of one number."""
    number &= _MASK
    number = (number ^ (number >> 30)) * _MIX_1 & _MASK
    number = (number ^ (number >> 27)) * _MIX_2 & _MASK
    return number ^ (number >> 31)


def seed(name: str) -> int:
    """`seed` of a type."""
    return mixed(int.from_bytes(name.encode(), "little"))


NULL = seed("null")


def value_hashes(array: pa.Array) -> Words:
    """One hash per value.

    Raises:
        TypeError: a type that neither source nor lake has.
    """
    return observed(array, "", None)


def row_hashes(batch: pa.RecordBatch) -> Words:
    """One hash per row, of its columns in order."""
    return joined(_row_hashes(part) for part in parts(batch))


def _row_hashes(batch: pa.RecordBatch) -> Words:
    combination = Combination(batch.num_rows, "row")
    for column in batch.columns:
        combination.add(value_hashes(column))
    return combination.hashes()


def parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The batch in pieces whose hashes stay in the cache; a fifth faster than the whole."""
    return (batch.slice(start, PART_ROWS) for start in range(0, batch.num_rows, PART_ROWS))


def joined(hashes: Iterable[Words]) -> Words:
    """Hashes of pieces as one array."""
    found = list(hashes)
    return found[0] if len(found) == 1 else np.concatenate(found) if found else np.empty(0, np.uint64)


class Combination:
    """Hashes of rows or structs, made of those of their columns or fields one after another."""

    def __init__(self, rows: int, kind: str) -> None:
        self._sums = np.full(rows, seed(kind), np.uint64)
        self._scratch = np.empty(min(rows, BLOCK), np.uint64)
        self._count = 0

    def add(self, hashes: Words) -> None:
        """Take up the next column."""
        key = _keys(self._count + 1)[self._count]
        self._count += 1
        for span in _spans(len(hashes)):
            scratch = self._scratch[: span.stop - span.start]
            np.multiply(hashes[span], key, out=scratch)
            self._sums[span] += scratch

    def hashes(self) -> Words:
        """The combined hashes; nothing can be added after."""
        for span in _spans(len(self._sums)):
            _mix(self._sums[span], self._scratch[: span.stop - span.start])
        return self._sums


def observed(array: pa.Array, path: str, observer: Observer | None) -> Words:
    """One hash per value; the observer sees every leaf inside."""
    array = layout.plain(array)
    if pa.types.is_struct(array.type):
        return _struct(array, path, observer)
    if layout.is_list(array.type):
        return _list(array, path, observer)
    if pa.types.is_dictionary(array.type):
        return _encoded(array, path, observer)
    hashes, found = _leaf(array, observer is not None)
    _hide_nulls(hashes, array)
    if observer:
        observer(path, array, hashes, found)
    return hashes


def _encoded(array: pa.DictionaryArray, path: str, observer: Observer | None) -> Words:
    """Each value of a dictionary is hashed once, whatever how often it stands in the array."""
    if not layout.is_text(array.dictionary.type) or not len(array.dictionary) or array.dictionary.null_count:
        return observed(array.dictionary_decode(), path, observer)
    known = _known(array.dictionary)
    codes = layout.fixed(array.indices, array.indices.type.to_pandas_dtype()).astype(np.intp, copy=False)
    # What the codes of NULLs are is left open.
    hashes: Words = np.take(known.hashes, codes, mode="clip")
    absent = layout.nulls(array)
    if absent is not None:
        hashes[absent] = NULL
        codes = codes[~absent]
    if observer:
        observer(path, array, hashes, known.extremes(codes))
    return hashes


class _Known:
    """The values of a dictionary, which many arrays share; what is asked about them is found out once."""

    def __init__(self, values: pa.Array) -> None:
        self._values = values
        self._buffers = tuple(buffer.address for buffer in values.buffers() if buffer)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Known) and self._place == other._place

    def __hash__(self) -> int:
        return hash(self._place)

    @property
    def _place(self) -> tuple[object, ...]:
        return self._values.type, self._values.offset, len(self._values), self._buffers

    @cached_property
    def hashes(self) -> Words:
        """One for each value."""
        return value_hashes(self._values)

    @cached_property
    def _ranked(self) -> tuple[Places, layout.Integers]:
        """The place of each value in their order, and its bytes."""
        order = pc.array_sort_indices(self._values.view(_binary(self._values.type))).to_numpy()
        ranks = np.empty(len(order), np.intp)
        ranks[order] = np.arange(len(order))
        return ranks, np.diff(layout.offsets(self._values))

    def extremes(self, codes: Places) -> Extremes:
        """Of the values that have these codes."""
        if not len(codes):
            return None
        used = np.zeros(len(self._values), np.bool_)
        used[codes] = True
        places = np.flatnonzero(used)
        ranks, lengths = self._ranked
        among = ranks[places]
        ends = (int(places[among.argmin()]), int(places[among.argmax()]))
        return _wider(None, [self._values[place].as_buffer() for place in ends], int(lengths[places].max()))


def _binary(kind: pa.DataType) -> pa.DataType:
    """The type of the bytes of a text: these are what orders it."""
    return {pa.string(): pa.binary(), pa.large_string(): pa.large_binary()}.get(kind, kind)


@lru_cache(maxsize=32)
def _shared(known: _Known) -> _Known:
    return known


def _known(values: pa.Array) -> _Known:
    """What is known of a dictionary, from before if it is small enough to be kept: it lies where it lay then."""
    known = _Known(values)
    return _shared(known) if values.get_total_buffer_size() <= KEPT_BYTES else known


def _leaf(array: pa.Array, watched: bool) -> tuple[Words, Extremes]:
    if layout.is_text(array.type):
        return _text(array, watched)
    if pa.types.is_decimal(array.type):
        return _decimal(array), None
    if pa.types.is_null(array.type):
        return np.full(len(array), NULL, np.uint64), None
    name, numbers = _numbers(array)
    hashes = np.empty(len(array), np.uint64)
    for span in _spans(len(array)):
        part = hashes[span]
        np.copyto(part.view(np.int64), numbers[span], casting="unsafe")
        part += np.uint64(seed(name))
        _mix(part, np.empty_like(part))
    return hashes, None


def _struct(array: pa.Array, path: str, observer: Observer | None) -> Words:
    combination = Combination(len(array), "struct")
    for child, field in zip(array.flatten(), array.type, strict=True):
        combination.add(observed(child, f"{path}.{field.name}", observer))
    hashes = combination.hashes()
    _hide_nulls(hashes, array)
    return hashes


def _list(array: pa.Array, path: str, observer: Observer | None) -> Words:
    bounds, values = layout.elements(array)
    sums = np.empty(len(array), np.uint64)
    for span in _list_spans(bounds):
        edges = bounds[span.start : span.stop + 1]
        some = values[int(edges[0]) : int(edges[-1])]
        _list_sums(observed(some, f"{path}[]", observer), edges - edges[0], sums[span])
    _hide_nulls(sums, array)
    return sums


def _list_spans(bounds: layout.Integers) -> Iterator[slice]:
    """Lists of together so many elements as fit the cache; one that has more is alone. Twice as fast as all at once."""
    start, last = 0, len(bounds) - 1
    while start < last:
        fits = int(np.searchsorted(bounds, bounds[start] + BLOCK, side="right")) - 1
        span = slice(start, max(start + 1, fits))
        yield span
        start = span.stop


def _list_sums(hashes: Words, bounds: layout.Integers, sums: Words) -> None:
    """The hashes of lists into `sums`, of those of their elements."""
    lengths = np.diff(bounds)
    total = np.zeros(len(hashes) + 1, np.uint64)
    np.cumsum(_placed(hashes, bounds, lengths), out=total[1:])
    np.subtract(total[bounds[1:]], total[bounds[:-1]], out=sums)
    sums += lengths.view(np.uint64) * _LENGTH + np.uint64(seed("list"))
    _mix(sums, np.empty_like(sums))


def _placed(hashes: Words, bounds: layout.Integers, lengths: layout.Integers) -> Words:
    """Element hashes times the key of their place in their list."""
    longest = max(1, int(lengths.max(initial=0)))
    places = np.arange(len(hashes))
    places -= np.repeat(bounds[:-1], lengths)
    placed: Words = np.take(_keys(longest), places, mode="clip")
    placed *= hashes
    return placed


def _hide_nulls(hashes: Words, array: pa.Array) -> None:
    absent = layout.nulls(array)
    if absent is not None:
        hashes[absent] = NULL


def _numbers(array: pa.Array) -> tuple[str, npt.NDArray[np.generic]]:
    kind = array.type
    if pa.types.is_integer(kind):
        return "int", layout.fixed(array, kind.to_pandas_dtype())
    if pa.types.is_boolean(kind):
        return "bool", np.asarray(pc.fill_null(array, False).to_numpy(zero_copy_only=False))
    if pa.types.is_floating(kind):
        return "float", _bits(array)
    if pa.types.is_date(kind):
        return "date", layout.fixed(array.cast(pa.date32()), np.int32)
    if pa.types.is_time(kind):
        return "time", layout.fixed(array.cast(pa.time64("us")), np.int64)
    if pa.types.is_timestamp(kind):
        return "stamp", layout.fixed(array.cast(pa.timestamp("us", kind.tz)), np.int64)
    raise TypeError(f"no checksum of {kind}")


def _bits(array: pa.Array) -> npt.NDArray[np.int64]:
    doubles = layout.fixed(array.cast(pa.float64()), np.float64)
    bits = doubles.view(np.int64)
    odd = np.isnan(doubles)
    return np.where(odd, np.int64(_NAN), bits) if odd.any() else bits


def _decimal(array: pa.Array) -> Words:
    count = 4 if pa.types.is_decimal256(array.type) else 2
    if array.type.bit_width < 128:
        array = array.cast(pa.decimal128(array.type.precision, array.type.scale))
    words = layout.fixed(array, np.uint64, count).view(np.uint64)
    hashes = np.full(len(array), seed("decimal"), np.uint64)
    for span in _spans(len(array)):
        _fold(hashes[span], words[span])
        _mix(hashes[span], np.empty_like(hashes[span]))
    return hashes


def _text(array: pa.Array, watched: bool) -> tuple[Words, Extremes]:
    binary = pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type)
    lengths = np.diff(layout.offsets(array))
    hashes = lengths.view(np.uint64) * _LENGTH
    hashes += np.uint64(seed("binary" if binary else "text"))
    found: Extremes = None
    for block in padded(array, lengths):
        sums = hashes[block.places]
        _fold(sums, block.words)
        hashes[block.places] = sums
        if watched:
            values = [array[place].as_buffer() for place in (block.least(), block.greatest())]
            found = _wider(found, values, int(block.lengths.max()))
    long = [place for place in np.flatnonzero(lengths > MAX_WORD_TEXT).tolist() if array[place].is_valid]
    if long:
        values = [array[place].as_buffer() for place in long]
        hashes[long] += np.frombuffer(b"".join(map(_digest, values)), "<u8")
        found = _wider(found, values, int(lengths[long].max())) if watched else None
    for span in _spans(len(array)):
        _mix(hashes[span], np.empty_like(hashes[span]))
    return hashes, found


def _digest(value: pa.Buffer) -> bytes:
    return hashlib.blake2b(value, digest_size=8).digest()


def _wider(found: Extremes, values: list[pa.Buffer], longest: int) -> Extremes:
    known = [bytes(value[:EXTREME_BYTES]) for value in values]
    least, greatest, before = found or (known[0], known[0], 0)
    return min(least, *known), max(greatest, *known), max(before, longest)


def _fold(sums: Words, words: Words) -> None:
    """Add the words of each value, a column after the other; one that is 0 in all of them adds 0."""
    if words.shape[1] >= _WIDE:
        _fold_wide(sums, words)
        return
    scratch = np.empty((2, len(sums)), np.uint64)
    for number in range(words.shape[1]):
        if number and not words[:, number].any():
            continue
        np.multiply(words[:, number], np.uint64(_FOLD), out=scratch[0])
        np.right_shift(scratch[0], np.uint64(32), out=scratch[1])
        scratch[0] ^= scratch[1]
        scratch[0] *= _keys(number + 1)[number]
        sums += scratch[0]


def _fold_wide(sums: Words, words: Words) -> None:
    """The same, a value after the other, a cache full of them at a time: half the time where values have many words."""
    width = words.shape[1]
    rows = max(1, _CACHED_WORDS // width)
    scratch = np.empty((2, min(rows, len(words)), width), np.uint64)
    for start in range(0, len(words), rows):
        part = words[start : start + rows]
        folded, shifted = scratch[:, : len(part)]
        np.multiply(part, np.uint64(_FOLD), out=folded)
        np.right_shift(folded, np.uint64(32), out=shifted)
        folded ^= shifted
        sums[start : start + rows] += folded @ _keys(width)[:width]


def _mix(numbers: Words, scratch: Words) -> None:
    """`mix` in place; scratch is overwritten."""
    for shift, factor in ((30, _MIX_1), (27, _MIX_2), (31, None)):
        np.right_shift(numbers, np.uint64(shift), out=scratch)
        numbers ^= scratch
        if factor is not None:
            numbers *= np.uint64(factor)


def _keys(count: int) -> Words:
    """At least `count` keys."""
    return _made_keys(_KEYS) if count <= _KEYS else _make_keys(count)


def _make_keys(count: int) -> Words:
    keys = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
    _mix(keys, np.empty_like(keys))
    keys |= np.uint64(1)
    return keys


_made_keys = lru_cache(maxsize=1)(_make_keys)


def _spans(count: int) -> Iterator[slice]:
    return (slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK))
