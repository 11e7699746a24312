"""Dataset, Table and Job resources of the REST API."""

from __future__ import annotations

from typing import Any

from localcloud.bigquery.storage.catalog import Dataset, Table

_SHOWN = (
    "description",
    "friendlyName",
    "labels",
    "timePartitioning",
    "rangePartitioning",
    "clustering",
    "requirePartitionFilter",
    "tableConstraints",
    "expirationTime",
    "view",
    "materializedView",
    "externalDataConfiguration",
    "snapshotDefinition",
    "cloneDefinition",
    "defaultCollation",
    "maxStaleness",
    "resourceTags",
)
TABLE_KEYS = frozenset(_SHOWN)
DATASET_KEYS = frozenset(
    (
        "description", "friendlyName", "labels", "location", "defaultTableExpirationMs",
        "defaultPartitionExpirationMs", "defaultCollation", "access", "maxTimeTravelHours", "storageBillingModel",
        "isCaseInsensitive", "resourceTags", "defaultRoundingMode",
    )
)  # fmt: skip


def dataset(found: Dataset, default_location: str) -> dict[str, Any]:
    """The full Dataset resource."""
    return {
        "kind": "bigquery#dataset",
        "etag": str(found.modified),
        "id": f"{found.project}:{found.name}",
        "datasetReference": {"projectId": found.project, "datasetId": found.name},
        "location": default_location,
        "creationTime": str(found.created),
        "lastModifiedTime": str(found.modified),
        "access": [],
        "type": "DEFAULT",
        **found.meta,
    }


def dataset_item(found: Dataset) -> dict[str, Any]:
    """A Dataset as datasets.list gives it."""
    kept = {k: v for k, v in found.meta.items() if k in ("labels", "friendlyName")}
    return {
        "kind": "bigquery#dataset",
        "id": f"{found.project}:{found.name}",
        "datasetReference": {"projectId": found.project, "datasetId": found.name},
        "location": found.location,
        **kept,
    }


def table(found: Table, location: str) -> dict[str, Any]:
    """The full Table resource."""
    body = {
        "kind": "bigquery#table",
        "etag": str(found.current.micros),
        "id": str(found.ref),
        "tableReference": found.ref.json(),
        "type": found.kind,
        "location": location,
        "schema": {"fields": [f.json() for f in found.fields]},
        "creationTime": str(found.created),
        "lastModifiedTime": str(found.modified),
        **{k: found.meta[k] for k in _SHOWN if k in found.meta},
    }
    return {**body, **_sizes(found)} if found.holds_rows else body


def _sizes(found: Table) -> dict[str, str]:
    size = str(found.current.size())
    return {
        "numBytes": size,
        "numRows": str(found.current.rows),
        "numLongTermBytes": "0",
        "numTotalLogicalBytes": size,
        "numActiveLogicalBytes": size,
        "numLongTermLogicalBytes": "0",
    }


def table_item(found: Table) -> dict[str, Any]:
    """A Table as tables.list gives it: without schema and sizes."""
    kept = ("labels", "friendlyName", "timePartitioning", "rangePartitioning", "clustering", "requirePartitionFilter")
    body = {
        "kind": "bigquery#table",
        "id": str(found.ref),
        "tableReference": found.ref.json(),
        "type": found.kind,
        "creationTime": str(found.created),
        **{k: found.meta[k] for k in (*kept, "expirationTime") if k in found.meta},
    }
    if found.kind == "VIEW":
        body["view"] = {"useLegacySql": False}
    return body
