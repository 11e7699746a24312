"""What stands in FROM: tables, subqueries, arrays and joins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from lakeshift.convert import kinds
from lakeshift.convert.build import call, name, number
from lakeshift.convert.catalog import columns_of
from lakeshift.convert.expressions import (
    Context,
    coerced,
    express,
    kind_of,
    null_of,
    typed,
)
from lakeshift.convert.output import Output, settle_item
from lakeshift.convert.pivots import unpivoted
from lakeshift.convert.rule import Refused
from lakeshift.convert.rules.nested import leaf
from lakeshift.convert.scope import Field, Scope, Source, column
from lakeshift.convert.series import constant_items

if TYPE_CHECKING:
    from lakeshift.convert.query import Translator


_TABLE_TAKEN = frozenset(("this", "db", "catalog", "alias", "pivots", "joins"))


class FromClause:
    """The items of FROM of one SELECT, and the names that they give."""

    def __init__(self, owner: Translator, node: exp.Select, parent: Scope | None) -> None:
        self.owner, self.node = owner, node
        self.scope = Scope(parent=parent)
        self.context = Context(self.scope, owner)
        # Iterations over arrays, which stand after everything else in FROM, and their aliases with LEFT or "".
        self.tail: list[exp.Join] = []
        self.iterated: dict[str, str] = {}

    def _from(self, made: exp.Select) -> None:
        start = self.node.args.get("from_")
        if start is None:
            return
        first = start.this
        joins = [*(first.args.get("joins") or ()), *(self.node.args.get("joins") or ())]
        made.set("from_", exp.From(this=self._item(first)))
        made.set("joins", [built for join in joins if (built := self._join(join)) is not None])
        if self.tail:
            # A comma binds last, so what is joined comes before it.
            tail = sorted(self.tail, key=lambda one: not one.side)
            made.set("joins", [*made.args["joins"], *tail])

    def _item(self, node: exp.Expr) -> exp.Expr:
        found, source = self._source(node)
        self.scope.sources.append(source)
        return found

    def _source(self, node: exp.Expr) -> tuple[exp.Expr, Source]:
        if isinstance(node, exp.Table) and node.args.get("pivots"):
            return self._source(unpivoted(node, self._listed))
        if isinstance(node, exp.Table):
            return self._table(node)
        if isinstance(node, exp.Subquery) and node.args.get("pivots"):
            return self._source(unpivoted(node, self._listed))
        if isinstance(node, exp.Subquery):
            return self._derived(node)
        if isinstance(node, exp.Unnest):
            return self._constant(node)
        raise Refused("no-construct", f"{type(node).__name__} in FROM", "rewrite this part by hand.")

    def _listed(self, node: exp.Expr) -> list[str]:
        """The columns of what a PIVOT stands on."""
        _, source = self._source(node)
        if source.fields is None:
            raise Refused("star-unknown", "PIVOT over unknown columns", "give the table's schema with --schema.")
        return [one.name for one in source.fields]

    def _table(self, node: exp.Table) -> tuple[exp.Expr, Source]:
        extra = [key for key, value in node.args.items() if value and key not in _TABLE_TAKEN]
        if extra or not isinstance(node.this, exp.Identifier) or "*" in node.name:
            what = extra[0].upper() if extra else "of this form"
            raise Refused("table", f"the table {node.sql('bigquery')[:80]} ({what})", "name one plain table.")
        if node.db.upper() == "INFORMATION_SCHEMA" or node.name.upper().startswith("INFORMATION_SCHEMA"):
            raise Refused("table", f"the system view {node.sql('bigquery')[:80]}", "use Redshift's SVV views.")
        alias = str(node.alias or node.name)
        shown = exp.TableAlias(this=name(alias))
        if not node.db and node.name.lower() in self.owner.ctes:
            stored, found = self.owner.ctes[node.name.lower()]
            return exp.Table(this=name(stored), alias=shown), Output(exp.Select(), found).under(alias)
        self.owner.tables.append(node.name)
        columns = columns_of(self.owner.schemas, [part.name for part in node.parts])
        db = name(node.db) if node.db else None
        source = Output(exp.Select(), tuple(columns) if columns is not None else None).under(alias)
        return exp.Table(this=name(node.name), db=db, alias=shown), replace(source, stored=True)

    def _derived(self, node: exp.Subquery) -> tuple[exp.Expr, Source]:
        made = self.owner.settle(self.owner.query(node.this))
        alias = node.alias or self.owner.fresh()
        return exp.Subquery(this=made.node, alias=exp.TableAlias(this=name(alias))), made.under(alias)

    def _constant(self, node: exp.Unnest) -> tuple[exp.Expr, Source]:
        """UNNEST of constants: one SELECT for each item."""
        items = self._items(node)
        empty = isinstance(items[0].meta.get("empty"), bool)
        alias, offset = _unnest_alias(node) or self.owner.fresh(), node.args.get("offset")
        kind = kind_of(items[0]) if items else ""
        columns = [(one or f"f{at}_", of) for at, (one, of) in enumerate(kinds.fields(kind))] or [(alias, kind)]
        if offset:
            columns.append((offset.name, "INT64"))
        rows = [self._row(item, columns, at if offset else None) for at, item in enumerate(items)]
        query: exp.Query = rows[0].where(exp.false(), copy=False) if empty else rows[0]
        for row in rows[1:]:
            query = exp.Union(this=query, expression=row, distinct=False)
        fields = tuple(Field(one, of, column(alias, one)) for one, of in columns)
        return exp.Subquery(this=query, alias=exp.TableAlias(this=name(alias))), self._valued(
            alias, kind, fields, offset
        )

    def _valued(self, alias: str, kind: str, fields: tuple[Field, ...], offset: Any) -> Source:
        if not kinds.fields(kind):
            return Source(alias, fields, replace(fields[0], name=alias))
        whole = exp.Placeholder()
        whole.meta["row"] = fields[:-1] if offset else fields
        return Source(alias, fields, Field(alias, kind, whole))

    def _items(self, node: exp.Unnest) -> list[exp.Expr]:
        if len(node.expressions) != 1:
            raise Refused("unnest", "UNNEST of several arrays", "unnest them one by one and join by offset.")
        items = constant_items(node.expressions[0], Context(Scope(), self.owner))
        if items is None:
            raise Refused("unnest", f"UNNEST of {node.expressions[0].sql('bigquery')[:60]}", "unnest a column.")
        return items or [_nothing(node.expressions[0])]

    def _row(self, item: exp.Expr, columns: Sequence[tuple[str, str]], offset: int | None) -> exp.Select:
        values = list(item.expressions[1::2]) if kinds.fields(kind_of(item)) else [item]
        if offset is not None:
            values.append(typed(number(offset), "INT64"))
        if len(values) != len(columns):
            raise Refused("array-type", "an array of structs with different fields", "give them the same fields.")
        pairs = zip(values, columns, strict=True)
        return exp.Select(expressions=[exp.alias_(_held(value, kind), name(one)) for value, (one, kind) in pairs])

    def _join(self, node: exp.Join) -> exp.Expr | None:
        side, kind = (node.side or "").upper(), (node.kind or "").upper()
        if node.args.get("method") or kind not in ("", "INNER", "CROSS", "OUTER"):
            raise Refused("join", f"{node.args.get('method') or kind} JOIN", "use INNER, LEFT, RIGHT, FULL or CROSS.")
        if isinstance(node.this, exp.Unnest) and (path := self._path(node.this)):
            self._iterate(node, path, side)
            return None
        if self.tail and side in ("RIGHT", "FULL"):
            raise Refused("unnest-join", f"{side} JOIN after an UNNEST", "unnest in a subquery first.")
        start = len(self.scope.sources)
        item = self._item(node.this)
        on = node.args.get("on")
        if on is not None and self._uses_elements(express(on, self.context)):
            if side:
                raise Refused("unnest-join", f"{side} JOIN on an unnested element", "unnest in a subquery first.")
            self._also_where(on)
            return exp.Join(this=item, kind="CROSS")
        condition = express(on, self.context) if on else self._using(node, side, start)
        if side == "FULL" and not any(isinstance(one, exp.EQ) for one in conjuncts(condition)):
            raise Refused("full-join", "FULL JOIN without an equality", "Redshift joins FULL by equality only.")
        if condition is None:
            return exp.Join(this=item, kind="CROSS")
        return exp.Join(this=item, side=side or None, kind=None if side else "INNER", on=condition)

    def _using(self, node: exp.Join, side: str, start: int) -> exp.Expr | None:
        """USING as ON; the merged column is the side that is never missing."""
        condition: exp.Expr | None = None
        right = Scope(sources=self.scope.sources[start:])
        left = Scope(sources=self.scope.sources[:start], merged=dict(self.scope.merged))
        for part in node.args.get("using") or ():
            one, other = left.resolve([part.name])[0], right.resolve([part.name])[0]
            equal = exp.EQ(this=one.node.copy(), expression=other.node.copy())
            condition = exp.And(this=condition, expression=equal) if condition else equal
            self.scope.merged[part.name.lower()] = _merged(one, other, side)
        return condition

    def _path(self, node: exp.Unnest) -> Field | None:
        """The array column that an UNNEST goes over; None for an array of constants."""
        (array,) = node.expressions if len(node.expressions) == 1 else (None,)
        if not isinstance(array, (exp.Column, exp.Dot)):
            return None
        inner = Scope(sources=self.scope.sources, merged=self.scope.merged)
        found = express(array, Context(inner, self.owner))
        if not kind_of(found).startswith("ARRAY<"):
            raise Refused(
                "unnest", f"UNNEST of {array.sql('bigquery')[:60]} of unknown type", "give the table's schema."
            )
        if not isinstance(found, (exp.Column, exp.Dot)):
            raise Refused("unnest", "UNNEST of an expression", "put the array into a column of a subquery first.")
        return Field("", kind_of(found), found)

    def _iterate(self, node: exp.Join, path: Field, side: str) -> None:
        """`FROM t, t.items AS i AT pos`; the position starts at 0 on both sides."""
        unnest = node.this
        alias, offset = _unnest_alias(unnest) or self.owner.fresh(), unnest.args.get("offset")
        on = node.args.get("on")
        if (
            side not in ("", "LEFT")
            or (side and on is not None and not (isinstance(on, exp.Boolean) and on.this))
            or node.args.get("using")
        ):
            raise Refused(
                "unnest-join", f"{side} JOIN UNNEST with a condition", "LEFT JOIN UNNEST ... ON TRUE is taken."
            )
        kind = kinds.element(path.kind)
        shown = self._unused(alias)
        value = Field(alias, kind, leaf_of(exp.Column(this=name(shown)), kind))
        fields = self._element_fields(value)
        if offset:
            position = self._unused(offset.name)
            fields = (*fields, Field(offset.name, "INT64", exp.Column(this=name(position))))
        self.scope.sources.append(Source(alias, fields, value))
        item = _navigation(path.node, shown, position if offset else "")
        if side and self.iterated.get(_root(path.node), side) != "LEFT":
            raise Refused("unnest-join", "LEFT JOIN UNNEST of an unnested element", "unnest in a subquery first.")
        self.iterated[shown.lower()] = side
        self.tail.append(exp.Join(this=item, side="LEFT", on=exp.true()) if side else exp.Join(this=item))
        if on is not None and not side:
            self._also_where(on)

    def _also_where(self, condition: exp.Expr) -> None:
        self.node = self.node.copy()
        self.node.where(condition.copy(), copy=False)

    def _uses_elements(self, condition: exp.Expr) -> bool:
        """Whether a condition looks at elements of an array, which stand after all joins in FROM."""
        used = {str(one.table or one.name).lower() for one in condition.find_all(exp.Column)}
        return bool(used & self.iterated.keys())

    def _unused(self, alias: str) -> str:
        """The alias, or another one where a column has its name: on Redshift it stands without a table."""
        known = (source for source in self.scope.sources if source.fields is not None)
        taken = any(one.name.lower() == alias.lower() for source in known for one in source.fields or ())
        return self.owner.fresh() if taken else alias

    def _element_fields(self, value: Field) -> tuple[Field, ...]:
        listed = kinds.fields(value.kind)
        if not listed:
            return (value,)
        return tuple(
            Field(one, kind, leaf(exp.Dot(this=value.node.copy(), expression=name(one)), kind))
            for one, kind in listed
            if one == one.lower()
        )


def leaf_of(node: exp.Expr, kind: str) -> exp.Expr:
    """An element of an array: scalars are cast as those at the end of a path."""
    probe = leaf(exp.Dot(this=node, expression=name("x")), kind)
    return exp.Cast(this=node, to=probe.to) if isinstance(probe, exp.Cast) else node


def _root(path: exp.Expr) -> str:
    """The alias that a path starts with."""
    first = path
    while isinstance(first, (exp.Dot, exp.Bracket)):
        first = first.this
    return str(first.args["table"].name if first.args.get("table") else first.name)


def _navigation(path: exp.Expr, alias: str, offset: str) -> exp.Expr:
    """`path AS alias [AT offset]` as an item of FROM."""
    columns = [name(alias)]
    return exp.Unnest(
        expressions=[path.copy()],
        alias=exp.TableAlias(columns=columns),
        offset=name(offset) if offset else None,
    )


def _nothing(array: exp.Expr) -> exp.Expr:
    """One NULL of the type of an empty array's items, marked as a row that is not there."""
    kind = kinds.element(kinds.of_type(array.to)) if isinstance(array, exp.Cast) else ""
    if kinds.fields(kind):
        raise Refused("unnest", "UNNEST of an empty array of structs", "leave this part out.")
    made = typed(null_of(kind or "INT64"), kind or "INT64")
    made.meta["empty"] = True
    return made


def _held(value: exp.Expr, kind: str) -> exp.Expr:
    return settle_item(coerced(value, kind)) if kind else settle_item(value)


def _unnest_alias(node: exp.Unnest) -> str:
    alias = node.args.get("alias")
    if alias is None:
        return ""
    return str(alias.columns[0].name) if alias.columns else str(alias.name)


def conjuncts(node: exp.Expr | None) -> list[exp.Expr]:
    """The conditions that AND joins."""
    if node is None:
        return []
    return list(node.flatten()) if isinstance(node, exp.And) else [node]


def _merged(one: Field, other: Field, side: str) -> Field:
    if side == "FULL":
        return replace(one, node=call("COALESCE", one.node.copy(), other.node.copy()))
    return other if side == "RIGHT" else one
