"""Reports: green only when all is published, and every reason shown."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from lakeshift.cli.exits import Exit, exit_of
from lakeshift.cli.show import eta, headline, line, rate
from lakeshift.ledger.failure import failure_of
from lakeshift.model import Failure, Order, Rows, RunRecord, RunState, Span, TableRecord, TableState
from lakeshift.report.document import document, outcome, page

NOW = datetime(2026, 1, 2, tzinfo=UTC)
RUN = RunRecord(
    run="shop-1", state=RunState.MIGRATING, config_bucket="b", config_key="configs/shop.json", config_version="v",
    execution="e", started=NOW,
)  # fmt: skip


def table(state: TableState, **changes: object) -> TableRecord:
    record = TableRecord(run="shop-1", table=f"p.d.{state}", target="d.t", state=state)
    return record.model_copy(update=changes)


PUBLISHED, FAILED, REFUSED, CANCELLED = (
    table(TableState(state)) for state in ("published", "failed", "refused", "cancelled")
)
WAITING = table(TableState.EXTRACTED, pending=True)


@pytest.mark.parametrize(
    ("tables", "state", "code"),
    [
        ([PUBLISHED, PUBLISHED], RunState.SUCCEEDED, Exit.GOOD),
        ([PUBLISHED, FAILED], RunState.PROBLEMS, Exit.PROBLEMS),
        ([PUBLISHED, REFUSED], RunState.PROBLEMS, Exit.PROBLEMS),
        ([PUBLISHED, table(TableState.LOADING)], RunState.PROBLEMS, Exit.PROBLEMS),
        ([FAILED, REFUSED], RunState.FAILED, Exit.PROBLEMS),
        ([], RunState.FAILED, Exit.PROBLEMS),
        ([WAITING, PUBLISHED], RunState.AWAITING_LOAD, Exit.GOOD),
        ([WAITING, FAILED], RunState.PROBLEMS, Exit.PROBLEMS),
        ([PUBLISHED, CANCELLED], RunState.PROBLEMS, Exit.PROBLEMS),
    ],
)
def test_a_run_is_green_only_when_all_is_published(tables: list[TableRecord], state: RunState, code: Exit) -> None:
    assert outcome(RUN, tables) is state
    assert exit_of(state) is code


EXTRACTING = table(TableState.EXTRACTING)


@pytest.mark.parametrize(
    ("order", "tables", "state", "code"),
    [
        (Order.PAUSE, [PUBLISHED, EXTRACTING], RunState.PAUSED, Exit.PROBLEMS),
        (Order.PAUSE, [PUBLISHED, WAITING], RunState.AWAITING_LOAD, Exit.GOOD),
        (Order.PAUSE, [PUBLISHED], RunState.SUCCEEDED, Exit.GOOD),
        (Order.CANCEL, [PUBLISHED, CANCELLED], RunState.CANCELLED, Exit.PROBLEMS),
        (Order.CANCEL, [PUBLISHED, FAILED], RunState.PROBLEMS, Exit.PROBLEMS),
    ],
)
def test_an_order_shows_where_it_stopped_something(
    order: Order, tables: list[TableRecord], state: RunState, code: Exit
) -> None:
    assert outcome(RUN.model_copy(update={"order": order}), tables) is state
    assert exit_of(state) is code


def test_a_run_shows_what_it_is_being_brought_to() -> None:
    pausing = RUN.model_copy(update={"order": Order.PAUSE})
    assert headline(RUN) == "shop-1: migrating"
    assert headline(pausing) == "shop-1: migrating (pausing)"
    assert headline(pausing.model_copy(update={"order": Order.CANCEL})) == "shop-1: migrating (cancelling)"
    assert headline(pausing.model_copy(update={"state": RunState.PAUSED})) == "shop-1: paused"


def test_a_run_that_failed_as_a_whole_is_not_green() -> None:
    assert outcome(RUN.model_copy(update={"failure": Failure(code="X", message="")}), [PUBLISHED]) is RunState.FAILED


def test_the_document_counts_what_is_published() -> None:
    good = PUBLISHED.model_copy(update={"rows": Rows(source=3, lake=3, target=3), "bytes_done": 10})
    failure = Failure(code="X", message="y <b>")
    bad = FAILED.model_copy(update={"rows": Rows(lake=5), "failure": failure, "bytes_done": 1})
    report = document(RUN, [good, bad])
    assert report["totals"] == {"tables": 2, "published": 1, "rows": 3, "bytes": 11}
    assert report["tables"][0]["rows"] == {"source": 3, "lake": 3, "target": 3}
    json.dumps(report)
    html = page(report)
    assert "X: y &lt;b&gt;" in html
    assert "<b>" not in html


@pytest.mark.parametrize(
    ("error", "cause", "failure"),
    [
        ("TerminalError", '{"errorMessage": "CopyFailed: it: badly"}', ("CopyFailed", "it: badly")),
        ("Lambda.Unknown", "killed", ("Lambda.Unknown", "killed")),
        ("States.Timeout", "", ("States.Timeout", "the service gave no cause")),
        ("TerminalError", "no json: x", ("TerminalError", "no json: x")),
    ],
)
def test_a_step_functions_error_is_read(error: str, cause: str, failure: tuple[str, str]) -> None:
    assert failure_of(error, cause) == Failure(code=failure[0], message=failure[1])


def test_progress_says_rate_and_time_left() -> None:
    spans = {"extract": Span(started=NOW - timedelta(seconds=10))}
    working = table(TableState.EXTRACTING, rows_done=100, rows_expected=400, spans=spans)
    assert (rate(working, NOW), eta(working, NOW)) == (10.0, 30.0)
    assert "ETA 30 s" in line(working, NOW)
    assert eta(PUBLISHED, NOW) is None
