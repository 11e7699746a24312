"""Values of + - * / %, ROUND of quotients and AVG: the exact results Redshift documents, or a refusal.

https://docs.aws.amazon.com/redshift/latest/dg/r_numeric_computations201.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlglot import exp
from sqlglot.expressions import DType

from localcloud.redshift.arithmetic_types import MOST_DIGITS, digits, summed
from localcloud.redshift.errors import NotInTwinError
from localcloud.redshift.functions import fill
from localcloud.redshift.kinds import FLOATS, INTEGERS, MOMENTS, NUMBERS, TIMES

if TYPE_CHECKING:
    import duckdb

QUOTIENT = "twin_quotient"
_MOST_SCALE = 37


def translate_binary(node: exp.Expr) -> exp.Expr:
    """The operation in DuckDB with operands and result of Redshift's types."""
    left, right, kind = node.this, node.expression, node.type
    if kind is not None and kind.this is DType.SUPER:
        raise NotInTwinError(f"arithmetic on SUPER in {node.sql(dialect='redshift')[:80]}; cast the value")
    if isinstance(node, exp.Div) and not (left.is_type(*NUMBERS) and right.is_type(*NUMBERS)):
        raise NotInTwinError(f"the division {node.sql(dialect='redshift')[:80]} of unclear types; cast both sides")
    if kind is None or not (left.is_type(*NUMBERS) and right.is_type(*NUMBERS)):
        return _translate_moment(node)
    if kind.this is DType.DECIMAL:
        return _translate_decimal(node, kind)
    mark = "/" if kind.this in FLOATS and isinstance(node, exp.Div) else _MARKS[type(node)]
    return fill(_in_type(mark, kind.sql(dialect="duckdb")), left, right)


_MARKS: dict[type[Any], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "//", exp.Mod: "%"}


def _in_type(mark: str, kind: str) -> str:
    right = f"CAST(_1 AS {kind})"
    if mark in ("/", "//", "%"):
        right = f"CASE WHEN _1 = 0 THEN error('Divide by zero') ELSE {right} END"
    return f"CAST(_0 AS {kind}) {mark} {right}"


def _translate_decimal(node: exp.Expr, kind: exp.DataType) -> exp.Expr:
    left, right = (_as_decimal(side) for side in (node.this, node.expression))
    precision, scale = digits(kind) or (MOST_DIGITS, 0)
    if isinstance(node, exp.Div):
        return divided(left, right, precision, scale)
    if isinstance(node, exp.Mod):
        return fill("_0 % CASE WHEN _1 = 0 THEN error('Divide by zero') ELSE _1 END", left, right)
    exact = [digits(side.type) or (0, 0) for side in (node.this, node.expression)]
    if isinstance(node, exp.Mul) and sum(each[1] for each in exact) > _MOST_SCALE:
        raise NotInTwinError(f"a product of more than {_MOST_SCALE} decimal places; cast the factors")
    return fill(f"CAST(_0 {_MARKS[type(node)]} _1 AS DECIMAL({precision}, {scale}))", left, right)


def _as_decimal(side: exp.Expr) -> exp.Expr:
    """Integers count as DECIMAL(5,0), (10,0) and (19,0)."""
    if not side.is_type(*INTEGERS):
        return side
    precision, _ = digits(side.type) or (19, 0)
    return fill(f"CAST(_0 AS DECIMAL({precision}, 0))", side)


def divided(left: exp.Expr, right: exp.Expr, precision: int, scale: int, rounding: str = "same") -> exp.Expr:
    """The exact quotient; `rounding` is `down`, `half_up`, or `same`, which fails where the two would differ."""
    call = f"{QUOTIENT}(CAST(_0 AS VARCHAR), CAST(_1 AS VARCHAR), {scale}, '{rounding}')"
    return fill(f"CAST({call} AS DECIMAL({precision}, {scale}))", left, right)


