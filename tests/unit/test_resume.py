"""Taking a run up again: who may, from where each table goes on, and what is asked of Step Functions."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lakeshift.bootstrap import Console
from lakeshift.cli.orders import cancel, pause, resume
from lakeshift.errors import LedgerConflict, SplitMismatch, WrongState
from lakeshift.load.rollback import RolledBack
from lakeshift.model import Failure, Order, Place, RunRecord, RunState, Span, TableRecord, TableState
from lakeshift.ports import Ports
from lakeshift.resume import step
from lakeshift.resume.table import restored
from tests.doubles import Buckets
from tests.unit.test_ledger_moves import with_objects

NOW = datetime(2026, 1, 2, tzinfo=UTC)
RUN = RunRecord(
    run="shop-1", state=RunState.FAILED, config_bucket="b", config_key="configs/shop.json", config_version="v",
    execution="first", started=NOW, snapshot=NOW, ended=NOW, failure=Failure(code="X", message=""),
)  # fmt: skip
CONFIG = {"sources": [{"type": "bigquery", "project": "p", "datasets": [{"name": "d"}]}]}
PLACE = Place(key="k", start=0, length=1)
BEGUN = {"extract": Span(started=NOW)}
EXTRACTED = {"extract": Span(started=NOW, ended=NOW), "load": Span(started=NOW)}


def table(state: TableState, **changes: Any) -> TableRecord:
    return TableRecord(run="shop-1", table="p.d.t", target="d.t", state=state).model_copy(update=changes)


@pytest.mark.parametrize(
    ("before", "scheduled", "changes"),
    [
        (table(TableState.FAILED), False, {"state": TableState.PLANNED}),
        (table(TableState.FAILED, spans=BEGUN), False, {"state": TableState.EXTRACTING}),
        (table(TableState.FAILED, spans=EXTRACTED), False, {"state": TableState.EXTRACTED, "load_attempt": 1}),
        (
            table(TableState.FAILED, spans=EXTRACTED, load_attempt=2),
            True,
            {"state": TableState.EXTRACTED, "load_attempt": 3, "pending": True},
        ),
        (table(TableState.LOADING, spans=EXTRACTED), False, {"load_attempt": 1}),
    ],
)
def test_a_stopped_table_goes_back_to_what_was_complete(
    before: TableRecord, scheduled: bool, changes: dict[str, Any]
) -> None:
    failed = before.model_copy(update={"failure": Failure(code="X", message="")})
    expected = (before if changes.get("state") else failed).model_copy(update=changes)
    assert restored(failed, scheduled=scheduled) == expected


@pytest.mark.parametrize(
    "stays",
    [
        *(table(state) for state in TableState if state not in (TableState.FAILED, TableState.LOADING)),
        table(TableState.LOADING, pending=True),
        table(TableState.EXTRACTED, pending=True),
    ],
)
def test_every_other_table_stays_as_it_is(stays: TableRecord) -> None:
    assert restored(stays, scheduled=stays.pending) is None


def prepared(monkeypatch: pytest.MonkeyPatch, run: RunRecord = RUN, snapshot: datetime = NOW) -> Ports:
    """Ports with a run, its config, and plans of one snapshot."""

    class Plan:
        def __init__(self) -> None:
            self.snapshot = snapshot

    monkeypatch.setattr(step, "plan_of", lambda _ports, _record: Plan())
    objects = Buckets()
    objects.put("s", "runs/shop-1/config.json", json.dumps(CONFIG).encode())
    given = with_objects(objects)
    given.ledger.claim(run)
    return given


def test_a_run_is_taken_over_once(monkeypatch: pytest.MonkeyPatch) -> None:
    given = prepared(monkeypatch)
    given.ledger.add_tables([table(TableState.FAILED, failure=Failure(code="X", message=""), plan=PLACE)])
    for _ in range(2):
        taken = step.resume(given, "shop-1", after="first", execution="second")
    expected = {"execution": "second", "state": RunState.INVENTORIED, "resumed": 1, "ended": None, "failure": None}
    assert taken == RUN.model_copy(update=expected) == given.ledger.run("shop-1")
    assert given.ledger.table("shop-1", "p.d.t") == table(TableState.PLANNED, plan=PLACE, version=1)
    with pytest.raises(WrongState, match="second has taken"):
        step.resume(given, "shop-1", after="first", execution="third")


def test_a_run_without_a_planned_table_takes_its_inventory_again(monkeypatch: pytest.MonkeyPatch) -> None:
    given = prepared(monkeypatch)
    assert step.resume(given, "shop-1", "first", "second").state is RunState.ACCEPTED


def test_a_run_of_another_snapshot_is_refused_and_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    given = prepared(monkeypatch, snapshot=NOW + timedelta(seconds=1))
    given.ledger.add_tables([table(TableState.EXTRACTING, plan=PLACE)])
    with pytest.raises(SplitMismatch, match=r"p\.d\.t"):
        step.resume(given, "shop-1", "first", "second")
    assert given.ledger.run("shop-1") == RUN


@pytest.mark.parametrize(
    "changes",
    [
        {"state": RunState.CANCELLED},
        {"state": RunState.MIGRATING, "order": Order.CANCEL},
        {"state": RunState.REFUSED},
        {"snapshot": None},
    ],
)
def test_some_runs_can_never_go_on(monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]) -> None:
    run = RUN.model_copy(update=changes)
    given = prepared(monkeypatch, run)
    with pytest.raises(WrongState, match="Next: "):
        step.resume(given, "shop-1", "first", "second")
    with pytest.raises(WrongState, match="Next: "):
        resume(console(given), run)
    assert given.ledger.run("shop-1") == run


def console(
    given: Ports, status: str = "FAILED", start: Callable[[str, str], str | None] = lambda _name, _body: None
) -> Console:
    return Console(
        ports=given,
        execution_status=lambda _: status,
        start_migrate=start,
        start_load=start,
        rollback=lambda run, _: RolledBack(run=run, tables=()),
    )


@pytest.mark.parametrize("state", [RunState.PAUSED, RunState.FAILED, RunState.PROBLEMS, RunState.MIGRATING])
def test_resuming_starts_the_first_execution_whose_name_is_free(
    monkeypatch: pytest.MonkeyPatch, state: RunState
) -> None:
    given = prepared(monkeypatch, RUN.model_copy(update={"state": state, "order": Order.PAUSE, "resumed": 2}))
    asked: list[tuple[str, str]] = []

    def start(name: str, body: str) -> str | None:
        asked.append((name, body))
        return None if name == "shop-1-r3" else f"arn:{name}"

    assert resume(console(given, "ABORTED", start), given.ledger.run("shop-1")) == "arn:shop-1-r4"
    assert [name for name, _ in asked] == ["shop-1-r3", "shop-1-r4"]
    assert {body for _, body in asked} == {json.dumps({"resume": {"run": "shop-1", "after": "first"}})}
    assert given.ledger.run("shop-1").order is Order.GO


def test_a_run_at_work_is_not_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    given = prepared(monkeypatch, RUN.model_copy(update={"state": RunState.MIGRATING}))
    assert resume(console(given, "RUNNING"), given.ledger.run("shop-1")) == "first"
    given.ledger.give("shop-1", Order.PAUSE)
    with pytest.raises(WrongState, match="still pausing"):
        resume(console(given, "RUNNING"), given.ledger.run("shop-1"))
    assert given.ledger.run("shop-1").order is Order.PAUSE


@pytest.mark.parametrize("state", [RunState.SUCCEEDED, RunState.AWAITING_LOAD])
def test_a_run_that_has_ended_well_has_nothing_to_resume(monkeypatch: pytest.MonkeyPatch, state: RunState) -> None:
    given = prepared(monkeypatch, RUN.model_copy(update={"state": state}))
    assert resume(console(given), given.ledger.run("shop-1")) is None


def test_a_run_at_work_is_asked_to_pause_or_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    given = prepared(monkeypatch, RUN.model_copy(update={"state": RunState.MIGRATING}))
    at_work = console(given, "RUNNING")
    assert pause(at_work, given.ledger.run("shop-1")).order is Order.PAUSE
    asked = cancel(at_work, given.ledger.run("shop-1"))
    assert (asked.order, asked.state) == (Order.CANCEL, RunState.MIGRATING)
    with pytest.raises(WrongState, match="being cancelled"):
        pause(at_work, given.ledger.run("shop-1"))


@pytest.mark.parametrize(
    ("state", "status"),
    [(RunState.PAUSED, "SUCCEEDED"), (RunState.SUCCEEDED, "SUCCEEDED"), (RunState.MIGRATING, "ABORTED")],
)
def test_what_is_not_at_work_cannot_be_paused(monkeypatch: pytest.MonkeyPatch, state: RunState, status: str) -> None:
    given = prepared(monkeypatch, RUN.model_copy(update={"state": state}))
    with pytest.raises(WrongState, match="Next: "):
        pause(console(given, status), given.ledger.run("shop-1"))
    assert given.ledger.run("shop-1").order is Order.GO


@pytest.mark.parametrize("state", [RunState.PAUSED, RunState.AWAITING_LOAD, RunState.MIGRATING])
def test_a_run_that_nothing_works_on_is_closed_at_once(monkeypatch: pytest.MonkeyPatch, state: RunState) -> None:
    given = prepared(monkeypatch, RUN.model_copy(update={"state": state}))
    given.ledger.add_tables([table(TableState.EXTRACTED, pending=state is RunState.AWAITING_LOAD)])
    assert cancel(console(given, "ABORTED"), given.ledger.run("shop-1")).state is RunState.CANCELLED
    assert given.ledger.table("shop-1", "p.d.t").state is TableState.CANCELLED
    assert given.ledger.pending() == []
    with pytest.raises(WrongState, match="cancelled"):
        cancel(console(given), given.ledger.run("shop-1"))


def test_tables_that_wait_beside_one_that_failed_are_paused_and_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    given = prepared(monkeypatch, RUN.model_copy(update={"state": RunState.PROBLEMS, "failure": None}))
    given.ledger.add_tables([table(TableState.FAILED), table(TableState.EXTRACTED, table="p.d.late", pending=True)])
    ended = console(given, "SUCCEEDED")
    assert pause(ended, given.ledger.run("shop-1")).order is Order.PAUSE
    assert cancel(ended, given.ledger.run("shop-1")).state is RunState.CANCELLED
    states = {found.table: found.state for found in given.ledger.tables("shop-1")}
    assert states == {"p.d.t": TableState.FAILED, "p.d.late": TableState.CANCELLED}
    assert given.ledger.pending() == []


def test_a_table_that_moves_while_its_run_is_cancelled_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    given = prepared(monkeypatch, RUN.model_copy(update={"state": RunState.AWAITING_LOAD}))
    given.ledger.add_tables([table(TableState.EXTRACTED, pending=True)])
    save, lost = given.ledger.save_table, [2]

    def moved(record: TableRecord) -> TableRecord:
        if lost[0]:
            lost[0] -= 1
            raise LedgerConflict("moved")
        return save(record)

    monkeypatch.setattr(given.ledger, "save_table", moved)
    assert cancel(console(given), given.ledger.run("shop-1")).state is RunState.CANCELLED
    assert lost == [0]
