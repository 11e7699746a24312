"""Parquet files: cuts that depend on rows alone, and footers that are asked."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.allocators import allocators
from lakeshift.errors import ValidationFailed
from lakeshift.lake.parquet import FileWriter, count_rows, row_groups, write
from lakeshift.lake.sizes import row_bytes
from tests.unit.arrow_values import batches as any_batches

SCHEMA = pa.schema([("a", pa.int64())])


def batches(sizes: list[int]) -> list[pa.RecordBatch]:
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    spans = [range(start, start + size) for start, size in zip(starts, sizes, strict=True)]
    return [pa.record_batch([pa.array(span, pa.int64())], SCHEMA) for span in spans]


@given(st.lists(st.integers(0, 40)), st.integers(1, 17))
def test_cuts_do_not_depend_on_how_rows_arrive(sizes: list[int], rows: int) -> None:
    groups = list(row_groups(batches(sizes), rows))
    again = list(row_groups(batches([sum(sizes)]), rows))
    assert [group.to_pydict() for group in groups] == [group.to_pydict() for group in again]
    assert all(group.num_rows == rows for group in groups[:-1])
    assert [value for group in groups for value in group["a"].to_pylist()] == list(range(sum(sizes)))


def test_the_same_rows_give_the_same_bytes() -> None:
    first = write(row_groups(batches([5, 7, 9]), 6), SCHEMA)
    assert first == write(row_groups(batches([20, 1]), 6), SCHEMA)
    assert pq.read_metadata(pa.BufferReader(first)).row_group(0).column(0).compression == "ZSTD"


@pytest.mark.parametrize("width", [0, 60, 3_000, 2_000_000])
def test_framing_does_not_show_in_the_bytes(width: int) -> None:
    count = max(12, min(50_000, 20_000_000 // (width + 1)))
    noise = np.random.default_rng(5).integers(97, 123, width + count, np.uint8).tobytes().decode()
    texts = [noise[row : row + width] for row in range(count)]
    batch = pa.record_batch(
        {"n": pa.array(range(count)), "t": pa.array(texts), "l": pa.array([[text] for text in texts])}
    )
    made = [
        write(row_groups(framed(batch, cuts), 20_000), batch.schema) for cuts in ([], [1, 7], [*range(3, count, 991)])
    ]
    assert made[0] == made[1] == made[2]
    with_pages = FileWriter(Parts(), batch.schema)
    with_pages.write(pa.Table.from_batches(framed(batch, [5])))
    assert with_pages.close().rows == count


def test_a_footer_is_read_and_not_more() -> None:
    body = write(row_groups(batches([100_000]), 50_000), SCHEMA)
    asked: list[int] = []

    def read(start: int, length: int) -> bytes:
        asked.append(length)
        return body[start : start + length]

    assert count_rows(read, len(body)) == 100_000
    assert sum(asked) < len(body) / 10


@pytest.mark.parametrize("damage", [lambda body: body[:-1], lambda _: b"", lambda _: b"PAR1" * 3])
def test_a_damaged_file_is_no_file(damage: Callable[[bytes], bytes]) -> None:
    body = damage(write([], SCHEMA))
    with pytest.raises(ValidationFailed):
        count_rows(lambda start, length: body[start : start + length], len(body))


def expected_cuts(sizes: list[int], rows: int, size: int) -> list[int]:
    """Rows of each group, taken one by one."""
    cuts, held = [0], 0
    for one in sizes:
        if cuts[-1] == rows or (cuts[-1] and held + one > size):
            cuts.append(0)
            held = 0
        cuts[-1] += 1
        held += one
    return cuts if cuts[-1] else []


def framed(batch: pa.RecordBatch, cuts: list[int]) -> list[pa.RecordBatch]:
    bounds = sorted({0, batch.num_rows, *(cut for cut in cuts if cut < batch.num_rows)})
    return [batch.slice(start, end - start) for start, end in pairwise(bounds)]


@given(any_batches(max_size=30), st.lists(st.integers(0, 30), max_size=5), st.integers(1, 12), st.integers(1, 400))
def test_groups_are_cut_by_bytes_and_rows(batch: pa.RecordBatch, cuts: list[int], rows: int, size: int) -> None:
    expected = expected_cuts(row_bytes(batch).tolist(), rows, size)
    assert [group.num_rows for group in row_groups([batch], rows, size)] == expected
    groups = list(row_groups(framed(batch, cuts), rows, size))
    assert [group.num_rows for group in groups] == expected
    assert str([row for group in groups for row in group.to_pylist()]) == str(batch.to_pylist())


@given(st.lists(st.integers(0, 300), min_size=1, max_size=60), st.lists(st.integers(0, 60)), st.integers(1, 50))
def test_a_read_from_a_cut_goes_on_with_the_same_cuts(widths: list[int], cuts: list[int], rows: int) -> None:
    batch = pa.record_batch({"t": ["x" * width for width in widths], "b": [True] * len(widths)})
    whole = [group.num_rows for group in row_groups(framed(batch, cuts), rows, 500)]
    for number in range(len(whole)):
        rest = batch.slice(sum(whole[:number]))
        assert [group.num_rows for group in row_groups(framed(rest, cuts), rows, 500)] == whole[number:]


class Parts:
    """A sink that keeps what it got, in the pieces it got."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes | memoryview) -> int:
        self.parts.append(bytes(data))
        return len(data)


