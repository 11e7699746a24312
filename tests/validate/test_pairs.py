"""What of two tables can be compared, what became of a run's rows since, and which rows are outside of ranges."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from lakeshift.errors import OptionInvalid
from lakeshift.model import Increment, Kind, Range, TablePlan
from lakeshift.validate.columns import checked
from lakeshift.validate.conditions import on_target
from lakeshift.validate.matched import Unmatched, chosen, matched
from lakeshift.validate.ranges import outside
from lakeshift.validate.standing import found_in
from tests.unit.plans import SNAPSHOT, plan

FIELDS = [
    {"name": "Id", "type": "INT64"},
    {"name": "day", "type": "DATE"},
    {"name": "price", "type": "NUMERIC"},
    {"name": "note", "type": "STRING"},
    {"name": "doc", "type": "JSON"},
]
# Rows of svv_columns: name, type, length, precision, scale.
CATALOG: dict[str, tuple[object, ...]] = {
    "id": ("id", "bigint", None, 64, 0),
    "day": ("day", "date", None, None, None),
    "price": ("price", "numeric", None, 38, 9),
    "note": ("note", "character varying", 65535, None, None),
    "doc": ("doc", "super", None, None, None),
}


def found(**changes: tuple[object, ...] | None) -> list[tuple[object, ...]]:
    return [row for row in (CATALOG | changes).values() if row]


def test_a_table_as_it_was_planned_is_compared_whole() -> None:
    pair = matched(checked(plan(FIELDS)), found())
    assert [one.name for one in pair.columns] == ["id", "day", "price", "note", "doc"]
    assert pair.unmatched == ()


@pytest.mark.parametrize(
    "row",
    [
        ("id", "smallint", None, 16, 0),
        ("id", "integer", None, 32, 0),
        ("note", "character varying", 12, None, None),
        ("price", "numeric", None, 20, 2),
    ],
)
def test_other_widths_of_the_same_form_are_compared(row: tuple[object, ...]) -> None:
    assert matched(checked(plan(FIELDS)), found(**{str(row[0]): row})).unmatched == ()


def test_a_decimal_is_compared_with_the_digits_that_the_target_has() -> None:
    fields = [{"name": "price", "type": "NUMERIC"}, {"name": "huge", "type": "BIGNUMERIC"}]
    rows = [("price", "numeric", None, 20, 2), ("huge", "numeric", None, 38, 10)]
    pair = matched(checked(plan(fields)), rows)
    assert [(one.target_type, one.source.precision, one.source.scale) for one in pair.columns] == [
        ("DECIMAL(20,2)", 20, 2),
        ("DECIMAL(38,10)", 38, 10),
    ]
    assert not any(one.is_exact_text for one in pair.columns)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (("id", "character varying", 20, None, None), "VARCHAR in the target, where INT64 becomes BIGINT"),
        (("id", "numeric", None, 38, 0), "DECIMAL(38,0) in the target, where INT64 becomes BIGINT"),
        (("price", "double precision", None, None, None), "DOUBLE PRECISION in the target, where NUMERIC becomes"),
        (("doc", "character varying", 65535, None, None), "VARCHAR in the target, where JSON becomes SUPER"),
        (("day", "timestamp without time zone", None, None, None), "TIMESTAMP in the target"),
        (("note", "character", 20, None, None), "CHARACTER in the target"),
    ],
)
def test_another_form_is_named(row: tuple[object, ...], said: str) -> None:
    (one,) = matched(checked(plan(FIELDS)), found(**{str(row[0]): row})).unmatched
    assert one.column == row[0]
    assert one.why.startswith(said)


def test_what_stands_on_one_side_only_is_named_but_for_the_generated_key() -> None:
    extra = {"more": ("more", "bigint", None, 64, 0), "__ls_row": ("__ls_row", "character varying", 64, None, None)}
    pair = matched(checked(plan(FIELDS)), found(note=None, **extra))
    assert pair.unmatched == (
        Unmatched("note", "not in the target; note would be here"),
        Unmatched("more", "not in the source"),
    )
    assert [one.name for one in pair.columns] == ["id", "day", "price", "doc"]


def test_columns_are_chosen_by_either_name_and_an_unknown_one_is_refused() -> None:
    columns = checked(plan(FIELDS))
    assert [one.name for one in chosen(columns, ["Id", "no*"])] == ["id", "note"]
    assert chosen(columns, []) == columns
    with pytest.raises(OptionInvalid) as caught:
        chosen(columns, ["id", "nothing"])
    assert [problem.found for problem in caught.value.problems] == ["nothing"]


def increment(mode: Any, *ranges: Range) -> TablePlan:
    return plan(FIELDS, increment=Increment(previous="a", since=SNAPSHOT, ranges=ranges, mode=mode))


def test_the_history_tells_what_came_after_a_run() -> None:
    day = Range(column="day", kind=Kind.DATE, lower="2024-01-01", upper="2024-01-02")
    plans = {"b": increment("replace", day), "c": plan(FIELDS), "d": increment("merge", day)}
    rows = [("a", "1", ""), ("b", "2", "t_old"), ("c", "3", ""), ("d", "4", ""), ("gone", "5", "t_kept")]
    place = found_in(rows, "a", plans.get)
    assert [one.run for one in place.later] == ["b", "c", "d", "gone"]
    assert place.replaced == place.later[1]
    assert found_in(rows[:2], "a", plans.get).replaced is None
    assert found_in(rows[2:4], "c", plans.get).replaced is not None
    assert found_in(rows, "gone", plans.get).later == ()
    assert not found_in(rows, "never", plans.get).published


def test_rows_outside_of_ranges_are_those_that_redshift_would_find() -> None:
    made = plan(FIELDS)
    days = [date(2024, 1, 1), date(2024, 1, 2), None]
    schema = pa.schema([("id", pa.int64()), ("day", pa.date32()), ("price", pa.decimal128(38, 9))])
    columns = [[1, 2, 3], days, [Decimal(1), None, Decimal("2.5")]]
    batch = pa.RecordBatch.from_arrays(
        [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)], schema=schema
    )

    def left(**bounds: Any) -> list[int]:
        kinds = {"day": Kind.DATE, "Id": Kind.INT64, "price": Kind.DECIMAL}
        return outside(batch, made, [Range(kind=kinds[bounds["column"]], **bounds)]).column("id").to_pylist()  # type: ignore[no-any-return]

    assert left(column="day", lower="2024-01-01", upper="2024-01-02") == [2, 3]
    assert left(column="day", lower="2024-01-02") == [1, 3]
    assert left(column="day", upper="2024-01-02", nulls=True) == [2]
    assert left(column="day") == [3]
    assert left(column="day", nulls=True) == []
    assert left(column="Id", lower="2") == [1]
    assert left(column="price", lower="2") == [1, 2]
    first, last = (Range(column="Id", kind=Kind.INT64, lower=str(n), upper=str(n + 1)) for n in (1, 3))
    assert outside(batch, made, [first, last]).column("id").to_pylist() == [2]
    assert outside(batch, made, []).num_rows == 3


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Id > 3", '("__ls"."id" > 3)'),
        (
            "day >= '2024-01-01' OR day IS NULL",
            """("__ls"."day" >= CAST('2024-01-01' AS DATE) OR "__ls"."day" IS NULL)""",
        ),
    ],
)
def test_a_condition_is_asked_of_redshift_in_its_own_words(text: str, wanted: str) -> None:
    made = " ".join(on_target(plan(FIELDS), text).split()).replace("( ", "(").replace(" )", ")")
    assert made == wanted


RATIOS = [*FIELDS, {"name": "f", "type": "FLOAT64"}, {"name": "g", "type": "FLOAT64"}]
_BYTES, _NAN = "AS VARBYTE(65535))", "CAST('NaN' AS DOUBLE PRECISION)"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("note = 'v'", f"""(CAST("__ls"."note" {_BYTES} = CAST('v' {_BYTES})"""),
        ("note IN ('v')", f"""(CAST("__ls"."note" {_BYTES} IN (CAST('v' {_BYTES}))"""),
        # NaN stands above all in Redshift: only that comparison needs more.
        ("f < 1", """("__ls"."f" < CAST(1 AS DOUBLE PRECISION))"""),
        ("f > 1", f"""((("__ls"."f" > CAST(1 AS DOUBLE PRECISION)) AND "__ls"."f" <> {_NAN}))"""),
        ("f IS DISTINCT FROM 1", """(CASE WHEN "__ls"."f" IS NULL OR CAST(1 AS DOUBLE PRECISION) IS NULL """),
    ],
)
def test_texts_and_floats_are_compared_as_in_googlesql(text: str, wanted: str) -> None:
    made = " ".join(on_target(plan(RATIOS), text).split()).replace("( ", "(").replace(" )", ")")
    assert made.startswith(wanted)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("GREATEST(note, 'b') = 'b'", "GREATEST of texts.*one by one"),
        ("Id > (SELECT 1)", "subquery"),
        ("note = 'ab '", "blank"),
        ("nothing > 1", "nothing"),
        ("doc.a = 1; DROP TABLE x", "one condition"),
    ],
)
def test_a_condition_that_means_something_else_there_is_refused(text: str, said: str) -> None:
    with pytest.raises(OptionInvalid, match=said):
        on_target(plan(FIELDS), text)
