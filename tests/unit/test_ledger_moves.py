"""How tables and runs move: from the state before, on the version that was read, closed by their owner."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from lakeshift.errors import LedgerConflict, WrongState
from lakeshift.lake.keys import run_id
from lakeshift.ledger.failure import MAX_MESSAGE, fail
from lakeshift.ledger.memory import MemoryLedger
from lakeshift.ledger.tables import begin, end, passed
from lakeshift.model import Failure, Order, RunRecord, RunState, TableRecord, TableState
from lakeshift.ports import Defaults, Places, Ports
from lakeshift.report.step import report, report_check
from tests.doubles import Buckets

NOW = datetime(2026, 1, 2, tzinfo=UTC)
RUN = RunRecord(
    run="shop-1", state=RunState.MIGRATING, config_bucket="b", config_key="configs/shop.json", config_version="v",
    execution="mine", started=NOW,
)  # fmt: skip


def unused(*_: Any) -> Any:
    raise AssertionError("this step has no business outside the ledger")


def ports() -> Ports:
    """Ports with a ledger alone: whoever touches anything else fails."""
    return with_objects(None)


def with_objects(objects: Any) -> Ports:
    places, defaults = Places("c", "l", "s"), Defaults(1, True, "", "", "", "", "")
    return Ports(places, defaults, MemoryLedger(), objects, unused, unused, lambda: NOW)


def closed(order: Order, *states: TableState, **changes: Any) -> tuple[RunRecord, Ports]:
    """A run with a table in each of some states, closed while somebody wants something of it."""
    given = with_objects(Buckets())
    given.ledger.claim(RUN)
    for state in states:
        put(given, state, table=f"p.d.{state}", **changes)
    given.ledger.give("shop-1", order)
    return report(given, "shop-1"), given


def states(given: Ports) -> dict[str, str]:
    return {table.table.removeprefix("p.d."): table.state.value for table in given.ledger.tables("shop-1")}


def put(given: Ports, state: TableState, **changes: Any) -> TableRecord:
    table = changes.pop("table", "p.d.t")
    record = TableRecord(run="shop-1", table=table, target="d.t", state=state).model_copy(update=changes)
    given.ledger.add_tables([record])
    return record


@pytest.mark.parametrize("state", [state for state in TableState if state not in ("planned", "extracting")])
def test_a_step_begins_only_from_the_state_before_it(state: TableState) -> None:
    given = ports()
    with pytest.raises(WrongState, match=state.value):
        begin(given, put(given, state), "extract", TableState.EXTRACTING)
    assert given.ledger.table("shop-1", "p.d.t").state is state


def test_a_worker_that_comes_late_changes_nothing() -> None:
    given = ports()
    late = begin(given, put(given, TableState.PLANNED), "extract", TableState.EXTRACTING)
    done = end(given, late, "extract", TableState.EXTRACTED)
    with pytest.raises(LedgerConflict):
        end(given, late, "extract", TableState.EXTRACTED)
    with pytest.raises(LedgerConflict):
        given.ledger.save_table(late.model_copy(update={"cut": "0123456789"}))
    assert given.ledger.table("shop-1", "p.d.t") == done
    assert passed(done, TableState.EXTRACTED)
    assert not passed(done, TableState.LOADED)


def test_a_failure_is_written_once_and_takes_the_table_off_the_schedule() -> None:
    given = ports()
    put(given, TableState.EXTRACTED, pending=True)
    fail(given, "shop-1", "p.d.t", Failure(code="First", message=""))
    fail(given, "shop-1", "p.d.t", Failure(code="Second", message=""))
    record = given.ledger.table("shop-1", "p.d.t")
    assert record.failure
    assert (record.failure.code, record.pending, given.ledger.pending()) == ("First", False, [])


def test_the_scheduled_load_leaves_an_open_run_alone() -> None:
    given = ports()
    given.ledger.claim(RUN)
    put(given, TableState.EXTRACTING)
    assert report(given, "shop-1", refresh=True) == RUN
    assert given.ledger.table("shop-1", "p.d.t").state is TableState.EXTRACTING


@pytest.mark.parametrize(("execution", "state"), [("another", RunState.CHECKING), ("mine", RunState.SUCCEEDED)])
def test_a_broken_check_closes_only_its_own_open_run(execution: str, state: RunState) -> None:
    given = ports()
    upload = ("b", "configs/shop.json", "v")
    stands = RUN.model_copy(update={"run": run_id(*upload), "state": state})
    given.ledger.claim(stands)
    assert report_check(given, upload, execution, Failure(code="X", message="")) == stands


WORKING = (TableState.PLANNED, TableState.EXTRACTING, TableState.EXTRACTED, TableState.LOADING, TableState.VALIDATED)


def test_a_paused_run_keeps_the_states_of_its_tables() -> None:
    record, given = closed(Order.PAUSE, *WORKING, TableState.PUBLISHED, TableState.FAILED)
    assert (record.state, record.ended) == (RunState.PAUSED, NOW)
    assert set(states(given)) == {*WORKING, "published", "failed"}
    assert all(name == state for name, state in states(given).items())
    assert [table.failure for table in given.ledger.tables("shop-1")] == [None] * 7
    assert json.loads(given.objects.get("c", "reports/shop-1/report.json"))["status"] == "paused"
    assert json.loads(given.objects.get("b", "configs/shop.status.json"))["status"] == "paused"


@pytest.mark.parametrize(
    ("tables", "state"),
    [
        ((TableState.PUBLISHED,), RunState.SUCCEEDED),
        ((TableState.PUBLISHED, TableState.FAILED), RunState.PROBLEMS),
        ((), RunState.PAUSED),
    ],
)
def test_a_pause_that_comes_too_late_changes_nothing(tables: tuple[TableState, ...], state: RunState) -> None:
    assert closed(Order.PAUSE, *tables)[0].state is state


def test_a_cancelled_run_ends_the_tables_that_have_not_ended() -> None:
    record, given = closed(Order.CANCEL, *WORKING, TableState.PUBLISHED, TableState.REFUSED)
    assert record.state is RunState.CANCELLED
    ended = dict.fromkeys((state.value for state in WORKING), "cancelled")
    assert states(given) == {**ended, "published": "published", "refused": "refused"}
    failure = given.ledger.table("shop-1", "p.d.loading").failure
    assert failure
    assert (failure.code, "while the table was loading" in failure.message) == ("Cancelled", True)


def test_cancelling_takes_tables_off_the_schedule_but_for_those_that_are_being_loaded() -> None:
    record, given = closed(Order.CANCEL, TableState.EXTRACTED, TableState.LOADING, pending=True)
    assert record.state is RunState.CANCELLED
    assert states(given) == {"extracted": "cancelled", "loading": "loading"}
    assert given.ledger.pending() == [("shop-1", "p.d.loading")]


def test_a_cancel_that_comes_too_late_changes_nothing() -> None:
    assert closed(Order.CANCEL, TableState.PUBLISHED)[0].state is RunState.SUCCEEDED
    assert closed(Order.CANCEL)[0].state is RunState.CANCELLED


def test_tables_that_were_cut_off_fail_when_nobody_wanted_it() -> None:
    record, given = closed(Order.GO, TableState.LOADING, TableState.PUBLISHED)
    assert (record.state, states(given)) == (RunState.PROBLEMS, {"loading": "failed", "published": "published"})


def test_an_order_that_comes_while_the_report_is_written_is_heeded() -> None:
    given = with_objects(Buckets())
    given.ledger.claim(RUN)
    put(given, TableState.EXTRACTING)
    given.ledger.give("shop-1", Order.PAUSE)

    class Impatient(Buckets):
        def put(self, bucket: str, key: str, body: bytes, content_type: str = "") -> str:
            given.ledger.give("shop-1", Order.CANCEL)
            return super().put(bucket, key, body, content_type)

    with pytest.raises(LedgerConflict):
        report(dataclasses.replace(given, objects=Impatient()), "shop-1")
    assert report(given, "shop-1").state is RunState.CANCELLED


def test_a_message_is_kept_as_far_as_a_record_has_room() -> None:
    given = ports()
    put(given, TableState.LOADING)
    fail(given, "shop-1", "p.d.t", Failure(code="X", message="y" * 10**6))
    failure = given.ledger.table("shop-1", "p.d.t").failure
    assert failure
    assert len(failure.message) == MAX_MESSAGE
