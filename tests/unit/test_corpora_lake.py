"""Schemas and rows of the world through the lake's own files: no leaf is lost, every row comes back as it was.

The schemas are read where they are; what is made of them follows a fixed seed.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakeshift.lake.parquet import FileWriter, row_groups
from lakeshift.lake.rows import converter, decimal_text, schema
from lakeshift.lake.statistics import Accumulator
from lakeshift.model import Column, Kind, Statistics
from lakeshift.plan.table import column_plan
from lakeshift.types.bigquery import columns

CORPORA = Path(__file__).parents[3] / "shared" / "corpora"
FHIR = CORPORA / "fhir-bigquery"
SCHEMAS = sorted(
    [
        *FHIR.glob("*.schema.json"),
        *(CORPORA / "mozilla-pipeline-schemas").glob("*.bq.json"),
        *(CORPORA / "mozilla-bigquery-etl").glob("*.schema.json"),
    ]
)
EXAMPLES = sorted(path for path in FHIR.glob("stu3__*.json") if not path.name.endswith(".schema.json"))
ROWS = 12

pytestmark = [
    pytest.mark.corpora,
    pytest.mark.skipif(not CORPORA.is_dir(), reason="the corpora are not beside the checkout"),
]

WIRE = {
    Kind.BOOLEAN: pa.bool_(),
    Kind.INT64: pa.int64(),
    Kind.FLOAT64: pa.float64(),
    Kind.STRING: pa.string(),
    Kind.BYTES: pa.binary(),
    Kind.DATE: pa.date32(),
    Kind.TIME: pa.time64("us"),
    Kind.DATETIME: pa.timestamp("us"),
    Kind.TIMESTAMP: pa.timestamp("us", "UTC"),
    Kind.INTERVAL: pa.month_day_nano_interval(),
    Kind.JSON: pa.string(),
    Kind.GEOGRAPHY: pa.string(),
}


def wire_type(column: Column) -> pa.DataType:
    """The Arrow type that the source's read streams have for a column."""
    if column.kind is Kind.ARRAY:
        return pa.list_(pa.field("item", wire_type(column.fields[0])))
    if column.kind is Kind.STRUCT:
        return pa.struct([pa.field(field.name, wire_type(field)) for field in column.fields])
    if column.kind is Kind.DECIMAL:
        big = column.source_type.startswith("BIGNUMERIC")
        return pa.decimal256(76, 38) if big else pa.decimal128(38, 9)
    return WIRE[column.kind]


class Maker:
    """Values for a schema; `fill` is how likely a leaf has one: 1 for all, 0 for NULLs and empty lists."""

    def __init__(self, seed: str) -> None:
        self.random = Random(seed)  # noqa: S311 - test data

    def row(self, fields: Sequence[Column], fill: float) -> dict[str, Any]:
        return {field.name: self.value(field, fill) for field in fields}

    def value(self, column: Column, fill: float) -> Any:
        if column.kind is Kind.ARRAY:
            count = 1 + self.random.randrange(2) if self.random.random() < fill else 0
            # An element of a BigQuery array is never NULL, its fields may be.
            return [self.there(column.fields[0], fill) for _ in range(count)]
        return self.there(column, fill) if column.required or self.random.random() < fill else None

    def there(self, column: Column, fill: float) -> Any:
        if column.kind is Kind.STRUCT:
            return self.row(column.fields, fill)
        return getattr(self, f"_{column.kind.value}")(column)

    def _boolean(self, _: Column) -> bool:
        return self.random.random() < 0.5

    def _int64(self, _: Column) -> int:
        return self.random.choice([0, -(2**63), 2**63 - 1, self.random.getrandbits(40)])

    def _float64(self, _: Column) -> float:
        return self.random.choice([0.0, 1e-300, -1.5, 0.1, self.random.random()])

    def _string(self, _: Column) -> str:
        return self.random.choice(["", "a\0b", '"quoted"\n', "żółć 𝄞", "x" * 700, str(self.random.random())])

    _geography = _string

    def _json(self, _: Column) -> str:
        return json.dumps({"a": [1, None, self._string(_)]})

    def _bytes(self, _: Column) -> bytes:
        return self.random.randbytes(self.random.randrange(20))

    def _decimal(self, column: Column) -> Decimal:
        digits = (column.precision or 38) - 1
        return Decimal(f"{self.random.randrange(-(10**digits), 10**digits)}E-{column.scale or 0}")

    def _date(self, _: Column) -> date:
        return self.random.choice([date.min, date.max, date(2024, 2, 29)])

    def _time(self, _: Column) -> time:
        return self.random.choice([time.min, time.max, time(1, 2, 3, 4)])

    def _datetime(self, _: Column) -> datetime:
        return datetime(1, 1, 1) + timedelta(microseconds=self.random.randrange(10**17))  # noqa: DTZ001

    def _interval(self, _: Column) -> pa.MonthDayNano:
        months, days, micros = (self.random.randrange(-limit, limit) for limit in (120_000, 3_660_000, 10**15))
        return pa.MonthDayNano([months, days, micros * 1000])

    def _timestamp(self, column: Column) -> datetime:
        return self._datetime(column).replace(tzinfo=UTC)


