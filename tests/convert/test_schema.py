"""Schemas to DDL, with an account of every leaf, in each way of nested columns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from lakeshift.cli.main import app
from lakeshift.convert.schema import convert
from lakeshift.errors import SchemaUnreadable, SourceNotFound, TypeUnsupported
from lakeshift.model import Handling
from lakeshift.plan.nested import Choice
from localcloud.redshift.engine import Warehouse
from localcloud.redshift.session import Session

CASES = Path(__file__).parent / "golden"
NESTED: list[dict[str, Any]] = [
    {"name": "id", "type": "INT64", "mode": "REQUIRED"},
    {
        "name": "device",
        "type": "RECORD",
        "fields": [
            {"name": "osName", "type": "STRING", "maxLength": "20"},
            {"name": "seen", "type": "TIMESTAMP", "mode": "REPEATED"},
        ],
    },
    {
        "name": "items",
        "type": "RECORD",
        "mode": "REPEATED",
        "fields": [{"name": "sku", "type": "STRING"}, {"name": "tags", "type": "STRING", "mode": "REPEATED"}],
    },
    {"name": "doc", "type": "JSON"},
]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    warehouse = Warehouse(tmp_path_factory.mktemp("redshift"))
    yield warehouse.session("dev")
    warehouse.close()


def of(schema: Any, handling: Handling = Handling.SUPER, **choice: Any) -> dict[str, Any]:
    return convert(json.dumps(schema), "bigquery", "t", Choice(handling, **choice)).document


def made_on(session: Session, document: dict[str, Any]) -> None:
    """Make the tables of a document, describe them, and drop them again."""
    for statement in [*document["ddl"].rstrip(";").split(";\n\n"), *document["comments"]]:
        session.execute(statement)
    for name in [document["table"], *(child["table"] for child in document["children"])]:
        session.execute('DROP TABLE "' + name.replace('"', '""') + '"')


def leaves(document: dict[str, Any]) -> list[str]:
    """All leaves that a document accounts for."""
    found: list[str] = []
    for entry in document["columns"]:
        found += [leaf["path"] for leaf in entry["leaves"]] if "leaves" in entry else [entry["source"]]
    return sorted(found)


def leaves_of(fields: list[dict[str, Any]], above: str = "") -> Iterator[str]:
    for one in fields:
        path = above + one["name"]
        if one.get("fields"):
            yield from leaves_of(one["fields"], f"{path}.")
        else:
            yield path


@pytest.mark.parametrize("handling", list(Handling))
def test_the_document_is_as_its_golden_file_says(handling: Handling, session: Session) -> None:
    document = of(NESTED, handling)
    golden = CASES / f"schema_{handling.value}.json"
    assert document == json.loads(golden.read_text())
    made_on(session, document)
    assert leaves(document) == sorted(leaves_of(NESTED))


FIELD_TYPES = (
    "BOOL INT64 FLOAT64 NUMERIC BIGNUMERIC STRING BYTES DATE TIME DATETIME TIMESTAMP INTERVAL JSON GEOGRAPHY NOPE"
)
_NAMES = st.text(min_size=1, max_size=30) | st.sampled_from(["id", "ID", "order", "oid", "value", "__ls_row", "a__b"])


def _field(inner: Any = None) -> Any:
    plain = st.fixed_dictionaries(
        {"name": _NAMES, "type": st.sampled_from(FIELD_TYPES.split())},
        optional={
            "mode": st.sampled_from(["NULLABLE", "REQUIRED", "REPEATED"]),
            "maxLength": st.integers(1, 70_000).map(str),
            "description": st.text(max_size=10),
            "defaultValueExpression": st.sampled_from(["1", "'x'", "TRUE", "CURRENT_TIMESTAMP()", "f(x)", "'", "NULL"]),
        },
    )
    if inner is None:
        return plain
    record = st.fixed_dictionaries(
        {"name": _NAMES, "type": st.just("RECORD"), "fields": st.lists(inner, max_size=4)},
        optional={"mode": st.sampled_from(["NULLABLE", "REQUIRED", "REPEATED"])},
    )
    return plain | record


SCHEMAS = st.lists(st.recursive(_field(), _field, max_leaves=8), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SCHEMAS, st.sampled_from(Handling))
def test_any_schema_becomes_valid_ddl_or_a_named_refusal(
    session: Session, schema: list[dict[str, Any]], handling: Handling
) -> None:
    document = of(schema, handling)
    assert leaves(document) == sorted(leaves_of(schema))
    assert all(entry["reason"] for entry in document["refused"])
    if document["ddl"]:
        made_on(session, document)


def test_a_column_without_a_type_is_refused_and_the_others_are_mapped(session: Session) -> None:
    document = of([{"name": "a", "type": "INT64"}, {"name": "b", "type": "POINT"}])
    assert [(one["source"], one["decision"]) for one in document["columns"]] == [("a", "mapped"), ("b", "refused")]
    assert "POINT" in document["refused"][0]["reason"]
    made_on(session, document)


def test_a_table_that_is_too_wide_is_refused_by_name() -> None:
    document = of([{"name": f"c{number}", "type": "INT64"} for number in range(1601)])
    assert document["ddl"] == ""
    assert len(document["refused"]) == 1601
    assert "1,601 columns" in document["refused"][0]["reason"]


def test_keys_partitions_and_descriptions_are_carried(session: Session) -> None:
    table = {
        "description": "all orders; with 'quotes'",
        "schema": {
            "fields": [
                {"name": "id", "type": "INT64", "mode": "REQUIRED", "description": "who"},
                {"name": "day", "type": "DATE", "policyTags": {"names": ["projects/p/taxonomies/1/policyTags/2"]}},
                {"name": "shop", "type": "INT64"},
            ]
        },
        "timePartitioning": {"type": "DAY", "field": "day"},
        "clustering": {"fields": ["shop"]},
        "tableConstraints": {
            "primaryKey": {"columns": ["id"]},
            "foreignKeys": [
                {
                    "referencedTable": {"tableId": "shops"},
                    "columnReferences": [{"referencingColumn": "shop", "referencedColumn": "id"}],
                }
            ],
        },
    }
    document = convert(json.dumps(table), "bigquery", "orders").document
    assert document["keys"]["primary_key"] == ["id"]
    assert document["keys"]["sort_key"] == ["day", "shop"]
    assert document["keys"]["dist_key"] == "shop"
    assert document["foreign_keys"] == ['ALTER TABLE "orders" ADD FOREIGN KEY ("shop") REFERENCES "shops" ("id")']
    assert document["columns"][1]["tags"] == ["projects/p/taxonomies/1/policyTags/2"]
    assert document["comments"] == [
        "COMMENT ON TABLE \"orders\" IS 'all orders; with ''quotes'''",
        'COMMENT ON COLUMN "orders"."id" IS \'who\'',
    ]
    made_on(session, document)


def test_one_column_can_be_chosen_alone_and_a_key_named() -> None:
    document = of(NESTED, columns={"items": Handling.CHILD_TABLE}, key=("id",))
    assert [one["target"] for one in document["columns"] if one["table"] == "t"] == ["id", "device", "doc"]
    assert [child["table"] for child in document["children"]] == ["t__items", "t__items__tags"]
    assert document["children"][0]["key"] == [{"parent": "id", "column": "parent__id"}]


def test_a_choice_for_a_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(TypeUnsupported, match="did you mean 'items'"):
        of(NESTED, columns={"item": Handling.CHILD_TABLE})
    with pytest.raises(TypeUnsupported, match="'nope'"):
        of(NESTED, Handling.CHILD_TABLE, key=("nope",))


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", "null", '{"fields": 3}', '[{"name": "a"}]', "[" * 100_000, "SELECT 1"]
)
def test_what_is_no_schema_is_said_to_be_none(text: str) -> None:
    with pytest.raises(SchemaUnreadable):
        convert(text, "bigquery", "t")


def test_a_table_is_picked_without_regard_to_case() -> None:
    ddl = "CREATE TABLE Orders (a int); CREATE TABLE items (b int);"
    assert convert(ddl, "postgres", "ORDERS").document["columns"][0]["source"] == "a"
    with pytest.raises(SourceNotFound, match="did you mean 'orders'"):
        convert(ddl, "postgres", "order")


def run(tmp_path: Path, schema: Any, *more: str) -> Any:
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(schema))
    return CliRunner().invoke(app, ["convert", "schema", str(file), "--source", "bigquery", "--table", "t", *more])


def test_the_command_prints_json_and_leaves_with_0(tmp_path: Path) -> None:
    done = run(tmp_path, NESTED, "--nested", "child", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["children"][0]["table"] == "t__device__seen"


def test_the_command_leaves_with_4_when_a_column_is_refused(tmp_path: Path) -> None:
    done = run(tmp_path, [*NESTED, {"name": "p", "type": "POINT"}], "--json")
    assert done.exit_code == 4
    assert [one["source"] for one in json.loads(done.stdout)["refused"]] == ["p"]


def test_the_command_leaves_with_2_when_the_file_is_none(tmp_path: Path) -> None:
    assert run(tmp_path, 7, "--json").exit_code == 2
    missing = CliRunner().invoke(app, ["convert", "schema", str(tmp_path / "no"), "--source", "mysql"])
    assert missing.exit_code == 2


def test_the_printed_ddl_can_be_run_as_it_is(tmp_path: Path, session: Session) -> None:
    done = run(tmp_path, NESTED)
    text = "\n".join(line for line in done.stdout.splitlines() if not line.startswith("-- "))
    for statement in text.split(";\n"):
        if statement.strip():
            session.execute(statement)
    session.execute("DROP TABLE t")
    assert "-- device " in done.stdout
