"""Rows through the whole chain: the source's Arrow, lake files, COPY, conversion, and out of the target equal.

Nested columns go in each of the ways that a person can choose.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakeshift.errors import ValidationFailed
from lakeshift.lake.parquet import FileWriter
from lakeshift.lake.rows import converter, decimal_text, interval_text, schema
from lakeshift.lake.statistics import Accumulator
from lakeshift.load import manifest, sql
from lakeshift.load.fit import elements_of
from lakeshift.model import (
    ChildPlan,
    Column,
    ColumnPlan,
    Increment,
    Kind,
    LakeFile,
    PartPlan,
    Range,
    Statistics,
    TablePlan,
)
from lakeshift.validate.step import _child_schema, _elements_there
from localcloud.redshift.engine import Warehouse
from localcloud.redshift.objects import MemoryObjects, MemoryRoles
from localcloud.redshift.session import Session
from tests.unit import generated
from tests.unit.plans import SNAPSHOT, entry, migration, planned
from tests.unit.test_corpora_lake import CORPORA, Maker, wire_type

ROLE = "arn:aws:iam::123456789012:role/copy"
FHIR = CORPORA / "fhir-bigquery"
WAYS = ("super", "flatten", "child_table", "json_text")


@dataclass
class Target:
    """A warehouse with a lake beside it."""

    session: Session
    objects: dict[str, bytes] = field(default_factory=dict)

    def load(self, plan: TablePlan, rows: list[dict[str, Any]]) -> Statistics:
        """Extract and load rows, as the steps do."""
        pairs = (
            pair
            for one in plan.columns
            for pair in zip(one.sources, one.source.fields if one.folds else [one.source], strict=True)
        )
        wire = pa.schema([pa.field(name, wire_type(column)) for name, column in pairs])
        batch = converter(plan.columns)(pa.RecordBatch.from_pylist(rows, wire))
        body, measured = _Body(), Accumulator(schema(plan.columns))
        with FileWriter(body, schema(plan.columns)) as writer:
            measured.add(batch)
            writer.write(batch)
        key = f"{plan.run}/{len(self.objects)}.parquet"
        self.objects[key] = b"".join(body.parts)
        size = len(self.objects[key])
        file = LakeFile(key=key, offset=0, read=len(rows), rows=len(rows), bytes=size, sha256="")
        self.objects[f"{key}.manifest"] = manifest.text("lake", [file])
        statistics = measured.result()
        copy = sql.copy(plan, f"s3://lake/{key}.manifest", ROLE)
        self.run(*sql.staging(plan), *([copy] if rows else []), *sql.convert(plan))
        return statistics

    def run(self, *statements: str) -> None:
        assert len(statements) <= sql.MAX_BATCH
        for statement in statements:
            self.session.execute(statement)

    def rows(self, text: str) -> list[tuple[object, ...]]:
        return self.session.execute(text).rows

    query = rows


class _Body:
    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes | memoryview) -> int:
        self.parts.append(bytes(data))
        return len(data)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    objects: dict[str, bytes] = {}
    warehouse = Warehouse(tmp_path / "redshift", MemoryObjects({"lake": objects}), MemoryRoles({ROLE}))
    session = warehouse.session("dev")
    session.execute("CREATE SCHEMA shop")
    for statement in sql.history_table():
        session.execute(statement)
    yield Target(session, objects)
    session.close()
    warehouse.close()


def plan_of(fields: list[dict[str, Any]], nested: dict[str, Any]) -> TablePlan:
    return planned(entry(fields, rule=0), migration([{"match": "*", "nested": nested}]))


# What the source holds, and what the target holds, in one form that can be compared


def parent_rows(plan: TablePlan, rows: list[dict[str, Any]]) -> Counter[str]:
    """The rows of the parent, without the key that a load gives them."""
    return Counter(_line([value for one in plan.columns for value in _values(one, row)]) for row in rows)


def _values(one: ColumnPlan, row: dict[str, Any]) -> list[Any]:
    if one.divided:
        return [_at(part, row, 0) for part in one.parts]
    return [_form(row[one.source.name], one.source)]


def _at(part: PartPlan, row: Any, depth: int) -> Any:
    for name in part.path.split(".")[depth:]:
        row = None if row is None else row[name]
    return _form(row, part.source)


def child_rows(child: ChildPlan, key: str, rows: list[dict[str, Any]]) -> Counter[str]:
    """The rows of a child table: the parent's key, the positions, the values."""
    path = child.path.split(".")
    return Counter(
        _line([row[key], *positions, *(_at(part, element, len(path)) for part in child.parts)])
        for row in rows
        for positions, element in _elements(row, path, len(child.steps))
    )


