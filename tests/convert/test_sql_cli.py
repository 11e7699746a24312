"""`lakeshift convert sql`: what it prints and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lakeshift.cli.main import app
from lakeshift.convert.sql import Status, convert

RUN = CliRunner()


def _file(folder: Path, text: str) -> str:
    file = folder / "query.sql"
    file.write_text(text)
    return str(file)


def test_converted_text_is_printed(tmp_path: Path) -> None:
    found = RUN.invoke(app, ["convert", "sql", _file(tmp_path, "SELECT a FROM d.t; SELECT 1"), "--source", "bigquery"])
    assert (found.exit_code, found.stdout.count(";\n")) == (0, 2)
    assert '"t"."a" AS "a"' in found.stdout


def test_refused_text_leaves_with_four_and_its_findings(tmp_path: Path) -> None:
    file = _file(tmp_path, "SELECT\n  1,\n  NO_SUCH(4)")
    found = RUN.invoke(app, ["convert", "sql", file, "--json"])
    assert found.exit_code == 4
    answer = json.loads(found.stdout)
    assert (answer["status"], answer["sql"]) == ("refused", "")
    (finding,) = answer["findings"]
    assert set(finding) == {"code", "line", "construct", "advice", "link"}
    assert (finding["line"], finding["construct"]) == (3, "NO_SUCH")
    plain = RUN.invoke(app, ["convert", "sql", file])
    assert f"{file}:3: refused: NO_SUCH [no-function]" in plain.stderr
    assert plain.stdout == ""


def test_review_delivers_the_text_too(tmp_path: Path) -> None:
    file = _file(tmp_path, "SELECT COUNT(*) OVER (ORDER BY a ROWS 1 PRECEDING) FROM d.t")
    found = RUN.invoke(app, ["convert", "sql", file, "--json"])
    answer = json.loads(found.stdout)
    assert (found.exit_code, answer["status"], answer["findings"][0]["code"]) == (4, "needs_review", "tie-order")
    assert "ROWS BETWEEN 1 PRECEDING AND CURRENT ROW" in answer["sql"]


def test_schemas_come_from_a_directory(tmp_path: Path) -> None:
    (tmp_path / "d.t.json").write_text('[{"name": "xs", "type": "INTEGER", "mode": "REPEATED"}]')
    file = _file(tmp_path, "SELECT x FROM p.d.t, UNNEST(xs) AS x")
    assert RUN.invoke(app, ["convert", "sql", file]).exit_code == 4
    found = RUN.invoke(app, ["convert", "sql", file, "--schema", str(tmp_path)])
    assert (found.exit_code, '"t"."xs" AS "x"' in found.stdout) == (0, True)


def test_unreadable_input_leaves_with_two(tmp_path: Path) -> None:
    good = _file(tmp_path, "SELECT 1")
    assert RUN.invoke(app, ["convert", "sql", str(tmp_path / "missing.sql")]).exit_code == 2
    assert RUN.invoke(app, ["convert", "sql", good, "--schema", str(tmp_path / "missing")]).exit_code == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        ";",
        "SELECT 'open",
        "SELECT DATE_SUB(AS) INTERVAL MONTH)",
        "SELECT DATETIME_TRUNC(DATETIME '2024-03-29', WEEK())",
        "SELECT REPLACE('a',, 'b')",
        "SELECT SUM(DISTINCT) OVER ()",
        "SELECT COUNT(*) FROM UNNEST(NULL[]) AS d",
        "SELECT a FROM d.t GROUP BY 10",
        "ELSE WHEN NULL THEN",
        "SELECT (" * 400 + "1" + ")" * 400,
    ],
)
def test_malformed_text_is_a_finding_and_no_crash(text: str) -> None:
    found = convert(text)
    assert found.status is Status.REFUSED
    assert all(finding.line >= 1 and finding.code for finding in found.findings)
    assert found.findings
