"""Schemas of the tables that a query reads: BigQuery JSON schema files, found by the table's name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lakeshift.convert import kinds

Schemas = Mapping[str, Sequence[tuple[str, str]]]
"""Lower-case table name (`table`, `dataset.table` or `project.dataset.table`) -> columns with their types."""

_ENDINGS = (".schema.json", ".json")


def read_schemas(directory: Path) -> dict[str, Sequence[tuple[str, str]]]:
    """Every `<table>.json` or `<table>.schema.json` of a directory. Files that are no schema are passed over.

    Raises:
        OSError: the directory cannot be read.
    """
    found: dict[str, Sequence[tuple[str, str]]] = {}
    for file in sorted(directory.iterdir()):
        ending = next((one for one in _ENDINGS if file.name.endswith(one)), "")
        columns = _columns(file) if ending else None
        if columns is not None:
            found[file.name.removesuffix(ending).lower()] = columns
    return found


def _columns(file: Path) -> list[tuple[str, str]] | None:
    try:
        listed: Any = json.loads(file.read_bytes())
    except ValueError:
        return None
    if isinstance(listed, dict):
        listed = listed.get("fields", listed.get("schema"))
    if isinstance(listed, dict):
        listed = listed.get("fields")
    if not isinstance(listed, list) or not all(
        isinstance(one, dict) and {"name", "type"} <= one.keys() for one in listed
    ):
        return None
    return [(str(one["name"]), kinds.of_field(one)) for one in listed]


def columns_of(schemas: Schemas, path: Sequence[str]) -> Sequence[tuple[str, str]] | None:
    """The columns of a table; a schema filed under a shorter name than the query's is taken too."""
    parts = [part.lower() for part in path]
    names = [".".join(parts[start:]) for start in range(len(parts))]
    return next((schemas[one] for one in names if one in schemas), None)
