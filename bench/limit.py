"""The physical limit of this machine: receiving and decoding alone, and the CPU time of encoding Parquet.

`python -m bench.limit decode ADDRESS TABLE`: two threads drain all streams, decode every batch and drop it.
`python -m bench.limit encode ADDRESS TABLE`: the same rows from memory into Parquet by our own writer, with our row
groups, one thread, the output dropped; `encode_cpu_seconds` is the CPU time of the encoding alone.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from bench import official
from bench.address import Address
from bench.processes import report

READERS = 2
CODEC = "lz4"


class Reader:
    """Decoded batches of a table, straight from the messages of its streams."""

    def __init__(self, address: str, table: str) -> None:
        self._client = official.read_client(Address.read(address))
        opened = official.session(self._client, table, CODEC, READERS)
        self.streams = [stream.name for stream in opened.streams]
        self.schema = pa.ipc.read_schema(pa.py_buffer(opened.arrow_schema.serialized_schema))

    def batches(self, stream: str) -> Iterator[pa.RecordBatch]:
        """Batches of one stream."""
        for message in self._client.read_rows(stream):
            body = pa.py_buffer(message.arrow_record_batch.serialized_record_batch)
            yield pa.ipc.read_record_batch(body, self.schema)

    def drain(self, stream: str) -> int:
        """Rows of one stream, which are dropped."""
        return sum(batch.num_rows for batch in self.batches(stream))


def decode(address: str, table: str) -> None:
    """Receive and decode, nothing else."""
    reader = Reader(address, table)
    with ThreadPoolExecutor(READERS) as threads:
        rows = sum(threads.map(reader.drain, reader.streams))
    report(rows=rows)


class Dropped:
    """A sink that counts bytes."""

    size = 0

    def write(self, data: bytes | memoryview) -> int:
        """Drop the data."""
        self.size += len(data)
        return len(data)


def encode(address: str, table: str) -> None:
    """Encode what was read before, in the source's own columns: nothing is converted or measured."""
    from lakeshift.lake.parquet import FileWriter, row_groups
    from lakeshift.plan.table import GROUP_BYTES, MAX_GROUP_ROWS

    reader = Reader(address, table)
    batches = [batch for stream in reader.streams for batch in reader.batches(stream)]
    groups = list(row_groups(batches, MAX_GROUP_ROWS, GROUP_BYTES))
    sink = Dropped()
    started = time.process_time()
    with FileWriter(sink, reader.schema) as writer:
        for group in groups:
            writer.write(group)
    seconds = time.process_time() - started
    report(rows=sum(group.num_rows for group in groups), bytes=sink.size, encode_cpu_seconds=seconds)


if __name__ == "__main__":
    {"decode": decode, "encode": encode}[sys.argv[1]](*sys.argv[2:])
