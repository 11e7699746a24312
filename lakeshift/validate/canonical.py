"""The canonical text of every value, and the fingerprints made of it: the same in Arrow and in the engines' SQL.

Specification with examples: docs/reference/canonical-form.md.

    BOOLEAN                  true, false
    INT16, INT32, INT64      decimal digits
    FLOAT32, FLOAT64         <m>p<e> for m * 2^e with 2^52 <= |m| < 2^53, of subnormals and FLOAT32 too;
                             0, -0, nan, inf, -inf
    DECIMAL                  digits with exactly its scale after the point; where Redshift has no such DECIMAL, the text
                             that travels
    STRING, INTERVAL         the text
    BYTES                    the bytes
    DATE                     days since 1970-01-01
    TIME, TIME_ZONED         microseconds since midnight, of the latter in UTC
    DATETIME, TIMESTAMP      microseconds since 1970-01-01 00:00:00, of the latter in UTC
    JSON                     as it stands, without blanks between its tokens, with the shortest escapes
    STRUCT, ARRAY, RANGE     JSON without blanks, see `texts.json_texts`; NULL fields are null
    GEOGRAPHY, GEOMETRY      WKT, see `texts.shape_texts`
    NULL                     none; its fingerprint is NULL_FINGERPRINT

A row's fingerprint: with fp(k) the fingerprint of the value in column k = 0, 1, ...,

    a = sum over k of (fp(k) & (2^31 - 1)) * key(k)
    b = sum over k of (fp(k) >> 31 & (2^31 - 1)) * key'(k)
    row = fingerprint of the text "<a>,<b>", in whose last bits the row's band may stand, see `bands`
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakeshift.errors import ValueUnsupported
from lakeshift.lake import layout
from lakeshift.lake.checksum import mixed
from lakeshift.lake.farm import NULL_FINGERPRINT, Fingerprints, fingerprints
from lakeshift.model import Column, Kind
from lakeshift.validate import texts
from lakeshift.validate.bands import banded
from lakeshift.validate.columns import Checked, value

if TYPE_CHECKING:
    # The layer leaves NumPy's typing out.
    import numpy.typing as npt

LANE_BITS = 31
"""Bits of a fingerprint in each of the two lanes of a row."""
KEY_BITS = 21
"""Bits of a key; a sum over 2,048 columns stays below 2^63."""
_GOLDEN = 0x9E3779B97F4A7C15
_LANE = (1 << LANE_BITS) - 1
_MANTISSA = 53
_DAY_MICROS = 86_400_000_000
_INT_BITS = 32
# Rows whose sums stay in the cache.
_BLOCK = 16_384
# Values that are looked at before a column is taken for one of few values, and how many of them may be different.
_SAMPLE = 1_024
_REPEATED = 0.95


def canonical(array: pa.Array, source: Column) -> pa.Array:
    """The canonical text (of BYTES the bytes) of each value; NULL stays NULL.

    Args:
        array: as the lake has values of this type; BYTES as they are.

    Raises:
        pa.ArrowInvalid: a text that is no value of its type. Its message quotes the value.
    """
    form = _FORMS.get(source.kind)
    return form(layout.plain(array)) if form else array


def _plain(array: pa.Array) -> pa.Array:
    return array.cast(pa.string())


def _number(array: pa.Array) -> pa.Array:
    """Days and microseconds as the integers that they are."""
    return array.view(pa.int32() if array.type.bit_width == _INT_BITS else pa.int64()).cast(pa.string())


def _of_numbers(numbers: npt.NDArray[np.generic], array: pa.Array) -> pa.Array:
    return pa.array(numbers, mask=layout.nulls(array))


def _floats(array: pa.Array) -> pa.Array:
    """An integer mantissa of 53 bits and the power of two, exact for subnormals too."""
    doubles = np.asarray(layout.fixed(array.cast(pa.float64()), np.float64), np.float64)
    fractions, powers = np.frexp(doubles)
    odd = ~np.isfinite(doubles) | (doubles == 0)
    mantissas = np.where(odd, 0, fractions * 2.0**_MANTISSA).astype(np.int64)
    parts = [_of_numbers(one, array).cast(pa.string()) for one in (mantissas, powers - _MANTISSA)]
    found = pc.binary_join_element_wise(*parts, "p")
    if not odd.any():
        return found
    return pc.if_else(pa.array(odd), _of_numbers(_odd_floats(doubles), array), found)


def _odd_floats(doubles: npt.NDArray[np.float64]) -> npt.NDArray[np.generic]:
    """Texts of what has no mantissa; nonsense for all others."""
    negative = np.signbit(doubles)
    zero = np.where(negative, "-0", "0")
    return np.where(np.isnan(doubles), "nan", np.where(doubles == 0, zero, np.where(negative, "-inf", "inf")))


def _decimals(array: pa.Array) -> pa.Array:
    return texts.decimal_texts(array) if pa.types.is_decimal(array.type) else array


def _times(array: pa.Array) -> pa.Array:
    if not layout.is_text(array.type):
        return array.cast(pa.time64("us")).view(pa.int64()).cast(pa.string())
    return _micros(array).cast(pa.string())


def _micros(clocks: pa.Array) -> pa.Array:
    """Microseconds since midnight of `hh:mm:ss[.ffffff]`."""
    moments = pc.binary_join_element_wise("1970-01-01 ", clocks.cast(pa.string()), "")
    return moments.cast(pa.timestamp("us")).view(pa.int64())


def _zoned_times(array: pa.Array) -> pa.Array:
    """The time in UTC. The zone is `+hh`, `+hh:mm`, `+hh:mm:ss`, or Z."""
    parts = pc.extract_regex(array.cast(pa.string()), _ZONED)
    if parts.null_count > array.null_count:
        raise pa.ArrowInvalid("a time without a zone")
    seconds = sum(_part(parts, name) * unit for name, unit in (("hours", 3600), ("minutes", 60), ("seconds", 1)))
    ahead = pc.if_else(pc.equal(pc.struct_field(parts, "sign"), "-"), -1, 1).fill_null(1).to_numpy()
    clock = _micros(pc.struct_field(parts, "clock")).fill_null(0).to_numpy()
    return _of_numbers((clock - ahead * seconds * 1_000_000) % _DAY_MICROS, array).cast(pa.string())


def _part(parts: pa.StructArray, name: str) -> npt.NDArray[np.int64]:
    """A part of the zone as a number; 0 where it has none."""
    digits = pc.struct_field(parts, name)
    found: npt.NDArray[np.int64] = (
        pc.if_else(pc.equal(digits, ""), "0", digits).cast(pa.int64()).fill_null(0).to_numpy()
    )
    return found


_ZONED = (
    r"^(?P<clock>\d\d:\d\d:\d\d(?:\.\d+)?)(?:Z|(?P<sign>[+-])(?P<hours>\d\d)(?::?(?P<minutes>\d\d))?"
    r"(?::?(?P<seconds>\d\d))?)$"
)


def _json(array: pa.Array) -> pa.Array:
    return texts.compact_json(array) if layout.is_text(array.type) else texts.json_texts(array)


_FORMS: dict[Kind, Callable[[pa.Array], pa.Array]] = {
    **dict.fromkeys((Kind.BOOLEAN, Kind.INT16, Kind.INT32, Kind.INT64), _plain),
    **dict.fromkeys((Kind.FLOAT32, Kind.FLOAT64), _floats),
    **dict.fromkeys((Kind.DATE, Kind.DATETIME, Kind.TIMESTAMP), _number),
    **dict.fromkeys((Kind.STRUCT, Kind.ARRAY, Kind.RANGE, Kind.JSON), _json),
    **dict.fromkeys((Kind.GEOGRAPHY, Kind.GEOMETRY), texts.shape_texts),
    Kind.DECIMAL: _decimals,
    Kind.TIME: _times,
    Kind.TIME_ZONED: _zoned_times,
}


def column_fingerprints(batch: pa.RecordBatch, columns: Sequence[Checked]) -> list[Fingerprints]:
    """One fingerprint per row for each column.

    Args:
        batch: of the lake, or of a child table.

    Raises:
        ValueUnsupported: a text that is no value of its type; names the column.
    """
    return [array_fingerprints(value(batch, one), one) for one in columns]


def batch_fingerprints(batch: pa.RecordBatch, columns: Sequence[Checked]) -> tuple[Fingerprints, list[Fingerprints]]:
    """The fingerprints of a batch's rows, with their bands where a column tells these, and those of its values.

    Raises:
        ValueUnsupported: as `column_fingerprints`.
    """
    arrays = [value(batch, one) for one in columns]
    prints = list(map(array_fingerprints, arrays, columns))
    return banded(row_fingerprints(prints, batch.num_rows), arrays, columns), prints


def array_fingerprints(array: pa.Array, one: Checked) -> Fingerprints:
    """One fingerprint for each value of a column, as `column_fingerprints`."""
    try:
        return value_fingerprints(array, one.source)
    except pa.ArrowInvalid:
        # Arrow's own text quotes the value, which belongs in no log.
        raise ValueUnsupported(f"a value of type {array.type} has no canonical form", where=one.path) from None


def value_fingerprints(array: pa.Array, source: Column) -> Fingerprints:
    """One fingerprint for each value; where values stand often, each is made into text once."""
    array = layout.plain(array)
    if not _repeats(array):
        return fingerprints(canonical(array, source))
    # Bits tell -0 from 0, which are one value in a dictionary.
    encoded = _as_bits(array).dictionary_encode()
    each = fingerprints(canonical(_as_values(encoded.dictionary, array.type), source))
    places = encoded.indices
    if places.null_count:
        each, places = np.append(each, NULL_FINGERPRINT), places.fill_null(len(each))
    found: Fingerprints = each[places.to_numpy()]
    return found


def _repeats(array: pa.Array) -> bool:
    """Whether values likely stand many times, by some that are spread evenly."""
    if pa.types.is_nested(array.type) or len(array) < _SAMPLE * 4:
        return False
    chosen = array.take(pa.array(np.linspace(0, len(array) - 1, _SAMPLE, dtype=np.int64)))
    return bool(pc.count_distinct(chosen).as_py() <= (len(chosen) - chosen.null_count) * _REPEATED)


def _as_bits(array: pa.Array) -> pa.Array:
    return array.view(_BITS[array.type]) if array.type in _BITS else array


def _as_values(array: pa.Array, kind: pa.DataType) -> pa.Array:
    return array.view(kind) if kind in _BITS else array


_BITS = {pa.float32(): pa.int32(), pa.float64(): pa.int64()}


def row_fingerprints(columns: Sequence[Fingerprints], rows: int = 0) -> Fingerprints:
    """One fingerprint for each row, of those of its columns in order; its band is in none of them.

    Args:
        columns: at most 2,048, so that no sum is beyond 63 bits.
        rows: how many there are, where no column says it.
    """
    count = len(columns[0]) if columns else rows
    sums = np.zeros((2, count), np.int64)
    for start in range(0, count, _BLOCK):
        _add_lanes(sums[:, start : start + _BLOCK], [column[start : start + _BLOCK] for column in columns])
    found = [pa.array(one).cast(pa.string()) for one in sums]
    return fingerprints(pc.binary_join_element_wise(*found, ","))


def _add_lanes(sums: npt.NDArray[np.int64], columns: Sequence[Fingerprints]) -> None:
    part = np.empty_like(sums[0])
    for column, keys in zip(columns, lane_keys(len(columns)), strict=True):
        for lane, key in enumerate(keys):
            np.right_shift(column, lane * LANE_BITS, out=part)
            part &= _LANE
            part *= key
            sums[lane] += part


@lru_cache(maxsize=8)
def lane_keys(count: int) -> tuple[tuple[int, int], ...]:
    """The keys of the first columns, one for each lane: odd, below 2^21."""
    bits = (mixed((number + 1) * _GOLDEN) for number in range(count))
    low = (1 << KEY_BITS) - 1
    return tuple((one & low | 1, one >> KEY_BITS & low | 1) for one in bits)
