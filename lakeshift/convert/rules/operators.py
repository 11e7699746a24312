"""Operators, conditions and literals.

https://cloud.google.com/bigquery/docs/reference/standard-sql/operators
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from lakeshift.convert import kinds
from lakeshift.convert.build import KINDS, call, cast, fill, number, text
from lakeshift.convert.rule import RULES as ALL
from lakeshift.convert.rule import Refused, Rewrite, Typing
from lakeshift.convert.rules.comparisons import check_compared

_NUMBERS = frozenset({"INT64", "FLOAT64", "NUMERIC"})
_MOMENTS = frozenset({"DATE", "DATETIME", "TIMESTAMP", "TIME"})
_INT64 = range(-(2**63), 2**63)


def fixed(node: exp.Expr, kind: str) -> exp.Expr:
    """The expression with the type that its rule knows better than anyone."""
    node.meta["kind_fixed"] = node.meta["kind"] = kind
    return node


def unknown(construct: str) -> Refused:
    """The refusal of an operation over a type that is not known."""
    return Refused(
        "unknown-type", f"{construct} over a value of unknown type", "give the table's schema with --schema."
    )


def converted(node: exp.Expr, kind: str, typing: Typing) -> exp.Expr:
    """An operand as GoogleSQL converts it by itself, or as it is."""
    own = typing.kind(node)
    if own == kind or kind in ("", kinds.NULL):
        return node
    if own == kinds.NULL:
        return fixed(cast(exp.Null(), "SUPER" if kinds.is_nested(kind) else KINDS.get(kind, "VARCHAR")), kind)
    if own == "STRING" and isinstance(node, exp.Literal) and kind in _MOMENTS:
        made = ALL[exp.Cast](exp.Cast(this=node, to=kinds.parsed(kind)), typing)
        return fixed(made, kind)
    if own in _NUMBERS and kind in ("FLOAT64", "NUMERIC"):
        return fixed(cast(node, KINDS[kind]), kind)
    if own == "" or kind == "":
        return node
    raise Refused("coercion", f"{own} where {kind} is expected", "cast it.")


def alike(nodes: Sequence[exp.Expr], typing: Typing, construct: str) -> tuple[list[exp.Expr], str]:
    """The operands in one type, with the type.

    A text literal takes the type of the moments beside it.
    """
    moments = {typing.kind(node) for node in nodes} & _MOMENTS
    texts = all(isinstance(node, exp.Literal) for node in nodes if typing.kind(node) == "STRING")
    if len(moments) == 1 and texts:
        kind = moments.pop()
    else:
        found = kinds.common([typing.kind(node) for node in nodes])
        if found is None:
            raise Refused("coercion", f"{construct} over different types", "cast the operands to one type.")
        kind = found
    return [converted(node, kind, typing) for node in nodes], kind


def wide(node: exp.Expr) -> exp.Expr:
    """An integer as BIGINT: Redshift computes literals and many functions in four bytes."""
    from lakeshift.convert.expressions import is_wide

    return node if is_wide(node) else fixed(cast(node, "BIGINT"), "INT64")


def _arithmetic(sign: type[exp.Binary]) -> Rewrite:
    def rewrite(node: exp.Expr, typing: Typing) -> exp.Expr:
        left, right = node.this, node.expression
        kinds_ = {typing.kind(left), typing.kind(right)}
        if kinds_ & {"DATE", "DATETIME", "TIMESTAMP"} and sign in (exp.Add, exp.Sub):
            return _moved(node, typing)
        kind = kinds.common([typing.kind(left), typing.kind(right)])
        if kind == kinds.NULL:
            return fixed(cast(exp.Null(), "BIGINT"), "INT64")
        if not kind:
            raise unknown(sign.__name__.upper())
        if kind not in _NUMBERS:
            raise Refused("operator", f"{sign.__name__.upper()} over {kind}", "cast the operands.")
        left, right = converted(left, kind, typing), converted(right, kind, typing)
        if kind == "INT64":
            left = left if not isinstance(right, exp.Literal) and _is_wide(right) else wide(left)
        made: exp.Expr = sign(this=_inner(left), expression=_inner(right))
        if kind == "NUMERIC":
            made = cast(call("ROUND", made, number(9)) if sign is exp.Mul else made, KINDS[kind])
        return fixed(made, kind)

    return rewrite


def _is_wide(node: exp.Expr) -> bool:
    from lakeshift.convert.expressions import is_wide

    return is_wide(node)


def _inner(node: exp.Expr) -> exp.Expr:
    """An operand in parentheses when it is an operator itself: the tree, not the printer, says what binds."""
    loose = (exp.Binary, exp.Not, exp.Between, exp.In, exp.Neg, exp.BitwiseNot)
    if isinstance(node, loose) and not isinstance(node, exp.Dot):
        return fixed(exp.Paren(this=node), str(node.meta.get("kind", "")))
    return node


def _moved(node: exp.Expr, typing: Typing) -> exp.Expr:
    """DATE + INT64 and DATE - INT64; with an INTERVAL, what the function for it does."""
    left, right = node.this, node.expression
    if isinstance(node, exp.Add) and typing.kind(left) in ("INT64", ""):
        left, right = right, left
    kind = typing.kind(left)
    if kind == "DATE" and typing.kind(right) == "INT64":
        steps = right if isinstance(node, exp.Add) else exp.Neg(this=_inner(right))
        return fixed(cast(call("DATEADD", exp.var("day"), cast(steps, "INTEGER"), left), "DATE"), "DATE")
    if isinstance(right, exp.Interval) and kind in _SHIFTS:
        return _shifted(node, left, right, typing)
    raise Refused(
        "interval", f"{type(node).__name__.upper()} over {kind} and an interval", "use DATE_ADD and the like."
    )


# A DATE with an INTERVAL becomes a DATETIME.
_SHIFTS: dict[str, tuple[type[exp.Expr], type[exp.Expr]]] = {
    "DATE": (exp.DatetimeAdd, exp.DatetimeSub),
    "DATETIME": (exp.DatetimeAdd, exp.DatetimeSub),
    "TIMESTAMP": (exp.TimestampAdd, exp.TimestampSub),
}


def _shifted(node: exp.Expr, moment: exp.Expr, interval: exp.Interval, typing: Typing) -> exp.Expr:
    kind = typing.kind(moment)
    unit, shape = interval.args.get("unit"), _SHIFTS[kind][isinstance(node, exp.Sub)]
    if not isinstance(unit, exp.Var) or shape not in ALL:
        raise Refused("interval", "an interval of several units", "add one unit after the other.")
    if kind == "DATE":
        kind, moment = "DATETIME", fixed(cast(moment, KINDS["DATETIME"]), "DATETIME")
    return fixed(ALL[shape](shape(this=moment, expression=interval.this, unit=unit.copy()), typing), kind)


def _divide(node: exp.Expr, typing: Typing) -> exp.Expr:
    left, right = node.this, node.expression
    _check_division(left, right, typing)
    made = exp.Div(this=_double(left, typing), expression=_double(right, typing))
    return fixed(made, "FLOAT64")


def _check_division(left: exp.Expr, right: exp.Expr, typing: Typing) -> None:
    found = {typing.kind(left), typing.kind(right)}
    if "" in found:
        raise unknown("division")
    if not found <= {"INT64", "FLOAT64", kinds.NULL} and "FLOAT64" not in found:
        raise Refused("numeric-division", "division of NUMERIC", "cast to FLOAT64, or give the scale by hand.")


def _double(node: exp.Expr, typing: Typing) -> exp.Expr:
    if typing.kind(node) == "FLOAT64":
        return _inner(node)
    return fixed(cast(node, KINDS["FLOAT64"]), "FLOAT64")


def _safe_divide(node: exp.Expr, typing: Typing) -> exp.Expr:
    left, right = node.this, node.expression
    _check_division(left, right, typing)
    divided = exp.Div(this=_double(left, typing), expression=_double(right, typing))
    zero = exp.EQ(this=_inner(right.copy()), expression=number(0))
    return fixed(exp.Case(ifs=[exp.If(this=zero, true=cast(exp.Null(), KINDS["FLOAT64"]))], default=divided), "FLOAT64")


def _negative(node: exp.Expr, typing: Typing) -> exp.Expr:
    kind = typing.kind(node.this)
    if kind not in _NUMBERS:
        raise unknown("the sign -")
    if isinstance(node.this, exp.Literal):
        return fixed(exp.Neg(this=node.this), kind)
    return fixed(exp.Neg(this=_inner(wide(node.this) if kind == "INT64" else node.this)), kind)


def _compare(sign: type[exp.Binary]) -> Rewrite:
    def rewrite(node: exp.Expr, typing: Typing) -> exp.Expr:
        (left, right), kind = alike([node.this, node.expression], typing, "a comparison")
        _comparable(kind)
        check_compared([left, right])
        if kind == kinds.NULL:
            return fixed(cast(exp.Null(), "BOOLEAN"), "BOOL")
        return comparing(sign(this=_inner(left), expression=_inner(right)), kind)

    return rewrite


def comparing(node: exp.Expr, kind: str, result: str = "BOOL") -> exp.Expr:
    """A comparison of values of a type, marked so that `lakeshift.convert.exact` finds it."""
    node.meta["compared"] = kind
    return fixed(node, result)


def _comparable(kind: str) -> None:
    if kinds.is_nested(kind):
        raise Refused("nested-comparison", f"a comparison of {kind[:40]}", "compare its scalar fields.")
    if kind in ("INTERVAL", "RANGE", "GEOGRAPHY"):
        raise Refused("no-type", f"a comparison of {kind}", "Redshift has no such type.")


def _same(negated: bool) -> Rewrite:
    def rewrite(node: exp.Expr, typing: Typing) -> exp.Expr:
        (left, right), kind = alike([node.this, node.expression], typing, "IS DISTINCT FROM")
        _comparable(kind)
        if kind == kinds.NULL:
            return fixed(exp.Boolean(this=not negated), "BOOL")
        same = "CASE WHEN _0 IS NULL OR _1 IS NULL THEN _0 IS NULL AND _1 IS NULL ELSE _0 = _1 END"
        other = "CASE WHEN _0 IS NULL OR _1 IS NULL THEN NOT (_0 IS NULL AND _1 IS NULL) ELSE _0 <> _1 END"
        made = fill(other if negated else same, left, right)
        if kind != "FLOAT64":  # NaN is not distinct from NaN in either engine
            comparing(made.args["default"], kind)
        return fixed(made, "BOOL")

    return rewrite


def _logical(sign: type[exp.Connector]) -> Rewrite:
    def rewrite(node: exp.Expr, typing: Typing) -> exp.Expr:
        left, right = (converted(one, "BOOL", typing) for one in (node.this, node.expression))
        return fixed(sign(this=_grouped(left), expression=_grouped(right)), "BOOL")

    return rewrite


def _grouped(node: exp.Expr) -> exp.Expr:
    if isinstance(node, (exp.Connector, exp.Not)):
        return fixed(exp.Paren(this=node), "BOOL")
    return node


def _not(node: exp.Expr, typing: Typing) -> exp.Expr:
    return fixed(exp.Not(this=_inner(converted(node.this, "BOOL", typing))), "BOOL")


def _is(node: exp.Expr, typing: Typing) -> exp.Expr:
    value, kind = node.this, typing.kind(node.this)
    if kind == "JSON":
        raise Refused("json-null", "IS NULL of JSON", "JSON null is not NULL; compare a JSON_VALUE of it.")
    if kind == kinds.NULL:
        if isinstance(node.expression, exp.Null):
            return fixed(exp.true(), "BOOL")
        value = fixed(cast(exp.Null(), "BOOLEAN"), "BOOL")
    return fixed(exp.Is(this=_inner(value), expression=node.expression), "BOOL")


def _between(node: exp.Expr, typing: Typing) -> exp.Expr:
    if node.args.get("symmetric"):
        raise Refused("no-construct", "BETWEEN SYMMETRIC", "")
    parts = [node.this, node.args["low"], node.args["high"]]
    (value, low, high), kind = alike(parts, typing, "BETWEEN")
    _comparable(kind)
    check_compared([value, low, high])
    return comparing(exp.Between(this=_inner(value), low=_inner(low), high=_inner(high)), kind)


def in_list(value: exp.Expr, items: Sequence[exp.Expr], typing: Typing) -> exp.Expr:
    """`value IN (items)`."""
    (first, *rest), kind = alike([value, *items], typing, "IN")
    _comparable(kind)
    check_compared([first, *rest])
    if kind == kinds.NULL:
        return fixed(cast(exp.Null(), "BOOLEAN"), "BOOL")
    return comparing(exp.In(this=_inner(first), expressions=rest), kind)


def _like(node: exp.Expr, typing: Typing) -> exp.Expr:
    """The backslash escapes in both; a quantified list becomes one condition for each pattern."""
    found = {typing.kind(node.this), typing.kind(node.expression)}
    if not found <= {"STRING", "", kinds.NULL}:
        raise Refused("operator", "LIKE over BYTES", "compare hexadecimal text.")
    if kinds.NULL in found:
        return fixed(cast(exp.Null(), "BOOLEAN"), "BOOL")
    made = fixed(exp.Like(this=_inner(node.this), expression=_inner(node.expression)), "BOOL")
    return fixed(exp.Not(this=_inner(made)), "BOOL") if node.args.get("negate") else made


def _concatenate(node: exp.Expr, typing: Typing) -> exp.Expr:
    left, right = node.this, node.expression
    kind = kinds.common([typing.kind(left), typing.kind(right)])
    if kind == "STRING":
        parts = (converted(one, kind, typing) for one in (left, right))
        return fixed(exp.DPipe(this=_operand(next(parts)), expression=_operand(next(parts))), kind)
    if kind and kind.startswith("ARRAY<"):
        return fixed(call("ARRAY_CONCAT", left, right), kind)
    raise unknown("||") if not kind else Refused("operator", f"|| over {kind}", "concatenate text.")


def _operand(node: exp.Expr) -> exp.Expr:
    return node if isinstance(node, exp.DPipe) else _inner(node)


_BINDING = (exp.BitwiseOr, exp.BitwiseXor, exp.BitwiseAnd, exp.BitwiseLeftShift, exp.BitwiseRightShift)


def _bitwise(sign: type[exp.Binary]) -> Callable[[Rewrite], Rewrite]:
    """Refuses what the parser has put together otherwise: it knows one level of bitwise operators only."""
    own = min(_BINDING.index(sign), 3)

    def decorate(rule: Rewrite) -> Rewrite:
        def rewrite(node: exp.Expr, typing: Typing) -> exp.Expr:
            if own > min(node.this.meta.get("binding", 3), 3):
                raise Refused("precedence", "bitwise operators of several kinds in a row", "put them in parentheses.")
            made = rule(node, typing)
            made.meta["binding"] = own
            return made

        return rewrite

    return decorate


def _bits(sign: type[exp.Binary]) -> Rewrite:
    @_bitwise(sign)
    def rewrite(node: exp.Expr, typing: Typing) -> exp.Expr:
        if {typing.kind(node.this), typing.kind(node.expression)} != {"INT64"}:
            raise Refused("operator", f"{sign.__name__} over anything but INT64", "cast the operands.")
        return fixed(sign(this=_inner(wide(node.this)), expression=_inner(wide(node.expression))), "INT64")

    return rewrite


@_bitwise(exp.BitwiseXor)
def _bit_xor(node: exp.Expr, typing: Typing) -> exp.Expr:
    """What is in either and not in both: the operator # of Redshift is not read by every client."""
    if {typing.kind(node.this), typing.kind(node.expression)} != {"INT64"}:
        raise Refused("operator", "^ over anything but INT64", "cast the operands.")
    return fixed(fill("(_0 | _1) - (_0 & _1)", wide(node.this), wide(node.expression)), "INT64")


