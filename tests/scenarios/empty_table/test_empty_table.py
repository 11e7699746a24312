"""A table without rows arrives with its columns; its lake has one file that knows the schema."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from lakeshift.model import Rows, RunState
from tests.scenarios.cloud import Cloud, config


def test_an_empty_table_arrives_with_its_columns(cloud: Cloud) -> None:
    cloud.bigquery("CREATE SCHEMA IF NOT EXISTS demo.empty")
    cloud.bigquery("CREATE OR REPLACE TABLE demo.empty.nothing (id INT64, tags ARRAY<STRING>, at TIME, doc JSON)")
    record = cloud.wait(cloud.submit("empty", config("empty")))
    table = cloud.tables(record.run)["nothing"]
    assert record.state is RunState.SUCCEEDED
    assert table.rows == Rows(source=0, lake=0, target=0)
    columns = cloud.redshift(
        "SELECT column_name, data_type FROM svv_columns WHERE table_schema = 'empty' "
        "AND table_name = 'nothing' ORDER BY ordinal_position"
    )
    assert [row["column_name"] for row in columns] == ["id", "tags", "at", "doc"]
    lake = cloud.console.ports.places.lake
    listed = cloud.client("s3").list_objects_v2(Bucket=lake, Prefix="raw/demo/empty/nothing/")["Contents"]
    (key,) = [found["Key"] for found in listed if found["Key"].endswith(".parquet")]
    body = cloud.console.ports.objects.get(lake, key)
    stored = pq.read_table(pa.BufferReader(body))
    assert (stored.num_rows, stored.schema.names) == (0, ["id", "tags", "at", "doc"])
