"""Types of + - * / %, SUM, AVG and of what takes one of several branches, by Redshift's rules of precision and scale.

https://docs.aws.amazon.com/redshift/latest/dg/r_numeric_computations201.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlglot import exp
from sqlglot.dialects.redshift import Redshift
from sqlglot.expressions import DType

from localcloud.redshift.kinds import INTEGERS, MOMENTS, TIMES

MOST_DIGITS = 38
_Node = TypeVar("_Node", bound=exp.Expr)
_LEAST_SCALE_OF_QUOTIENT = 4
_RANKS = (DType.SMALLINT, DType.INT, DType.BIGINT, DType.DECIMAL, DType.FLOAT, DType.DOUBLE)
_DIGITS = {DType.SMALLINT: 5, DType.INT: 10, DType.BIGINT: 19}
_MOST_INT = 2**31 - 1
_MOST_BIGINT = 2**63 - 1


def decimal(precision: int, scale: int) -> exp.DataType:
    return exp.DataType.build(f"DECIMAL({precision}, {scale})")


def digits(kind: exp.DataType | None) -> tuple[int, int] | None:
    """Precision and scale of an exact number; None for anything else."""
    if kind is None:
        return None
    if kind.this in _DIGITS:
        return _DIGITS[kind.this], 0
    if kind.this is DType.DECIMAL:
        given = [int(item.name) for item in kind.expressions]
        return (given[0] if given else 18, given[1] if len(given) > 1 else 0)
    return None


def literal_type(annotator: Any, node: exp.Literal) -> exp.Literal:
    """INTEGER unless it does not fit; a constant with a decimal point is DECIMAL."""
    kind: exp.DataType | DType = DType.VARCHAR
    if not node.is_string:
        kind = _number_type(node.name)
    annotator._set_type(node, kind)
    return node


def _number_type(text: str) -> exp.DataType | DType:
    if text.isdigit():
        value = int(text)
        if value <= _MOST_BIGINT:
            return DType.INT if value <= _MOST_INT else DType.BIGINT
        return decimal(MOST_DIGITS, 0)
    whole, _, fraction = text.partition(".")
    if not fraction.isdigit() or len(whole) + len(fraction) > MOST_DIGITS:
        return DType.DOUBLE
    return decimal(max(1, len(whole)) + len(fraction), len(fraction))


def binary_type(annotator: Any, node: exp.Binary) -> exp.Binary:
    left, right = node.left.type, node.right.type
    found = _result(node, left, right) if left and right else None
    if found is None:
        return _default(annotator, node)
    annotator._set_type(node, found)
    return node


def _result(node: exp.Binary, left: exp.DataType, right: exp.DataType) -> exp.DataType | DType | None:
    if DType.SUPER in (left.this, right.this):
        return DType.SUPER
    if left.this in _RANKS and right.this in _RANKS:
        return _number(type(node), left, right)
    return _moment(type(node), left.this, right.this)


def _number(operation: type[Any], left: exp.DataType, right: exp.DataType) -> exp.DataType | DType:
    highest = max(_RANKS.index(left.this), _RANKS.index(right.this))
    kind = _RANKS[highest]
    if kind is DType.DECIMAL:
        return decimal(*_exact(operation, digits(left) or (18, 0), digits(right) or (18, 0)))
    return DType.DOUBLE if kind is DType.FLOAT and left.this is not right.this else kind


def _exact(operation: type[Any], left: tuple[int, int], right: tuple[int, int]) -> tuple[int, int]:
    (p1, s1), (p2, s2) = left, right
    if operation is exp.Mul:
        return min(p1 + p2 + 1, MOST_DIGITS), min(s1 + s2, MOST_DIGITS)
    if operation is exp.Div:
        return _quotient(left, right)
    scale = max(s1, s2)
    return min(max(p1 - s1, p2 - s2) + 1 + scale, MOST_DIGITS), scale


def _quotient(left: tuple[int, int], right: tuple[int, int]) -> tuple[int, int]:
    (p1, s1), (p2, s2) = left, right
    scale = max(_LEAST_SCALE_OF_QUOTIENT, s1 + p2 - s2 + 1)
    precision = p1 - s1 + s2 + scale
    if precision <= MOST_DIGITS:
        return precision, scale
    return MOST_DIGITS, max(MOST_DIGITS + scale - precision, _LEAST_SCALE_OF_QUOTIENT)


_DATES, _INTERVALS = frozenset({DType.DATE}), frozenset({DType.INTERVAL})
_INSTANTS = frozenset({*MOMENTS}) - _DATES
# (left, right, result of -, result of +): https://docs.aws.amazon.com/redshift/latest/dg/r_interval_data_types.html
_MOVES: tuple[tuple[frozenset[DType], frozenset[DType], DType | None, DType | None], ...] = (
    (_DATES, frozenset(INTEGERS), DType.DATE, DType.DATE),
    (frozenset(INTEGERS), _DATES, None, DType.DATE),
    (_DATES, _DATES, DType.INT, None),
    (_INSTANTS, _INSTANTS | _DATES, DType.INTERVAL, None),
    (_DATES, _INSTANTS, DType.INTERVAL, None),
    (_DATES, frozenset({DType.TIME}), None, DType.TIMESTAMP),
    # https://docs.aws.amazon.com/redshift/latest/dg/r_DATE-CONCATENATE_function.html
    (_DATES, frozenset({DType.TIMETZ}), None, DType.TIMESTAMPTZ),
    (frozenset({DType.TIME}), _DATES, None, DType.TIMESTAMP),
    (_DATES, _INTERVALS, DType.TIMESTAMP, DType.TIMESTAMP),
    (_INTERVALS, _DATES, None, DType.TIMESTAMP),
    (_INTERVALS, _INTERVALS, DType.INTERVAL, DType.INTERVAL),
    *((frozenset({kind}), _INTERVALS, kind, kind) for kind in TIMES if kind is not DType.DATE),
    *((_INTERVALS, frozenset({kind}), None, kind) for kind in TIMES if kind is not DType.DATE),
)


def _moment(operation: type[Any], left: DType, right: DType) -> DType | None:
    """The type of dates and intervals added or subtracted; None for what Redshift does not have."""
    found = next((move[2:] for move in _MOVES if left in move[0] and right in move[1]), (None, None))
    return {exp.Sub: found[0], exp.Add: found[1]}.get(operation)


def sum_type(annotator: Any, node: exp.Sum) -> exp.Sum:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_SUM.html"""
    annotator._set_type(node, _aggregate(node.this, DType.BIGINT, decimal(MOST_DIGITS, 0)))
    return node


