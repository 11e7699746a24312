"""DuckDB's errors in Redshift's words."""

from __future__ import annotations

import re

import duckdb

from localcloud.redshift.errors import RedshiftError
from localcloud.redshift.json_parse import PYTHON_ERROR

# (pattern in DuckDB's message, Redshift's message, SQLSTATE)
_WORDS = (
    (r"to (?:type )?DECIMAL\((\d+),(\d+)\)", r"Numeric data overflow (result precision {0},{1})", "22003"),
    (r"out of range for the destination type", "Value out of range for the target data type", "22003"),
    (r"Overflow in", "Numeric data overflow", "22003"),
    (r"Could not convert string '(.*?)' to (?:INT|UINT)", 'invalid input syntax for integer: "{0}"', "22P02"),
    (r"Could not convert string '(.*?)' to", 'invalid input syntax for the target type: "{0}"', "22P02"),
    (
        r"invalid (?:date|timestamp|time) field format: \"(.*?)\"",
        'invalid input syntax for a date or time: "{0}"',
        "22007",
    ),
    (r"field value out of range: \"(.*?)\"", 'date/time field value out of range: "{0}"', "22008"),
    (r"[Cc]onflict", "1023 Serializable isolation violation on a table in the database", "40001"),
)


def translated(error: duckdb.Error) -> RedshiftError:
    """The same failure as Redshift would put it; what has no counterpart keeps DuckDB's text, marked."""
    text = str(error)
    python = PYTHON_ERROR.search(text)
    if python:
        return RedshiftError(python.group(1), code="22P02")
    if isinstance(error, duckdb.InvalidInputException) and text.startswith("Invalid Input Error: "):
        return RedshiftError(text.removeprefix("Invalid Input Error: ").split("\n\n")[0])
    for pattern, words, code in _WORDS:
        found = re.search(pattern, text)
        if found:
            return RedshiftError(words.format(*found.groups()), code=code)
    return RedshiftError(f"the statement failed in DuckDB: {text}")
