"""Tables of more columns than Redshift holds, split into several by their key."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lakeshift.adapters.bigquery_sql import relation, selected
from lakeshift.adapters.redshift import MAX_BYTES
from lakeshift.convert.schema import convert
from lakeshift.errors import TypeUnsupported, ValidationFailed
from lakeshift.lake.quarantine import Sorter
from lakeshift.lake.rows import converter
from lakeshift.load import ddl, sql
from lakeshift.load.fit import elements_of
from lakeshift.model import ChildPlan, Increment, Kind, Range, Statistics, TablePlan
from lakeshift.plan import mapping, wide
from lakeshift.plan.delta import Previous, delta
from lakeshift.plan.drift import changes
from lakeshift.plan.keys import merge_plan
from lakeshift.plan.nested import ROW_KEY
from lakeshift.plan.preview import ddl_of
from lakeshift.plan.wide import WIDE
from lakeshift.spec import Incremental
from lakeshift.types.bigquery import columns
from lakeshift.types.redshift import MAX_COLUMNS
from lakeshift.validate.step import _child_schema, _elements_there
from lakeshift.views.translate import known_table
from localcloud.redshift.engine import Warehouse
from tests.convert.test_schema_data import _NUMBER, Target, _form, _line, found, target
from tests.unit.plans import SNAPSHOT, entry, migration, planned
from tests.unit.test_corpora_lake import Maker, wire_type

__all__ = ["target"]
GOLDEN = Path(__file__).parent / "golden"
TYPES = [
    *("BOOL", "INT64", "FLOAT64", "NUMERIC", "BIGNUMERIC", "STRING", "BYTES", "DATE", "TIME", "DATETIME"),
    *("TIMESTAMP", "INTERVAL", "JSON", "GEOGRAPHY"),
]
ID = {"name": "id", "type": "INT64", "mode": "REQUIRED"}
LEGS = {"name": "legs", "type": "RECORD", "mode": "REPEATED", "fields": [{"name": "X", "type": "INT64"}]}
SMALL: list[dict[str, Any]] = [
    ID,
    *({"name": f"V{number}_{kind}", "type": kind} for number, kind in enumerate(TYPES)),
    {"name": "made", "type": "STRING", "mode": "REQUIRED", "maxLength": "5", "description": "by whom"},
    {"name": "span", "type": "RANGE", "rangeElementType": {"type": "DATE"}},
    LEGS,
    {"name": "nüm", "type": "INT64"},
]
NARROW = pytest.mark.usefixtures("narrow")
ONE_BY_ONE = [field for field in SMALL if field["name"] not in {"span", "V13_GEOGRAPHY"}]


def plan_of(fields: list[dict[str, Any]], nested: dict[str, Any] | None = None, **changes: Any) -> TablePlan:
    rule = {"match": "*", "wide": "split", **({"nested": nested} if nested else {})}
    return planned(entry(fields, rule=0, **changes), migration([rule]))


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redshift whose tables have 8 columns."""
    monkeypatch.setattr(wide, "MAX_COLUMNS", 8)


def test_every_column_is_in_one_table_and_no_statement_is_too_long() -> None:
    fields = [ID, *({"name": f"Col{number}", "type": TYPES[number % len(TYPES)]} for number in range(9_000))]
    plan = plan_of(fields)
    tables = [sql.target_columns(plan), *(sql.child_columns(plan, child) for child in plan.children)]
    assert all(len(table) <= MAX_COLUMNS and table[0].name == ROW_KEY for table in tables)
    names = [one.name for table in tables for one in table if one.name != ROW_KEY]
    assert sorted(names) == sorted(field["name"].lower() for field in fields)
    assert [child.table for child in plan.children] == [
        f"orders__part_{number}" for number in range(2, len(plan.children) + 2)
    ]
    statements = [*sql.staging(plan), *sql.convert(plan), *sql.publish(plan, "s3://l/m", 1, replaces=False)]
    longest = max(len(one.encode()) for one in statements)
    assert 80_000 < longest < MAX_BYTES
    assert len(statements) < sql.MAX_BATCH * 3
    assert selected(plan) == [field["name"] for field in fields]


