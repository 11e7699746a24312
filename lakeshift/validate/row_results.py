"""The rows that differ, as one Parquet file with a fixed schema and as a page for people, in the lake bucket."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

import pyarrow as pa

from lakeshift.extract.files import CONTENT_TYPE
from lakeshift.lake import keys, parquet
from lakeshift.ports import Ports
from lakeshift.report import rows_page
from lakeshift.validate.columns import Checked
from lakeshift.validate.exact import Node
from lakeshift.validate.pairing import Row, RowDifference
from lakeshift.validate.rows import Found
from lakeshift.validate.shown import Shown

_GROUP_ROWS = 10_000


@dataclass(frozen=True)
class TableRows:
    """What was found in the rows of a table, or of a child table.

    Attributes:
        table: as reports call it: the source's full name, or that of the child table.
    """

    table: str
    columns: tuple[Checked, ...]
    found: Found


@cache
def schema() -> pa.Schema:
    """Columns of the differing rows: one record for each place where a changed row differs, one for each other row.

    number: tells the rows of a table apart. likely: two rows that were taken for one that has changed, by what is equal
    in them. key: JSON of the key columns; {} without a key. path: the innermost place, by the source's names; "" for a
    missing or extra row, whose values stand as JSON in lake_value or target_value. lake_row, target_row: fingerprints
    of the rows, by which the engines find them (docs/reference/canonical-form.md).
    """
    texts = ("run", "table", "kind", "key", "column", "path", "lake_value", "target_value")
    fields = [pa.field(name, pa.string(), nullable=name.endswith("_value")) for name in texts]
    more = [pa.field("number", pa.int64(), nullable=False), pa.field("likely", pa.bool_(), nullable=False)]
    return pa.schema([*fields, *more, pa.field("lake_row", pa.int64()), pa.field("target_row", pa.int64())])


def records(run: str, table: TableRows, mask: Shown) -> Iterator[dict[str, Any]]:
    """The records of a table's differing rows, values as the mask shows them."""
    columns = {one.name: one for one in table.columns}
    for number, one in enumerate(table.found.differences, 1):
        head = {
            "run": run,
            "table": table.table,
            "kind": one.kind.value,
            "key": _json(one.key, mask),
            "number": number,
            "likely": one.likely,
            "lake_row": one.lake and one.lake.fingerprint,
            "target_row": one.target and one.target.fingerprint,
        }
        yield from ({**head, **place} for place in _places(one, columns, mask))


def _places(one: RowDifference, columns: dict[str, Checked], mask: Shown) -> Iterator[dict[str, Any]]:
    for inner in one.columns:
        yield {
            "column": inner.column,
            "path": mask.path(inner.path, columns[inner.column]),
            "lake_value": mask.value(inner.lake),
            "target_value": mask.value(inner.target),
        }
    if not one.columns:
        sides = {"lake_value": one.lake, "target_value": one.target}
        whole = {name: row and _row(row, columns, mask) for name, row in sides.items()}
        yield {"column": "", "path": "", **whole}


def _row(row: Row, columns: dict[str, Checked], mask: Shown) -> str:
    return _json(tuple(zip(columns, row.values, strict=True)), mask)


def _json(named: Sequence[tuple[str, Node]], mask: Shown) -> str:
    return json.dumps({name: mask.value(node) for name, node in named}, ensure_ascii=False)


def written(ports: Ports, prefix: str, run: str, tables: Sequence[TableRows], mask: Shown) -> None:
    """Write the differing rows of a table and its child tables below its `validation_prefix`, over earlier ones."""
    found = [list(records(run, table, mask)) for table in tables]
    flat = list(chain.from_iterable(found))
    groups = [
        pa.Table.from_pylist(flat[start : start + _GROUP_ROWS], schema=schema())
        for start in range(0, len(flat), _GROUP_ROWS)
    ]
    ports.objects.put(ports.places.lake, keys.differing_rows(prefix), parquet.write(groups, schema()), CONTENT_TYPE)
    told = [_summary(table) | {"records": inside} for table, inside in zip(tables, found, strict=True)]
    page = rows_page.page(run, told)
    ports.objects.put(ports.places.lake, keys.differing_page(prefix), page.encode(), "text/html; charset=utf-8")


def _summary(table: TableRows) -> dict[str, Any]:
    """What the page says of a table beside its rows."""
    found = table.found
    return {
        "table": table.table,
        "rows": found.rows,
        "missing": found.missing,
        "extra": found.extra,
        "named": len(found.differences),
        "compared": found.compared,
        "equal_by_value": found.equal_by_value,
        "complete": found.complete,
    }
