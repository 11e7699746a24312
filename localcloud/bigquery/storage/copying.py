"""Tables copied, cloned, or kept as snapshots.

https://cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobConfigurationTableCopy
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from typing import Any

from localcloud.bigquery.errors import already_exists, unsupported
from localcloud.bigquery.storage.catalog import Catalog, Table, TableRef

_KINDS = {None: "TABLE", "COPY": "TABLE", "SNAPSHOT": "SNAPSHOT", "CLONE": "TABLE", "RESTORE": "TABLE"}
_KEPT = ("description", "labels", "timePartitioning", "rangePartitioning", "clustering", "requirePartitionFilter")


def copy(catalog: Catalog, config: Mapping[str, Any]) -> Table:
    """Run a copy job of one table into a new one."""
    sources = config.get("sourceTables") or [config["sourceTable"]]
    operation = config.get("operationType")
    if len(sources) != 1 or operation not in _KINDS:
        raise unsupported(f"copy jobs of type {operation} with {len(sources)} sources")
    source, target = TableRef.parse(sources[0]), TableRef.parse(config["destinationTable"])
    expires = {"expirationTime": config["destinationExpirationTime"]} if "destinationExpirationTime" in config else {}
    return make(catalog, source, target, str(operation or "COPY"), meta=expires)


def make(
    catalog: Catalog,
    origin: TableRef,
    target: TableRef,
    operation: str,
    *,
    micros: int | None = None,
    meta: Mapping[str, Any] | None = None,
) -> Table:
    """A copy, clone, snapshot or restored table, of now or of `micros`.

    The files are shared by hard links, for they never change. Raises `duplicate`, `notFound` and `invalid`.
    """
    with catalog.lock:
        source = catalog.table(origin)
        if not source.holds_rows or (operation == "RESTORE" and source.kind != "SNAPSHOT"):
            raise unsupported(f"{operation} of a {source.kind}")
        if catalog.has(target):
            raise already_exists("Table", str(target))
        version = source.at(micros)
        kept = {key: source.meta[key] for key in _KEPT if key in source.meta}
        taken = dt.datetime.fromtimestamp((micros or catalog.now()) / 1_000_000, dt.UTC)
        definition = _definition(source, operation, taken.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
        made = catalog.create(target, version.fields, {**kept, **definition, **(meta or {})}, _KINDS[operation])
        for file in version.files:
            os.link(catalog.folder(origin) / file.name, catalog.folder(target) / file.name)
        catalog.commit(made, version.fields, version.files)
    return made


def _definition(source: Table, operation: str, taken: str) -> dict[str, Any]:
    base = {"baseTableReference": source.ref.json()}
    if operation == "SNAPSHOT":
        return {"snapshotDefinition": {**base, "snapshotTime": taken}}
    if operation == "CLONE":
        return {"cloneDefinition": {**base, "cloneTime": taken}}
    return {}
