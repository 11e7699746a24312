"""SQL: results with BigQuery's types, DML and DDL, and what is refused."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient

from tests.localcloud.bigquery.connections import PROJECT, load_lines, read_table

BIG = "12345678901234567890123456789012345678.12345678901234567890123456789012345678"


def rows(bq: bigquery.Client, query: str, **config: Any) -> list[tuple[Any, ...]]:
    return [tuple(r.values()) for r in bq.query_and_wait(query, job_config=bigquery.QueryJobConfig(**config))]


@pytest.fixture(scope="module")
def numbers(bq: bigquery.Client) -> str:
    bq.create_dataset(f"{PROJECT}.sql")
    schema = [
        {"name": n, "type": t} for n, t in (("i", "INT64"), ("f", "FLOAT64"), ("n", "NUMERIC"), ("b", "BIGNUMERIC"))
    ]
    lines = [f'{{"i":1,"f":0.5,"n":"10","b":"{BIG}"}}', '{"i":2,"f":1.5,"n":"0.000000007","b":"-3"}', '{"i":3}']
    load_lines(bq, f"{PROJECT}.sql.t", lines, schema)
    return f"`{PROJECT}.sql.t`"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("SUM(i)", 6),
        ("COUNT(*)", 3),
        ("SUM(n)", Decimal("10.000000007")),
        ("AVG(n)", Decimal("5.000000004")),
        ("SUM(n / 3)", Decimal("3.333333335")),
        ("SUM(n * n)", Decimal(100)),
        ("MAX(n * 1.5)", Decimal(15)),
        ("AVG(i)", 2.0),
        ("SUM(i) / 4", 1.5),
        ("MAX(b)", Decimal(BIG)),
        ("MIN(b)", Decimal(-3)),
        ("SUM(b)", Decimal("12345678901234567890123456789012345675.12345678901234567890123456789012345678")),
        ("COUNT(DISTINCT b)", 2),
        ("COUNTIF(b IS NULL)", 1),
        ("COUNTIF(b > BIGNUMERIC '5')", 1),
        ("MAX(CAST(b AS STRING))", BIG),
        ("MAX(0.1 + 0.2)", 0.30000000000000004),
        ("MAX(SAFE_DIVIDE(1, 0))", None),
        ("ARRAY_LENGTH(ARRAY_AGG(i))", 3),
        ("MAX(f) > 1.4", True),
    ],
)
def test_aggregates(bq: bigquery.Client, numbers: str, expression: str, expected: Any) -> None:
    found = rows(bq, f"SELECT {expression} AS x FROM {numbers}")
    assert found == [(expected,)]
    assert type(found[0][0]) is type(expected)


@pytest.mark.parametrize(
    "expression",
    [
        "SUM(b) + 1", "SUM(DISTINCT b)", "SUM(b) OVER ()", "SUM(b + b)", "CAST(SUM(b) AS STRING)",
        "b + 1", "AVG(b)", "b || ''", "CAST(b AS FLOAT64)", "CONCAT(b)", "TO_JSON_STRING(b)", "b > 5",
        "CAST(i AS BIGNUMERIC)", "SQRT(n)", "1 / 0", "FORMAT('%d', i)", "i + 9223372036854775807",
        "UNKNOWN_FUNCTION(i)", "ST_GEOGPOINT(1, 2)",
    ],
)  # fmt: skip
def test_refused_rather_than_wrong(bq: bigquery.Client, numbers: str, expression: str) -> None:
    with pytest.raises(exceptions.GoogleAPICallError):
        rows(bq, f"SELECT {expression} AS x FROM {numbers}")


def test_a_bignumeric_stays_exact_under_an_alias(bq: bigquery.Client, numbers: str) -> None:
    source = f"WITH w AS (SELECT b AS c, i FROM {numbers})"
    query = f"{source} SELECT c, [c] AS l, STRUCT(c AS d) AS s FROM w WHERE i = 1"
    assert rows(bq, query) == [(Decimal(BIG), [Decimal(BIG)], {"d": Decimal(BIG)})]
    with pytest.raises(exceptions.GoogleAPICallError):
        rows(bq, f"WITH w AS (SELECT b AS c FROM {numbers}) SELECT CONCAT(c, 'x') AS x FROM w")


def test_a_sum_of_bignumerics_is_exact_in_each_group_or_an_overflow(bq: bigquery.Client, dataset: str) -> None:
    """DuckDB's own SUM of such numbers goes through DOUBLE."""
    most = "578960446186580977117854925043439539266.34992332820282019728792003956564819967"
    lines = [f'{{"i":1,"b":"{BIG}"}}', '{"i":1,"b":"0.00000000000000000000000000000000000001"}', '{"i":2}', "{}"]
    lines += [f'{{"i":3,"b":"{most}"}}'] * 2
    load_lines(bq, f"{dataset}.t", lines, [{"name": "i", "type": "INT64"}, {"name": "b", "type": "BIGNUMERIC"}])
    grouped = f"SELECT i, SUM(c) FROM (SELECT i, b AS c FROM `{dataset}.t`) WHERE i < 3 GROUP BY i ORDER BY i"
    exact = Decimal("12345678901234567890123456789012345678.12345678901234567890123456789012345679")
    assert rows(bq, grouped) == [(1, exact), (2, None)]
    assert rows(bq, f"SELECT SUM(b) FROM `{dataset}.t` WHERE i = 4") == [(None,)]
    with pytest.raises(exceptions.BadRequest, match="overflow"):
        rows(bq, f"SELECT SUM(b) FROM `{dataset}.t`")


