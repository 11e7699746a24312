"""Values that Redshift compares otherwise than GoogleSQL: text that ends in a blank, and NaN.

Redshift takes no notice of blanks at the end, and takes NaN as equal to itself and above every number.
https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html#r_Character_types-significance-of-trailing-blanks
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlglot import exp

from lakeshift.convert.rule import Refused

_KEPT = frozenset({"UPPER", "LOWER", "COALESCE", "NULLIF", "LTRIM"})
_CUT = frozenset(
    {"LEFT", "LPAD", "LTRIM", "REGEXP_REPLACE", "REGEXP_SUBSTR", "REPEAT", "REPLACE", "REVERSE", "RIGHT", "RPAD"}
    | {"SPLIT_PART", "SUBSTRING", "TRANSLATE"}
)
_OPERATORS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.In, exp.Between)
_EXTREMES = frozenset({"MAX", "MIN"})


def check_compared(nodes: Iterable[exp.Expr | None]) -> None:
    """Refuses operands of a comparison that may end in a blank or be NaN."""
    listed = list(nodes)
    if any(map(_may_end, listed)):
        raise _blank("a comparison with text that ends in a blank")
    if any(node is not None and any(_nans(node.copy())) for node in listed):
        raise _nan("a comparison with NaN")


def check_columns(tree: exp.Expr) -> None:
    """Refuses a query that compares, groups or sorts values among which it puts such constants itself.

    What is in a table is not known.
    """
    selected = [item.unalias() for query in tree.find_all(exp.Select) for item in query.expressions]
    if any(map(_may_end, selected)) and any(_compares(tree, "STRING")):
        raise _blank("a comparison of columns with constants that end in a blank")
    if any(_nans(tree)) and (any(_compares(tree, "FLOAT64")) or any(_ranks(tree))):
        raise _nan("a comparison, sort or extreme of values among which is NaN")


def _may_end(node: exp.Expr | None) -> bool:
    """True for text whose constants can put a blank at its end."""
    if isinstance(node, exp.Literal):
        return bool(node.is_string) and node.name.endswith(" ")
    if isinstance(node, exp.Anonymous) and node.name in _CUT and any(map(_has_blank, node.find_all(exp.Literal))):
        return True
    return any(map(_may_end, _ends(node)))


def _has_blank(node: exp.Literal) -> bool:
    return bool(node.is_string) and " " in node.name


def _ends(node: exp.Expr | None) -> list[exp.Expr | None]:
    """The parts of an expression that its value may end with."""
    if isinstance(node, (exp.Paren, exp.Cast)):
        return [node.this]
    if isinstance(node, exp.DPipe):
        last = node.expression
        return [last] if isinstance(last, exp.Literal) and last.name else [last, node.this]
    if isinstance(node, exp.Case):
        return [*(one.args["true"] for one in node.args["ifs"]), node.args.get("default")]
    return list(node.expressions) if isinstance(node, exp.Anonymous) and node.name in _KEPT else []


def _nans(node: exp.Expr) -> Iterator[bool]:
    """Each constant NaN, but for those that a rule compares with, and then hands on."""
    for one in node.find_all(exp.Literal):
        if one.is_string and one.name.strip().lstrip("+-").lower() == "nan":
            above = one.parent.parent if one.parent else None
            yield not _is_test(above.this if isinstance(above, exp.If) else above)


def _is_test(node: exp.Expr | None) -> bool:
    """True for `x = NaN` as our rules write it; a comparison of the source has its type with it."""
    if not isinstance(node, exp.EQ) or not isinstance(node.expression, exp.Cast):
        return False
    literal = node.expression.this
    return isinstance(literal, exp.Literal) and literal.is_string and literal.name.lower() == "nan"


def _compares(tree: exp.Expr, kind: str) -> Iterator[bool]:
    for node in tree.walk():
        if isinstance(node, exp.SetOperation):
            yield bool(node.args.get("distinct"))
        elif isinstance(node, _OPERATORS) and not _is_test(node):
            yield any(_is_of(node.args.get(key), kind) for key in ("this", "expression"))
        elif isinstance(node, exp.Case):
            yield _is_of(node.this, kind)
        elif isinstance(node, (exp.Group, exp.Distinct)):
            yield True
        elif isinstance(node, exp.Window):
            yield any(_is_of(one, kind) for one in node.args.get("partition_by") or ())


def _ranks(tree: exp.Expr) -> Iterator[bool]:
    """Sorts and extremes, which see where NaN stands."""
    for node in tree.walk():
        if isinstance(node, exp.Ordered):
            yield isinstance(node.this, exp.Literal) or _is_of(node.this, "FLOAT64")
        elif isinstance(node, exp.Anonymous) and node.name in _EXTREMES:
            yield True


def _is_of(node: exp.Expr | None, kind: str) -> bool:
    return node is not None and node.meta.get("kind") in (kind, "") and node.find(exp.Column) is not None


def _blank(construct: str) -> Refused:
    return Refused(
        "trailing-blank",
        construct,
        "Redshift does not see blanks at the end; compare the values with another character after them.",
        "https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html",
    )


def _nan(construct: str) -> Refused:
    return Refused("nan", construct, "Redshift takes NaN as equal to itself; test the values with IS_NAN first.")
