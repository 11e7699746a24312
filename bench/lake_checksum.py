"""Ours: the checksum of the multiset of rows of lake files, as one process.

`python -m bench.lake_checksum rows|statistics FOLDER THREADS`

rows: checksum version 1 of every row: count, sum, XOR.
statistics: the same with the sum of every column and leaf, and its aggregates: what the extract takes.
"""

from __future__ import annotations

# As a function does it, before it imports anything.
import lambdas  # noqa: F401  # isort: skip

import gc
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, reduce
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.processes import report
from lakeshift.lake.checksum import row_hashes

Group = tuple[Path, int]


def groups(folder: Path) -> Iterator[Group]:
    """Row groups of all files."""
    for file in sorted(folder.glob("*.parquet")):
        for number in range(pq.read_metadata(file).num_row_groups):
            yield file, number


@lru_cache
def encoded(file: Path) -> tuple[str, ...]:
    """Paths of the texts that stand in the file as a dictionary and codes."""
    first = pq.read_metadata(file).row_group(0)
    leaves = [first.column(place) for place in range(first.num_columns)]
    return tuple(one.path_in_schema for one in leaves if one.has_dictionary_page and one.physical_type == "BYTE_ARRAY")


def read(group: Group) -> pa.RecordBatch:
    """A row group as one batch."""
    file, number = group
    with pq.ParquetFile(file, memory_map=True, read_dictionary=encoded(file)) as opened:
        table = opened.read_row_group(number, use_threads=False)
    return table.combine_chunks().to_batches()[0]


def rows_of(group: Group) -> tuple[int, int, int]:
    """Count, sum and XOR."""
    hashes = row_hashes(read(group))
    return len(hashes), int(hashes.sum()), int(np.bitwise_xor.reduce(hashes))


def rows(found: list[tuple[int, int, int]]) -> dict[str, Any]:
    """The parts as one."""
    count = sum(one[0] for one in found)
    return {"rows": count, "sum": f"{sum(one[1] for one in found) % 2**64:016x}"}


def statistics_of(group: Group) -> Any:
    """Statistics of a row group."""
    # Imports are part of what is measured.
    from lakeshift.lake.statistics import Accumulator

    batch = read(group)
    measured = Accumulator(batch.schema)
    measured.add(batch)
    return measured.result()


def statistics(found: list[Any]) -> dict[str, Any]:
    """The parts as one."""
    from lakeshift.lake.statistics import merge

    whole = reduce(merge, found)
    return {"rows": whole.rows, "sum": whole.sum}


WAYS: dict[str, tuple[Callable[[Group], Any], Callable[[list[Any]], dict[str, Any]]]] = {
    "rows": (rows_of, rows),
    "statistics": (statistics_of, statistics),
}


def main(way: str, folder: str, threads: str) -> None:
    """All row groups of a folder, several at a time."""
    of, together = WAYS[way]
    with ThreadPoolExecutor(int(threads)) as pool:
        found = list(pool.map(of, groups(Path(folder))))
    report(**together(found))


if __name__ == "__main__":
    gc.enable()
    main(*sys.argv[1:])
