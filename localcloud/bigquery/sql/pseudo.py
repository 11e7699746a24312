"""The pseudo columns of ingestion-time partitioned tables."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa

from localcloud.bigquery import schema
from localcloud.bigquery.storage import files
from localcloud.bigquery.storage.catalog import Catalog, Table, Version

NAMES = {"_partitiontime", "_partitiondate"}


def plain(catalog: Catalog, table: Table, version: Version) -> pa.Table:
    """All rows of a version."""
    folder = catalog.folder(table.ref)
    return files.table(folder, [f.name for f in version.files], schema.arrow_schema(version.fields))


def rows(catalog: Catalog, table: Table, version: Version) -> pa.Table:
    """All rows of a version; with `_PARTITIONTIME` and `_PARTITIONDATE` where the table has them."""
    found = plain(catalog, table, version)
    layout = table.partitioning
    if layout is None or not layout.by_ingestion:
        return found
    times = [moment for f in version.files for name, n in f.partitions.items() for moment in [_start(name)] * n]
    stamps = pa.array(times, pa.timestamp("us", tz="UTC"))
    found = found.append_column("_PARTITIONTIME", stamps)
    return found.append_column("_PARTITIONDATE", stamps.cast(pa.timestamp("us")).cast(pa.date32(), safe=False))


def _start(partition: str) -> dt.datetime:
    digits = partition.ljust(8, "0") if len(partition) < 8 else partition
    year, month, day = int(digits[:4]), max(1, int(digits[4:6])), max(1, int(digits[6:8]))
    return dt.datetime(year, month, day, int(digits[8:10] or 0), tzinfo=dt.UTC)
