"""PIVOT and UNPIVOT written as plain GoogleSQL, which means the same and is then translated as any query.

https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#pivot_operator
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from lakeshift.convert.rule import Refused

Columns = Callable[[exp.Expr], list[str]]
_AGGREGATES = (exp.Sum, exp.Avg, exp.Min, exp.Max, exp.Count, exp.CountIf, exp.AnyValue)


def unpivoted(node: exp.Expr, columns: Columns) -> exp.Expr:
    """The item of FROM without its PIVOT or UNPIVOT; `columns` lists those of the item below.

    Raises:
        Refused: several operators, or an aggregate that does not pass over NULL.
    """
    (pivot, *more) = node.args["pivots"]
    base = node.copy()
    base.set("pivots", None)
    alias = pivot.alias or base.alias or "_pivot"
    base.set("alias", exp.TableAlias(this=exp.to_identifier("_base")))
    if more or pivot.args.get("group") or len(pivot.args.get("fields") or ()) != 1:
        raise Refused("pivot", "several PIVOT operators in one place", "put each in a subquery of its own.")
    made = _unpivot(pivot, base, columns(base)) if pivot.args.get("unpivot") else _pivot(pivot, base, columns(base))
    return exp.Subquery(this=made, alias=exp.TableAlias(this=exp.to_identifier(alias)))


def _pivot(pivot: exp.Pivot, base: exp.Expr, columns: list[str]) -> exp.Select:
    (field,) = pivot.args["fields"]
    used = {used.name.lower() for part in (field.this, *pivot.expressions) for used in part.find_all(exp.Column)}
    keys = [exp.column(one) for one in columns if one.lower() not in used]
    made = exp.select(*(key.copy() for key in keys)).from_(base)
    titles = [column.name for column in pivot.args.get("columns") or ()]
    cells = [(value, aggregate) for value in field.expressions for aggregate in pivot.expressions]
    if len(titles) != len(cells):
        raise Refused("pivot", "PIVOT with columns that get no plain name", "give the values aliases.")
    for title, (value, aggregate) in zip(titles, cells, strict=True):
        made.append("expressions", exp.alias_(_cell(aggregate, field.this, value), title))
    if keys:
        made.set("group", exp.Group(expressions=[key.copy() for key in keys]))
    return made


def _cell(aggregate: exp.Expr, key: exp.Expr, value: exp.Expr) -> exp.Expr:
    inner = aggregate.this if isinstance(aggregate, exp.Alias) else aggregate
    if not isinstance(inner, _AGGREGATES):
        raise Refused("pivot", f"PIVOT with {inner.sql('bigquery')[:60]}", "write it with CASE and GROUP BY.")
    bare = value.this if isinstance(value, (exp.PivotAlias, exp.Alias)) else value
    made = inner.copy()
    argument = exp.Literal.number(1) if isinstance(made.this, exp.Star) else made.this
    distinct = isinstance(argument, exp.Distinct)
    operand = argument.expressions[0] if distinct else argument
    chosen = exp.If(this=exp.EQ(this=key.copy(), expression=bare.copy()), true=operand.copy())
    made.set("this", exp.Distinct(expressions=[chosen]) if distinct else chosen)
    return made


def _unpivot(pivot: exp.Pivot, base: exp.Expr, columns: list[str]) -> exp.Expr:
    (field,) = pivot.args["fields"]
    (value,) = pivot.expressions
    if not isinstance(value, (exp.Column, exp.Identifier)) or not isinstance(field.this, (exp.Column, exp.Identifier)):
        raise Refused("unpivot", "UNPIVOT of several columns at once", "write it with UNION ALL.")
    taken = [one.this if isinstance(one, (exp.PivotAlias, exp.Alias)) else one for one in field.expressions]
    titles = [_title(one) for one in field.expressions]
    gone = {one.name.lower() for one in taken}
    kept = [one for one in columns if one.lower() not in gone]
    parts = [
        _turned(base, kept, one.name, title, value.name, field.this.name, nulls=bool(pivot.args.get("include_nulls")))
        for one, title in zip(taken, titles, strict=True)
    ]
    whole: exp.Query = parts[0]
    for part in parts[1:]:
        whole = exp.Union(this=whole, expression=part, distinct=False)
    return whole


def _title(node: exp.Expr) -> exp.Expr:
    if isinstance(node, (exp.PivotAlias, exp.Alias)):
        alias = node.args["alias"]
        return alias.copy() if isinstance(alias, exp.Literal) else exp.Literal.string(alias.name)
    return exp.Literal.string(node.name)


def _turned(
    base: exp.Expr, kept: list[str], column: str, title: exp.Expr, value: str, key: str, *, nulls: bool
) -> exp.Select:
    made = exp.select(*(exp.column(one) for one in kept)).from_(base.copy())
    made.append("expressions", exp.alias_(exp.column(column), value))
    made.append("expressions", exp.alias_(title, key))
    if not nulls:
        made = made.where(exp.Not(this=exp.Is(this=exp.column(column), expression=exp.Null())))
    return made
