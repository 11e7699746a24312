"""Typed Redshift expressions into DuckDB expressions that give the same value; what would differ is refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sqlglot import exp
from sqlglot.expressions import DType

from localcloud.redshift.aggregates import continuous, over, translate_ratio, translate_sorted
from localcloud.redshift.arithmetic import translate_average, translate_binary, translate_round
from localcloud.redshift.arithmetic_types import summed
from localcloud.redshift.casts import check_cast, check_comparison, text_form, translate_cast
from localcloud.redshift.comparisons import translate_case, translate_comparison, translate_membership, translate_nullif
from localcloud.redshift.dialect import Call
from localcloud.redshift.errors import NotInTwinError
from localcloud.redshift.functions import fill, translate_call
from localcloud.redshift.intervals import check_interval
from localcloud.redshift.iterations import translate_iteration
from localcloud.redshift.kinds import FLOATS, FRACTIONS, MOMENTS, NUMBERS, SMALL_INTEGERS
from localcloud.redshift.operators import translate_bits, translate_pattern, translate_zone
from localcloud.redshift.partiql import Iteration
from localcloud.redshift.ratio import RatioToReport
from localcloud.redshift.super_paths import is_super
from localcloud.redshift.super_values import CONSTRUCTORS


def translate(tree: exp.Expr, constants: dict[str, exp.Expr]) -> exp.Expr:
    """Rewrites a typed tree, leaves first. Types stay readable on the nodes that are kept."""
    for node in tree.walk():
        _check(node)
    for node in list(tree.walk(bfs=False))[::-1]:
        # The translation may take the node itself with it.
        parent, key, index = node.parent, node.arg_key, node.index
        replacement = _translate_node(node, constants)
        if replacement is node:
            continue
        replacement.type = node.type
        if parent is None or key is None:
            tree = replacement
        else:
            parent.set(key, replacement, index)
    return tree


def _check(node: exp.Expr) -> None:
    if isinstance(node, exp.Predicate) and isinstance(node, exp.Binary):
        check_comparison(node)
    if isinstance(node, exp.Cast):
        check_cast(node)


def _translate_node(node: exp.Expr, constants: dict[str, exp.Expr]) -> exp.Expr:
    if isinstance(node, Call):
        name = node.this.name
        if name in CONSTRUCTORS:
            return CONSTRUCTORS[name](node.expressions)
        if name in constants:
            return constants[name].copy()
        made = translate_call(node)
        return made.unnest() if isinstance(node.parent, exp.Window) else made
    if isinstance(node, (exp.Dot, exp.Bracket)):
        raise NotInTwinError(f"navigation into {node.this.sql(dialect='redshift')}, which is not known to be SUPER")
    if isinstance(node, Iteration):
        return translate_iteration(node)
    handler = _HANDLERS.get(type(node))
    return handler(node) if handler else node


def _sum(node: exp.Expr) -> exp.Expr:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_SUM.html"""
    argument = summed(node.this)
    if argument.is_type(*SMALL_INTEGERS):
        return _around(node, "CAST(_0 AS BIGINT)")
    if argument.is_type(DType.BIGINT):
        return _around(node, "CAST(_0 AS DECIMAL(38, 0))")
    if argument.is_type(*FRACTIONS):
        return node
    raise NotInTwinError(f"SUM of an expression of unclear type: {node.this.sql(dialect='redshift')}; cast it")


def _average(node: exp.Expr) -> exp.Expr:
    if isinstance(node.parent, exp.Window):
        return node
    return translate_average(node, over)


def _around(node: exp.Expr, template: str) -> exp.Expr:
    """The template around an aggregate, outside its OVER clause when it has one."""
    if isinstance(node.parent, exp.Window):
        return node
    return fill(template, node)