def test_columns_without_a_name(bq: bigquery.Client, numbers: str) -> None:
    found = next(iter(bq.query_and_wait(f"SELECT COUNT(*), MIN(i) AS low, MAX(i) FROM {numbers}")))
    assert dict(found) == {"f0_": 3, "low": 1, "f1_": 3}


def test_nan_compares_with_nothing(bq: bigquery.Client, reads: BigQueryReadClient, dataset: str) -> None:
    load_lines(bq, f"{dataset}.t", ['{"f":"NaN"}', '{"f":1}', '{"f":3}', "{}"], [{"name": "f", "type": "FLOAT64"}])
    conditions = {
        "f > 2": 1,
        "f = f": 2,
        "f != 1": 2,
        "f BETWEEN 0 AND 9": 2,
        "NOT (f > 2)": 2,
        "f >= 1 OR f IS NULL": 3,
        "f IN (1, f)": 2,
        "f NOT IN (1)": 2,
        "NOT (f = IF(f = 1, NULL, f))": 1,
        "CASE f WHEN f THEN TRUE ELSE FALSE END": 2,
        "NULLIF(f, f) IS NULL": 3,
    }
    for condition, expected in conditions.items():
        assert rows(bq, f"SELECT COUNT(*) FROM `{dataset}.t` WHERE {condition}") == [(expected,)], condition
        assert read_table(reads, f"{dataset}.t", row_restriction=condition).num_rows == expected, condition


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("SUBSTR('abc', 0, 2)", "ab"),
        ("SUBSTR('abcde', -2)", "de"),
        ("BYTE_LENGTH('žluť')", 6),
        ("BYTE_LENGTH(b'\\xff12')", 3),
        ("EXTRACT(DAYOFWEEK FROM DATE '2024-01-07')", 1),
        ("CAST(2.5 AS INT64)", 3),
        ("CAST(-2.5 AS INT64)", -3),
        ("CAST(5 / 2 AS INT64)", 3),
        ("SAFE_CAST('x' AS INT64)", None),
        ("CAST(NUMERIC '1.50' AS STRING)", "1.5"),
        ("TIMESTAMP_DIFF(TIMESTAMP '2024-01-01 01:30:00+00', TIMESTAMP '2024-01-01 00:45:00+00', HOUR)", 0),
        ("TIMESTAMP_DIFF(TIMESTAMP '2024-01-01 00:45:00+00', TIMESTAMP '2024-01-01 02:30:00+00', HOUR)", -1),
        ("DATE_DIFF(DATE '2024-02-01', DATE '2024-01-31', MONTH)", 1),
        ("DATE_TRUNC(DATE '2024-01-03', WEEK)", dt.date(2023, 12, 31)),
        ("UNIX_SECONDS(TIMESTAMP '1970-01-01 00:00:01.9+00')", 1),
        ("UNIX_SECONDS(TIMESTAMP '1969-12-31 23:59:58.9+00')", -2),
        ("TIMESTAMP_MICROS(5)", dt.datetime(1970, 1, 1, 0, 0, 0, 5, tzinfo=dt.UTC)),
        ("REGEXP_REPLACE('abc', 'b(c)', r'x\\1')", "axc"),
        ("ROUND(-2.5)", -3.0),
        ("MOD(-5, 3)", -2),
    ],
)
def test_functions_where_duckdb_differs(bq: bigquery.Client, expression: str, expected: Any) -> None:
    assert rows(bq, f"SELECT {expression}") == [(expected,)]


