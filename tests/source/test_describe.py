"""What the source's metadata say of tables of every kind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lakeshift.adapters import bigquery_sql
from lakeshift.adapters.bigquery import BigQuerySource
from lakeshift.errors import QueryFailed, SourceNotFound
from lakeshift.model import TableRef
from localcloud.bigquery.seed import client
from localcloud.bigquery.server import Twin
from tests.source.tables import DATASET, PROJECT, Made

PARTITIONED = {
    "by_day": ("day", "DAY"),
    "by_month": ("day", "MONTH"),
    "by_hour": ("at", "HOUR"),
    "by_hour_local": ("at", "HOUR"),
    "by_year": ("at", "YEAR"),
    "by_range": ("number", "RANGE"),
    "must_filter": ("day", "DAY"),
    "by_ingestion": ("_PARTITIONTIME", "DAY"),
    "by_ingestion_hour": ("_PARTITIONTIME", "HOUR"),
    "must_filter_ingestion": ("_PARTITIONTIME", "DAY"),
    "clone": ("day", "DAY"),
}
QUERIED = {"view": "VIEW", "materialized": "MATERIALIZED_VIEW", "external": "EXTERNAL"}


def ref(table: str) -> TableRef:
    return TableRef(project=PROJECT, dataset=DATASET, table=table)


def test_every_table_is_listed_by_name(source: BigQuerySource, tables: dict[str, Made]) -> None:
    assert source.tables(DATASET) == sorted(tables)
    assert DATASET in source.datasets()


def test_a_listing_of_many_tables_is_read_page_by_page(source: BigQuerySource, twin: Twin) -> None:
    with client(twin.endpoint, twin.credentials, PROJECT) as bq:
        bq.create_dataset(f"{PROJECT}.many")
        for number in range(1005):
            bq.create_table(f"{PROJECT}.many.t{number}")
    assert source.tables("many") == sorted(f"t{number}" for number in range(1005))


def test_columns_rows_and_kind_are_those_of_the_table(source: BigQuerySource, tables: dict[str, Made]) -> None:
    for name, made in tables.items():
        found = source.describe(made.ref)
        assert found.columns == made.columns, name
        assert found.type == {**QUERIED, "snapshot": "SNAPSHOT"}.get(name, "TABLE")
        assert found.rows == (0 if name in QUERIED else len(made.rows)), name
        assert (found.bytes > 0) == (name not in QUERIED and name not in ("all_null", "no_rows", "events_20240102"))
        assert (found.partition_column, found.partition_kind) == PARTITIONED.get(name, ("", "")), name
        assert found.requires_partition_filter == made.must_filter, name
        assert found.cluster_columns == (("name", "id") if name == "clustered" else ())


def test_a_table_that_says_it_the_old_way_demands_a_filter_too(source: BigQuerySource, twin: Twin) -> None:
    old = {
        "tableReference": {"projectId": PROJECT, "datasetId": "old", "tableId": "t"},
        "schema": {"fields": [{"name": "day", "type": "DATE"}]},
        "timePartitioning": {"type": "DAY", "field": "day", "requirePartitionFilter": True},
    }
    with client(twin.endpoint, twin.credentials, PROJECT) as bq:
        bq.create_dataset("old")
        bq._connection.api_request(method="POST", path=f"/projects/{PROJECT}/datasets/old/tables", data=old)
    assert source.describe(TableRef(project=PROJECT, dataset="old", table="t")).requires_partition_filter


def test_partitions_have_their_rows_and_the_time_of_their_last_change(
    source: BigQuerySource, tables: dict[str, Made]
) -> None:
    found = source.partitions([made.ref for made in tables.values()])
    assert {one.table for one in found} == set(tables)
    now = datetime.now(UTC)
    for name, made in tables.items():
        partitions = found[made.ref]
        assert bool(partitions) == (name in PARTITIONED), name
        assert sum(one.rows for one in partitions) == (len(made.rows) if name in PARTITIONED else 0), name
        assert [one.id for one in partitions] == sorted(one.id for one in partitions)
        assert all(one.modified and now - timedelta(hours=1) < one.modified < now for one in partitions)
    rows = {one.id: one.rows for one in found[ref("by_range")]}
    assert rows == {"0": 10, "10": 5, "50": 5, "90": 5, "__NULL__": 5, "__UNPARTITIONED__": 20}
    assert [one.id for one in found[ref("by_ingestion")]] == ["20231231", "20240101", "20240229"]
    assert all(one.bytes == 4 * 8 for one in found[ref("by_ingestion")])


def test_partitions_of_more_tables_than_one_query_takes(
    source: BigQuerySource, tables: dict[str, Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    refs = [made.ref for made in tables.values()]
    at_once = source.partitions(refs)
    monkeypatch.setattr(bigquery_sql, "MAX_PARTITION_TABLES", 2)
    assert source.partitions(refs) == at_once
    assert source.partitions([]) == {}


@pytest.mark.parametrize(
    "ask",
    [
        lambda source: source.describe(ref("nowhere")),
        lambda source: source.tables("nowhere"),
        lambda source: source.partitions([TableRef(project=PROJECT, dataset="nowhere", table="t")]),
        lambda source: source.estimate("SELECT 1 FROM nowhere.t"),
    ],
)
def test_what_does_not_exist_is_not_found(source: BigQuerySource, tables: dict[str, Made], ask: Any) -> None:
    assert tables
    with pytest.raises(SourceNotFound, match="nowhere"):
        ask(source)


def test_an_estimate_is_the_bytes_of_the_columns_that_a_query_reads(
    source: BigQuerySource, tables: dict[str, Made]
) -> None:
    table = tables["clustered"]
    name = f"`{PROJECT}.{DATASET}.{table.name}`"
    assert source.estimate(f"SELECT id FROM {name}") == 8 * len(table.rows)
    whole = source.describe(table.ref).bytes
    assert source.estimate(f"SELECT * FROM {name}") == whole > 8 * len(table.rows)


def test_a_query_that_cannot_run_has_no_estimate(source: BigQuerySource, tables: dict[str, Made]) -> None:
    with pytest.raises(QueryFailed, match="nothing"):
        source.estimate(f"SELECT nothing FROM `{tables['clustered'].ref.id}`")