def _bit_not(node: exp.Expr, typing: Typing) -> exp.Expr:
    if typing.kind(node.this) != "INT64":
        raise Refused("operator", "~ over anything but INT64", "cast the operand.")
    return fixed(exp.BitwiseNot(this=_inner(wide(node.this))), "INT64")


def _fits(left: exp.Expr, right: exp.Expr, sign: type[exp.Binary]) -> bool:
    """True for a constant that is not negative, before and after the shift."""
    literal = isinstance(left, exp.Literal) and left.is_int
    return literal and (sign is exp.BitwiseRightShift or int(left.name) << int(right.name) in _INT64)


def _shift(sign: type[exp.Binary]) -> Rewrite:
    """By constants below 64, where both agree; to the right BigQuery fills with zeros: only what is not negative."""

    @_bitwise(sign)
    def rewrite(node: exp.Expr, typing: Typing) -> exp.Expr:
        left, right = node.this, node.expression
        constant = isinstance(right, exp.Literal) and right.is_int and int(right.name) < 64
        right_of_sign = sign is exp.BitwiseRightShift or isinstance(left, (exp.Literal, exp.Neg, exp.Paren))
        if not constant or typing.kind(left) != "INT64" or (right_of_sign and not _fits(left, right, sign)):
            raise Refused(
                "shift", f"{sign.__name__} that is not by a constant", "multiply or divide by a power of two."
            )
        return fixed(sign(this=_inner(wide(left)), expression=right), "INT64")

    return rewrite


