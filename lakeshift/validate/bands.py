"""Bands: in which of 16 ranges of one well-ordered column a row's value lies, as its fingerprint says too. Pure.

A segment holds rows of one band, so that whoever looks for rows of some segments need not look at rows, partitions,
blocks or row groups whose values all lie elsewhere. See docs/reference/canonical-form.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lakeshift.lake import layout
from lakeshift.model import ColumnPlan, Kind, Scalar, Statistics, TablePlan
from lakeshift.types.redshift import type_of
from lakeshift.validate.columns import Checked

if TYPE_CHECKING:
    # The layer leaves NumPy's typing out.
    import numpy.typing as npt

BANDS = 16
"""As many as the last bits of a fingerprint tell apart, so that a segment of as many or more lies in one of them."""
_BELOW_ALL = -(2**63)
_INT_BITS = 32
_INTEGERS = frozenset({Kind.INT16, Kind.INT32, Kind.INT64})
# Units of those that are counted from 1970 on, and the first and last count that has a date in both engines.
_UNITS = {Kind.DATE: "D", Kind.DATETIME: "us", Kind.TIMESTAMP: "us"}
_DATED = {"D": (-719_162, 2_932_896), "us": (-62_135_596_800_000_000, 253_402_300_799_999_999)}


@dataclass(frozen=True)
class Band:
    """What bands of a table's rows are told by.

    Attributes:
        column: in the target.
        bounds: where each band but the first begins, ascending, in the canonical form's whole numbers.
    """

    column: str
    bounds: tuple[int, ...]


def band_of(plan: TablePlan, statistics: Statistics | None, segments: int) -> Band | None:
    """The bands of a table's rows; None for a table without a fitting column, or so small that bands say nothing.

    Args:
        statistics: as they were taken while the lake's files were written: the same whoever looks, and whenever.
        segments: of its sums of fingerprints.
    """
    if statistics is None or segments < BANDS:
        return None
    found = {one.path: one for one in statistics.columns}
    for column in _ordered(plan):
        measured = found.get(column.target)
        if measured and (bounds := bounds_of(column.source.kind, measured.min, measured.max)):
            return Band(column.target, bounds)
    return None


def _ordered(plan: TablePlan) -> Iterator[ColumnPlan]:
    """Columns whose values stand in both engines in the same order, first those that rows are likely stored by."""
    key = plan.merge.key if plan.merge else plan.primary_key
    partition = (one.target for one in plan.columns if one.source.name.casefold() == plan.partition_column.casefold())
    first = [*partition, *plan.sort_key[:1], *key[:1]]
    places = {name: place for place, name in reversed([*enumerate(first)])}
    yield from sorted(filter(_is_ordered, plan.columns), key=lambda one: places.get(one.target, len(first)))


def _is_ordered(column: ColumnPlan) -> bool:
    plain = not (column.divided or column.folds) and column.source.kind in _INTEGERS | _UNITS.keys()
    return plain and column.target_type == type_of(column.source).target


def bounds_of(kind: Kind, least: Scalar | None, greatest: Scalar | None) -> tuple[int, ...]:
    """Where each band but the first begins, evenly between the values of a column; none where these are no range."""
    if least is None or greatest is None:
        return ()
    low, high = (_number(kind, one) for one in (least, greatest))
    first, last = _DATED.get(_UNITS.get(kind, ""), (low, high))
    if not first <= low < high <= last:
        return ()
    return tuple(low + 1 + (high - low) * place // BANDS for place in range(1, BANDS))


def _number(kind: Kind, value: Scalar) -> int:
    """A bound of the statistics as the canonical form's whole number."""
    return int(value) if kind in _INTEGERS else int(np.array(str(value), _stored(kind)).astype(np.int64))


def text_of(kind: Kind, number: int) -> str:
    """The same number as a literal's text, without the words around it."""
    if kind in _INTEGERS:
        return str(number)
    return str(np.array(number, np.int64).astype(_stored(kind))).replace("T", " ")


def _stored(kind: Kind) -> np.dtype[np.datetime64]:
    return np.dtype(f"datetime64[{_UNITS[kind]}]")


def with_band(columns: Sequence[Checked], band: Band | None) -> tuple[Checked, ...]:
    """The columns, of which one tells the bands of rows."""
    if band is None:
        return tuple(columns)
    return tuple(replace(one, bounds=band.bounds) if one.name == band.column else one for one in columns)


def without_band(columns: Sequence[Checked]) -> tuple[Checked, ...]:
    """The columns, none of which tells bands: what ties a child to its parent has none."""
    return tuple(replace(one, bounds=()) for one in columns)


def telling(columns: Sequence[Checked]) -> Checked | None:
    """The column that tells the bands of rows, if one does."""
    return next((one for one in columns if one.bounds), None)


def banded(
    prints: npt.NDArray[np.int64], arrays: Sequence[pa.Array], columns: Sequence[Checked]
) -> npt.NDArray[np.int64]:
    """Fingerprints of rows with their bands in the last bits, where a column tells them.

    Args:
        arrays: the values of the columns.
    """
    for array, one in zip(arrays, columns, strict=True):
        if one.bounds:
            return (prints & np.int64(-BANDS)) | bands(array, one.bounds)
    return prints


def bands(array: pa.Array, bounds: Sequence[int]) -> npt.NDArray[np.int64]:
    """The band of each value: how many bounds are not above it; 0 for NULL."""
    array = layout.plain(array)
    if not pa.types.is_integer(array.type):
        array = array.view(pa.int32() if array.type.bit_width == _INT_BITS else pa.int64())
    numbers = array.cast(pa.int64()).fill_null(_BELOW_ALL).to_numpy()
    found: npt.NDArray[np.int64] = np.searchsorted(np.array(bounds, np.int64), numbers, side="right").astype(np.int64)
    return found


def ranges(wanted: Collection[int]) -> Iterator[tuple[int, int]]:
    """The first and the last of each run of neighbours among some bands."""
    first: int | None = None
    for band in range(BANDS + 1):
        if band in wanted:
            first = band if first is None else first
        elif first is not None:
            yield first, band - 1
            first = None


def meeting(columns: Sequence[Checked], wanted: Collection[int]) -> Callable[[pq.RowGroupMetaData], bool] | None:
    """Whether a row group may have rows of some bands, by its footer; None where footers say nothing of them."""
    one = telling(columns)
    if one is None or len(wanted) == BANDS:
        return None
    name, bounds = one.lake[0], one.bounds

    def meets(group: pq.RowGroupMetaData) -> bool:
        chunks = (group.column(place) for place in range(group.num_columns))
        found = next((chunk.statistics for chunk in chunks if chunk.path_in_schema == name), None)
        if found is None or not found.has_null_count or (found.null_count and 0 in wanted):
            return True
        if not found.has_min_max:
            return bool(found.num_values)
        # As they are stored: Python's own dates end with the year 9999.
        low, high = np.searchsorted(np.array(bounds), [found.min_raw, found.max_raw], side="right")
        return any(low <= band <= high for band in wanted)

    return meets