def _window(node: exp.Expr) -> exp.Expr:
    inner = node.this
    if isinstance(inner, exp.Avg):
        return translate_average(inner, partial(over, window=node))
    if isinstance(inner, (exp.WithinGroup, exp.GroupConcat)):
        return translate_sorted(inner, node)
    if isinstance(inner, exp.Median):
        return continuous(inner.this, exp.Literal.number("0.5"), node)
    if isinstance(inner, RatioToReport):
        return translate_ratio(node)
    if isinstance(inner, exp.Sum):
        target = "BIGINT" if inner.this.is_type(*SMALL_INTEGERS) else "DECIMAL(38, 0)"
        return node if inner.this.is_type(*FRACTIONS) else fill(f"CAST(_0 AS {target})", node)
    return node


def _like(node: exp.Expr) -> exp.Expr:
    """Redshift's default escape character is the backslash; DuckDB has none."""
    if isinstance(node.parent, exp.Escape):
        return node
    return exp.Escape(this=node.copy(), expression=exp.Literal.string("\\"))


def _is(node: exp.Expr) -> exp.Expr:
    """Whether a JSON null inside SUPER counts as NULL is not documented."""
    if not (is_super(node.this) and isinstance(node.expression, exp.Null)):
        return node
    unclear = "error('the local Redshift twin does not support IS NULL of a JSON null inside SUPER')"
    return fill(f"CASE WHEN json_type(_0) = 'NULL' THEN {unclear} ELSE _0 IS NULL END", node.this)


def _sysdate(node: exp.Expr) -> exp.Expr:
    if not node.args.get("sysdate"):
        raise NotInTwinError("CURRENT_TIMESTAMP; use GETDATE() or SYSDATE")
    return fill("CAST(transaction_timestamp() AS TIMESTAMP)")


def _current_date(_: exp.Expr) -> exp.Expr:
    return fill("CAST(CAST(now() AS TIMESTAMP) AS DATE)")


def _extract(node: exp.Expr) -> exp.Expr:
    return translate_call(Call(this=exp.var("DATE_PART"), expressions=[exp.Literal.string(node.name), node.expression]))


def _date_add(node: exp.Expr) -> exp.Expr:
    unit = _unit(node)
    amount, base = node.expression, node.this
    if not base.is_type(*MOMENTS):
        raise NotInTwinError("DATEADD to anything but a date or timestamp; cast it")
    target = "TIMESTAMPTZ" if base.is_type(DType.TIMESTAMPTZ) else "TIMESTAMP"
    return fill(f"CAST(_0 + to_{unit}s(_1) AS {target})", base, amount)


def _date_diff(node: exp.Expr) -> exp.Expr:
    sides = (node.expression, node.this)
    if all(side.is_type(DType.TIME) for side in sides):
        return fill(f"date_diff('{_unit(node)}', _0, _1)", *sides)
    if not all(side.is_type(*MOMENTS) for side in sides):
        raise NotInTwinError("DATEDIFF of anything but dates and timestamps; cast them")
    first, second = (fill("CAST(_0 AS TIMESTAMP)", side) for side in sides)
    return fill(f"date_diff('{_unit(node)}', _0, _1)", first, second)


def _unit(node: exp.Expr) -> str:
    unit = str(node.args["unit"].name if node.args.get("unit") else "").lower()
    if unit not in (
        "microsecond",
        "millisecond",
        "second",
        "minute",
        "hour",
        "day",
        "week",
        "month",
        "quarter",
        "year",
    ):
        raise NotInTwinError(f"the date part {unit}")
    return unit


def _substring(node: exp.Expr) -> exp.Expr:
    start, length = node.args.get("start"), node.args.get("length")
    arguments = [node.this, start or exp.Literal.number(1), *([length] if length else [])]
    return translate_call(Call(this=exp.var("SUBSTR"), expressions=arguments))


def _trim(node: exp.Expr) -> exp.Expr:
    name = {"LEADING": "LTRIM", "TRAILING": "RTRIM"}.get(str(node.args.get("position") or "").upper(), "BTRIM")
    arguments = [node.this, *([node.expression] if node.args.get("expression") else [])]
    return translate_call(Call(this=exp.var(name), expressions=arguments))