def back(value: Any, column: Column, *, nested: bool) -> Any:  # noqa: PLR0911
    """A value of the source out of its form in the lake."""
    if value is None:
        return None
    if column.kind is Kind.ARRAY:
        return [back(element, column.fields[0], nested=True) for element in value]
    if column.kind is Kind.STRUCT:
        return {field.name: back(value[field.name], field, nested=True) for field in column.fields}
    if column.kind is Kind.BYTES and nested:
        return base64.b64decode(value, validate=True)
    if column.kind is Kind.TIME:
        return time.fromisoformat(value)
    if column.kind is Kind.INTERVAL:
        return interval(value)
    return Decimal(value) if column.kind is Kind.DECIMAL else value


def interval(text: str) -> pa.MonthDayNano:
    """The interval that `Y-M D H:M:S.F` says, each of the three parts with its own sign."""
    year_month, days, clock = text.split(" ")
    years, months = year_month.removeprefix("-").split("-")
    hours, minutes, seconds = clock.removeprefix("-").split(":")
    nanos = int((int(hours) * 3600 + int(minutes) * 60 + Decimal(seconds)) * 10**9)
    signs = [-1 if part.startswith("-") else 1 for part in (year_month, clock)]
    return pa.MonthDayNano([signs[0] * (int(years) * 12 + int(months)), int(days), signs[1] * nanos])


def through_the_lake(fields: tuple[Column, ...], rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], Statistics]:
    """The rows as the source's Arrow, converted, into Parquet, and back; and what was measured on the way."""
    wire = pa.schema([pa.field(field.name, wire_type(field)) for field in fields])
    batch = pa.RecordBatch.from_pylist(rows, wire)
    plans = [column_plan(field) for field in fields]
    converted = converter(plans)
    body, accumulator = Body(), Accumulator(schema(plans))
    with FileWriter(body, schema(plans)) as writer:
        for group in row_groups([converted(batch.slice(start, 5)) for start in range(0, len(rows), 5)], 7):
            accumulator.add(group)
            writer.write(group)
    read = pq.read_table(pa.BufferReader(b"".join(body.parts)))
    assert read.schema.names == [plan.target for plan in plans]
    made = [
        {plan.source.name: back(row[plan.target], plan.source, nested=False) for plan in plans}
        for row in read.to_pylist()
    ]
    return made, accumulator.result()


class Body:
    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes | memoryview) -> int:
        self.parts.append(bytes(data))
        return len(data)


