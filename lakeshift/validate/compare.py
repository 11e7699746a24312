"""What two places have, side by side, as results of checks. Pure: measures in, rows of the results out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lakeshift.model import (
    CheckResult,
    CheckStatus,
    ColumnStatistics,
    LakeFile,
    Statistics,
    TablePlan,
)
from lakeshift.validate.measure import Facts
from lakeshift.validate.sums import Integers, Sums

# Segments that a result names.
MOST_SEGMENTS = 10


@dataclass(frozen=True)
class Notary:
    """Makes the results of one table in one run."""

    run: str
    table: str

    def result(self, column: str, check: str, difference: str = "", **more: Any) -> CheckResult:
        """A result: failed where something differs, unless `more` says otherwise."""
        status = CheckStatus.FAILED if difference else CheckStatus.OK
        given = {"status": status, "difference": difference, **more}
        return CheckResult(run=self.run, table=self.table, column=column, check=check, **given)


def notary(plan: TablePlan) -> Notary:
    """The notary of a plan's table."""
    return Notary(plan.run, plan.source.id)


def written_as(
    notary: Notary, columns: Sequence[str], taken: Statistics | None, found: Statistics
) -> Iterator[CheckResult]:
    """Source and lake: what was measured while the files were written, and what they hold now.

    A column whose values only changed places among the rows has the same checksum; the rows' own has not.

    Args:
        columns: of the lake, which are named whatever they hold; of the leaves inside them, those that differ.
    """
    if taken is None:
        why = '"statistics" of "extract" is off: nothing was measured of the source but its rows'
        yield notary.result("", "source_checksum", why, status=CheckStatus.NOT_CHECKED)
        return
    before = {one.path: one for one in taken.columns}
    wrong = {one.path for one in found.columns if before and one.checksum != before[one.path].checksum}
    for one in found.columns if before else ():
        if one.path in wrong or one.path in columns:
            yield _column_written(notary, before[one.path], one)
    other = (taken.sum, taken.xor) != (found.sum, found.xor)
    why = "the rows of the lake are not those that were read of the source"
    yield notary.result(
        "",
        "source_checksum",
        (f"{why}: values stand in other rows" if not wrong and taken.rows == found.rows else why) if other else "",
        source_value=f"{taken.sum}{taken.xor}",
        lake_value=f"{found.sum}{found.xor}",
    )


def files_compared(
    notary: Notary, count: int, altered: Sequence[tuple[LakeFile, str]], *, same: bool, **cost: Any
) -> Iterator[CheckResult]:
    """The files as they were written, and as they are now: those that differ, and all of them in one result.

    Args:
        same: it is known that they hold the same values all the same.
        cost: seconds and bytes of the pass over them.
    """
    status = CheckStatus.EQUAL_BY_VALUE if same else CheckStatus.FAILED
    yield from (notary.result("", "file", difference, status=status) for _, difference in altered)
    yield notary.result("", "files", lake_value=str(count), **cost)


def _column_written(notary: Notary, taken: ColumnStatistics, found: ColumnStatistics) -> CheckResult:
    same = taken.checksum == found.checksum
    return notary.result(
        taken.path,
        "source_checksum",
        "" if same else "the lake does not hold what was read of the source",
        source_value=taken.checksum,
        lake_value=found.checksum,
    )


def file_difference(file: LakeFile, facts: Facts) -> str:
    """How a file differs from what was written; "" where it does not."""
    if facts.damage:
        return f"the file {file.key} is damaged: {facts.damage}"
    if facts.bytes != file.bytes:
        return f"the file {file.key} has {facts.bytes:,} bytes, it was written with {file.bytes:,}"
    if facts.sha256 != file.sha256:
        return f"the file {file.key} has other bytes than were written"
    return ""


def segments_compared(notary: Notary, names: Sequence[str], lake: Sums, target: Sums) -> Iterator[CheckResult]:
    """Lake and target, column by column, and the rows as wholes: values that changed places show in these alone."""
    wrong = lake.differing(target)
    for number, name in enumerate(names):
        places = np.flatnonzero(lake.columns[number] != target.columns[number])
        yield notary.result(
            name,
            "checksum",
            f"differs {in_segments(places, lake.segments)}" if len(places) else "",
            lake_value=_hex(lake.total(number)),
            target_value=_hex(target.total(number)),
        )
    yield notary.result(
        "",
        "checksum",
        f"rows differ {in_segments(wrong, lake.segments)}" if len(wrong) else "",
        lake_value=_hex(int(lake.rows.sum())),
        target_value=_hex(int(target.rows.sum())),
    )


def in_segments(places: Integers, count: int) -> str:
    """Segments in words."""
    named = ", ".join(map(str, places[:MOST_SEGMENTS].tolist()))
    more = f" and {len(places) - MOST_SEGMENTS} more" if len(places) > MOST_SEGMENTS else ""
    return f"in segment{'s' if len(places) > 1 else ''} {named}{more} of {count}"


def _hex(number: int) -> str:
    return f"{number % 2**64:016x}"
