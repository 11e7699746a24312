"""A view's way to Redshift: names, what stands in the way, and what the translator answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from lakeshift.model import TableRef, TargetRef, ViewPlan
from lakeshift.types.bigquery import columns
from lakeshift.views.translate import Known, known_table, known_view, legacy, translated
from tests.unit.plans import plan

FIELDS: list[dict[str, Any]] = [
    {"name": "Id", "type": "INT64"},
    {"name": "total", "type": "NUMERIC"},
    {"name": "span", "type": "INTERVAL"},
]


@dataclass(frozen=True)
class Found:
    code: str
    line: int
    construct: str
    advice: str


@dataclass(frozen=True)
class Answer:
    status: str
    sql: str
    findings: tuple[Found, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()


class Translator:
    """Notes what it is asked and gives one answer."""

    def __init__(self, answer: Answer) -> None:
        self._answer, self.asked = answer, []  # type: ignore[var-annotated]

    def __call__(self, text: str, schemas: Any) -> Answer:
        self.asked.append((text, dict(schemas)))
        return self._answer


def view(query: str, **changes: Any) -> ViewPlan:
    made = ViewPlan(
        source=TableRef(project="p", dataset="Shop", table="seen"),
        target=TargetRef(database="dev", schema_="shop", table="seen"),
        mode="create",
        status="refused",
        query=query,
    )
    return made.model_copy(update=changes)


KNOWN: dict[str, Known] = {"p.Shop.Orders": known_table(plan(FIELDS, skipped=("secret",)))}
GOOD = Answer("converted", "SELECT 1;\n")


def test_the_translator_sees_the_target_s_names_and_the_columns_that_are_there() -> None:
    asked = Translator(GOOD)
    made = translated(view("SELECT id, total\nFROM Shop.Orders"), KNOWN, asked)
    assert (made.status, made.sql, made.reads) == ("converted", "SELECT 1", ("p.Shop.Orders",))
    ((text, schemas),) = asked.asked
    assert text == "SELECT id, total\nFROM `shop`.`orders`"
    assert schemas == {"shop.orders": [("Id", "INT64"), ("total", "NUMERIC")]}


@pytest.mark.parametrize(
    ("query", "code", "construct"),
    [
        ("SELECT span FROM Shop.Orders", "column-form", "the column span of p.Shop.Orders: INTERVAL is VARCHAR"),
        ("SELECT * FROM Shop.Orders", "column-form", "the column span of p.Shop.Orders"),
        ("SELECT Secret FROM Shop.Orders", "column-form", "the config leaves it in the source"),
        ("SELECT 1 FROM other.t", "missing-table", "p.other.t, which this run does not move"),
        ("SELEC", "not-a-query", "not"),
    ],
)
def test_what_stands_in_the_way_is_named_and_nothing_is_translated(query: str, code: str, construct: str) -> None:
    asked = Translator(GOOD)
    made = translated(view(query), KNOWN, asked)
    assert (made.status, made.sql, asked.asked) == ("refused", "", [])
    assert made.findings[0].code == code
    assert construct in made.findings[0].construct_


def test_what_the_translator_says_is_passed_on() -> None:
    found = Found("unnest", 3, "UNNEST", "flatten it.")
    refused = translated(view("SELECT id FROM Shop.Orders"), KNOWN, Translator(Answer("refused", "", (found,))))
    (one,) = refused.findings
    assert (refused.status, one.line, one.construct_) == ("refused", 3, "UNNEST")
    review = translated(view("SELECT id FROM Shop.Orders"), KNOWN, Translator(Answer("needs_review", "x", (found,))))
    assert (review.status, review.sql) == ("needs_review", "x")


def test_other_columns_than_the_source_s_are_refused() -> None:
    answer = Answer("converted", "x", columns=(("a", "INT64"), ("f0_", "INT64")))
    made = translated(view("SELECT id FROM Shop.Orders"), KNOWN, Translator(answer), ["A", "b"])
    assert (made.status, made.findings[0].code) == ("refused", "column-names")
    assert translated(view("SELECT id FROM Shop.Orders"), KNOWN, Translator(answer), ["A", "F0_"]).status == "converted"


def test_a_materialized_view_becomes_a_view_and_says_so() -> None:
    made = translated(view("SELECT id FROM Shop.Orders", materialized=True), KNOWN, Translator(GOOD))
    assert (made.status, [one.code for one in made.findings]) == ("converted", ["materialized-view"])


def test_views_read_views_and_legacy_sql_is_refused() -> None:
    known = {"p.Shop.other": known_view(view("").target, columns([{"name": "n", "type": "INT64"}]))}
    asked = Translator(GOOD)
    assert translated(view("SELECT n FROM Shop.other"), known, asked).status == "converted"
    assert asked.asked[0][1] == {"shop.seen": [("n", "INT64")]}
    assert legacy(view("SELECT 1 FROM [p:Shop.other]")).findings[0].code == "legacy-sql"
