"""The gate over lake files on a local disk, as one process: `python -m bench.gate pass|bisect FOLDER TABLE [OTHER]`.

pass: what the gate does with the lake's files: checksums, portable fingerprints by segment, aggregates of every column.
bisect: the differing rows of two folders, by the sums of all segments and then the rows of those that differ.
"""

from __future__ import annotations

# As a function does it, before it imports anything.
import lambdas  # noqa: F401  # isort: skip

import gc
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bench import tables
from bench.lake_files import files, row_count
from bench.processes import report
from lakeshift.inventory.step import Entry
from lakeshift.lake.memory import MemoryObjects
from lakeshift.lake.reader import LakeFileReader, Wanted, every
from lakeshift.lake.statistics import empty
from lakeshift.model import ColumnStatistics, LakeFile, SourceTable, Statistics, TablePlan, TableRef
from lakeshift.plan.table import table_plan
from lakeshift.ports import Limits, Places
from lakeshift.spec import Migration
from lakeshift.types.bigquery import columns
from lakeshift.validate.bands import band_of
from lakeshift.validate.measure import PartMeasure, Scope, measured, together
from lakeshift.validate.pairing import Pairing
from lakeshift.validate.rows import differences
from lakeshift.validate.sides import Batches
from lakeshift.validate.sums import segment_count

READERS = 2
BUCKET = "lake"


class Disk(MemoryObjects):
    """Lake files of a folder; what the gate notes on its way stays in memory."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def size(self, bucket: str, key: str) -> int:
        """Bytes of an object."""
        return (self._folder / key).stat().st_size if bucket == BUCKET else super().size(bucket, key)

    def read_range(self, bucket: str, key: str, start: int, length: int) -> bytes:
        """Bytes of an object from `start` on."""
        if bucket != BUCKET:
            return super().read_range(bucket, key, start, length)
        with (self._folder / key).open("rb") as file:
            file.seek(start)
            return file.read(length)


def plan_of(name: str) -> TablePlan:
    """The product's plan of one of the bench's tables."""
    (made,) = (table for table in tables.tables(quick=False) if table.name == name)
    ref = TableRef(project="bench", dataset="speed", table=name)
    source = SourceTable(ref=ref, type="TABLE", columns=columns(list(made.schema)), rows=1, bytes=1)
    entry = Entry(ref=ref, source_index=0, target_schema="speed", table=source)
    config = {"sources": [{"type": "bigquery", "project": "bench", "datasets": [{"name": "speed"}]}]}
    return table_plan("bench-000000000000", entry, source, Migration.model_validate(config), datetime.now(UTC))


def measured_of(folder: Path, scope: Scope) -> tuple[PartMeasure, ...]:
    """What the gate measures of a folder's files, side by side as it does."""
    ports: Any = SimpleNamespace(
        objects=Disk(folder), places=Places("config", BUCKET, "staging"), limits=Limits(readers=READERS)
    )
    found: tuple[PartMeasure, ...] = ()
    for file, one in measured(ports, scope, [_lake_file(file) for file in files(folder)], lambda: False):
        if one.facts.damage:
            raise RuntimeError(f"{file.key}: {one.facts.damage}")
        found = together(found, one.parts)
    return found


def _lake_file(file: Path) -> LakeFile:
    size = file.stat().st_size
    return LakeFile(key=file.name, offset=0, read=0, rows=0, bytes=size, sha256="")


def scope_of(folder: Path, plan: TablePlan) -> Scope:
    """As the gate looks at depth checksum."""
    segments = segment_count(row_count(folder), len(plan.columns))
    return Scope(plan, segments, 0, band=band_of(plan, statistics_of(folder), segments))


def statistics_of(folder: Path) -> Statistics:
    """The least and greatest value of each column, as an extract takes them; here of the files' footers."""
    groups = [
        metadata.row_group(place)
        for metadata in map(pq.read_metadata, files(folder))
        for place in range(metadata.num_row_groups)
    ]
    columns = (_column([group.column(place) for group in groups]) for place in range(groups[0].num_columns))
    return empty().model_copy(update={"rows": row_count(folder), "columns": tuple(columns)})


def _column(chunks: Sequence[pq.ColumnChunkMetaData]) -> ColumnStatistics:
    found = [one.statistics for one in chunks if one.statistics and one.statistics.has_min_max]
    bounds = {"min": min(one.min for one in found), "max": max(one.max for one in found)} if found else {}
    texts = {name: value if isinstance(value, int) else str(value) for name, value in bounds.items()}
    return ColumnStatistics(
        path=chunks[0].path_in_schema, values=sum(one.num_values for one in chunks), nulls=0, **texts
    )


def full_pass(folder: str, table: str) -> None:
    """One pass of the gate over the lake."""
    place = Path(folder)
    found = measured_of(place, scope_of(place, plan_of(table)))
    report(rows=int(found[0].sums.counts.sum()))


class Counted:
    """The rows of a folder's files, and how many of them were decoded so far."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.read = 0

    def batches(self, wanted: Wanted = every) -> Iterator[pa.RecordBatch]:
        """All rows once more, of the row groups that are wanted."""
        disk = Disk(self._folder)
        for file in files(self._folder):
            reader = LakeFileReader(partial(disk.read_range, BUCKET, file.name), file.stat().st_size)
            for batch in reader.batches(wanted=wanted):
                self.read += batch.num_rows
                yield batch


def bisect(folder: str, table: str, other: str) -> None:
    """Find the rows that differ; `rows_read` counts those of the first pass too."""
    mine, theirs = Path(folder), Path(other)
    scope = scope_of(mine, plan_of(table))
    (part,) = scope.parts
    sums = [measured_of(place, scope)[0].sums for place in (mine, theirs)]
    sides = [Counted(place) for place in (mine, theirs)]
    first, second = (Batches(side.batches, part.columns, side.batches) for side in sides)
    found = differences(first, second, (sums[0], sums[1]), Pairing(part.columns))
    rows = row_count(mine)
    named = sorted({column.column for one in found.differences for column in one.columns})
    report(rows=rows, differing=found.rows, columns=named, rows_read=2 * rows + sum(side.read for side in sides))


def main(way: str, *arguments: str) -> None:
    """One of the two ways."""
    if way == "pass":
        full_pass(*arguments)
    else:
        bisect(*arguments)


if __name__ == "__main__":
    gc.enable()
    main(*sys.argv[1:])
