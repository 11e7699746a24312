"""The two tables that are read: TPC-H lineitem in BigQuery's types, and a nested one; the same on each machine.

lineitem comes from `tpchgen-cli` (scale factor 1: 6,001,215 rows), the nested table from a seeded numpy generator.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

SEED = 20240131
NESTED_ROWS = 1_000_000
QUICK_NESTED_ROWS = 60_000
QUICK_SCALE = "0.02"
BATCH_ROWS = 50_000
WORDS = 4096

Field = dict[str, Any]


def _fields(kind: str, *names: str) -> list[Field]:
    return [{"name": name, "type": kind} for name in names]


LINEITEM: list[Field] = [
    *_fields("INT64", "l_orderkey", "l_partkey", "l_suppkey", "l_linenumber"),
    *_fields("NUMERIC", "l_quantity", "l_extendedprice", "l_discount", "l_tax"),
    *_fields("STRING", "l_returnflag", "l_linestatus"),
    *_fields("DATE", "l_shipdate", "l_commitdate", "l_receiptdate"),
    *_fields("STRING", "l_shipinstruct", "l_shipmode", "l_comment"),
]
NESTED: list[Field] = [
    *_fields("INT64", "id", "customer"),
    *_fields("TIMESTAMP", "at"),
    *_fields("FLOAT64", "score"),
    {
        "name": "address",
        "type": "RECORD",
        "fields": [*_fields("STRING", "street", "city", "zip"), *_fields("FLOAT64", "lat", "lon")],
    },
    {
        "name": "items",
        "type": "RECORD",
        "mode": "REPEATED",
        "fields": [*_fields("STRING", "sku"), *_fields("INT64", "count"), *_fields("NUMERIC", "price")],
    },
    {"name": "tags", "type": "STRING", "mode": "REPEATED"},
    *_fields("STRING", "status", "note"),
]


@dataclass(frozen=True)
class Made:
    """A table to load: its name, BigQuery schema and how its Parquet file is made (folder -> file)."""

    name: str
    schema: Sequence[Field]
    make: Callable[[Path], Path]


def tables(*, quick: bool) -> tuple[Made, ...]:
    """Both tables, small ones for a quick run."""
    scale, rows = (QUICK_SCALE, QUICK_NESTED_ROWS) if quick else ("1", NESTED_ROWS)
    return (
        Made("lineitem", LINEITEM, lambda folder: _lineitem(folder, scale)),
        Made("nested", NESTED, lambda folder: _nested(folder, rows)),
    )


def _lineitem(folder: Path, scale: str) -> Path:
    """Types that the twin's loader reads: tpchgen writes string views."""
    program = Path(sys.executable).parent / "tpchgen-cli"
    subprocess.run(
        [program, "parquet", "-s", scale, "--tables=lineitem", f"--output-dir={folder}", "-q"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return folder / "lineitem.parquet"


def _nested(folder: Path, rows: int) -> Path:
    random = np.random.Generator(np.random.PCG64(SEED))
    path = folder / "nested.parquet"
    batches = (batch(random, start, min(BATCH_ROWS, rows - start)) for start in range(0, rows, BATCH_ROWS))
    first = next(batches)
    with pq.ParquetWriter(path, first.schema) as writer:
        writer.write_batch(first)
        for following in batches:
            writer.write_batch(following)
    return path


def batch(random: np.random.Generator, start: int, rows: int) -> pa.RecordBatch:
    """Rows of the nested table from id `start`; about one in twenty optional values is NULL."""
    arrays = {
        "id": pa.array(np.arange(start, start + rows)),
        "customer": pa.array(random.integers(0, 200_000, rows), mask=random.random(rows) < 0.05),
        "at": pa.array(1_600_000_000_000_000 + random.integers(0, 10**14, rows), pa.timestamp("us", "UTC")),
        "score": pa.array(random.normal(0, 100, rows)),
        "address": _address(random, rows),
        "items": _items(random, rows),
        "tags": pa.ListArray.from_arrays(*_lists(random, rows, 4, lambda n: _words(random, n, 1, 40))),
        "status": _words(random, rows, 1, 6),
        "note": _words(random, rows, 8, WORDS, nulls=0.05),
    }
    return pa.record_batch(list(arrays.values()), list(arrays))


def _address(random: np.random.Generator, rows: int) -> pa.StructArray:
    texts = [_words(random, rows, 2, WORDS), _words(random, rows, 1, 500), _words(random, rows, 1, WORDS)]
    places = [pa.array(np.round(random.uniform(-90, 90, rows), 5)) for _ in range(2)]
    mask = pa.array(random.random(rows) < 0.05)
    return pa.StructArray.from_arrays([*texts, *places], ["street", "city", "zip", "lat", "lon"], mask=mask)


def _items(random: np.random.Generator, rows: int) -> pa.ListArray:
    def values(count: int) -> pa.StructArray:
        cents = pa.array(random.integers(1, 10**6, count)).cast(pa.decimal128(19, 0))
        # The same digits, two of them after the point.
        price = pa.Array.from_buffers(pa.decimal128(19, 2), count, cents.buffers())
        parts = [_words(random, count, 1, 2000), pa.array(random.integers(1, 20, count)), price]
        return pa.StructArray.from_arrays(parts, ["sku", "count", "price"])

    return pa.ListArray.from_arrays(*_lists(random, rows, 20, values))


def _lists(
    random: np.random.Generator, rows: int, longest: int, values: Callable[[int], pa.Array]
) -> tuple[pa.Array, pa.Array]:
    offsets = np.concatenate([[0], np.cumsum(random.integers(0, longest + 1, rows))]).astype(np.int32)
    return pa.array(offsets), values(int(offsets[-1]))


def _words(random: np.random.Generator, rows: int, words: int, known: int, nulls: float = 0.0) -> pa.Array:
    """Texts of `words` words each, out of `known` different words of 5 to 12 letters."""
    vocabulary = _vocabulary(known)
    parts = [vocabulary.take(pa.array(random.integers(0, known, rows))) for _ in range(words)]
    joined = parts[0] if words == 1 else pc.binary_join_element_wise(*parts, " ")
    if not nulls:
        return joined
    return pc.if_else(pa.array(random.random(rows) < nulls), pa.scalar(None, pa.string()), joined)


def _vocabulary(known: int) -> pa.Array:
    random = np.random.Generator(np.random.PCG64(known))
    letters = "abcdefghijklmnopqrstuvwxyz"
    lengths = random.integers(5, 13, known)
    return pa.array(["".join(letters[i] for i in random.integers(0, 26, length)) for length in lengths])
