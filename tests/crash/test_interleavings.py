"""Two workers, duplicates, retries, kills, lost answers, forgotten tokens: no order publishes twice or wrongly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from lakeshift.lake import keys
from lakeshift.lake.memory import MemoryObjects
from lakeshift.lake.parquet import FileWriter
from lakeshift.lake.rows import converter, schema
from lakeshift.ledger.memory import MemoryLedger
from lakeshift.load import history, sql
from lakeshift.load.rollback import rollback
from lakeshift.model import (
    ExtractManifest,
    Increment,
    Kind,
    LakeFile,
    Place,
    Range,
    Rows,
    RunRecord,
    RunState,
    TablePlan,
    TableRecord,
    TableState,
)
from lakeshift.ports import Defaults, Places, Ports
from tests.crash.fake import FakeWarehouse
from tests.crash.interleaved import AFTER, BEFORE, LOST, Worker, alive
from tests.unit.plans import SNAPSHOT, entry, migration, planned

pytestmark = pytest.mark.timeout(900)
EXAMPLES = 1000
FIELDS = [{"name": "id", "type": "INT64"}, {"name": "note", "type": "STRING"}]
OLD_RUN, CUT = "shop-aaaaaaaaaaaa", "0123456789"
OLD = [(number, "old") for number in range(1, 7)]
NEW = [(number, "new") for number in range(4, 9)]
CONFIG = migration()


def _plan(ranges: tuple[Range, ...] | None) -> TablePlan:
    made = planned(entry(FIELDS, "orders"), CONFIG)
    made = made.model_copy(update={"target": made.target.model_copy(update={"schema_": "shop"})})
    if ranges is None:
        return made
    return made.model_copy(update={"increment": Increment(previous=OLD_RUN, since=SNAPSHOT, ranges=ranges)})


FROM_4 = (Range(column="id", kind=Kind.INT64, lower="4"),)
PLANS = {"first": _plan(None), "swap": _plan(None), "increment": _plan(FROM_4)}
STANDS = {"first": NEW, "swap": NEW, "increment": [*OLD[:3], *NEW]}


class _Body(bytearray):
    def write(self, data: Any) -> int:
        self.extend(data)
        return len(data)


def _lake_file() -> bytes:
    """The Parquet that the gate counts rows of."""
    import pyarrow as pa

    plan, body = PLANS["swap"], _Body()
    given = pa.RecordBatch.from_pylist([{"id": number, "note": note} for number, note in NEW])
    with FileWriter(body, schema(plan.columns)) as writer:
        writer.write(converter(plan.columns)(given))
    return bytes(body)


FILE = _lake_file()


def waiting(kind: str) -> tuple[Ports, FakeWarehouse, TablePlan]:
    """Ports in memory with one extracted table."""
    plan, objects, ledger = PLANS[kind], MemoryObjects(), MemoryLedger()
    body = plan.model_dump_json(exclude_defaults=True).encode()
    objects.put("staging", "plan", body)
    objects.put("staging", keys.run_file(plan.run, "config.json"), CONFIG.model_dump_json(by_alias=True).encode())
    objects.put("lake", "file", FILE)
    many = len(NEW)
    file = LakeFile(key="file", offset=0, read=many, rows=many, bytes=len(FILE), sha256="")
    extracted = ExtractManifest(
        run=plan.run, table=plan.source.id, split=plan.split, read=many, rows=many, bytes=len(FILE), files=(file,)
    )
    objects.put("lake", keys.extract_record(plan.lake_prefix, CUT), extracted.model_dump_json().encode())
    ledger.claim(
        RunRecord(
            run=plan.run,
            state=RunState.MIGRATING,
            config_bucket="config",
            config_key="configs/c.json",
            config_version="1",
            execution="e",
            started=SNAPSHOT,
            snapshot=SNAPSHOT,
        )
    )
    record = TableRecord(
        run=plan.run,
        table=plan.source.id,
        target=plan.target.id,
        state=TableState.EXTRACTED,
        plan=Place(key="plan", start=0, length=len(body)),
        split=plan.split,
        cut=CUT,
        rows=Rows(source=many, lake=many),
    )
    ledger.add_tables([record])
    warehouse = FakeWarehouse({f"s3://lake/{keys.copy_manifest(plan.lake_prefix, CUT)}": list(NEW)})
    _stands(warehouse, plan, kind)
    ports = Ports(
        places=Places("config", "lake", "staging"),
        defaults=Defaults(2, True, "role", "dev", "", "workgroup", "secret"),
        ledger=ledger,
        objects=objects,
        source=lambda _: None,  # type: ignore[arg-type, return-value]
        warehouse=lambda _: warehouse,
        clock=lambda: SNAPSHOT,
    )
    return ports, warehouse, plan


def _stands(warehouse: FakeWarehouse, plan: TablePlan, kind: str) -> None:
    statements = sql.history_table()
    if kind != "first":
        values = ", ".join(f"({number}, '{note}')" for number, note in OLD)
        old = history.Entry(OLD_RUN, sql.label(plan), sql.instant(SNAPSHOT.replace(year=2025)), "s3://old")
        row = history.insert(f"VALUES ({old.row(plan.target.id, '6', '')})")
        statements += [sql.create_table(plan, "orders"), f'INSERT INTO "shop"."orders" VALUES {values}', row]
    warehouse.submit(statements, "setup")
    warehouse.work()
    state = warehouse.poll("batch-1", 0)
    assert not state.error, state.error


class Deliveries(RuleBasedStateMachine):
    """One table on its way, and everything that may happen to it."""

    tried: ClassVar[Counter[str]] = Counter()

    @initialize(kind=st.sampled_from(sorted(PLANS)))
    def begins(self, kind: str) -> None:
        self.ports, self.warehouse, self.plan = waiting(kind)
        self.kind, self.workers = kind, [Worker(self.ports, *self.key)]
        Deliveries.tried["interleavings"] += 1

    @property
    def key(self) -> tuple[str, str]:
        return self.plan.run, self.plan.source.id

    @precondition(lambda self: len(alive(self.workers)) < 2)
    @rule()
    def delivered_again(self) -> None:
        self.workers.append(Worker(self.ports, *self.key))

    @precondition(lambda self: bool(alive(self.workers)))
    @rule(data=st.data(), calls=st.integers(1, 12))
    def goes_on(self, data: st.DataObject, calls: int) -> None:
        worker = data.draw(st.sampled_from(range(len(alive(self.workers)))))
        chosen = alive(self.workers)[worker]
        for _ in range(calls):
            if not chosen.ended:
                chosen.advance()
                Deliveries.tried["calls"] += 1

    @precondition(lambda self: bool(alive(self.workers)))
    @rule(data=st.data(), fate=st.sampled_from([BEFORE, AFTER, LOST]))
    def is_hit(self, data: st.DataObject, fate: str) -> None:
        worker = data.draw(st.sampled_from(range(len(alive(self.workers)))))
        alive(self.workers)[worker].advance(fate)
        Deliveries.tried[f"calls {fate}"] += 1

    @precondition(lambda self: bool(self.warehouse.waiting))
    @rule()
    def the_warehouse_works(self) -> None:
        self.warehouse.work()

    @precondition(lambda self: bool(self.warehouse.waiting))
    @rule()
    def two_transactions_meet(self) -> None:
        self.warehouse.work("1023 Serializable isolation violation on table")

    @rule()
    def tokens_are_forgotten(self) -> None:
        self.warehouse.hours += 9

    @invariant()
    def nothing_in_between_is_seen(self) -> None:
        """The target is the old version or the new one, and the history says which."""
        if not hasattr(self, "plan"):
            return
        said = self._said()
        assert said <= 1
        there = self.warehouse.query(sql.kind("shop", "orders"))
        found = self.warehouse.query('SELECT id, note FROM "shop"."orders"') if there else []
        expected = STANDS[self.kind] if said else ([] if self.kind == "first" else OLD)
        assert Counter(found) == Counter(expected)

    def _said(self) -> int:
        return len(self.warehouse.query(sql.published(self.plan)))

    def teardown(self) -> None:
        if not hasattr(self, "plan"):
            return
        try:
            self._ends()
        finally:
            for worker in self.workers:
                worker.kill()
            self.warehouse.close()

    def _ends(self) -> None:
        """Everybody comes to an end, one more delivery does the rest, and a rollback brings back what was."""
        for worker in self.workers:
            worker.to_the_end(self._work)
            assert worker.error in ("", "killed"), worker.error
        last = Worker(self.ports, *self.key)
        self.workers.append(last)
        last.to_the_end(self._work)
        assert last.error == ""
        assert self.ports.ledger.table(*self.key).state is TableState.PUBLISHED
        assert self._said() == 1
        self.nothing_in_between_is_seen()
        self._taken_back()

    def _work(self) -> None:
        while self.warehouse.waiting:
            self.warehouse.work()

    def _taken_back(self) -> None:
        run = self.ports.ledger.run(self.plan.run)
        self.ports.ledger.save_run(run.model_copy(update={"state": RunState.SUCCEEDED}), run.state)
        busy = replace(self.ports, warehouse=lambda _: _AtOnce(self.warehouse))
        assert rollback(busy, self.plan.run).tables[0].outcome == "rolled back"
        there = self.warehouse.query(sql.kind("shop", "orders"))
        found = self.warehouse.query('SELECT id, note FROM "shop"."orders"') if there else []
        assert Counter(found) == Counter([] if self.kind == "first" else OLD)
        assert bool(there) == (self.kind != "first")


class _AtOnce:
    """The warehouse, with every batch run as it comes."""

    def __init__(self, real: FakeWarehouse) -> None:
        self.query, self.poll, self._real = real.query, real.poll, real

    def submit(self, statements: Any, token: str) -> str:
        name = self._real.submit(statements, token)
        while self._real.waiting:
            self._real.work()
        return name


@pytest.mark.exhaustive
@pytest.mark.xdist_group("interleavings")
def test_no_interleaving_publishes_twice_or_wrongly(record_property: Callable[[str, object], None]) -> None:
    Deliveries.tried.clear()
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        Deliveries,
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=30, deadline=None, database=None, suppress_health_check=checks
        ),
    )
    assert Deliveries.tried["interleavings"] >= EXAMPLES
    for name, many in Deliveries.tried.items():
        record_property(f"interleaved: {name}" if name != "interleavings" else name, many)
