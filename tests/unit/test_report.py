"""Reports: green only when all is published, and every reason shown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from lakeshift.cli.exits import Exit, exit_of
from lakeshift.cli.show import eta, failures, headline, is_at_work, line, notes, rate, view
from lakeshift.lake.memory import MemoryObjects
from lakeshift.ledger.failure import failure_of
from lakeshift.model import (
    CheckResult,
    CheckStatus,
    Depth,
    Failure,
    MisfitCount,
    Order,
    Rows,
    RunRecord,
    RunState,
    Span,
    TableRecord,
    TableState,
    Verdict,
)
from lakeshift.report import charts
from lakeshift.report.document import document, outcome
from lakeshift.report.evidence import Evidence, evidence_of
from lakeshift.report.page import console, page
from lakeshift.validate import results
from lakeshift.validate.anomaly import ColumnProfile, Profile, results_of, said
from tests.unit.plans import ports as in_memory
from tests.validate import reported

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
    problems = pausing.model_copy(update={"state": RunState.PROBLEMS})
    assert headline(problems, [PUBLISHED]) == "shop-1: complete with problems"
    assert headline(problems, [WAITING]) == "shop-1: complete with problems (paused: the schedule leaves it out)"


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


JOB_STEP = "look at its log, then `lakeshift resume RUN`: chunks that are done are not read again."


@pytest.mark.parametrize(
    ("error", "cause", "failure"),
    [
        ("TerminalError", '{"errorMessage": "CopyFailed: it: badly"}', ("CopyFailed", "it: badly")),
        ("Lambda.Unknown", "killed", ("Lambda.Unknown", "killed")),
        ("States.Timeout", "", ("States.Timeout", "the service gave no cause")),
        ("TerminalError", "no json: x", ("TerminalError", "no json: x")),
        (
            "ExtractJobFailed",
            '{"Id": "jr_1", "JobRunState": "FAILED", "ErrorMessage": "out of disk", "Arguments": {"--run": "r"}}',
            ("ExtractJobFailed", f"the Glue job run jr_1 ended as FAILED: out of disk Next: {JOB_STEP}"),
        ),
        (
            "ExtractJobFailed",
            '{"Id": "jr_1", "JobRunState": "TIMEOUT", "Arguments": {"--run": "r"}}',
            ("ExtractJobFailed", f"the Glue job run jr_1 ended as TIMEOUT Next: {JOB_STEP}"),
        ),
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


def test_a_paused_run_shows_no_rate_that_sinks_while_nothing_runs() -> None:
    begun = Span(started=NOW - timedelta(seconds=10))
    left = table(TableState.EXTRACTING, rows_done=100, rows_expected=400, spans={"extract": begun})
    read = table(TableState.EXTRACTED, rows_done=100, spans={"extract": begun.model_copy(update={"ended": NOW})})
    later, paused = NOW + timedelta(hours=1), RUN.model_copy(update={"state": RunState.PAUSED})
    assert line(left, later, at_work=is_at_work(paused)) == line(left, NOW, at_work=False)
    assert "rows/s" not in line(left, NOW, at_work=False)
    assert "10 rows/s" in line(read, later, at_work=False)
    columns = {str(one.header): list(one.cells) for one in view(paused, [left, read], later).columns}
    assert (columns["rows/s"], columns["ETA s"]) == (["", "10"], ["", ""])
    columns = {str(one.header): list(one.cells) for one in view(RUN, [left], NOW).columns}
    assert (columns["rows/s"], columns["ETA s"]) == (["10"], ["30"])


class Drawings(HTMLParser):
    """What a page says of its drawings, and what it fetches from elsewhere."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.images: list[str] = []
        self.fetched: list[str] = []
        self.texts: dict[str, str] = {}
        self._open = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids += [name for name in [given.get("id")] if name]
        if tag == "svg" and given.get("role") == "img":
            self.images.append(given["aria-labelledby"] or "")
        self.fetched += [tag] if tag in ("script", "link", "img", "iframe") or "src" in given else []
        self._open = given.get("id") or "" if tag in ("title", "desc") else ""

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open] = data


