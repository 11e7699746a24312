"""tables.list, insert, get, patch, delete, and tabledata.list."""

from __future__ import annotations

import re
from typing import Any

from werkzeug.wrappers import Request

from localcloud.bigquery import schema
from localcloud.bigquery.errors import invalid, unsupported
from localcloud.bigquery.rest import resources, rows
from localcloud.bigquery.rest.body import body
from localcloud.bigquery.rest.paging import page
from localcloud.bigquery.schema import Schema
from localcloud.bigquery.sql import external, views
from localcloud.bigquery.storage import partitions, writer
from localcloud.bigquery.storage.catalog import Catalog, Table, TableRef

_NAME = re.compile(r"^[\w\- ]{1,1024}$")


class Tables:
    """The tables collection."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def list(self, request: Request, project: str, dataset: str) -> dict[str, Any]:
        """The tables of a dataset, without schema and row counts."""
        every = self._catalog.tables(project, dataset)
        found, token = page(every, request)
        items = [resources.table_item(t) for t in found]
        answer: dict[str, Any] = {"kind": "bigquery#tableList", "etag": "0", "totalItems": len(every)}
        return {**answer, **({"tables": items} if items else {}), **token}

    def insert(self, request: Request, project: str, dataset: str) -> dict[str, Any]:
        """A new empty table, or a view."""
        wanted = body(request)
        ref = TableRef(project, dataset, str((wanted.get("tableReference") or {}).get("tableId", "")))
        if not _NAME.match(ref.table):
            raise invalid(f'Invalid table ID "{ref.table}".')
        kind = _kind(wanted)
        fields = schema.parse((wanted.get("schema") or {}).get("fields", ()))
        if kind in ("VIEW", "MATERIALIZED_VIEW"):
            query = (wanted.get("view") or wanted.get("materializedView") or {})["query"]
            fields = views.check(self._catalog, ref, query)
        meta = {k: v for k, v in wanted.items() if k in resources.TABLE_KEYS}
        if kind == "EXTERNAL":
            fields = external.fields(wanted["externalDataConfiguration"], fields or _external_schema(wanted))
        check_clustering(meta, fields)
        return self._resource(self._catalog.create(ref, fields, meta, kind))

    def get(self, _: Request, project: str, dataset: str, table: str) -> dict[str, Any]:
        """One table."""
        return self._resource(self._catalog.table(TableRef(project, dataset, table)))

    def patch(self, request: Request, project: str, dataset: str, table: str) -> dict[str, Any]:
        """Change properties or add columns; null removes a property."""
        wanted = body(request)
        with self._catalog.lock:
            found = self._catalog.table(TableRef(project, dataset, table))
            changed = {k: v for k, v in wanted.items() if k in resources.TABLE_KEYS}
            meta = {k: v for k, v in {**found.meta, **changed}.items() if v is not None}
            if partitions.parse(meta, found.fields) != found.partitioning:
                raise invalid(f"Cannot change partitioning of table {found.ref}")
            found.meta = meta
            found.modified = self._catalog.now() // 1000
            self._catalog.save(found)
            if found.kind == "TABLE" and wanted.get("schema"):
                self._change_schema(found, schema.parse(wanted["schema"]["fields"]))
        return self._resource(found)

    def _change_schema(self, table: Table, wanted: Schema) -> None:
        _check_kept(table.fields, wanted, "")
        if wanted != table.fields or [f.extra for f in wanted] != [f.extra for f in table.fields]:
            writer.change_schema(self._catalog, table, wanted)

    def delete(self, _: Request, project: str, dataset: str, table: str) -> None:
        """Delete a table or view."""
        self._catalog.drop(TableRef(project, dataset, table))

    def data(self, request: Request, project: str, dataset: str, table: str) -> dict[str, Any]:
        """tabledata.list: rows of a table."""
        found = self._catalog.table(TableRef(project, dataset, table))
        if not found.holds_rows:
            raise invalid(f"Cannot list a table of type {found.kind}.")
        answer = rows.answer(self._catalog, found, request)
        return {"kind": "bigquery#tableDataList", "etag": "0", **answer}

    def _resource(self, table: Table) -> dict[str, Any]:
        location = self._catalog.dataset(table.ref.project, table.ref.dataset).location
        return resources.table(table, location)


def _external_schema(wanted: dict[str, Any]) -> Schema:
    return schema.parse((wanted["externalDataConfiguration"].get("schema") or {}).get("fields", ()))


def _kind(wanted: dict[str, Any]) -> str:
    for key, kind in (("view", "VIEW"), ("materializedView", "MATERIALIZED_VIEW")):
        if wanted.get(key):
            return kind
    if wanted.get("externalDataConfiguration"):
        return "EXTERNAL"
    if wanted.get("encryptionConfiguration"):
        raise unsupported("encryptionConfiguration")
    return "TABLE"


def check_clustering(meta: dict[str, Any], fields: Schema) -> None:
    """Refuse clustering by what is no column."""
    names = [str(n).lower() for n in (meta.get("clustering") or {}).get("fields", ())]
    known = {f.name.lower() for f in fields if not f.repeated and not f.fields}
    if len(names) > 4 or not set(names) <= known:
        raise invalid(f"Invalid clustering fields {names}")


def _check_kept(old: Schema, new: Schema, prefix: str) -> None:
    """Columns may be added and relaxed, not removed or changed."""
    found = {f.name.lower(): f for f in new}
    for f in old:
        now = found.pop(f.name.lower(), None)
        if now is None or now.type != f.type or (now.mode != f.mode and (f.mode, now.mode) != ("REQUIRED", "NULLABLE")):
            raise invalid(f"Provided Schema does not match Table. Field {prefix}{f.name} is missing or has changed")
        _check_kept(f.fields, now.fields, f"{prefix}{f.name}.")
    for f in found.values():
        if f.mode == "REQUIRED":
            raise invalid(f"Cannot add REQUIRED columns to an existing schema (field: {prefix}{f.name})")
