"""Every function family: GoogleSQL calls with the values of its reference, and what must be refused, by code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lakeshift.convert.sql import Status, convert
from localcloud.redshift.session import Session
from tests.convert.answers import Verdict, answer, redshift

TABLES = Path(__file__).parent / "functions"
FAMILIES = ("strings", "regexps", "hashes", "dates", "numbers", "json", "arrays")
COLUMNS = {
    "s": "STRING",
    "i": "INT64",
    "f": "FLOAT64",
    "d": "DATE",
    "dt": "DATETIME",
    "ts": "TIMESTAMP",
    "j": "JSON",
    "a": "ARRAY<INT64>",
    "u": "",
}


def table(name: str) -> list[Any]:
    found: list[Any] = json.loads((TABLES / f"{name}.json").read_bytes())
    return found


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with redshift() as session:
        yield session


@pytest.mark.parametrize(("call", "value"), [tuple(case) for name in FAMILIES for case in table(name)])
def test_value_of_a_call(session: Session, call: str, value: object) -> None:
    judged = answer(session, {"name": call, "query": f"SELECT {call}", "rows": [[value]]})
    assert (judged.verdict, judged.detail) == (Verdict.RIGHT, "")


@pytest.mark.parametrize("case", table("columns"), ids=lambda case: str(case["rows"][0])[:40])
def test_values_over_columns(session: Session, case: dict[str, Any]) -> None:
    judged = answer(session, {"name": "columns", **case})
    assert (judged.verdict, judged.detail) == (Verdict.RIGHT, "")


@pytest.mark.parametrize(("call", "code"), [tuple(case) for case in table("refused")])
def test_refused_by_name(call: str, code: str) -> None:
    found = convert(f"SELECT {call} FROM d.t", {"d.t": tuple(COLUMNS.items())})
    assert found.status is Status.REFUSED
    assert [finding.code for finding in found.findings] == [code]
    assert all(finding.construct and finding.advice for finding in found.findings)
