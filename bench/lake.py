"""One million rows with a nested column into zstd Parquet: our path to the lake, and pyarrow's `write_table`.

Both processes make the same rows; ours also renames, converts and cuts them as an extract does.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lakeshift.lake.parquet import row_groups, write
from lakeshift.lake.rows import convert, schema
from lakeshift.plan.table import column_plan
from lakeshift.types.bigquery import columns

ROWS = 1_000_000
BATCH_ROWS = 10_000
GROUP_ROWS = 131_072
LEGS = [{"name": "no", "type": "INT64"}, {"name": "share", "type": "FLOAT64"}]
FIELDS: list[dict[str, Any]] = [
    {"name": "id", "type": "INT64"},
    {"name": "note", "type": "STRING"},
    {"name": "legs", "type": "RECORD", "mode": "REPEATED", "fields": LEGS},
]


def batches() -> Iterator[pa.RecordBatch]:
    """The rows, in batches as a read stream delivers them."""
    for start in range(0, ROWS, BATCH_ROWS):
        ids = pa.array(range(start, start + BATCH_ROWS), pa.int64())
        legs = pa.StructArray.from_arrays([ids, ids.cast(pa.float64())], ["no", "share"])
        lists = pa.ListArray.from_arrays(pa.array(range(BATCH_ROWS + 1), pa.int32()), legs)
        yield pa.record_batch([ids, ids.cast(pa.string()), lists], ["id", "note", "legs"])


def ours() -> None:
    """As `extract` does it."""
    plans = [column_plan(column) for column in columns(FIELDS)]
    write(row_groups((convert(batch, plans) for batch in batches()), GROUP_ROWS), schema(plans))


def pyarrow() -> None:
    """As a script would do it."""
    pq.write_table(pa.Table.from_batches(batches()), pa.BufferOutputStream(), compression="zstd")


if __name__ == "__main__":
    {"ours": ours, "pyarrow": pyarrow}[sys.argv[1]]()
