"""Schemas of the world to DDL: no leaf is lost, the warehouse takes what is made, and published answers agree."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lakeshift.convert import source_ddl
from lakeshift.convert.schema import convert
from lakeshift.model import Handling
from lakeshift.plan.nested import Choice
from localcloud.redshift.engine import Warehouse
from localcloud.redshift.session import Session
from tests.convert.test_schema import leaves, leaves_of, made_on

CORPORA = Path(__file__).parents[3] / "shared" / "corpora"
FOLDERS = ("gcp-public-datasets", "ethereum-etl", "mozilla-bigquery-etl", "mozilla-pipeline-schemas", "fhir-bigquery")


def _fields(path: Path) -> list[dict[str, Any]]:
    """Fields of a schema file; none of a file that is something else."""
    found = json.loads(path.read_text())
    given = found if isinstance(found, list) else found.get("fields", [])
    return [one for one in given if isinstance(one, dict) and "type" in one]


SCHEMAS = [path for name in FOLDERS for path in sorted((CORPORA / name).glob("*.json")) if _fields(path)]
DDL = {
    "sakila-postgres/postgres-sakila-schema.sql": ("postgres", 21, 123),
    "chinook/Chinook_PostgreSql.sql": ("postgres", 11, 64),
    "chinook/Chinook_MySql.sql": ("mysql", 11, 64),
    "omop-cdm54-ddl/postgresql_ddl.sql": ("postgres", 39, 432),
    "omop-cdm54-ddl/bigquery_ddl.sql": ("bigquery", 39, 432),
}
# Child tables by the hundred say no more than some do, and take minutes to make.
MOST_TABLES = 12

pytestmark = [
    pytest.mark.corpora,
    pytest.mark.skipif(not CORPORA.is_dir(), reason="the corpora are not beside the checkout"),
]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    warehouse = Warehouse(tmp_path_factory.mktemp("redshift"))
    yield warehouse.session("dev")
    warehouse.close()


@pytest.mark.parametrize("handling", list(Handling))
@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_every_leaf_has_its_place_and_the_tables_are_made(path: Path, handling: Handling, session: Session) -> None:
    document = convert(path.read_text(), "bigquery", "t", Choice(handling)).document
    assert document["refused"] == []
    assert leaves(document) == sorted(leaves_of(_fields(path)))
    # Making all tables in all ways takes minutes: SUPER for each schema, the other ways in turn.
    turn = list(Handling)[1 + SCHEMAS.index(path) % 3]
    if handling in {Handling.SUPER, turn} and len(document["children"]) < MOST_TABLES:
        made_on(session, document)


@pytest.mark.parametrize("name", DDL)
def test_every_column_of_a_dump_is_mapped_and_the_tables_are_made(name: str, session: Session) -> None:
    source, tables, columns = DDL[name]
    text = (CORPORA / name).read_text("utf-8-sig")
    documents = [convert(text, source, table).document for table in source_ddl.read(text, source).tables]
    assert (len(documents), sum(len(one["columns"]) for one in documents)) == (tables, columns)
    assert [one["refused"] for one in documents if one["refused"]] == []
    for document in documents:
        made_on(session, document)


# Where our type is of another family than the published one, and why.
OTHERS = {
    ("NUMERIC", "FLOAT"): "the source sets no precision: exact text, never rounded",
    ("ARRAY<STRING>", "VARCHAR"): "nested values are kept whole in SUPER",
    ("ARRAY<INT64>", "VARCHAR"): "nested values are kept whole in SUPER",
    # The published file is older than the schema: it has seconds since 1970, and text as a number.
    ("TIMESTAMP", "BIGINT"): "the same instant",
    ("STRING", "NUMERIC"): "no declared length",
}
WIDER = ("64-bit integers need BIGINT", "no declared length: the widest VARCHAR", "VARCHAR counts bytes: 4 for each of")


def _family(kind: str) -> str:
    name = kind.upper().split("(", maxsplit=1)[0].strip()
    families = {"INTEGER": "INT", "BIGINT": "INT", "SMALLINT": "INT", "DECIMAL": "NUMERIC", "DOUBLE PRECISION": "FLOAT"}
    return families.get(name, "TIMESTAMP" if name == "TIMESTAMPTZ" else name)


def _compare(entry: dict[str, Any], theirs: str) -> None:
    source, ours = entry["source_type"].upper(), entry["target_type"]
    if _family(ours) != _family(theirs):
        assert OTHERS[source, theirs.upper().split("(", maxsplit=1)[0]] in entry["reason"]
    elif ours.split("(", maxsplit=1)[0] == "VARCHAR" and theirs.upper() not in {ours, "VARCHAR(MAX)"}:
        assert any(reason in entry["reason"] for reason in WIDER)
    elif ours == "BIGINT" and theirs.upper() == "INTEGER":
        assert entry["reason"] == WIDER[0]


@pytest.mark.parametrize("source", ["bigquery", "postgres"])
def test_omop_is_as_its_authors_wrote_it_for_redshift(source: str) -> None:
    theirs = source_ddl.read((CORPORA / "omop-cdm54-ddl/redshift_ddl.sql").read_text(), "postgres").tables
    file = "postgresql_ddl.sql" if source == "postgres" else "bigquery_ddl.sql"
    text = (CORPORA / "omop-cdm54-ddl" / file).read_text()
    assert len(theirs) == 39
    for name, table in theirs.items():
        ours = {entry["target"]: entry for entry in convert(text, source, name).document["columns"]}
        assert set(ours) == {column.name for column in table.columns}
        for column in table.columns:
            _compare(ours[column.name], source_ddl.text(column.type))


def test_ethereum_has_all_columns_that_its_authors_have_on_redshift() -> None:
    theirs = source_ddl.read((CORPORA / "ethereum-etl/redshift_schema.sql").read_text(), "postgres").tables
    seen = 0
    for name, table in theirs.items():
        text = (CORPORA / f"ethereum-etl/raw__schemas__{name}.json").read_text()
        ours = {entry["source"]: entry for entry in convert(text, "bigquery", name).document["columns"]}
        for column in table.columns:
            _compare(ours[column.name], source_ddl.text(column.type))
            seen += 1
    assert seen == 79
