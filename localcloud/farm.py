"""FarmHash Fingerprint64 for both twins, by the core's vectorised form: https://github.com/google/farmhash."""

from __future__ import annotations

import pyarrow as pa

from lakeshift.lake.farm import fingerprints


def fingerprints_of(values: pa.ChunkedArray) -> pa.Array:
    """Fingerprint64 of a column of texts or bytes; DuckDB hands over the values that are not NULL."""
    if pa.types.is_null(values.type):
        return pa.nulls(len(values), pa.int64())
    return pa.array(fingerprints(values.combine_chunks()), pa.int64())