def test_a_page_stands_alone_and_its_drawings_speak() -> None:
    html = page(reported.report())
    found = Drawings(html)
    assert found.fetched == []
    assert "url(" not in html
    assert "@import" not in html
    assert len(found.ids) == len(set(found.ids))
    assert len(found.images) == 4 + 4 + 3
    for names in found.images:
        assert all(found.texts[name] for name in names.split())
    said = set(found.texts.values())
    assert "acme-analytics-production.shop.tiny: rows in source 1, lake 1, target 1" in said
    assert "acme-analytics-production.shop.tiny: extract 1.1 s, load 2.2 s, validate 0.3 s, publish 0.8 s" in said
    assert "amount: 15.5 % NULL, 2 % in the run before" in said


def test_names_and_values_cannot_become_markup() -> None:
    evil = '"><svg onload=alert(1)>'
    record = table(
        TableState.FAILED, table=evil, target=evil, notes=(evil,), failure=Failure(code=evil, message=evil),
        rows=Rows(source=1, lake=1, target=2), spans={"load": Span(started=NOW, ended=NOW + timedelta(seconds=1))},
        verdict=Verdict(depth=Depth.COUNT, passed=False, columns=(evil,), results=evil, differences=evil),
    )  # fmt: skip
    column = ColumnProfile(path=evil, values=2, nulls=1)
    profile = Profile(run=evil, extract="x", rows=1, earlier=(evil,), columns=(column,))
    result = CheckResult(
        run="r", table=evil, column=evil, check=evil, source_value=evil, lake_value=evil, target_value=evil,
        difference=evil, status=CheckStatus.FAILED,
    )  # fmt: skip
    html = page(document(RUN, [record], [], {evil: Evidence([result], profile)}, "b"))
    assert "<svg onload" not in html
    assert html.count("&lt;svg onload") > 15


def test_what_is_unlike_earlier_runs_stands_once_on_the_page() -> None:
    odd = reported.PROFILE.anomalies[0]
    blocking = results_of(reported.PROFILE, reported.ORDERS.table, block=True)
    evidence = {reported.ORDERS.table: Evidence((*reported.RESULTS, *blocking), reported.PROFILE)}
    made = document(reported.RUN, [reported.ORDERS], [], evidence, "lake")
    assert [one["check"] for one in made["tables"][0]["validation"]["told"]][-2:] == [
        "anomaly_rows",
        "anomaly_null_share",
    ]
    html = page(made)
    assert html.count(said(odd)) == 1
    assert "segments 17 and 2040 of 4,096 differ" in html


def test_the_document_says_what_the_gate_has_found() -> None:
    shown = {one["source"].removeprefix("acme-analytics-production."): one for one in reported.report()["tables"]}
    orders, refused = shown["shop.orders"], shown["shop.price_list"]
    assert (refused["validation"], refused["anomalies"], refused["nulls"]) == (None, [], None)
    validation = orders["validation"]
    assert validation["depth"] == "checksum"
    assert not validation["passed"]
    assert validation["checks"] == {"ok": 61, "failed": 2, "equal_by_value": 1, "not_checked": 1}
    assert (validation["columns"], validation["segments"], validation["rows"]) == (["amount"], [17, 2040], 2)
    assert validation["results"] == f"s3://acme-lakeshift-dev-lake/{reported.PREFIX}checks.parquet"
    assert validation["differences"] == f"s3://acme-lakeshift-dev-lake/{reported.PREFIX}"
    assert validation["told"][1] == {
        "column": "amount", "check": "checksum", "source_value": None, "lake_value": "9f3c21aa0b77e1d4",
        "target_value": "1c0d9be24455a0f3", "difference": "segments 17 and 2040 of 4,096 differ", "status": "failed",
        "seconds": 0.0, "bytes_scanned": 0,
    }  # fmt: skip
    assert orders["anomalies"][1] == {
        "column": "amount", "measure": "null_share", "change": 1.35, "limit": 0.1, "value": 0.155, "usual": 0.02,
        "runs": 6, "text": "amount: 15.50% NULL where 2.00% are usual, against 6 earlier runs",
    }  # fmt: skip
    assert orders["nulls"]["against"] == "nightly-shop-ffff00001111"
    assert orders["nulls"]["columns"][1] == {"column": "amount", "share": 0.155, "before": 0.02}


