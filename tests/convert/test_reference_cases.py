"""Queries in the manner of GoogleSQL's reference, with the answers it gives: nothing accepted may be wrong.

A case with `fails` is an error in BigQuery: it must be refused, or fail on Redshift too.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.convert.answers import Answer, Verdict, answer, redshift, summary

FOLDER = Path(__file__).parent / "cases" / "reference"
LEAST_RIGHT = 0.74


def _cases() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for file in sorted(FOLDER.glob("*.json")):
        read = json.loads(file.read_bytes())
        shared = {key: read[key] for key in ("setup", "schemas")} if isinstance(read, dict) else {}
        found += [
            {**shared, **case, "name": f"{file.stem}: {case['name']}"} for case in (read["cases"] if shared else read)
        ]
    return found


@pytest.fixture(scope="module")
def answers() -> list[tuple[dict[str, Any], Answer]]:
    """Each case with what came of it; tables are made once."""
    prepared: set[str] = set()
    found = []
    with redshift() as session:
        for case in _cases():
            setup = [one for one in case.get("setup", ()) if one not in prepared]
            prepared.update(setup)
            found.append((case, answer(session, {"rows": [], **case, "setup": setup})))
    return found


def test_no_accepted_answer_is_wrong(answers: list[tuple[dict[str, Any], Answer]]) -> None:
    taken = [(case, one) for case, one in answers if "rows" in case]
    assert [(one.query, one.detail) for _, one in taken if one.verdict in (Verdict.WRONG, Verdict.NOT_RUN)] == []


def test_what_bigquery_refuses_gives_no_rows(answers: list[tuple[dict[str, Any], Answer]]) -> None:
    failing = [one for case, one in answers if case.get("fails")]
    assert len(failing) >= 40
    assert [one.query for one in failing if one.verdict in (Verdict.RIGHT, Verdict.WRONG)] == []


def test_many_are_right(answers: list[tuple[dict[str, Any], Answer]]) -> None:
    taken = [one for case, one in answers if "rows" in case]
    print(summary(taken))  # noqa: T201  (the share is to be seen)
    assert Counter(one.verdict for one in taken)[Verdict.RIGHT] >= LEAST_RIGHT * len(taken)
