"""The permission matrix against the code: each step runs over doubles that note what it touches.

A grant that is forgotten for a rare way through a step would show late; a grant that is not used is one too many.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from lakeshift.check.step import check
from lakeshift.extract.step import extract
from lakeshift.inventory.step import inventory
from lakeshift.ledger.failure import fail
from lakeshift.ledger.memory import MemoryLedger
from lakeshift.load.pending import pending
from lakeshift.load.publish import publish
from lakeshift.load.step import load
from lakeshift.model import Failure, SourceTable, TablePlan, TableRef
from lakeshift.plan.step import plan
from lakeshift.ports import Defaults, Places, Ports, ReadSession, Statement
from lakeshift.report.step import report, report_check
from lakeshift.spec import Source as SourceSpec
from lakeshift.spec import Target as TargetSpec
from lakeshift.types.bigquery import columns
from lakeshift.validate.step import validate
from tests.infra.test_permissions import MATRIX

NOW = datetime(2026, 1, 2, tzinfo=UTC)
CONFIG = b'{"sources": [{"type": "bigquery", "project": "p", "datasets": [{"name": "shop"}]}]}'
SCHEDULED = CONFIG[:-1] + b', "load": {"mode": "scheduled"}}'
ROWS = 3

# What each call on the ledger needs.
LEDGER = {
    "claim": "runs:read runs:write",
    "run": "runs:read",
    "save_run": "runs:write",
    "add_tables": "tables:write",
    "table": "tables:read",
    "tables": "tables:read",
    "save_table": "tables:write",
    "pending": "tables:pending",
    "add_chunks": "chunks:write",
    "chunks": "chunks:read",
    "commit_file": "chunks:write",
    "finish_chunk": "chunks:write",
}


class Notes:
    """What each verb has used."""

    def __init__(self) -> None:
        self.verb = ""
        self.used: dict[str, set[str]] = defaultdict(set)

    def use(self, grants: str) -> None:
        self.used[self.verb] |= set(grants.split())


class NotingLedger:
    """A ledger in memory that notes every call."""

    def __init__(self, notes: Notes) -> None:
        self._notes, self._ledger = notes, MemoryLedger()

    def __getattr__(self, name: str) -> Any:
        self._notes.use(LEDGER[name])
        return getattr(self._ledger, name)


class NotingObjects:
    """Buckets in memory that note every call."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self.bodies: dict[tuple[str, str], bytes] = {}

    def put(self, bucket: str, key: str, body: bytes, content_type: str = "") -> str:  # noqa: ARG002
        written = "answer" if key.endswith(".status.json") else "report"
        self._notes.use(f"config:{written}" if bucket == "config" else f"{bucket}:write")
        self.bodies[bucket, key] = body
        return "v1"

    def get(self, bucket: str, key: str, version: str = "") -> bytes:  # noqa: ARG002
        self._notes.use(f"{bucket}:read")
        return self.bodies[bucket, key]

    def read_range(self, bucket: str, key: str, start: int, length: int) -> bytes:
        return self.get(bucket, key)[start : start + length]


class OneTable:
    """A source with one table of three rows."""

    def now(self) -> datetime:
        return NOW

    def datasets(self) -> Sequence[str]:
        return ["shop"]

    def tables(self, dataset: str) -> Sequence[str]:  # noqa: ARG002
        return ["orders"]

    def describe(self, ref: TableRef) -> SourceTable:
        fields = columns([{"name": "id", "type": "INT64"}])
        return SourceTable(ref=ref, type="TABLE", columns=fields, rows=ROWS, bytes=24)

    def count(self, plan: TablePlan) -> int:  # noqa: ARG002
        return ROWS

    def open_session(self, plan: TablePlan) -> ReadSession:  # noqa: ARG002
        return ReadSession("session", ("stream",))

    def read(self, stream: str, offset: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG002
        yield pa.record_batch({"id": pa.array(range(ROWS), pa.int64())}).slice(offset)


class ObedientWarehouse:
    """A warehouse where every statement does what it should."""

    def submit(self, statements: Sequence[str], token: str) -> str:  # noqa: ARG002
        self._rows = tuple(ROWS if text.startswith("COPY") else 0 for text in statements)
        return "statement"

    def poll(self, statement: str, seconds: float) -> Statement:  # noqa: ARG002
        return Statement(finished=True, rows=self._rows)

    def query(self, sql: str, parameters: Mapping[str, str] | None = None) -> list[tuple[object, ...]]:  # noqa: ARG002
        if "svv_columns" in sql:
            return [("id", "bigint", None, 64, 0)]
        return [(ROWS,)] if "COUNT(*)" in sql else []


def noting_ports(notes: Notes) -> Ports:
    def source(_spec: SourceSpec) -> OneTable:
        notes.use("secret")
        return OneTable()

    def warehouse(_spec: TargetSpec) -> ObedientWarehouse:
        notes.use("warehouse")
        return ObedientWarehouse()

    return Ports(
        places=Places("config", "lake", "staging"),
        defaults=Defaults(2, True, "role", "dev", "", "workgroup", "secret"),
        ledger=NotingLedger(notes),
        objects=NotingObjects(notes),
        source=source,
        warehouse=warehouse,
        clock=lambda: NOW,
    )


@pytest.fixture(scope="module")
def used() -> dict[str, set[str]]:
    """What every verb used over a whole run and over each way to leave it early."""
    notes = Notes()
    ports = noting_ports(notes)
    for end in ("publish", "check", "fail", "report", "pending"):
        migrate(ports, notes, SCHEDULED if end == "pending" else CONFIG, end)
    return notes.used


def migrate(ports: Ports, notes: Notes, body: bytes, end: str) -> None:
    """One run; its table's way stops after the verb `end`."""

    def do(verb: str, call: Callable[[], object]) -> None:
        notes.verb = verb
        call()

    key = f"configs/{end}.json"
    ports.objects.put("config", key, body)
    notes.verb = "check"
    run, table = check(ports, "config", key, "v1", "execution").run, "p.shop.orders"
    if end == "check":
        failure = Failure(code="Broken", message="")
        do("report", lambda: report_check(ports, ("config", key, "v1"), "execution", failure))
        return
    do("inventory", lambda: inventory(ports, run))
    do("plan", lambda: plan(ports, run))
    do("extract", lambda: extract(ports, run, table, lambda: False))
    if end == "publish":
        do("load", lambda: load(ports, run, table))
        do("validate", lambda: validate(ports, run, table))
        do("publish", lambda: publish(ports, run, table))
    if end == "fail":
        do("fail", lambda: fail(ports, run, table, Failure(code="Broken", message="")))
    if end == "pending":
        do("pending", lambda: pending(ports, "execution"))
    do("report", lambda: report(ports, run))
    do("report", lambda: report(ports, run, refresh=True))


@pytest.mark.parametrize("verb", MATRIX)
def test_a_step_uses_what_it_is_granted_and_nothing_else(used: dict[str, set[str]], verb: str) -> None:
    assert used[verb] == set(MATRIX[verb].split())
