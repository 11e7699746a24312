"""Partition ids of rows, and what is known about each partition.

https://cloud.google.com/bigquery/docs/partitioned-tables
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from localcloud.bigquery.errors import invalid
from localcloud.bigquery.schema import Schema

NULL_ID = "__NULL__"
UNPARTITIONED_ID = "__UNPARTITIONED__"
MAX_PER_JOB = 4000
_UNITS = {"HOUR": "%Y%m%d%H", "DAY": "%Y%m%d", "MONTH": "%Y%m", "YEAR": "%Y"}
_DIGITS = {"HOUR": 10, "DAY": 8, "MONTH": 6, "YEAR": 4}
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
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


def labels(array: pa.Array, partitioning: Partitioning) -> tuple[np.ndarray[Any, Any], list[str]]:
    """The partition of each row of a key column: positions in a list of partition ids."""
    keys = _range_keys(array, partitioning) if partitioning.interval else _time_keys(array, partitioning.unit)
    coded = keys.dictionary_encode(null_encoding="encode")
    names = [_label(value, partitioning) for value in coded.dictionary.to_pylist()]
    # Keys outside the range of integer partitions are spelled alike, so every name stands once.
    return coded.indices.to_numpy(), names


def bounds(array: pa.Array) -> tuple[int | None, int | None]:
    """Least and greatest value of a key column: integers, days or microseconds. None without values."""
    plain = array.cast(pa.int32()) if pa.types.is_date(array.type) else array
    found = pc.min_max(plain if pa.types.is_integer(plain.type) else plain.cast(pa.int64()))
    return found["min"].as_py(), found["max"].as_py()


def moment(name: str) -> dt.datetime:
    """The `_PARTITIONTIME` of the rows of a partition of an ingestion-time partitioned table."""
    year, month, day, hour = name[:4], name[4:6] or "1", name[6:8] or "1", name[8:10] or "0"
    return dt.datetime(int(year), int(month), int(day), int(hour), tzinfo=dt.UTC)


def start_micros(name: str) -> int:
    """`moment` in microseconds since 1970."""
    return (moment(name) - _EPOCH) // dt.timedelta(microseconds=1)


def decorated(name: str, partitioning: Partitioning | None) -> str:
    """The partition id of a decorator as in `table$20240131`; raises `invalid` when the table has no such ids."""
    if partitioning is None:
        raise invalid(f"Cannot use the partition decorator ${name} on a table that is not partitioned")
    if name in (NULL_ID, UNPARTITIONED_ID) and not partitioning.by_ingestion:
        return name
    if partitioning.interval:
        number = int(name) if re.fullmatch(r"-?\d+", name) else partitioning.end
        inside = partitioning.start <= number < partitioning.end
        if inside and (number - partitioning.start) % partitioning.interval == 0:
            return name
    elif re.fullmatch(rf"\d{{{_DIGITS[partitioning.unit]}}}", name):
        try:
            moment(name)
        except ValueError:
            raise invalid(f"Invalid date partitioned table suffix: {name}") from None
        return name
    raise invalid(f"Invalid partition decorator ${name}")


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
        return (digits + hour)[: _DIGITS[partitioning.unit]]
    return str(value)


def check_number(names: Collection[str]) -> None:
    """Refuse more partitions than one job may touch."""
    if len(names) > MAX_PER_JOB:
        raise invalid(
            f"Too many partitions produced by query, allowed {MAX_PER_JOB}, query produces at least {len(names)}"
        )