@pytest.mark.parametrize(
    "expression",
    ["CAST(1.5 AS STRING)", "CAST(CURRENT_TIMESTAMP() AS STRING)", "1 || 'x'", "EXTRACT(WEEK FROM DATE '2024-01-07')"],
)
def test_functions_that_are_refused(bq: bigquery.Client, expression: str) -> None:
    with pytest.raises(exceptions.GoogleAPICallError, match="does not support"):
        rows(bq, f"SELECT {expression}")


def test_unnest_and_dates(bq: bigquery.Client, dataset: str) -> None:
    schema: list[dict[str, Any]] = [
        {"name": "d", "type": "DATE"},
        {"name": "l", "type": "RECORD", "mode": "REPEATED", "fields": [{"name": "x", "type": "INT64"}]},
    ]
    load_lines(bq, f"{dataset}.t", ['{"d":"2024-01-31","l":[{"x":1},{"x":2}]}', '{"d":"2024-02-29","l":[]}'], schema)
    query = f"SELECT DATE_ADD(t.d, INTERVAL 1 MONTH) AS m, e.x FROM `{dataset}.t` AS t, UNNEST(t.l) AS e ORDER BY e.x"
    assert rows(bq, query) == [(dt.date(2024, 2, 29), 1), (dt.date(2024, 2, 29), 2)]
    assert rows(bq, f"SELECT SUM(e.x) AS s FROM `{dataset}.t` t, t.l AS e") == [(3,)]
    assert rows(bq, f"SELECT DATE_TRUNC(d, MONTH) AS m FROM `{dataset}.t` ORDER BY d") == [
        (dt.date(2024, 1, 1),),
        (dt.date(2024, 2, 1),),
    ]


def test_offsets_count_from_zero(bq: bigquery.Client) -> None:
    query = "SELECT v, o, o * 10 AS tens FROM UNNEST(['a', 'b', 'c']) AS v WITH OFFSET AS o WHERE o < 2 ORDER BY o DESC"
    assert [tuple(row) for row in bq.query_and_wait(query)] == [("b", 1, 10), ("a", 0, 0)]
    counted = "SELECT p, COUNT(*) AS n FROM UNNEST(['a', 'b']) AS v WITH OFFSET p GROUP BY p ORDER BY p"
    assert [tuple(row) for row in bq.query_and_wait(counted)] == [(0, 1), (1, 1)]


def test_parameters(bq: bigquery.Client, numbers: str) -> None:
    parameters = [
        bigquery.ScalarQueryParameter("low", "INT64", 2),
        bigquery.ScalarQueryParameter("n", "NUMERIC", Decimal("1.000000001")),
        bigquery.ScalarQueryParameter("s", "STRING", "it's"),
        bigquery.ScalarQueryParameter("t", "TIMESTAMP", dt.datetime(2020, 1, 1, tzinfo=dt.UTC)),
        bigquery.ScalarQueryParameter("none", "DATE", None),
        bigquery.ArrayQueryParameter("l", "INT64", [2, 3]),
        bigquery.ScalarQueryParameter("y", "BYTES", b"\xff"),  # type: ignore[arg-type]
    ]
    query = (
        f"SELECT i, @n AS n, @s AS s, @t AS t, @none AS d, @y AS y FROM {numbers} WHERE i >= @low AND i IN UNNEST(@l)"
    )
    expected = (Decimal("1.000000001"), "it's", dt.datetime(2020, 1, 1, tzinfo=dt.UTC), None, b"\xff")
    assert sorted(rows(bq, query, query_parameters=parameters)) == [(2, *expected), (3, *expected)]
    with pytest.raises(exceptions.BadRequest, match="not found"):
        rows(bq, "SELECT @missing AS x")


