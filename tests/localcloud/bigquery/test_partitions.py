"""Partitioned tables: pseudo columns, decorators, what a restriction rules out, what a partition knows of itself."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from google.api_core import exceptions
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient

from localcloud.bigquery.schema import Field
from localcloud.bigquery.sql.restriction import Restrictions
from localcloud.bigquery.storage import buckets, catalog, files, writer
from localcloud.bigquery.storage.catalog import Catalog, TableRef
from localcloud.bigquery.storage.partitions import Partitioning
from tests.localcloud.bigquery.connections import load_lines, open_session, read_table

A = [{"name": "a", "type": "INT64"}]
DAYS = bigquery.TimePartitioning(type_="DAY")


def rows(bq: bigquery.Client, query: str) -> list[tuple[Any, ...]]:
    return [tuple(r.values()) for r in bq.query_and_wait(query)]


def known(bq: bigquery.Client, dataset: str, table: str = "t") -> dict[str, tuple[int, int, dt.datetime]]:
    """Rows, bytes and time of each partition."""
    query = (
        "SELECT partition_id, total_rows, total_logical_bytes, last_modified_time "
        f"FROM `{dataset}.INFORMATION_SCHEMA.PARTITIONS` WHERE table_name = '{table}'"
    )
    return {name: tuple(rest) for name, *rest in rows(bq, query)}


@pytest.fixture
def ingested(bq: bigquery.Client, dataset: str) -> str:
    """Partitions by ingestion time: two rows of 30 January 2024, one of the 31st."""
    bq.query_and_wait(f"CREATE TABLE `{dataset}.t` (a INT64) PARTITION BY _PARTITIONDATE")
    load_lines(bq, f"{dataset}.t$20240130", ['{"a":1}', '{"a":2}'], A)
    load_lines(bq, f"{dataset}.t$20240131", ['{"a":3}'], A)
    return f"{dataset}.t"


def test_a_load_into_a_partition(bq: bigquery.Client, ingested: str) -> None:
    assert {k: v[:2] for k, v in known(bq, ingested[:-2]).items()} == {"20240130": (2, 16), "20240131": (1, 8)}
    load_lines(bq, f"{ingested}$20240130", ['{"a":9}'], A, write_disposition="WRITE_TRUNCATE")
    assert rows(bq, f"SELECT a FROM `{ingested}` ORDER BY a") == [(3,), (9,)]
    with pytest.raises(exceptions.Conflict):
        load_lines(bq, f"{ingested}$20240130", ['{"a":9}'], A, write_disposition="WRITE_EMPTY")
    load_lines(bq, f"{ingested}$20240201", ['{"a":7}'], A, write_disposition="WRITE_EMPTY")
    for decorator in ("2024", "20240230", "x", "2024013001", "__NULL__"):
        with pytest.raises(exceptions.BadRequest, match="partition"):
            load_lines(bq, f"{ingested}${decorator}", ['{"a":9}'], A)


def test_pseudo_columns_in_queries(bq: bigquery.Client, ingested: str) -> None:
    first, second = dt.datetime(2024, 1, 30, tzinfo=dt.UTC), dt.datetime(2024, 1, 31, tzinfo=dt.UTC)
    query = f"SELECT a, _PARTITIONTIME AS t, _PARTITIONDATE AS d FROM `{ingested}` ORDER BY a"
    assert rows(bq, query) == [
        (1, first, first.date()),
        (2, first, first.date()),
        (3, second, second.date()),
    ]
    assert rows(bq, f"SELECT a FROM `{ingested}` WHERE _PARTITIONDATE = '2024-01-31'") == [(3,)]
    assert rows(bq, f"SELECT COUNT(*) AS n FROM `{ingested}` WHERE _PARTITIONTIME IS NULL") == [(0,)]
    with pytest.raises(exceptions.BadRequest, match="_PARTITION"):
        rows(bq, f"SELECT _PARTITIONTIME FROM `{ingested}`")


def test_a_star_has_no_pseudo_columns(bq: bigquery.Client, ingested: str) -> None:
    where = "WHERE _PARTITIONTIME >= TIMESTAMP '2024-01-31'"
    assert [dict(r) for r in bq.query_and_wait(f"SELECT * FROM `{ingested}` {where}")] == [{"a": 3}]
    assert [dict(r) for r in bq.query_and_wait(f"SELECT x.* FROM `{ingested}` x {where}")] == [{"a": 3}]
    joined = f"SELECT x.*, y.n FROM `{ingested}` x JOIN (SELECT 3 AS n) y ON x.a = y.n {where}"
    assert [dict(r) for r in bq.query_and_wait(joined)] == [{"a": 3, "n": 3}]
    plain = f"SELECT *, _PARTITIONDATE AS day FROM `{ingested}` {where}"
    assert [dict(r) for r in bq.query_and_wait(plain)] == [{"a": 3, "day": dt.date(2024, 1, 31)}]


def test_pseudo_columns_and_the_read_api(reads: BigQueryReadClient, ingested: str) -> None:
    assert read_table(reads, ingested).column_names == ["a"]
    with pytest.raises(exceptions.InvalidArgument, match="do not exist"):
        open_session(reads, ingested, selected_fields=["_PARTITIONTIME"])
    for restriction, expected in (
        ("_PARTITIONTIME < TIMESTAMP '2024-01-31'", [1, 2]),
        ("_PARTITIONDATE = '2024-01-31'", [3]),
        ("_PARTITIONTIME < '2024-01-31' AND a > 1", [2]),
        ("_PARTITIONTIME >= '2024-01-31' OR a = 1", [1, 3]),
        ("DATE(_PARTITIONTIME) IN ('2024-01-30', '2024-02-02')", [1, 2]),
        ("NOT _PARTITIONDATE = '2024-01-31'", [1, 2]),
        ("_PARTITIONTIME IS NULL", []),
    ):
        found = read_table(reads, ingested, row_restriction=restriction).column("a").to_pylist()
        assert sorted(found) == expected, restriction


def test_rows_inserted_into_a_partition(bq: bigquery.Client, ingested: str) -> None:
    bq.query_and_wait(
        f"INSERT INTO `{ingested}` (_PARTITIONTIME, a) "
        "VALUES (TIMESTAMP '2023-05-01', 10), ('2024-01-31', 11), (TIMESTAMP '2023-05-01', 12)"
    )
    bq.query_and_wait(f"INSERT INTO `{ingested}` (a, _PARTITIONTIME) SELECT 13, TIMESTAMP '2023-05-02'")
    counts = {name: n for name, (n, *_) in known(bq, ingested[:-2]).items()}
    assert counts == {"20230501": 2, "20230502": 1, "20240130": 2, "20240131": 2}
    query = f"SELECT a FROM `{ingested}` WHERE _PARTITIONDATE = '2023-05-01' ORDER BY a"
    assert rows(bq, query) == [(10,), (12,)]
    for moment in ("TIMESTAMP '2023-05-01 01:00:00'", "NULL"):
        with pytest.raises(exceptions.BadRequest, match="_PARTITIONTIME"):
            bq.query_and_wait(f"INSERT INTO `{ingested}` (_PARTITIONTIME, a) VALUES ({moment}, 1)")


def test_changed_rows_stay_in_their_partition(bq: bigquery.Client, ingested: str) -> None:
    before = known(bq, ingested[:-2])
    bq.query_and_wait(f"UPDATE `{ingested}` SET a = a + 100 WHERE a = 2")
    bq.query_and_wait(f"DELETE FROM `{ingested}` WHERE _PARTITIONDATE = '2024-02-01'")
    query = f"SELECT a, _PARTITIONDATE AS d FROM `{ingested}` ORDER BY a"
    first, second = dt.date(2024, 1, 30), dt.date(2024, 1, 31)
    assert rows(bq, query) == [(1, first), (3, second), (102, first)]
    after = known(bq, ingested[:-2])
    assert {name for name in after if after[name] != before[name]} == {"20240130"}


@pytest.mark.parametrize(
    ("unit", "kind", "text", "partition"),
    [
        ("HOUR", "TIMESTAMP", "2024-02-29T23:59:59Z", "2024022923"),
        ("HOUR", "DATETIME", "2024-02-29T23:59:59", "2024022923"),
        ("DAY", "TIMESTAMP", "2024-02-29T23:59:59Z", "20240229"),
        ("DAY", "DATE", "1969-12-31", "19691231"),
        ("MONTH", "DATE", "2024-02-29", "202402"),
        ("MONTH", "DATETIME", "1969-12-31T23:59:59.999999", "196912"),
        ("YEAR", "DATE", "2024-02-29", "2024"),
        ("YEAR", "TIMESTAMP", "0001-01-01T00:00:00Z", "0001"),
    ],
)
def test_units_of_time(bq: bigquery.Client, dataset: str, unit: str, kind: str, text: str, partition: str) -> None:
    by = bigquery.TimePartitioning(type_=unit, field="k")
    lines = [json.dumps({"k": text}), '{"k":null}']
    load_lines(bq, f"{dataset}.t", lines, [{"name": "k", "type": kind}], time_partitioning=by)
    assert {name: n for name, (n, *_) in known(bq, dataset).items()} == {partition: 1, "__NULL__": 1}


def test_partitions_change_alone(bq: bigquery.Client, dataset: str) -> None:
    schema = [{"name": "d", "type": "DATE"}, {"name": "s", "type": "STRING"}]
    lines = [json.dumps({"d": f"2024-01-0{i}", "s": "x" * i}) for i in range(1, 6)]
    by = bigquery.TimePartitioning(field="d")
    load_lines(bq, f"{dataset}.t", lines, schema, time_partitioning=by)
    before = known(bq, dataset)
    assert [size for _, size, _ in before.values()] == [8 + 2 + i for i in range(1, 6)]

    def changed(statement: str) -> set[str]:
        nonlocal before
        old, _ = before, bq.query_and_wait(statement.format(t=f"`{dataset}.t`"))
        before = known(bq, dataset)
        return {name for name in {*old, *before} if old.get(name) != before.get(name)}

    assert changed("UPDATE {t} SET d = '2024-01-05' WHERE d = '2024-01-01'") == {"20240101", "20240105"}
    assert "20240101" not in before
    assert changed("DELETE FROM {t} WHERE s = 'xx'") == {"20240102"}
    assert changed("INSERT INTO {t} VALUES ('2024-01-03', 'new'), (NULL, 'x')") == {"20240103", "__NULL__"}
    assert changed("ALTER TABLE {t} ADD COLUMN z INT64") == set()
    assert changed("DELETE FROM {t} WHERE s = 'nothing'") == set()


def test_a_load_into_a_partition_of_a_column(bq: bigquery.Client, dataset: str) -> None:
    schema = [{"name": "d", "type": "DATE"}]
    load_lines(
        bq, f"{dataset}.t", ['{"d":"2024-01-01"}'], schema, time_partitioning=bigquery.TimePartitioning("DAY", "d")
    )
    load_lines(bq, f"{dataset}.t$20240102", ['{"d":"2024-01-02"}'], schema)
    with pytest.raises(exceptions.BadRequest, match="different partitions"):
        load_lines(bq, f"{dataset}.t$20240102", ['{"d":"2024-01-02"}', '{"d":"2024-01-03"}'], schema)
    assert {name: n for name, (n, *_) in known(bq, dataset).items()} == {"20240101": 1, "20240102": 1}
    config = bigquery.QueryJobConfig(write_disposition="WRITE_TRUNCATE")
    config.destination = bigquery.TableReference.from_string(f"{dataset}.t$20240102")
    bq.query("SELECT DATE '2024-01-02' AS d UNION ALL SELECT DATE '2024-01-02'", job_config=config).result()
    assert {name: n for name, (n, *_) in known(bq, dataset).items()} == {"20240101": 1, "20240102": 2}
    load_lines(bq, f"{dataset}.u", ['{"d":"2024-01-01"}'], schema)
    with pytest.raises(exceptions.BadRequest, match="not partitioned"):
        load_lines(bq, f"{dataset}.u$20240102", ['{"d":"2024-01-02"}'], schema)


@pytest.fixture
def guarded(bq: bigquery.Client, dataset: str) -> str:
    bq.query_and_wait(
        f"CREATE TABLE `{dataset}.g` (ts TIMESTAMP, a INT64) PARTITION BY TIMESTAMP_TRUNC(ts, DAY) "
        "OPTIONS(require_partition_filter=true)"
    )
    lines = ['{"ts":"2024-01-01T01:00:00Z","a":1}', '{"ts":"2024-01-02T02:00:00Z","a":2}', '{"a":3}']
    load_lines(bq, f"{dataset}.g", lines, None)
    return f"{dataset}.g"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("ts IS NULL", [3]),
        ("ts IS NOT NULL", [1, 2]),
        ("ts >= '2024-01-02' OR ts IS NULL", [2, 3]),
        ("(ts < TIMESTAMP '2024-01-01 01:00:00+00') OR a = 9 AND ts = '2024-01-01'", []),
        ("DATE(ts) = '2024-01-01' AND a > 0", [1]),
        ("ts BETWEEN TIMESTAMP '2024-01-01' AND TIMESTAMP '2024-01-02'", [1]),
        ("TIMESTAMP '2024-01-02' <= ts", [2]),
        ("ts > TIMESTAMP_SUB(TIMESTAMP '2024-01-03', INTERVAL 1 DAY)", [2]),
    ],
)
def test_filters_that_rule_out_partitions(
    bq: bigquery.Client, reads: BigQueryReadClient, guarded: str, condition: str, expected: list[int]
) -> None:
    assert sorted(read_table(reads, guarded, row_restriction=condition).column("a").to_pylist()) == expected
    assert rows(bq, f"SELECT a FROM `{guarded}` WHERE {condition} ORDER BY a") == [(a,) for a in expected]


@pytest.mark.parametrize("condition", ["a = 1", "ts >= '2024-01-02' OR a = 1", "true", "ts = TIMESTAMP_SECONDS(a)"])
def test_filters_that_do_not(bq: bigquery.Client, reads: BigQueryReadClient, guarded: str, condition: str) -> None:
    with pytest.raises(exceptions.InvalidArgument, match="partition elimination"):
        open_session(reads, guarded, row_restriction=condition)
    with pytest.raises(exceptions.BadRequest, match="partition elimination"):
        rows(bq, f"SELECT a FROM `{guarded}` WHERE {condition}")


def test_bytes_of_ruled_out_partitions_are_not_counted(
    bq: bigquery.Client, reads: BigQueryReadClient, guarded: str
) -> None:
    config = bigquery.QueryJobConfig(dry_run=True)
    whole, part = (
        bq.query(f"SELECT a FROM `{guarded}` WHERE {condition}", job_config=config).total_bytes_processed
        for condition in ("ts IS NULL OR ts IS NOT NULL", "DATE(ts) = '2024-01-01'")
    )
    # A partition counts with its share of the rows; `ts` is NULL in one of three.
    assert (whole, part) == (3 * 8 + 2 * 8, 40 // 3)
    session = open_session(reads, guarded, row_restriction="ts >= '2024-01-02'")
    assert session.estimated_row_count == 1


DECIDED = [
    # restriction, rows that stay, storage batches that must be read to know
    ("k >= 40 AND k < 60", 20, 0),
    ("k BETWEEN 40 AND 60", 21, 1),
    ("k IN (40, 60)", 2, 2),
    ("k = 40 OR k IS NULL", 6, 1),
    ("NOT (k < 60 OR k >= 60)", 0, 0),
    ("k != 40", 199, 1),
    ("k > 40 AND a = 1", 159, 16),
    ("k IS NOT NULL", 200, 0),
    ("k < NULL", 0, 0),
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[tuple[Catalog, catalog.Table]]:
    """Twenty partitions of ten numbers each, and one of five NULLs."""
    found = Catalog(tmp_path)
    found.create_dataset("p", "d", {})
    ranges = {"rangePartitioning": {"field": "k", "range": {"start": "0", "end": "200", "interval": "10"}}}
    fields = (Field("k", "INTEGER"), Field("a", "INTEGER"))
    table = found.create(TableRef("p", "d", "t"), fields, ranges)
    keys = [*range(199, -1, -1), *[None] * 5]
    writer.append(found, table, fields, [pa.record_batch({"k": pa.array(keys), "a": pa.array([1] * 205)})])
    yield found, table
    files._reader.cache_clear()


@pytest.mark.parametrize(("text", "expected", "looked_at"), DECIDED)
def test_batches_that_need_not_be_looked_at(
    store: tuple[Catalog, catalog.Table], monkeypatch: pytest.MonkeyPatch, text: str, expected: int, looked_at: int
) -> None:
    found, table = store
    assert [e.rows for f in table.current.files for e in f.extents] == [10] * 20 + [5]
    restrictions, read = Restrictions(found), []
    original = files.batch

    def counted(path: Path, index: int) -> pa.RecordBatch:
        read.append(index)
        return original(path, index)

    monkeypatch.setattr(files, "batch", counted)
    for _ in range(2):
        # The second time nothing is read at all.
        pieces = restrictions.pieces(table, table.current, text)
        assert sum(p.batch.extent.rows if p.mask is None else p.mask.true_count for p in pieces) == expected
        assert len(read) == looked_at


@pytest.mark.parametrize(
    ("restriction", "expected"),
    [
        ("d = DATE '2024-01-02'", [2]),
        ("dt >= DATETIME '2024-01-02T00:00:00' AND dt < DATETIME '2024-01-03 00:00:00'", [2]),
        ("ts > TIMESTAMP '2024-01-02 02:00:00+02' OR ts IS NULL", [2, 3, 4]),
        ("n = NUMERIC '0.000000002'", [2]),
        ("n BETWEEN 0.000000001 AND 0.000000002", [1, 2]),
        ("i IN (1, 3, NULL)", [1, 3]),
        ("NOT i IN (1, 3)", [2]),
        ("STARTS_WITH(s, 'b') OR s = 'it\\'s'", [2, 3]),
        ("s IS NOT NULL AND NOT (i < 2 OR d > '2024-01-02')", [2]),
        ("f.x = 2 AND t.f.x IS NOT NULL", [2]),
    ],
)
def test_literals_of_restrictions(
    bq: bigquery.Client, reads: BigQueryReadClient, dataset: str, restriction: str, expected: list[int]
) -> None:
    kinds = {"i": "INT64", "d": "DATE", "dt": "DATETIME", "ts": "TIMESTAMP", "n": "NUMERIC", "s": "STRING"}
    schema: list[dict[str, Any]] = [{"name": n, "type": t} for n, t in {"k": "INT64", **kinds}.items()]
    schema.append({"name": "f", "type": "RECORD", "fields": [{"name": "x", "type": "INT64"}]})
    lines = [
        {
            "k": k, "i": k, "d": f"2024-01-0{k}", "dt": f"2024-01-0{k}T12:00:00",
            "ts": f"2024-01-0{k}T00:00:00.000001Z", "n": f"0.00000000{k}", "s": text, "f": {"x": k},
        }
        for k, text in ((1, "a"), (2, "bc"), (3, "it's"))
    ]  # fmt: skip
    load_lines(bq, f"{dataset}.t", [json.dumps(line) for line in (*lines, {"k": 4})], schema)
    found = read_table(reads, f"{dataset}.t", row_restriction=restriction, selected_fields=["k"])
    assert sorted(found.column("k").to_pylist()) == expected


def test_what_batches_hold_survives_a_restart(store: tuple[Catalog, catalog.Table]) -> None:
    found, table = store
    again = Catalog(found.root).table(table.ref)
    assert again.versions == table.versions
    assert again.partitions == table.partitions
    assert len(again.partitions) == 21
    pieces = Restrictions(Catalog(found.root)).pieces(again, again.current, "k BETWEEN 40 AND 49")
    assert [(p.batch.extent.partition, p.mask) for p in pieces] == [("40", None)]


def test_a_restriction_must_make_sense_where_nothing_is_read(reads: BigQueryReadClient, guarded: str) -> None:
    for restriction in ("ts = '1999-01-01' AND nope = 1", "ts = 'no time'", "ts = '1999-01-01' AND a LIKE 3"):
        with pytest.raises(exceptions.InvalidArgument):
            open_session(reads, guarded, row_restriction=restriction)
    assert list(open_session(reads, guarded, row_restriction="ts = '1999-01-01'").streams) == []


def test_batches_hold_one_partition_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "BATCH_ROWS", 8)
    layout = Partitioning("k", "", 0, 30, 10)
    batches = [pa.record_batch({"k": [i % 31 - 1 for i in range(n, n + 50)]}) for n in range(0, 200, 50)]
    found = list(buckets.arranged(batches, layout))
    assert sum(b.num_rows for _, b in found) == 200
    expected = {"__UNPARTITIONED__": {-1}, **{str(s): set(range(s, s + 10)) for s in (0, 10, 20)}}
    assert all(set(b.column("k").to_pylist()) <= expected[str(label)] for label, b in found)
    assert max(b.num_rows for _, b in found) == 8
    assert len(found) <= 200 // 8 + 4


def test_a_replaced_table_may_have_other_partitions(
    bq: bigquery.Client, reads: BigQueryReadClient, dataset: str
) -> None:
    table = f"{dataset}.t"
    bq.query_and_wait(
        f"CREATE TABLE `{table}` PARTITION BY RANGE_BUCKET(a, GENERATE_ARRAY(0, 10, 5)) AS "
        "SELECT 1 AS a, 7 AS b UNION ALL SELECT 7, 1"
    )
    before = dt.datetime.now(dt.UTC)
    bq.query_and_wait(
        f"CREATE OR REPLACE TABLE `{table}` PARTITION BY RANGE_BUCKET(b, GENERATE_ARRAY(0, 10, 5)) AS "
        "SELECT 2 AS b, 8 AS a"
    )
    found = read_table(reads, table, row_restriction="b < 5", snapshot_time=before)
    assert found.to_pylist() == [{"a": 7, "b": 1}]
    assert read_table(reads, table, row_restriction="b < 5").to_pylist() == [{"b": 2, "a": 8}]
    bq.query_and_wait(f"CREATE OR REPLACE TABLE `{table}` (d DATE) PARTITION BY d")
    assert bq.get_table(table).time_partitioning.field == "d"
    with pytest.raises(exceptions.BadRequest, match="cannot be found"):
        bq.query_and_wait(f"CREATE OR REPLACE TABLE `{table}` (d DATE) PARTITION BY nope")
    assert bq.get_table(table).time_partitioning.field == "d"


def test_too_many_tables_for_one_query(bq: bigquery.Client, dataset: str, twin: Any) -> None:
    project, name = dataset.split(".")
    for i in range(1001):
        twin.catalog.create(TableRef(project, name, f"t{i}"), (Field("a", "INTEGER"),), {})
    view = f"`{dataset}.INFORMATION_SCHEMA.PARTITIONS`"
    with pytest.raises(exceptions.BadRequest, match="too many tables"):
        rows(bq, f"SELECT COUNT(*) AS n FROM {view}")
    names = ", ".join(f"'t{i}'" for i in range(1000))
    assert rows(bq, f"SELECT COUNT(*) AS n FROM {view} WHERE table_name IN ({names})") == [(1000,)]
    assert rows(bq, f"SELECT COUNT(*) AS n FROM {view} WHERE table_name = 't7' AND total_rows = 0") == [(1,)]
    with pytest.raises(exceptions.BadRequest, match="too many tables"):
        rows(bq, f"SELECT COUNT(*) AS n FROM {view} WHERE table_name IN ({names}, 't1000')")
