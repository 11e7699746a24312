"""What is compared of a table, under every handling of nested columns."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lakeshift.lake.rows import schema
from lakeshift.load import sql
from lakeshift.model import Column, Handling, TablePlan
from lakeshift.plan.nested import ROW_KEY
from lakeshift.types.bigquery import columns
from lakeshift.validate.columns import checked, checked_child, child_batch, value
from tests.unit.plans import entry, migration, planned

ITEM = [
    {"name": "Sku", "type": "STRING"},
    {"name": "raw", "type": "BYTES"},
    {"name": "Tags", "type": "STRING", "mode": "REPEATED"},
    {
        "name": "meta",
        "type": "RECORD",
        "fields": [{"name": "K-ey", "type": "STRING"}, {"name": "vals", "type": "INT64", "mode": "REPEATED"}],
    },
]
FIELDS: list[dict[str, Any]] = [
    {"name": "Id", "type": "INT64", "mode": "REQUIRED"},
    {"name": "raw", "type": "BYTES"},
    {"name": "doc", "type": "JSON"},
    {
        "name": "Home",
        "type": "RECORD",
        "fields": [
            {"name": "City", "type": "STRING"},
            {"name": "key", "type": "BYTES"},
            {"name": "geo", "type": "RECORD", "fields": [{"name": "Lat", "type": "FLOAT64"}]},
        ],
    },
    {"name": "items", "type": "RECORD", "mode": "REPEATED", "fields": ITEM},
    {"name": "nums", "type": "INT64", "mode": "REPEATED"},
]
ROWS: list[dict[str, Any]] = [
    {
        "Id": 1,
        "raw": b"\x00\xff",
        "doc": "{}",
        "Home": {"City": "Bonn", "key": b"\x01", "geo": {"Lat": 0.5}},
        "items": [
            {"Sku": "a", "raw": b"\x02", "Tags": ["x", "y"], "meta": {"K-ey": "k", "vals": [7, 8]}},
            {"Sku": None, "raw": None, "Tags": [], "meta": None},
        ],
        "nums": [5, None, 6],
    },
    {"Id": 2, "raw": None, "doc": None, "Home": None, "items": [], "nums": None},
    {
        "Id": 3,
        "raw": b"",
        "doc": "null",
        "Home": {"City": None, "key": b"", "geo": None},
        "items": [{"Sku": "c", "raw": b"\x03\x04", "Tags": ["z"], "meta": {"K-ey": None, "vals": [9]}}],
        "nums": [],
    },
]


def lake(plan: TablePlan, rows: Iterable[dict[str, Any]] = ROWS) -> pa.RecordBatch:
    """Rows in the lake's form: bytes inside nested columns are base64, names are the plan's."""
    shape = schema(plan.columns)
    data = [
        [_lake(row[column.source.name], shape.field(column.target).type) for row in rows] for column in plan.columns
    ]
    arrays = [pa.array(values, field.type) for values, field in zip(data, shape, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=shape)


def _lake(given: Any, kind: pa.DataType) -> Any:
    if isinstance(given, list):
        return [_lake(one, kind.value_type) for one in given]
    if isinstance(given, dict):
        return {field.name: _lake(one, field.type) for field, one in zip(kind, given.values(), strict=True)}
    return base64.b64encode(given) if isinstance(given, bytes) and pa.types.is_string(kind) else given


def plan_of(found: Sequence[Column], **settings: Any) -> TablePlan:
    rule = {"match": "*", **settings}
    return planned(entry([], rule=0, columns=tuple(found)), migration([rule]))


def made(nested: dict[str, Any] | None = None) -> TablePlan:
    return plan_of(columns(FIELDS), **({"nested": nested} if nested else {}))


def values(plan: TablePlan, batch: pa.RecordBatch | None = None) -> dict[str, list[Any]]:
    batch = lake(plan) if batch is None else batch
    return {one.name: value(batch, one).to_pylist() for one in checked(plan)}


def test_whole_columns_are_compared_as_they_are() -> None:
    plan = made()
    batch = lake(plan)
    found = {name: batch.column(name).to_pylist() for name in batch.schema.names}
    assert found["doc"] == ["{}", None, "null"]
    assert values(plan) == {**found, "doc": ["{}", None, None]}
    assert [one.path for one in checked(plan)] == ["Id", "raw", "doc", "Home", "items", "nums"]
    assert [one.is_json for one in checked(plan)] == [False, False, True, True, True, True]
    assert values(plan)["raw"] == [b"\x00\xff", None, b""]


def test_flattened_columns_are_found_inside_their_structs() -> None:
    plan = made({"columns": {"Home": "flatten"}})
    found = values(plan)
    assert found["home__city"] == ["Bonn", None, None]
    assert found["home__key"] == [b"\x01", None, b""]
    assert found["home__geo__lat"] == [0.5, None, None]
    lat = next(one for one in checked(plan) if one.path == "Home.geo.Lat")
    assert (lat.lake, lat.target_type, lat.source.kind) == (("home", "geo", "lat"), "DOUBLE PRECISION", "float64")


def test_what_stays_whole_inside_a_flattened_column() -> None:
    plan = made({"columns": {"Home": "flatten", "Home.geo": "json_text"}})
    (geo,) = (one for one in checked(plan) if one.path == "Home.geo")
    assert (geo.handling, geo.is_json, geo.target_type) == (Handling.JSON_TEXT, True, "VARCHAR(65535)")
    assert value(lake(plan), geo).to_pylist() == [{"Lat": 0.5}, None, None]


def test_json_text_is_compared_by_its_json() -> None:
    plan = made({"default": "json_text"})
    texts = {one.name: (one.handling, one.is_json) for one in checked(plan)}
    assert texts == {
        "id": (Handling.SUPER, False),
        "raw": (Handling.SUPER, False),
        **dict.fromkeys(("doc", "home", "items", "nums"), (Handling.JSON_TEXT, True)),
    }


NESTED_KEY = {"default": "super", "columns": {"items": "child_table", "nums": "child_table"}, "key": ["Id"]}
NO_KEY = {"columns": {"items": "child_table", "items.Tags": "child_table", "items.meta.vals": "child_table"}}


def child_rows(plan: TablePlan, path: str, rows: Any = None) -> dict[str, list[Any]]:
    (child,) = (one for one in plan.children if one.path == path)
    found: dict[str, list[Any]] = child_batch(lake(plan), plan, child, rows).to_pydict()
    assert list(found) == [one.name for one in checked_child(plan, child)]
    return found


def test_child_tables_with_a_declared_key() -> None:
    plan = made(NESTED_KEY)
    assert [one.path for one in checked(plan)] == ["Id", "raw", "doc", "Home"]
    assert child_rows(plan, "nums") == {
        "parent__id": [1, 1, 1],
        "__ls_position_1": [0, 1, 2],
        "value": [5, None, 6],
    }
    items = child_rows(plan, "items")
    assert items["parent__id"] == [1, 1, 3]
    assert items["__ls_position_1"] == [0, 1, 0]
    assert items["sku"] == ["a", None, "c"]
    assert items["raw"] == [b"\x02", None, b"\x03\x04"]


def test_child_tables_of_child_tables_by_the_parents_fingerprints() -> None:
    plan = made(NO_KEY)
    prints = np.array([-11, -22, -33])
    assert ROW_KEY not in [one.name for one in checked(plan)]
    assert child_rows(plan, "items.Tags", prints) == {
        ROW_KEY: [-11, -11, -33],
        "__ls_position_1": [0, 0, 0],
        "__ls_position_2": [0, 1, 0],
        "value": ["x", "y", "z"],
    }
    assert child_rows(plan, "items.meta.vals", prints) == {
        ROW_KEY: [-11, -11, -33],
        "__ls_position_1": [0, 0, 0],
        "__ls_position_2": [0, 1, 0],
        "value": [7, 8, 9],
    }
    assert child_rows(plan, "items", prints)["meta__k-ey"] == ["k", None, None]
    keys = [one for child in plan.children for one in checked_child(plan, child) if one.is_row_key]
    assert [one.name for one in keys] == [ROW_KEY] * 3


def test_a_generated_key_needs_the_parents_fingerprints() -> None:
    plan = made(NO_KEY)
    with pytest.raises(ValueError, match="row fingerprints"):
        child_batch(lake(plan), plan, plan.children[0])


def test_an_array_that_stays_whole_inside_a_child_table() -> None:
    """Its path is also that of its elements."""
    plan = made({"columns": {"items": "child_table", "items.Tags": "super", "items.meta": "super"}, "key": ["Id"]})
    found = child_rows(plan, "items")
    assert found["tags"] == [["x", "y"], [], ["z"]]
    assert found["meta"] == [{"K-ey": "k", "vals": [7, 8]}, None, {"K-ey": None, "vals": [9]}]


def test_folded_columns_are_fields_of_one() -> None:
    many = columns([{"name": f"C{number}", "type": "BYTES"} for number in range(1_700)])
    plan = plan_of(many, wide="super")
    last = checked(plan)[-1]
    assert (last.name, last.source.kind, len(plan.columns)) == ("__ls_wide", "struct", len(checked(plan)))
    batch = lake_of_folded(plan)
    assert value(batch, last).to_pylist()[0]["c1699"] == base64.b64encode(b"\x07").decode()


def lake_of_folded(plan: TablePlan) -> pa.RecordBatch:
    shape = schema(plan.columns)
    wide = {field.name: base64.b64encode(b"\x07") for field in shape.field("__ls_wide").type}
    arrays = [pa.array([wide if field.name == "__ls_wide" else b"\x07"], field.type) for field in shape]
    return pa.RecordBatch.from_arrays(arrays, schema=shape)


@pytest.mark.parametrize("nested", [None, NESTED_KEY, NO_KEY, {"default": "flatten"}, {"default": "child_table"}])
def test_they_are_the_columns_of_the_published_tables(nested: dict[str, Any] | None) -> None:
    plan = made(nested)
    published = [(one.name, one.type) for one in sql.target_columns(plan) if one.name != ROW_KEY]
    assert [(one.name, one.target_type) for one in checked(plan)] == published
    for child in plan.children:
        there = [(one.name, one.type) for one in sql.child_columns(plan, child)]
        ours = [(one.name, "VARCHAR(64)" if one.is_row_key else one.target_type) for one in checked_child(plan, child)]
        assert ours == there


def test_slices_of_batches_give_the_rows_of_the_slice() -> None:
    plan = made(NO_KEY)
    child = next(one for one in plan.children if one.path == "items.meta.vals")
    part = lake(plan).slice(2, 1)
    found = child_batch(part, plan, child, np.array([-33])).to_pydict()
    assert found == {ROW_KEY: [-33], "__ls_position_1": [0], "__ls_position_2": [0], "value": [9]}
