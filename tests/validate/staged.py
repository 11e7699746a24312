"""A table that waits at the gate: extracted and loaded by the product's own steps, all places in this process.

What stands in lake, ledger and warehouse then is kept, so that each fault is planted in a sound table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from lakeshift.errors import StatementFailed, ValidationFailed
from lakeshift.extract.step import extract, extract_of
from lakeshift.lake import keys
from lakeshift.lake.memory import MemoryObjects
from lakeshift.lake.parquet import write
from lakeshift.ledger.memory import MemoryLedger
from lakeshift.load import sql
from lakeshift.load.step import load
from lakeshift.model import (
    Column,
    Depth,
    ExtractManifest,
    Gate,
    Masking,
    Place,
    RunRecord,
    TablePlan,
    TableRecord,
    TableState,
    Verdict,
)
from lakeshift.ports import Defaults, Limits, Places, Ports, Statement
from lakeshift.validate.step import read_share, validate
from localcloud.redshift import compiled
from localcloud.redshift.engine import Warehouse
from localcloud.redshift.errors import RedshiftError
from localcloud.redshift.objects import MemoryRoles
from localcloud.redshift.session import Session
from tests.doubles import NOW, migrating
from tests.unit.plans import entry, migration, planned
from tests.validate.wire import Given

ROLE = "arn:aws:iam::123456789012:role/copy"
KEPT = "kept"
CALLS = 100


State = dict[tuple[str, str], list[tuple[bytes, str]]]


class Objects(MemoryObjects):
    """Buckets that can be put back to an earlier state."""

    def state(self, run: str) -> State:
        """Everything of a run."""
        return {place: [*versions] for place, versions in self._versions.items() if run in place[1]}

    def put_back(self, run: str, state: State) -> None:
        """Make everything of a run as it was."""
        for place in self.state(run):
            del self._versions[place]
        self._versions |= {place: [*versions] for place, versions in state.items()}


@dataclass(frozen=True)
class CopyFrom:
    """Buckets as COPY sees them."""

    objects: Objects

    def size(self, bucket: str, key: str) -> int | None:
        """Bytes of an object; None when it is not there."""
        return self.objects.size(bucket, key) if key in self.objects.keys(bucket) else None

    def get(self, bucket: str, key: str) -> bytes:
        """An object's content."""
        return self.objects.get(bucket, key)

    def list(self, bucket: str, prefix: str) -> Iterable[str]:
        """Keys with that prefix."""
        return [key for key in self.objects.keys(bucket) if key.startswith(prefix)]

    def region(self, bucket: str) -> str | None:  # noqa: ARG002
        """One region for all."""
        return "us-east-1"


class Redshift:
    """The Warehouse port over a session of the local Redshift; each batch is done when it is submitted."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.asked: list[str] = []
        self._done: dict[str, Statement] = {}

    def submit(self, statements: Sequence[str], token: str) -> str:
        """Run statements in one transaction, once for each token."""
        if token not in self._done:
            self._done[token] = self._ran(statements)
        return token

    def _ran(self, statements: Sequence[str]) -> Statement:
        self.session.begin()
        try:
            rows = tuple(self.session.execute(text).rows_affected for text in statements)
            self.session.commit()
        except RedshiftError as error:
            self.session.rollback()
            return Statement(finished=True, error=str(error))
        return Statement(finished=True, rows=rows)

    def poll(self, statement: str, seconds: float) -> Statement:  # noqa: ARG002
        """What became of a batch."""
        return self._done[statement]

    def query(self, text: str, *_: str) -> list[tuple[object, ...]]:
        """Rows of one SELECT."""
        self.asked.append(text)
        try:
            return self.session.execute(text).rows
        except RedshiftError as error:
            raise StatementFailed(str(error), where=text[:200]) from error

    def run(self, *statements: str) -> None:
        """Statements that must succeed."""
        for text in statements:
            self.session.execute(text)


@dataclass(frozen=True)
class Town:
    """All places at once: lake, staging bucket, warehouse."""

    objects: Objects
    redshift: Redshift

    def ports(self, ledger: MemoryLedger, source: Given | None = None) -> Ports:
        """Adapters; without a source nothing may be asked of it."""

        def given(_: object) -> Given:
            assert source, "the source was asked"
            return source

        return Ports(
            places=Places("config", "lake", "staging"),
            defaults=Defaults(30, True, ROLE, "dev", "", "lakeshift", "key"),
            ledger=ledger,
            objects=self.objects,
            source=given,
            warehouse=lambda _: self.redshift,
            clock=lambda: NOW,
            limits=Limits(readers=1, streams=1),
        )

    def waiting(self, plan: TablePlan, found: pa.RecordBatch) -> Staged:
        """The rows of a source table, extracted and loaded: they wait at the gate."""
        ledger = MemoryLedger()
        ports = self.ports(ledger, Given(found))
        _begin(ports, plan)
        while extract(ports, plan.run, plan.source.id, lambda: False).next != "done":
            pass
        assert load(ports, plan.run, plan.source.id)
        return Staged(self, plan, ledger.table(plan.run, plan.source.id), ledger.run(plan.run), ledger)


# Questions about many columns are long, and here the same ones are asked again and again.
LONG_QUESTIONS = mock.patch.object(compiled, "MOST_LETTERS", 1_000_000)


@contextmanager
def town(folder: Path) -> Iterator[Town]:
    """Empty places, with the schema that plans load into."""
    objects = Objects()
    warehouse = Warehouse(folder, CopyFrom(objects), MemoryRoles({ROLE}))
    session = warehouse.session("dev")
    redshift = Redshift(session)
    redshift.run("CREATE SCHEMA shop", f"CREATE SCHEMA {KEPT}", *sql.history_table())
    try:
        with LONG_QUESTIONS:
            yield Town(objects, redshift)
    finally:
        session.close()
        warehouse.close()


def plan_of(columns: Sequence[Column], nested: dict[str, Any] | None = None, name: str = "orders") -> TablePlan:
    """The product's plan of a table with these columns, in a run of its own; small row groups and files."""
    rule = {"match": "*", **({"nested": nested} if nested else {})}
    made = planned(entry([], name, rule=0, columns=tuple(columns), primary_key=("id",)), migration([rule]))
    run = f"shop-{uuid4().hex[:12]}"
    small = {"rows_per_group": 16, "lake_prefix": f"raw/{run}/{name}/", "run": run}
    return made.model_copy(update=small)


