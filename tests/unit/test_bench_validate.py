"""The bench of the gate: its arithmetic, what it refuses to call a figure, and that small tables go through it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench import lake_files, tables, validate
from bench.lake_checksum import rows_of, statistics_of
from bench.processes import Measured
from lakeshift.lake.checksum import row_hashes


def ran(seconds: float, rows: int = 1_000, **said: Any) -> Measured:
    return Measured(seconds, 1.0, 100.0, {"rows": rows, "sum": "a", **said})


def ran_all(**seconds: float) -> validate.Round:
    return {name: ran(value) for name, value in seconds.items()}


ROUNDS = [
    ran_all(rows=1.0, statistics=2.0, gate_pass=4.0, duckdb_hash=hashed, duckdb_md5=9.0) for hashed in (0.5, 2.0, 0.7)
]


def test_ratios_are_medians_of_what_stands_in_one_round() -> None:
    found = validate.checksum_figures("t", ROUNDS)
    assert found["t_rows_per_second"] == 1_000
    assert found["t_vs_duckdb_hash"] == pytest.approx(0.7)
    assert found["t_vs_duckdb_md5"] == pytest.approx(9.0)
    assert found["t_gate_pass_rows_per_second"] == 250


def test_a_contender_that_reads_other_rows_has_no_time() -> None:
    with pytest.raises(RuntimeError, match="duckdb_md5 read 999 rows of 1000"):
        validate.check_rows(1_000, [{**ROUNDS[0], "duckdb_md5": ran(1.0, 999)}])
    with pytest.raises(RuntimeError, match="another one with statistics"):
        validate.check_rows(1_000, [{**ROUNDS[0], "statistics": ran(1.0, sum="b")}])


def test_aims_hold_from_their_bound_on() -> None:
    assert validate.Aim(least=2.0).holds(2.0)
    assert not validate.Aim(least=2.0).holds(1.9)
    assert validate.Aim(most=1.25).holds(1.25)
    assert not validate.Aim(most=1.25).holds(1.26)


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lake files of a small nested table."""
    monkeypatch.setattr(lake_files, "CACHE", tmp_path)
    monkeypatch.setattr(tables, "QUICK_NESTED_ROWS", 3_000)
    nested = next(table for table in tables.tables(quick=True) if table.name == "nested")
    return lake_files.made(nested, "test")


def test_lake_files_hold_every_row_once(lake: Path) -> None:
    files = lake_files.files(lake)
    ids = [one for file in files for one in pq.read_table(file, columns=["id"]).column("id").to_pylist()]
    assert len(files) == lake_files.FILES
    assert ids == list(range(lake_files.row_count(lake))) == list(range(3_000))


def test_texts_read_as_dictionaries_have_the_checksum_of_texts(lake: Path) -> None:
    file = lake_files.files(lake)[0]
    plain = pq.ParquetFile(file).read_row_group(0).combine_chunks().to_batches()[0]
    hashes = row_hashes(plain)
    assert rows_of((file, 0))[:2] == (len(hashes), int(hashes.sum()))
    measured = statistics_of((file, 0))
    assert int(measured.sum, 16) == int(hashes.sum())
    by_path = {one.path: one for one in measured.columns}
    words = [one for one in plain.column("status").to_pylist() if one is not None]
    assert (by_path["status"].min, by_path["status"].max) == (min(words), max(words))
    assert pa.types.is_struct(plain.schema.field("address").type)


def test_one_value_of_a_copy_is_another_one(lake: Path) -> None:
    other = validate.with_one_change(lake)
    before, after = ([pq.read_table(file).to_pylist() for file in lake_files.files(folder)] for folder in (lake, other))
    pairs = [pair for first, second in zip(before, after, strict=True) for pair in zip(first, second, strict=True)]
    changed = [(old, new) for old, new in pairs if old != new]
    assert len(changed) == 1
    assert changed[0][1] == {**changed[0][0], "id": changed[0][0]["id"] + 1}