def test_dry_run_tells_bytes_and_changes_nothing(bq: bigquery.Client, numbers: str) -> None:
    config = bigquery.QueryJobConfig(dry_run=True)
    job = bq.query(f"SELECT i, n FROM {numbers}", job_config=config)
    assert job.total_bytes_processed == 3 * 8 + 2 * 16
    bq.query(f"DELETE FROM {numbers} WHERE true", job_config=config)
    assert rows(bq, f"SELECT COUNT(*) AS c FROM {numbers}") == [(3,)]
    with pytest.raises(exceptions.BadRequest):
        bq.query(f"SELECT nope FROM {numbers}", job_config=config)


def test_destination_table(bq: bigquery.Client, reads: BigQueryReadClient, dataset: str, numbers: str) -> None:
    config = bigquery.QueryJobConfig(destination=f"{dataset}.out")
    bq.query(f"SELECT i, b FROM {numbers} WHERE i < 3", job_config=config).result()
    assert sorted(read_table(reads, f"{dataset}.out").to_pylist(), key=lambda r: r["i"]) == [
        {"i": 1, "b": Decimal(BIG)},
        {"i": 2, "b": Decimal(-3)},
    ]
    with pytest.raises(exceptions.Conflict):
        bq.query(f"SELECT i, b FROM {numbers}", job_config=config).result(job_retry=None)
    config.write_disposition = "WRITE_TRUNCATE"
    bq.query(f"SELECT i FROM {numbers}", job_config=config).result()
    assert bq.get_table(f"{dataset}.out").num_rows == 3


def test_ddl_of_all_types(bq: bigquery.Client, dataset: str) -> None:
    bq.query_and_wait(
        f"CREATE TABLE `{dataset}.t` (a INT64 NOT NULL OPTIONS(description='key'), "
        "s STRUCT<x STRING(5), y ARRAY<BYTES>>, "
        "n NUMERIC(10, 2), b BIGNUMERIC, g GEOGRAPHY, j JSON, r RANGE<DATE>, i INTERVAL, ts TIMESTAMP, dt DATETIME, "
        "t TIME, l ARRAY<FLOAT64>, PRIMARY KEY (a) NOT ENFORCED) "
        "PARTITION BY TIMESTAMP_TRUNC(ts, MONTH) CLUSTER BY a OPTIONS(description='d', labels=[('k', 'v')])"
    )
    raw = bq.get_table(f"{dataset}.t").to_api_repr()
    fields = {f["name"]: f for f in raw["schema"]["fields"]}
    assert [f["type"] for f in fields.values()] == [
        "INTEGER", "RECORD", "NUMERIC", "BIGNUMERIC", "GEOGRAPHY", "JSON", "RANGE", "INTERVAL", "TIMESTAMP",
        "DATETIME", "TIME", "FLOAT",
    ]  # fmt: skip
    assert fields["a"] == {"name": "a", "type": "INTEGER", "mode": "REQUIRED", "description": "key"}
    assert fields["s"]["fields"][0] == {"name": "x", "type": "STRING", "mode": "NULLABLE", "maxLength": "5"}
    assert fields["r"]["rangeElementType"] == {"type": "DATE"}
    assert raw["timePartitioning"] == {"type": "MONTH", "field": "ts"}
    assert raw["tableConstraints"] == {"primaryKey": {"columns": ["a"]}}
    kinds = rows(
        bq,
        f"SELECT column_name, data_type FROM `{dataset}.INFORMATION_SCHEMA.COLUMNS` "
        "WHERE column_name IN ('s', 'l', 'n') ORDER BY ordinal_position",
    )
    assert kinds == [("s", "STRUCT<x STRING(5), y ARRAY<BYTES>>"), ("n", "NUMERIC(10, 2)"), ("l", "ARRAY<FLOAT64>")]


