"""Aggregates of source and target side by side, where both engines have made them. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from lakeshift.model import CheckResult, Kind, Masking, Scalar
from lakeshift.validate.aggregated import SHAPES, bound_text, close, total_text
from lakeshift.validate.aggregates import Aggregates
from lakeshift.validate.columns import Checked
from lakeshift.validate.compare import Notary

_COUNTS = ("nulls", "distinct", "max_bytes", "nans", "infinities")


def paired_aggregates(
    notary: Notary, one: Checked, source: Aggregates, target: Aggregates, mask: Masking
) -> Iterator[CheckResult]:
    """The results of one column."""
    kind = one.source.kind
    # Of what has several spellings only NULLs are counted.
    spelled = one.is_json or kind in SHAPES
    for check in _COUNTS[:1] if spelled else _COUNTS:
        yield from _result(notary, one, check, getattr(source, check), getattr(target, check))
    if spelled:
        return
    if kind is Kind.BOOLEAN:
        trues, falses = zip(*((_true(side), side.values - _true(side)) for side in (source, target)), strict=True)
        yield from (*_result(notary, one, "true", *trues), *_result(notary, one, "false", *falses))
        return
    for check, bounds in (("min", (source.least, target.least)), ("max", (source.greatest, target.greatest))):
        shown = [bound_text(one, bound, mask) for bound in bounds]
        yield from _result(notary, one, check, *shown, same=bounds[0] == bounds[1])
    sums = [_sum(one, side) for side in (source, target)]
    near = close(one, source.total, target.total, target)
    yield from _result(notary, one, "sum", *sums, same=near or sums[0] == sums[1])


def _result(
    notary: Notary,
    one: Checked,
    check: str,
    source: Scalar | None,
    target: Scalar | None,
    *,
    same: bool | None = None,
) -> Iterator[CheckResult]:
    """Nothing where neither side has such a measure."""
    if source is None and target is None:
        return
    equal = same if same is not None else source == target
    shown = (None if value is None else str(value) for value in (source, target))
    values = dict(zip(("source_value", "target_value"), shown, strict=True))
    yield notary.result(one.name, check, "" if equal else f"{check} differs", **values)


def _true(side: Aggregates) -> int:
    return int(side.total or 0)


def _sum(one: Checked, side: Aggregates) -> str | None:
    """A total as people read it; that of no value is NULL on all sides."""
    return total_text(one, side.total) if side.total is not None and side.values else None
