"""Arrow batches as messages of the Storage Read API.

https://cloud.google.com/bigquery/docs/reference/storage/rpc/google.cloud.bigquery.storage.v1#readrowsresponse
"""

from __future__ import annotations

import pyarrow as pa
from google.cloud.bigquery_storage_v1 import types

_Response = types.ReadRowsResponse.pb()
# Keys of the wire format: ReadRowsResponse.arrow_record_batch, and of its message the data and the row count.
_BATCH, _DATA, _ROWS = b"\x22", b"\x0a", b"\x10"


def batch_message(batch: pa.RecordBatch, codec: str | None) -> pa.Buffer:
    """One IPC record batch message without its schema."""
    if codec is None:
        return batch.serialize()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as writer:
        # The schema goes out with the first batch, so an empty one pushes it in front.
        writer.write_batch(batch.slice(0, 0))
        begin = sink.tell()
        writer.write_batch(batch)
        end = sink.tell()
    # The sink's memory is up to twice as large, and pages are kept.
    return pa.py_buffer(sink.getvalue().slice(begin, end - begin).to_pybytes())


def response(data: pa.Buffer, rows: int, schema: bytes | None, progress: tuple[float, float]) -> bytes:
    """A serialized ReadRowsResponse; the first of a call carries the schema.

    The data are put between hand-made keys, for a protobuf object would copy them twice.
    """
    message = _Response(row_count=rows)
    if schema is not None:
        message.arrow_schema.serialized_schema = schema
    message.stats.progress.at_response_start, message.stats.progress.at_response_end = progress
    head, tail = _DATA + _varint(data.size), _ROWS + _varint(rows)
    length = _varint(len(head) + data.size + len(tail))
    return b"".join((message.SerializeToString(), _BATCH, length, head, data, tail))


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
