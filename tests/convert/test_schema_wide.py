"""Tables of more columns than Redshift holds: refused by name, or the last ones folded into one SUPER column."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from lakeshift.adapters.bigquery_sql import selected
from lakeshift.adapters.redshift import MAX_BYTES
from lakeshift.convert.schema import convert
from lakeshift.errors import SplitMismatch, TypeUnsupported
from lakeshift.lake.quarantine import Sorter
from lakeshift.lake.rows import converter, schema
from lakeshift.load import sql
from lakeshift.model import Handling, MisfitPolicy, TablePlan
from lakeshift.plan import mapping
from lakeshift.plan.drift import changes
from lakeshift.plan.nested import Choice, shape
from lakeshift.plan.wide import WIDE, fitted
from lakeshift.types.bigquery import columns
from lakeshift.types.redshift import MAX_COLUMNS
from lakeshift.views.translate import known_table
from localcloud.redshift.engine import Warehouse
from localcloud.redshift.session import Session
from tests.convert.test_schema_data import Target, target
from tests.unit.plans import entry, migration, planned

__all__ = ["target"]
FIELDS: list[dict[str, Any]] = [{"name": f"C{number}", "type": "INT64"} for number in range(1_595)]
LAST: list[dict[str, Any]] = [
    {"name": "Text", "type": "STRING"},
    {"name": "raw", "type": "BYTES"},
    {"name": "price", "type": "NUMERIC"},
    {"name": "big", "type": "BIGNUMERIC"},
    {"name": "at", "type": "TIMESTAMP"},
    {"name": "legs", "type": "RECORD", "mode": "REPEATED", "fields": [{"name": "X", "type": "INT64"}]},
    {"name": "Day", "type": "DATE"},
    {"name": "share", "type": "FLOAT64"},
]
MANY = [*FIELDS, *LAST]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    warehouse = Warehouse(tmp_path_factory.mktemp("redshift"))
    yield warehouse.session("dev")
    warehouse.close()


def plan_of(fields: list[dict[str, Any]], **rule: Any) -> TablePlan:
    given = entry(fields, "Wide", rule=0, partition_column="Day", partition_kind="DAY")
    return planned(given, migration([{"match": "*", "wide": "super", **rule}]))


def test_too_many_columns_are_refused_unless_the_config_says_otherwise() -> None:
    with pytest.raises(TypeUnsupported, match=r'1,603 columns; .*"wide": "super"'):
        planned(entry(MANY))


def test_the_last_columns_are_folded_and_what_rows_are_placed_by_is_not() -> None:
    made = plan_of(MANY)
    assert len(made.columns) == MAX_COLUMNS
    assert [one.target for one in made.columns[-4:]] == ["raw", "price", "day", WIDE]
    assert made.columns[-1].folds == ("big", "at", "legs", "share")
    assert made.sort_key == ("day",)
    assert selected(made) == [
        *(field["name"] for field in FIELDS),
        "Text",
        "raw",
        "price",
        "Day",
        *made.columns[-1].folds,
    ]


def test_a_table_that_fits_is_as_it_was() -> None:
    assert plan_of([*FIELDS[:1_592], *LAST]).columns == planned(entry([*FIELDS[:1_592], *LAST])).columns


def test_a_name_that_is_taken_is_not_taken_twice() -> None:
    fields = [{"name": WIDE, "type": "INT64"}, *({"name": f"c{n}", "type": "INT64"} for n in range(1_600))]
    made = fitted(shape(columns(fields), Choice(), "t"), "super", "t", Choice())
    assert len({one.target for one in made.columns}) == MAX_COLUMNS
    assert made.columns[-1].target.startswith(f"{WIDE}_")


def test_names_that_no_statement_has_room_for_are_folded_or_refused() -> None:
    long = [{"name": f"{'n' * 100}_{number}", "type": "TIMESTAMP"} for number in range(600)]
    day = {"name": "Day", "type": "DATE"}
    with pytest.raises(TypeUnsupported, match="bytes of a statement"):
        planned(entry(long))
    made = plan_of([*long, day])
    assert made.columns[-1].target == WIDE
    assert 200 < len(made.columns) < 600
    statements = [*sql.staging(made), *sql.convert(made), *sql.publish(made, "s3://l/m", 1, replaces=False)]
    assert 90_000 < max(len(one.encode()) for one in statements) < MAX_BYTES


def test_what_a_person_wants_otherwise_is_not_folded() -> None:
    choice = Choice(columns={"legs": Handling.CHILD_TABLE})
    made = fitted(shape(columns(MANY), choice, "t"), "super", "t", choice)
    assert made.children
    assert [one.target for one in made.columns[-2:]] == ["legs", WIDE]
    assert len(made.columns) + made.row_key == MAX_COLUMNS


def test_rows_come_out_of_the_target_as_they_were(target: Target) -> None:
    made = plan_of(MANY)
    row: dict[str, Any] = {field["name"]: number for number, field in enumerate(FIELDS)}
    row |= {"Text": "t", "raw": b"r", "price": Decimal("1.5"), "Day": None, "big": Decimal("5" * 38 + "." + "7" * 38)}
    row |= {"at": None, "legs": [{"X": 2**53 + 1}], "share": 0.1}
    target.load(made, [row])
    name = f'"shop"."{sql.staging_name(made)}"'
    big, share, whole, first = target.rows(
        f'SELECT CAST("{WIDE}".big AS VARCHAR(80)), CAST("{WIDE}".share AS DOUBLE PRECISION), '
        f'JSON_SERIALIZE("{WIDE}"), "c1594" FROM {name}'
    )[0]
    assert (big, share, first) == ("5" * 38 + "." + "7" * 38, 0.1, 1_594)
    found = json.loads(str(whole))
    assert (found["legs"], found["at"]) == ([{"X": 2**53 + 1}], None)


def folded_plan() -> TablePlan:
    return plan_of(
        [*FIELDS, {"name": "Day", "type": "DATE"}, *({"name": f"d{n}", "type": "INT64"} for n in range(3)), *LAST[:2]]
    )


def batch(plan: TablePlan, **values: list[Any]) -> pa.RecordBatch:
    count = len(next(iter(values.values())))
    found = {name: pa.nulls(count, pa.int64()) for one in plan.columns for name in one.sources}
    found["Day"] = pa.nulls(count, pa.date32())
    given = {"Text": pa.string(), "raw": pa.binary()}
    found |= {name: pa.array(values.get(name, [None] * count), kind) for name, kind in given.items()}
    return pa.RecordBatch.from_pydict(found)


def test_fields_have_the_forms_that_json_holds_and_missing_ones_are_null() -> None:
    made = folded_plan()
    assert made.columns[-1].folds == ("Text", "raw")
    rows = converter(made.columns)(batch(made, Text=["a", None], raw=[b"\xff", None]))
    assert rows.schema == schema(made.columns)
    assert rows.column(WIDE).to_pylist() == [
        {"text": "a", "raw": base64.b64encode(b"\xff").decode()},
        {"text": None, "raw": None},
    ]
    without = batch(made, Text=["a"]).drop_columns(["raw"])
    assert converter(made.columns, missing=["RAW"])(without).column(WIDE).to_pylist() == [{"text": "a", "raw": None}]
    with pytest.raises(SplitMismatch, match="raw"):
        converter(made.columns)(without)


def test_a_misfit_in_one_of_many_columns_does_not_empty_the_others() -> None:
    made = folded_plan().model_copy(update={"misfits": MisfitPolicy.NULL})
    rows = converter(made.columns)(batch(made, Text=["x" * 70_000, "b"]))
    found = Sorter(made).sort(rows)
    assert found.quarantined == 1
    assert [row["text"] for row in found.kept.column(WIDE).to_pylist()] == ["b"]


def test_the_mapping_lists_each_folded_column() -> None:
    found = {one["source"]: one for one in mapping.document(plan_of(MANY))["columns"]}
    assert len(found) == len(MANY)
    share = found["share"]
    assert (share["target"], share["field"], share["target_type"]) == (WIDE, "share", "SUPER")
    assert share["loss_risk"] == "NaN and infinities do not fit SUPER"
    assert "exact text" in found["big"]["reason"]
    assert [leaf["path"] for leaf in found["legs"]["leaves"]] == ["legs.X"]
    assert json.loads(mapping.line(plan_of(MANY))) == mapping.document(plan_of(MANY))


def test_a_new_folded_column_reloads_and_a_column_that_moves_into_it_is_no_safe_change() -> None:
    before, more = plan_of(MANY), plan_of([*MANY, {"name": "extra", "type": "INT64"}])
    assert [(one.level, one.how, one.what) for one in changes(before, more)] == [
        ("safe", "reload", ".extra is new (INT64)")
    ]
    most, more = plan_of([*MANY[:1_599], LAST[6]]), plan_of([*MANY[:1_600], LAST[6]])
    moved = {one.column: (one.level, one.how, one.what) for one in changes(most, more)}
    assert moved["big"] == ("breaking", "reload", f"is folded into {WIDE}")
    assert moved[WIDE][:2] == ("safe", "reload")


def test_views_do_not_find_a_folded_column() -> None:
    known = known_table(plan_of(MANY))
    assert {WIDE, "big", "share"} <= set(known.other)
    assert WIDE not in dict(known.columns)


def test_a_schema_is_converted_either_way(session: Session) -> None:
    text = json.dumps(MANY)
    refused = convert(text, "bigquery", "t").document
    assert len(refused["refused"]) == len(MANY)
    done = convert(text, "bigquery", "t", wide="super")
    assert done.complete
    assert len(done.document["columns"]) == len(MANY)
    session.execute(done.document["ddl"].rstrip(";"))
