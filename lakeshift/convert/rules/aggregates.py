"""Aggregate functions.

https://cloud.google.com/bigquery/docs/reference/standard-sql/aggregate_functions
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from lakeshift.convert import kinds
from lakeshift.convert.build import KINDS, call, cast, number, text
from lakeshift.convert.rule import Refused, Rewrite, Typing
from lakeshift.convert.rules.nested import json_item
from lakeshift.convert.rules.operators import fixed, unknown

_NUMBERS = frozenset({"INT64", "FLOAT64", "NUMERIC"})


@dataclass
class Parts:
    """The clauses inside the parentheses of an aggregate."""

    value: exp.Expr
    distinct: bool = False
    order: tuple[exp.Ordered, ...] = ()
    limit: bool = False
    nulls: str = ""
    having: bool = False


def parts(node: exp.Expr) -> Parts:
    """`DISTINCT value IGNORE NULLS ORDER BY key LIMIT n` taken apart."""
    found = Parts(node)
    while True:
        at = found.value
        if isinstance(at, exp.Distinct):
            (found.value,) = at.expressions
            found.distinct = True
        elif isinstance(at, exp.Order):
            found.order, found.value = tuple(at.expressions), at.this
        elif isinstance(at, exp.Limit):
            found.limit, found.value = True, at.this
        elif isinstance(at, (exp.IgnoreNulls, exp.RespectNulls)):
            found.nulls, found.value = type(at).__name__, at.this
        elif isinstance(at, exp.HavingMax):
            found.having, found.value = True, at.this
        else:
            return found


def aggregate(node: exp.Expr, kind: str) -> exp.Expr:
    """The expression, marked as an aggregate of this type."""
    node.meta["aggregate"] = True
    return fixed(node, kind)


def _plain(node: exp.Expr, name: str) -> Parts:
    """The argument of an aggregate that takes DISTINCT and nothing else."""
    found = parts(node.this)
    if found.order or found.limit or found.nulls or found.having:
        raise Refused("aggregate", f"{name} with ORDER BY, LIMIT, HAVING or a NULLS clause", "leave the clause out.")
    return found


def _argument(found: Parts, value: exp.Expr | None = None) -> exp.Expr:
    inner = found.value if value is None else value
    return exp.Distinct(expressions=[inner]) if found.distinct else inner


def _scalar(kind: str, name: str) -> None:
    if kinds.is_nested(kind):
        raise Refused("nested-aggregate", f"{name} over a nested value", "take one of its fields.")


def _count(node: exp.Expr, typing: Typing) -> exp.Expr:
    if isinstance(node.this, exp.Star):
        return aggregate(call("COUNT", exp.Star()), "INT64")
    found = _plain(node, "COUNT")
    if found.distinct:
        _scalar(typing.kind(found.value), "COUNT(DISTINCT)")
    if node.expressions:
        raise Refused("aggregate", "COUNT of several values", "count one value.")
    return aggregate(call("COUNT", _argument(found)), "INT64")


def _count_if(node: exp.Expr, _: Typing) -> exp.Expr:
    found = _plain(node, "COUNTIF")
    if found.distinct:
        raise Refused("aggregate", "COUNTIF(DISTINCT)", "use COUNT(DISTINCT IF(...)).")
    chosen = exp.Case(ifs=[exp.If(this=found.value, true=number(1))])
    return aggregate(call("COUNT", chosen), "INT64")


def _sum(node: exp.Expr, typing: Typing) -> exp.Expr:
    found = _plain(node, "SUM")
    kind = typing.kind(found.value)
    if kind not in _NUMBERS:
        raise unknown("SUM") if not kind else Refused("aggregate", f"SUM over {kind}", "")
    made: exp.Expr = aggregate(call("SUM", _argument(found, _wide(found.value, kind))), kind)
    return made


def _wide(value: exp.Expr, kind: str) -> exp.Expr:
    from lakeshift.convert.rules.operators import wide

    return wide(value) if kind == "INT64" else value


def _average(node: exp.Expr, typing: Typing) -> exp.Expr:
    found = _plain(node, "AVG")
    kind = typing.kind(found.value)
    if kind not in ("INT64", "FLOAT64"):
        raise unknown("AVG") if not kind else Refused("numeric-division", f"AVG over {kind}", "cast it to FLOAT64.")
    value = found.value if kind == "FLOAT64" else cast(found.value, KINDS["FLOAT64"])
    return aggregate(call("AVG", _argument(found, value)), "FLOAT64")


def _extreme(name: str, of_bools: str) -> Rewrite:
    def rewrite(node: exp.Expr, typing: Typing) -> exp.Expr:
        found = _plain(node, name)
        kind = typing.kind(found.value)
        _scalar(kind, name)
        if node.expressions:
            raise Refused("aggregate", f"{name} of several values", "")
        if kind == "BYTES":
            raise Refused("aggregate", f"{name} over BYTES", "take it of TO_HEX.")
        return aggregate(call(of_bools if kind == "BOOL" else name, found.value), kind)

    return rewrite


def _named(name: str, kind: str, source: str) -> Rewrite:
    """An aggregate under another name, over one type only."""

    def rewrite(node: exp.Expr, typing: Typing) -> exp.Expr:
        found = _plain(node, name)
        own = typing.kind(found.value)
        if own == "INT64" and source == "FLOAT64":
            found.value = cast(found.value, KINDS[source])
        elif own not in (source, kinds.NULL):
            raise unknown(name) if not own else Refused("aggregate", f"{name} over {own}", f"cast it to {source}.")
        if source == "INT64":
            found.value = _wide(found.value, source)
        return aggregate(call(name, _argument(found)), kind)

    return rewrite


def _any_value(node: exp.Expr, typing: Typing) -> exp.Expr:
    found = _plain(node, "ANY_VALUE")
    kind = typing.kind(found.value)
    _scalar(kind, "ANY_VALUE")
    return aggregate(call("ANY_VALUE", found.value), kind)


def _approximate_count(node: exp.Expr, typing: Typing) -> exp.Expr:
    """The exact count, which is within every bound of the approximate one."""
    _scalar(typing.kind(node.this), "APPROX_COUNT_DISTINCT")
    return aggregate(call("COUNT", exp.Distinct(expressions=[node.this])), "INT64")


def _string_agg(node: exp.Expr, typing: Typing) -> exp.Expr:
    found = parts(node.this)
    if found.limit or found.having:
        raise Refused("aggregate", "STRING_AGG with LIMIT", "number the rows in a subquery and keep the first.")
    kind = typing.kind(found.value)
    if kind == kinds.NULL:
        found.value = cast(found.value, KINDS["STRING"])
    elif kind != "STRING":
        raise unknown("STRING_AGG") if not kind else Refused("aggregate", f"STRING_AGG over {kind}", "cast it.")
    separator = node.args.get("separator") or text(",")
    if not isinstance(separator, exp.Literal):
        raise Refused("aggregate", "STRING_AGG with a separator that is not a constant", "write the separator.")
    return aggregate(listed(found, found.value, separator), "STRING")


def listed(found: Parts, value: exp.Expr, separator: exp.Expr) -> exp.Expr:
    """LISTAGG with the order of the aggregate; it stops with an error at 65,535 bytes.

    https://docs.aws.amazon.com/redshift/latest/dg/r_LISTAGG.html
    """
    made = call("LISTAGG", _argument(found, value), separator)
    if not found.order:
        return made
    if found.distinct and any(key.this != found.value for key in found.order):
        raise Refused("aggregate", "DISTINCT ordered by another value", "order by the value itself.")
    keys = found.order if found.distinct else tuple(part for key in found.order for part in null_safe(key))
    order = exp.Order(expressions=[_plain_key(key) for key in keys])
    return exp.WithinGroup(this=made, expression=order)


def _plain_key(key: exp.Ordered) -> exp.Ordered:
    """A sort key with Redshift's own place of NULLs: those that matter have been set apart before."""
    desc = bool(key.args.get("desc"))
    return exp.Ordered(this=key.this, desc=desc, nulls_first=desc)


