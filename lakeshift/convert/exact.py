"""Comparisons that have GoogleSQL's answer for every value of a column: texts that end in blanks, and NaN.

Redshift takes no notice of blanks at the end of a VARCHAR, and takes NaN as equal to itself and above every number; in
GoogleSQL every character counts, and each comparison with NaN is false but for `<>`. Texts are compared as their bytes
in UTF-8, which is the order of their characters as well, and NaN is looked for.
https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html#r_Character_types-significance-of-trailing-blanks
https://docs.aws.amazon.com/redshift/latest/dg/r_VARBYTE_OPERATORS.html
https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#floating_point_semantics
"""

from __future__ import annotations

from sqlglot import exp

from lakeshift.convert.build import cast, fill, print_sql
from lakeshift.convert.rule import Refused

_BYTES = "VARBYTE(65535)"
_NAN = "CAST('NaN' AS DOUBLE PRECISION)"
# The parts of a comparison that hold its operands, beside those of the branches of a CASE.
_OPERANDS = ("this", "expression", "low", "high", "expressions")
# Redshift has NaN above all: of these comparisons it says yes to NaN where GoogleSQL does not.
_ABOVE: dict[type[exp.Expr], str] = {exp.GT: "this", exp.GTE: "this", exp.LT: "expression", exp.LTE: "expression"}


def compare_exactly(tree: exp.Expr) -> None:
    """Rewrite every comparison that the rules have marked.

    Raises:
        Refused: the type of what it compares is not known; the greatest or least of texts, whose blanks do not count.
    """
    # Inner ones first: an outer one may need its operands twice.
    for node in reversed(list(tree.walk())):
        if isinstance(node, exp.Anonymous) and node.name in ("GREATEST", "LEAST"):
            _check_extreme(node)
        kind = node.meta.get("compared")
        if kind == "":
            shown = print_sql(node)[:80]
            raise Refused("unknown-type", f"the comparison {shown} of values of unknown type", "cast its operands.")
        if kind == "STRING":
            _as_bytes(node)
        elif kind == "FLOAT64":
            made = _without_nan(node)
            if made is not node:
                made.meta["kind"] = node.meta.get("kind", "")
                node.replace(made)


def _check_extreme(node: exp.Anonymous) -> None:
    if any(_kind(one) == "STRING" for one in node.expressions):
        advice = "compare the texts one by one, as in a >= 'x' OR b >= 'x'."
        raise Refused("trailing-blank", f"{node.name} of texts, where Redshift does not see blanks at the end", advice)


def _kind(node: exp.Expr) -> str:
    inner = node.unnest()
    return "STRING" if isinstance(inner, exp.Literal) and inner.is_string else str(inner.meta.get("kind", ""))


def _as_bytes(node: exp.Expr) -> None:
    """Put the operands into their bytes."""
    if isinstance(node, exp.Anonymous):  # NULLIF, which gives back its first operand
        first, second = node.expressions
        equal = exp.EQ(this=_bytes(first), expression=_bytes(second))
        node.replace(exp.Case(ifs=[exp.If(this=equal, true=exp.Null())], default=first.copy()))
        return
    for key in _OPERANDS:
        found = node.args.get(key)
        if found is not None:
            node.set(key, [_bytes(one) for one in found] if isinstance(found, list) else _bytes(found))
    for branch in node.args.get("ifs") or ():
        branch.set("this", _bytes(branch.this))


def _bytes(node: exp.Expr) -> exp.Expr:
    return cast(node.unnest().copy(), _BYTES)


def _without_nan(node: exp.Expr) -> exp.Expr:
    """The comparison of FLOAT64 in which NaN is like nothing."""
    if isinstance(node, exp.Between):
        low, high = _compared(exp.GTE, node.this, node.args["low"]), _compared(exp.LTE, node.this, node.args["high"])
        return fill("(_0 AND _1)", low, high)
    if isinstance(node, exp.Binary):
        return _compared(type(node), node.this, node.expression)
    return _as_equations(node)


def _as_equations(node: exp.Expr) -> exp.Expr:
    """IN of a list, CASE x WHEN and NULLIF as the comparisons by = that they stand for, where these need more."""
    branches = node.args.get("ifs") or ()
    value, *others = node.expressions if isinstance(node, exp.Anonymous) else (node.this, *node.expressions)
    others += [one.this for one in branches]
    if all(map(_is_constant, others)):
        return node
    tests = [_compared(exp.EQ, value, one) for one in others]
    if isinstance(node, exp.In):
        return fill(f"({' OR '.join(f'_{position}' for position in range(len(tests)))})", *tests)
    if isinstance(node, exp.Anonymous):
        return exp.Case(ifs=[exp.If(this=tests[0], true=exp.Null())], default=value.copy())
    ifs = [exp.If(this=test, true=one.args["true"].copy()) for test, one in zip(tests, branches, strict=True)]
    return exp.Case(ifs=ifs, default=node.args.get("default"))


def _compared(sign: type[exp.Expr], left: exp.Expr, right: exp.Expr) -> exp.Expr:
    plain = sign(this=left.copy(), expression=right.copy())
    loose = [side for side, one in (("this", left), ("expression", right)) if not _is_constant(one)]
    if len(loose) == 2:
        # NULL stays NULL, also beside NaN: under a NOT that is another answer than false.
        template = (
            "CASE WHEN _0 IS NULL OR _1 IS NULL THEN CAST(NULL AS BOOLEAN) "
            f"WHEN _0 = {_NAN} OR _1 = {_NAN} THEN {str(sign is exp.NEQ).upper()} ELSE _2 END"
        )
        return fill(template, left, right, plain)
    if loose == [_ABOVE.get(sign)]:
        return fill(f"(_0 AND _1 <> {_NAN})", plain, plain.args[loose[0]])
    return plain


def _is_constant(node: exp.Expr) -> bool:
    """True for a number that is written down; the rules refuse a comparison with NaN itself."""
    while isinstance(node, (exp.Cast, exp.Paren, exp.Neg)):
        node = node.this
    return isinstance(node, exp.Literal)