def average_type(annotator: Any, node: exp.Avg) -> exp.Avg:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_AVG.html"""
    annotator._set_type(node, _aggregate(node.this, DType.BIGINT, DType.BIGINT))
    return node


def _aggregate(argument: exp.Expr, of_integer: DType, of_bigint: exp.DataType | DType) -> exp.DataType | DType:
    kind = summed(argument).type
    if kind is None or kind.this not in _RANKS:
        return DType.UNKNOWN
    if kind.this is DType.BIGINT:
        return of_bigint
    if kind.this in INTEGERS:
        return of_integer
    exact = digits(kind)
    return decimal(MOST_DIGITS, exact[1]) if exact else DType.DOUBLE


def summed(argument: exp.Expr) -> exp.Expr:
    """The argument inside DISTINCT."""
    return argument.expressions[0] if isinstance(argument, exp.Distinct) else argument


def common_type(annotator: Any, node: exp.Expr) -> exp.Expr:
    """COALESCE, CASE, GREATEST and LEAST: the type that takes every branch."""
    kinds = [branch.type for branch in _branches(node) if branch.type and not branch.is_type(DType.NULL)]
    found = merged(kinds)
    if found is None:
        return _default(annotator, node)
    annotator._set_type(node, found.copy())
    return node


def _branches(node: exp.Expr) -> list[exp.Expr]:
    if isinstance(node, exp.Case):
        last = node.args.get("default")
        return [*(each.args["true"] for each in node.args["ifs"]), *([last] if last else [])]
    return [node.this, *node.expressions]


def merged(kinds: Sequence[exp.DataType]) -> exp.DataType | None:
    """The common type of numbers or of texts; None where Redshift's choice is not plain."""
    if kinds and all(kind.this in _RANKS for kind in kinds):
        highest = max(kinds, key=lambda kind: _RANKS.index(kind.this))
        if highest.this is not DType.DECIMAL:
            return exp.DataType.build(highest.this)
        exact = [found for found in map(digits, kinds) if found]
        scale = max(scale for _, scale in exact)
        return decimal(min(max(p - s for p, s in exact) + scale, MOST_DIGITS), scale)
    if kinds and all(kind.this is DType.VARCHAR and kind.expressions for kind in kinds):
        return max(kinds, key=lambda kind: int(kind.expressions[0].name) if kind.expressions[0].name.isdigit() else 0)
    return None


def moved_type(annotator: Any, node: exp.TsOrDsAdd) -> exp.TsOrDsAdd:
    """DATEADD: https://docs.aws.amazon.com/redshift/latest/dg/r_DATEADD_function.html"""
    kept = next((kind for kind in (DType.TIMESTAMPTZ, DType.TIME, DType.TIMETZ) if node.this.is_type(kind)), None)
    annotator._set_type(node, kept or DType.TIMESTAMP)
    return node


def zone_type(annotator: Any, node: exp.AtTimeZone) -> exp.AtTimeZone:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_AT_TIME_ZONE.html"""
    annotator._set_type(node, DType.TIMESTAMP if node.this.is_type(DType.TIMESTAMPTZ) else DType.TIMESTAMPTZ)
    return node


def _default(annotator: Any, node: _Node) -> _Node:
    Redshift.EXPRESSION_METADATA[type(node)]["annotator"](annotator, node)
    return node
