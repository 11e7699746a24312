"""Aggregates of source and target side by side, where both engines have made them. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Context, Decimal

from lakeshift.model import CheckResult, Kind, Masking, Scalar
from lakeshift.validate.aggregated import HIDDEN
from lakeshift.validate.aggregates import Aggregates
from lakeshift.validate.columns import Checked
from lakeshift.validate.compare import Notary
from lakeshift.validate.dialects import FLOATS
from lakeshift.validate.totals import float_bound

_EXACT = Context(prec=200)
_TEXTS = frozenset({Kind.STRING, Kind.INTERVAL, Kind.BYTES})
# What has several spellings; of these only NULLs are counted.
_SPELLED = frozenset({Kind.GEOGRAPHY, Kind.GEOMETRY})
_COUNTS = ("nulls", "distinct", "max_bytes", "nans", "infinities")


def paired_aggregates(
    notary: Notary, one: Checked, source: Aggregates, target: Aggregates, mask: Masking
) -> Iterator[CheckResult]:
    """The results of one column."""
    kind = one.source.kind
    spelled = one.is_json or kind in _SPELLED
    for check in _COUNTS[:1] if spelled else _COUNTS:
        yield from _result(notary, one, check, getattr(source, check), getattr(target, check))
    if spelled:
        return
    if kind is Kind.BOOLEAN:
        trues, falses = zip(*((_true(side), side.values - _true(side)) for side in (source, target)), strict=True)
        yield from (*_result(notary, one, "true", *trues), *_result(notary, one, "false", *falses))
        return
    hides = mask is Masking.ALL or (mask is Masking.TEXT and kind in _TEXTS)
    yield from _result(notary, one, "min", source.least, target.least, hides=hides)
    yield from _result(notary, one, "max", source.greatest, target.greatest, hides=hides)
    sums = [_sum(one, side) for side in (source, target)]
    yield from _result(notary, one, "sum", *sums, same=_close(one, source, target) or sums[0] == sums[1])


def _result(
    notary: Notary,
    one: Checked,
    check: str,
    source: Scalar | None,
    target: Scalar | None,
    *,
    same: bool | None = None,
    hides: bool = False,
) -> Iterator[CheckResult]:
    """Nothing where neither side has such a measure."""
    if source is None and target is None:
        return
    equal = same if same is not None else source == target
    shown = (None if value is None else HIDDEN if hides else str(value) for value in (source, target))
    values = dict(zip(("source_value", "target_value"), shown, strict=True))
    yield notary.result(one.name, check, "" if equal else f"{check} differs", **values)


def _true(side: Aggregates) -> int:
    return int(side.total or 0)


def _sum(one: Checked, side: Aggregates) -> Scalar | None:
    """A total as people read it; that of no value is NULL on all sides."""
    if side.total is None or not side.values:
        return None
    if one.source.kind is not Kind.DECIMAL:
        return side.total
    return f"{Decimal(side.total).scaleb(-(one.source.scale or 0), _EXACT):f}"


def _close(one: Checked, source: Aggregates, target: Aggregates) -> bool:
    """Whether two totals of floats are as near as the order of their terms lets them be; one that overflows is."""
    if one.source.kind not in FLOATS or source.total is None or target.total is None:
        return False
    mine, theirs = float(source.total), float(target.total)
    if not (math.isfinite(mine) and math.isfinite(theirs)):
        return True
    greatest = max(abs(float(bound or 0)) for bound in (target.least, target.greatest))
    return abs(mine - theirs) <= float_bound(target.values, greatest)
