"""Golden conversions: the Redshift text of each rule, and the rows it gives; or the finding that refuses it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lakeshift.convert import kinds
from lakeshift.convert.catalog import read_schemas
from lakeshift.convert.sql import Status, convert
from localcloud.redshift.session import Session
from tests.convert.answers import Verdict, answer, redshift

FOLDER = Path(__file__).parent / "cases"


def _cases() -> Iterator[Any]:
    """The cases of all files; those of a file that is an object share its tables."""
    for file in sorted(FOLDER.glob("*.json")):
        found = json.loads(file.read_bytes())
        shared = {key: found[key] for key in ("setup", "schemas")} if isinstance(found, dict) else {}
        for case in found["cases"] if shared else found:
            yield pytest.param({**shared, **case}, id=f"{file.stem}-{case['name']}")


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with redshift() as session:
        yield session


@pytest.mark.parametrize("case", list(_cases()))
def test_case(session: Session, case: dict[str, Any]) -> None:
    if "finding" in case:
        found = convert(case["source"], case.get("schemas"))
        assert case["finding"] in [finding.code for finding in found.findings]
        assert found.status is not Status.CONVERTED
        return
    judged = answer(session, {**case, "query": case["source"]})
    assert (judged.verdict, judged.detail) == (Verdict.RIGHT, "")
    assert judged.conversion.sql == case["redshift"]


def test_a_finding_names_line_and_construct() -> None:
    found = convert("SELECT 1;\n\nSELECT\n  2,\n  SOUNDS_LIKE(x)\nFROM d.t")
    (finding,) = found.findings
    assert (finding.line, finding.code, finding.construct) == (5, "no-function", "SOUNDS_LIKE")
    assert found.sql == ""


def test_each_refused_statement_is_named() -> None:
    found = convert("DROP TABLE a;\nSELECT 1;\nINSERT INTO b VALUES (1)")
    assert [(finding.code, finding.line) for finding in found.findings] == [("statement", 1), ("statement", 3)]


def test_views_keep_their_dataset_and_lose_their_project() -> None:
    found = convert("CREATE OR REPLACE VIEW `p-1.Sales.Daily` AS SELECT t.Day FROM `p-1.Sales.Raw` AS t")
    view = 'CREATE OR REPLACE VIEW "sales"."daily" AS SELECT "t"."day" AS "day" FROM "sales"."raw" AS "t";'
    assert " ".join(found.sql.split()) == view


def test_materialized_view_with_options() -> None:
    found = convert("CREATE MATERIALIZED VIEW d.m OPTIONS (enable_refresh = TRUE) AS SELECT a FROM d.t")
    assert found.sql.startswith('CREATE MATERIALIZED VIEW "d"."m" AS\nSELECT')


def test_schemas_are_found_by_every_form_of_their_name(tmp_path: Path) -> None:
    schema = [
        {"name": "a", "type": "INTEGER"},
        {"name": "r", "type": "RECORD", "mode": "REPEATED", "fields": [{"name": "x", "type": "FLOAT"}]},
    ]
    for name in ("t.json", "d.u.schema.json", "p.d.v.json"):
        (tmp_path / name).write_text(json.dumps(schema))
    (tmp_path / "other.json").write_text('{"no": "schema"}')
    schemas = read_schemas(tmp_path)
    assert sorted(schemas) == ["d.u", "p.d.v", "t"]
    for table in ("p.d.t", "p.d.u", "p.d.v"):
        found = convert(f"SELECT * EXCEPT (r) FROM `{table}`", schemas)
        assert found.columns == (("a", "INT64"),), table
    assert convert("SELECT * REPLACE (1 AS a) FROM x.y.z", schemas).findings[0].code == "star-unknown"


def test_types_are_read_as_text_and_back() -> None:
    kind = "STRUCT<a INT64, `b c` ARRAY<STRUCT<x FLOAT64>>, STRING>"
    assert kinds.struct(kinds.fields(kind)) == kind
    assert kinds.fields(kind)[1] == ("b c", "ARRAY<STRUCT<x FLOAT64>>")
    assert kinds.common(["INT64", "NULL", "FLOAT64"]) == "FLOAT64"
    assert kinds.common(["INT64", "STRING"]) is None
