"""Which rows a rehearsal takes: a stable share of all, and those that are most likely to break something."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakeshift.lake.kernel import Words


def sampled(batch: pa.RecordBatch, hashes: Words, percent: float) -> pa.RecordBatch:
    """The rows whose hash is in the lowest `percent` of all hashes, and the odd ones of this batch, in their order.

    Odd ones are, for each column, the first row with NULL, with the least value, with the greatest, and with NaN.
    The share depends on each row alone; the odd ones on what else is in the batch.

    Args:
        hashes: of the rows, as `row_hashes` gives them.
        percent: above 0, at most 100.

    Raises:
        ValueError: the percentage is none.
    """
    if not 0 < percent <= 100:
        raise ValueError(f"a sample of {percent} percent")
    if percent == 100:
        return batch
    kept = hashes < np.uint64(min(int(percent * 2**64 / 100), 2**64 - 1))
    for column in batch.columns:
        kept[list(_odd(column))] = True
    return batch.filter(pa.array(kept))


def _odd(array: pa.Array) -> Iterator[int]:
    """Places of the odd values of a column."""
    if array.null_count:
        yield pc.index(array.is_null(), True).as_py()
    kind = array.type
    if array.null_count == len(array) or pa.types.is_nested(kind):
        return
    if pa.types.is_floating(kind):
        yield from (place for place in [pc.index(pc.is_nan(array), True).as_py()] if place >= 0)
    bounds = pc.min_max(array)
    yield from (place for end in ("min", "max") if (place := pc.index(array, bounds[end]).as_py()) >= 0)
