"""Results by object: made once for each, never another one's, and not more than were asked for."""

from __future__ import annotations

from lakeshift.kept import per_object
from lakeshift.plan import mapping
from tests.unit.plans import MIXED, plan


class Thing:
    """Equal to all of its kind."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Thing)

    __hash__ = None  # type: ignore[assignment]


def test_a_result_is_made_once_for_an_object_and_anew_for_an_equal_one() -> None:
    made: list[Thing] = []

    @per_object(2)
    def numbered(one: Thing) -> int:
        made.append(one)
        return len(made)

    first, second = Thing(), Thing()
    assert [numbered(one) for one in (first, first, second, first)] == [1, 1, 2, 1]
    third = Thing()
    assert [numbered(one) for one in (third, first)] == [3, 4]


def test_a_plan_is_printed_as_pydantic_prints_it() -> None:
    one = plan(MIXED)
    again = type(one).model_validate_json(one.line())
    assert again == one
    assert again.split == one.split
    renamed = one.model_copy(update={"columns": (one.columns[0].model_copy(update={"target": "x"}), *one.columns[1:])})
    assert '"target":"x"' in renamed.line()
    assert renamed.split != one.split
    assert mapping.document(renamed)["columns"][0]["target"] == "x"