def test_dml(bq: bigquery.Client, dataset: str) -> None:
    table = f"`{dataset}.t`"
    bq.query_and_wait(
        f"CREATE TABLE {table} (a INT64, n NUMERIC(6, 2), b BIGNUMERIC, d DATE, s STRING, l ARRAY<INT64>)"
    )
    job = bq.query(
        f"INSERT INTO {table} (a, n, b, d, s) "
        f"VALUES (1, 1.005, BIGNUMERIC '{BIG}', '2020-01-01', 'x'), (2, -7, {BIG}, NULL, NULL)"
    )
    job.result()
    assert job.num_dml_affected_rows == 2
    bq.query_and_wait(f"INSERT INTO {table} SELECT a + 10, n, b, d, s, [a] FROM {table}")
    assert rows(bq, f"SELECT * FROM {table} ORDER BY a") == [
        (1, Decimal("1.01"), Decimal(BIG), dt.date(2020, 1, 1), "x", []),
        (2, Decimal(-7), Decimal(BIG), None, None, []),
        (11, Decimal("1.01"), Decimal(BIG), dt.date(2020, 1, 1), "x", [1]),
        (12, Decimal(-7), Decimal(BIG), None, None, [2]),
    ]
    job = bq.query(f"UPDATE {table} t SET n = t.n * 2, s = 'new', d = '2021-02-03' WHERE t.a > 10 AND d IS NULL")
    job.result()
    assert job.num_dml_affected_rows == 1
    assert rows(bq, f"SELECT n, s, d FROM {table} WHERE a = 12") == [(Decimal(-14), "new", dt.date(2021, 2, 3))]
    bq.query_and_wait(f"DELETE FROM {table} WHERE s IS NULL")
    assert rows(bq, f"SELECT a FROM {table} ORDER BY a") == [(1,), (11,), (12,)]
    bq.query_and_wait(f"TRUNCATE TABLE {table}")
    assert rows(bq, f"SELECT COUNT(*) AS c FROM {table}") == [(0,)]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO {t} VALUES (1)",
        "INSERT INTO {t} (a, s) VALUES ('x', 'y')",
        "INSERT INTO {t} (a, n) SELECT 1, 2.5",
        "INSERT INTO {t} (a, n) VALUES (1, 100000)",
        "INSERT INTO {t} (a, nope) VALUES (1, 2)",
        "INSERT INTO {t} (n) VALUES (1)",
        "UPDATE {t} SET a = 1",
        "DELETE FROM {t}",
        "MERGE {t} USING {t} s ON false WHEN NOT MATCHED THEN INSERT ROW",
        "ALTER TABLE {t} DROP COLUMN a",
        "ALTER TABLE {t} ADD COLUMN z INT64 NOT NULL",
        "CREATE TABLE {t} (a INT64)",
        "SELECT 1; SELECT 2",
        "DROP TABLE `shop.nope.nope`",
    ],
)
def test_statements_that_are_refused(bq: bigquery.Client, dataset: str, statement: str) -> None:
    bq.query_and_wait(f"CREATE TABLE `{dataset}.t` (a INT64 NOT NULL, n NUMERIC(6, 2), s STRING)")
    with pytest.raises(exceptions.GoogleAPICallError):
        bq.query_and_wait(statement.format(t=f"`{dataset}.t`"))
    assert rows(bq, f"SELECT * FROM `{dataset}.t`") == []


def test_create_table_as_replace_and_drop(bq: bigquery.Client, dataset: str) -> None:
    bq.query_and_wait(f"CREATE TABLE `{dataset}.t` PARTITION BY d AS SELECT DATE '2020-01-01' AS d, 1 AS a")
    assert bq.get_table(f"{dataset}.t").time_partitioning.field == "d"
    bq.query_and_wait(f"CREATE TABLE IF NOT EXISTS `{dataset}.t` AS SELECT 5 AS z")
    assert rows(bq, f"SELECT * FROM `{dataset}.t`") == [(dt.date(2020, 1, 1), 1)]
    bq.query_and_wait(f"CREATE OR REPLACE TABLE `{dataset}.t` AS SELECT 'x' AS s")
    assert rows(bq, f"SELECT * FROM `{dataset}.t`") == [("x",)]
    bq.query_and_wait(f"DROP TABLE `{dataset}.t`")
    bq.query_and_wait(f"DROP TABLE IF EXISTS `{dataset}.t`")
    with pytest.raises(exceptions.NotFound):
        bq.get_table(f"{dataset}.t")
    bq.query_and_wait(f"CREATE SCHEMA `{dataset}_more`")
    bq.query_and_wait(f"DROP SCHEMA `{dataset}_more`")