def _begin(ports: Ports, plan: TablePlan) -> None:
    config = migration(target={"type": "redshift", "workgroup": "lakeshift", "database": "dev"})
    body = config.model_dump_json(by_alias=True).encode()
    ports.objects.put("staging", keys.run_file(plan.run, "config.json"), body)
    ports.ledger.claim(migrating(plan))
    record = TableRecord(run=plan.run, table=plan.source.id, target=plan.target.id, state=TableState.PLANNED)
    ports.ledger.add_tables([_planned(ports, plan, record)])


def _planned(ports: Ports, plan: TablePlan, record: TableRecord) -> TableRecord:
    """The record with this very plan."""
    body = plan.model_dump_json(exclude_defaults=True).encode()
    key = keys.run_file(plan.run, f"plans/{uuid4().hex}.jsonl")
    ports.objects.put("staging", key, body)
    return record.model_copy(update={"plan": Place(key=key, start=0, length=len(body)), "split": plan.split})


@dataclass(frozen=True)
class Found:
    """What the gate says.

    Attributes:
        error: what stops the table; None where it may be published.
        rows: the records of the rows that differ.
    """

    verdict: Verdict
    error: ValidationFailed | None
    rows: list[dict[str, Any]]


@dataclass
class Staged:
    """A table at the gate.

    Attributes:
        record, run: what the ledger says of it.
    """

    place: Town
    plan: TablePlan
    record: TableRecord
    run: RunRecord
    ledger: MemoryLedger

    def __post_init__(self) -> None:
        self._state = self.place.objects.state(self.plan.run)
        for name in self.tables:
            self.place.redshift.run(f"CREATE TABLE {KEPT}.{_plain(name)} AS SELECT * FROM {self._of(name)}")

    @property
    def tables(self) -> list[str]:
        """Names of the staging table and of those of its children."""
        return [sql.staging_name(self.plan), *(sql.child_staging_name(self.plan, one) for one in self.plan.children)]

    @property
    def table(self) -> str:
        """The staging table, quoted, with its schema."""
        return self._of(self.tables[0])

    @property
    def child(self) -> str:
        """That of the first child."""
        return self._of(self.tables[1])

    def _of(self, name: str) -> str:
        return sql.in_schema(self.plan, name)

    def put_back(self) -> None:
        """Make lake and warehouse sound again."""
        self.place.objects.put_back(self.plan.run, self._state)
        for name in self.tables:
            kept = f"{KEPT}.{_plain(name)}"
            self.place.redshift.run(
                f"DELETE FROM {self._of(name)}", f"INSERT INTO {self._of(name)} SELECT * FROM {kept}"
            )

    def drop(self) -> None:
        """Leave nothing of it in the warehouse."""
        for name in self.tables:
            self.place.redshift.run(f"DROP TABLE {self._of(name)}", f"DROP TABLE {KEPT}.{_plain(name)}")

    def gate(self, depth: Depth, **settings: Any) -> Found:
        """What the gate says at a depth; it has never looked at the table before."""
        ledger = MemoryLedger()
        ports = replace(self.place.ports(ledger))
        gate = Gate(depth=depth, mask=Masking.NONE, **settings)
        plan = self.plan.model_copy(update={"gate": gate})
        ledger.claim(self.run)
        ledger.add_tables([_planned(ports, plan, self.record)])
        ledger.add_chunks(self.ledger.chunks(self.plan.run, self.plan.source.id))
        error = None
        try:
            _to_the_end(ports, plan)
        except ValidationFailed as failure:
            error = failure
        verdict = ledger.table(plan.run, plan.source.id).verdict
        assert verdict, error
        return Found(verdict, error, self._rows(verdict))

    def _rows(self, verdict: Verdict) -> list[dict[str, Any]]:
        if not verdict.differences:
            return []
        body = self.place.objects.get("lake", keys.differing_rows(verdict.differences))
        return [dict(one) for one in pq.read_table(pa.BufferReader(body)).to_pylist()]

    @property
    def extracted(self) -> ExtractManifest:
        """What the extract consists of."""
        return extract_of(self.place.ports(self.ledger), self.plan, self.record)

    def lake(self, number: int = 0) -> pa.Table:
        """The rows of a lake file."""
        return pq.read_table(pa.BufferReader(self.place.objects.get("lake", self.extracted.files[number].key)))

    def write_lake(self, table: pa.Table, number: int = 0, rows: int = 16) -> None:
        """Other rows in the place of a lake file's, under the same key."""
        groups = [table.slice(start, rows) for start in range(0, table.num_rows, rows)]
        self.place.objects.put("lake", self.extracted.files[number].key, write(groups, table.schema))


def _plain(name: str) -> str:
    return f'"{name}"'


def _to_the_end(ports: Ports, plan: TablePlan) -> None:
    for _ in range(CALLS):
        found = validate(ports, plan.run, plan.source.id)
        if found.next == "done":
            return
        for share in found.shares:
            assert read_share(ports, plan.run, plan.source.id, share)
    raise AssertionError("the gate does not end")
