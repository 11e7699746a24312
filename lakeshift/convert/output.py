"""A translated query: its tree and columns, and the small changes that are made to it from outside."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from lakeshift.convert import kinds
from lakeshift.convert.expressions import coerced, kind_of, settled
from lakeshift.convert.rule import Refused
from lakeshift.convert.scope import Field, Source, column

Columns = tuple[tuple[str, str], ...] | None


@dataclass(frozen=True)
class Output:
    """A translated query and its columns; None when a star stands for columns that are not known."""

    node: exp.Query
    columns: tuple[tuple[str, str], ...] | None

    def under(self, alias: str) -> Source:
        """The query as an item of FROM."""
        if self.columns is None:
            return Source(alias, None)
        return Source(alias, tuple(Field(one, kind, column(alias, one)) for one, kind in self.columns))


def operand(node: exp.Query) -> exp.Query:
    """A side of a set operation; in parentheses where it has clauses that would slip to the whole."""
    if isinstance(node, exp.Subquery):
        return node
    return exp.Subquery(this=node) if has_tail(node) or isinstance(node, exp.SetOperation) else node


def has_tail(node: exp.Query) -> bool:
    """True for a query with ORDER BY, LIMIT or OFFSET."""
    return any(node.args.get(key) for key in ("order", "limit", "offset"))


def retype(node: exp.Expr, at: int, kind: str) -> None:
    """Casts one column of a translated query."""
    if isinstance(node, exp.Subquery):
        retype(node.this, at, kind)
    elif isinstance(node, exp.SetOperation):
        retype(node.this, at, kind)
        retype(node.expression, at, kind)
    else:
        item = node.expressions[at]
        item.set("this", settled(coerced(item.this, kind), kind))


def ordered(item: exp.Ordered, value: exp.Expr) -> exp.Ordered:
    """BigQuery puts NULL first upward and last downward; Redshift does the opposite, so it is always said."""
    return exp.Ordered(this=value, desc=bool(item.args.get("desc")), nulls_first=nulls_first(item))


def nulls_first(item: exp.Ordered) -> bool:
    """Where NULL stands, as sqlglot has read it from the direction or from NULLS FIRST and LAST."""
    return bool(item.args.get("nulls_first"))


def bounds(made: exp.Query, node: exp.Expr) -> None:
    """Puts LIMIT and OFFSET of the source on the query."""
    for key, shape in (("limit", exp.Limit), ("offset", exp.Offset)):
        clause = node.args.get(key)
        if clause is None:
            continue
        if not (isinstance(clause.expression, exp.Literal) and clause.expression.is_int):
            raise Refused("limit", f"{key.upper()} that is not a constant", "write the number.")
        made.set(key, shape(expression=clause.expression.copy()))


def settle_item(value: exp.Expr) -> exp.Expr:
    """A selected value; a bare NULL stays one until its type is known."""
    kind = kind_of(value)
    return value if kind == kinds.NULL else settled(value, kind)


def aggregates(node: exp.Expr) -> bool:
    """True for an expression with an aggregate in it."""
    return bool(node.meta.get("aggregate")) or any(part.meta.get("aggregate") for part in node.walk())
