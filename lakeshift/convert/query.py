"""GoogleSQL queries into Redshift queries: WITH, set operations, and the subqueries of expressions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from sqlglot import exp

from lakeshift.convert import kinds
from lakeshift.convert.build import call, name, number, text
from lakeshift.convert.catalog import Schemas
from lakeshift.convert.expressions import array_of, typed
from lakeshift.convert.output import (
    Columns,
    Output,
    aggregates,
    bounds,
    has_tail,
    nulls_first,
    operand,
    ordered,
    retype,
)
from lakeshift.convert.rule import Refused
from lakeshift.convert.rules.aggregates import null_safe
from lakeshift.convert.rules.nested import json_item
from lakeshift.convert.scope import Scope, column
from lakeshift.convert.select import Selection


@dataclass
class Translator:
    """Translates the queries of one statement."""

    schemas: Schemas
    ctes: Mapping[str, tuple[str, Columns]] = field(default_factory=dict)
    names: Iterator[int] = field(default_factory=lambda: iter(range(1, 1_000_000)))
    hoisted: list[exp.CTE] = field(default_factory=list)
    nested: bool = False
    tables: list[str] = field(default_factory=list)
    reviews: list[Refused] = field(default_factory=list)

    def review(self, doubt: Refused) -> None:
        """Notes what a reader has to look at; the text is made all the same."""
        self.reviews.append(doubt)

    def statement(self, node: exp.Expr) -> Output:
        """A whole statement, with all its common tables at the top: Redshift takes no WITH inside a WITH.

        https://docs.aws.amazon.com/redshift/latest/dg/r_WITH_clause.html
        """
        made = self.settle(self.query(node))
        if self.hoisted:
            recursive = any(cte.meta.get("recursive") for cte in self.hoisted)
            made.node.set("with_", exp.With(expressions=self.hoisted, recursive=recursive))
        return made

    def query(self, node: exp.Expr, parent: Scope | None = None) -> Output:
        """One query with everything in it.

        Raises:
            Refused: a construct without an equal on Redshift.
        """
        with_ = node.args.get("with_")
        inner = self._with(with_) if with_ else self
        return replace(inner, nested=True)._body(node, parent)

    def _with(self, node: exp.With) -> Translator:
        inner = self
        for cte in node.expressions:
            own = self.nested or (
                not node.args.get("recursive") and _names_itself(cte)
            )  # a table of the same name must stay in sight
            stored = f"_w{next(self.names)}_{cte.alias}" if own else cte.alias
            if cte.alias_column_names:
                raise Refused("with-columns", f"the column list of {cte.alias}", "name the columns in its SELECT.")
            if node.args.get("recursive") and _names_itself(cte):
                inner = inner._recursive(cte, stored)
                continue
            found = inner.settle(replace(inner, nested=True).query(cte.this))
            self.hoisted.append(exp.CTE(this=found.node, alias=exp.TableAlias(this=name(stored))))
            inner = replace(inner, ctes={**inner.ctes, cte.alias.lower(): (stored, found.columns)})
        return inner

    def _recursive(self, cte: exp.CTE, stored: str) -> Translator:
        """A table that builds on itself: its first part gives the types, and Redshift wants the names of its columns.

        https://docs.aws.amazon.com/redshift/latest/dg/r_WITH_clause.html
        """
        body = cte.this
        if not isinstance(body, exp.Union) or body.args["distinct"] or has_tail(body) or body.args.get("with_"):
            raise Refused("recursive", f"the recursive table {cte.alias}", "write it as one UNION ALL of two SELECTs.")
        inner = replace(self, nested=True)
        first = inner.settle(inner.query(body.this))
        columns = first.columns or ()
        made = replace(self, ctes={**self.ctes, cte.alias.lower(): (stored, columns)})
        step = replace(made, nested=True).query(body.expression)
        if not columns or not _is_step(step.node):
            raise Refused("recursive", f"the recursive table {cte.alias}", "select named columns, without aggregates.")
        if self._united(Output(exp.Select(), columns), step, fixed=True) != columns:
            raise Refused("recursive", f"the types of {cte.alias}", "cast the columns of its first part.")
        alias = exp.TableAlias(this=name(stored), columns=[name(one) for one, _ in columns])
        union = exp.Union(this=operand(first.node), expression=step.node, distinct=False)
        stored_cte = exp.CTE(this=union, alias=alias)
        stored_cte.meta["recursive"] = True
        self.hoisted.append(stored_cte)
        return made

    def _body(self, node: exp.Expr, parent: Scope | None) -> Output:
        if isinstance(node, exp.Subquery):
            return self._parenthesised(node, parent)
        if isinstance(node, exp.SetOperation):
            return self._set_operation(node)
        if isinstance(node, exp.Select):
            return Selection(self, node, parent).translate()
        raise Refused("no-construct", f"{type(node).__name__} as a query", "rewrite it as a SELECT.")

    def _parenthesised(self, node: exp.Subquery, parent: Scope | None) -> Output:
        inner = self.query(node.this, parent)
        made = Output(exp.Subquery(this=inner.node), inner.columns)
        return self._tail(node, made)

    def _tail(self, node: exp.Expr, made: Output) -> Output:
        """ORDER BY, LIMIT and OFFSET of a set operation or of a query in parentheses."""
        order, limit, offset = (node.args.get(key) for key in ("order", "limit", "offset"))
        if not (order or limit or offset):
            return made
        if order:
            items = [ordered(item, self._position(item.this, made)) for item in order.expressions]
            made.node.set("order", exp.Order(expressions=items))
        bounds(made.node, node)
        return made

    def _position(self, node: exp.Expr, made: Output) -> exp.Expr:
        if isinstance(node, exp.Literal) and node.is_int:
            return node.copy()
        listed = [one.lower() for one, _ in made.columns or ()]
        if isinstance(node, exp.Column) and not node.table and node.name.lower() in listed:
            return number(listed.index(node.name.lower()) + 1)
        raise Refused("order-by", "ORDER BY an expression over a set operation", "order by the names of its columns.")

    def _set_operation(self, node: exp.SetOperation) -> Output:
        extra = [key for key in ("by_name", "side", "kind", "on", "match_by_name") if node.args.get(key)]
        if extra:
            raise Refused("set-operation", f"a set operation with {extra[0].upper()}", "list the columns in one order.")
        inner = node.this
        if isinstance(inner, exp.SetOperation) and (type(inner), inner.args["distinct"]) != (
            type(node),
            node.args["distinct"],
        ):
            raise Refused("set-operation", "different set operations in a row", "put them in parentheses.")
        left, right = (self._side(self.query(side)) for side in (node.this, node.expression))
        columns = self._united(left, right)
        if node.args.get("distinct") and any(kinds.is_nested(kind) for _, kind in columns or ()):
            raise Refused("nested-distinct", "a distinct set operation over nested values", "use UNION ALL.")
        if not node.args.get("distinct") and not isinstance(node, exp.Union):
            raise Refused("set-operation", f"{type(node).__name__.upper()} ALL", "Redshift has the DISTINCT form only.")
        distinct = bool(node.args["distinct"])
        chained = type(left.node) is type(node) and left.node.args.get("distinct") == distinct
        one = left.node if chained and not has_tail(left.node) else operand(left.node)
        made = type(node)(this=one, expression=operand(right.node), distinct=distinct)
        return self._tail(node, Output(made, columns))

    def _side(self, made: Output) -> Output:
        """An input of a set operation; Redshift takes no LIMIT there, so such a query goes into FROM.

        https://docs.aws.amazon.com/redshift/latest/dg/r_UNION.html
        """
        inner = made.node.this if isinstance(made.node, exp.Subquery) else made.node
        if not (has_tail(made.node) or has_tail(inner)):
            return made
        alias, source = self.fresh(), made.node
        item = exp.Subquery(this=source, alias=exp.TableAlias(this=name(alias)))
        values = [exp.alias_(column(alias, one), name(one)) for one, _ in made.columns or ()] or [exp.Star()]
        for value, (_, kind) in zip(values, made.columns or (), strict=False):
            typed(value.this, kind)
        return Output(exp.Select(expressions=values, from_=exp.From(this=item)), made.columns)

    def _united(self, left: Output, right: Output, *, fixed: bool = False) -> tuple[tuple[str, str], ...] | None:
        if left.columns is None or right.columns is None:
            return None
        if len(left.columns) != len(right.columns):
            raise Refused("set-operation", "a set operation over different numbers of columns", "")
        columns = []
        for at, ((title, one), (_, other)) in enumerate(zip(left.columns, right.columns, strict=True)):
            kind = kinds.common([one, other])
            if kind is None:
                raise Refused("coercion", f"a set operation over {one} and {other}", "cast the columns to one type.")
            for side, own in ((left, one), (right, other)):
                if own != kind and not (fixed and side is left):
                    retype(side.node, at, kind)
            columns.append((title, kind))
        return tuple(columns)

    def settle(self, made: Output) -> Output:
        """The query with a type for every bare NULL."""
        if made.columns is None:
            return made
        for at, (_, kind) in enumerate(made.columns):
            if kind == kinds.NULL:
                retype(made.node, at, "INT64")
        return Output(made.node, tuple((one, "INT64" if kind == kinds.NULL else kind) for one, kind in made.columns))

    def scalar(self, node: exp.Expr, scope: Scope) -> tuple[exp.Query, str]:
        """A subquery that stands for one value."""
        inner = node.this if isinstance(node, exp.Subquery) else node
        inner.meta["value"] = True
        made = self.settle(self.query(inner, scope))
        if made.columns is None or len(made.columns) != 1:
            raise Refused("subquery", "a subquery of several or unknown columns as one value", "select one column.")
        return made.node, made.columns[0][1]

    def exists(self, node: exp.Expr, scope: Scope) -> exp.Query:
        """The subquery of EXISTS."""
        return self.settle(self.query(node.unnest() if isinstance(node, exp.Subquery) else node, scope)).node

    def array(self, node: exp.Expr, scope: Scope) -> tuple[exp.Query, str]:
        """ARRAY(subquery): the items as one JSON text, parsed.

        LISTAGG stops with an error at 65,535 bytes; it never cuts.
        https://docs.aws.amazon.com/redshift/latest/dg/r_LISTAGG.html
        """
        inner = node.unnest() if isinstance(node, exp.Subquery) else node
        inner, keys = _with_keys(inner)
        inner.meta["value"] = True
        made = self.settle(self.query(inner, scope))
        if made.columns is None or len(made.columns) - len(keys) != 1:
            raise Refused("subquery", "ARRAY of a subquery of several or unknown columns", "select one column.")
        kind = made.columns[0][1]
        constants = None if keys else _constants(made.node)
        if constants is not None:
            return exp.Select(expressions=[exp.alias_(array_of(constants, kind), name("items"))]), kinds.array(kind)
        listed: exp.Expr = call("LISTAGG", json_item(column("_items", made.columns[0][0]), kind), text(","))
        if keys:
            order = [_array_key(key, found) for key, (found, _) in zip(keys, made.columns[1:], strict=True)]
            listed = exp.WithinGroup(this=listed, expression=exp.Order(expressions=_null_safe(order)))
        joined = exp.DPipe(this=exp.DPipe(this=text("["), expression=listed), expression=text("]"))
        value = call("COALESCE", call("JSON_PARSE", joined), call("ARRAY"))
        source = exp.Subquery(this=made.node, alias=exp.TableAlias(this=name("_items")))
        if not kinds.array(kind):
            raise Refused("array-type", "ARRAY of a subquery of unknown type", "give the table's schema.")
        return exp.Select(expressions=[exp.alias_(value, name("items"))], from_=exp.From(this=source)), kinds.array(
            kind
        )

    def fresh(self) -> str:
        """A table alias that no query uses."""
        return f"_q{next(self.names)}"


def _constants(node: exp.Expr) -> list[exp.Expr] | None:
    """The values of a UNION ALL of rows that come from nowhere; None for any other query."""
    if isinstance(node, exp.Subquery):
        return None if has_tail(node) else _constants(node.this)
    if isinstance(node, exp.Union) and not node.args["distinct"] and not has_tail(node):
        sides = [_constants(side) for side in (node.this, node.expression)]
        return None if None in sides else [value for side in sides for value in side or ()]
    if not isinstance(node, exp.Select) or {key for key, value in node.args.items() if value} != {"expressions"}:
        return None
    return [item.this for item in node.expressions]


def _is_step(node: exp.Expr) -> bool:
    """True for a SELECT that Redshift takes as the recursive part."""
    taken = ("group", "having", "qualify", "order", "limit", "offset", "distinct")
    simple = isinstance(node, exp.Select) and not any(node.args.get(key) for key in taken)
    return simple and not any(aggregates(item) for item in node.expressions)


def _names_itself(cte: exp.CTE) -> bool:
    return any(table.name.lower() == cte.alias.lower() and not table.db for table in cte.this.find_all(exp.Table))


def _with_keys(node: exp.Expr) -> tuple[exp.Expr, list[exp.Ordered]]:
    """The subquery of ARRAY(...) with its sort keys as columns of their own."""
    order = node.args.get("order")
    if order is None:
        return node, []
    if not isinstance(node, exp.Select) or node.args.get("distinct"):
        raise Refused("array-order", "ARRAY of an ordered set operation or DISTINCT", "order in an inner query.")
    made = node.copy()
    made.meta["keys"] = len(order.expressions)
    for at, item in enumerate(order.expressions):
        titles = [one.alias_or_name.lower() for one in node.expressions]
        inner = item.this
        if isinstance(inner, exp.Literal) and inner.is_int:
            inner = node.expressions[int(inner.name) - 1].unalias()
        elif isinstance(inner, exp.Column) and inner.name.lower() in titles:
            inner = node.expressions[titles.index(inner.name.lower())].unalias()
        made.append("expressions", exp.alias_(inner.copy(), f"_k{at}"))
    made.set("order", None if not node.args.get("limit") else made.args["order"])
    return made, list(order.expressions)


def _array_key(key: exp.Ordered, title: str) -> exp.Ordered:
    return exp.Ordered(this=column("_items", title), desc=bool(key.args.get("desc")), nulls_first=nulls_first(key))


def _null_safe(order: Iterable[exp.Ordered]) -> list[exp.Ordered]:
    """Sort keys for LISTAGG, whose ORDER BY has no NULLS FIRST."""
    return [part for key in order for part in null_safe(key)]
