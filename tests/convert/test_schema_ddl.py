"""Files of DDL and whole dumps: what becomes of them. Write the answers anew by running this file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshift.convert import source_ddl
from lakeshift.convert.schema import convert
from lakeshift.errors import LakeshiftError
from lakeshift.types.defaults import default_of
from localcloud.redshift.engine import Warehouse
from localcloud.redshift.session import Session
from tests.convert.test_schema import made_on

GOLDEN = Path(__file__).parent / "golden"
TABLES = {
    "postgres": ["Orders", "orders_2024", "child"],
    "mysql": ["orders", "shops"],
    "bigquery": ["orders"],
}


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    warehouse = Warehouse(tmp_path_factory.mktemp("redshift"))
    yield warehouse.session("dev")
    warehouse.close()


def text_of(source: str) -> str:
    return (GOLDEN / f"ddl_{source}.sql").read_text()


def summary(source: str) -> dict[str, Any]:
    """What matters of the first table of a file."""
    document = convert(text_of(source), source, TABLES[source][0]).document
    columns = {
        entry["source"]: [
            entry["source_type"],
            entry["target"],
            entry["target_type"],
            entry["loss_risk"],
            entry["reason"],
        ]
        for entry in document["columns"]
    }
    kept = ("ddl", "comments", "foreign_keys", "keys")
    return {**{name: document[name] for name in kept}, "columns": columns}


@pytest.mark.parametrize("source", TABLES)
def test_a_dump_becomes_what_its_golden_file_says(source: str, session: Session) -> None:
    assert list(source_ddl.read(text_of(source), source).tables) == TABLES[source]
    assert summary(source) == json.loads((GOLDEN / f"ddl_{source}.json").read_text())
    for table in TABLES[source]:
        made_on(session, convert(text_of(source), source, table).document)


def test_a_partition_and_a_child_have_the_columns_of_their_parent() -> None:
    found = source_ddl.read(text_of("postgres"), "postgres").tables
    parent = [column.name for column in found["Orders"].columns]
    assert [column.name for column in found["orders_2024"].columns] == parent
    assert [column.name for column in found["child"].columns] == [*parent, "extra"]


def test_the_same_name_in_two_schemas_is_two_tables() -> None:
    text = "CREATE TABLE a.t (x int); CREATE TABLE b.t (y int);"
    found = source_ddl.read(text, "postgres").tables
    assert {name: table.columns[0].name for name, table in found.items()} == {"t": "x", "b.t": "y"}


@given(st.sampled_from(["postgres", "mysql", "bigquery"]), st.data())
def test_a_file_that_is_cut_or_mangled_never_crashes(source: str, data: st.DataObject) -> None:
    text = text_of(source)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 400)))
    mangled = text[:start] + data.draw(st.text("();,'\"`<>[] \n$", max_size=5)) + text[end:]
    with suppress(LakeshiftError):
        document = convert(mangled, source, TABLES[source][0]).document
        assert document["columns"] or document["refused"]


@pytest.mark.parametrize(
    ("expression", "target_type", "expected"),
    [
        ("0", "BIGINT", "0"),
        ("'0'", "SMALLINT", "0"),
        ("(-1.50)", "DECIMAL(10,2)", "-1.50"),
        ("1e3", "DOUBLE PRECISION", None),
        ("'a'::character varying", "VARCHAR(4)", "'a'"),
        ("'it''s'", "VARCHAR(10)", "'it''s'"),
        ("'too long'", "VARCHAR(4)", None),
        ("'a' || 'b'", "VARCHAR(10)", None),
        ("true", "BOOLEAN", "TRUE"),
        ("now()", "TIMESTAMPTZ", "GETDATE()"),
        ("CURRENT_TIMESTAMP(6)", "TIMESTAMP", "GETDATE()"),
        ("CURRENT_DATE()", "DATE", "CURRENT_DATE"),
        ("NULL::text", "VARCHAR(4)", ""),
        ("nextval('s'::regclass)", "INTEGER", None),
        ("'{}'::jsonb", "SUPER", None),
        ("1); DROP TABLE t; --", "BIGINT", None),
        ("'\\', x", "VARCHAR(10)", None),
    ],
)
def test_a_default_is_the_same_or_none(expression: str, target_type: str, expected: str | None) -> None:
    assert default_of(expression, target_type) == expected


if __name__ == "__main__":
    for one in TABLES:
        (GOLDEN / f"ddl_{one}.json").write_text(json.dumps(summary(one), indent=1, ensure_ascii=False) + "\n")
