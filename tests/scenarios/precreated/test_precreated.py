"""Without schema detection the target tables exist already: used as they are, or refused with the difference."""

from __future__ import annotations

import pytest

from lakeshift.model import RunState, TableRecord
from tests.scenarios.cloud import Cloud, config

PIPELINE = "IAMR:lakeshift-dev-warehouse-us-east-1"


@pytest.fixture(scope="module")
def tables(cloud: Cloud) -> dict[str, TableRecord]:
    cloud.bigquery("CREATE SCHEMA IF NOT EXISTS demo.made")
    cloud.redshift("CREATE SCHEMA made")
    for name in ("good", "owned", "narrow", "other", "missing"):
        cloud.bigquery(f"CREATE OR REPLACE TABLE demo.made.{name} AS SELECT 1 AS id, 'abc' AS note")
    cloud.redshift("CREATE TABLE made.good (id BIGINT, note VARCHAR(3)) SORTKEY (id)")
    cloud.redshift(f'ALTER TABLE made.good OWNER TO "{PIPELINE}"')
    cloud.redshift("CREATE TABLE made.owned (id BIGINT, note VARCHAR(3))")
    cloud.redshift("CREATE TABLE made.narrow (id BIGINT, note VARCHAR(2))")
    cloud.redshift(f'ALTER TABLE made.narrow OWNER TO "{PIPELINE}"')
    cloud.redshift("CREATE TABLE made.other (id INTEGER, note VARCHAR(3))")
    record = cloud.wait(cloud.submit("made", config("made", initiateSchemaDetection=False)))
    assert record.state is RunState.PROBLEMS
    return cloud.tables(record.run)


def reason(table: TableRecord) -> tuple[str, str]:
    assert table.failure
    return table.failure.code, table.failure.message


def test_a_table_that_fits_is_filled_and_keeps_its_own_types(cloud: Cloud, tables: dict[str, TableRecord]) -> None:
    assert tables["good"].state.value == "published"
    assert cloud.redshift("SELECT id, note FROM made.good") == [{"id": 1, "note": "abc"}]
    widths = cloud.redshift(
        "SELECT character_maximum_length AS n FROM svv_columns "
        "WHERE table_schema = 'made' AND table_name = 'good' AND column_name = 'note'"
    )
    assert widths == [{"n": 3}]


def test_a_table_of_another_user_stays_as_it_is(cloud: Cloud, tables: dict[str, TableRecord]) -> None:
    code, message = reason(tables["owned"])
    assert code == "StatementFailed"
    assert "must be owner of relation owned" in message
    assert cloud.redshift("SELECT COUNT(*) AS n FROM made.owned") == [{"n": 0}]


def test_a_difference_is_named(tables: dict[str, TableRecord]) -> None:
    code, message = reason(tables["other"])
    assert code == "TargetMismatch"
    assert "id INTEGER where the plan has id BIGINT" in message


def test_a_table_that_is_not_there_is_named(tables: dict[str, TableRecord]) -> None:
    assert reason(tables["missing"])[0] == "TargetMissing"


def test_a_value_that_is_too_long_for_it_goes_to_quarantine(cloud: Cloud, tables: dict[str, TableRecord]) -> None:
    assert (tables["narrow"].state.value, tables["narrow"].rows.quarantined) == ("published", 1)
    assert cloud.redshift("SELECT COUNT(*) AS n FROM made.narrow") == [{"n": 0}]
    columns = '"__ls_column" AS c, "__ls_bytes" AS b, "__ls_limit" AS l'
    found = cloud.redshift(f"SELECT {columns} FROM made.narrow__quarantine")
    assert found == [{"c": "note", "b": 3, "l": 2}]
