"""Hash functions that DuckDB has not: SHA-384, SHA-512 and FarmHash's Fingerprint64.

https://docs.aws.amazon.com/redshift/latest/dg/hash-functions.html
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from duckdb.func import PythonUDFType

from localcloud.farm import fingerprints_of

if TYPE_CHECKING:
    import duckdb


def sha2(value: str, bits: int) -> str:
    return hashlib.new(f"sha{bits}", value.encode()).hexdigest()


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes these functions known to one DuckDB database."""
    connection.create_function("twin_sha2", sha2, ["VARCHAR", "INTEGER"], "VARCHAR")
    # Without parameters it takes any type; a call for each 2,048 values makes it as fast as the hash itself.
    connection.create_function("twin_fingerprint", fingerprints_of, None, "BIGINT", type=PythonUDFType.ARROW)
