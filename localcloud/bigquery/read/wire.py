"""Arrow batches as messages of the Storage Read API.

https://cloud.google.com/bigquery/docs/reference/storage/rpc/google.cloud.bigquery.storage.v1#readrowsresponse
"""

from __future__ import annotations

import pyarrow as pa
from google.cloud.bigquery_storage_v1 import types

_Response = types.ReadRowsResponse.pb()


def batch_message(batch: pa.RecordBatch, codec: str | None) -> bytes:
    """One IPC record batch message without its schema."""
    if codec is None:
        return bytes(batch.serialize().to_pybytes())
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as writer:
        # The schema goes out with the first batch, so an empty one pushes it in front.
        writer.write_batch(batch.slice(0, 0))
        begin = sink.tell()
        writer.write_batch(batch)
        end = sink.tell()
    return bytes(sink.getvalue().slice(begin, end - begin).to_pybytes())


def response(batch: pa.RecordBatch, codec: str | None, schema: bytes | None, progress: tuple[float, float]) -> bytes:
    """A serialized ReadRowsResponse; the first of a call carries the schema."""
    message = _Response(row_count=batch.num_rows)
    message.arrow_record_batch.serialized_record_batch = batch_message(batch, codec)
    message.arrow_record_batch.row_count = batch.num_rows
    if schema is not None:
        message.arrow_schema.serialized_schema = schema
    message.stats.progress.at_response_start, message.stats.progress.at_response_end = progress
    return bytes(message.SerializeToString())
