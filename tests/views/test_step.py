"""The views step: order, what blocks a view, whose objects stay, and what a repeated call does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from lakeshift.lake import keys
from lakeshift.model import Finding, TableRecord, TableRef, TableState, TargetRef, ViewPlan
from lakeshift.ports import Ports, Statement
from lakeshift.views.step import results_of, views
from lakeshift.views.written import write_views
from tests.unit.plans import RUN, Answers, ports


def planned(name: str, *reads: str, **changes: Any) -> ViewPlan:
    made = ViewPlan(
        source=TableRef(project="p", dataset="d", table=name),
        target=TargetRef(database="dev", schema_="d", table=name),
        mode="create",
        status="converted",
        query="SELECT 1",
        sql=f"SELECT '{name}' AS n",
        reads=tuple(f"p.d.{one}" for one in reads),
    )
    return made.model_copy(update=changes)


def run(views_: Sequence[ViewPlan], warehouse: Answers | None = None, **tables: TableState) -> Ports:
    made = ports(warehouse=warehouse)
    write_views(made, RUN, views_)
    records = [TableRecord(run=RUN, table=f"p.d.{name}", target=name, state=state) for name, state in tables.items()]
    made.ledger.add_tables(records)
    return made


def states(made: Ports) -> dict[str, str]:
    return {one.source.removeprefix("p.d."): one.state.value for one in results_of(made, RUN)}


def never() -> bool:
    return False


def test_views_are_created_behind_what_they_read_in_one_transaction_each() -> None:
    warehouse = Answers()
    made = run([planned("a", "b"), planned("b", "t")], warehouse, t=TableState.PUBLISHED)
    assert views(made, RUN, never)
    assert states(made) == {"a": "created", "b": "created"}
    created = [text.splitlines()[0] for text in warehouse.statements if text.startswith("CREATE")]
    assert created == ['CREATE OR REPLACE VIEW "d"."b" AS', 'CREATE OR REPLACE VIEW "d"."a" AS']
    view, asked, history = warehouse.statements[:3]
    assert view.endswith("WITH NO SCHEMA BINDING")
    assert asked == 'SELECT * FROM "d"."b" LIMIT 0'
    assert "'p.d.b', 'd.b'" in history


def test_what_blocks_a_view_is_named() -> None:
    given = [
        planned("x", "y"),
        planned("y", "x"),
        planned("on_failed", "t"),
        planned("on_refused", "no"),
        planned("no", status="refused", sql="", findings=(Finding(code="c", line=2, construct_="UNNEST", advice="a"),)),
    ]
    made = run(given, t=TableState.FAILED)
    assert views(made, RUN, never)
    found = {one.source.removeprefix("p.d."): one for one in results_of(made, RUN)}
    assert {name: one.state.value for name, one in found.items()} == {
        "x": "blocked",
        "y": "blocked",
        "on_failed": "blocked",
        "on_refused": "blocked",
        "no": "refused",
    }
    assert "views that read each other" in found["x"].reason
    assert found["on_failed"].reason == "it reads what is not there: p.d.t is failed"
    assert found["no"].reason == "line 2: c: UNNEST: a"


def test_every_view_has_its_file() -> None:
    made = run(
        [planned("a", "t"), planned("b", status="needs_review"), planned("c", mode="deliver")], t=TableState.PUBLISHED
    )
    views(made, RUN, never)
    texts = {
        name: made.objects.get("config", keys.view_file(RUN, f"p.d.{name}")).decode().splitlines()[0] for name in "abc"
    }
    assert texts == {
        "a": "-- p.d.a -> d.a: created",
        "b": "-- p.d.b -> d.b: needs_review",
        "c": "-- p.d.c -> d.c: delivered",
    }


def test_nothing_is_created_over_somebody_else_s_object() -> None:
    cases: list[tuple[dict[str, list[tuple[object, ...]]], str]] = [
        ({"svv_tables": [("BASE TABLE",)]}, "d.a is a base table"),
        ({"svv_tables": [("VIEW",)]}, "was not made by a migration"),
        ({"svv_tables": [("VIEW",)], "ORDER BY published_at": [("q.d.a", "2026")]}, "was made from q.d.a"),
        ({"svv_tables": [("VIEW",)], "ORDER BY published_at": [("p.d.a", "2027")]}, "of a later run"),
    ]
    for answers, reason in cases:
        warehouse = Answers(answers)
        made = run([planned("a")], warehouse)
        assert views(made, RUN, never)
        (one,) = results_of(made, RUN)
        assert (one.state.value, warehouse.statements) == ("failed", [])
        assert reason in one.reason


def test_our_own_view_is_replaced_and_one_of_this_run_is_left() -> None:
    ours: dict[str, list[tuple[object, ...]]] = {
        "svv_tables": [("VIEW",)],
        "ORDER BY published_at": [("p.d.a", "2025")],
    }
    warehouse = Answers(ours)
    made = run([planned("a")], warehouse)
    assert views(made, RUN, never)
    assert states(made) == {"a": "created"}
    warehouse.answers = {"WHERE run =": [("p.d.a",)]}
    warehouse.statements = []
    assert views(made, RUN, never)
    assert (states(made), warehouse.statements) == ({"a": "created"}, [])


class Refusing(Answers):
    """A warehouse where batches end in an error, a number of times as one that may pass."""

    def __init__(self, transient: int) -> None:
        super().__init__()
        self.transient, self.tokens = transient, []  # type: ignore[var-annotated]

    def poll(self, statement: str, seconds: float) -> Statement:
        assert seconds
        self.tokens.append(statement)
        self.transient -= 1
        return Statement(finished=True, error="no column x", transient=self.transient >= 0)


def test_a_statement_that_is_refused_fails_its_view_and_a_passing_error_is_tried_anew() -> None:
    warehouse = Refusing(2)
    made = run([planned("a"), planned("b", "a")], warehouse)
    assert views(made, RUN, never)
    assert states(made) == {"a": "failed", "b": "blocked"}
    assert len(set(warehouse.tokens)) == 3


def test_a_resumed_run_asks_anew_for_a_view_that_was_refused() -> None:
    warehouse = Refusing(0)
    made = run([planned("a")], warehouse)
    assert views(made, RUN, never)
    assert views(made, RUN, never)
    assert len(set(warehouse.tokens)) == 1
    record = made.ledger.run(RUN)
    made.ledger.save_run(record.model_copy(update={"resumed": 1}), record.state)
    assert views(made, RUN, never)
    assert len(set(warehouse.tokens)) == 2


def test_out_of_time_the_step_is_called_again_and_a_paused_run_makes_nothing() -> None:
    made = run([planned("a")])
    assert not views(made, RUN, lambda: True)
    assert states(made) == {"a": "waiting"}
    assert json.loads(json.dumps([one.model_dump(mode="json") for one in results_of(made, RUN)]))


def test_views_wait_with_tables_that_wait() -> None:
    made = run([planned("a", "t")])
    made.ledger.add_tables([TableRecord(run=RUN, table="p.d.t", target="t", state=TableState.EXTRACTED, pending=True)])
    assert views(made, RUN, never)
    assert states(made) == {"a": "waiting"}
