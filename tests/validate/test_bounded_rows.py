"""Rows with long values, and rows that are held, are read a bounded number at a time."""

from __future__ import annotations

import re
import weakref
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pytest

from lakeshift.model import Column, Kind
from lakeshift.validate.canonical import column_fingerprints, row_fingerprints
from lakeshift.validate.columns import Checked
from lakeshift.validate.dialects import REDSHIFT
from lakeshift.validate.held import Held
from lakeshift.validate.questions import TOO_LONG
from lakeshift.validate.rows import Cut
from lakeshift.validate.sides import EngineTable
from lakeshift.validate.sums import Sums

TEXT = Checked("t", Column(name="t", kind=Kind.STRING, source_type="STRING"), "VARCHAR", "t", ("t",))
ROWS, SIZE = 10, 100


def test_long_values_of_an_answer_come_as_many_at_once_as_may_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakeshift.validate.sides._KEPT_BYTES", 3 * SIZE)
    fetched: list[int] = []

    def ask(text: str) -> Sequence[Sequence[object]]:
        if "DISTINCT" not in text:
            return [(number, f"{TOO_LONG}{SIZE}" if number % 2 else "short") for number in range(1, ROWS + 1)]
        (listed,) = re.findall(r"_r IN \(([\d, ]+)\)", text)
        prints = [int(one) for one in listed.split(",")]
        fetched.extend(prints)
        return [(one, (f"{one:02}" * (SIZE // 2)).encode().hex()) for one in prints]

    table = EngineTable(REDSHIFT, "t", (TEXT,), ask)
    cut = Cut(1, (0,), ROWS)
    assert table.fingerprints(cut).tolist() == list(range(1, ROWS + 1))
    given = 0
    for row in table.rows(cut, dict.fromkeys(range(1, ROWS + 1), 1)):
        given += row.fingerprint % 2
        assert len(fetched) - given < 3
        long = f"{row.fingerprint:02}" * (SIZE // 2)
        expected = long if row.fingerprint % 2 else "short"
        assert f'"{expected}"' in row.tokens[0]
    assert fetched == list(range(1, ROWS + 1, 2))


def test_held_rows_are_read_a_row_group_at_a_time() -> None:
    read: list[weakref.ref[pa.RecordBatch]] = []

    def batches() -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
        for number in range(5):
            assert sum(one() is not None for one in read[-number:] if number) <= 1
            whole = pa.record_batch({"t": [f"row {number}", "mended"]})
            read.append(weakref.ref(whole))
            yield whole, whole.slice(1)

    held = Held(batches)
    assert (bool(held), held.rows) == (True, 5)
    assert (bool(Held()), Held().rows) == (False, 0)
    prints = column_fingerprints(pa.record_batch({"t": [f"row {number}" for number in range(5)]}), [TEXT])
    expected = Sums.of(row_fingerprints(prints), prints, 4)
    found = held.sums([TEXT], 4)
    assert np.array_equal(found.counts, expected.counts)
    assert np.array_equal(found.columns, expected.columns)
    first = held.kept(lambda batch: batch.slice(0, 1))
    assert (first.rows, first.sums([TEXT], 1).counts.tolist()) == (0, [0])
    assert len(read) == 5 * 4
