"""Which tables a view reads, and its text with the target's names: only the names change."""

from __future__ import annotations

import pytest

from lakeshift.errors import QueryFailed
from lakeshift.model import TableRef, TargetRef
from lakeshift.views.order import ordered
from lakeshift.views.references import reading, renamed

QUERY = """WITH c AS (SELECT 1 AS x) -- a comment
SELECT a.id, i.price, 'ds.t' AS s FROM `p-1.ds.Orders` AS a, a.items AS i
JOIN `p-1`.ds.`People` USING (key) JOIN ds.t ON TRUE, c, UNNEST(a.tags) z JOIN p-2.ds.dashes ON TRUE"""


def on_target(ref: TableRef) -> TargetRef:
    return TargetRef(database="dev", schema_=f"of_{ref.project[-1]}", table=ref.table.lower())


def test_tables_are_found_and_what_only_looks_like_one_is_not() -> None:
    found = reading(QUERY, "home")
    names = [one.ref.id for one in sorted(found.references, key=lambda one: one.start)]
    assert names == ["p-1.ds.Orders", "p-1.ds.People", "home.ds.t", "p-2.ds.dashes"]
    assert not found.star
    assert {"id", "price", "key"} <= found.names


def test_only_the_names_of_tables_change() -> None:
    found = reading(QUERY, "home")
    assert renamed(QUERY, found.references, on_target) == (
        QUERY.replace("`p-1.ds.Orders`", "`of_1`.`orders`")
        .replace("`p-1`.ds.`People`", "`of_1`.`people`")
        .replace("JOIN ds.t ", "JOIN `of_e`.`t` ")
        .replace("p-2.ds.dashes", "`of_2`.`dashes`")
    )


def test_a_star_is_one_unless_it_is_counted() -> None:
    assert reading("SELECT a.* FROM ds.t AS a", "p").star
    assert not reading("SELECT COUNT(*) AS n FROM ds.t", "p").star


def test_a_subquery_has_its_own_with() -> None:
    found = reading("SELECT * FROM (WITH t AS (SELECT 1 AS x) SELECT * FROM t), ds.t AS u", "p")
    assert [one.ref.id for one in found.references] == ["p.ds.t"]


@pytest.mark.parametrize("text", ["SELEC 1", "DROP TABLE ds.t", "SELECT 1; SELECT 2", "SELECT * FROM unqualified"])
def test_what_is_not_one_query_over_tables_is_refused(text: str) -> None:
    with pytest.raises(QueryFailed):
        reading(text, "p")


def test_views_come_behind_what_they_read_and_circles_are_named() -> None:
    order, circles = ordered({"a": ["b", "table"], "b": ["c"], "c": [], "x": ["y"], "y": ["x"], "z": ["x"]})
    assert order.index("c") < order.index("b") < order.index("a")
    assert set(order) == {"a", "b", "c", "z"}
    assert set(circles) == {"x", "y"}
    assert set(circles["x"]) == {"x", "y"}