@given(any_batches(max_size=30))
def test_what_is_streamed_reads_back(batch: pa.RecordBatch) -> None:
    sink = Parts()
    with FileWriter(sink, batch.schema) as writer:
        for group in row_groups([batch], 7):
            writer.write(group)
            assert writer.rows <= batch.num_rows
    body = b"".join(sink.parts)
    done = writer.close()
    assert (done.rows, done.bytes, done.sha256) == (batch.num_rows, len(body), hashlib.sha256(body).hexdigest())
    assert writer.bytes == len(body)
    read = pq.read_table(pa.BufferReader(body))
    assert read.schema.types == batch.schema.types
    assert str(read.to_pylist()) == str(batch.to_pylist())


def test_column_chunks_leave_while_the_file_is_written() -> None:
    sink = Parts()
    numbers = np.random.default_rng(1).integers(0, 2**62, (8, 200_000))
    seen: list[int] = []
    with FileWriter(sink, pa.schema([("n", pa.int64())])) as writer:
        for column in numbers:
            writer.write(pa.record_batch({"n": column}))
            assert writer.bytes > 1_000_000 * (len(seen) + 1)
            seen.append(sum(map(len, sink.parts)))
    assert all(earlier < later for earlier, later in pairwise(seen))
    assert writer.close().bytes - seen[-1] < 2_000_000


def test_a_failed_file_gets_nothing_more() -> None:
    sink = Parts()
    batch = pa.record_batch({"n": np.random.default_rng(1).integers(0, 2**62, 300_000)})
    writer = FileWriter(sink, batch.schema)
    before: list[bytes] = []

    def fail(writer: FileWriter) -> None:
        with writer:
            writer.write(batch)
            before.extend(sink.parts)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail(writer)
    del writer
    assert before
    assert sink.parts == before


def test_an_error_of_the_sink_is_raised() -> None:
    class Broken:
        def write(self, data: bytes | memoryview) -> int:
            raise OSError(f"no room for {len(data)} bytes")

    batch = pa.record_batch({"n": np.random.default_rng(1).integers(0, 2**62, 300_000)})
    with pytest.raises(OSError, match="no room"), FileWriter(Broken(), batch.schema) as writer:
        writer.write(batch)


def encodings(body: bytes) -> dict[str, tuple[str, ...]]:
    group = pq.read_metadata(pa.BufferReader(body)).row_group(0)
    return {group.column(place).path_in_schema: group.column(place).encodings for place in range(group.num_columns)}


def test_only_leaves_that_repeat_get_a_dictionary() -> None:
    count = 40_000
    legs = [[{"no": number, "kind": "ab"[number % 2]}] for number in range(count)]
    batch = pa.record_batch(
        {
            "id": pa.array(range(count)),
            "flag": pa.array(["yes", "no"] * (count // 2)),
            "legs": pa.array(
                legs, pa.list_(pa.field("element", pa.struct([("no", pa.int64()), ("kind", pa.string())])))
            ),
        }
    )
    found = encodings(write([pa.Table.from_batches([batch])], batch.schema))
    with_dictionary = {path for path, names in found.items() if "RLE_DICTIONARY" in names}
    assert with_dictionary == {"flag", "legs.list.element.kind"}
    assert {name for names in found.values() for name in names} == {"PLAIN", "RLE", "RLE_DICTIONARY"}
    cut = write([pa.Table.from_batches(framed(batch, [1, 17, 30_000]))], batch.schema)
    assert encodings(cut) == found


MEMORY = """
import threading
import numpy as np, pyarrow as pa
from lakeshift.lake.parquet import FileWriter, row_groups
from lakeshift.lake.statistics import Accumulator

SCHEMA = pa.schema([("id", pa.int64()), ("text", pa.string()), ("on", pa.bool_())])

NOISE = np.random.default_rng(3).integers(97, 123, 5_000_000, np.uint8).tobytes()

def batches():
    # As from the wire: a buffer of its own for every message, nothing else held.
    for number in range(80):
        width, rows = (4_999_999, 2) if 20 <= number < 60 else (200, 10_000)
        data = pa.py_buffer(NOISE[:width] * rows)
        offsets = pa.py_buffer(np.arange(rows + 1, dtype=np.int32) * width)
        texts = pa.Array.from_buffers(pa.string(), rows, [None, offsets, data])
        yield pa.record_batch([pa.array(range(rows)), texts, pa.array([True] * rows)], SCHEMA)
        del data, offsets, texts

class Null:
    def write(self, data):
        return len(data)

def read():
    accumulator = Accumulator(SCHEMA)
    with FileWriter(Null(), SCHEMA) as writer:
        for group in row_groups(batches(), 131_072, 16 * 2**20):
            accumulator.add(group)
            writer.write(group)
            del group
    done.append((writer.rows, accumulator.result().columns[1].max_bytes))

done = []
threads = [threading.Thread(target=read) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert done == [(400_080, 4_999_999)] * 2, done
# The mark of this address space; ru_maxrss would begin with the parent's.
mark = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(mark.split()[1]) // 1024)
"""


def test_two_readers_stay_within_memory_when_rows_grow() -> None:
    root = Path(__file__).parents[2]
    deployed = {**os.environ, **allocators(2)}
    command = [sys.executable, "-c", MEMORY]
    result = subprocess.run(command, cwd=root, env=deployed, check=True, capture_output=True, text=True)
    assert int(result.stdout) < 450