def _elements(value: Any, path: Sequence[str], steps: int) -> Iterator[tuple[list[int], Any]]:
    """Positions and elements at the end of a path; lists on the way are gone through."""
    if isinstance(value, list):
        for position, one in enumerate(value):
            for positions, element in _elements(one, path, steps - 1):
                yield [position, *positions], element
    elif value is not None and path:
        yield from _elements(value[path[0]], path[1:], steps)
    elif value is not None and steps == 0:
        yield [], value


def _line(values: list[Any]) -> str:
    return json.dumps(values, sort_keys=True)


def _form(value: Any, column: Column, *, nested: bool = False) -> Any:
    """A value of the source in that form."""
    if value is None:
        return None
    if column.kind is Kind.ARRAY:
        return [_form(one, column.fields[0], nested=True) for one in value]
    if column.kind is Kind.STRUCT:
        return {one.name: _form(value[one.name], one, nested=True) for one in column.fields}
    if column.kind is Kind.JSON:
        return value if nested else json.loads(value)
    if column.kind is Kind.INTERVAL:
        return value if isinstance(value, str) else interval_text((value.months, value.days, value.nanoseconds))
    return _FORMS.get(column.kind, _same)(value)


def _same(value: Any) -> Any:
    return value


_FORMS: dict[Kind, Callable[[Any], Any]] = {
    Kind.BYTES: lambda value: value.hex(),
    Kind.DECIMAL: lambda value: decimal_text(value).replace("-0", "0") if value == 0 else decimal_text(value),
    Kind.DATE: lambda value: value.isoformat(),
    Kind.TIME: lambda value: value.isoformat("microseconds"),
    Kind.DATETIME: lambda value: value.isoformat(" ", "microseconds"),
    Kind.TIMESTAMP: lambda value: value.replace(tzinfo=None).isoformat(" ", "microseconds"),
}


def _read(value: Any, column: Column, *, nested: bool = False) -> Any:
    """A value of the target as the source had it."""
    if value is None:
        return None
    if not nested and column.kind in {Kind.ARRAY, Kind.STRUCT}:
        value = json.loads(value, parse_float=Decimal)
    if column.kind is Kind.ARRAY:
        return [_read(one, column.fields[0], nested=True) for one in value]
    if column.kind is Kind.STRUCT:
        return {one.name: _read(value[one.name], one, nested=True) for one in column.fields}
    if column.kind is Kind.BYTES and nested:
        return base64.b64decode(value, validate=True)
    if column.kind is Kind.BYTES:
        return value if isinstance(value, bytes) else bytes.fromhex(value)
    return _READERS.get(column.kind, _same)(value)


def _moment(value: Any) -> datetime:
    text = value if isinstance(value, str) else value.isoformat(" ")
    return datetime.fromisoformat(text.removesuffix("+00").removesuffix("+00:00"))


_READERS: dict[Kind, Callable[[Any], Any]] = {
    Kind.INT64: int,
    Kind.FLOAT64: float,
    Kind.DECIMAL: lambda value: Decimal(str(value)),
    Kind.DATE: lambda value: date.fromisoformat(str(value)),
    Kind.TIME: lambda value: time.fromisoformat(str(value)),
    Kind.DATETIME: _moment,
    Kind.TIMESTAMP: _moment,
    Kind.INTERVAL: _same,
}


def found(rows: list[tuple[object, ...]], sources: Sequence[Column]) -> Counter[str]:
    """Rows of the target in that form."""
    return Counter(_line([_shown(value, one) for value, one in zip(row, sources, strict=True)]) for row in rows)


def _shown(value: Any, column: Column) -> Any:
    return _form(_read(value, column), column)


