"""Types that must match: DuckDB converts between categories where Redshift raises an error.

https://docs.aws.amazon.com/redshift/latest/dg/c_Supported_data_types.html#r_Type_conversion
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp
from sqlglot.expressions import DType

from localcloud.redshift.errors import NotInTwinError, RedshiftError
from localcloud.redshift.kinds import MOMENTS, NUMBERS, SHAPES, TEXT

_LINK = "https://docs.aws.amazon.com/redshift/latest/dg/c_Supported_data_types.html"
_UNION = "https://docs.aws.amazon.com/redshift/latest/dg/r_UNION.html"
_CATEGORIES = {
    **dict.fromkeys(NUMBERS, "a number"),
    **dict.fromkeys(TEXT, "text"),
    **dict.fromkeys(MOMENTS, "a date or timestamp"),
    **dict.fromkeys((DType.TIME, DType.TIMETZ), "a time of day"),
    **dict.fromkeys(SHAPES, "a shape"),
    DType.BOOLEAN: "boolean",
    DType.SUPER: "super",
    DType.VARBINARY: "binary varying",
}
_CHOICES = (exp.Case, exp.Coalesce, exp.Greatest, exp.Least)


def category(node: exp.Expr) -> str:
    """The category of an expression's type; nothing for NULL and for what is not known."""
    return _CATEGORIES.get(node.type.this, "") if node.type is not None and isinstance(node.type.this, DType) else ""


def check_categories(tree: exp.Expr) -> None:
    """Raises RedshiftError where a typed tree mixes categories, or asks a condition of what is not boolean."""
    for node in tree.find_all(exp.SetOperation):
        _check_union(node)
    for choice in tree.find_all(*_CHOICES):
        _check_choice(choice)
    for comparison in tree.find_all(exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE):
        _check_comparison(comparison)
    for holder in tree.find_all(exp.Where, exp.Having, exp.Qualify, exp.Not, exp.And, exp.Or):
        _check_conditions(holder)
    for test in tree.find_all(exp.Is):
        if isinstance(test.expression, exp.Boolean) and category(test.this) not in ("", "boolean", "super"):
            raise RedshiftError("argument of IS TRUE or IS FALSE must be type boolean", code="42804", link=_LINK)
    for joined in tree.find_all(exp.DPipe):
        _check_joined(joined)
    for select in tree.find_all(exp.Select):
        _check_distinct_order(select)


def _check_union(node: exp.SetOperation) -> None:
    sides = [side.unnest() for side in (node.this, node.expression)]
    left, right = ([item.unalias() for item in side.selects] for side in sides if isinstance(side, exp.Query))
    for first, second in zip(left, right, strict=False):
        _match("UNION", [first, second], _UNION)


def _check_choice(node: exp.Expr) -> None:
    if isinstance(node, exp.Case):
        last = node.args.get("default")
        _match("CASE", [*(each.args["true"] for each in node.args["ifs"]), *([last] if last else [])], _LINK)
    else:
        _match(node.key.upper(), [node.this, *node.expressions], _LINK)


def _match(what: str, branches: Iterable[exp.Expr], link: str) -> None:
    known = [(category(branch), branch) for branch in branches if category(branch)]
    kinds = list(dict.fromkeys(kind for kind, branch in known if not branch.is_string))
    if len(kinds) > 1:
        raise RedshiftError(f"{what} types {kinds[0]} and {kinds[1]} cannot be matched", code="42804", link=link)
    if kinds and kinds[0] != "text" and any(branch.is_string for _, branch in known):
        raise NotInTwinError(f"a text constant next to {kinds[0]} in {what}; cast it")


def _check_comparison(node: exp.Expr) -> None:
    sides = [side for side in (node.this, node.expression) if isinstance(side, exp.Expr) and not side.is_string]
    kinds = {category(side) for side in sides} - {""}
    if len(kinds) > 1 and "boolean" in kinds and "super" not in kinds:
        other = next(iter(kinds - {"boolean"}))
        raise RedshiftError(f"operator does not exist: boolean compared with {other}", code="42883", link=_LINK)


def _check_conditions(holder: exp.Expr) -> None:
    for side in (holder.this, holder.args.get("expression")):
        kind = category(side) if isinstance(side, exp.Expr) and not side.is_string else ""
        if kind and kind not in ("boolean", "super"):
            message = f"argument of {holder.key.upper()} must be type boolean, not {kind}"
            raise RedshiftError(message, code="42804", link=_LINK)


def _check_joined(node: exp.Expr) -> None:
    if "boolean" in {category(node.this), category(node.expression)}:
        raise RedshiftError("operator does not exist: character varying || boolean", code="42883", link=_LINK)


def _check_distinct_order(select: exp.Select) -> None:
    order = select.args.get("order")
    if not select.args.get("distinct") or order is None:
        return
    items = [item.unalias() for item in select.selects]
    names = {item.alias_or_name for item in select.selects}
    for key in order.expressions:
        named = isinstance(key.this, exp.Column) and not key.this.table and key.this.name in names
        if not (named or key.this in items or isinstance(key.this, exp.Literal)):
            message = "for SELECT DISTINCT, ORDER BY expressions must appear in select list"
            link = "https://docs.aws.amazon.com/redshift/latest/dg/r_ORDER_BY_clause.html"
            raise RedshiftError(message, code="42P10", link=link)