def partitions(bq: bigquery.Client, dataset: str) -> dict[str, tuple[int, dt.datetime]]:
    query = f"SELECT partition_id, total_rows, last_modified_time FROM `{dataset}.INFORMATION_SCHEMA.PARTITIONS`"
    return {name: (count, at) for name, count, at in rows(bq, f"{query} WHERE table_name = 't'")}


def test_partitions_know_when_they_changed(bq: bigquery.Client, dataset: str) -> None:
    schema = [{"name": "d", "type": "DATE"}, {"name": "a", "type": "INT64"}]
    lines = ['{"d":"2020-01-01","a":1}', '{"d":"2020-01-02","a":2}', '{"d":"2020-01-02","a":3}', '{"a":4}']
    partitioning = bigquery.TimePartitioning(field="d")
    load_lines(bq, f"{dataset}.t", lines, schema, time_partitioning=partitioning)
    first = partitions(bq, dataset)
    assert {k: n for k, (n, _) in first.items()} == {"20200101": 1, "20200102": 2, "__NULL__": 1}
    load_lines(bq, f"{dataset}.t", ['{"d":"2020-01-01","a":5}', '{"d":"2020-01-03","a":6}'], schema)
    second = partitions(bq, dataset)
    assert {k for k in second if first.get(k) != second[k]} == {"20200101", "20200103"}
    bq.query_and_wait(f"UPDATE `{dataset}.t` SET a = 9 WHERE d = '2020-01-02' AND a = 3")
    third = partitions(bq, dataset)
    assert {k for k in third if second[k] != third[k]} == {"20200102"}
    assert third["20200102"][1] > second["20200102"][1]
    bq.query_and_wait(f"DELETE FROM `{dataset}.t` WHERE a = 3 OR a = 2")
    assert partitions(bq, dataset)["20200102"] == (1, third["20200102"][1])


def test_range_and_ingestion_partitions(bq: bigquery.Client, reads: BigQueryReadClient, dataset: str) -> None:
    ranges = bigquery.RangePartitioning(range_=bigquery.PartitionRange(start=0, end=30, interval=10), field="a")
    schema = [{"name": "a", "type": "INT64"}]
    load_lines(
        bq, f"{dataset}.t", [f'{{"a":{v}}}' for v in ("-1", 0, 9, 25, 30, "null")], schema, range_partitioning=ranges
    )
    assert {k: n for k, (n, _) in partitions(bq, dataset).items()} == {
        "0": 2,
        "20": 1,
        "__UNPARTITIONED__": 2,
        "__NULL__": 1,
    }
    load_lines(bq, f"{dataset}.u", ['{"a":1}'], schema, time_partitioning=bigquery.TimePartitioning(type_="DAY"))
    today = dt.datetime.now(dt.UTC).date()
    query = f"SELECT a, _PARTITIONDATE AS d FROM `{dataset}.u` WHERE _PARTITIONTIME > '2020-01-01'"
    assert rows(bq, query) == [(1, today)]
    assert read_table(reads, f"{dataset}.u", row_restriction="_PARTITIONTIME > '2020-01-01'").to_pylist() == [{"a": 1}]
    assert read_table(reads, f"{dataset}.u", row_restriction="_PARTITIONTIME < '2020-01-01'").num_rows == 0


