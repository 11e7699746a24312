"""Pages of rows: tabledata.list and query results."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from werkzeug.wrappers import Request

from localcloud.bigquery import schema
from localcloud.bigquery.errors import invalid
from localcloud.bigquery.rest import cells
from localcloud.bigquery.rest.paging import number
from localcloud.bigquery.schema import Schema
from localcloud.bigquery.storage import files
from localcloud.bigquery.storage.catalog import Catalog, Table, Version
from localcloud.bigquery.storage.writer import conform

MAX_ROWS = 100_000
# The real service stops a page at 10 MB of JSON or 20 MB of rows.
MAX_BYTES = 10_000_000


def answer(catalog: Catalog, table: Table, request: Request) -> dict[str, Any]:
    """`totalRows`, `rows` and `pageToken` for the page that a request asks for."""
    selected = request.args.get("selectedFields")
    fields = schema.select(table.fields, selected.split(",") if selected else [])
    start = number(request, "pageToken")
    if start is None:
        start = number(request, "startIndex") or 0
    limit = number(request, "maxResults")
    return page(catalog, table, fields, start, limit, stamp_format(request))


def stamp_format(request: Request) -> str:
    """How TIMESTAMP cells are to be written."""
    if wanted := request.args.get("formatOptions.timestampOutputFormat"):
        return checked_format(wanted)
    return cells.INT64 if request.args.get("formatOptions.useInt64Timestamp", "").lower() == "true" else cells.FLOAT64


def checked_format(name: str) -> str:
    """A known timestampOutputFormat."""
    known = {"INT64": cells.INT64, "FLOAT64": cells.FLOAT64, "ISO8601_STRING": cells.ISO8601}
    if name not in known:
        raise invalid(f"Invalid timestampOutputFormat {name}")
    return known[name]


def page(catalog: Catalog, table: Table, fields: Schema, start: int, limit: int | None, stamps: str) -> dict[str, Any]:
    """Rows from a position on, as many as wanted and as fit into one answer."""
    version = table.current
    average = max(1, version.size(fields) // max(1, version.rows))
    room = max(1, min(MAX_ROWS, MAX_BYTES // average))
    stop = min(version.rows, start + (room if limit is None else min(limit, room)))
    out: dict[str, Any] = {"totalRows": str(version.rows)}
    if stop > start:
        out["rows"] = cells.rows(_slice(catalog, table, version, fields, start, stop), fields, stamps)
    if stop < version.rows:
        out["pageToken"] = str(stop)
    return out


def _slice(catalog: Catalog, table: Table, version: Version, fields: Schema, start: int, stop: int) -> pa.Table:
    target = schema.arrow_schema(fields)
    found, row = [], 0
    for name, index, extent in version.places:
        low, high = max(start, row), min(stop, row + extent.rows)
        if low < high:
            batch = files.batch(catalog.folder(table.ref) / name, index).slice(low - row, high - low)
            found.append(conform(batch.select(target.names), target))
        row += extent.rows
    return pa.Table.from_batches(found, target)
