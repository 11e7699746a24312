"""Nested data and every scalar type: equal in BigQuery, in the lake and in Redshift, value by value."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakeshift.model import RunState
from tests.scenarios.cloud import Cloud, config

HERE = Path(__file__).parent
FIELDS = json.loads((HERE / "schema.json").read_text())
DIGITS = {"NUMERIC", "BIGNUMERIC"}


@pytest.fixture(scope="module")
def run(cloud: Cloud) -> str:
    cloud.seed("demo.nested.orders", HERE / "orders.jsonl", HERE / "schema.json")
    record = cloud.wait(cloud.submit("nested", config("nested")))
    assert record.state is RunState.SUCCEEDED, [table.failure for table in cloud.tables(record.run).values()]
    return record.run


@pytest.fixture(scope="module")
def source(cloud: Cloud) -> dict[int, dict[str, Any]]:
    """The rows as Google's client reads them from BigQuery."""
    return {row["id"]: row for row in cloud.bigquery("SELECT * FROM demo.nested.orders")}


def plain(value: Any) -> Any:
    """A Python value in one form for all places: text for what JSON has no type for."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return next((form(value) for kind, form in FORMS if isinstance(value, kind)), value)


def moment(value: datetime) -> str:
    return (value.astimezone(UTC) if value.tzinfo else value).replace(tzinfo=None).isoformat()


FORMS: tuple[tuple[type, Callable[[Any], str]], ...] = (
    (datetime, moment),
    (date, date.isoformat),
    (time, time.isoformat),
    (Decimal, lambda value: f"{value.normalize():f}"),
    (bytes, lambda value: base64.b64encode(value).decode()),
    (float, repr),
)


def landed(value: Any, field: dict[str, Any]) -> Any:
    """A value of the lake or of Redshift in the same form, by the type that BigQuery gives the field."""
    if value is None:
        return None
    if field.get("mode") == "REPEATED":
        return [landed(inner, {**field, "mode": "NULLABLE"}) for inner in value]
    if field["type"] == "RECORD":
        return {child["name"]: landed(value.get(child["name"]), child) for child in field["fields"]}
    return scalar(value, field["type"])


def expected(row: dict[str, Any], field: dict[str, Any]) -> Any:
    """What BigQuery holds, in the same form; a JSON document is compared as the value that it is."""
    value = row[field["name"]]
    return value if field["type"] == "JSON" else plain(value)


def scalar(value: Any, kind: str) -> Any:
    if kind in DIGITS:
        return plain(Decimal(str(value)))
    if kind == "FLOAT64":
        return repr(float(value))
    if kind in ("DATETIME", "TIMESTAMP") and isinstance(value, str):
        return plain(datetime.fromisoformat(value))
    if kind == "TIME":
        return plain(time.fromisoformat(str(value)))
    return plain(value)


def test_the_lake_holds_every_value(cloud: Cloud, run: str, source: dict[int, dict[str, Any]]) -> None:
    lake = cloud.console.ports.places.lake
    prefix = f"raw/demo/nested/orders/run={run}/"
    listed = cloud.client("s3").list_objects_v2(Bucket=lake, Prefix=f"{prefix}_manifest-")["Contents"]
    manifest = json.loads(cloud.console.ports.objects.get(lake, listed[0]["Key"]))
    rows: list[dict[str, Any]] = []
    for entry in manifest["entries"]:
        body = cloud.console.ports.objects.get(lake, entry["url"].removeprefix(f"s3://{lake}/"))
        assert len(body) == entry["meta"]["content_length"]
        rows += pq.read_table(pa.BufferReader(body)).to_pylist()
    assert {row["id"] for row in rows} == set(source)
    for row in rows:
        for field in FIELDS:
            found = (
                json.loads(row["doc"]) if field["type"] == "JSON" and row["doc"] else landed(row[field["name"]], field)
            )
            assert found == expected(source[row["id"]], field), (row["id"], field["name"])


def test_redshift_holds_every_value(cloud: Cloud, run: str, source: dict[int, dict[str, Any]]) -> None:
    assert run
    selected = {"GEOGRAPHY": 'ST_AsText("{}")', "BYTES": 'TO_HEX("{}")', "JSON": 'JSON_SERIALIZE("{}")'}
    names = [f'{selected.get(field["type"], chr(34) + "{}" + chr(34)).format(field["name"])} AS c{index}'
             for index, field in enumerate(FIELDS)]  # fmt: skip
    rows = cloud.redshift(f"SELECT {', '.join(names)} FROM nested.orders")
    assert {row["c0"] for row in rows} == set(source)
    for row in rows:
        for index, field in enumerate(FIELDS):
            found = target(row[f"c{index}"], field)
            assert found == expected(source[row["c0"]], field), (row["c0"], field["name"])


def target(value: Any, field: dict[str, Any]) -> Any:
    """A value as the Data API gives it."""
    if value is None:
        return None
    if field["type"] in ("RECORD", "JSON") or field.get("mode") == "REPEATED":
        parsed = json.loads(value, parse_float=Decimal if field["type"] != "JSON" else float)
        return parsed if field["type"] == "JSON" else landed(parsed, field)
    if field["type"] == "BYTES":
        return plain(bytes.fromhex(value))
    if field["type"] == "GEOGRAPHY":
        return value.replace("POINT (", "POINT(")
    return landed(value, field)
