"""Samples: the same rows every time, and the odd ones with them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshift.lake.checksum import row_hashes
from lakeshift.lake.sample import sampled
from tests.unit.arrow_values import batches


def kept(batch: pa.RecordBatch, percent: float) -> pa.RecordBatch:
    return sampled(batch, row_hashes(batch), percent)


def by_hash(batch: pa.RecordBatch, percent: float) -> set[int]:
    return {row for row, one in enumerate(row_hashes(batch).tolist()) if one < percent / 100 * 2**64}


def numbered(count: int) -> pa.RecordBatch:
    return pa.record_batch({"n": pa.array(range(count), pa.int64()), "t": [f"row {number}" for number in range(count)]})


@given(batches(max_size=20), st.floats(0.1, 100))
def test_order_and_values_stay(batch: pa.RecordBatch, percent: float) -> None:
    place = pa.array(range(batch.num_rows), pa.int64())
    found = sampled(batch.append_column("#", place), row_hashes(batch), percent)
    places = found["#"].to_pylist()
    assert places == sorted(places)
    assert found.drop_columns(["#"]).equals(batch.take(pa.array(places, pa.int64()))) or "nan" in str(found.to_pylist())
    assert by_hash(batch, percent) <= set(places) or percent == 100


@given(batches(max_size=20))
def test_a_hundred_percent_are_all(batch: pa.RecordBatch) -> None:
    assert kept(batch, 100).num_rows == batch.num_rows


@pytest.mark.parametrize("percent", [1, 10, 50])
def test_about_so_many_rows_are_kept_however_they_are_framed(percent: int) -> None:
    batch = numbered(50_000)
    whole = set(kept(batch, percent)["n"].to_pylist())
    assert abs(len(whole) / 500 - percent) < 1
    share = by_hash(batch, percent)
    pieces = {number for at in range(0, 50_000, 777) for number in kept(batch[at : at + 777], percent)["n"].to_pylist()}
    # Other frames have other extremes, and no other rows.
    assert share <= whole
    assert share <= pieces
    assert len(whole - share) <= 4


def test_a_smaller_share_is_part_of_a_larger_one() -> None:
    batch = numbered(5_000)
    assert by_hash(batch, 2) <= set(kept(batch, 3)["n"].to_pylist())


def test_odd_rows_are_always_there() -> None:
    values = [5.0] * 1_000
    values[17], values[400], values[401] = -1e300, 1e300, float("nan")
    texts: list[str | None] = ["m"] * 1_000
    texts[33], texts[44], texts[999] = "a", "z", None
    nested: list[list[int] | None] = [[1]] * 1_000
    nested[555] = None
    batch = pa.record_batch(
        {
            "#": pa.array([0] * 1_000),
            "f": pa.array(values),
            "t": pa.array(texts),
            "l": pa.array(nested, pa.list_(pa.int64())),
        }
    )
    found = sampled(batch.set_column(0, "#", pa.array(range(1_000))), np.full(1_000, 2**64 - 1, np.uint64), 0.001)
    assert found["#"].to_pylist() == [0, 17, 33, 44, 400, 401, 555, 999]


def test_wide_and_empty_batches() -> None:
    wide = pa.RecordBatch.from_arrays([pa.array([2, 1, None])] * 1_700, names=[f"c{number}" for number in range(1_700)])
    assert sampled(wide, np.full(3, 2**64 - 1, np.uint64), 1).num_rows == 3
    assert kept(wide.slice(0, 0), 1).num_rows == 0
    assert kept(pa.record_batch({"a": pa.nulls(5, pa.string())}), 0.0001).num_rows == 1


@pytest.mark.parametrize("percent", [0, -1, 100.1])
def test_no_percentage_at_all(percent: float) -> None:
    with pytest.raises(ValueError, match="percent"):
        kept(numbered(1), percent)