def test_a_terminal_shows_what_is_unlike_earlier_runs() -> None:
    shown = notes(reported.report())
    assert shown[-1] == (
        "unlike earlier runs acme-analytics-production.shop.orders: "
        "amount: 15.50% NULL where 2.00% are usual, against 6 earlier runs"
    )


def test_every_field_of_the_report_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reference" / "report.md").read_text()
    documented = set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))
    assert documented == set(_fields(reported.report(), ""))


def _fields(value: object, path: str) -> Iterator[str]:
    """Paths of all fields; what the names of an object say is data of their own, as steps and states are."""
    if isinstance(value, list):
        yield from (name for one in value for name in _fields(one, f"{path}[]"))
    elif isinstance(value, dict) and path not in ("tables[].seconds", "tables[].validation.checks"):
        for key, inner in value.items():
            name = f"{path}.{key}" if path else key
            yield name
            yield from _fields(inner, name)


def test_evidence_is_read_where_the_gate_has_left_it() -> None:
    ports = in_memory()
    rows = [
        CheckResult(run="r", table="p.d.t", column=column, check="checksum", status=CheckStatus(status))
        for column, status in (("a", "ok"), ("b", "not_checked"), ("c", "failed"), ("d", "equal_by_value"))
    ]
    verdict = Verdict(depth=Depth.CHECKSUM, passed=False, checks={CheckStatus.FAILED: 1}, anomalies=0)
    key = results.written(ports, "validation/p/d/t/run=r/", rows)
    profile = Profile(run="r", extract="x", rows=3)
    ports.objects.put("lake", "validation/p/d/t/run=r/profile.json", profile.model_dump_json().encode())
    judged = table(TableState.FAILED, verdict=verdict.model_copy(update={"results": key}))
    lost = table(TableState.PUBLISHED, verdict=verdict.model_copy(update={"results": "validation/gone/checks.parquet"}))
    found = evidence_of(ports, [judged, lost, REFUSED])
    assert [one.column for one in found[judged.table].results] == ["c", "d", "b"]
    assert found[judged.table].profile == profile
    assert found[lost.table] == Evidence((), None)
    assert set(found) == {judged.table, lost.table}


def test_results_of_tables_that_are_all_equal_are_not_fetched() -> None:
    ports = in_memory()
    verdict = Verdict(depth=Depth.CHECKSUM, passed=True, checks={CheckStatus.OK: 9}, results="x/checks.parquet")
    asked: list[str] = []

    class Listening(MemoryObjects):
        def get(self, bucket: str, key: str, version: str = "") -> bytes:
            asked.append(key)
            return super().get(bucket, key, version)

    evidence_of(replace(ports, objects=Listening()), [table(TableState.PUBLISHED, verdict=verdict)])
    assert asked == []


def test_a_run_of_very_many_tables_has_a_page_that_a_browser_can_show() -> None:
    bad = table(TableState.FAILED, table="p.d.zzz", failure=Failure(code="X", message="y"))
    many = [table(TableState.PUBLISHED, table=f"p.d.t{place:05}", notes=("n",)) for place in range(5_000)]
    html = page(document(RUN, [*many, bad]))
    assert len(html) < 2_000_000
    assert html.count('class="title"') == 1_000
    assert html.count("<details") == 200
    assert html.index("zzz") < html.index("t00000"), "what is wrong comes first"
    assert "4,001 more tables stand in report.json." in html
    assert "4,801 more tables have something to tell" in html


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (charts.duration(0.0042), "0.0042 s"), (charts.duration(9.4), "9.4 s"), (charts.duration(9.96), "10 s"),
        (charts.duration(59.4), "59 s"), (charts.duration(59.9), "1 min 0 s"), (charts.duration(200), "3 min 20 s"),
        (charts.duration(7_500), "2 h 5 min"), (charts.duration(0), "0 s"),
        (charts.percent(0), "0 %"), (charts.percent(1e-9), "< 0.01 %"), (charts.percent(0.5), "50 %"),
        (charts.percent(0.99999), "> 99.99 %"), (charts.percent(1), "100 %"), (charts.percent(0.12345), "12.35 %"),
        (charts.size(999), "999 bytes"), (charts.size(1_250_000_000), "1.2 GB"), (charts.size(10**15), "1,000.0 TB"),
        (charts.number(None), "-"), (charts.number(1234), "1,234"),
    ],
)  # fmt: skip
def test_numbers_are_written_for_people(shown: str, text: str) -> None:
    assert shown == text