def _case(node: exp.Expr, typing: Typing) -> exp.Expr:
    subject, branches = node.args.get("this"), node.args["ifs"]
    default = node.args.get("default")
    values, kind = alike([one.args["true"] for one in branches] + ([default] if default else []), typing, "CASE")
    tests = [one.this for one in branches]
    compared = ""
    if subject is not None:
        (subject, *tests), compared = alike([subject, *tests], typing, "CASE")
        _comparable(compared)
        check_compared([subject, *tests])
    else:
        tests = [converted(one, "BOOL", typing) for one in tests]
    ifs = [exp.If(this=test, true=value) for test, value in zip(tests, values, strict=False)]
    made = exp.Case(this=subject, ifs=ifs, default=values[len(ifs)] if default else None)
    if kind == kinds.NULL:
        return fixed(exp.Null(), kinds.NULL)
    return fixed(made, kind) if subject is None else comparing(made, compared, kind)


def _coalesce(node: exp.Expr, typing: Typing) -> exp.Expr:
    values, kind = alike([node.this, *node.expressions], typing, "COALESCE")
    if kind == kinds.NULL:
        return fixed(exp.Null(), kind)
    if kinds.is_nested(kind):
        raise Refused("nested-null", "COALESCE of nested values", "JSON null in SUPER is not NULL.")
    return fixed(call("COALESCE", *values), kind)


