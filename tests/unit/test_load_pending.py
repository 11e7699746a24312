"""What the scheduled load takes up, and in which order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lakeshift.errors import StoreRefused
from lakeshift.ledger.memory import MemoryLedger
from lakeshift.load.pending import LEASE, Wanted, pending
from lakeshift.model import Order, RunRecord, RunState, TableRecord, TableState
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
        is_running=lambda _: True,
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


def test_a_schedule_that_is_too_quick_waits_for_the_execution_before(ports: Ports) -> None:
    add(ports, "run", 1, {"a": {}, "b": {}})
    assert listed(ports, execution="first") == [["run/a"], ["run/b"]]
    # A function that is tried again has its turn still.
    assert listed(ports, execution="first") == [["run/a"], ["run/b"]]
    add(ports, "later", 0, {"c": {}})
    for table in ("a", "b"):
        record = ports.ledger.table("run", table)
        ports.ledger.save_table(record.model_copy(update={"state": TableState.PUBLISHED, "pending": False}))
    # It still has views and reports to make.
    assert listed(ports, execution="second") == []
    assert listed(replace(ports, is_running=lambda name: name != "first"), execution="second") == [["later/c"]]
    assert listed(ports, execution="first") == []


def test_of_two_at_once_one_has_the_turn(ports: Ports) -> None:
    add(ports, "run", 1, {"a": {}})

    class Slow(MemoryLedger):
        """Another execution is quicker, between our look and our word."""

        def take(self, name: str, holder: str, before: str | None) -> bool:
            ports.ledger.take(name, "quick", before)
            return super().take(name, holder, before)

    slow = Slow()
    slow.__dict__ = ports.ledger.__dict__
    assert listed(replace(ports, ledger=slow), execution="slow") == []
    assert ports.ledger.lease(LEASE) == "quick"


def test_what_an_execution_has_left_is_for_the_next_one(ports: Ports) -> None:
    """It was stopped, could not read its list, or could not note a failure: its tables still wait."""
    add(ports, "run", 1, {"a": {}})
    assert listed(ports, execution="stopped") == [["run/a"]]
    over = replace(ports, is_running=lambda name: name != "stopped")
    assert listed(over, execution="next") == [["run/a"]]


def test_an_execution_of_which_nothing_can_be_known_keeps_no_turn(ports: Ports) -> None:
    add(ports, "run", 1, {"a": {}})
    assert listed(ports, execution="of a machine that is gone") == [["run/a"]]

    def refused(execution: str) -> bool:
        raise StoreRefused("no such execution", where=execution)

    assert listed(replace(ports, is_running=refused), execution="next") == [["run/a"]]


class Littered(ObedientWarehouse):
    """One with three tables to drop, a second each."""

    def __init__(self) -> None:
        self.dropped: list[str] = []

    def submit(self, statements: Sequence[str], token: str) -> str:
        self.dropped += statements
        return super().submit(statements, token)

    def query(self, sql: str, *_: str) -> list[tuple[object, ...]]:
        if "table_type = 'BASE TABLE'" in sql:
            return [("s", f"t{number}__ls_0123456789ab_old") for number in range(3)]
        return [("run-0123456789ab",)] if "MAX(keep_until)" in sql else [("BASE TABLE",)] if "svv_" in sql else []


def test_who_is_stopped_while_it_sweeps_has_no_turn_yet_and_the_next_one_goes_on(ports: Ports) -> None:
    add(ports, "run", 1, {"a": {}})
    littered = Littered()
    swept = replace(ports, warehouse=lambda _: littered, defaults=replace(ports.defaults, database="dev"))

    def killed(_: str) -> bool:
        raise AssertionError("nobody has the turn")

    with pytest.raises(TimeoutError):
        pending(replace(swept, is_running=killed), "first", None, Watch(littered, TimeoutError()))
    assert ports.ledger.lease(LEASE) is None
    found = pending(replace(swept, is_running=killed), "second", None, Watch(littered))
    assert found.count == 1
    assert littered.dropped == [f'DROP TABLE IF EXISTS "s"."t{number}__ls_0123456789ab_old"' for number in (0, 1, 0, 1)]
    assert ports.ledger.lease(LEASE) == "second"


class Watch:
    """Time is up after two drops; a function that does not look at it is killed."""

    def __init__(self, warehouse: Littered, killed: Exception | None = None) -> None:
        self._warehouse, self._killed = warehouse, killed
        self._most = len(warehouse.dropped) + 2

    def __call__(self) -> bool:
        if len(self._warehouse.dropped) < self._most:
            return False
        if self._killed:
            raise self._killed
        return True


def test_tables_that_a_person_names_do_not_wait(ports: Ports) -> None:
    add(ports, "run", 1, {"a": {}, "b": {}})
    assert listed(ports, execution="schedule") == [["run/a"], ["run/b"]]
    assert listed(ports, Wanted(run="run", tables=("b",)), execution="person") == [["run/b"]]
    assert ports.ledger.lease(LEASE) == "schedule"


def test_nobody_has_the_turn_with_nothing_to_do(ports: Ports) -> None:
    assert listed(ports, execution="idle") == []
    assert ports.ledger.lease(LEASE) is None
