"""How tables and runs move: from the state before, on the version that was read, closed by their owner."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lakeshift.errors import LedgerConflict, WrongState
from lakeshift.lake.keys import run_id
from lakeshift.ledger.failure import fail
from lakeshift.ledger.memory import MemoryLedger
from lakeshift.ledger.tables import begin, end, passed
from lakeshift.model import Failure, RunRecord, RunState, TableRecord, TableState
from lakeshift.ports import Defaults, Places, Ports
from lakeshift.report.step import report, report_check

NOW = datetime(2026, 1, 2, tzinfo=UTC)
RUN = RunRecord(
    run="shop-1", state=RunState.MIGRATING, config_bucket="b", config_key="configs/shop.json", config_version="v",
    execution="mine", started=NOW,
)  # fmt: skip


def unused(*_: Any) -> Any:
    raise AssertionError("this step has no business outside the ledger")


def ports() -> Ports:
    """Ports with a ledger alone: whoever touches anything else fails."""
    places, defaults = Places("c", "l", "s"), Defaults(1, True, "", "", "", "", "")
    objects: Any = None
    return Ports(places, defaults, MemoryLedger(), objects, unused, unused, lambda: NOW)


def put(given: Ports, state: TableState, **changes: Any) -> TableRecord:
    record = TableRecord(run="shop-1", table="p.d.t", target="d.t", state=state).model_copy(update=changes)
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
        given.ledger.save_table(late.model_copy(update={"session": ""}))
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
