"""The catalog of the lake: what it says of types, and that a query over it has the rows of the target."""

from __future__ import annotations

import base64
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakeshift.lake import catalog
from lakeshift.lake.catalog import Part
from lakeshift.model import ExtractManifest, Increment, Kind, LakeFile, Range, TablePlan
from tests.unit.plans import plan as planned

FIELDS: list[dict[str, Any]] = [
    {"name": "Id", "type": "INT64"},
    {"name": "Amount", "type": "NUMERIC"},
    {"name": "Day", "type": "DATE"},
    {"name": "At", "type": "TIMESTAMP"},
    {"name": "Raw", "type": "BYTES"},
    {"name": "Wide", "type": "BIGNUMERIC"},
    {
        "name": "Items",
        "type": "RECORD",
        "mode": "REPEATED",
        "fields": [
            {"name": "Sku", "type": "STRING"},
            {"name": "Paid", "type": "BOOL"},
            {"name": "Bin", "type": "BYTES"},
        ],
    },
]


def made(run: str, increment: Increment | None = None) -> TablePlan:
    return planned(FIELDS).model_copy(update={"run": run, "increment": increment})


def increment(previous: str, *ranges: Range) -> Increment:
    since = made("x").snapshot - timedelta(days=1)
    return Increment(previous=previous, since=since, ranges=ranges)


def test_types_in_the_words_of_hive() -> None:
    plan = made("r-1")
    entry = catalog.table(Part(plan, "s3://lake/processed/shop/orders/run=r-1/"))
    found = {column["Name"]: column["Type"] for column in entry["StorageDescriptor"]["Columns"]}
    assert found == {
        "id": "bigint",
        "amount": "decimal(38,9)",
        "day": "date",
        "at": "timestamp",
        "raw": "binary",
        "wide": "string",
        "items": "array<struct<sku:string,paid:boolean,bin:string>>",
    }
    assert catalog.unsaid(plan) == []


def test_a_field_that_hive_cannot_name_leaves_its_column_out() -> None:
    odd: list[dict[str, Any]] = [
        {"name": "a", "type": "RECORD", "fields": [{"name": "x:y z", "type": "INT64"}]},
        {"name": "b", "type": "INT64"},
    ]
    plan = planned(odd)
    assert catalog.unsaid(plan) == ["a"]
    assert [column["Name"] for column in catalog.table(Part(plan, "s3://l/"))["StorageDescriptor"]["Columns"]] == ["b"]


def test_only_files_that_were_loaded_are_listed() -> None:
    files = tuple(
        LakeFile(key=f"raw/{name}.parquet", offset=0, read=rows, rows=rows, bytes=9, sha256="")
        for name, rows in (("b", 1), ("a", 2), ("empty", 0))
    )
    extract = ExtractManifest(run="r", table="t", split="s", read=3, rows=3, bytes=27, files=files)
    assert catalog.file_list("lake", extract) == b"s3://lake/raw/a.parquet\ns3://lake/raw/b.parquet\n"


def test_a_view_names_types_in_the_words_of_athena() -> None:
    parts = [Part(made("r-1"), "s3://l/"), Part(made("r-2", increment("r-1")), "s3://l/")]
    text = catalog.view(parts, "db")["ViewOriginalText"]
    (encoded,) = re.findall(r"/\* Presto View: (\S+) \*/", text)
    said = json.loads(base64.b64decode(encoded))
    assert said["schema"] == "db"
    assert {column["name"]: column["type"] for column in said["columns"]} == {
        "id": "bigint",
        "amount": "decimal(38,9)",
        "day": "date",
        "at": "timestamp",
        "raw": "varbinary",
        "wide": "varchar",
        "items": 'array(row("sku" varchar, "paid" boolean, "bin" varchar))',
    }


DAYS = Range(column="Day", kind=Kind.DATE, lower="2026-01-02", upper="2026-01-03")
UNKNOWN = Range(column="Day", kind=Kind.DATE, upper="2026-01-01", nulls=True)
NEWEST = Range(column="Id", kind=Kind.INT64, lower="5")


@pytest.mark.parametrize(
    ("runs", "left"),
    [
        ([(None, {1: "2026-01-01", 2: "2026-01-02", 3: None})], [(1, "a"), (2, "a"), (3, "a")]),
        (
            [
                (None, {1: "2026-01-01", 2: "2026-01-02", 3: None}),
                ((DAYS,), {2: "2026-01-02", 4: "2026-01-02"}),
            ],
            [(1, "a"), (2, "b"), (3, "a"), (4, "b")],
        ),
        (
            [
                (None, {1: "2026-01-01", 2: "2026-01-02", 3: None}),
                ((UNKNOWN,), {7: None}),
                ((NEWEST,), {7: None, 8: "2026-01-02"}),
            ],
            [(1, "a"), (2, "a"), (7, "c"), (8, "c")],
        ),
        ([(None, {1: "2026-01-01"}), ((), {})], [(1, "a")]),
    ],
)
def test_of_each_run_the_rows_count_that_no_later_one_has_replaced(
    tmp_path: Path, runs: list[tuple[tuple[Range, ...] | None, dict[int, str | None]]], left: list[tuple[int, str]]
) -> None:
    """The view's own text, run by another engine over files that are laid out as the partitions are."""
    plans, names = [], "abc"
    for place, (ranges, rows) in enumerate(runs):
        plans.append(made(names[place], increment("before", *ranges) if ranges is not None else None))
        folder = tmp_path / f"ls_run={names[place]}"
        folder.mkdir()
        table = pa.table(
            {
                "id": pa.array(rows, pa.int64()),
                "day": pa.array(rows.values(), pa.string()),
                "who": [names[place]] * len(rows),
            }
        )
        pq.write_table(table, folder / "f.parquet")
    text = catalog.view_sql(plans, "db").split("WHERE", 1)[1]
    with duckdb.connect() as db:
        source = f"read_parquet('{tmp_path}/*/*.parquet', hive_partitioning = true)"
        every = f"SELECT id, CAST(day AS DATE) AS day, who, ls_run FROM {source}"
        found = db.sql(f"SELECT id, who FROM ({every}) WHERE {text} ORDER BY id").fetchall()
    assert found == left
