"""Mathematical functions. INT64 is computed as BIGINT, FLOAT64 as DOUBLE PRECISION, NUMERIC as DECIMAL(38, 9).

https://cloud.google.com/bigquery/docs/reference/standard-sql/mathematical_functions
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext

from sqlglot import exp

from lakeshift.convert.build import KINDS, cast, fill, text
from lakeshift.convert.rule import Refused, Rewrite, Typing
from lakeshift.convert.rules.arguments import (
    arity,
    constant_int,
    fixed,
    is_null,
    is_volatile,
    need,
    need_int,
    need_text,
    or_else,
    put,
    refuse,
    total,
)

_FLOAT, _INT, _NUMERIC = "FLOAT64", "INT64", "NUMERIC"
_NUMBERS = (_INT, _FLOAT, _NUMERIC)
_NAN, _INFINITY = "CAST('NaN' AS DOUBLE PRECISION)", "CAST('Infinity' AS DOUBLE PRECISION)"
_CAST_TO_NUMERIC = "cast the argument to NUMERIC, which both round exactly."


def _float(node: exp.Expr, typing: Typing, construct: str) -> exp.Expr:
    """An argument as FLOAT64. NUMERIC is refused: GoogleSQL computes on with NUMERIC there."""
    return double(node, need(typing, node, construct, _FLOAT, _INT))


def double(node: exp.Expr, kind: str) -> exp.Expr:
    """A number as DOUBLE PRECISION; Redshift reads a constant with a point as DECIMAL."""
    inner = node.this if isinstance(node, exp.Neg) else node
    return node if kind == _FLOAT and not isinstance(inner, (exp.Literal, exp.Paren)) else cast(node, KINDS[_FLOAT])


def _of_float(template: str, construct: str, *slots: str) -> Rewrite:
    def rewrite(node: exp.Expr, typing: Typing) -> exp.Expr:
        return put(template, _FLOAT, *(_float(node.args[slot], typing, construct) for slot in slots))

    return rewrite


def _kept(template: str, construct: str) -> Rewrite:
    """A function of one number that gives a number of the same type."""

    def rewrite(node: exp.Expr, typing: Typing) -> exp.Expr:
        kind = need(typing, node.this, construct, *_NUMBERS)
        made = put(template, kind, node.this)
        return fixed(cast(made, KINDS[kind]), kind) if kind in KINDS else made

    return rewrite


def _rounding(exact: str, float_template: str, construct: str) -> Rewrite:
    """ROUND, TRUNC, CEIL, FLOOR: INT64 becomes FLOAT64; NUMERIC stays; FLOAT64 has no digits."""

    def rewrite(node: exp.Expr, typing: Typing) -> exp.Expr:
        kind = need(typing, node.this, construct, *_NUMBERS)
        if node.args.get("truncate") is not None:
            raise Refused("rounding-mode", f"{construct} with a rounding mode", "Redshift rounds half away from zero.")
        digits = need_int(node.args.get("decimals"), f"the digits of {construct}", 0)
        if kind == _NUMERIC:
            if not 0 <= digits <= 9:
                raise Refused("argument", f"{construct} to {digits} digits", "only 0 to 9 digits are certain.")
            made = fill(exact if digits == 0 else exact.replace("(_0)", f"(_0, {digits})"), node.this)
            return fixed(cast(made, KINDS[_NUMERIC]), _NUMERIC)
        if digits and not is_null(node.this):
            raise Refused("float-rounding", f"{construct} of {kind} to digits", _CAST_TO_NUMERIC)
        return put(float_template if kind == _FLOAT else "_0", _FLOAT, double(node.this, kind))

    return rewrite


def _sign(node: exp.Expr, typing: Typing) -> exp.Expr:
    made = _kept("SIGN(_0)", "SIGN")(node, typing)
    if typing.kind(node.this) != _FLOAT:
        return made
    return put(f"CASE WHEN _0 = {_NAN} THEN _0 ELSE _1 END", _FLOAT, double(node.this, _FLOAT), made)


# Half away from zero; the fraction of a double is exact, so no sum is rounded on the way.
_ROUND_FLOAT = "CASE WHEN ABS(_0 - TRUNC(_0)) >= 0.5 THEN TRUNC(_0) + SIGN(_0) ELSE TRUNC(_0) END"


def _pair(node: exp.Expr, typing: Typing, construct: str, *kinds: str) -> str:
    """The common type of two arguments."""
    found = {need(typing, side, construct, *kinds) for side in (node.this, node.expression)} - {"NULL"}
    if len(found) > 1:
        raise Refused("argument-type", f"{construct} of {' and '.join(sorted(found))}", "cast the arguments.")
    return found.pop() if found else _INT


def _mod(node: exp.Expr, typing: Typing) -> exp.Expr:
    kind = _pair(node, typing, "MOD", _INT)
    return put("MOD(_0, _1)", kind, *_wide(node))


def _wide(node: exp.Expr) -> tuple[exp.Expr, exp.Expr]:
    return cast(node.this, KINDS[_INT]), cast(node.expression, KINDS[_INT])


def _div(node: exp.Expr, typing: Typing) -> exp.Expr:
    _pair(node, typing, "DIV", _INT)
    return put("(_0 / _1)", _INT, *_wide(node))


def _safe(sign: str, construct: str) -> Rewrite:
    """INT64 in 38 digits, which hold the sum and the product of any two; what is too large becomes NULL."""
    inside = "_0 BETWEEN -9223372036854775807 - 1 AND 9223372036854775807"

    def rewrite(node: exp.Expr, typing: Typing) -> exp.Expr:
        _pair(node, typing, construct, _INT)
        sides = (cast(node.this, "DECIMAL(19, 0)"), cast(node.expression, "DECIMAL(19, 0)"))
        exact = fill(f"CAST(_0 {sign} _1 AS DECIMAL(38, 0))", *sides)
        return put(f"CASE WHEN {inside} THEN CAST(_0 AS BIGINT) END", _INT, exact)

    return rewrite


def _safe_negate(node: exp.Expr, typing: Typing) -> exp.Expr:
    kind = need(typing, node.this, "SAFE_NEGATE", _INT, _FLOAT)
    if kind == _FLOAT:
        return put("(-_0)", _FLOAT, node.this)
    return put("CASE WHEN _0 >= -9223372036854775807 THEN -_0 END", _INT, cast(node.this, KINDS[_INT]))


def _extreme(name: str) -> Rewrite:
    """NULL when any argument is: Redshift leaves NULLs out. NaN wins over every number."""

    def rewrite(node: exp.Expr, typing: Typing) -> exp.Expr:
        items = [node.this, *node.expressions]
        kinds = {need(typing, item, name, *_NUMBERS, "STRING", "DATE", "DATETIME", "TIMESTAMP") for item in items}
        kind = _widest(kinds - {"NULL"}, name)
        if any(map(is_volatile, items)):
            raise Refused("repeated-random", f"{name} of a random value", "select it in a subquery.")
        shown = [_of_kind(item, typing.kind(item), kind) for item in items]
        marks = [f"_{position}" for position in range(len(shown))]
        plain = f"{name}({', '.join(marks)})"
        whens = [
            f"WHEN {mark} IS NULL THEN NULL" for mark, item in zip(marks, items, strict=True) if not _certain(item)
        ]
        whens += [f"WHEN {mark} = {_NAN} THEN {_NAN}" for mark in marks] if kind == _FLOAT else []
        return fixed(fill(f"CASE {' '.join(whens)} ELSE {plain} END" if whens else plain, *shown), kind)

    return rewrite


def _of_kind(node: exp.Expr, kind: str, wanted: str) -> exp.Expr:
    if wanted == _FLOAT:
        return double(node, kind)
    return node if kind == wanted else cast(node, KINDS[wanted])


def _certain(node: exp.Expr) -> bool:
    """True for a constant that is not NULL."""
    return constant_int(node) is not None or isinstance(node, exp.Literal)


def _widest(kinds: set[str], construct: str) -> str:
    if len(kinds) == 1:
        return next(iter(kinds))
    if kinds and kinds <= {_INT, _FLOAT}:
        return _FLOAT
    raise Refused("argument-type", f"{construct} of {' and '.join(sorted(kinds)) or 'NULLs'}", "cast the arguments.")


def _log(node: exp.Expr, typing: Typing) -> exp.Expr:
    """sqlglot keeps the base first; LOG10 comes with the constant base 10."""
    base, value = node.this, node.expression
    if value is None:
        return put("LN(_0)", _FLOAT, _float(base, typing, "LOG"))
    if constant_int(base) == 10:
        return put("LOG(_0)", _FLOAT, _float(value, typing, "LOG"))
    return put("(LN(_0) / LN(_1))", _FLOAT, _float(value, typing, "LOG"), _float(base, typing, "LOG"))


def _range_bucket(node: exp.Expr, typing: Typing) -> exp.Expr:
    """How many bounds are not above the point; the bounds must be constants, so that their order is certain."""
    kind = need(typing, node.this, "RANGE_BUCKET", _INT)
    bounds = node.expression
    if not (isinstance(bounds, exp.Anonymous) and bounds.name == "ARRAY"):
        raise Refused("not-constant", "RANGE_BUCKET with a computed array", "write the bounds themselves.")
    values = [need_int(bound, "a bound of RANGE_BUCKET") for bound in bounds.expressions]
    if values != sorted(values):
        raise Refused("argument", "RANGE_BUCKET with unsorted bounds", "BigQuery refuses it too.")
    if kind == "NULL" or is_null(node.this):
        return fixed(cast(exp.Null(), KINDS[_INT]), _INT)
    whens = (f"WHEN _0 >= {value} THEN {count}" for count, value in reversed(list(enumerate(values, start=1))))
    return put(f"CASE {' '.join(whens)} WHEN _0 IS NOT NULL THEN 0 END", _INT, node.this)


def _parse_numeric(node: exp.Expr, _: Typing) -> exp.Expr:
    """A constant is computed here, with nine digits behind the point, half away from zero."""
    if is_null(node.this):
        return fixed(cast(exp.Null(), KINDS[_NUMERIC]), _NUMERIC)
    value = need_text(node.this, "the text of PARSE_NUMERIC")
    squeezed = re.sub(r"^([-+]?)\s+|\s+([-+])$", r"\1\2", value.strip()).replace(",", "")
    trailing = re.fullmatch(r"([^-+].*)([-+])", squeezed)
    try:
        with localcontext(prec=80):
            found = Decimal(trailing[2] + trailing[1] if trailing else squeezed)
            rounded = found.quantize(Decimal(1).scaleb(-9), ROUND_HALF_UP)
    except InvalidOperation:
        raise Refused("argument", "PARSE_NUMERIC of what is no number", "BigQuery refuses it too.") from None
    if abs(rounded) >= Decimal(10) ** 29:
        raise Refused("argument", "PARSE_NUMERIC out of range", "BigQuery refuses it too.")
    return fixed(cast(text(f"{rounded:f}"), KINDS[_NUMERIC]), _NUMERIC)


def _ieee_divide(node: exp.Expr, typing: Typing) -> exp.Expr:
    """Division by zero gives infinity or NaN; only a constant divisor shows the sign of its zero."""
    left, right = arity(node, "IEEE_DIVIDE", 2)
    divisor = right.unnest() if isinstance(right, exp.Paren) else right
    inner = divisor.this if isinstance(divisor, exp.Neg) else divisor
    if isinstance(inner, exp.Cast):
        inner = inner.this
    if not (isinstance(inner, exp.Literal) and not inner.is_string):
        raise Refused(
            "not-constant", "IEEE_DIVIDE by an expression", "Redshift refuses to divide by zero; use SAFE_DIVIDE."
        )
    sides = (_float(left, typing, "IEEE_DIVIDE"), _float(right, typing, "IEEE_DIVIDE"))
    if float(inner.name) != 0:
        return put("(_0 / _1)", _FLOAT, *sides)
    if isinstance(divisor, exp.Neg):
        raise Refused("argument", "IEEE_DIVIDE by negative zero", "write the result itself.")
    infinite = f"WHEN _0 = {_NAN} THEN _0 WHEN _0 > 0 THEN {_INFINITY} WHEN _0 < 0 THEN -{_INFINITY}"
    return put(f"CASE {infinite} WHEN _0 = 0 THEN {_NAN} END", _FLOAT, sides[0])


def _is_special(template: str, construct: str) -> Rewrite:
    def rewrite(node: exp.Expr, typing: Typing) -> exp.Expr:
        return put(template, "BOOL", _float(node.this, typing, construct))

    return rewrite


_HYPERBOLIC = "Redshift has no hyperbolic functions; EXP loses digits near zero."
_TRIGONOMETRY: dict[type[exp.Expr], str] = {
    exp.Acos: "ACOS",
    exp.Asin: "ASIN",
    exp.Atan: "ATAN",
    exp.Cos: "COS",
    exp.Cot: "COT",
    exp.Exp: "EXP",
    exp.Ln: "LN",
    exp.Sin: "SIN",
    exp.Sqrt: "SQRT",
    exp.Tan: "TAN",
}
_NOT_THERE: tuple[type[exp.Expr], ...] = (
    *(exp.Acosh, exp.Asinh, exp.Atanh, exp.Cosh, exp.Sinh, exp.Tanh),
    *(exp.Coth, exp.Csch, exp.Sech),
)

RULES: dict[type[exp.Expr], Rewrite] = {
    **{kind: _of_float(f"{name}(_0)", name, "this") for kind, name in _TRIGONOMETRY.items()},
    **{kind: refuse(kind.__name__.upper(), _HYPERBOLIC) for kind in _NOT_THERE},
    exp.Abs: _kept("ABS(_0)", "ABS"),
    exp.Atan2: _of_float("ATAN2(_0, _1)", "ATAN2", "this", "expression"),
    exp.BitwiseCount: refuse("BIT_COUNT", "Redshift has no such function."),
    exp.Cbrt: refuse("CBRT", "its last digit differs between engines; use POWER or ROUND the result."),
    exp.Ceil: _rounding("CEIL(_0)", "CEIL(_0)", "CEIL"),
    exp.CosineDistance: refuse("COSINE_DISTANCE", "Redshift has no such function."),
    exp.Csc: _of_float("(1 / SIN(_0))", "CSC", "this"),
    exp.EuclideanDistance: refuse("EUCLIDEAN_DISTANCE", "Redshift has no such function."),
    exp.Floor: _rounding("FLOOR(_0)", "FLOOR(_0)", "FLOOR"),
    exp.Greatest: total(_extreme("GREATEST")),
    exp.IntDiv: _div,
    exp.IsInf: total(_is_special(f"(ABS(_0) = {_INFINITY})", "IS_INF")),
    exp.IsNan: total(_is_special(f"(_0 = {_NAN})", "IS_NAN")),
    exp.Least: total(_extreme("LEAST")),
    exp.Log: _log,
    exp.Mod: _mod,
    exp.ParseBignumeric: refuse("PARSE_BIGNUMERIC", "Redshift has no BIGNUMERIC.", "no-type"),
    exp.ParseNumeric: _parse_numeric,
    exp.Pi: lambda _, __: put("PI()", _FLOAT),
    exp.Pow: _of_float("POWER(_0, _1)", "POWER", "this", "expression"),
    exp.Rand: lambda _, __: put("RANDOM()", _FLOAT),
    exp.RangeBucket: _range_bucket,
    exp.Round: _rounding("ROUND(_0)", _ROUND_FLOAT, "ROUND"),
    exp.SafeAdd: total(_safe("+", "SAFE_ADD")),
    exp.SafeMultiply: total(_safe("*", "SAFE_MULTIPLY")),
    exp.SafeNegate: total(_safe_negate),
    exp.SafeSubtract: total(_safe("-", "SAFE_SUBTRACT")),
    exp.Sec: _of_float("(1 / COS(_0))", "SEC", "this"),
    exp.Sign: total(_sign),
    exp.Trunc: _rounding("TRUNC(_0)", "TRUNC(_0)", "TRUNC"),
}


def _null_if_zero(node: exp.Expr, typing: Typing) -> exp.Expr:
    (value,) = arity(node, "NULLIFZERO", 1)
    kind = need(typing, value, "NULLIFZERO", *_NUMBERS)
    return put("NULLIF(_0, 0)", kind, value)


def _zero_if_null(node: exp.Expr, typing: Typing) -> exp.Expr:
    (value,) = arity(node, "ZEROIFNULL", 1)
    kind = or_else(need(typing, value, "ZEROIFNULL", *_NUMBERS), _INT)
    return put("COALESCE(_0, 0)", kind, value)


NAMED: dict[str, Rewrite] = {
    "IEEE_DIVIDE": _ieee_divide,
    "NULLIFZERO": _null_if_zero,
    "ZEROIFNULL": _zero_if_null,
}
