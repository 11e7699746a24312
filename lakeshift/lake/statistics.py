"""What is measured of rows on their way into the lake, in bounded memory and one pass; parts merge in any order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Context, Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakeshift.lake import layout
from lakeshift.lake.checksum import Combination, Extremes, observed
from lakeshift.lake.kernel import Words
from lakeshift.model import ColumnStatistics, Scalar, Statistics

MAX_PATHS = 2_000
"""Columns and nested leaves that are measured; columns come first, then leaves in the order of the schema."""
EXTREME_LENGTH = 64
"""Characters of a text, or bytes of a binary value, that a minimum and a maximum keep.

A minimum of full length is the start of the least value, a maximum of full length the start of the greatest one: no
value starts with anything greater, though the greatest itself may go on. Characters, because their order is that of
the UTF-8 bytes and cutting keeps it, so that cut parts merge to the cut whole.
"""

_DIGITS = Context(prec=100)
_MASK = 2**64 - 1

Bounds = tuple[Any, Any] | None


class Accumulator:
    """Takes up batches of one schema."""

    def __init__(self, schema: pa.Schema) -> None:
        """Nothing measured yet; `schema` is that of the batches, in their lake form."""
        tops = list(schema.names)
        leaves = [leaf for field in schema for leaf in leaf_paths(field.type, field.name) if leaf != field.name]
        kept = leaves[: max(0, MAX_PATHS - len(tops))]
        self._order = [path for field in schema for path in _paths(field)]
        self._measures = {path: _Measure() for path in (*tops, *kept)}
        self._omitted = len(leaves) - len(kept)
        self._rows = self._sum = self._xor = 0

    def add(self, rows: pa.RecordBatch | pa.Table) -> None:
        """Measure more rows."""
        for batch in rows.to_batches() if isinstance(rows, pa.Table) else [rows]:
            self._add(batch)

    def _add(self, batch: pa.RecordBatch) -> None:
        combination = Combination(batch.num_rows, "row")
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            combination.add(self._column(name, column))
        hashes = combination.hashes()
        self._rows += batch.num_rows
        self._sum += int(hashes.sum())
        self._xor ^= int(np.bitwise_xor.reduce(hashes))

    def _column(self, name: str, column: pa.Array) -> Words:
        hashes = observed(column, name, self._leaf)
        if pa.types.is_nested(column.type):
            self._measures[name].count(column, hashes)
        return hashes

    def _leaf(self, path: str, array: pa.Array, hashes: Words, found: Extremes) -> None:
        measure = self._measures.get(path)
        if measure is not None and len(array):
            measure.count(array, hashes)
            measure.look(array, found)

    def result(self) -> Statistics:
        """Everything measured so far."""
        return Statistics(
            rows=self._rows,
            sum=_hex(self._sum),
            xor=_hex(self._xor),
            columns=tuple(self._measures[path].result(path) for path in self._order if path in self._measures),
            omitted=self._omitted,
        )


def leaf_paths(kind: pa.DataType, path: str) -> Iterator[str]:
    """Paths of the leaves of a type, `items[].price`; the path itself for a type without parts."""
    if layout.is_list(kind):
        yield from leaf_paths(kind.value_type, f"{path}[]")
    elif pa.types.is_struct(kind):
        for field in kind:
            yield from leaf_paths(field.type, f"{path}.{field.name}")
    else:
        yield path


def _paths(field: pa.Field) -> Iterator[str]:
    yield field.name
    yield from (path for path in leaf_paths(field.type, field.name) if path != field.name)


class _Measure:
    """Counters of one column or leaf. Bounds stay raw (numbers, text, bytes) until the result is wanted."""

    def __init__(self) -> None:
        self.values = self.nulls = self.checksum = 0
        self.kind: pa.DataType | None = None
        self.bounds: Bounds = None
        self.max_bytes: int | None = None
        self.nans: int | None = None
        self.infinities: int | None = None

    def count(self, array: pa.Array, hashes: Words) -> None:
        self.values += len(array)
        self.nulls += array.null_count
        self.checksum += int(hashes.sum())

    def look(self, array: pa.Array, found: Extremes) -> None:
        """The bounds of a leaf."""
        self.kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
        if layout.is_text(self.kind):
            self._widen(_text_bounds(self.kind, found))
            self.max_bytes = max(self.max_bytes or 0, found[2]) if found else self.max_bytes
        elif pa.types.is_floating(self.kind):
            self._floats(layout.fixed(array.drop_null().cast(pa.float64()), np.float64))
        elif pa.types.is_decimal(self.kind):
            self._widen(_decimal_bounds(array))
        elif not pa.types.is_null(self.kind):
            self._widen(_bounds(_comparable(array)))

    def _floats(self, values: Any) -> None:
        finite = np.isfinite(values)
        nans = int(np.isnan(values).sum())
        self.nans = (self.nans or 0) + nans
        self.infinities = (self.infinities or 0) + len(values) - nans - int(np.count_nonzero(finite))
        kept = values if finite.all() else values[finite]
        # Adding 0.0 makes 0.0 of -0.0: which of them is the least would hang on their order.
        self._widen((float(kept.min()) + 0.0, float(kept.max()) + 0.0) if len(kept) else None)

    def _widen(self, bounds: Bounds) -> None:
        self.bounds = _union(self.bounds, bounds)

    def result(self, path: str) -> ColumnStatistics:
        least, greatest = (_canonical(bound, self.kind) for bound in self.bounds or (None, None))
        decimal = self.bounds is not None and pa.types.is_decimal(self.kind)
        return ColumnStatistics(
            path=path,
            values=self.values,
            nulls=self.nulls,
            min=least,
            max=greatest,
            max_bytes=self.max_bytes,
            max_digits=max(len(str(abs(bound))) for bound in self.bounds or ()) if decimal else None,
            nans=self.nans,
            infinities=self.infinities,
            checksum=_hex(self.checksum),
        )


def _union(first: Bounds, second: Bounds) -> Bounds:
    if first is None or second is None:
        return first or second
    return min(first[0], second[0]), max(first[1], second[1])


def _text_bounds(kind: pa.DataType, found: Extremes) -> Bounds:
    if found is None:
        return None
    least, greatest, _ = found
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return least[:EXTREME_LENGTH], greatest[:EXTREME_LENGTH]
    # The bytes may end inside a character, far behind the last one that is kept.
    return least.decode(errors="ignore")[:EXTREME_LENGTH], greatest.decode(errors="ignore")[:EXTREME_LENGTH]


def _comparable(array: pa.Array) -> pa.Array:
    """Dates and times as their numbers, anything else as it is."""
    kind = array.type
    if pa.types.is_date(kind):
        return array.cast(pa.date32()).view(pa.int32())
    if pa.types.is_timestamp(kind):
        return array.cast(pa.timestamp("us", kind.tz)).view(pa.int64())
    return array.cast(pa.time64("us")).view(pa.int64()) if pa.types.is_time(kind) else array


def _bounds(array: pa.Array) -> Bounds:
    bounds = pc.min_max(array)
    return None if bounds["min"].as_py() is None else (bounds["min"].as_py(), bounds["max"].as_py())


def _decimal_bounds(array: pa.Array) -> Bounds:
    """Of the unscaled numbers; by their low words alone where these say all, which is four times as fast."""
    if array.type.bit_width == 128 and not array.null_count:
        words = layout.fixed(array, np.int64, 2)
        low, high = words[:, 0], words[:, 1]
        if bool((high == low >> np.int64(63)).all()):  # type: ignore[operator]
            return int(low.min()), int(low.max())
    bounds = _bounds(array)
    return bounds and (_unscaled(bounds[0], array.type.scale), _unscaled(bounds[1], array.type.scale))


def _unscaled(value: Decimal, scale: int) -> int:
    return int(value.scaleb(scale, _DIGITS))


def _canonical(bound: Any, kind: pa.DataType) -> Scalar | None:
    """A bound as JSON can hold it, and as `merge` can compare it."""
    if isinstance(bound, bytes):
        return bound.hex()
    if bound is None or pa.types.is_integer(kind) or not isinstance(bound, int) or pa.types.is_boolean(kind):
        return bound  # type: ignore[no-any-return]
    return next(form for test, form in _FORMS if test(kind))(bound, kind)


# Python's own dates end with the year 9999; what a damaged file holds does not.


def _date_text(days: int, _: pa.DataType) -> str:
    return str(np.datetime64(days, "D"))


def _time_text(micros: int, kind: pa.DataType) -> str:
    return _stamp_text(micros, kind).rpartition("T")[2]


def _stamp_text(micros: int, _: pa.DataType) -> str:
    return str(np.datetime64(micros, "us"))


def _decimal_text(unscaled: int, kind: pa.DataType) -> str:
    text = f"{Decimal(unscaled).scaleb(-kind.scale, _DIGITS):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


_FORMS: Sequence[tuple[Callable[[pa.DataType], bool], Callable[[int, pa.DataType], str]]] = (
    (pa.types.is_date, _date_text),
    (pa.types.is_time, _time_text),
    (pa.types.is_timestamp, _stamp_text),
    (pa.types.is_decimal, _decimal_text),
)


def merge(first: Statistics, second: Statistics) -> Statistics:
    """Statistics of the rows of both; those of no rows and no columns are neutral.

    Raises:
        ValueError: they are of different columns.
    """
    if not (first.columns and second.columns):
        columns = first.columns or second.columns
    else:
        columns = tuple(_merged(*pair) for pair in zip(first.columns, second.columns, strict=True))
    return Statistics(
        rows=first.rows + second.rows,
        sum=_hex(int(first.sum, 16) + int(second.sum, 16)),
        xor=_hex(int(first.xor, 16) ^ int(second.xor, 16)),
        columns=columns,
        omitted=max(first.omitted, second.omitted),
    )


def empty() -> Statistics:
    """Statistics of nothing, where a merge starts."""
    return Statistics(rows=0, sum=_hex(0), xor=_hex(0))


def _merged(first: ColumnStatistics, second: ColumnStatistics) -> ColumnStatistics:
    if first.path != second.path:
        raise ValueError(f"statistics of {first.path} and of {second.path} cannot be merged")
    rank = Decimal if first.max_digits is not None or second.max_digits is not None else _itself
    return ColumnStatistics(
        path=first.path,
        values=first.values + second.values,
        nulls=first.nulls + second.nulls,
        min=min(_known(first.min, second.min), key=rank, default=None),
        max=max(_known(first.max, second.max), key=rank, default=None),
        max_bytes=max(_known(first.max_bytes, second.max_bytes), default=None),
        max_digits=max(_known(first.max_digits, second.max_digits), default=None),
        nans=sum(_known(first.nans, second.nans)) if first.nans is not None else second.nans,
        infinities=sum(_known(first.infinities, second.infinities))
        if first.infinities is not None
        else second.infinities,
        checksum=_hex(int(first.checksum, 16) + int(second.checksum, 16)),
    )


def _known(*values: Any) -> list[Any]:
    return [value for value in values if value is not None]


def _itself(value: Any) -> Any:
    return value


def _hex(number: int) -> str:
    return f"{number & _MASK:016x}"
