"""What differing sums mean once the rows were looked at: other rows, or the same ones spelled in another way. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from lakeshift.model import CheckResult, CheckStatus
from lakeshift.validate.pairing import RowKind
from lakeshift.validate.results import BY_ROWS
from lakeshift.validate.rows import Found

_SPELLED = "spelled in another way, and equal by value"
_WORDS = {RowKind.MISSING: "missing", RowKind.EXTRA: "too many", RowKind.CHANGED: "changed"}


def judged(
    results: Sequence[CheckResult], names: Sequence[str], found: Found, *, allowed: bool
) -> Iterator[CheckResult]:
    """The results of sums, with what their rows have come to.

    Args:
        results: of the columns in their order, then of the table as a whole.
        names: of the columns in the target, in the same order.
        allowed: so many rows may differ.
    """
    changed, alone = changed_columns(found), unpaired(found)
    for result, name in zip(results, [*names, ""], strict=True):
        if result.status is not CheckStatus.FAILED:
            yield result
        elif name and result.lake_value == result.target_value and found.complete and not alone and name not in changed:
            # A row whose other columns differ stands in another segment, and takes the values of this one along.
            yield _with(result, CheckStatus.OK, "")
        elif found.equal:
            yield _with(result, CheckStatus.EQUAL_BY_VALUE, f"rows {_SPELLED}: {found.equal_by_value:,}")
        elif allowed:
            yield _with(result, CheckStatus.OK, f"{rows_said(found)}, as many as the tolerance allows")
        elif not name:
            yield _with(result, CheckStatus.FAILED, f"{rows_said(found)}: {result.difference}")
        elif name in changed or not found.complete:
            yield result
        elif alone:
            yield _with(result, CheckStatus.FAILED, BY_ROWS)
        else:
            yield _with(result, CheckStatus.EQUAL_BY_VALUE, _SPELLED)


def explained(
    results: Sequence[CheckResult], changed: Collection[str], found: Found, *, allowed: bool
) -> Iterator[CheckResult]:
    """Results of aggregates, with what the rows have come to.

    Args:
        changed: columns, by their names in results, in which rows differ that both sides have.
    """
    for one in results:
        if one.status is not CheckStatus.FAILED:
            yield one
        elif allowed:
            yield _with(one, CheckStatus.OK, f"{one.difference}, within the tolerance")
        else:
            by_rows = found.complete and unpaired(found) and one.column not in changed
            yield _with(one, CheckStatus.FAILED, BY_ROWS) if by_rows else one


def _with(result: CheckResult, status: CheckStatus, difference: str) -> CheckResult:
    return result.model_copy(update={"status": status, "difference": difference})


def changed_columns(found: Found) -> set[str]:
    """Columns of the target in which rows differ that both sides have."""
    return {one.column for row in found.differences for one in row.columns}


def unpaired(found: Found) -> bool:
    """Whether there are rows that only one side has at all, or may be: not all were named."""
    paired = sum(row.kind is RowKind.CHANGED for row in found.differences)
    return found.missing + found.extra > 2 * paired


def rows_said(found: Found) -> str:
    """How many rows differ, in words; of more than can be named, how many each side lacks."""
    if not found.complete:
        more = "more differ than maxRowsCompared lets compare"
        return f"{found.rows:,} of the {found.compared:,} rows that were compared differ, {more}"
    kinds = [row.kind for row in found.differences]
    counts = {kind: kinds.count(kind) for kind in RowKind}
    named = 2 * counts[RowKind.CHANGED] + counts[RowKind.MISSING] + counts[RowKind.EXTRA]
    if named < found.missing + found.extra:
        return f"{found.missing:,} rows of the lake are not in the target, {found.extra:,} are only there"
    return ", ".join(
        f"{count:,} {'rows are' if count > 1 else 'row is'} {_WORDS[kind]}" for kind, count in counts.items() if count
    )
