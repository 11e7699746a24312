"""Doubles of the places outside: a source of small tables, buckets in memory, a warehouse that obeys."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import pyarrow as pa
from typing_extensions import Buffer

from lakeshift.model import Partition, RunRecord, RunState, Slice, SourceTable, TablePlan, TableRef
from lakeshift.ports import Answer, Children, ReadSession, Statement
from lakeshift.types.bigquery import columns
from lakeshift.validate.canonical import row_fingerprints, value_fingerprints

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ROWS = 3


def migrating(plan: TablePlan, state: RunState = RunState.MIGRATING) -> RunRecord:
    """The record of a run that consists of one table."""
    return RunRecord(
        run=plan.run,
        state=state,
        config_bucket="config",
        config_key="configs/c.json",
        config_version="1",
        execution="e",
        started=plan.snapshot,
        snapshot=plan.snapshot,
    )


class SmallTables:
    """A source with tables of three rows, each read by one session of one stream."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def now(self) -> datetime:
        return NOW

    def datasets(self) -> Sequence[str]:
        return ["shop"]

    def tables(self, dataset: str) -> Sequence[str]:  # noqa: ARG002
        return self._names

    def describe(self, ref: TableRef) -> SourceTable:
        fields = columns([{"name": "id", "type": "INT64"}])
        return SourceTable(ref=ref, type="TABLE", columns=fields, rows=ROWS, bytes=24)

    def partitions(self, refs: Sequence[TableRef]) -> Mapping[TableRef, tuple[Partition, ...]]:  # noqa: ARG002
        return {}

    def estimate(self, sql: str) -> int:  # noqa: ARG002
        return 0

    def check_filter(self, plan: TablePlan) -> None:
        """There are no filters that it would refuse."""

    def ask(self, sql: str, max_bytes: int) -> Answer:  # noqa: ARG002
        return Answer((sums(),), 0)

    def make_result(self, plan: TablePlan) -> bool:  # noqa: ARG002
        return True

    def count(self, plan: TablePlan) -> int:  # noqa: ARG002
        return ROWS

    def relation(self, plan: TablePlan) -> str:
        return f"`{plan.source.id}`"

    def open_session(self, plan: TablePlan, part: Slice) -> ReadSession:
        name = f"projects/{plan.source.project}/locations/us/sessions/{'C' * 60}"
        return ReadSession(name, tuple(f"{name}/streams/{'G' * 60}{index}" for index in range(part.streams)))

    def read(self, stream: str, offset: int, stall_seconds: float) -> Generator[pa.RecordBatch]:  # noqa: ARG002
        yield pa.record_batch({"id": pa.array(range(ROWS), pa.int64())}).slice(offset)

    def split(self, stream: str, fraction: float) -> Children | None:  # noqa: ARG002
        return None


class ObedientWarehouse:
    """A warehouse where every statement does what it should."""

    def submit(self, statements: Sequence[str], token: str) -> str:  # noqa: ARG002
        self._rows = tuple(ROWS if text.startswith("COPY") else 0 for text in statements)
        return "statement"

    def poll(self, statement: str, seconds: float) -> Statement:  # noqa: ARG002
        return Statement(finished=True, rows=self._rows)

    def query(self, sql: str, *_: str) -> list[tuple[object, ...]]:
        if "svv_columns" in sql:
            return [("id", "bigint", None, 64, 0)]
        if sql.startswith("SELECT COUNT(*), COUNT("):
            # Rows, and of the column NULLs, distinct values, the least, the greatest, the total.
            return [(ROWS, 0, ROWS, 0, ROWS - 1, sum(range(ROWS)))]
        if "FARMFINGERPRINT64" in sql:
            return [sums()]
        return [(ROWS,)] if "COUNT(*)" in sql else []


def sums() -> tuple[object, ...]:
    """Of the one segment that the rows of `SmallTables` are: rows, sums of their fingerprints and of the column's."""
    values = value_fingerprints(pa.array(range(ROWS), pa.int64()), columns([{"name": "id", "type": "INT64"}])[0])
    return 0, ROWS, int(row_fingerprints([values]).sum()), int(values.sum())


class Buckets:
    """Buckets in memory."""

    def __init__(self) -> None:
        self.bodies: dict[tuple[str, str], bytes] = {}

    def put(self, bucket: str, key: str, body: bytes, content_type: str = "") -> str:  # noqa: ARG002
        self.bodies[bucket, key] = body
        return "v1"

    def get(self, bucket: str, key: str, version: str = "") -> bytes:  # noqa: ARG002
        return self.bodies[bucket, key]

    def read_range(self, bucket: str, key: str, start: int, length: int) -> bytes:
        return self.get(bucket, key)[start : start + length]

    def size(self, bucket: str, key: str) -> int:
        return len(self.get(bucket, key))

    @contextmanager
    def upload(self, bucket: str, key: str, content_type: str = "") -> Iterator[Sink]:
        sink = Sink()
        yield sink
        self.put(bucket, key, bytes(sink.body), content_type)


class Sink:
    """An object that is being written."""

    def __init__(self) -> None:
        self.body = bytearray()

    def write(self, data: Buffer, /) -> int:
        self.body += data
        return memoryview(data).nbytes
