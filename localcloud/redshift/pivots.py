"""PIVOT and UNPIVOT in FROM, written out as the grouped query or the union they stand for.

https://docs.aws.amazon.com/redshift/latest/dg/r_FROM_clause-pivot-unpivot-examples.html
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from localcloud.redshift.errors import no_column, unsupported

_LINK = "https://docs.aws.amazon.com/redshift/latest/dg/r_FROM_clause-pivot-unpivot-examples.html"
_AGGREGATES = (exp.Count, exp.Sum, exp.Min, exp.Max, exp.Avg)
_WIDTH = "VARCHAR(65535)"

Columns = Callable[[exp.Query], list[str]]


def expand(tree: exp.Expr, columns_of: Columns) -> None:
    """Replaces every PIVOT and UNPIVOT; `columns_of` names the columns of a query."""
    pivots = [found for found in tree.find_all(exp.Pivot) if isinstance(found.parent, (exp.Table, exp.Subquery))]
    for pivot in reversed(pivots):
        _expand(pivot, columns_of)


def _expand(pivot: exp.Pivot, columns_of: Columns) -> None:
    item = pivot.parent
    if not isinstance(item, (exp.Table, exp.Subquery)) or len(item.args["pivots"]) > 1 or len(pivot.fields) != 1:
        raise unsupported("PIVOT of a PIVOT or by several columns", _LINK)
    source = item.copy()
    source.set("pivots", None)
    if isinstance(source, exp.Subquery) and not source.alias:
        source.set("alias", exp.TableAlias(this=exp.to_identifier("pivoted")))
    everything = exp.select("*").from_(source.copy())
    _bring_tables(everything, item)
    names = columns_of(everything)
    made = (_unpivoted if pivot.unpivot else _pivoted)(pivot, source, names)
    item.replace(made.subquery(pivot.alias or "unnamed_pivot", copy=False))


def _bring_tables(query: exp.Select, item: exp.Expr) -> None:
    """The WITH tables that the item can see, so that its columns can be asked for on their own."""
    node = item
    seen: list[exp.Expr] = []
    while node.parent is not None:
        inner, node = node, node.parent
        clause = node.args.get("with_") if isinstance(node, exp.Query) else None
        if clause is not None and clause is not inner:
            seen = [table.copy() for table in clause.expressions] + seen
        if isinstance(node, exp.With):
            before = node.expressions[: node.expressions.index(inner)]
            seen = [table.copy() for table in before] + seen
    if seen:
        query.set("with_", exp.With(expressions=seen))


def _pivoted(pivot: exp.Pivot, source: exp.Expr, names: list[str]) -> exp.Query:
    field = pivot.fields[0]
    aggregates = [_aggregate(item) for item in pivot.expressions]
    used = {column.name.lower() for column in pivot.find_all(exp.Column)}
    unknown = next((name for name in sorted(used) if name not in names), None)
    if unknown:
        raise no_column(unknown)
    kept = [exp.column(exp.to_identifier(name)) for name in names if name not in used]
    items: list[exp.Expr] = list(kept)
    for value in field.expressions:
        for name, aggregate in aggregates:
            items.append(_cell(field.this, value, name, aggregate))
    query = exp.select(*[item.copy() for item in items]).from_(source)
    return query.group_by(*[column.copy() for column in kept]) if kept else query


def _aggregate(item: exp.Expr) -> tuple[str, exp.Expr]:
    name, function = (item.alias, item.this) if isinstance(item, exp.Alias) else ("", item)
    if not isinstance(function, _AGGREGATES) or function.find(exp.Query):
        raise unsupported("PIVOT with anything but COUNT, SUM, MIN, MAX or AVG", _LINK)
    return name.lower(), function


def _cell(column: exp.Expr, value: exp.Expr, name: str, aggregate: exp.Expr) -> exp.Expr:
    constant = value.this if isinstance(value, exp.PivotAlias) else value
    if constant.find(exp.Column, exp.Query):
        raise unsupported("a column or subquery in the IN list of PIVOT", _LINK)
    label = value.args["alias"].name if isinstance(value, exp.PivotAlias) else _label(constant)
    matches: exp.Expr = exp.EQ(this=column.copy(), expression=constant.copy())
    if isinstance(constant, exp.Null):
        matches = exp.Is(this=column.copy(), expression=exp.Null())
    made = aggregate.copy()
    distinct = made.this if isinstance(made.this, exp.Distinct) else None
    argument = distinct.expressions[0] if distinct else made.this
    counted = exp.Literal.number(1) if isinstance(argument, exp.Star) else argument.copy()
    argument.replace(exp.Case(ifs=[exp.If(this=matches, true=counted)]))
    alias = f"{label}_{name}" if name else label
    return exp.alias_(made, alias.lower(), quoted=True)


def _label(constant: exp.Expr) -> str:
    if isinstance(constant, exp.Null):
        return "null"
    return constant.name if isinstance(constant, exp.Literal) else "?column?"


def _unpivoted(pivot: exp.Pivot, source: exp.Expr, names: list[str]) -> exp.Query:
    field, value = pivot.fields[0], pivot.expressions[0].name.lower()
    listed = [_column_and_label(item) for item in field.expressions]
    if not all(isinstance(column, exp.Column) for column, _ in listed):
        raise unsupported("anything but columns in the IN list of UNPIVOT", _LINK)
    taken = {column.name.lower() for column, _ in listed}
    unknown = next((name for name in sorted(taken) if name not in names), None)
    if unknown:
        raise no_column(unknown)
    kept = [name for name in names if name not in taken]
    parts: list[exp.Query] = []
    for column, label in listed:
        query = _part(source, kept, (field.this.name.lower(), label or column.name.lower()), (value, column))
        present = exp.Not(this=exp.Is(this=column.copy(), expression=exp.Null()))
        parts.append(query if pivot.args.get("include_nulls") else query.where(present))
    return exp.union(*parts, distinct=False, copy=False) if len(parts) > 1 else parts[0]


def _column_and_label(item: exp.Expr) -> tuple[exp.Expr, str]:
    return (item.this, item.args["alias"].name) if isinstance(item, exp.PivotAlias) else (item, "")


def _part(source: exp.Expr, kept: list[str], name: tuple[str, str], value: tuple[str, exp.Expr]) -> exp.Select:
    label = exp.cast(exp.Literal.string(name[1]), _WIDTH, dialect="redshift")
    return exp.select(
        *(exp.column(exp.to_identifier(each)) for each in kept),
        exp.alias_(label, name[0], quoted=True),
        exp.alias_(value[1].copy(), value[0], quoted=True),
    ).from_(source.copy())
