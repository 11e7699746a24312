"""Two workers, duplicates, retries, kills, lost answers, forgotten tokens: no order publishes twice or wrongly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
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
from lakeshift.ledger.failure import FINAL, can_be_cancelled, cancel
from lakeshift.ledger.memory import MemoryLedger
from lakeshift.load import history, sql
from lakeshift.load.pending import pending
from lakeshift.load.rollback import rollback
from lakeshift.model import (
    ExtractManifest,
    Increment,
    Kind,
    LakeFile,
    MergePlan,
    Order,
    Place,
    Range,
    Rows,
    RunState,
    TablePlan,
    TableRecord,
    TableState,
)
from lakeshift.ports import Defaults, Places, Ports
from tests.crash.fake import FakeWarehouse
from tests.crash.interleaved import AFTER, BEFORE, LOST, Worker, alive
from tests.doubles import migrating
from tests.unit.plans import SNAPSHOT, entry, migration, planned

pytestmark = pytest.mark.timeout(900)
EXAMPLES = 1000
FIELDS = [{"name": "id", "type": "INT64"}, {"name": "note", "type": "STRING"}]
OLD_RUN, CUT = "shop-aaaaaaaaaaaa", "0123456789"
OLD = [(number, "old") for number in range(1, 7)]
NEW = [(number, "new") for number in range(4, 9)]
# The warehouse in memory counts rows; what the gate compares beyond that is not what is interleaved.
CONFIG = migration(validation={"depth": "count"})


FROM_4 = Range(column="id", kind=Kind.INT64, lower="4")
FROM_7 = Range(column="id", kind=Kind.INT64, lower="7")
LATER = [(number, "new") for number in range(7, 10)]
GONE = (1, 2)


@dataclass(frozen=True)
class Way:
    """One way to publish a table.

    Attributes:
        plan: of the run.
        new: rows that the run has extracted.
        stands: rows of the target when it is published.
        is_first: nothing stood there before.
        keys: keys of all rows, where what is gone is found by them.
    """

    plan: TablePlan
    new: Sequence[tuple[int, str]]
    stands: Sequence[tuple[int, str]]
    is_first: bool = False
    keys: Sequence[int] = ()

    @property
    def before(self) -> Sequence[tuple[int, str]]:
        """Rows that stood there before."""
        return [] if self.is_first else OLD


def _plan(increment: Increment | None = None, **changes: Any) -> TablePlan:
    made = planned(entry(FIELDS, "orders"), CONFIG)
    target = made.target.model_copy(update={"schema_": "shop"})
    return made.model_copy(update={"target": target, "increment": increment, **changes})


def _merging() -> TablePlan:
    increment = Increment(previous=OLD_RUN, since=SNAPSHOT, ranges=(FROM_4,), mode="merge")
    made = _plan(increment, merge=MergePlan(key=("id",), deletes=True))
    keys_of_all = (part.model_copy(update={"keys": True}) for part in made.slices)
    return made.model_copy(update={"slices": (*made.slices, *keys_of_all)})


REPLACING = Increment(previous=OLD_RUN, since=SNAPSHOT, ranges=(FROM_4,))
APPENDING = Increment(previous=OLD_RUN, since=SNAPSHOT, ranges=(FROM_7,), mode="append")
MERGED = [*OLD[2:3], *NEW]
WAYS = {
    "first": Way(_plan(), NEW, NEW, is_first=True),
    "swap": Way(_plan(), NEW, NEW),
    "replace": Way(_plan(REPLACING), NEW, [*OLD[:3], *NEW]),
    "append": Way(_plan(APPENDING, append="id"), LATER, [*OLD, *LATER]),
    "merge": Way(_merging(), NEW, MERGED, keys=[key for key, _ in MERGED]),
}


class _Body(bytearray):
    def write(self, data: Any) -> int:
        self.extend(data)
        return len(data)


def _lake_file(way: Way) -> bytes:
    """The Parquet that the gate counts rows of."""
    import pyarrow as pa

    body = _Body()
    given = pa.RecordBatch.from_pylist([{"id": number, "note": note} for number, note in way.new])
    with FileWriter(body, schema(way.plan.columns)) as writer:
        writer.write(converter(way.plan.columns)(given))
    return bytes(body)


FILES = {name: _lake_file(way) for name, way in WAYS.items()}


def _extract(way: Way, size: int) -> ExtractManifest:
    many = len(way.new)
    return ExtractManifest(
        run=way.plan.run,
        table=way.plan.source.id,
        split=way.plan.split,
        read=many,
        rows=many,
        bytes=size,
        files=(LakeFile(key="file", offset=0, read=many, rows=many, bytes=size, sha256=""),),
        keys_read=len(way.keys),
    )


def waiting(name: str, *, scheduled: bool) -> tuple[Ports, FakeWarehouse]:
    """Ports in memory with one extracted table."""
    way, objects, ledger = WAYS[name], MemoryObjects(), MemoryLedger()
    plan = way.plan
    body = plan.model_dump_json(exclude_defaults=True).encode()
    objects.put("staging", "plan", body)
    objects.put("staging", keys.run_file(plan.run, "config.json"), CONFIG.model_dump_json(by_alias=True).encode())
    objects.put("lake", "file", FILES[name])
    extracted = _extract(way, len(FILES[name]))
    objects.put("lake", keys.extract_record(plan.lake_prefix, CUT), extracted.model_dump_json().encode())
    ledger.claim(migrating(plan, RunState.AWAITING_LOAD if scheduled else RunState.MIGRATING))
    record = TableRecord(
        run=plan.run,
        table=plan.source.id,
        target=plan.target.id,
        state=TableState.EXTRACTED,
        plan=Place(key="plan", start=0, length=len(body)),
        split=plan.split,
        cut=CUT,
        rows=Rows(source=len(way.new), lake=len(way.new)),
        pending=scheduled,
    )
    ledger.add_tables([record])
    listed: dict[str, list[tuple[object, ...]]] = {
        f"s3://lake/{keys.copy_manifest(plan.lake_prefix, CUT)}": [*way.new],
        f"s3://lake/{keys.copy_manifest(keys.keys_prefix(plan.lake_prefix), CUT)}": [(key,) for key in way.keys],
    }
    warehouse = FakeWarehouse(listed)
    _stands(warehouse, way)
    ports = Ports(
        places=Places("config", "lake", "staging"),
        defaults=Defaults(2, True, "role", "dev", "", "workgroup", "secret"),
        ledger=ledger,
        objects=objects,
        source=lambda _: None,  # type: ignore[arg-type, return-value]
        warehouse=lambda _: warehouse,
        clock=lambda: SNAPSHOT + timedelta(hours=warehouse.hours),
    )
    return ports, warehouse


def _stands(warehouse: FakeWarehouse, way: Way) -> None:
    plan, statements = way.plan, sql.history_table()
    if not way.is_first:
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

    @initialize(name=st.sampled_from(sorted(WAYS)), scheduled=st.booleans())
    def begins(self, name: str, scheduled: bool) -> None:
        self.way, self.scheduled = WAYS[name], scheduled
        self.ports, self.warehouse = waiting(name, scheduled=scheduled)
        self.running: set[str] = set()
        self.ports = replace(self.ports, is_running=self.running.__contains__)
        self.workers = [Worker(self.ports, *self.key)]
        self.count("interleavings", f"interleavings of {name}")

    @staticmethod
    def count(*names: str) -> None:
        Deliveries.tried.update(names)

    @property
    def key(self) -> tuple[str, str]:
        return self.way.plan.run, self.way.plan.source.id

    @property
    def state(self) -> TableState:
        return self.ports.ledger.table(*self.key).state

    @precondition(lambda self: len(alive(self.workers)) < 2)
    @rule()
    def delivered_again(self) -> None:
        self.workers.append(Worker(self.ports, *self.key))
        self.count("interleaved: deliveries of the same table")

    @precondition(lambda self: len(alive(self.workers)) < 2)
    @rule(number=st.integers(0, 2))
    def the_schedule_looks(self, number: int) -> None:
        """It takes what waits for it when it has its turn, and nothing of a run that is to pause or to end."""
        execution = f"execution-{number}"
        listed = pending(self.ports, execution).count
        waits = self.scheduled and self.state not in FINAL
        assert listed == (1 if waits and self.order is Order.GO and self.running <= {execution} else 0)
        if listed:
            self.running.add(execution)
            self.workers.append(Worker(self.ports, *self.key))
            self.count("interleaved: deliveries by the schedule")

    @precondition(lambda self: bool(self.running))
    @rule()
    def an_execution_ends(self) -> None:
        """Done or stopped; what it has left waits for the next one, and a worker of it may be slow to die."""
        self.running.clear()
        self.count("interleaved: executions of the schedule that ended")

    @precondition(lambda self: bool(alive(self.workers)))
    @rule(data=st.data(), calls=st.integers(1, 12))
    def goes_on(self, data: st.DataObject, calls: int) -> None:
        worker = data.draw(st.sampled_from(range(len(alive(self.workers)))))
        chosen = alive(self.workers)[worker]
        for _ in range(calls):
            if not chosen.ended:
                chosen.advance()
                self.count("interleaved: calls")

    @precondition(lambda self: bool(alive(self.workers)))
    @rule(data=st.data(), fate=st.sampled_from([BEFORE, AFTER, LOST]))
    def is_hit(self, data: st.DataObject, fate: str) -> None:
        worker = data.draw(st.sampled_from(range(len(alive(self.workers)))))
        alive(self.workers)[worker].advance(fate)
        self.count(f"interleaved: calls {fate}")

    @property
    def order(self) -> Order:
        return self.ports.ledger.run(self.key[0]).order

    @precondition(lambda self: self.order is not Order.CANCEL)
    @rule()
    def a_person_pauses_or_resumes(self) -> None:
        order = Order.GO if self.order is Order.PAUSE else Order.PAUSE
        self.ports.ledger.give(self.key[0], order)
        self.count(f"interleaved: orders to {order.value}")

    @precondition(lambda self: self.order is not Order.CANCEL and (self.scheduled or not alive(self.workers)))
    @rule()
    def a_person_cancels(self) -> None:
        """The run's own execution closes its tables when nobody works on them; a scheduled one may be at work."""
        self.ports.ledger.give(self.key[0], Order.CANCEL)
        record = self.ports.ledger.table(*self.key)
        if can_be_cancelled(record):
            cancel(self.ports, record)
            self.count("interleaved: tables cancelled")
        self.count("interleaved: orders to cancel")

    @precondition(lambda self: bool(self.warehouse.waiting))
    @rule()
    def the_warehouse_works(self) -> None:
        self.warehouse.work()

    @precondition(lambda self: bool(self.warehouse.waiting))
    @rule()
    def two_transactions_meet(self) -> None:
        self.warehouse.work("1023 Serializable isolation violation on table")
        self.count("interleaved: transactions that met")

    @rule()
    def tokens_are_forgotten(self) -> None:
        self.warehouse.hours += 9
        self.count("interleaved: tokens forgotten")

    @invariant()
    def nothing_in_between_is_seen(self) -> None:
        """The target is the old version or the new one, and the history says which."""
        if not hasattr(self, "way"):
            return
        said = self._said()
        assert said <= 1
        expected = self.way.stands if said else self.way.before
        assert Counter(self._found()) == Counter(expected)

    def _found(self) -> list[tuple[object, ...]]:
        there = self.warehouse.query(sql.kind("shop", "orders"))
        return self.warehouse.query('SELECT id, note FROM "shop"."orders"') if there else []

    def _said(self) -> int:
        return len(self.warehouse.query(sql.published(self.way.plan)))

    def teardown(self) -> None:
        if not hasattr(self, "way"):
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
            assert worker.error in ("", "killed") or self._is_cancelled, worker.error
        last = Worker(self.ports, *self.key)
        self.workers.append(last)
        last.to_the_end(self._work)
        self._work()
        if self._is_cancelled:
            assert "the table is cancelled" in last.error
        else:
            assert last.error == ""
            assert self.state is TableState.PUBLISHED
            assert self._said() == 1
        self.nothing_in_between_is_seen()
        self._taken_back()

    @property
    def _is_cancelled(self) -> bool:
        return self.state is TableState.CANCELLED

    def _work(self) -> None:
        while self.warehouse.waiting:
            self.warehouse.work()

    def _taken_back(self) -> None:
        run = self.ports.ledger.run(self.key[0])
        self.ports.ledger.save_run(run.model_copy(update={"state": RunState.SUCCEEDED}), run.state)
        busy = replace(self.ports, warehouse=lambda _: _AtOnce(self.warehouse))
        expected = "rolled back" if self._said() else "not published"
        assert rollback(busy, self.key[0]).tables[0].outcome == expected
        assert Counter(self._found()) == Counter(self.way.before)
        assert bool(self.warehouse.query(sql.kind("shop", "orders"))) == (not self.way.is_first)


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
        record_property(name, many)