def test_more_tables_than_one_transaction_publishes_are_refused_by_name() -> None:
    long = [{"name": f"{'n' * 100}_{number}", "type": "TIMESTAMP"} for number in range(9_000)]
    with pytest.raises(TypeUnsupported, match=r"\d\d tables beside it; one transaction .* publishes 15"):
        plan_of(long)


def test_a_table_that_fits_is_as_it_was() -> None:
    assert plan_of(SMALL) == planned(entry(SMALL, rule=0), migration([{"match": "*"}]))


@NARROW
def test_a_column_with_the_name_of_the_key_is_refused() -> None:
    with pytest.raises(TypeUnsupported, match="a column is called __ls_row"):
        plan_of([*SMALL, {"name": ROW_KEY, "type": "INT64"}])


@NARROW
@pytest.mark.parametrize("key", [[], ["id"]])
def test_statements_are_the_golden_ones(key: list[str]) -> None:
    plan = plan_of([*SMALL, {"name": "Parent__ID", "type": "INT64"}], {"key": key})
    text = ";\n".join([*sql.staging(plan), *sql.convert(plan), ""])
    assert text == (GOLDEN / f"split_{'key' if key else 'row'}.sql").read_text()
    assert len(ddl_of(plan)) == 1 + len(plan.children)


@NARROW
def test_keys_stay_and_parts_stand_beside_child_tables() -> None:
    plan = plan_of(SMALL, {"columns": {"legs": "child_table"}}, partition_column="V7_DATE", partition_kind="DAY")
    assert "v7_date" in [one.name for one in sql.target_columns(plan)]
    assert plan.sort_key == ("v7_date",)
    assert [child.table for child in plan.children] == [
        "orders__legs",
        "orders__part_2",
        "orders__part_3",
    ]


def rows_of(fields: list[dict[str, Any]], count: int, first: int = 0) -> list[dict[str, Any]]:
    maker = Maker(f"split {first}")
    rows = [maker.row(columns(fields), fill) for fill in (1.0, 0.0, *[0.7] * (count - 2))]
    return [{**row, "id": first + number, "made": f"by {number % 10}"} for number, row in enumerate(rows)]


def by_name(plan: TablePlan) -> list[tuple[str, Any]]:
    return [(name, source) for column in plan.columns for name, source, *_ in column.taken]


def parts_of(plan: TablePlan) -> list[ChildPlan]:
    return [child for child in plan.children if not child.steps]


def expected(child: ChildPlan, rows: list[dict[str, Any]]) -> Counter[str]:
    return Counter(_line([row["id"], *(_form(row[part.path], part.source) for part in child.parts)]) for row in rows)


def stored(target: Target, plan: TablePlan, child: ChildPlan, table: str, parent: str) -> Counter[str]:
    names = ", ".join(f'c."{part.target}"' for part in child.parts)
    joined = " AND ".join(f'p."{key}" = c."{name}"' for key, name in child.key)
    rows = target.rows(
        f'SELECT p."id", {names} FROM {sql.in_schema(plan, table)} AS c '
        f"JOIN {sql.in_schema(plan, parent)} AS p ON {joined}"
    )
    return found(rows, [_NUMBER, *(part.source for part in child.parts)])


def is_whole(target: Target, plan: TablePlan, child: ChildPlan, measured: Statistics) -> None:
    """What the gate asks of a part before it looks at rows."""
    _child_schema(target, plan, child)  # type: ignore[arg-type]
    elements = elements_of(child, measured)
    assert elements is not None
    _elements_there(target, plan, child, elements)  # type: ignore[arg-type]


