"""The results of the gate as rows of one Parquet file for each table and run, in the lake bucket."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import pyarrow as pa

from lakeshift.extract.files import CONTENT_TYPE
from lakeshift.lake import keys, parquet
from lakeshift.model import CheckResult, CheckStatus, Depth, Verdict
from lakeshift.ports import Ports
from lakeshift.validate.anomaly import ANOMALY

# Columns and files that a verdict names; the results have all of them.
MOST_NAMED = 20
BY_ROWS = "differs by the rows that are missing or too many"
"""Said of a column whose values are all right, in rows that are all there."""


@cache
def schema() -> pa.Schema:
    """Columns of the results, in order; texts but for the cost. Fixed: whoever reads them reads those of any run."""
    texts = ("run", "table", "column", "check", "source_value", "lake_value", "target_value", "difference", "status")
    cost = [pa.field("seconds", pa.float64(), nullable=False), pa.field("bytes_scanned", pa.int64(), nullable=False)]
    return pa.schema([*(pa.field(name, pa.string(), nullable=name.endswith("_value")) for name in texts), *cost])


def written(ports: Ports, prefix: str, results: Sequence[CheckResult]) -> str:
    """Write the results of a table below its `validation_prefix`, over those of an earlier attempt; returns the key."""
    key = keys.check_results(prefix)
    rows = pa.Table.from_pylist([one.model_dump(mode="json") for one in results], schema=schema())
    ports.objects.put(ports.places.lake, key, parquet.write([rows], schema()), CONTENT_TYPE)
    return key


def read(ports: Ports, key: str) -> list[CheckResult]:
    """The results that stand under a key; KeyError where there are none."""
    import pyarrow.parquet as pq  # only reports read them

    table = pq.read_table(pa.BufferReader(ports.objects.get(ports.places.lake, key)))
    return [CheckResult.model_validate(row) for row in table.to_pylist()]


def passed(results: Iterable[CheckResult]) -> bool:
    """True when nothing has failed."""
    return all(one.status is not CheckStatus.FAILED for one in results)


def verdict(depth: Depth, found: Sequence[CheckResult], **more: Any) -> Verdict:
    """The results in few words, for the ledger; `more` are fields that no result has."""
    wrong = [one for one in found if one.status is CheckStatus.FAILED]
    columns = tuple(dict.fromkeys(one.column for one in wrong if one.column and _of_column(one)))
    return Verdict(
        depth=depth,
        passed=not wrong,
        columns=columns[:MOST_NAMED],
        checks=dict(Counter(one.status for one in found)),
        seconds=round(sum(one.seconds for one in found), 3),
        bytes_scanned=sum(one.bytes_scanned for one in found),
        **more,
    )


def _of_column(one: CheckResult) -> bool:
    """True where the places differ in this very column."""
    return one.difference != BY_ROWS and not one.check.startswith(ANOMALY)


def failed(found: Iterable[CheckResult]) -> str:
    """What has failed, in words without values of rows; "" when nothing has. The table as a whole comes first."""
    columns: dict[str, list[str]] = {}
    wrong = [one for one in found if one.status is CheckStatus.FAILED]
    for one in sorted(wrong, key=lambda one: bool(one.column)):
        columns.setdefault(one.difference, []).append(one.column)
    said = [f"{_named(names)}{difference}" for difference, names in columns.items()]
    return "; ".join(said[:MOST_NAMED]) + (f"; and {len(said) - MOST_NAMED} more" if len(said) > MOST_NAMED else "")


def _named(names: Sequence[str]) -> str:
    there = [name for name in names if name]
    more = f" and {len(there) - MOST_NAMED} more" if len(there) > MOST_NAMED else ""
    return f"{', '.join(there[:MOST_NAMED])}{more}: " if there else ""
