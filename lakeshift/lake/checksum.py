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
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakeshift.lake import kernel, layout
from lakeshift.lake.kernel import Words

if TYPE_CHECKING:
    # The layer leaves NumPy's typing out.
    import numpy.typing as npt

    Places = npt.NDArray[np.intp]

VERSION = 1
# Bytes that text extremes are told apart by: 64 characters of up to four bytes.
EXTREME_BYTES = 256
CACHED_ELEMENTS = 32 * 1024
# Dictionaries up to here are remembered, some of them: the lists of a row group come to thousands of arrays that share
# one.
KEPT_BYTES = 1024 * 1024

_MASK = 2**64 - 1
_MIX_1, _MIX_2 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_GOLDEN = 0x9E3779B97F4A7C15

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
    combination = Combination(batch.num_rows, "row")
    for column in batch.columns:
        combination.add(value_hashes(column))
    return combination.hashes()


class Combination:
    """Hashes of rows or structs, made of those of their columns or fields one after another."""

    def __init__(self, rows: int, kind: str) -> None:
        self._sums = np.full(rows, seed(kind), np.uint64)
        self._count = 0

    def add(self, hashes: Words) -> None:
        """Take up the next column."""
        kernel.add_keyed(self._sums, hashes, _key(self._count))
        self._count += 1

    def hashes(self) -> Words:
        """The combined hashes; nothing can be added after."""
        kernel.mix_all(self._sums)
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
    kernel.put_nulls(hashes, array, NULL)
    if observer:
        observer(path, array, hashes, found)
    return hashes


def _encoded(array: pa.DictionaryArray, path: str, observer: Observer | None) -> Words:
    """Each value of a dictionary is hashed once, whatever how often it stands in the array."""
    if not layout.is_text(array.dictionary.type) or not len(array.dictionary) or array.dictionary.null_count:
        return observed(array.dictionary_decode(), path, observer)
    known = _known(array.dictionary)
    codes = array.indices.cast(pa.int32())
    numbers = layout.fixed(codes, np.int32).view(np.int32)
    hashes = kernel.hash_codes(numbers, known.hashes)
    kernel.put_nulls(hashes, codes, NULL)
    if observer:
        absent = layout.nulls(codes)
        observer(path, array, hashes, known.extremes(numbers if absent is None else numbers[~absent]))
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

    def extremes(self, codes: npt.NDArray[np.int32]) -> Extremes:
        """Of the values that have these codes."""
        if not len(codes):
            return None
        used = np.zeros(len(self._values), np.bool_)
        used[codes] = True
        places = np.flatnonzero(used)
        ranks, lengths = self._ranked
        among = ranks[places]
        least, greatest = int(places[among.argmin()]), int(places[among.argmax()])
        return _start(self._values, least), _start(self._values, greatest), int(lengths[places].max())


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
        return _text(array), _extremes(array) if watched else None
    if pa.types.is_decimal(array.type):
        return _decimal(array), None
    if pa.types.is_null(array.type):
        return np.full(len(array), NULL, np.uint64), None
    name, numbers = _numbers(array)
    return kernel.hash_numbers(numbers, seed(name)), None


def _struct(array: pa.Array, path: str, observer: Observer | None) -> Words:
    combination = Combination(len(array), "struct")
    for child, field in zip(array.flatten(), array.type, strict=True):
        combination.add(observed(child, f"{path}.{field.name}", observer))
    hashes = combination.hashes()
    kernel.put_nulls(hashes, array, NULL)
    return hashes


def _list(array: pa.Array, path: str, observer: Observer | None) -> Words:
    bounds, values = layout.elements(array)
    hashes = np.empty(len(array), np.uint64)
    for span in _spans(bounds):
        edges = bounds[span.start : span.stop + 1]
        some = values[int(edges[0]) : int(edges[-1])]
        hashes[span] = kernel.hash_lists(observed(some, f"{path}[]", observer), edges - edges[0], seed("list"))
    kernel.put_nulls(hashes, array, NULL)
    return hashes


def _spans(bounds: layout.Integers) -> Iterator[slice]:
    """Lists of together so many elements as fit the cache, a fifth faster than all at once; a longer one is alone."""
    start, last = 0, len(bounds) - 1
    while start < last:
        fits = int(np.searchsorted(bounds, bounds[start] + CACHED_ELEMENTS, side="right")) - 1
        span = slice(start, max(start + 1, fits))
        yield span
        start = span.stop


def _numbers(array: pa.Array) -> tuple[str, npt.NDArray[np.generic]]:
    kind = array.type
    if pa.types.is_integer(kind):
        return "int", layout.fixed(array, kind.to_pandas_dtype())
    if pa.types.is_boolean(kind):
        return "bool", np.asarray(pc.fill_null(array, False).to_numpy(zero_copy_only=False)).view(np.uint8)
    if pa.types.is_floating(kind):
        return "float", layout.fixed(array.cast(pa.float64()), np.float64)
    if pa.types.is_date(kind):
        return "date", layout.fixed(array.cast(pa.date32()), np.int32)
    if pa.types.is_time(kind):
        return "time", layout.fixed(array.cast(pa.time64("us")), np.int64)
    if pa.types.is_timestamp(kind):
        return "stamp", layout.fixed(array.cast(pa.timestamp("us", kind.tz)), np.int64)
    raise TypeError(f"no checksum of {kind}")


def _decimal(array: pa.Array) -> Words:
    count = 4 if pa.types.is_decimal256(array.type) else 2
    if array.type.bit_width < 128:
        array = array.cast(pa.decimal128(array.type.precision, array.type.scale))
    return kernel.hash_decimals(layout.fixed(array, np.uint64, count).view(np.uint64), seed("decimal"))


def _text(array: pa.Array) -> Words:
    binary = pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type)
    hashes, left = kernel.hash_texts(array, seed("binary" if binary else "text"))
    if left:
        lengths = np.diff(layout.offsets(array))
        for place in np.flatnonzero(lengths > kernel.MAX_WORD_TEXT).tolist():
            if array[place].is_valid:
                hashes[place] = mixed(int(hashes[place]) + _digest(array[place].as_buffer()))
    return hashes


def _extremes(array: pa.Array) -> Extremes:
    found = kernel.text_extremes(array)
    if found is None:
        return None
    least, greatest, longest = found
    return _start(array, least), _start(array, greatest), longest


def _start(values: pa.Array, place: int) -> bytes:
    return bytes(values[place].as_buffer()[:EXTREME_BYTES])


def _digest(value: pa.Buffer) -> int:
    return int.from_bytes(hashlib.blake2b(value, digest_size=8).digest(), "little")


@lru_cache(maxsize=4096)
def _key(place: int) -> int:
    return mixed((place + 1) * _GOLDEN) | 1