SHOP: list[dict[str, Any]] = [
    {"name": "id", "type": "INT64", "mode": "REQUIRED"},
    {"name": "seen", "type": "TIMESTAMP"},
    {
        "name": "Device",
        "type": "RECORD",
        "fields": [
            {"name": "osName", "type": "STRING"},
            {"name": "at", "type": "TIME"},
            {"name": "on", "type": "DATE"},
            {"name": "local", "type": "DATETIME"},
            {"name": "instant", "type": "TIMESTAMP"},
            {"name": "price", "type": "NUMERIC"},
            {"name": "big", "type": "BIGNUMERIC"},
            {"name": "ratio", "type": "FLOAT64"},
            {"name": "is", "type": "BOOL"},
            {"name": "raw", "type": "BYTES"},
            {"name": "took", "type": "INTERVAL"},
            {"name": "more", "type": "RECORD", "fields": [{"name": "n", "type": "INT64"}]},
        ],
    },
    {
        "name": "items",
        "type": "RECORD",
        "mode": "REPEATED",
        "fields": [
            {"name": "skuCode", "type": "STRING"},
            {"name": "price", "type": "NUMERIC", "precision": "10", "scale": "2"},
            {"name": "tags", "type": "STRING", "mode": "REPEATED"},
        ],
    },
    {"name": "days", "type": "DATE", "mode": "REPEATED"},
]


def made(count: int, seed: str = "shop", first: int = 0) -> list[dict[str, Any]]:
    maker = Maker(seed)
    fields = plan_of(SHOP, {}).columns
    rows = [maker.row([one.source for one in fields], fill) for fill in (1.0, 0.0, *[0.7] * (count - 2))]
    return [{**row, "id": first + number} for number, row in enumerate(rows)]


_NUMBER = Column(name="", kind=Kind.INT64, source_type="INT64")


def sources(plan: TablePlan) -> list[Column]:
    """The sources of the parent's columns, in order."""
    return [part.source for one in plan.columns for part in (one.parts if one.divided else [one])]


def parents(target: Target, plan: TablePlan, table: str) -> Counter[str]:
    names = ", ".join(f'"{one.name}"' for one in sql.target_columns(plan) if one.name != "__ls_row")
    return found(target.rows(f"SELECT {names} FROM {sql.in_schema(plan, table)}"), sources(plan))


def children(target: Target, plan: TablePlan, child: ChildPlan, table: str, parent: str) -> Counter[str]:
    names = ", ".join(f'c."{one.name}"' for one in sql.child_columns(plan, child)[len(child.key) :])
    joined = " AND ".join(f'p."{key}" = c."{name}"' for key, name in child.key)
    parent_name, child_name = sql.in_schema(plan, parent), sql.in_schema(plan, table)
    rows = target.rows(f'SELECT p."id", {names} FROM {child_name} AS c JOIN {parent_name} AS p ON {joined}')
    return found(rows, [_NUMBER, *(_NUMBER for _ in child.positions), *(part.source for part in child.parts)])


def is_whole(target: Target, plan: TablePlan, child: ChildPlan, measured: Statistics) -> None:
    """What the gate asks of a child table before it looks at rows."""
    _child_schema(target, plan, child)  # type: ignore[arg-type]
    elements = elements_of(child, measured)
    assert elements is not None
    _elements_there(target, plan, child, elements)  # type: ignore[arg-type]


@pytest.mark.parametrize("way", WAYS)
def test_rows_come_back_equal_in_each_way(target: Target, way: str) -> None:
    plan, rows = plan_of(SHOP, {"default": way}), made(40)
    measured = target.load(plan, rows)
    assert parents(target, plan, sql.staging_name(plan)) == parent_rows(plan, rows)
    assert [child.path for child in plan.children] == (["items", "items.tags", "days"] if way == "child_table" else [])
    for child in plan.children:
        expected = child_rows(child, "id", rows)
        table = sql.child_staging_name(plan, child)
        assert children(target, plan, child, table, sql.staging_name(plan)) == expected
        assert elements_of(child, measured) == sum(expected.values()) > 0
        is_whole(target, plan, child, measured)


def test_a_lost_row_of_a_child_table_closes_the_gate(target: Target) -> None:
    plan = plan_of(SHOP, {"default": "child_table"})
    measured = target.load(plan, made(10))
    child = plan.children[0]
    table = sql.in_schema(plan, sql.child_staging_name(plan, child))
    target.run(f"DELETE FROM {table} WHERE __ls_position_1 = 0")
    with pytest.raises(ValidationFailed, match="orders__items has"):
        is_whole(target, plan, child, measured)