def translate_round(node: exp.Expr) -> exp.Expr:
    """ROUND or TRUNC of a quotient to fewer places: the quotient's own last digit, which is unclear, may not matter."""
    inner = node.this.unnest()
    call = next(iter(inner.find_all(exp.Anonymous)), None) if isinstance(inner, exp.Cast) else None
    if call is None or call.name != QUOTIENT or inner.this is not call:
        return node
    down, up = (node.copy() for _ in range(2))
    for version, rounding in ((down, "down"), (up, "half_up")):
        quotient = next(found for found in version.this.find_all(exp.Anonymous) if found.name == QUOTIENT)
        quotient.expressions[-1].replace(exp.Literal.string(rounding))
    unclear = "error('the local Redshift twin does not support a DECIMAL division whose last digit matters')"
    return fill(f"CASE WHEN _0 = _1 THEN _0 WHEN NOT _0 <> _1 THEN _0 WHEN _0 <> _1 THEN {unclear} END", down, up)


def quotient(dividend: str, divisor: str, scale: int, rounding: str) -> str:
    """The quotient of two numbers with `scale` places. Raises ValueError for zero, and for `same` where it is unclear.

    Redshift's guide gives the scale of a quotient but not what becomes of the digits beyond it.
    """
    left, right = _unscaled(dividend), _unscaled(divisor)
    if right[0] == 0:
        raise ValueError("Divide by zero")
    shift = scale + right[1] - left[1]
    over, under = abs(left[0]) * 10 ** max(shift, 0), abs(right[0]) * 10 ** max(-shift, 0)
    whole, rest = divmod(over, under)
    up = 2 * rest >= under
    if up and rounding == "same":
        raise ValueError(
            "the local Redshift twin does not support a DECIMAL division whose last digit depends on rounding"
        )
    number = whole + (1 if up and rounding == "half_up" else 0)
    sign = "-" if (left[0] < 0) != (right[0] < 0) and number else ""
    text = str(number).rjust(scale + 1, "0")
    return f"{sign}{text[: len(text) - scale]}.{text[len(text) - scale :]}" if scale else f"{sign}{text}"


def _unscaled(text: str) -> tuple[int, int]:
    whole, _, fraction = text.partition(".")
    return int(whole + fraction), len(fraction)


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes the exact quotient known to one DuckDB database."""
    connection.create_function(QUOTIENT, quotient, ["VARCHAR", "VARCHAR", "INTEGER", "VARCHAR"], "VARCHAR")


def _translate_moment(node: exp.Expr) -> exp.Expr:
    """Dates with days or intervals; DuckDB's results get Redshift's types."""
    left, right, kind = node.this, node.expression, node.type
    if kind is None or not (left.is_type(*TIMES, DType.INTERVAL) or right.is_type(*TIMES, DType.INTERVAL)):
        return node
    mark = _MARKS[type(node)]
    if kind.this is DType.INT:
        return fill("CAST(_0 - _1 AS INTEGER)", left, right)
    if kind.this is DType.INTERVAL and not left.is_type(DType.INTERVAL):
        sides = [fill("CAST(_0 AS TIMESTAMP)", side) if side.is_type(DType.DATE) else side for side in (left, right)]
        return fill("_0 - _1", *sides)
    if kind.this in (DType.DATE, *MOMENTS):
        return fill(f"CAST(_0 {mark} _1 AS {kind.sql(dialect='duckdb')})", left, right)
    if kind.this is DType.UNKNOWN:
        raise NotInTwinError(f"the operation {node.sql(dialect='redshift')[:80]}; cast both sides")
    return node


def translate_average(node: exp.Expr, around: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    """AVG of whole numbers and DECIMAL is cut at the argument's scale; `around` puts an aggregate in its window."""
    argument = summed(node.this)
    if argument.is_type(*FLOATS):
        return around(node)
    exact = digits(argument.type)
    if exact is None:
        raise NotInTwinError(f"AVG of an expression of unclear type: {argument.sql(dialect='redshift')[:80]}; cast it")
    total, count = (around(kind(this=node.this.copy())) for kind in (exp.Sum, exp.Count))
    whole = argument.is_type(*INTEGERS)
    text = divided(total, count, MOST_DIGITS, exact[1], "down")
    return fill("CASE WHEN _0 = 0 THEN NULL ELSE _1 END", count, fill("CAST(_0 AS BIGINT)", text) if whole else text)
