"""Public queries with known answers, and the views of a real project: nothing that is accepted may be wrong."""

from __future__ import annotations

import json
import re

import pytest

from lakeshift.convert import lint
from lakeshift.convert.catalog import read_schemas
from lakeshift.convert.sql import Status, convert
from tests.convert.answers import CORPORA, QUERIES, Verdict, answers, summary

pytestmark = [
    pytest.mark.corpora,
    pytest.mark.skipif(not CORPORA.is_dir(), reason="the corpora are not beside the checkout"),
]
MOZILLA = CORPORA / "mozilla-bigquery-etl"
VIEWS = sorted([*MOZILLA.glob("*.view.sql"), *MOZILLA.glob("views/*.sql")])
LEAST_RIGHT = 0.45


def test_no_accepted_query_is_wrong_and_many_are_right() -> None:
    cases = json.loads(QUERIES.read_bytes())
    found = answers(cases)
    print(summary(found))  # noqa: T201  (the share is to be seen)
    assert [one.name for one in found if one.verdict is Verdict.WRONG] == []
    assert [one.name for one in found if one.verdict is Verdict.REFUSED and ": " not in one.detail] == []
    right = sum(one.verdict is Verdict.RIGHT for one in found)
    assert right >= LEAST_RIGHT * len(cases)


@pytest.mark.parametrize("known", [False, True], ids=["without-schemas", "with-schemas"])
def test_each_view_is_converted_or_refused_with_its_line(known: bool) -> None:
    schemas = read_schemas(MOZILLA) if known else {}
    assert len(VIEWS) >= 80
    for file in VIEWS:
        text = file.read_text()
        found = convert(text, schemas)
        if found.status is Status.REFUSED:
            lines = len(text.splitlines())
            assert found.findings, file.name
            assert all(1 <= one.line <= lines and one.construct and one.code for one in found.findings), file.name
            continue
        assert re.search(r"\bSELECT\b", found.sql), file.name
        assert [problem for one in found.sql.removesuffix(";\n").split(";\n") for problem in lint.problems(one)] == []
