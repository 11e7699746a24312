"""Texts as dictionaries: the same rows, hashes, statistics and files."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshift.lake import layout
from lakeshift.lake.checksum import row_hashes
from lakeshift.lake.dictionaries import encoded, leaves
from lakeshift.lake.parquet import FileWriter, write
from lakeshift.lake.sizes import total_bytes
from lakeshift.lake.statistics import Accumulator
from lakeshift.model import Statistics
from tests.unit.arrow_values import batches, padded


def texts(batch: pa.RecordBatch) -> list[str]:
    found = [leaf for name in batch.schema.names for leaf in leaves(batch.column(name), name)]
    return [path for path, values in found if layout.is_text(values.type)]


def measured(schema: pa.Schema, *parts: pa.RecordBatch) -> Statistics:
    accumulator = Accumulator(schema)
    for part in parts:
        accumulator.add(part)
    return accumulator.result()


@given(batches(), st.integers(0, 3), st.integers(0, 3))
def test_everything_is_as_without_dictionaries(batch: pa.RecordBatch, front: int, back: int) -> None:
    columns = [padded(column, front, back) for column in batch.columns]
    framed = pa.RecordBatch.from_arrays(columns, schema=batch.schema)
    made = encoded(framed, texts(batch))
    assert repr(made.to_pylist()) == repr(batch.to_pylist())
    assert row_hashes(made).tolist() == row_hashes(batch).tolist()
    assert total_bytes(pa.Table.from_batches([made])) == total_bytes(pa.Table.from_batches([batch]))
    # Of some of its values a dictionary knows more than stand there.
    for parts in ((made,), (made.slice(0, 1), made.slice(1)), (made.slice(1),)):
        plain = [part.cast(batch.schema) for part in parts]
        assert measured(batch.schema, *parts) == measured(batch.schema, *plain)


def rows(start: int, count: int, known: int) -> pa.RecordBatch:
    names = [None if n % 11 == 0 else f"{n % known:09}" for n in range(start, start + count)]
    lists = [None if n % 7 == 0 else [{"sku": name, "n": n}] * (n % 4) for n, name in enumerate(names)]
    element = pa.struct([pa.field("sku", pa.string()), pa.field("n", pa.int64())])
    kind = pa.list_(pa.field("element", element))
    return pa.RecordBatch.from_arrays([pa.array(names, pa.string()), pa.array(lists, kind)], ["name", "items"])


def dictionary_pages(file: bytes) -> list[str]:
    group = pq.ParquetFile(io.BytesIO(file)).metadata.row_group(0)
    columns = [group.column(place) for place in range(group.num_columns)]
    return [one.path_in_schema for one in columns if one.has_dictionary_page]


@pytest.mark.parametrize("second", [5, 150_000], ids=["few-values", "more-than-a-dictionary-holds"])
def test_a_file_of_dictionaries_is_a_file_of_texts(second: int) -> None:
    groups = [rows(0, 3_000, 5), rows(3_000, 200_000, second), rows(0, 0, 1)]
    sink = io.BytesIO()
    with FileWriter(sink, groups[0].schema) as writer:
        for group in groups:
            writer.write(writer.encoded(group))
    plain = write(map(lambda one: pa.Table.from_batches([one]), groups), groups[0].schema)  # noqa: C417
    file = sink.getvalue()
    assert pq.read_table(io.BytesIO(file)) == pq.read_table(io.BytesIO(plain)) == pa.Table.from_batches(groups)
    assert pq.read_schema(io.BytesIO(file)) == groups[0].schema
    assert dictionary_pages(file) == dictionary_pages(plain)
    assert {"name", "items.list.element.sku"} <= set(dictionary_pages(file))