def _nullif(node: exp.Expr, typing: Typing) -> exp.Expr:
    (left, right), kind = alike([node.this, node.expression], typing, "NULLIF")
    _comparable(kind)
    check_compared([left, right])
    if kind == kinds.NULL:
        return fixed(exp.Null(), kind)
    return comparing(call("NULLIF", left, right), kind, kind)


def _literal(node: exp.Expr, _: Typing) -> exp.Expr:
    if node.is_string:
        if "\x00" in node.name:
            raise Refused("null-character", "text with the character U+0000", "Redshift holds no such character.")
        return fixed(node.copy(), "STRING")
    if node.is_int:
        if int(node.name) not in _INT64 and int(node.name) != 2**63:
            raise Refused("literal", f"the number {node.name}", "BigQuery refuses it too.")
        return fixed(node.copy(), "INT64")
    return fixed(cast(node.copy(), KINDS["FLOAT64"]), "FLOAT64")


def _kept(kind: str) -> Rewrite:
    def rewrite(node: exp.Expr, _: Typing) -> exp.Expr:
        return fixed(node.copy(), kind)

    return rewrite


def _hexadecimal(node: exp.Expr, _: Typing) -> exp.Expr:
    if not node.args.get("is_integer"):
        raise Refused("literal", "this form of a number", "write it in decimal.")
    return fixed(exp.Literal.number(int(node.name, 16)), "INT64")