@NARROW
@pytest.mark.parametrize("key", [[], ["id"]])
def test_rows_come_back_equal_with_types_of_their_own(target: Target, key: list[str]) -> None:
    plan, rows = plan_of(ONE_BY_ONE, {"key": key}), rows_of(ONE_BY_ONE, 30)
    measured = target.load(plan, rows)
    assert len(parts_of(plan)) == 2
    for child in parts_of(plan):
        table = sql.child_staging_name(plan, child)
        assert stored(target, plan, child, table, sql.staging_name(plan)) == expected(child, rows)
        assert elements_of(child, measured) == 30
        is_whole(target, plan, child, measured)
    types = {part.path: part.target_type for child in parts_of(plan) for part in child.parts}
    assert types["V10_TIMESTAMP"] == "TIMESTAMPTZ"
    assert types["V6_BYTES"] == "VARBYTE(49149)"
    assert types["made"] == "VARCHAR(20)"
    assert types["legs"] == "SUPER"


@NARROW
def test_a_lost_row_of_a_part_closes_the_gate_and_an_empty_table_has_empty_parts(target: Target) -> None:
    plan = plan_of(ONE_BY_ONE)
    for rows in ([], rows_of(ONE_BY_ONE, 10)):
        measured = target.load(plan, rows)
        for child in plan.children:
            is_whole(target, plan, child, measured)
    child = plan.children[-1]
    target.run(f"DELETE FROM {sql.in_schema(plan, sql.child_staging_name(plan, child))} WHERE made = 'by 3'")
    with pytest.raises(ValidationFailed, match=r"orders__part_3 has 9 rows for 10 of p\.Shop\.Orders"):
        is_whole(target, plan, child, measured)


@NARROW
@pytest.mark.parametrize("key", [[], ["id"]])
def test_an_increment_replaces_rows_in_all_tables(target: Target, key: list[str]) -> None:
    first = plan_of(ONE_BY_ONE, {"key": key})
    old, new = rows_of(ONE_BY_ONE, 20), rows_of(ONE_BY_ONE, 9, first=15)
    target.load(first, old)
    target.run(*sql.publish(first, "s3://m", 20, replaces=False))
    increment = Increment(previous=first.run, since=SNAPSHOT, ranges=(Range(column="id", kind=Kind.INT64, lower="15"),))
    second = first.model_copy(update={"run": "shop-ffffffffffff", "increment": increment})
    target.load(second, new)
    target.run(*sql.publish(second, "s3://n", 9, replaces=True))
    for child in parts_of(second):
        assert stored(target, second, child, child.table, "orders") == expected(child, [*old[:15], *new])
        assert target.rows(f"SELECT COUNT(*) FROM {sql.in_schema(second, child.table)}") == [(24,)]


@NARROW
def test_what_becomes_a_column_elsewhere_is_no_increment() -> None:
    before = plan_of(SMALL)
    more = plan_of([*SMALL, {"name": "extra", "type": "INT64"}])
    assert [(one.level, one.how, one.what) for one in changes(before, more)] == [
        ("safe", "reload", ".extra is new (INT64)")
    ]
    retyped = plan_of([*SMALL[:-1], {"name": "nüm", "type": "STRING"}])
    assert [(one.level, one.how) for one in changes(before, retyped)] == [("breaking", "reload")]
    pushed = plan_of([{"name": "A", "type": "INT64"}, *SMALL])
    moved = {one.column: (one.level, one.how, one.what) for one in changes(before, pushed)}
    assert moved["v4_bignumeric"] == ("breaking", "reload", "is in orders__part_2 now")
    wider = plan_of([*SMALL[:-1], {**SMALL[-1], "mode": "REQUIRED"}])
    assert changes(before, wider) == ()
    for now in (more, retyped, wider):
        given = entry(SMALL)
        assert given.table
        how = Incremental(by="column", column="id")
        previous = Previous(run="shop-000000000000", since=SNAPSHOT, plan=before, greatest=3)
        made = delta(now, given.table, how, previous, 2**20)
        assert made.increment is None
        assert made.notes[0].startswith("all rows are read: the c")


