"""Functions that make and join arrays in SUPER.

https://docs.aws.amazon.com/redshift/latest/dg/c_Array_Functions.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from localcloud.redshift.json_parse import _loads, _text

if TYPE_CHECKING:
    import duckdb


def _array(text: str) -> list[Any]:
    value = _loads(text)
    if not isinstance(value, list):
        raise ValueError("the local Redshift twin does not support array functions of what is no array")
    return value


def concatenate(first: str, second: str) -> str:
    return _text([*_array(first), *_array(second)])


def flatten(text: str) -> str:
    """One level is taken away; items that are no arrays stay."""
    return _text([part for item in _array(text) for part in (item if isinstance(item, list) else [item])])


def part(text: str, start: int, size: int) -> str:
    """Items from a position counted from 0."""
    if start < 0 or size < 0:
        raise ValueError("the local Redshift twin does not support SUBARRAY with negative numbers")
    return _text(_array(text)[start : start + size])


def split(text: str, separator: str) -> str:
    """Raises ValueError for empty texts, of which the guide does not say what they give."""
    if not text or not separator:
        raise ValueError("the local Redshift twin does not support SPLIT_TO_ARRAY of or by an empty text")
    return json.dumps(text.split(separator), ensure_ascii=False, separators=(",", ":"))


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes these functions known to one DuckDB database."""
    connection.create_function("twin_array_concat", concatenate, ["VARCHAR", "VARCHAR"], "JSON")
    connection.create_function("twin_array_flatten", flatten, ["VARCHAR"], "JSON")
    connection.create_function("twin_subarray", part, ["VARCHAR", "INTEGER", "INTEGER"], "JSON")
    connection.create_function("twin_split_to_array", split, ["VARCHAR", "VARCHAR"], "JSON")
