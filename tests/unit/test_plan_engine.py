"""Engines and sizes: the run's budget of streams holds, and numbers follow from bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lakeshift.model import Slice
from lakeshift.plan.engine import LAMBDA_BYTES, VCPUS, Size, explain, shares, size
from tests.unit.plans import PLAIN, entry, migration, planned

GB = 10**9
REF = entry(PLAIN).ref


def parts(total: int, chunks: int, rows: int = 0) -> tuple[Slice, ...]:
    each = [total // chunks + (at < total % chunks) for at in range(chunks)]
    return tuple(Slice(ref=REF, bytes=one, rows=rows // chunks) for one in each)


@given(
    budget=some.integers(1, 5000),
    parallelism=some.integers(1, 1000),
    tables=some.integers(0, 100_000),
    totals=some.lists(some.integers(0, 10**15), max_size=5),
    chunks=some.integers(1, 500),
)
def test_tables_at_a_time_never_read_more_streams_than_the_budget(
    budget: int, parallelism: int, tables: int, totals: list[int], chunks: int
) -> None:
    got = shares(budget, parallelism, tables)
    assert 1 <= got.concurrency <= max(1, min(parallelism, tables))
    assert got.concurrency * got.share <= budget
    for total in totals:
        for choice in ("auto", "lambda", "glue"):
            made = size(parts(total, chunks), got.share, choice)
            assert 1 <= made.streams <= min(got.share, chunks)
            assert (made.workers == 0) == (made.engine == "lambda")
            if made.engine == "glue":
                assert (made.workers - 1) * VCPUS[made.worker_type] >= made.streams
                assert made.workers >= 2


@pytest.mark.parametrize(
    ("total", "chunks", "share", "choice", "expected"),
    [
        (LAMBDA_BYTES, 40, 10, "auto", Size("lambda", 10)),
        (LAMBDA_BYTES + 1, 40, 10, "auto", Size("glue", 2, 2, "G.1X")),
        (360 * GB, 200, 300, "auto", Size("glue", 4, 2, "G.1X")),
        (3600 * GB, 2000, 300, "auto", Size("glue", 40, 11, "G.1X")),
        (3690 * GB, 2000, 300, "auto", Size("glue", 41, 7, "G.2X")),
        (9000 * GB, 5000, 30, "auto", Size("glue", 30, 9, "G.1X")),
        (9000 * GB, 3, 30, "auto", Size("glue", 3, 2, "G.1X")),
        (1, 1, 1, "glue", Size("glue", 1, 2, "G.1X")),
        (9000 * GB, 5000, 30, "lambda", Size("lambda", 30)),
    ],
)
def test_sizes_follow_from_bytes(total: int, chunks: int, share: int, choice: str, expected: Size) -> None:
    assert size(parts(total, chunks), share, choice) == expected  # type: ignore[arg-type]


def test_wide_rows_get_half_the_tasks_on_a_worker() -> None:
    narrow, wide = size(parts(3600 * GB, 1000, 10**9), 40), size(parts(3600 * GB, 1000, 10**6), 40)
    assert (narrow.workers, wide.workers) == (11, 21)


def test_a_plan_without_slices_is_read_by_lambda() -> None:
    assert size((), 8, "glue") == Size("lambda", 1)


def test_plans_say_why() -> None:
    small, large = planned(entry(PLAIN)), planned(entry(PLAIN, bytes=360 * GB, rows=10**9), share=300)
    assert explain(small).startswith("Lambda for 0.01 GB in 1 chunk(s): up to 84 GB")
    assert "Glue for 360.00 GB in 168 chunk(s): more than 84 GB. 4 stream(s)" in explain(large)
    assert "2 G.1X worker(s): 1 driver and 4 stream(s) on each other" in explain(large)
    forced = planned(entry(PLAIN), migration(extract={"engine": "glue"}))
    assert "chosen in the config" in explain(forced)
    assert large.notes[-1] == explain(large)
