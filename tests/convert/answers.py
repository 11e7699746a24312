"""Translates queries whose answers are known, runs them on the local Redshift, and compares rows.

`python -m tests.convert.answers [-v]` prints the figures and what was refused, by construct.
"""

from __future__ import annotations

import base64
import json
import math
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from lakeshift.convert.sql import Conversion, Status, convert
from localcloud.redshift.engine import Warehouse
from localcloud.redshift.errors import RedshiftError
from localcloud.redshift.session import Session

CORPORA = Path(__file__).parents[3] / "shared" / "corpora"
QUERIES = CORPORA / "bigquery-sql-answers" / "queries.json"
_TOLERANCE = 1e-9


class Verdict(StrEnum):
    RIGHT = "right"
    WRONG = "wrong"
    NOT_RUN = "not runnable on the twin"
    REFUSED = "refused"


@dataclass(frozen=True)
class Answer:
    """What came of one query."""

    name: str
    query: str
    verdict: Verdict
    detail: str
    conversion: Conversion


@contextmanager
def redshift() -> Iterator[Session]:
    """A session on an empty local Redshift."""
    with tempfile.TemporaryDirectory() as directory:
        warehouse = Warehouse(Path(directory))
        session = warehouse.session("dev")
        yield session
        session.close()
        warehouse.close()


def answer(session: Session, case: dict[str, Any]) -> Answer:
    """Converts and runs one query. What was accepted must give the expected rows.

    A case of ours may have `setup` (Redshift statements) and `schemas` (columns of the tables).
    """
    query = str(case["query"])
    for statement in case.get("setup", ()):
        session.execute(statement)
    found = convert(query, case.get("schemas"))

    def judged(verdict: Verdict, detail: str) -> Answer:
        return Answer(str(case["name"]), query, verdict, detail, found)

    if found.status is not Status.CONVERTED:
        first = found.findings[0]
        return judged(Verdict.REFUSED, f"{first.code}: {first.construct}")
    rows: list[tuple[object, ...]] = []
    try:
        for statement in found.sql.removesuffix(";\n").split(";\n"):
            rows = list(session.execute(statement).rows)
    except RedshiftError as error:
        return judged(Verdict.NOT_RUN, str(error).splitlines()[0])
    kinds = [kind for _, kind in found.columns]
    ordered = " ORDER BY " in " ".join(query.rsplit(")", 1)[-1].upper().split())
    with suppress(ValueError):
        if same_rows(rows, case["rows"], kinds, ordered=ordered):
            return judged(Verdict.RIGHT, "")
    return judged(Verdict.WRONG, f"{rows} instead of {case['rows']}")


def same_rows(found: Sequence[Any], expected: Sequence[Any], kinds: Sequence[str], *, ordered: bool) -> bool:
    """Whether two results hold the same values; in any order unless the query gives one."""
    ours = [[_ours(value, kind) for value, kind in zip(row, kinds, strict=True)] for row in found]
    theirs = [[_theirs(value, kind) for value, kind in zip(row, kinds, strict=False)] for row in expected]
    if any(len(row) != len(kinds) for row in expected) or len(ours) != len(theirs):
        return False
    if not ordered:
        ours, theirs = sorted(ours, key=_sort_key), sorted(theirs, key=_sort_key)
    return all(_equal(one, other) for one, other in zip(ours, theirs, strict=True))


def _sort_key(row: object) -> str:
    return json.dumps(row, sort_keys=True, default=str)


def _ours(value: Any, kind: str) -> Any:
    """A value of the local Redshift as plain data."""
    if value is None:
        return [] if kind.startswith("ARRAY<") else None
    if kind == "JSON" or kind.startswith(("ARRAY<", "STRUCT<")):
        return _stripped(json.loads(value))
    if kind == "BYTES":
        return base64.b64encode(value if isinstance(value, bytes) else bytes.fromhex(str(value))).decode()
    if kind == "DATETIME":
        return str(value).replace(" ", "T")
    if kind in ("NUMERIC", "BIGNUMERIC"):
        return float(value)
    return value


def _theirs(value: Any, kind: str) -> Any:
    """An expected value as plain data: structs come as pairs of names and values, JSON as text."""
    if kind.startswith("ARRAY<") and value is None:
        return []
    if kind == "JSON" and isinstance(value, str):
        return _stripped(json.loads(value))
    if kind in ("NUMERIC", "BIGNUMERIC") and value is not None:
        return float(value)
    if kind.startswith("STRUCT<"):
        return _struct(value)
    if kind.startswith("ARRAY<STRUCT<"):
        return [_struct(item) for item in value]
    return value


def _struct(value: Any) -> Any:
    if value is None:
        return None
    return {name: inner for part in value for name, inner in (part if isinstance(part[0], list) else [part])}


def _stripped(value: Any) -> Any:
    return value


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=_TOLERANCE, abs_tol=1e-12)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_equal(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    return bool(one == other)


def answers(cases: Sequence[dict[str, Any]]) -> list[Answer]:
    """All queries, each in the same session."""
    with redshift() as session:
        return [answer(session, case) for case in cases]


def summary(found: Sequence[Answer]) -> str:
    """Figures, and what was refused or could not be run, by reason."""
    counts = Counter(one.verdict for one in found)
    accepted = len(found) - counts[Verdict.REFUSED]
    right = counts[Verdict.RIGHT]
    lines = [
        f"total {len(found)}, accepted {accepted}, right {right} ({right / max(1, len(found)):.0%}), "
        f"wrong {counts[Verdict.WRONG]}, not runnable on the twin {counts[Verdict.NOT_RUN]}"
    ]
    for verdict in (Verdict.REFUSED, Verdict.NOT_RUN):
        reasons = Counter(one.detail[:110] for one in found if one.verdict is verdict)
        lines += [f"{verdict}:", *(f"  {times:3} {reason}" for reason, times in reasons.most_common())]
    return "\n".join(lines)


if __name__ == "__main__":
    results = answers(json.loads(QUERIES.read_bytes()))
    sys.stdout.write(summary(results) + "\n")
    for one in results:
        if one.verdict is Verdict.WRONG or ("-v" in sys.argv and one.verdict is Verdict.NOT_RUN):
            sys.stdout.write(f"--- {one.name}: {one.verdict}: {one.detail}\n{one.query}\n=>\n{one.conversion.sql}\n")
