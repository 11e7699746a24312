"""The gate's pass over the lake, and the look at rows that differ, take the same memory for ten times the rows."""

from __future__ import annotations

import sys
from pathlib import Path
from shutil import copytree

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench import lake_files, tables
from bench.processes import measure
from lakeshift.lake.parquet import FileWriter
from lakeshift.lake.rows import converter, schema

GROUP_ROWS = 5_000
GROUPS = 3
# Up to 50 MiB are the allocators' (measured); a pass that kept its rows would take some hundred more.
MORE_MIB = 80


def lake(folder: Path, groups: int) -> Path:
    """Two lake files of the nested table of the bench, with so many row groups each."""
    made = next(table for table in tables.tables(quick=True) if table.name == "nested")
    plans = lake_files.plans(made)
    lake_form, random = converter(plans), np.random.Generator(np.random.PCG64(7))
    folder.mkdir()
    for number in range(2):
        with (folder / f"{number}.parquet").open("wb") as sink, FileWriter(sink, schema(plans)) as writer:
            for group in range(number * groups, (number + 1) * groups):
                writer.write(lake_form(tables.batch(random, group * GROUP_ROWS, GROUP_ROWS)))
    (folder / lake_files.ROWS).write_text(str(2 * groups * GROUP_ROWS))
    return folder


def altered(lake: Path, folder: Path) -> Path:
    """The same lake with one other row, in the second row group of its first file."""
    copytree(lake, folder)
    source = pq.ParquetFile(lake / "0.parquet")
    with (folder / "0.parquet").open("wb") as sink, FileWriter(sink, source.schema_arrow) as writer:
        for number in range(source.num_row_groups):
            (found,) = source.read_row_group(number).combine_chunks().to_batches()
            writer.write(another(found) if number == 1 else found)
    return folder


def another(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with another id in its first row."""
    ids = batch.column("id").to_numpy().copy()
    ids[0] = -1
    return batch.set_column(0, batch.schema.field(0), pa.array(ids))


def peak(*arguments: str | Path) -> float:
    """Peak of a process of its own (MiB)."""
    # One arena for all threads: what is measured is what the gate holds, not what the allocator keeps for each thread.
    return measure([sys.executable, "-m", "bench.gate", *arguments], MALLOC_ARENA_MAX="1").peak_mib


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("lakes")
    return lake(folder / "small", GROUPS), lake(folder / "large", 10 * GROUPS)


def test_the_pass_over_the_lake(lakes: tuple[Path, Path]) -> None:
    small, large = (peak("pass", folder, "nested") for folder in lakes)
    assert large < small + MORE_MIB


def test_one_differing_row_among_many(lakes: tuple[Path, Path], tmp_path: Path) -> None:
    small, large = lakes
    first = peak("bisect", small, "nested", altered(small, tmp_path / "small"))
    second = peak("bisect", large, "nested", altered(large, tmp_path / "large"))
    assert second < first + MORE_MIB