def _counted(status: str, source: int, lake: int, target: int, quarantined: int = 0) -> dict[str, Any]:
    rows = {"source": source, "lake": lake, "target": target, "quarantined": quarantined}
    return {"source": f"{source}-{lake}-{target}", "status": status, "rows": rows, "seconds": {}}


def test_counts_that_differ_come_first_and_say_how() -> None:
    tables = [
        _counted("published", 10**9, 10**9, 10**9),
        _counted("published", 1000, 100, 100),
        _counted("published", 1000, 990, 990, 10),
        _counted("failed", 1000, 999, 998),
        {**_counted("refused", 0, 0, 0), "rows": {"source": None, "lake": None, "target": None, "quarantined": 0}},
    ]
    chart = charts.row_counts(tables)
    assert [(row.label, row.note) for row in chart.rows] == [
        ("1000-999-998", "lake -1, target -1"),
        ("1000-990-990", "10 in quarantine"),
        ("1000000000-1000000000-1000000000", ""),
        ("1000-100-100", ""),
    ]
    assert [bar.width for bar in chart.rows[1].bars] == [100, 99, 99]


def test_a_chart_draws_no_more_than_a_screen_and_says_so() -> None:
    chart = charts.row_counts([_counted("published", place, place, place) for place in range(30)])
    assert len(chart.rows) == 12
    assert chart.hidden == 18
    assert chart.rows[0].label == "29-29-29"
    assert charts.row_counts([_counted("published", 0, 0, 0)]).rows[0].bars[0].width == 0


def test_steps_stand_one_after_the_other_on_one_scale() -> None:
    slow, fast = {"source": "slow", "seconds": {"extract": 60, "load": 40}}, {"source": "fast", "seconds": {"load": 10}}
    first, second = charts.durations([fast, slow, {"source": "new", "seconds": {}}]).rows
    assert [(bar.kind, bar.start, bar.width) for bar in first.bars] == [("extract", 0, 60), ("load", 60, 40)]
    assert [(bar.kind, bar.start, bar.width) for bar in second.bars] == [("load", 0, 10)]
    assert (first.note, second.note) == ("1 min 40 s", "10 s")
    assert charts.durations([]).rows == []


def test_shares_of_nulls_stand_on_a_scale_that_holds_them() -> None:
    columns = [
        {"column": "same", "share": 0.04, "before": 0.04}, {"column": "none", "share": 0.0, "before": 0.0},
        {"column": "up", "share": 0.03, "before": 0.01}, {"column": "new", "share": 0.02, "before": None},
    ]  # fmt: skip
    chart = charts.null_shares({"against": "r", "columns": columns})
    assert [(row.label, row.text) for row in chart.rows] == [
        ("up", "1 % → 3 %"), ("new", "2 %"), ("same", "4 %, as before"),
    ]  # fmt: skip
    assert chart.scale["to"] == "5 %"
    assert (chart.rows[0].now, chart.rows[0].before) == (pytest.approx(60), pytest.approx(20))
    assert chart.rows[1].before is None
    assert chart.hidden == 1


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("s3://b/v/run=1/checks.parquet", "https://console.aws.amazon.com/s3/object/b?prefix=v/run=1/checks.parquet"),
        ("s3://b/a%20b/", "https://console.aws.amazon.com/s3/buckets/b?prefix=a%2520b/"),
    ],
)
def test_links_lead_to_where_a_browser_can_look(url: str, link: str) -> None:
    assert console(url) == link