def _raw(node: exp.Expr, _: Typing) -> exp.Expr:
    return fixed(text(node.name), "STRING")


def _paren(node: exp.Expr, typing: Typing) -> exp.Expr:
    inner = node.this
    atom = isinstance(inner, (exp.Literal, exp.Paren, exp.Anonymous, exp.Cast, exp.Null, exp.Subquery))
    return inner if atom else fixed(exp.Paren(this=inner), typing.kind(inner))


def _bytes(node: exp.Expr, _: Typing) -> exp.Expr:
    raw = node.name.encode("latin-1", errors="strict") if node.args.get("is_bytes") else node.name.encode()
    return fixed(call("FROM_HEX", text(raw.hex())), "BYTES")


_SIGNS: tuple[type[exp.Binary], ...] = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)
_BITS: tuple[type[exp.Binary], ...] = (exp.BitwiseAnd, exp.BitwiseOr)

RULES: dict[type[exp.Expr], Rewrite] = {
    **{sign: _arithmetic(sign) for sign in (exp.Add, exp.Sub, exp.Mul)},
    **{sign: _compare(sign) for sign in _SIGNS},
    **{sign: _bits(sign) for sign in _BITS},
    **{sign: _shift(sign) for sign in (exp.BitwiseLeftShift, exp.BitwiseRightShift)},
    **{sign: _logical(sign) for sign in (exp.And, exp.Or)},
    exp.Between: _between,
    exp.BitwiseNot: _bit_not,
    exp.BitwiseXor: _bit_xor,
    exp.Boolean: _kept("BOOL"),
    exp.ByteString: _bytes,
    exp.Case: _case,
    exp.Coalesce: _coalesce,
    exp.Div: _divide,
    exp.DPipe: _concatenate,
    exp.HexString: _hexadecimal,
    exp.Is: _is,
    exp.Like: _like,
    exp.Literal: _literal,
    exp.Neg: _negative,
    exp.Not: _not,
    exp.Null: _kept(kinds.NULL),
    exp.Nullif: _nullif,
    exp.NullSafeEQ: _same(negated=False),
    exp.NullSafeNEQ: _same(negated=True),
    exp.Paren: _paren,
    exp.RawString: _raw,
    exp.SafeDivide: _safe_divide,
}