@NARROW
def test_a_split_table_is_not_merged_by_key() -> None:
    rule = {"match": "*", "wide": "split", "incremental": {"by": "key", "key": ["id"]}}
    plan = planned(entry(SMALL, rule=0), migration([rule]))
    given = entry(SMALL).table
    assert given
    with pytest.raises(TypeUnsupported, match="is not merged by key"):
        merge_plan(plan, given, Incremental(by="key", key=["id"]))


@NARROW
def test_a_value_that_does_not_fit_is_named_by_its_column_and_its_row_left_out() -> None:
    plan = plan_of(ONE_BY_ONE)
    rows = rows_of(ONE_BY_ONE, 3)
    rows[0]["made"], rows[1]["V6_BYTES"], rows[2]["V2_FLOAT64"] = "x" * 21, b"y" * 49_150, 0.5
    wire = pa.schema([pa.field(name, wire_type(source)) for name, source in by_name(plan)])
    sorted_ = Sorter(plan).sort(converter(plan.columns)(pa.RecordBatch.from_pylist(rows, wire)))
    assert sorted_.kept.num_rows == 1
    assert {(one.path, one.limit) for one in sorted_.counts()} == {(f"{WIDE}.made", 20), (f"{WIDE}.v6_bytes", 65_535)}


@NARROW
def test_views_learn_where_a_column_is() -> None:
    known = known_table(plan_of(SMALL))
    assert known.other["made"] == "it is in orders__part_3 on the target"
    assert "made" not in dict(known.columns)


@NARROW
def test_the_source_gives_plain_columns() -> None:
    plan = plan_of(SMALL)
    assert "STRUCT(" not in relation(plan)
    assert "`made` AS `made`" in relation(plan)


@NARROW
def test_the_mapping_has_each_column_under_its_table() -> None:
    plan = plan_of(SMALL)
    document = mapping.document(plan)
    entries = [*document["columns"], *(one for child in document["children"] for one in child["columns"])]
    assert [one["source"] for one in entries] == [field["name"] for field in SMALL]
    assert "## orders__part_2: more columns, since the table has more than 1,600 columns" in mapping.page(document)
    assert json.loads(mapping.line(plan)) == document
    by_source = {one["source"]: one for one in entries}
    assert by_source["V6_BYTES"]["loss_risk"] == "a value beyond 49,149 bytes does not fit"


def test_floats_on_their_way_through_super_say_so() -> None:
    fields = [ID, *({"name": f"f{number}", "type": "FLOAT64"} for number in range(1_700))]
    last = mapping.document(plan_of(fields))["children"][-1]["columns"][-1]
    assert (last["target_type"], last["loss_risk"]) == ("DOUBLE PRECISION", "NaN and infinities do not fit SUPER")


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    made = Warehouse(tmp_path_factory.mktemp("redshift"))
    yield made
    made.close()


def test_a_schema_is_converted_with_the_table_of_each_column(warehouse: Warehouse) -> None:
    fields = [ID, *({"name": f"c{number}", "type": TYPES[number % len(TYPES)]} for number in range(3_300))]
    done = convert(json.dumps(fields), "bigquery", "t", wide="split")
    assert done.complete
    tables = Counter(one["table"] for one in done.document["columns"])
    assert sum(tables.values()) == len(fields)
    assert set(tables) == {"t", *(f"t__part_{number}" for number in range(2, len(tables) + 1))}
    session = warehouse.session("dev")
    for statement in done.document["ddl"].rstrip(";").split(";\n\n"):
        session.execute(statement)
    there = session.execute("SELECT table_name, COUNT(*) FROM svv_columns WHERE table_name LIKE 't%' GROUP BY 1").rows
    assert {str(name): int(str(count)) - 1 for name, count in there} == dict(tables)


@NARROW
def test_descriptions_and_not_null_come_with_the_columns() -> None:
    plan = plan_of(SMALL)
    (made,) = (one for child in plan.children for one in sql.child_columns(plan, child) if one.name == "made")
    assert (made.required, made.description) == (True, "by whom")
    assert ddl.comments("t", "", [made]) == ["COMMENT ON COLUMN t.\"made\" IS 'by whom'"]
