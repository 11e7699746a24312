"""What the gate has left of the tables of a run, read for its report: results that say more than "ok", and profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath

from lakeshift.model import CheckResult, CheckStatus, TableRecord, Verdict
from lakeshift.ports import Ports
from lakeshift.validate import results, trend
from lakeshift.validate.anomaly import Profile

MOST_TABLES = 200
"""Tables that a report tells all of: more than anybody reads, few enough to be fetched in a minute."""
MOST_RESULTS = 100
"""Results of a table in the report; the Parquet file in the lake has all."""
READERS = 16


@dataclass(frozen=True)
class Evidence:
    """What was found in a table.

    Attributes:
        results: those that have failed, that are equal by value only, or that could not be checked; the first of them.
        profile: what was compared with earlier runs; None where nobody looked.
    """

    results: Sequence[CheckResult] = ()
    profile: Profile | None = None


def evidence_of(ports: Ports, tables: Sequence[TableRecord]) -> Mapping[str, Evidence]:
    """Evidence of the tables that the gate has looked at, by their names; the most telling ones where they are many."""
    judged = sorted((table for table in tables if table.verdict), key=_rank)[:MOST_TABLES]
    with ThreadPoolExecutor(READERS) as threads:
        found = threads.map(lambda table: _read(ports, table.verdict), judged)
        return {table.table: one for table, one in zip(judged, found, strict=True) if one}


def _rank(table: TableRecord) -> tuple[bool, bool, int]:
    """Tables that stay closed first, then what stands out, then large ones."""
    verdict = table.verdict
    return bool(verdict and verdict.passed), not (verdict and verdict.anomalies), -(table.rows.lake or 0)


def _read(ports: Ports, verdict: Verdict | None) -> Evidence | None:
    if verdict is None or not verdict.results:
        return None
    prefix = f"{PurePosixPath(verdict.results).parent}/"
    profile = trend.read(ports.objects, ports.places.lake, prefix) if verdict.anomalies is not None else None
    try:
        found = results.read(ports, verdict.results) if _tells(verdict) else []
    except KeyError:
        found = []
    wrong = sorted((one for one in found if one.status is not CheckStatus.OK), key=_severity)
    return Evidence(tuple(wrong[:MOST_RESULTS]), profile)


def _tells(verdict: Verdict) -> bool:
    return any(count for status, count in verdict.checks.items() if status is not CheckStatus.OK)


def _severity(result: CheckResult) -> int:
    return _ORDER.index(result.status)


_ORDER = (CheckStatus.FAILED, CheckStatus.EQUAL_BY_VALUE, CheckStatus.NOT_CHECKED, CheckStatus.OK)
