"""Iteration over SUPER in FROM: which items are iterations, what their names mean, and how DuckDB gives their rows.

https://docs.aws.amazon.com/redshift/latest/dg/query-super.html#unnest
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.expressions import DType

from localcloud.redshift.errors import RedshiftError, unsupported
from localcloud.redshift.functions import fill
from localcloud.redshift.partiql import Iteration, iteration
from localcloud.redshift.types import MAX_VARCHAR

_LIMITS = "https://docs.aws.amazon.com/redshift/latest/dg/limitations-super.html"


class _Names(dict[str, str]):
    """What a FROM clause has named so far: alias -> "table", "recursive", "element", "position" or "attribute"."""


def resolve(tree: exp.Expr) -> None:
    """Tells tables from iterations by the names in scope, and makes `i.a.b` a path into the element `i`."""
    _visit(tree, [])


def _visit(node: exp.Expr, outer: list[_Names]) -> None:
    if isinstance(node, exp.Select):
        _visit_select(node, outer)
        return
    for child in list(node.iter_expressions()):
        _visit(child, outer)
    if isinstance(node, exp.Column):
        _rewrite_column(node, outer)


def _visit_select(select: exp.Select, outer: list[_Names]) -> None:
    if select.args.get("with_"):
        _visit(select.args["with_"], outer)
    names = _Names()
    joins = select.args.get("joins") or []
    items = [*([select.args["from_"]] if select.args.get("from_") else []), *joins]
    for item in items:
        _name_item(item.this, names, outer)
    _check_parents(items, names, outer)
    scopes = [*outer, names]
    for key, value in list(select.args.items()):
        if key not in ("with_", "from_", "joins"):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, exp.Expr):
                    _visit(child, scopes)
    for join in joins:
        if join.args.get("on"):
            _visit(join.args["on"], scopes)


def _name_item(item: exp.Expr, names: _Names, outer: list[_Names]) -> None:
    if isinstance(item, exp.Table):
        found = _iteration_of_table(item, [*outer, names])
        if found is None:
            names[item.alias_or_name.lower()] = "recursive" if _is_recursive(item) else "table"
            for join in item.args.get("joins") or []:
                _name_item(join.this, names, outer)
            return
        item.replace(found)
        item = found
    if isinstance(item, Iteration):
        _root(item, [*outer, names])
        names[item.variable] = "element"
        if item.position:
            names[item.position] = "attribute" if item.args.get("unpivot") else "position"
        return
    _visit(item, outer)
    names[item.alias_or_name.lower()] = "table"


def _iteration_of_table(table: exp.Table, scopes: list[_Names]) -> Iteration | None:
    """`x.y AS i` where x is an alias in scope, or `x AS i` where x is an element."""
    steps = [part for part in (table.args.get("catalog"), table.args.get("db"), table.this) if part]
    first = steps[0].name.lower()
    kind = _kind(first, scopes)
    if not (kind == "element" or (kind in ("table", "recursive") and len(steps) > 1)):
        return None
    return iteration(steps, exp.to_identifier(table.alias) if table.alias else None, None, unpivot=False)


def _is_recursive(table: exp.Table) -> bool:
    """Whether the table is a CTE that reads itself."""
    clauses = [found for found in table.root().find_all(exp.With) if found.args.get("recursive") and not table.db]
    same = [each for clause in clauses for each in clause.expressions if each.alias.lower() == table.name.lower()]
    return any(found.name.lower() == table.name.lower() for each in same for found in each.this.find_all(exp.Table))


def _kind(name: str, scopes: list[_Names]) -> str:
    return next((names[name] for names in reversed(scopes) if name in names), "")


def _root(item: Iteration, scopes: list[_Names]) -> None:
    first, *rest = item.steps
    name = first.name.lower()
    kind = _kind(name, scopes)
    if kind == "recursive":
        raise unsupported("iteration over a column of a recursive CTE", _LIMITS)
    if kind not in ("table", "element"):
        raise RedshiftError(f'relation "{name}" does not exist', code="42P01")
    if kind == "table" and not rest:
        raise unsupported("iteration over a table", _LIMITS)
    column, steps = (name, rest) if kind == "element" else (rest[0].name, rest[1:])
    value: exp.Expr = exp.column(exp.to_identifier(column), table=exp.to_identifier(name))
    item.set("expressions", [_into(value, steps)])
    item.set("path", [first.copy()])


def _into(value: exp.Expr, steps: list[exp.Expr]) -> exp.Expr:
    for step in steps:
        bracket = isinstance(step, exp.Literal)
        value = (
            exp.Bracket(this=value, expressions=[step.copy()])
            if bracket
            else exp.Dot(this=value, expression=step.copy())
        )
    return value


def _check_parents(items: list[exp.Expr], names: _Names, outer: list[_Names]) -> None:
    """A subquery that iterates over an outer row can only see that row's table."""
    over = [item.this for item in items if isinstance(item.this, Iteration)]
    roots = {item.steps[0].name.lower() for item in over if item.steps[0].name.lower() not in names}
    if not roots:
        return
    tables = any(not isinstance(item.this, Iteration) for item in items)
    if tables or len(roots) > 1:
        raise unsupported("a subquery that iterates over an outer row and reads another table", _LIMITS)
    if outer and next(iter(roots)) not in outer[-1]:
        raise unsupported("iteration over a row of a query further out than the next one", _LIMITS)


def _rewrite_column(column: exp.Column, scopes: list[_Names]) -> None:
    """`i.a.b` becomes a path into the element; an attribute's name is text, and sqlglot is told so by a cast."""
    first, *rest = column.parts
    if not rest and _kind(first.name.lower(), scopes) == "attribute":
        column.replace(exp.cast(column.copy(), f"VARCHAR({MAX_VARCHAR})", dialect="redshift"))
    if rest and _kind(first.name.lower(), scopes) == "element" and not isinstance(column.this, exp.Star):
        name = first.name.lower()
        value = exp.column(exp.to_identifier(name), table=exp.to_identifier(name))
        column.replace(_into(value, list(rest)))


def translate_iteration(item: Iteration) -> exp.Expr:
    """The item as a subquery, which DuckDB lets look at the tables before it."""
    (value,) = item.expressions
    if not value.is_type(DType.SUPER):
        raise unsupported(f"iteration over {value.sql(dialect='redshift')[:80]}, which is not SUPER", _LIMITS)
    function = "twin_super_attributes" if item.args.get("unpivot") else "twin_super_elements"
    listed = fill(f"{function}(CAST(_0 AS VARCHAR))", value)
    each = exp.select(exp.alias_(exp.func("unnest", listed, dialect="duckdb"), "e")).subquery("each")
    columns = [exp.alias_(_of_each("v"), item.variable, quoted=True)]
    if item.position:
        columns.append(exp.alias_(_of_each("k"), item.position, quoted=True))
    name = item.args["alias"].this.name
    return exp.select(*columns).from_(each).subquery(exp.to_identifier(name, quoted=True))


def _of_each(part: str) -> exp.Expr:
    return exp.Dot(this=exp.column("e", table="each"), expression=exp.to_identifier(part))
