"""Drift: each difference with its class, what an increment does about it, and what the policy lets pass."""

from __future__ import annotations

from typing import Any

import pytest

from lakeshift.errors import SchemaChanged
from lakeshift.model import Change, TablePlan
from lakeshift.plan.drift import allow, changes, note, reload_reason
from lakeshift.spec import SchemaChange
from tests.unit.plans import entry, migration, plan, planned

ID = {"name": "id", "type": "INT64"}
TEXT = {"name": "t", "type": "STRING"}


def of(*fields: dict[str, Any], **more: Any) -> TablePlan:
    return plan(list(fields), **more)


def found(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(one.column, one.level, one.how) for one in changes(of(*before), of(*now))]


def typed(kind: str, **more: Any) -> dict[str, Any]:
    return {"name": "c", "type": kind, **more}


def nested(*fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "c", "type": "RECORD", "fields": list(fields), **more}


NUMERIC = typed("NUMERIC", precision=9, scale=2)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ([ID], [ID], []),
        ([ID], [ID, TEXT], [("t", "safe", "in place")]),
        ([ID], [TEXT, ID], [("t", "safe", "reload")]),
        ([ID], [ID, {**TEXT, "mode": "REQUIRED"}], [("t", "breaking", "reload")]),
        ([ID, TEXT], [ID], [("t", "breaking", "reload")]),
        ([ID, TEXT], [TEXT, ID], [("", "safe", "reload")]),
        ([typed("STRING", maxLength=10)], [typed("STRING", maxLength=20)], [("c", "widen", "in place")]),
        ([typed("STRING", maxLength=20)], [typed("STRING", maxLength=10)], [("c", "breaking", "reload")]),
        ([typed("BYTES", maxLength=10)], [typed("BYTES", maxLength=20)], [("c", "widen", "reload")]),
        ([typed("INT64")], [typed("NUMERIC")], [("c", "widen", "reload")]),
        ([NUMERIC], [typed("NUMERIC", precision=9, scale=3)], [("c", "breaking", "reload")]),
        ([NUMERIC], [typed("NUMERIC", precision=10, scale=3)], [("c", "widen", "reload")]),
        ([typed("INT64")], [typed("FLOAT64")], [("c", "breaking", "reload")]),
        ([typed("INT64")], [typed("STRING")], [("c", "breaking", "reload")]),
        ([typed("DATETIME")], [typed("TIMESTAMP")], [("c", "breaking", "reload")]),
        ([typed("INT64", mode="REQUIRED")], [typed("INT64")], [("c", "widen", "reload")]),
        ([typed("INT64")], [typed("INT64", mode="REQUIRED")], [("c", "safe", "nothing")]),
        ([typed("INT64", description="a")], [typed("INT64", description="b")], []),
        ([nested(ID)], [nested(ID, TEXT)], [("c", "safe", "nothing")]),
        ([nested(ID, TEXT)], [nested(ID)], [("c", "breaking", "reload")]),
        ([nested(nested(ID, mode="REPEATED"))], [nested(nested({**ID, "type": "STRING"}, mode="REPEATED"))],
         [("c", "breaking", "reload")]),
        ([nested(ID)], [typed("JSON")], [("c", "breaking", "reload")]),
    ],
)  # fmt: skip
def test_each_difference_has_its_class(before: Any, now: Any, expected: Any) -> None:
    assert found(before, now) == expected


def test_the_statements_are_those_that_redshift_takes() -> None:
    before = of(ID, typed("STRING", maxLength=10))
    now = of(ID, typed("STRING", maxLength=20), TEXT)
    wider, new = changes(before, now)
    assert wider.ddl.startswith('ALTER TABLE "shop"."orders" ALTER COLUMN "c" TYPE VARCHAR(')
    assert new.ddl == f'ALTER TABLE "shop"."orders" ADD COLUMN "t" {now.columns[2].target_type}'
    assert reload_reason([wider, new]) == ""
    assert "columns are others" in reload_reason([wider, new], may_alter=False)


def test_a_column_that_the_quarantine_table_has_as_well_is_reloaded() -> None:
    config = migration([{"match": "orders", "incremental": {"by": "key", "key": ["c"]}}])
    before, now = (planned(entry([ID, typed("STRING", maxLength=size)], "orders", rule=0), config) for size in (10, 20))
    assert (now.primary_key, now.quarantine_key) == ((), ("c",))
    assert [(one.column, one.level, one.how) for one in changes(before, now)] == [("c", "widen", "reload")]


def test_a_column_that_redshift_does_not_let_grow_is_reloaded() -> None:
    before, now = of(typed("STRING", maxLength=10)), of(typed("STRING", maxLength=20))
    (one,) = changes(before, now.model_copy(update={"primary_key": ("c",)}))
    assert (one.level, one.how, one.ddl) == ("widen", "reload", "")
    (other,) = changes(before, of(typed("STRING", maxLength=20, defaultValueExpression="'x'")))
    assert other.how == "reload"


def test_what_the_config_took_or_left_is_no_change_of_the_source() -> None:
    taken = changes(of(ID, skipped=("T",)), of(ID, TEXT))
    assert [(one.level, one.how) for one in taken] == [("safe", "reload")]
    left = changes(of(ID, TEXT), of(ID, skipped=("t",)))
    assert [(one.level, one.how) for one in left] == [("safe", "reload")]


def test_a_nested_difference_names_its_path() -> None:
    (one,) = changes(of(nested(nested(ID), mode="REPEATED")), of(nested(nested(ID, TEXT), mode="REPEATED")))
    assert one.what == "[].c.t is new (STRING)"


BREAKING = Change(column="t", level="breaking", what="is gone", how="reload")
WIDEN = Change(column="c", level="widen", what="wider", how="in place", ddl="ALTER")


@pytest.mark.parametrize(
    ("policy", "approved", "refused"),
    [
        ({}, False, "1 change(s) of the schema wait for approval: breaking: t is gone"),
        ({}, True, ""),
        ({"breaking": "apply"}, False, ""),
        ({"breaking": "refuse"}, True, "1 change(s) of the schema are refused by schemaChange: breaking: t is gone"),
        ({"breaking": "apply", "widen": "refuse"}, True, "widen: c wider (ALTER)"),
    ],
)
def test_the_policy_decides_what_passes(policy: dict[str, Any], approved: bool, refused: str) -> None:
    given = SchemaChange.model_validate(policy)
    if not refused:
        allow([BREAKING, WIDEN], given, approved=approved)
        return
    with pytest.raises(SchemaChanged) as error:
        allow([BREAKING, WIDEN], given, approved=approved)
    assert refused in str(error.value)


def test_a_note_says_what_becomes_of_it() -> None:
    assert note(WIDEN, incremental=True) == "schema change, widen: c wider (ALTER): the target is altered in place"
    assert note(WIDEN, incremental=False).endswith("the new table has it")
