"""Types by what the values need: asked of the source when the run is planned, kept while they are enough."""

from __future__ import annotations

from typing import Any

from lakeshift.model import RunState
from lakeshift.plan.written import plan_of
from tests.scenarios.cloud import Cloud, config

MEASURED = {"types": {"measured": True, "headroom": 1.5}}
DIGITS = "12345678901234567890.1234567891"
BIG = "1234567890123456789012345678901234567.5"


def made(cloud: Cloud, dataset: str, name: str) -> dict[str, str]:
    rows = cloud.redshift(
        "SELECT column_name AS c, data_type AS t, character_maximum_length AS n, numeric_precision AS p, "
        f"numeric_scale AS s FROM svv_columns WHERE table_schema = '{dataset}' AND table_name = '{name}'"
    )
    return {row["c"]: f"{row['t']} {row['n'] or ''}{row['p'] or ''},{row['s'] or ''}" for row in rows}


def run(cloud: Cloud, dataset: str, **changes: Any) -> str:
    record = cloud.wait(cloud.submit(dataset, config(dataset, **(MEASURED | changes))))
    assert record.state is RunState.SUCCEEDED, record.failure
    return record.run


def test_types_hold_every_value_exactly_and_no_more_than_they_need(cloud: Cloud) -> None:
    cloud.bigquery("CREATE SCHEMA IF NOT EXISTS demo.measured")
    cloud.bigquery(
        "CREATE OR REPLACE TABLE demo.measured.t (id INT64, name STRING, declared STRING(3), none STRING, raw BYTES, "
        "fits BIGNUMERIC, wide BIGNUMERIC)"
    )
    cloud.bigquery(
        f"INSERT INTO demo.measured.t VALUES (1, 'Žluťoučký kůň', 'abc', NULL, b'12345', BIGNUMERIC '{DIGITS}', "
        f"BIGNUMERIC '{BIG}'), (2, '', 'a', NULL, NULL, BIGNUMERIC '-0.5', BIGNUMERIC '0.0000000001'), "
        "(3, NULL, NULL, NULL, b'', NULL, NULL)"
    )
    first = run(cloud, "measured")
    types = made(cloud, "measured", "t")
    # 19 bytes of text and half as much again, rounded up to a power of two; a declared width that is less stays.
    assert types["name"] == "character varying 32,"
    assert types["declared"] == "character varying 12,"
    assert types["none"] == "character varying 65535,"
    assert types["fits"] == "numeric 38,14"
    assert types["wide"].startswith("character varying")
    assert cloud.redshift("SELECT id, name, CAST(fits AS VARCHAR(50)) AS fits, wide FROM measured.t ORDER BY id") == [
        {"id": 1, "name": "Žluťoučký kůň", "fits": f"{DIGITS}0000", "wide": BIG},
        {"id": 2, "name": "", "fits": "-0.50000000000000", "wide": "0.0000000001"},
        {"id": 3, "name": None, "fits": None, "wide": None},
    ]
    plan = plan_of(cloud.console.ports, cloud.tables(first)["t"])
    assert "measured: the longest value has 19 bytes" in plan.columns[1].note

    # Shorter values leave the published types as they are; longer ones widen them.
    cloud.bigquery("CREATE OR REPLACE TABLE demo.measured.t AS SELECT * REPLACE ('x' AS name) FROM demo.measured.t")
    run(cloud, "measured")
    assert made(cloud, "measured", "t")["name"] == "character varying 32,"
    cloud.bigquery(
        "CREATE OR REPLACE TABLE demo.measured.t AS "
        "SELECT * REPLACE (REPEAT('x', 100) AS name, BIGNUMERIC '0.123456789012' AS fits) FROM demo.measured.t"
    )
    run(cloud, "measured")
    types = made(cloud, "measured", "t")
    assert (types["name"], types["fits"]) == ("character varying 256,", "numeric 38,14")

    # Nothing can be measured: neither where there are no values, nor where the question is not asked.
    run(cloud, "measured", types={"measured": True, "maxBytes": 1})
    assert made(cloud, "measured", "t") == types
    cloud.bigquery("UPDATE demo.measured.t SET name = NULL, raw = NULL, fits = NULL WHERE TRUE")
    cloud.bigquery("DELETE FROM demo.measured.t WHERE id = 1")
    found = run(cloud, "measured")
    assert made(cloud, "measured", "t") == types
    assert plan_of(cloud.console.ports, cloud.tables(found)["t"]).changes == ()
    assert cloud.redshift("SELECT id, name, fits, wide FROM measured.t ORDER BY id") == [
        {"id": 2, "name": None, "fits": None, "wide": "0.0000000001"},
        {"id": 3, "name": None, "fits": None, "wide": None},
    ]


def test_a_question_that_scans_too_much_is_not_asked(cloud: Cloud) -> None:
    cloud.bigquery("CREATE SCHEMA IF NOT EXISTS demo.measured_limit")
    cloud.bigquery("CREATE OR REPLACE TABLE demo.measured_limit.t AS SELECT 1 AS id, 'text' AS name")
    ran = run(cloud, "measured_limit", types={"measured": True, "maxBytes": 1})
    assert made(cloud, "measured_limit", "t")["name"] == "character varying 65535,"
    (table,) = cloud.report(ran)["tables"]
    assert any("not measured: that would scan" in note for note in table["notes"])


def test_an_increment_is_measured_by_its_own_rows(cloud: Cloud) -> None:
    name = "measured_days"
    cloud.bigquery(f"CREATE SCHEMA IF NOT EXISTS demo.{name}")
    cloud.bigquery(f"CREATE OR REPLACE TABLE demo.{name}.t (d DATE, name STRING, n BIGNUMERIC) PARTITION BY d")
    cloud.bigquery(f"INSERT INTO demo.{name}.t VALUES (DATE '2024-01-01', 'short', BIGNUMERIC '1.25')")
    source = config(name)["sources"][0]
    source["datasets"][0]["tables"] = [{"match": "t", "incremental": {"by": "partition"}}]
    runs: list[str] = []
    for text in ("", "another", "x" * 50):
        if text:
            cloud.bigquery(f"INSERT INTO demo.{name}.t VALUES (DATE '2024-01-0{len(runs)}', '{text}', NULL)")
        runs.append(run(cloud, name, sources=[source]))
        if text == "another":
            assert made(cloud, name, "t")["name"] == "character varying 16,"
            runs.append(run(cloud, name, sources=[source]))
    plans = [plan_of(cloud.console.ports, cloud.tables(one)["t"]) for one in runs]
    measured = [any("types are measured" in note for note in one.notes) for one in plans]
    assert [bool(one.increment) for one in plans] == [False, True, True, True]
    assert measured == [True, True, False, True]
    types = made(cloud, name, "t")
    assert (types["name"], types["n"]) == ("character varying 128,", "numeric 38,6")
    assert cloud.redshift(f"SELECT name, CAST(n AS VARCHAR(50)) AS n FROM {name}.t ORDER BY LEN(name)") == [
        {"name": "short", "n": "1.250000"},
        {"name": "another", "n": None},
        {"name": "x" * 50, "n": None},
    ]
