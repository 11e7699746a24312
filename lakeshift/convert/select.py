"""One SELECT: its clauses, in the order in which they see each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from lakeshift.convert import kinds
from lakeshift.convert.build import name, number
from lakeshift.convert.expressions import (
    express,
    field_name,
    kind_of,
    struct_of,
    typed,
)
from lakeshift.convert.output import Output, aggregates, bounds, ordered, settle_item
from lakeshift.convert.rule import Refused
from lakeshift.convert.scope import Field, Scope, Source
from lakeshift.convert.sources import FromClause, conjuncts

if TYPE_CHECKING:
    from lakeshift.convert.query import Translator


_CORRELATED = "https://docs.aws.amazon.com/redshift/latest/dg/r_correlated_subqueries.html"
_TAKEN = frozenset(
    (
        "expressions",
        "from_",
        "joins",
        "where",
        "group",
        "having",
        "qualify",
        "order",
        "limit",
        "offset",
        "distinct",
        "with_",
        "kind",
        "windows",
    )
)


class Selection(FromClause):
    """One SELECT, translated clause by clause."""

    def __init__(self, owner: Translator, node: exp.Select, parent: Scope | None) -> None:
        super().__init__(owner, node, parent)
        self.projections: list[tuple[str, exp.Expr]] = []
        self.names: list[str] = []
        self.open_star = False
        self.correlated = False

    def translate(self) -> Output:
        """The SELECT for Redshift.

        Raises:
            Refused: a clause has no equal there.
        """
        extra = [key for key, value in self.node.args.items() if value and key not in _TAKEN]
        if extra:
            raise Refused("no-construct", f"SELECT with {extra[0].rstrip('_').upper()}", "rewrite this part by hand.")
        made = exp.Select()
        self._from(made)
        self._where(made)
        self._check_outer("FROM")
        self.context.windows = {one.name.lower(): one for one in self.node.args.get("windows") or ()}
        self._project()
        self._as_value()
        made.set("expressions", [self._titled(title, value) for title, value in self.projections])
        self._distinct(made)
        self.context.aliases = self._aliases()
        self._group(made)
        self._having(made)
        self._order(made)
        bounds(made, self.node)
        self._check_correlated(made)
        if self.open_star:
            return Output(made, None)
        return Output(made, tuple((title, kind_of(value)) for title, value in self.projections))

    def _where(self, made: exp.Select) -> None:
        where = self.node.args.get("where")
        if where is None:
            return
        parts = []
        for part in conjuncts(where.this):
            self.scope.outer_used = False
            built = express(part, self.context)
            if self.scope.outer_used and (not isinstance(part, exp.EQ) or part.find(exp.Query)):
                raise _correlated("a condition that is no equality")
            self.correlated = self.correlated or self.scope.outer_used
            parts.append(built)
        self.scope.outer_used = False
        made.set("where", exp.Where(this=_all_of(parts)))

    def _check_outer(self, where: str) -> None:
        if self.scope.outer_used:
            raise _correlated(f"an outer column in {where}")

    def _check_correlated(self, made: exp.Select) -> None:
        if self.scope.outer_used:
            raise _correlated("an outer column outside of WHERE")
        taken = [key for key in ("group", "having", "qualify", "limit", "offset", "distinct") if made.args.get(key)]
        if self.correlated and (taken or made.find(exp.Window)):
            raise _correlated(f"an inner {taken[0].upper() if taken else 'window'}")

    def _project(self) -> None:
        for item in self.node.expressions:
            star = item if isinstance(item, exp.Star) else item.this if isinstance(item, exp.Column) else None
            if isinstance(star, exp.Star):
                self._star(item, star)
            else:
                self._one(item)

    def _one(self, item: exp.Expr) -> None:
        inner = item.this if isinstance(item, exp.Alias) else item
        value = express(inner, self.context)
        title = field_name(item) or f"f{len(self.projections)}_"
        self.names.append(field_name(item))
        self.projections.append((title, settle_item(value)))

    def _star(self, item: exp.Expr, star: exp.Star) -> None:
        fields = self._starred(item)
        excluded = {part.name.lower() for part in star.args.get("except_") or ()}
        replaced = {part.alias.lower(): part.this for part in star.args.get("replace") or ()}
        if star.args.get("rename"):
            raise Refused("star", "SELECT * RENAME", "name the columns.")
        if fields is None:
            self._open(item, excluded, replaced)
            return
        for one in fields:
            if one.name.lower() in excluded:
                continue
            new = replaced.get(one.name.lower())
            value = express(new, self.context) if new is not None else typed(one.node.copy(), one.kind)
            self.names.append(one.name)
            self.projections.append((one.name, settle_item(value)))

    def _open(self, item: exp.Expr, excluded: set[str], replaced: Mapping[str, exp.Expr]) -> None:
        """A star over columns that are not known; alone, it can leave columns out with EXCLUDE.

        https://docs.aws.amazon.com/redshift/latest/dg/r_SELECT_list.html
        """
        if replaced or (excluded and len(self.node.expressions) > 1):
            raise Refused(
                "star-unknown",
                "SELECT * EXCEPT or REPLACE over unknown columns",
                "give the table's schema with --schema, so that the columns can be listed.",
            )
        if self.tail and not isinstance(item, exp.Column):
            raise Refused("star-unknown", "SELECT * over an unnested array and unknown columns", "name the columns.")
        self.open_star = True
        table = name(item.table) if isinstance(item, exp.Column) else None
        star = exp.Star(except_=[exp.Column(this=name(one)) for one in sorted(excluded)] or None)
        self.projections.append(("*", exp.Column(this=star, table=table) if table else star))

    def _starred(self, item: exp.Expr) -> list[Field] | None:
        if isinstance(item, exp.Column):
            if item.args.get("db"):
                raise Refused("star", "a star over the fields of a column", "name the fields.")
            source = self.scope.source(item.table)
            if source is None:
                raise Refused("star", f"{item.table}.* over a column", "name the fields.")
            return None if source.fields is None else _single(source)
        if any(source.fields is None for source in self.scope.sources):
            if len(self.scope.sources) > 1 and self.scope.merged:
                raise Refused("star-unknown", "SELECT * over JOIN USING of unknown columns", "give the schemas.")
            return None
        merged = self.scope.merged
        rest = [one for source in self.scope.sources for one in _single(source) if one.name.lower() not in merged]
        return [*merged.values(), *rest]

    def _as_value(self) -> None:
        kind = str(self.node.args.get("kind") or "").upper()
        if kind == "VALUE":
            raise Refused("select-as-value", "SELECT AS VALUE", "select the columns by name.")
        plain = isinstance(self.node.parent, (exp.Subquery, exp.CTE, exp.Create, type(None)))
        if kind == "STRUCT" and (self.node.meta.get("value") or not plain):
            self._as_struct()

    def _as_struct(self) -> None:
        """The columns as one value; sort keys of ARRAY(...) stay beside it."""
        count = len(self.projections) - int(self.node.meta.get("keys", 0))
        taken, keys = self.projections[:count], self.projections[count:]
        if self.open_star:
            raise Refused("star-unknown", "SELECT AS STRUCT * over unknown columns", "give the table's schema.")
        self.projections = [("f0_", struct_of(self.names[:count], [value for _, value in taken])), *keys]

    def _titled(self, title: str, value: exp.Expr) -> exp.Expr:
        if isinstance(value, exp.Star) or (isinstance(value, exp.Column) and isinstance(value.this, exp.Star)):
            return value
        return exp.Alias(this=value, alias=name(title))

    def _distinct(self, made: exp.Select) -> None:
        if not self.node.args.get("distinct"):
            return
        if self.node.args["distinct"].args.get("on"):
            raise Refused("no-construct", "DISTINCT ON", "use QUALIFY ROW_NUMBER() ... = 1.")
        if any(kinds.is_nested(kind_of(value)) for _, value in self.projections):
            raise Refused("nested-distinct", "DISTINCT over nested values", "leave the nested columns out.")
        made.set("distinct", exp.Distinct())

    def _aliases(self) -> dict[str, exp.Expr]:
        found: dict[str, exp.Expr] = {}
        for item, (title, value) in zip(self.node.expressions, self.projections, strict=False):
            if isinstance(item, exp.Alias) and title.lower() == item.alias.lower():
                found[title.lower()] = value
        return found if not self.open_star and not self._has_star() else self._by_title()

    def _has_star(self) -> bool:
        return any(isinstance(item, exp.Star) or item.is_star for item in self.node.expressions)

    def _by_title(self) -> dict[str, exp.Expr]:
        titles = {item.alias.lower() for item in self.node.expressions if isinstance(item, exp.Alias)}
        return {title.lower(): value for title, value in self.projections if title.lower() in titles}

    def _group(self, made: exp.Select) -> None:
        group = self.node.args.get("group")
        if group is None:
            return
        if group.args.get("all"):
            keys = [number(at + 1) for at, (_, value) in enumerate(self.projections) if not aggregates(value)]
        else:
            keys = [self._key(item) for item in group.expressions]
        made.set("group", exp.Group(expressions=keys))

    def _key(self, item: exp.Expr) -> exp.Expr:
        if isinstance(item, (exp.Rollup, exp.Cube, exp.GroupingSets)):
            return type(item)(expressions=[self._set(one) for one in item.expressions])
        at = self._projected(item)
        if at is not None:
            self._groupable(self.projections[at][1])
            return number(at + 1) if not self.open_star else self.projections[at][1].copy()
        if self._hidden(item):
            raise Refused("ambiguous-name", "GROUP BY an expression over an alias", "rename the alias.")
        return self._groupable(express(item, replace(self.context, aliases={})))

    def _set(self, item: exp.Expr) -> exp.Expr:
        if isinstance(item, (exp.Rollup, exp.Cube, exp.GroupingSets)):
            return self._key(item)
        if isinstance(item, exp.Tuple):
            return exp.Tuple(expressions=[self._set(one) for one in item.expressions])
        at = self._projected(item)
        return self.projections[at][1].copy() if at is not None else express(item, replace(self.context, aliases={}))

    def _groupable(self, value: exp.Expr) -> exp.Expr:
        if kinds.is_nested(kind_of(value)):
            raise Refused("nested-group", "GROUP BY a nested value", "group by its scalar fields.")
        return value

    def _projected(self, item: exp.Expr) -> int | None:
        """The place in the select list of an ordinal, an alias or an expression that stands there."""
        if isinstance(item, exp.Literal) and item.is_int:
            return self._ordinal(int(item.name))
        if isinstance(item, exp.Column) and not item.table:
            titles = [title.lower() for title, _ in self.projections]
            if item.name.lower() in titles and item.name.lower() != "*":
                return titles.index(item.name.lower())
        written = [one.this if isinstance(one, exp.Alias) else one for one in self.node.expressions]
        if not self._has_star() and item in written and not self._hidden(item):
            return written.index(item)
        return None

    def _hidden(self, node: exp.Expr) -> bool:
        """Whether an alias of another value stands before a column that the expression names."""
        return any(
            not used.table and self._is_other(used, self.context.aliases.get(used.name.lower()))
            for used in node.find_all(exp.Column)
        )

    def _is_other(self, used: exp.Column, alias: exp.Expr | None) -> bool:
        if alias is None:
            return False
        try:
            return express(used, replace(self.context, aliases={})) != alias
        except Refused:
            return False  # no column has this name

    def _ordinal(self, number_: int) -> int:
        if self.open_star:
            raise Refused("star-unknown", "an ordinal beside a star over unknown columns", "give the table's schema.")
        if not 1 <= number_ <= len(self.projections):
            raise Refused("ordinal", f"the ordinal {number_}", "there are fewer columns.")
        return number_ - 1

    def _having(self, made: exp.Select) -> None:
        for key, shape in (("having", exp.Having), ("qualify", exp.Qualify)):
            clause = self.node.args.get(key)
            if clause is not None:
                self._no_alias_inside_aggregates(clause)
                if key == "qualify" and self._hidden(clause.this):
                    raise Refused("ambiguous-name", "an alias and a column of one name in QUALIFY", "rename the alias.")
                made.set(key, shape(this=express(clause.this, self.context)))

    def _no_alias_inside_aggregates(self, clause: exp.Expr) -> None:
        for aggregate in clause.find_all(exp.AggFunc):
            for used in aggregate.find_all(exp.Column):
                alias = self.context.aliases.get(used.name.lower())
                if alias is not None and not used.table and not isinstance(alias, exp.Column):
                    raise Refused("ambiguous-name", f"the alias {used.name} inside an aggregate", "rename the alias.")

    def _order(self, made: exp.Select) -> None:
        order = self.node.args.get("order")
        if order is None:
            return
        items = []
        for item in order.expressions:
            at = self._projected(item.this)
            if at is None and made.args.get("distinct"):
                raise Refused("order-by", "ORDER BY outside of SELECT DISTINCT", "order by a selected column.")
            at_place = at is not None and not self.open_star
            value = number(at + 1) if at_place and at is not None else self._order_value(item.this, at)
            items.append(ordered(item, value))
        made.set("order", exp.Order(expressions=items))

    def _order_value(self, node: exp.Expr, at: int | None) -> exp.Expr:
        value = self.projections[at][1].copy() if at is not None else express(node, self.context)
        if kinds.is_nested(kind_of(value)):
            raise Refused("order-by", "ORDER BY a nested value", "order by its scalar fields.")
        return value


def _single(source: Source) -> list[Field]:
    """The columns for a star; two of one name cannot be told apart on Redshift."""
    listed = [one.name.lower() for one in source.fields or ()]
    if len(set(listed)) < len(listed):
        raise Refused("doubled-column", f"a star over two columns of one name in {source.alias}", "give them names.")
    return list(source.fields or ())


def _all_of(parts: Iterable[exp.Expr]) -> exp.Expr:
    listed = [exp.Paren(this=part) if isinstance(part, (exp.Or, exp.Not)) else part for part in parts]
    whole = listed[0]
    for part in listed[1:]:
        whole = exp.And(this=whole, expression=part)
    return whole


def _correlated(why: str) -> Refused:
    return Refused("correlated", f"a correlated subquery with {why}", "write it as a join.", _CORRELATED)
