"""The SQL that runs on Redshift, against golden files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lakeshift.errors import TerminalError
from lakeshift.load import history, manifest, merge, sql
from lakeshift.model import Increment, Kind, LakeFile, MergePlan, Range, TablePlan
from tests.unit.plans import MIXED, PLAIN, SNAPSHOT, plan

GOLDEN = Path(__file__).parent / "golden"
ROLE = "arn:aws:iam::123456789012:role/copy"
URL = "s3://lake/raw/p/Shop/Orders/run=shop-0123456789ab/_manifest-0123456789.json"
WITH_TIMES = [*PLAIN, *({"name": kind, "type": kind} for kind in ("DATE", "DATETIME", "TIMESTAMP", "NUMERIC"))]


def increment(*ranges: Range) -> TablePlan:
    return plan(WITH_TIMES, increment=Increment(previous="old", since=SNAPSHOT, ranges=ranges))


RANGES = [
    Range(column="Id", kind=Kind.INT64, upper="-5", nulls=True),
    Range(column="DATE", kind=Kind.DATE, lower="2024-01-01", upper="2024-02-01"),
    Range(column="DATETIME", kind=Kind.DATETIME, lower="2024-01-01T10:00:00.000001"),
    Range(column="TIMESTAMP", kind=Kind.TIMESTAMP, lower="2024-01-01T10:00:00", nulls=True),
    Range(column="NUMERIC", kind=Kind.DECIMAL, lower="12.50", nulls=True),
]
MERGED = plan(
    WITH_TIMES,
    merge=MergePlan(key=("id",), cursor="timestamp", deletes=True),
    increment=Increment(previous="old", since=SNAPSHOT, ranges=RANGES[:1], mode="merge"),
    quarantine_key=("id",),
)
APPENDED = plan(
    WITH_TIMES,
    append="id",
    increment=Increment(
        previous="old", since=SNAPSHOT, ranges=(Range(column="Id", kind=Kind.INT64, lower="42"),), mode="append"
    ),
)
CASES = {
    "merge_keys": merge.fill_keys(MERGED, URL, ROLE, 7),
    "merge_questions": [
        merge.nulls(MERGED),
        merge.repeated(MERGED),
        merge.undecided(MERGED),
        merge.missing(MERGED, records=True, recorded=True),
    ],
    "merge_doubles": merge.resolved(MERGED),
    "merge_publish": merge.publish(
        MERGED, history.Entry("r", "p.Shop.Orders", "2026", URL), 7, {"orders", "orders__quarantine"}, records=True
    ),
    "publish_append": sql.publish(APPENDED, URL, 7, replaces=True),
    "publish_increment": sql.publish(increment(*RANGES), URL, 7, replaces=True),
    "count_within": [sql.count_within(increment(), RANGES[:2])],
    "publish_all_ranges": sql.publish(
        increment(Range(column="Id", kind=Kind.INT64, nulls=True)), URL, 7, replaces=True
    ),
    "publish_unchanged": sql.publish(increment(), URL, 0, replaces=True),
    "publish_sample": sql.publish(plan(PLAIN, sample=2.5), URL, 7, replaces=True),
    "plain": [*sql.staging(plan(PLAIN)), sql.copy(plan(PLAIN), URL, ROLE), *sql.convert(plan(PLAIN))],
    "mixed": [*sql.staging(plan(MIXED)), sql.copy(plan(MIXED), URL, ROLE), *sql.convert(plan(MIXED))],
    "precreated": sql.staging(plan(PLAIN, precreated=True)),
    "publish_first": sql.publish(plan(PLAIN), URL, 7, replaces=False),
    "publish_again": sql.publish(plan(PLAIN), URL, 7, replaces=True),
    "questions": [
        *sql.history_table(),
        sql.published(plan(PLAIN)),
        sql.count(plan(PLAIN)),
        sql.columns("it's", "t"),
        sql.kind("s", "t"),
        sql.last_published(plan(PLAIN)),
    ],
}


@pytest.mark.parametrize("name", CASES)
def test_statements_are_as_agreed(name: str) -> None:
    assert ";\n\n".join(CASES[name]) + ";\n" == (GOLDEN / f"{name}.sql").read_text()


def test_tokens_are_stable_distinct_and_short_enough() -> None:
    tokens = {sql.token("run", "a", "b"), sql.token("run", "ab", ""), sql.token("run", "a", "b")}
    assert len(tokens) == 2
    assert all(len(token) == 64 for token in tokens)


def test_a_manifest_lists_each_file_with_rows_once() -> None:
    files = [
        LakeFile(key=key, offset=0, read=rows, rows=rows, bytes=5, sha256="")
        for key, rows in [("b", 1), ("a", 2), ("e", 0)]
    ]
    assert json.loads(manifest.text("lake", files)) == {
        "entries": [{"url": f"s3://lake/{key}", "mandatory": True, "meta": {"content_length": 5}} for key in ("a", "b")]
    }
    with pytest.raises(TerminalError):
        manifest.text("lake", [files[0], files[0]])
