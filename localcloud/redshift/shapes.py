"""ST_AsText: shapes as text, with so many significant digits.

https://docs.aws.amazon.com/redshift/latest/dg/ST_AsText-function.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

DIGITS = 15
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


def shape_text(text: str, digits: int) -> str:
    """DuckDB's own text, which has all digits, with those that Redshift shows."""
    return _NUMBER.sub(lambda found: f"{float(found[0]):.{digits}g}", text)


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes it known to one DuckDB database."""
    connection.create_function("twin_shape_text", shape_text, ["VARCHAR", "INTEGER"], "VARCHAR")
