"""Partition ids of rows, and what is known about each partition.

https://cloud.google.com/bigquery/docs/partitioned-tables
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from localcloud.bigquery.errors import invalid
from localcloud.bigquery.schema import Schema

NULL_ID = "__NULL__"
UNPARTITIONED_ID = "__UNPARTITIONED__"
MAX_PER_JOB = 4000
_UNITS = {"HOUR": "%Y%m%d%H", "DAY": "%Y%m%d", "MONTH": "%Y%m", "YEAR": "%Y"}
_TIME_TYPES = {"DATE", "DATETIME", "TIMESTAMP"}


@dataclass(frozen=True)
class Partitioning:
    """How a table is cut into partitions."""

    field: str | None
    unit: str = ""
    start: int = 0
    end: int = 0
    interval: int = 0

    @property
    def by_ingestion(self) -> bool:
        """Whether rows belong to the partition of their load time."""
        return self.field is None


def parse(resource: Mapping[str, Any], fields: Schema) -> Partitioning | None:
    """Read timePartitioning or rangePartitioning of a table or load configuration."""
    if time := resource.get("timePartitioning"):
        return _time(time, fields)
    if numbers := resource.get("rangePartitioning"):
        return _range(numbers, fields)
    return None


def _time(resource: Mapping[str, Any], fields: Schema) -> Partitioning:
    unit = str(resource.get("type", "DAY")).upper()
    if unit not in _UNITS:
        raise invalid(f"Invalid time partitioning type {unit}")
    name = resource.get("field")
    if name is None:
        return Partitioning(None, unit)
    kind = _key_type(fields, name)
    if kind not in _TIME_TYPES or (kind == "DATE" and unit == "HOUR"):
        raise invalid(f"The field specified for time partitioning has type {kind} which does not allow {unit}: {name}")
    return Partitioning(name, unit)


def _range(resource: Mapping[str, Any], fields: Schema) -> Partitioning:
    name = str(resource.get("field", ""))
    if _key_type(fields, name) != "INTEGER":
        raise invalid(f"The field specified for range partitioning must be INTEGER: {name}")
    bounds = resource.get("range") or {}
    start, end, interval = (int(bounds.get(k, 0)) for k in ("start", "end", "interval"))
    if interval < 1 or end <= start:
        raise invalid("Invalid range partitioning: interval must be positive and end greater than start")
    return Partitioning(name, "", start, end, interval)


def _key_type(fields: Schema, name: str) -> str:
    for field in fields:
        if field.name.lower() == name.lower():
            if field.repeated:
                raise invalid(f"The partitioning field may not be REPEATED: {name}")
            return field.type
    raise invalid(f"The field specified for partitioning cannot be found in the schema: {name}")


def ingestion_id(partitioning: Partitioning, micros: int) -> str:
    """The partition of rows that arrive at a time."""
    moment = dt.datetime.fromtimestamp(micros // 1_000_000, dt.UTC)
    return moment.strftime(_UNITS[partitioning.unit])


def count(array: pa.Array, partitioning: Partitioning) -> dict[str, int]:
    """Rows per partition id of a key column."""
    keys = _range_keys(array, partitioning) if partitioning.interval else _time_keys(array, partitioning.unit)
    counted = pc.value_counts(keys).to_pylist()
    found: dict[str, int] = {}
    for pair in counted:
        name = _label(pair["values"], partitioning)
        found[name] = found.get(name, 0) + pair["counts"]
    return found


def _time_keys(array: pa.Array, unit: str) -> pa.Array:
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.timestamp("us"))
    return pc.floor_temporal(array, unit=unit.lower())


def _range_keys(array: pa.Array, p: Partitioning) -> pa.Array:
    inside = pc.and_(pc.greater_equal(array, p.start), pc.less(array, p.end))
    safe = pc.if_else(inside, array, p.start)
    offset = pc.divide(pc.subtract(safe, p.start), p.interval)
    floor = pc.add(pc.multiply(offset, p.interval), p.start)
    return pc.if_else(inside, floor.cast(pa.string()), UNPARTITIONED_ID)


def _label(value: object, partitioning: Partitioning) -> str:
    if value is None:
        return NULL_ID
    if isinstance(value, dt.date):
        # strftime does not pad the year on every platform.
        digits = f"{value.year:04d}{value.month:02d}{value.day:02d}"
        hour = f"{value.hour:02d}" if isinstance(value, dt.datetime) else "00"
        return (digits + hour)[: {"HOUR": 10, "DAY": 8, "MONTH": 6, "YEAR": 4}[partitioning.unit]]
    return str(value)


def merge(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Add up counts; more partitions than one job may touch are refused."""
    total: dict[str, int] = {}
    for part in counts:
        for name, rows in part.items():
            total[name] = total.get(name, 0) + rows
    if len(total) > MAX_PER_JOB:
        raise invalid(
            f"Too many partitions produced by query, allowed {MAX_PER_JOB}, query produces at least {len(total)}"
        )
    return total
