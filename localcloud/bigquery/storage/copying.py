"""Copy jobs: tables copied, or kept as snapshots.

https://cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobConfigurationTableCopy
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from localcloud.bigquery.errors import already_exists, unsupported
from localcloud.bigquery.storage.catalog import Catalog, Table, TableRef

_KINDS = {None: "TABLE", "COPY": "TABLE", "SNAPSHOT": "SNAPSHOT"}
_KEPT = ("description", "labels", "timePartitioning", "rangePartitioning", "clustering", "requirePartitionFilter")


def copy(catalog: Catalog, config: Mapping[str, Any]) -> Table:
    """Copy one table into a new one; the files are shared by hard links, for they never change."""
    sources = config.get("sourceTables") or [config["sourceTable"]]
    operation = config.get("operationType")
    if len(sources) != 1 or operation not in _KINDS:
        raise unsupported(f"copy jobs of type {operation} with {len(sources)} sources")
    with catalog.lock:
        source, target = catalog.table(TableRef.parse(sources[0])), TableRef.parse(config["destinationTable"])
        if not source.holds_rows:
            raise unsupported(f"copies of a {source.kind}")
        if catalog.has(target):
            raise already_exists("Table", str(target))
        meta = {key: source.meta[key] for key in _KEPT if key in source.meta}
        made = catalog.create(target, source.fields, meta, _KINDS[operation])
        for file in source.current.files:
            os.link(catalog.folder(source.ref) / file.name, catalog.folder(target) / file.name)
        catalog.commit(made, source.fields, source.current.files)
    return made
