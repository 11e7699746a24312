"""Correlated subqueries that Redshift cannot plan: it refuses them, so the twin does.

https://docs.aws.amazon.com/redshift/latest/dg/r_correlated_subqueries.html
"""

from __future__ import annotations

from sqlglot import exp

from localcloud.redshift.errors import RedshiftError

_LINK = "https://docs.aws.amazon.com/redshift/latest/dg/r_correlated_subqueries.html"
_SUBQUERY = "This type of correlated subquery pattern is not supported yet"


def check_correlation(tree: exp.Expr) -> None:
    """Raises RedshiftError for the patterns of Redshift's list; the tree's columns must have their tables."""
    for column in tree.find_all(exp.Column):
        if column.table:
            _check_column(column)


def _check_column(column: exp.Column) -> None:
    crossed: list[exp.Select] = []
    select = column.parent_select
    while isinstance(select, exp.Select) and column.table not in _names(select):
        crossed.append(select)
        select = _outer(select)
    if select is None or not crossed:
        return
    if len(crossed) > 1:
        raise _refused("a reference that skips a query block")
    _check_subquery(crossed[0])


def _outer(select: exp.Select) -> exp.Select | None:
    outer: exp.Expr | None = select.parent_select
    while outer is not None and not isinstance(outer, exp.Select):
        outer = outer.parent_select
    return outer


def _names(select: exp.Select) -> set[str]:
    items = [select.args.get("from_"), *(select.args.get("joins") or [])]
    found = [item.this for item in items if item]
    nested = [join.this for item in found for join in item.args.get("joins") or []]
    return {item.alias_or_name for item in (*found, *nested)}


def _check_subquery(subquery: exp.Select) -> None:
    if any(window.parent_select is subquery for window in subquery.find_all(exp.Window)):
        raise _refused("a subquery with a window function")
    if isinstance(_clause(subquery), exp.From):
        raise RedshiftError("invalid reference to FROM-clause entry", code="42P01", link=_LINK)
    join = subquery.find_ancestor(exp.Join, exp.Select)
    if isinstance(join, exp.Join) and join.side:
        raise _refused("a subquery in the ON clause of an outer join")
    if isinstance(subquery.find_ancestor(exp.Group, exp.Select), exp.Group):
        raise _refused("GROUP BY the result of a correlated subquery")
    predicate = subquery.find_ancestor(exp.In, exp.Select)
    if isinstance(predicate, exp.In) and subquery.args.get("group") and _sums(subquery):
        raise _refused("IN (SELECT aggregate ... GROUP BY ...)")


def _clause(subquery: exp.Select) -> exp.Expr | None:
    node: exp.Expr | None = subquery.parent
    while isinstance(node, (exp.Subquery, exp.SetOperation)):
        node = node.parent
    return node


def _sums(subquery: exp.Select) -> bool:
    return any(not isinstance(found, (exp.Min, exp.Max)) for found in subquery.find_all(exp.AggFunc))


def _refused(what: str) -> RedshiftError:
    return RedshiftError(_SUBQUERY, code="0A000", detail=what, link=_LINK)
