"""The plan as a file, followed by a run: read back as it was written, and refused where the source has drifted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lakeshift.errors import ConfigInvalid, PlanDrifted
from lakeshift.lake import keys
from lakeshift.model import Failure, RunState, ViewPlan
from lakeshift.plan.accepted import Accepted, adopted, refuse_other_config
from lakeshift.plan.cost import PRICES, estimate, prices, seconds_of
from lakeshift.plan.document import PlanDocument, PlanHead, PlannedTable, config_differences, drifted, read_plan
from lakeshift.plan.drift import changes
from lakeshift.plan.step import plan as plan_run
from lakeshift.plan.step import plan_of
from lakeshift.ports import Ports
from lakeshift.spec import Migration
from tests.unit.plans import PLAIN, RUN, SNAPSHOT, entry, migration, planned, ports

TEXT = {"name": "more", "type": "STRING"}
VIEW: dict[str, Any] = {
    "source": {"project": "p", "dataset": "Shop", "table": "seen"},
    "target": {"database": "dev", "schema": "shop", "table": "seen"},
    "mode": "create",
    "status": "converted",
    "query": "SELECT 1 AS x",
    "sql": "SELECT 1 AS x",
}


def document(*fields: list[dict[str, Any]], views: tuple[dict[str, Any], ...] = (), **more: Any) -> PlanDocument:
    """A plan of tables t0, t1, ... with these columns."""
    effective = migration(**more).model_dump(mode="json", by_alias=True)
    head = PlanHead(name="shop", snapshot=SNAPSHOT, config={"sources": []}, effective=effective, views=views)
    tables = []
    for number, columns in enumerate(fields):
        made = planned(entry(columns, f"t{number}"))
        tables.append(PlannedTable(source=made.source.id, target=made.target.id, plan=made, ddl=('a "quoted"\nline',)))
    return PlanDocument.of(head, tables)


def with_plan(given: PlanDocument, *tables: list[dict[str, Any]], **more: Any) -> Ports:
    """Ports of a run that follows a plan, and whose source has these tables."""
    config = Migration.model_validate(
        {**migration(**more).model_dump(by_alias=True), "plan": {"sha256": given.sha256()}}
    )
    made = ports([entry(columns, f"t{number}") for number, columns in enumerate(tables)], config)
    made.objects.put("config", keys.accepted_plan(given.sha256()), given.body())
    return made


def test_a_file_is_json_with_a_table_in_a_line_and_reads_back_the_same() -> None:
    made = document(PLAIN, [*PLAIN, TEXT])
    body = made.body()
    assert len(json.loads(body)["tables"]) == 2
    assert read_plan(body).body() == body
    assert [line.count(b'"source":"p.Shop.t') for line in body.splitlines() if line.startswith(b'{"source"')] == [1, 1]
    again = read_plan(json.dumps(json.loads(body), indent=4).encode())
    assert (again.sha256(), list(again.tables())) == (made.sha256(), list(made.tables()))
    assert read_plan(document().body()).by_source() == {}


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"tables": []}', b'{"tables": 3}', b"\xff"])
def test_what_is_no_plan_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(ConfigInvalid, match="not a plan of this version"):
        read_plan(body)


def test_configs_differ_by_pointer_and_not_by_the_plan_they_name() -> None:
    was = {"a": {"b": 1, "c": 2}, "plan": None}
    assert config_differences(was, {"a": {"b": 1, "c": 3}, "plan": {"sha256": "x"}}) == ["/a/c: planned 2, now 3"]
    assert config_differences(was, was) == []


def test_many_differences_are_counted() -> None:
    message = str(drifted([f"difference {number}" for number in range(60)]))
    assert message.startswith("60 difference(s)")
    assert "and 10 more" in message


def test_a_run_takes_the_plan_s_decisions_and_its_own_measures() -> None:
    shown = document(PLAIN, PLAIN)
    other = {"streams": 77, "run": "old"}
    plans = [table.plan.model_copy(update=other) for table in shown.tables() if table.plan]
    wide = [table.model_copy(update={"plan": one}) for table, one in zip(shown.tables(), plans, strict=True)]
    given = PlanDocument.of(shown.head, wide)
    made = with_plan(given, PLAIN, PLAIN)
    assert plan_run(made, RUN).tables == 2
    ran = plan_of(made, made.ledger.table(RUN, "p.Shop.t0"))
    assert (ran.streams, ran.run, f"run={RUN}" in ran.lake_prefix) == (77, RUN, True)
    assert adopted(plans[0], ran) == ran


@pytest.mark.parametrize(
    ("now", "text"),
    [
        ([[*PLAIN, TEXT]], "p.Shop.t0: safe: more is new"),
        ([PLAIN[:1]], "is gone from the source (was STRING)"),
        ([], "p.Shop.t0: the table is gone"),
    ],
)
def test_a_source_that_has_drifted_is_refused_before_the_ledger_has_a_table(now: Any, text: str) -> None:
    made = with_plan(document(PLAIN), *now)
    with pytest.raises(PlanDrifted) as error:
        plan_run(made, RUN)
    assert text in str(error.value)
    assert made.ledger.tables(RUN) == []


@pytest.mark.parametrize(("now", "said"), [(PLAIN, True), ([*PLAIN, TEXT], False)])
def test_another_publish_is_named_only_where_the_source_is_as_it_was_planned(now: Any, said: bool) -> None:
    shown = document(PLAIN)
    (table,) = shown.tables()
    assert table.plan
    seen = changes(planned(entry(PLAIN, "t0")), planned(entry([*PLAIN, TEXT], "t0")))
    before = table.model_copy(update={"plan": table.plan.model_copy(update={"changes": seen})})
    with pytest.raises(PlanDrifted) as error:
        plan_run(with_plan(PlanDocument.of(shown.head, [before]), now), RUN)
    assert ("what was published last is another schema" in str(error.value)) is said


def test_a_file_that_somebody_has_edited_runs_no_sql_of_theirs() -> None:
    shown = document(PLAIN)
    (table,) = shown.tables()
    assert table.plan
    first, *others = table.plan.columns
    evil = first.model_copy(update={"conversion": "(SELECT MAX(secret) FROM other.t)"})
    edited = table.model_copy(update={"plan": table.plan.model_copy(update={"columns": (evil, *others)})})
    made = with_plan(PlanDocument.of(shown.head, [edited]), PLAIN)
    with pytest.raises(PlanDrifted, match="would make another table"):
        plan_run(made, RUN)


def test_new_tables_are_named_and_do_not_move() -> None:
    made = with_plan(document(PLAIN), PLAIN, PLAIN)
    assert plan_run(made, RUN).tables == 1
    record = made.ledger.run(RUN)
    assert record.state is RunState.MIGRATING
    assert record.notes == ("1 new table(s) are not in the plan and did not move: p.Shop.t1",)


def test_what_the_plan_refuses_stays_refused() -> None:
    head = document().head
    failure = Failure(code="ObjectUnsupported", message="as planned")
    given = PlanDocument.of(head, [PlannedTable(source="p.Shop.t0", target="shop.t0", refusal=failure)])
    made = with_plan(given, PLAIN)
    assert plan_run(made, RUN).tables == 0
    assert made.ledger.table(RUN, "p.Shop.t0").failure == failure


def test_another_config_or_another_file_is_refused() -> None:
    given = document(PLAIN)
    config = migration(sample={"percent": 5}, plan={"sha256": given.sha256()})
    made = with_plan(given, PLAIN)
    with pytest.raises(PlanDrifted, match="/sample"):
        refuse_other_config(made, config)
    made.objects.put("config", keys.accepted_plan(given.sha256()), b"other")
    with pytest.raises(ConfigInvalid, match="another content than its name says"):
        refuse_other_config(made, config)
    with pytest.raises(ConfigInvalid, match="there is no plans/"):
        refuse_other_config(made, migration(plan={"sha256": "0" * 64}))


def test_a_view_that_is_another_query_or_gone_is_a_difference() -> None:
    seen = ViewPlan.model_validate(VIEW)
    accepted = Accepted(document(views=(VIEW,)))
    assert accepted.views([seen]) == [seen]
    accepted.settle()
    other = seen.model_copy(update={"query": "SELECT 2 AS x"})
    edited = seen.model_copy(update={"sql": "SELECT 3 AS x"})
    cases: tuple[tuple[list[ViewPlan], str], ...] = (
        ([other], "is another query"),
        ([], "the view is gone"),
        ([edited], "its translation is another"),
    )
    for fresh, text in cases:
        accepted = Accepted(document(views=(VIEW,)))
        accepted.views(fresh)
        with pytest.raises(PlanDrifted, match=text):
            accepted.settle()


def test_time_and_dollars_follow_from_bytes_and_engines() -> None:
    tib = 2**40
    large = planned(entry(PLAIN, bytes=tib)).model_copy(
        update={"engine": "glue", "streams": 8, "workers": 3, "worker_type": "G.2X", "bytes": tib}
    )
    small = planned(entry(PLAIN, "small", bytes=0)).model_copy(update={"bytes": 0})
    found = estimate([large, small], 30)
    dollars = {line["what"]: line["dollars"] for line in found["lines"]}
    assert dollars[PRICES["read"].what] == 1.10
    assert dollars[PRICES["egress"].what] == pytest.approx(1024 * 0.12)
    seconds = seconds_of(large)
    assert seconds == pytest.approx(15 + 60 + tib / (25e6 * 8))
    assert dollars[PRICES["glue"].what] == pytest.approx(seconds / 3600 * 3 * 2 * 0.44, rel=1e-4)
    assert found["seconds"] == round(seconds)
    assert found["dollars"] == pytest.approx(sum(dollars.values()), abs=0.01)
    assert estimate([large, small], 1)["seconds"] == round(seconds + seconds_of(small))
    assert all(price.source.startswith("https://") for price in prices())
