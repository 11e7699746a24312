"""What the scheduled load takes up, and in which order."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lakeshift.ledger.memory import MemoryLedger
from lakeshift.load.pending import LEASE, LEASE_TIME, Wanted, pending
from lakeshift.model import Lease, Order, RunRecord, RunState, TableRecord, TableState
from lakeshift.ports import Defaults, Places, Ports
from tests.doubles import NOW, Buckets, ObedientWarehouse, SmallTables


@pytest.fixture
def ports() -> Ports:
    return Ports(
        places=Places("config", "lake", "staging"),
        defaults=Defaults(30, True, "role", "dev", "", "workgroup", "secret", load_max_parallelism=4),
        ledger=MemoryLedger(),
        objects=Buckets(),
        source=lambda _: SmallTables(),
        warehouse=lambda _: ObedientWarehouse(),
        clock=lambda: NOW,
    )


def add(ports: Ports, run: str, days: int, tables: dict[str, Any], order: Order = Order.GO) -> None:
    """A run whose snapshot is `days` old."""
    source = {"type": "bigquery", "project": "p", "datasets": [{"name": "d"}]}
    ports.objects.put("staging", f"runs/{run}/config.json", json.dumps({"sources": [source]}).encode())
    snapshot = NOW - timedelta(days=days)
    state = RunState.AWAITING_LOAD
    ports.ledger.claim(
        RunRecord(
            run=run,
            state=state,
            order=order,
            config_bucket="b",
            config_key="k",
            config_version="v",
            execution="e",
            started=NOW,
            snapshot=snapshot,
        )
    )
    given = {"state": TableState.EXTRACTED, "pending": True}
    ports.ledger.add_tables(
        [TableRecord(run=run, table=name, target=f"s.{name}", **{**given, **more}) for name, more in tables.items()]
    )


def listed(ports: Ports, wanted: Wanted | None = None, execution: str = "execution") -> list[list[str]]:
    found = pending(ports, execution, wanted)
    assert found.max_concurrency == 4
    items = json.loads(ports.objects.get(found.bucket, found.key))
    assert found.count == len(items)
    queues = [[f"{one['run']}/{one['table']}" for one in item["tables"]] for item in items]
    assert set(found.runs) == {name.split("/")[0] for queue in queues for name in queue}
    return queues


def test_priority_decides_and_then_age(ports: Ports) -> None:
    add(ports, "young", 1, {"a": {}, "urgent": {"priority": 5}})
    add(ports, "old", 9, {"z": {}, "late": {"priority": -1}})
    assert listed(ports) == [["young/urgent"], ["old/z"], ["young/a"], ["old/late"]]


def test_the_older_snapshot_of_a_target_comes_first_and_both_in_one_queue(ports: Ports) -> None:
    add(ports, "a-young", 1, {"t": {"priority": 5}, "u": {}})
    add(ports, "b-old", 9, {"t": {}})
    assert listed(ports) == [["b-old/t", "a-young/t"], ["a-young/u"]]


def test_what_is_not_completely_extracted_is_never_listed(ports: Ports) -> None:
    unfinished = {state.value: {"state": state} for state in (TableState.PLANNED, TableState.EXTRACTING)}
    ended = {state.value: {"state": state} for state in (TableState.FAILED, TableState.CANCELLED, TableState.REFUSED)}
    add(ports, "run", 1, {**unfinished, **ended, "good": {}, "begun": {"state": TableState.LOADING}})
    assert listed(ports) == [["run/begun"], ["run/good"]]


@pytest.mark.parametrize("order", [Order.PAUSE, Order.CANCEL])
def test_paused_and_cancelled_runs_are_left_out(ports: Ports, order: Order) -> None:
    add(ports, "stopped", 9, {"a": {}}, order)
    add(ports, "going", 1, {"a": {}})
    assert listed(ports) == [["going/a"]]


def test_a_starter_may_name_run_and_tables(ports: Ports) -> None:
    add(ports, "one", 1, {"a": {}, "b": {}})
    add(ports, "two", 2, {"a": {}})
    assert listed(ports, Wanted(run="one")) == [["one/a"], ["one/b"]]
    assert listed(ports, Wanted(run="one", tables=("b",))) == [["one/b"]]


def ended(ports: Ports, run: str, table: str, **changes: Any) -> None:
    record = ports.ledger.table(run, table)
    ports.ledger.save_table(record.model_copy(update={"state": TableState.PUBLISHED, "pending": False, **changes}))


def test_a_schedule_that_is_too_quick_waits_for_the_execution_before(ports: Ports) -> None:
    add(ports, "run", 1, {"a": {}, "b": {}})
    assert listed(ports, execution="first") == [["run/a"], ["run/b"]]
    # A function that is tried again has its turn still.
    assert listed(ports, execution="first") == [["run/a"], ["run/b"]]
    add(ports, "later", 0, {"c": {}})
    ended(ports, "run", "a")
    assert listed(ports, execution="second") == []
    ended(ports, "run", "b", state=TableState.FAILED)
    assert listed(ports, execution="second") == [["later/c"]]
    assert listed(ports, execution="first") == []


def test_of_two_at_once_one_has_the_turn(ports: Ports) -> None:
    add(ports, "run", 1, {"a": {}})

    class Slow(MemoryLedger):
        """Another execution is quicker, between our look and our word."""

        def take(self, name: str, lease: Lease, stands: Lease | None) -> bool:
            ports.ledger.take(name, lease.model_copy(update={"holder": "quick"}), stands)
            return super().take(name, lease, stands)

    slow = Slow()
    slow.__dict__ = ports.ledger.__dict__
    assert listed(replace(ports, ledger=slow), execution="slow") == []
    assert ports.ledger.lease(LEASE) == Lease(holder="quick", until=NOW + LEASE_TIME)


def test_who_was_stopped_does_not_have_the_turn_for_ever(ports: Ports) -> None:
    add(ports, "run", 1, {"a": {}})
    assert listed(ports, execution="stopped") == [["run/a"]]
    later = replace(ports, clock=lambda: NOW + LEASE_TIME - timedelta(seconds=1))
    assert listed(later, execution="next") == []
    over = replace(ports, clock=lambda: NOW + LEASE_TIME)
    assert listed(over, execution="next") == [["run/a"]]


def test_tables_that_a_person_names_do_not_wait(ports: Ports) -> None:
    add(ports, "run", 1, {"a": {}, "b": {}})
    assert listed(ports, execution="schedule") == [["run/a"], ["run/b"]]
    assert listed(ports, Wanted(run="run", tables=("b",)), execution="person") == [["run/b"]]
    lease = ports.ledger.lease(LEASE)
    assert lease
    assert lease.holder == "schedule"


def test_nobody_has_the_turn_with_nothing_to_do(ports: Ports) -> None:
    assert listed(ports, execution="idle") == []
    assert ports.ledger.lease(LEASE) is None
