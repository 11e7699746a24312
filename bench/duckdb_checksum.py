"""The peer: DuckDB's checksum of the multiset of rows of Parquet files, as one process.

`python -m bench.duckdb_checksum hash|md5 FOLDER THREADS`. `hash` is DuckDB's own function, which another engine or
another release of DuckDB need not have; `md5` is what tools take that compare engines by a text of each row.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

from bench.processes import report

# ruff: noqa: S608  (the files are the bench's own)


def row_hash(way: str, columns: list[str]) -> str:
    """SQL of the hash of a row."""
    names = [f'"{name}"' for name in columns]
    if way == "hash":
        return f"hash({', '.join(names)})"
    # NULL and the empty text are two values.
    texts = ", ".join(f"coalesce(CAST({name} AS VARCHAR), chr(1))" for name in names)
    return f"md5_number_lower(concat_ws('|', {texts}))"


def main(way: str, folder: str, threads: str) -> None:
    """Count, sum and XOR of the hashes of all rows."""
    connection = duckdb.connect(config={"threads": threads})
    table = f"read_parquet('{Path(folder) / '*.parquet'}')"
    columns = [str(row[0]) for row in connection.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()]
    one = row_hash(way, columns)
    found = connection.execute(f"SELECT count(*), sum(h), bit_xor(h) FROM (SELECT {one} AS h FROM {table})").fetchone()
    if found is None:
        raise RuntimeError("no answer")
    rows, total, mixed = found
    report(rows=rows, sum=str(total), xor=str(mixed))


if __name__ == "__main__":
    main(*sys.argv[1:])
