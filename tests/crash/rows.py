"""A source whose rows a test gives: one session, one stream."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from lakeshift.model import Partition, Slice, SourceTable, TablePlan, TableRef
from lakeshift.ports import Answer, Children, ReadSession
from tests.doubles import NOW
from tests.unit.test_corpora_lake import wire_type


class Rows:
    """The Source port over a list of rows; a slice of keys is read from another list, of all rows."""

    def __init__(
        self, plan: TablePlan, rows: Sequence[Mapping[str, Any]], every: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        fields = [pa.field(one.source.name, wire_type(one.source)) for one in plan.columns]
        self._batches = {
            name: pa.RecordBatch.from_pylist([dict(row) for row in found], pa.schema(fields))
            for name, found in (("stream", rows), ("keys", every))
        }

    def now(self) -> datetime:
        return NOW

    def datasets(self) -> Sequence[str]:
        raise NotImplementedError

    def tables(self, dataset: str) -> Sequence[str]:
        raise NotImplementedError

    def describe(self, ref: TableRef) -> SourceTable:
        raise NotImplementedError

    def partitions(self, refs: Sequence[TableRef]) -> Mapping[TableRef, tuple[Partition, ...]]:
        raise NotImplementedError

    def estimate(self, sql: str) -> int:
        raise NotImplementedError

    def check_filter(self, plan: TablePlan) -> None:
        raise NotImplementedError

    def ask(self, sql: str, max_bytes: int) -> Answer:
        raise NotImplementedError

    def make_result(self, plan: TablePlan) -> bool:  # noqa: ARG002
        return True

    def count(self, plan: TablePlan) -> int:
        return int(self._batches["keys" if any(part.keys for part in plan.slices) else "stream"].num_rows)

    def relation(self, plan: TablePlan) -> str:
        raise NotImplementedError

    def open_session(self, plan: TablePlan, part: Slice) -> ReadSession:  # noqa: ARG002
        return ReadSession("session", ("keys" if part.keys else "stream",))

    def read(self, stream: str, offset: int, stall_seconds: float) -> Generator[pa.RecordBatch]:  # noqa: ARG002
        yield self._batches[stream].slice(offset)

    def split(self, stream: str, fraction: float) -> Children | None:  # noqa: ARG002
        return None