def leaves(fields: Sequence[Column]) -> Iterator[str]:
    """Paths of all leaves, out of the source's schema alone."""
    for field in fields:
        name = field.name
        while field.kind is Kind.ARRAY:
            field, name = field.fields[0], name + "[]"  # noqa: PLW2901
        if field.kind is Kind.STRUCT:
            yield from (f"{name}.{leaf}" for leaf in leaves(field.fields))
        else:
            yield name


def top_folded(path: str) -> str:
    """The path as statistics print it: only names of columns are folded."""
    top = path.split(".", maxsplit=1)[0].split("[", maxsplit=1)[0]
    return "".join(letter.lower() if letter.isascii() else letter for letter in top) + path[len(top) :]


def fields_of(path: Path) -> tuple[Column, ...]:
    found = json.loads(path.read_text())
    return columns(found["fields"] if isinstance(found, dict) else found)


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name.split(".schema")[0])
def test_every_leaf_and_every_row_of_a_schema_comes_back(path: Path) -> None:
    fields = fields_of(path)
    maker = Maker(path.name)
    rows = [maker.row(fields, fill) for fill in (1.0, 0.0, *[0.6] * (ROWS - 2))]
    made, statistics = through_the_lake(fields, rows)
    assert made == rows
    found = {column.path: column for column in statistics.columns}
    paths = [top_folded(leaf) for leaf in leaves(fields)]
    assert len(set(paths)) == len(paths)
    assert statistics.omitted == 0
    assert {path for path in paths if path not in found or found[path].values == found[path].nulls} == set()
    assert set(found) == {*paths, *(top_folded(field.name) for field in fields)}


def of_example(value: Any, column: Column) -> Any:
    """A value of an example row, as the source would hold it. Fails on anything that the schema does not know."""
    if column.kind is Kind.ARRAY:
        return [of_example(element, column.fields[0]) for element in value or []]
    if value is None:
        return None
    if column.kind is Kind.STRUCT:
        known = {field.name: field for field in column.fields}
        assert set(value) <= set(known)
        return {name: of_example(value.get(name), field) for name, field in known.items()}
    return {Kind.DECIMAL: Decimal, Kind.FLOAT64: float}.get(column.kind, lambda same: same)(
        str(value) if column.kind is Kind.DECIMAL else value
    )


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_fhir_rows_come_back(path: Path) -> None:
    resource = path.name.removeprefix("stu3__").split("-")[0]
    fields = fields_of(FHIR / f"stu3__{resource[0].upper()}{resource[1:]}.schema.json")
    whole = Column(name="row", kind=Kind.STRUCT, source_type="STRUCT", fields=fields)
    row = of_example(json.loads(path.read_text()), whole)
    made, statistics = through_the_lake(fields, [row])
    assert made == [row]
    held = {column.path for column in statistics.columns if column.values > column.nulls}
    assert {top_folded(leaf) for leaf in held_leaves(row, fields, "")} <= held


def held_leaves(row: dict[str, Any], fields: Sequence[Column], prefix: str) -> Iterator[str]:
    """Paths of the leaves that a row has a value for."""
    for field in fields:
        value, element, path = row[field.name], field, prefix + field.name
        values = value if field.kind is Kind.ARRAY else [value]
        if field.kind is Kind.ARRAY:
            element, path = field.fields[0], path + "[]"
        for one in values:
            if one is not None and element.kind is Kind.STRUCT:
                yield from held_leaves(one, element.fields, f"{path}.")
            elif one is not None:
                yield path


def test_the_corpora_are_there() -> None:
    assert (len(list(FHIR.glob("*.schema.json"))), len(EXAMPLES)) == (4, 6)
    assert len(SCHEMAS) >= 60


def test_a_decimal_of_the_maker_is_exact() -> None:
    column = columns([{"name": "n", "type": "BIGNUMERIC"}])[0]
    value = Maker("decimal").there(column, 1.0)
    assert Decimal(decimal_text(value)) == value
