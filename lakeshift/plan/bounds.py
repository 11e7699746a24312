"""Bounds of partitions: from a partition's id to a value of the partition column, as a `Range` writes it.

https://cloud.google.com/bigquery/docs/managing-partitioned-tables
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from lakeshift.model import Column, Kind, SourceTable

NULL = "__NULL__"
# Rows of the streaming buffer; of an integer-range table also those outside of its range.
UNPARTITIONED = "__UNPARTITIONED__"
INGESTION_TIME = "_PARTITIONTIME"
_TIME_FORMATS = {4: "%Y", 6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H"}
_DIGITS = {"YEAR": 4, "MONTH": 6, "DAY": 8, "HOUR": 10}

# A value of the column as a number that orders like it: itself, or hours since the beginning of the year 1.
Bound = int
_HOUR = timedelta(hours=1)
_BEGINNING = datetime(1, 1, 1)  # noqa: DTZ001 - bounds are text without a zone


@dataclass(frozen=True)
class Axis:
    """The column that a table is partitioned by.

    Attributes:
        kind: INT64, DATE, DATETIME or TIMESTAMP.
        digits: how many an id has; 0 for integers.
    """

    column: str
    kind: Kind
    digits: int

    def lower(self, partition: str) -> Bound | None:
        """First value of a partition; None for one that has no bounds."""
        if partition in {NULL, UNPARTITIONED}:
            return None
        return _hours(self._start(partition)) if self.digits else int(partition)

    def upper(self, partition: str) -> Bound | None:
        """First value after a partition; None where only the next partition's id tells, and after the year 9999."""
        if not self.digits or partition in {NULL, UNPARTITIONED}:
            return None
        try:
            return _hours(_next(self._start(partition), self.digits))
        except (OverflowError, ValueError):
            return None

    def text(self, bound: Bound) -> str:
        """A bound as ranges write it."""
        if not self.digits:
            return str(bound)
        moment = _BEGINNING + bound * _HOUR
        return moment.date().isoformat() if self.kind is Kind.DATE else moment.isoformat()

    def _start(self, partition: str) -> datetime:
        return datetime.strptime(partition, _TIME_FORMATS[self.digits])  # noqa: DTZ007 - text without a zone


def axis(table: SourceTable) -> Axis | None:
    """How a table is partitioned; None where it is not, or by a column that it does not show."""
    if not table.partition_kind:
        return None
    digits = _DIGITS.get(table.partition_kind, 0)
    if is_ingestion_time(table):
        return Axis(INGESTION_TIME, Kind.TIMESTAMP, digits)
    column = _column(table)
    return Axis(column.name, column.kind, digits) if column else None


def is_ingestion_time(table: SourceTable) -> bool:
    """True when the table is partitioned by the time its rows arrived, which is no column of it."""
    return bool(table.partition_kind) and table.partition_column in {"", INGESTION_TIME}


def _column(table: SourceTable) -> Column | None:
    wanted = table.partition_column.casefold()
    return next((column for column in table.columns if column.name.casefold() == wanted), None)


def _hours(moment: datetime) -> Bound:
    return (moment - _BEGINNING) // _HOUR


def _next(start: datetime, digits: int) -> datetime:
    if digits == 4:
        return start.replace(year=start.year + 1)
    if digits == 6:
        return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    return start + (timedelta(days=1) if digits == 8 else _HOUR)
