"""Typed Redshift expressions into DuckDB expressions that give the same value; what would differ is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp
from sqlglot.expressions import DType

from localcloud.redshift.casts import check_cast, check_comparison, translate_cast
from localcloud.redshift.dialect import Call
from localcloud.redshift.errors import NotInTwinError
from localcloud.redshift.functions import fill, translate_call
from localcloud.redshift.kinds import FLOATS, FRACTIONS, INTEGERS, MOMENTS, NUMBERS, SMALL_INTEGERS
from localcloud.redshift.super_paths import is_super


def translate(tree: exp.Expr, constants: dict[str, exp.Expr]) -> exp.Expr:
    """Rewrites a typed tree, leaves first. Types stay readable on the nodes that are kept."""
    for node in tree.walk():
        _check(node)
    for node in list(tree.walk(bfs=False))[::-1]:
        replacement = _translate_node(node, constants)
        if replacement is node:
            continue
        replacement.type = node.type
        if node is tree:
            tree = replacement
        else:
            node.replace(replacement)
    return tree


def _check(node: exp.Expr) -> None:
    if isinstance(node, exp.Predicate) and isinstance(node, exp.Binary):
        check_comparison(node)
    if isinstance(node, exp.Cast):
        check_cast(node)


def _translate_node(node: exp.Expr, constants: dict[str, exp.Expr]) -> exp.Expr:
    if isinstance(node, Call):
        name = node.this.name
        return constants[name].copy() if name in constants else translate_call(node)
    if isinstance(node, (exp.Dot, exp.Bracket)):
        raise NotInTwinError(f"navigation into {node.this.sql(dialect='redshift')}, which is not known to be SUPER")
    handler = _HANDLERS.get(type(node))
    return handler(node) if handler else node


def _divide(node: exp.Expr) -> exp.Expr:
    left, right = node.this, node.expression
    if left.is_type(*INTEGERS) and right.is_type(*INTEGERS):
        return fill("_0 // CASE WHEN _1 = 0 THEN error('Divide by zero') ELSE _1 END", left, right)
    if left.is_type(*FLOATS) or right.is_type(*FLOATS):
        return fill(
            "CAST(_0 AS DOUBLE) / CASE WHEN _1 = 0 THEN error('Divide by zero') ELSE CAST(_1 AS DOUBLE) END",
            left,
            right,
        )
    raise NotInTwinError(
        f"the division {node.sql(dialect='redshift')}: cast both sides to integers or DOUBLE PRECISION"
    )


def _modulo(node: exp.Expr) -> exp.Expr:
    return fill("_0 % CASE WHEN _1 = 0 THEN error('Divide by zero') ELSE _1 END", node.this, node.expression)


def _sum(node: exp.Expr) -> exp.Expr:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_SUM.html"""
    if node.this.is_type(*SMALL_INTEGERS):
        return _around(node, "CAST(_0 AS BIGINT)")
    if node.this.is_type(DType.BIGINT):
        return _around(node, "CAST(_0 AS DECIMAL(38, 0))")
    if node.this.is_type(*FRACTIONS):
        return node
    raise NotInTwinError(f"SUM of an expression of unclear type: {node.this.sql(dialect='redshift')}; cast it")


def _average(node: exp.Expr) -> exp.Expr:
    if node.this.is_type(*FLOATS):
        return node
    raise NotInTwinError("AVG of anything but DOUBLE PRECISION; cast the argument")


def _around(node: exp.Expr, template: str) -> exp.Expr:
    """The template around an aggregate, outside its OVER clause when it has one."""
    if isinstance(node.parent, exp.Window):
        return node
    return fill(template, node)


def _window(node: exp.Expr) -> exp.Expr:
    inner = node.this
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
    if not all(side.is_type(*MOMENTS) for side in sides):
        raise NotInTwinError("DATEDIFF of anything but dates and timestamps; cast them")
    first, second = (fill("CAST(_0 AS TIMESTAMP)", side) for side in sides)
    return fill(f"date_diff('{_unit(node)}', _0, _1)", first, second)


def _unit(node: exp.Expr) -> str:
    unit = str(node.args["unit"].name if node.args.get("unit") else "").lower()
    if unit not in ("second", "minute", "hour", "day", "week", "month", "quarter", "year"):
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
    return node


def _list_aggregate(node: exp.Expr) -> exp.Expr:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_LISTAGG.html"""
    inner = node.this
    if not isinstance(inner, exp.GroupConcat):
        raise NotInTwinError("WITHIN GROUP of anything but LISTAGG")
    separator = inner.args.get("separator") or exp.Literal.string("")
    made = exp.func("string_agg", inner.this.copy(), separator.copy(), dialect="postgres")
    ordered = made.sql(dialect="duckdb")
    order = node.expression.sql(dialect="duckdb", identify=True)
    aggregate: exp.Expr = exp.maybe_parse(f"{ordered[:-1]} {order})", dialect="duckdb")
    too_long = "error('Result size exceeds LISTAGG limit')"
    return fill(f"CASE WHEN strlen(_0) > 65535 THEN {too_long} ELSE _0 END", aggregate)


def _round(node: exp.Expr) -> exp.Expr:
    if not node.this.is_type(*NUMBERS):
        raise NotInTwinError(f"{node.key.upper()} of an expression of unclear type; cast it")
    return node


def _cast(node: exp.Expr) -> exp.Expr:
    return translate_cast(node)


_HANDLERS: dict[type[Any], Callable[[exp.Expr], exp.Expr]] = {
    exp.Avg: _average,
    exp.Cast: _cast,
    exp.Ceil: _round,
    exp.CurrentDate: _current_date,
    exp.CurrentTimestamp: _sysdate,
    exp.Div: _divide,
    exp.DPipe: _concatenate,
    exp.Extract: _extract,
    exp.Floor: _round,
    exp.ILike: _like,
    exp.Is: _is,
    exp.Like: _like,
    exp.Mod: _modulo,
    exp.Round: _round,
    exp.StrPosition: _position,
    exp.Substring: _substring,
    exp.Sum: _sum,
    exp.Trim: _trim,
    exp.Trunc: _round,
    exp.TryCast: _cast,
    exp.TsOrDsAdd: _date_add,
    exp.TsOrDsDiff: _date_diff,
    exp.Window: _window,
    exp.WithinGroup: _list_aggregate,
}
