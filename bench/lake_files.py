"""Lake files as the extract writes them: the bench's tables through the product's converter, row groups and writer.

Made once and kept; a digest of what makes them is part of their folder's name.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bench import tables
from bench.processes import CACHE
from lakeshift.lake import dictionaries, parquet, rows
from lakeshift.model import ColumnPlan
from lakeshift.plan.table import GROUP_BYTES, MAX_GROUP_ROWS, column_plan
from lakeshift.types.bigquery import columns

# As many as an extract of these tables writes with two readers.
FILES = 4
BATCH_ROWS = 65_536
ROWS = "rows.json"


def made(table: tables.Made, scale: str = "1") -> Path:
    """The folder that holds the lake files of a table; `scale` tells sets of another size apart."""
    folder = CACHE / f"lake-{table.name}-{scale}-{_recipe()}"
    if not (folder / ROWS).exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as work:
            _write(table, table.make(Path(work)), folder)
    return folder


def files(folder: Path) -> list[Path]:
    """The lake files of a folder, in order."""
    return sorted(folder.glob("*.parquet"))


def row_count(folder: Path) -> int:
    """Rows of a folder's files."""
    return int(json.loads((folder / ROWS).read_text()))


def plans(table: tables.Made) -> list[ColumnPlan]:
    """How the columns of a table travel, all nested ones as SUPER."""
    return [column_plan(column) for column in columns(list(table.schema))]


def _recipe() -> str:
    sources = [Path(module.__file__ or "") for module in (tables, dictionaries, parquet, rows)]
    return hashlib.sha256(b"".join(source.read_bytes() for source in (Path(__file__), *sources))).hexdigest()[:8]


def _write(table: tables.Made, source: Path, folder: Path) -> None:
    planned = plans(table)
    lake_form = rows.converter(planned)
    read = pq.ParquetFile(source)
    each = -(-read.metadata.num_rows // FILES)
    batches = (lake_form(batch) for batch in read.iter_batches(BATCH_ROWS))
    for number, part in enumerate(_cut(batches, each)):
        file = folder / f"{number}.parquet"
        with file.open("wb") as sink, parquet.FileWriter(sink, rows.schema(planned)) as writer:
            for group in parquet.row_groups(part, MAX_GROUP_ROWS, GROUP_BYTES):
                writer.write(group)
    (folder / ROWS).write_text(str(read.metadata.num_rows))


def _cut(batches: Iterator[pa.RecordBatch], each: int) -> Iterator[Sequence[pa.RecordBatch]]:
    """The rows in lists of `each` rows, the last one with what is left."""
    held: list[pa.RecordBatch] = []
    room = each
    for batch in batches:
        rest = batch
        while rest.num_rows:
            held.append(rest.slice(0, room))
            rest, room = rest.slice(room), room - held[-1].num_rows
            if not room:
                yield held
                held, room = [], each
    if held:
        yield held