def _position(node: exp.Expr) -> exp.Expr:
    return translate_call(Call(this=exp.var("STRPOS"), expressions=[node.this, node.args["substr"]]))


def _concatenate(node: exp.Expr) -> exp.Expr:
    if is_super(node.this) or is_super(node.expression):
        raise NotInTwinError("|| with a SUPER value; cast it")
    sides = [fill(text_form(side), side) if side.is_type(*FLOATS) else side for side in (node.this, node.expression)]
    return fill("_0 || _1", *sides)


def _sorted_aggregate(node: exp.Expr) -> exp.Expr:
    return node if isinstance(node.parent, (exp.Window, exp.WithinGroup)) else translate_sorted(node)


def _median(node: exp.Expr) -> exp.Expr:
    if isinstance(node.parent, exp.Window):
        return node
    return continuous(node.this, exp.Literal.number("0.5"), None)


def _approximate_count(node: exp.Expr) -> exp.Expr:
    """The exact count is within the error that APPROXIMATE allows."""
    return exp.Count(this=exp.Distinct(expressions=[node.this.copy()]))


def _grouping(node: exp.Expr) -> exp.Expr:
    return fill("CAST(_0 AS INTEGER)", node)


def _round(node: exp.Expr) -> exp.Expr:
    if not node.this.is_type(*NUMBERS):
        raise NotInTwinError(f"{node.key.upper()} of an expression of unclear type; cast it")
    return node


def _literal(node: exp.Expr) -> exp.Expr:
    """A whole number beyond BIGINT is DECIMAL."""
    return fill("CAST(_0 AS DECIMAL(38, 0))", node) if node.is_type(DType.DECIMAL) and node.is_int else node


def _round_places(node: exp.Expr) -> exp.Expr:
    return translate_round(_round(node))


def _cast(node: exp.Expr) -> exp.Expr:
    return translate_cast(node)


_HANDLERS: dict[type[Any], Callable[[exp.Expr], exp.Expr]] = {
    exp.Add: translate_binary,
    exp.Avg: _average,
    exp.AtTimeZone: translate_zone,
    exp.Between: translate_membership,
    exp.BitwiseAnd: translate_bits,
    exp.BitwiseLeftShift: translate_bits,
    exp.BitwiseNot: translate_bits,
    exp.BitwiseOr: translate_bits,
    exp.BitwiseRightShift: translate_bits,
    exp.BitwiseXor: translate_bits,
    exp.Case: translate_case,
    exp.Cast: _cast,
    exp.Ceil: _round,
    exp.CurrentDate: _current_date,
    exp.CurrentTimestamp: _sysdate,
    exp.Div: translate_binary,
    exp.DPipe: _concatenate,
    exp.EQ: translate_comparison,
    exp.Extract: _extract,
    exp.Floor: _round,
    exp.GT: translate_comparison,
    exp.GTE: translate_comparison,
    exp.ILike: _like,
    exp.In: translate_membership,
    exp.Interval: check_interval,
    exp.Is: _is,
    exp.LT: translate_comparison,
    exp.LTE: translate_comparison,
    exp.Like: _like,
    exp.Literal: _literal,
    exp.Mod: translate_binary,
    exp.Mul: translate_binary,
    exp.NEQ: translate_comparison,
    exp.Nullif: translate_nullif,
    exp.RegexpLike: translate_pattern,
    exp.Round: _round_places,
    exp.Sub: translate_binary,
    exp.StrPosition: _position,
    exp.Substring: _substring,
    exp.Sum: _sum,
    exp.Trim: _trim,
    exp.Trunc: _round_places,
    exp.TryCast: _cast,
    exp.TsOrDsAdd: _date_add,
    exp.TsOrDsDiff: _date_diff,
    exp.Window: _window,
    exp.WithinGroup: _sorted_aggregate,
    exp.GroupConcat: _sorted_aggregate,
    exp.Median: _median,
    exp.ApproxDistinct: _approximate_count,
    exp.Grouping: _grouping,
}
