"""The differing rows of a table as one HTML page: no outside parts, no script. Pure, over records without secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

MOST_ROWS = 500
"""Differing rows of a table on the page; the Parquet file has all that are named."""
MOST_LETTERS = 2_000
"""Characters of a value on the page."""


def page(run: str, tables: Sequence[Mapping[str, Any]]) -> str:
    """The page.

    Args:
        tables: for each table its name, how many rows differ, and `records` of them, as `row_results` has them.
    """
    listed = [{**table, "records": [one for one in table["records"] if one["number"] <= MOST_ROWS]} for table in tables]
    return _TEMPLATES.get_template("rows.html.j2").render(run=run, tables=listed, most=MOST_ROWS)


def _cut(value: str | None) -> str:
    """A value that a page has room for."""
    if value is None:
        return ""
    more = len(value) - MOST_LETTERS
    return value if more <= 0 else f"{value[:MOST_LETTERS]}… ({more:,} characters more)"


_TEMPLATES = Environment(
    loader=PackageLoader("lakeshift.report", "."),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters["cut"] = _cut