def null_safe(key: exp.Ordered) -> Iterator[exp.Ordered]:
    """A sort key and, before it, where its NULLs stand: ORDER BY inside LISTAGG has no NULLS FIRST."""
    first = bool(key.args.get("nulls_first"))
    missing = exp.Is(this=key.this.copy(), expression=exp.Null())
    flag = exp.Case(ifs=[exp.If(this=missing, true=number(0 if first else 1))], default=number(1 if first else 0))
    yield exp.Ordered(this=flag)
    yield exp.Ordered(this=key.this.copy(), desc=bool(key.args.get("desc")))


def _array_agg(node: exp.Expr, typing: Typing) -> exp.Expr:
    """The items as one JSON text, parsed. Without IGNORE NULLS a NULL is an item; BigQuery takes none in a result."""
    found = parts(node.this)
    if found.limit or found.having:
        raise Refused("aggregate", "ARRAY_AGG with LIMIT", "number the rows in a subquery and keep the first.")
    if found.distinct and found.order:
        raise Refused("aggregate", "ARRAY_AGG(DISTINCT ... ORDER BY)", "take the distinct values in a subquery.")
    kind = typing.kind(found.value)
    if not kinds.array(kind):
        raise unknown("ARRAY_AGG")
    item = json_item(found.value, kind)
    if found.nulls == "IgnoreNulls":
        keep = exp.Not(this=exp.Is(this=found.value.copy(), expression=exp.Null()))
        item = exp.Case(ifs=[exp.If(this=keep, true=item)])
    joined = exp.DPipe(this=exp.DPipe(this=text("["), expression=listed(found, item, text(","))), expression=text("]"))
    return aggregate(call("JSON_PARSE", joined), kinds.array(kind))


def _grouping(node: exp.Expr, _: Typing) -> exp.Expr:
    return aggregate(call("GROUPING", *node.expressions), "INT64")


RULES: dict[type[exp.Expr], Rewrite] = {
    exp.AnyValue: _any_value,
    exp.ApproxDistinct: _approximate_count,
    exp.ArrayAgg: _array_agg,
    exp.Avg: _average,
    exp.BitwiseAndAgg: _named("BIT_AND", "INT64", "INT64"),
    exp.BitwiseOrAgg: _named("BIT_OR", "INT64", "INT64"),
    exp.Count: _count,
    exp.CountIf: _count_if,
    exp.GroupConcat: _string_agg,
    exp.Grouping: _grouping,
    exp.LogicalAnd: _named("BOOL_AND", "BOOL", "BOOL"),
    exp.LogicalOr: _named("BOOL_OR", "BOOL", "BOOL"),
    exp.Max: _extreme("MAX", "BOOL_OR"),
    exp.Min: _extreme("MIN", "BOOL_AND"),
    exp.Stddev: _named("STDDEV_SAMP", "FLOAT64", "FLOAT64"),
    exp.StddevPop: _named("STDDEV_POP", "FLOAT64", "FLOAT64"),
    exp.StddevSamp: _named("STDDEV_SAMP", "FLOAT64", "FLOAT64"),
    exp.Sum: _sum,
    exp.Variance: _named("VAR_SAMP", "FLOAT64", "FLOAT64"),
    exp.VariancePop: _named("VAR_POP", "FLOAT64", "FLOAT64"),
}
