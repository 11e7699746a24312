"""ST_AsText: shapes as text, with so many significant digits.

https://docs.aws.amazon.com/redshift/latest/dg/ST_AsText-function.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

DIGITS = 15
MOST_DIGITS, MOST_BYTES = 20, 65_535
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


def shape_text(text: str, digits: int) -> str:
    """DuckDB's own text, which has all digits, with those that Redshift shows.

    Raises:
        ValueError: more or fewer digits than Redshift takes, or a text that no VARCHAR has room for.
    """
    if not 1 <= digits <= MOST_DIGITS:
        raise ValueError(f"ST_AsText: the precision is not between 1 and {MOST_DIGITS}")
    shown = _NUMBER.sub(lambda found: f"{float(found[0]):.{digits}g}", text)
    if len(shown) > MOST_BYTES:
        raise ValueError(f"ST_AsText: the result is larger than {MOST_BYTES} bytes")
    return shown


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes it known to one DuckDB database."""
    connection.create_function("twin_shape_text", shape_text, ["VARCHAR", "INTEGER"], "VARCHAR")
