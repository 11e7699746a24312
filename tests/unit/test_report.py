"""Reports: green only when all is published, and every reason shown."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from lakeshift.cli.exits import Exit, exit_of
from lakeshift.cli.show import eta, failures, headline, line, rate
from lakeshift.ledger.failure import failure_of
from lakeshift.model import Failure, MisfitCount, Order, Rows, RunRecord, RunState, Span, TableRecord, TableState
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
    assert report["totals"] == {
        "tables": 2, "published": 1, "rows": 3, "quarantined": 0, "mended": 0, "bytes": 11,
    }  # fmt: skip
    assert report["tables"][0]["rows"] == {"source": 3, "lake": 3, "target": 3, "quarantined": 0, "mended": 0}
    json.dumps(report)
    html = page(report)
    assert "X: y &lt;b&gt;" in html
    assert "<b>" not in html


TOO_LONG = MisfitCount(path="note", reason="too_long", action="quarantined", count=1200, bytes=70_000, limit=65_535)
NULLED = MisfitCount(path="legs[].x", reason="not_finite", action="nulled", count=3)


@pytest.mark.parametrize(
    ("tables", "state", "code"),
    [
        ([{"misfits": (TOO_LONG,)}], RunState.QUARANTINED, Exit.PROBLEMS),
        ([{"misfits": (TOO_LONG,)}, {"state": TableState.FAILED}], RunState.PROBLEMS, Exit.PROBLEMS),
        (
            [{"misfits": (TOO_LONG,)}, {"state": TableState.EXTRACTED, "pending": True}],
            RunState.AWAITING_LOAD,
            Exit.GOOD,
        ),
        ([{"state": TableState.FAILED, "misfits": (TOO_LONG,)}], RunState.FAILED, Exit.PROBLEMS),
    ],
)
def test_rows_in_quarantine_are_never_green(tables: list[dict[str, object]], state: RunState, code: Exit) -> None:
    assert outcome(RUN, [PUBLISHED.model_copy(update=changes) for changes in tables]) is state
    assert exit_of(state) is code


def test_a_report_says_how_many_rows_did_not_fit_and_why() -> None:
    rows = Rows(source=2000, lake=800, target=800, quarantined=1200, mended=3)
    odd = PUBLISHED.model_copy(update={"rows": rows, "misfits": (TOO_LONG, NULLED)})
    run = RUN.model_copy(update={"state": RunState.QUARANTINED})
    report = document(run, [odd, PUBLISHED])
    assert report["status"] == "complete with 1,200 quarantined, 3 mended"
    assert headline(run, [odd]) == "shop-1: complete with 1,200 quarantined, 3 mended"
    assert (report["totals"]["quarantined"], report["totals"]["mended"]) == (1200, 3)
    assert report["tables"][0]["misfits"] == [TOO_LONG.model_dump(), NULLED.model_dump()]
    html = page(report)
    for cell in ("note", "too long", "quarantined", "1,200", "70,000", "65,535", "legs[].x", "not finite", "nulled"):
        assert f">{cell}</td>" in html
    assert failures(run, [odd]) == [
        "p.d.published: quarantined: note: 1,200 too long, the largest 70,000 bytes of 65,535",
        "p.d.published: nulled: legs[].x: 3 not finite",
    ]


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
