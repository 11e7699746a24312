"""Comparisons as Redshift makes them: blanks at the end of text, numbers with text, and SUPER by its dynamic type.

https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html
https://docs.aws.amazon.com/redshift/latest/dg/query-super.html#dynamic-typing-lax-processing
"""

from __future__ import annotations

from decimal import Decimal
from json import loads
from typing import TYPE_CHECKING, Any

from duckdb.func import FunctionNullHandling
from sqlglot import exp

from localcloud.redshift.casts import text_form
from localcloud.redshift.errors import NotInTwinError
from localcloud.redshift.functions import fill
from localcloud.redshift.kinds import FLOATS, INTEGERS, TEXT
from localcloud.redshift.super_paths import is_super

if TYPE_CHECKING:
    import duckdb

_COMPARE = "twin_super_compare"
MARKS: dict[type[Any], str] = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}


def translate_comparison(node: exp.Expr) -> exp.Expr:
    left, right = node.this, node.expression
    if isinstance(left, exp.Tuple) or not isinstance(right, exp.Expr) or isinstance(right, (exp.Any, exp.All)):
        return node
    if is_super(left) or is_super(right):
        return _dynamic(node, left, right)
    if not (left.is_type(*TEXT) and right.is_type(*TEXT)) and not _text_with_number(left, right):
        return node
    return fill(f"_0 {MARKS[type(node)]} _1", _bare(left), _bare(right))


def translate_membership(node: exp.Expr) -> exp.Expr:
    """IN a list and BETWEEN of texts; lists of numbers stay as they are."""
    if is_super(node.this):
        raise NotInTwinError(f"{node.key.upper()} of a SUPER value; cast it")
    if not node.this.is_type(*TEXT):
        return node
    made = node.copy()
    query = made.args.get("query")
    inner = query.unnest() if isinstance(query, exp.Expr) else None
    if isinstance(inner, exp.Select):
        inner.set("expressions", [_bare(item.unalias()) for item in inner.expressions])
    for name in ("this", "low", "high"):
        if isinstance(made.args.get(name), exp.Expr):
            made.set(name, _bare(made.args[name]))
    made.set("expressions", [_bare(item) for item in made.expressions])
    return made


def translate_nullif(node: exp.Expr) -> exp.Expr:
    if not (node.this.is_type(*TEXT) and node.expression.is_type(*TEXT)):
        return node
    return fill("CASE WHEN _0 = _1 THEN NULL ELSE _2 END", _bare(node.this), _bare(node.expression), node.this)


def translate_case(node: exp.Expr) -> exp.Expr:
    """CASE text WHEN ...: compared like `=`."""
    if node.this is None or not node.this.is_type(*TEXT):
        return node
    made = node.copy()
    made.set("this", _bare(made.this))
    for branch in made.args["ifs"]:
        branch.set("this", _bare(branch.this))
    return made


def _text_with_number(left: exp.Expr, right: exp.Expr) -> bool:
    """A number next to text that is not a constant becomes text; a constant is read as the number it stands for."""
    texts = [side for side in (left, right) if side.is_type(*TEXT) and not side.is_string]
    numbers = [side for side in (left, right) if side.is_type(*INTEGERS, *FLOATS)]
    return bool(texts and numbers)


def _bare(side: exp.Expr) -> exp.Expr:
    """A text without the blanks at its end, which do not count."""
    if side.is_string:
        return exp.Literal.string(side.name.rstrip(" "))
    if side.is_type(*INTEGERS, *FLOATS):
        return fill(text_form(side), side)
    return fill("rtrim(_0, ' ')", side) if side.is_type(*TEXT) else side


def _dynamic(node: exp.Expr, left: exp.Expr, right: exp.Expr) -> exp.Expr:
    sides = [side if is_super(side) else fill("to_json(_0)", side) for side in (left, right)]
    return fill(f"{_COMPARE}(CAST(_0 AS VARCHAR), CAST(_1 AS VARCHAR), '{MARKS[type(node)]}')", *sides)


def compare(left: str | None, right: str | None, mark: str) -> bool | None:
    """Dynamic comparison of two JSON texts: = of different types is false, < of different types is NULL.

    Raises ValueError where a JSON null is compared, whose outcome Redshift's guide leaves open.
    """
    if left is None or right is None:
        return None
    first, second = (_value(text) for text in (left, right))
    if first is None or second is None:
        raise ValueError("the local Redshift twin does not support comparing a JSON null inside SUPER; cast the value")
    if mark in ("=", "<>"):
        equal = _kind(first) == _kind(second) and first == second
        return bool(equal) if mark == "=" else not equal
    if _kind(first) != _kind(second):
        return None
    if isinstance(first, (list, dict)):
        raise ValueError("the local Redshift twin does not support ordering SUPER arrays or objects")
    outcomes: dict[str, bool] = {"<": first < second, "<=": first <= second, ">": first > second, ">=": first >= second}
    return outcomes[mark]


def _value(text: str) -> Any:
    value = loads(text, parse_float=Decimal, parse_int=Decimal)
    return value.rstrip(" ") if isinstance(value, str) else value


def _kind(value: Any) -> type[Any]:
    return type(value)


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes the dynamic comparison known to one DuckDB database."""
    special = FunctionNullHandling.SPECIAL
    connection.create_function(_COMPARE, compare, ["VARCHAR", "VARCHAR", "VARCHAR"], "BOOLEAN", null_handling=special)