def test_information_schema(bq: bigquery.Client, dataset: str) -> None:
    load_lines(bq, f"{dataset}.t", ['{"a":1}'], [{"name": "a", "type": "INT64"}])
    bq.query_and_wait(f"CREATE VIEW `{dataset}.v` AS SELECT 1 AS x")
    name = dataset.split(".")[1]
    query = f"SELECT table_name, table_type FROM {name}.INFORMATION_SCHEMA.TABLES ORDER BY 1"
    assert rows(bq, query) == [("t", "BASE TABLE"), ("v", "VIEW")]
    storage = (
        f"SELECT total_rows FROM `{PROJECT}.region-us`.INFORMATION_SCHEMA.TABLE_STORAGE WHERE table_schema = '{name}'"
    )
    assert rows(bq, storage) == [(1,)]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # https://cloud.google.com/bigquery/docs/reference/standard-sql/hash_functions#farm_fingerprint
        ("FARM_FINGERPRINT('1footrue')", -1541654101129638711),
        ("FARM_FINGERPRINT(b'2applefalse')", 2794438866806483259),
        ("FARM_FINGERPRINT(CONCAT('3', '', 'true'))", -4880158226897771312),
        ("FARM_FINGERPRINT(REPEAT('test', 64))", 3500507768004279527),
        ("FARM_FINGERPRINT(CAST(NULL AS STRING))", None),
        ("-1 >> 60", 15),
        ("(-1 >> 1) & 7", 7),
        ("IEEE_DIVIDE(1, CAST('-0.0' AS FLOAT64))", float("-inf")),
        ("TIME_DIFF(TIME '23:59:59.999999', TIME '00:00:00', MICROSECOND)", 86_399_999_999),
        ("DATETIME_DIFF(DATETIME '0001-01-01', DATETIME '1970-01-01 00:00:00', MICROSECOND)", -62_135_596_800_000_000),
        ("UNIX_MICROS(TIMESTAMP '1969-12-31 23:59:59.999999+00')", -1),
        ("FORMAT_DATE('%E4Y-%m-%d', DATE '0001-02-03')", "0001-02-03"),
        ("FORMAT_TIME('%H:%M:%E6S', TIME '01:02:03.5')", "01:02:03.500000"),
        (
            "FORMAT_DATETIME('%E4Y-%m-%d %H:%M:%E6S', DATETIME '0999-12-31 23:59:59.000001')",
            "0999-12-31 23:59:59.000001",
        ),
        (
            "FORMAT_TIMESTAMP('%E4Y-%m-%d %H:%M:%E6S', TIMESTAMP '2024-03-31 02:30:00+02', 'UTC')",
            "2024-03-31 00:30:00.000000",
        ),
        ("RPAD('1.5', STRPOS('1.5', '.') + 3, '0')", "1.500"),
        ("TO_HEX(SUBSTRING(b'abcd', 2, 2))", "6263"),
        ("TO_HEX(CAST('é\\\\x' AS BYTES))", "c3a95c78"),
        ("OCTET_LENGTH(CAST('é' AS BYTES))", 2),
        ("CAST(1 AS STRING) || '/' || CAST(-2 AS STRING)", "1/-2"),
    ],
)
def test_functions_of_a_comparison(bq: bigquery.Client, expression: str, expected: Any) -> None:
    assert rows(bq, f"SELECT {expression} AS x") == [(expected,)]


