"""The Glue Data Catalog shows what is published: files of a whole run, a view of increments, and rollback."""

from __future__ import annotations

import base64
import json
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyarrow import BufferReader

from lakeshift.model import RunState
from tests.scenarios.cloud import Cloud, config

DATABASE = "lakeshift_dev_shown"


def entry(cloud: Cloud, name: str) -> dict[str, Any]:
    found: dict[str, Any] = cloud.client("glue").get_table(DatabaseName=DATABASE, Name=name)["Table"]
    return found


def rows(cloud: Cloud, location: str) -> list[Any]:
    """What an engine reads that follows the list of files at a location."""
    bucket, key = location.removeprefix("s3://").split("/", 1)
    objects, found = cloud.console.ports.objects, []
    for line in objects.get(bucket, f"{key}files.txt").decode().splitlines():
        place, name = line.removeprefix("s3://").split("/", 1)
        found += pq.read_table(BufferReader(objects.get(place, name))).to_pylist()
    return sorted(found, key=str)


@pytest.mark.timeout(900)
def test_the_catalog_follows_what_is_published(cloud: Cloud) -> None:
    cloud.bigquery("CREATE SCHEMA IF NOT EXISTS demo.shown")
    cloud.bigquery("CREATE OR REPLACE TABLE demo.shown.t AS SELECT 7 AS id, STRUCT([1.5] AS x) AS s")
    first = cloud.wait(cloud.submit("shown", config("shown")))
    assert first.state is RunState.SUCCEEDED
    assert cloud.tables(first.run)["t"].notes == ()
    found = entry(cloud, "t")
    assert found["Parameters"]["lakeshift.run"] == first.run
    types = {column["Name"]: column["Type"] for column in found["StorageDescriptor"]["Columns"]}
    assert types == {"id": "bigint", "s": "struct<x:array<double>>"}
    assert rows(cloud, found["StorageDescriptor"]["Location"]) == [{"id": 7, "s": {"x": [1.5]}}]

    cloud.bigquery("CREATE OR REPLACE TABLE demo.shown.t AS SELECT 8 AS id, STRUCT([2.5] AS x) AS s")
    rule = {"match": "t", "incremental": {"by": "column", "column": "id"}}
    dataset = {"name": "shown", "tables": [rule]}
    source = {"type": "bigquery", "project": "demo", "datasets": [dataset]}
    second = cloud.wait(cloud.submit("shown", {"sources": [source]}))
    assert second.state is RunState.SUCCEEDED
    view = entry(cloud, "t")
    assert view["TableType"] == "VIRTUAL_VIEW"
    text = view["ViewOriginalText"].removeprefix("/* Presto View: ").removesuffix(" */")
    said = json.loads(base64.b64decode(text))
    assert f"ls_run = '{first.run}' AND NOT" in said["originalSql"]
    parts = cloud.client("glue").get_partitions(DatabaseName=DATABASE, TableName="t__runs")["Partitions"]
    assert {part["Values"][0] for part in parts} == {first.run, second.run}
    assert [row["id"] for part in parts for row in rows(cloud, part["StorageDescriptor"]["Location"])] == [7, 8]

    cloud.console.rollback(second.run, "")
    back = entry(cloud, "t")
    assert (back["TableType"], back["Parameters"]["lakeshift.run"]) == ("EXTERNAL_TABLE", first.run)