@pytest.mark.parametrize("key", [[], ["id"]])
def test_an_increment_replaces_parents_and_their_children(target: Target, key: list[str]) -> None:
    first = plan_of(SHOP, {"default": "child_table", "key": key})
    old, new = made(20), made(9, "more", first=15)
    target.load(first, old)
    target.run(*sql.publish(first, "s3://m", 20, replaces=False))
    ranges = (Range(column="id", kind=Kind.INT64, lower="15"),)
    increment = Increment(previous=first.run, since=SNAPSHOT, ranges=ranges)
    second = first.model_copy(update={"run": "shop-ffffffffffff", "increment": increment})
    target.load(second, new)
    target.run(*sql.publish(second, "s3://n", 9, replaces=True))
    rows = [*old[:15], *new]
    assert parents(target, second, "orders") == parent_rows(second, rows)
    for child in second.children:
        assert children(target, second, child, child.table, "orders") == child_rows(child, "id", rows)
        total = target.rows(f"SELECT COUNT(*) FROM {sql.in_schema(second, child.table)}")
        assert total == [(sum(child_rows(child, "id", rows).values()),)]


def test_a_second_publish_keeps_the_version_before_of_parent_and_children(target: Target) -> None:
    plan = plan_of(SHOP, {"columns": {"items": "child_table"}})
    assert [child.table for child in plan.children] == ["orders__items", "orders__items__tags"]
    for count, present in ((12, ()), (7, ("orders__items", "orders__items__tags"))):
        rows = made(count)
        target.load(plan, rows)
        target.run(*sql.publish(plan, "s3://m", count, replaces=bool(present), present=present))
        child = plan.children[0]
        assert children(target, plan, child, child.table, "orders") == child_rows(child, "id", rows)
    kept = sql.kept_name(plan, plan.children[0].table)
    previous = target.rows(f"SELECT COUNT(*) FROM {sql.in_schema(plan, kept)}")
    assert previous == [(sum(child_rows(plan.children[0], "id", made(12)).values()),)]
    history = target.rows("SELECT target FROM lakeshift.load_history ORDER BY target")
    assert [name for (name,) in history] == sorted(
        ["shop.orders", "shop.orders__items", "shop.orders__items__tags"] * 2
    )


def test_an_empty_table_has_empty_children(target: Target) -> None:
    plan = plan_of(SHOP, {"default": "child_table"})
    measured = target.load(plan, [])
    for child in plan.children:
        is_whole(target, plan, child, measured)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(generated.schemas(most=5), st.sampled_from(WAYS), st.booleans())
def test_rows_of_any_schema_come_back_equal(target: Target, fields: generated.Fields, way: str, by_name: bool) -> None:
    schema_ = [{"name": "id", "type": "INT64"}, *fields]
    nested = [one["name"] for one in schema_ if one["type"] in {"RECORD", "JSON"} or one.get("mode") == "REPEATED"]
    choice: dict[str, Any] = {"columns": dict.fromkeys(nested, way)} if by_name else {"default": way}
    plan, maker = plan_of(schema_, choice), Maker("any")
    columns = [one.source for one in plan.columns]
    made_rows = [{**maker.row(columns, fill), "id": number} for number, fill in enumerate((1.0, 0.0, 0.5, 0.5))]
    target.load(plan, made_rows)
    assert parents(target, plan, sql.staging_name(plan)) == parent_rows(plan, made_rows)
    for child in plan.children:
        table = sql.child_staging_name(plan, child)
        expected = child_rows(child, "id", made_rows)
        assert children(target, plan, child, table, sql.staging_name(plan)) == expected


@pytest.mark.corpora
@pytest.mark.skipif(not CORPORA.is_dir(), reason="the corpora are not beside the checkout")
@pytest.mark.parametrize("way", ["super", "flatten"])
@pytest.mark.parametrize(
    "path",
    [*sorted(FHIR.glob("*.schema.json")), *sorted((CORPORA / "mozilla-pipeline-schemas").glob("*.bq.json"))[:6]],
    ids=lambda path: path.stem,
)
def test_rows_for_schemas_of_the_world_come_back_equal(target: Target, path: Path, way: str) -> None:
    fields = json.loads(path.read_text())
    plan, maker = plan_of(fields, {"default": way}), Maker(path.name)
    columns = [one.source for one in plan.columns]
    rows = [maker.row(columns, fill) for fill in (1.0, 0.0, 0.6, 0.6)]
    target.load(plan, rows)
    assert parents(target, plan, sql.staging_name(plan)) == parent_rows(plan, rows)