@pytest.fixture(scope="module")
def special(bq: bigquery.Client) -> str:
    bq.create_dataset(f"{PROJECT}.special")
    schema: list[dict[str, Any]] = [
        {"name": n, "type": t} for n, t in (("i", "INTERVAL"), ("g", "GEOGRAPHY"), ("s", "STRING"), ("f", "FLOAT64"))
    ]
    schema += [{"name": "r", "type": "RANGE", "rangeElementType": {"type": "DATE"}}, {"name": "j", "type": "JSON"}]
    inside: list[dict[str, Any]] = [
        {"name": "g", "type": "GEOGRAPHY"},
        {"name": "n", "type": "NUMERIC"},
        {"name": "f", "type": "FLOAT64"},
    ]
    schema += [{"name": "a", "type": "RECORD", "mode": "REPEATED", "fields": inside}]
    row = '{"i":"-1-2 3 -4:5:6.5","g":"POINT(1 2)","s":"a\\"\\\\\\n\\u0001é","f":1e300,"j":{"b":1,"a":[]},'
    row += '"r":"[2024-01-01, UNBOUNDED)"'
    load_lines(
        bq, f"{PROJECT}.special.t", [row + ',"a":[{"g":"POINT(3 4)","n":"1.5","f":2},{"n":null}]}', "{}"], schema
    )
    return f"`{PROJECT}.special.t`"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("CAST(i AS STRING)", "-1-2 3 -4:5:6.500000"),
        ("ST_ASTEXT(g)", "POINT(1 2)"),
        ("CAST(RANGE_START(r) AS STRING)", "2024-01-01"),
        ("RANGE_END(r)", None),
        ("TO_JSON_STRING(s)", '"a\\"\\\\\\n\\u0001é"'),
        ("TO_JSON_STRING(f)", "1e+300"),
        ("TO_JSON_STRING(j)", '{"a":[],"b":1}'),
        ("TO_JSON_STRING(ST_ASTEXT(g))", '"POINT(1 2)"'),
        (
            "(SELECT STRING_AGG(COALESCE(ST_ASTEXT(e.g) || CAST(e.n AS STRING), 'null'), ',' ORDER BY o) "
            "FROM UNNEST(a) AS e WITH OFFSET AS o)",
            "POINT(3 4)1.5,null",
        ),
        ("COUNTIF(g IS NULL) OVER ()", 1),
    ],
)
def test_the_inside_of_special_values(bq: bigquery.Client, special: str, expression: str, expected: Any) -> None:
    found = rows(bq, f"SELECT {expression} AS x FROM {special} WHERE s IS NOT NULL OR {expected is None} IS NULL")
    assert found[0] == (0 if "COUNTIF" in expression else expected,)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("s", "null"), ("f", "null"), ("j", "null"), ("ST_ASTEXT(g)", "null"), ("TO_JSON_STRING(j)", '"null"')],
)
def test_null_has_the_json_of_null(bq: bigquery.Client, special: str, value: str, expected: str) -> None:
    """https://cloud.google.com/bigquery/docs/reference/standard-sql/json_functions#json_encodings."""
    assert rows(bq, f"SELECT TO_JSON_STRING({value}) FROM {special} WHERE s IS NULL") == [(expected,)]


@pytest.mark.parametrize(
    "expression",
    [
        "FORMAT_DATE('%E4Y', DATE '2024-01-01')",
        "TIME_DIFF(TIME '01:00:00', TIME '00:00:00', HOUR)",
        "8 >> CAST('1' AS INT64)",
        "TO_JSON_STRING(1)",
        "SUBSTRING(b'abc', CAST('1' AS INT64))",
    ],
)
def test_what_would_differ_is_refused(bq: bigquery.Client, expression: str) -> None:
    with pytest.raises(exceptions.GoogleAPICallError, match="local twin does not support"):
        rows(bq, f"SELECT {expression} AS x")


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("i", "return type BOOL, but returns type INT64"),
        ("i = 1 AND (i + 1)", "return type BOOL, but returns type INT64"),
        ("NOT n", "return type BOOL, but returns type NUMERIC"),
        ("'true'", "return type BOOL, but returns type STRING"),
        ("i > 'x'", "No matching signature for operator > for argument types: INT64, STRING"),
        ("f IN ('1')", "No matching signature for operator IN for argument types: FLOAT64, STRING"),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_condition_is_a_bool(bq: bigquery.Client, numbers: str, condition: str, said: str, dry_run: bool) -> None:
    config = bigquery.QueryJobConfig(dry_run=dry_run)
    with pytest.raises(exceptions.BadRequest) as caught:
        bq.query(f"SELECT 1 FROM {numbers} WHERE {condition}", job_config=config).result()
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("condition", "expected"),
    [("NULL", 0), ("TRUE", 3), ("IF(i > 1, TRUE, FALSE)", 2), ("COALESCE(i > 1, FALSE)", 2), ("i IN (1, 3)", 2)],
)
def test_what_is_a_bool_stays_a_condition(bq: bigquery.Client, numbers: str, condition: str, expected: int) -> None:
    assert rows(bq, f"SELECT COUNT(*) FROM {numbers} AS t WHERE {condition}") == [(expected,)]
    assert rows(bq, f"SELECT COUNT(*) FROM (SELECT i > 1 AS b2, * FROM {numbers}) WHERE b2 OR {condition}")[0][0] >= 2
