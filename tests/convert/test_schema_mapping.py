"""The mapping document: derived from a plan, page and JSON, and written beside it."""

from __future__ import annotations

import json
from pathlib import Path

from lakeshift.model import Kind
from lakeshift.plan import mapping
from lakeshift.plan.step import plan
from tests.convert.test_schema import leaves, leaves_of
from tests.convert.test_schema_data import SHOP, plan_of
from tests.unit.plans import RUN, entry, planned, ports

GOLDEN = Path(__file__).parent / "golden"
NESTED = {"columns": {"Device": "flatten", "items": "child_table"}}


def test_the_page_is_as_its_golden_file_says() -> None:
    assert mapping.page(mapping.document(plan_of(SHOP, NESTED))) == (GOLDEN / "mapping.md").read_text()


def test_each_leaf_of_a_plan_has_an_entry() -> None:
    found = mapping.document(plan_of(SHOP, NESTED))
    whole = {"columns": [*found["columns"], *(one for child in found["children"] for one in child["columns"])]}
    assert leaves(whole) == sorted(leaves_of(SHOP))


def test_a_table_cannot_break_out_of_its_cell() -> None:
    made = plan_of([{"name": "a|b", "type": "STRING", "defaultValueExpression": "'<script>|'\n"}], {})
    row = mapping.page(mapping.document(made)).splitlines()[4]
    assert row.count("|") - row.count("\\|") == 8
    assert "<script" not in row


def test_mappings_stand_beside_the_plans_of_a_run() -> None:
    given = ports([entry(SHOP, "one"), entry(SHOP, "two")])
    plan(given, RUN)
    place = given.ledger.table(RUN, "p.Shop.one").plan
    assert place
    found = given.objects.get("staging", place.key.replace("/plans/", "/mappings/")).splitlines()
    assert [json.loads(line)["table"] for line in found] == ["shop.one", "shop.two"]


def test_a_sort_key_is_made_of_partition_and_cluster_columns() -> None:
    fields = [{"name": "Day", "type": "DATE"}, {"name": "Shop", "type": "INT64"}, {"name": "j", "type": "JSON"}]
    given = entry(fields, partition_column="Day", partition_kind="DAY", cluster_columns=("Shop", "j"))
    made = planned(given)
    assert made.sort_key == ("day", "shop")
    assert made.columns[2].source.kind is Kind.JSON
