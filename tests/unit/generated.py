"""Schemas of BigQuery that nobody has thought of: columns of all types, nested and repeated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

LEAVES = (
    "BOOL",
    "INT64",
    "FLOAT64",
    "NUMERIC",
    "BIGNUMERIC",
    "STRING",
    "BYTES",
    "DATE",
    "TIME",
    "DATETIME",
    "TIMESTAMP",
    "INTERVAL",
    "JSON",
)
NAMES = "aBcDeF"

Fields = list[dict[str, Any]]


def schemas(leaves: Sequence[str] = LEAVES, most: int = 4) -> st.SearchStrategy[Fields]:
    """One to four columns of these types; `most` is how many leaves a struct may have."""

    def field(inner: st.SearchStrategy[dict[str, Any]] | None = None) -> st.SearchStrategy[dict[str, Any]]:
        modes = st.sampled_from(["NULLABLE", "REPEATED"])
        leaf = st.fixed_dictionaries({"type": st.sampled_from(leaves), "mode": modes})
        if inner is None:
            return leaf
        kind = {"type": st.just("RECORD"), "mode": st.sampled_from(["NULLABLE", "REPEATED", "REQUIRED"])}
        return leaf | st.fixed_dictionaries({**kind, "fields": st.lists(inner, min_size=1, max_size=3)})

    return st.lists(st.recursive(field(), field, max_leaves=most), min_size=1, max_size=4).map(_named)


def _named(fields: Fields) -> Fields:
    """Fields with names, and without arrays of arrays' NULLs: BigQuery's own shapes."""
    return [
        {**one, "name": name, **({"fields": _named(one["fields"])} if "fields" in one else {})}
        for one, name in zip(fields, NAMES, strict=False)
    ]
