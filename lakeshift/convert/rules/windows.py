"""Window functions: named windows are written out, frames are always said.

https://docs.aws.amazon.com/redshift/latest/dg/c_Window_functions.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from lakeshift.convert import kinds
from lakeshift.convert.build import KINDS, call, cast, number
from lakeshift.convert.expressions import Context, coerced, express, kind_of, line_of, structural, typed
from lakeshift.convert.rule import Refused
from lakeshift.convert.rules.operators import fixed

_LINK = "https://docs.aws.amazon.com/redshift/latest/dg/r_Window_function_synopsis.html"
_NUMBERED: dict[type[exp.Expr], str] = {
    exp.RowNumber: "ROW_NUMBER",
    exp.Rank: "RANK",
    exp.DenseRank: "DENSE_RANK",
    exp.PercentRank: "PERCENT_RANK",
    exp.CumeDist: "CUME_DIST",
}
_WHOLE = exp.WindowSpec(
    kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end="UNBOUNDED", end_side="FOLLOWING", over="OVER"
)
_SO_FAR = exp.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW")
_IN_WINDOWS = frozenset(
    ("COUNT", "SUM", "AVG", "MIN", "MAX", "STDDEV_SAMP", "STDDEV_POP", "VAR_SAMP", "VAR_POP", "BOOL_AND", "BOOL_OR")
)


@dataclass(frozen=True)
class Over:
    """A window, translated: partition, order and frame."""

    partition: tuple[exp.Expr, ...]
    order: tuple[exp.Ordered, ...]
    spec: exp.WindowSpec | None

    def of(self, function: exp.Expr, frame: exp.WindowSpec | None = None) -> exp.Window:
        """`function OVER (...)`."""
        order = exp.Order(expressions=[key.copy() for key in self.order]) if self.order else None
        partition = [one.copy() for one in self.partition]
        return exp.Window(
            this=function, partition_by=partition, order=order, spec=frame.copy() if frame else None, over="OVER"
        )


def window(node: exp.Expr, context: Context) -> exp.Expr:
    """One window function."""
    over = _over(node, context)
    inner, nulls = node.this, ""
    if isinstance(inner, (exp.IgnoreNulls, exp.RespectNulls)):
        nulls, inner = type(inner).__name__, inner.this
    if isinstance(inner, exp.CumeDist):
        # BigQuery's guide counts the peers of a row in, engines that follow its tests count them one by one.
        context.queries.review(_ties("CUME_DIST", node))
    if type(inner) in _NUMBERED or isinstance(inner, exp.Ntile):
        return _numbered(inner, over, context)
    if isinstance(inner, (exp.Lag, exp.Lead)):
        return _shifted(inner, over, context, nulls)
    if isinstance(inner, (exp.FirstValue, exp.LastValue, exp.NthValue)):
        return _valued(inner, over, context, nulls)
    if isinstance(inner, (exp.PercentileCont, exp.PercentileDisc)):
        return _percentile(inner, over, context, nulls)
    if isinstance(inner, exp.AnyValue):
        return _any_value(inner, over, context)
    return _aggregate(inner, over, context, node)


def _over(node: exp.Expr, context: Context) -> Over:
    written = _written(node, context.windows)
    order = written.get("order")
    keys = order.expressions if isinstance(order, exp.Order) else []
    spec = written.get("spec")
    return Over(
        tuple(_key(one, context) for one in written.get("partition_by") or ()),
        tuple(_ordered(key, context) for key in keys),
        spec if isinstance(spec, exp.WindowSpec) else None,
    )


def _written(node: exp.Expr, windows: Mapping[str, exp.Window]) -> dict[str, Any]:
    """The clauses of a window with those of the named window it builds on."""
    base: dict[str, Any] = {}
    alias = node.args.get("alias")
    if alias is not None:
        if alias.name.lower() not in windows:
            raise Refused("unknown-name", f"the window {alias.name}", "")
        base = _written(windows[alias.name.lower()], windows)
    own = {key: node.args[key] for key in ("partition_by", "order", "spec") if node.args.get(key)}
    return {**base, **own}


def _key(node: exp.Expr, context: Context) -> exp.Expr:
    made = express(node, context)
    if kinds.is_nested(kind_of(made)):
        raise Refused("nested-group", "a window over a nested value", "take its scalar fields.")
    return made


def _ordered(node: exp.Ordered, context: Context) -> exp.Ordered:
    return exp.Ordered(
        this=_key(node.this, context),
        desc=bool(node.args.get("desc")),
        nulls_first=bool(node.args.get("nulls_first")),
    )


def _numbered(inner: exp.Expr, over: Over, context: Context) -> exp.Expr:
    if isinstance(inner, exp.Ntile):
        return fixed(over.of(call("NTILE", express(inner.this, context))), "INT64")
    name = _NUMBERED[type(inner)]
    return fixed(over.of(call(name)), "FLOAT64" if name in ("PERCENT_RANK", "CUME_DIST") else "INT64")


def _shifted(inner: exp.Expr, over: Over, context: Context, nulls: str) -> exp.Expr:
    """LAG and LEAD; Redshift's have no default value, so the rows at the edge are told by their number."""
    value, name = express(inner.this, context), type(inner).__name__.upper()
    offset = express(inner.args["offset"], context) if inner.args.get("offset") else number(1)
    if not isinstance(offset, exp.Literal):
        raise Refused("window", f"{name} by an offset that is no constant", "write the number.")
    kind = _plain(value, name)
    function: exp.Expr = call(name, value, offset)
    made: exp.Expr = over.of(exp.IgnoreNulls(this=function) if nulls == "IgnoreNulls" else function)
    default = express(inner.args["default"], context) if inner.args.get("default") else exp.Null()
    if kind_of(default) == kinds.NULL:
        return fixed(made, kind)
    if nulls:
        raise Refused("window", f"{name} with a default and a NULLS clause", "use COALESCE where it means the same.")
    edge = over.of(call("ROW_NUMBER"))
    left: exp.Expr = edge if name == "LAG" else exp.Sub(this=_count(over), expression=edge)
    test: exp.Expr = (exp.LTE if name == "LAG" else exp.LT)(this=left, expression=offset.copy())
    return fixed(exp.Case(ifs=[exp.If(this=test, true=coerced(default, kind))], default=made), kind)


def _count(over: Over) -> exp.Window:
    return Over(over.partition, (), None).of(call("COUNT", exp.Star()))


def _plain(value: exp.Expr, name: str) -> str:
    kind = kind_of(value)
    if kinds.is_nested(kind):
        raise Refused("nested-aggregate", f"{name} over a nested value", "take one of its fields.")
    return kind


def _frame(over: Over, what: str) -> exp.WindowSpec:
    """The frame as Redshift has it. Its frames count rows; only whole partitions mean the same by range."""
    spec = over.spec
    if spec is None:
        if over.order:
            raise Refused(
                "range-frame",
                f"{what} over ORDER BY without ROWS",
                "the frame goes by value, and Redshift's go by rows: add ROWS BETWEEN ... if the key is unique.",
                _LINK,
            )
        return _WHOLE
    if str(spec.args.get("kind")).upper() == "RANGE" and not _is_whole(spec):
        raise Refused(
            "range-frame", "a RANGE frame", "Redshift's frames go by rows; use ROWS if the key is unique.", _LINK
        )
    if spec.args.get("exclude"):
        raise Refused("window", "a frame with EXCLUDE", "leave it out.")
    return _bounds(spec)


def _is_whole(spec: exp.WindowSpec) -> bool:
    bounds = [str(spec.args.get(key)) for key in ("start", "start_side", "end", "end_side")]
    return bounds == ["UNBOUNDED", "PRECEDING", "UNBOUNDED", "FOLLOWING"]


def _bounds(spec: exp.WindowSpec) -> exp.WindowSpec:
    made = spec.copy()
    made.set("kind", "ROWS")
    for key in ("start", "end"):
        bound = made.args.get(key)
        if isinstance(bound, exp.Expr) and not (isinstance(bound, exp.Literal) and bound.is_int):
            raise Refused("window", "a frame whose bound is no constant", "write the number.")
    if not made.args.get("end"):
        made.set("end", "CURRENT ROW")
    return made


def _valued(inner: exp.Expr, over: Over, context: Context, nulls: str) -> exp.Expr:
    value, name = express(inner.this, context), type(inner).sql_name() if isinstance(inner, exp.Func) else ""
    kind = _plain(value, name)
    arguments = [value, express(inner.args["offset"], context)] if isinstance(inner, exp.NthValue) else [value]
    first = isinstance(inner, exp.FirstValue) and over.spec is None and nulls != "IgnoreNulls"
    frame = _SO_FAR if first else _frame(over, name)
    function: exp.Expr = call(name, *arguments)
    made = over.of(exp.IgnoreNulls(this=function) if nulls == "IgnoreNulls" else function, frame)
    return fixed(made, kind)


def _percentile(inner: exp.Expr, over: Over, context: Context, nulls: str) -> exp.Expr:
    if nulls == "RespectNulls" or over.order:
        raise Refused("window", "PERCENTILE with RESPECT NULLS", "leave the NULLs out.")
    value, share = express(inner.this, context), inner.expression
    kind, continuous = kind_of(value), isinstance(inner, exp.PercentileCont)
    if continuous and kind not in ("INT64", "FLOAT64"):
        raise Refused("window", f"PERCENTILE_CONT over {kind or 'an unknown type'}", "cast it to FLOAT64.")
    if not isinstance(share, exp.Literal):
        raise Refused("window", "a percentile that is no constant", "write the number.")
    key = exp.Ordered(this=cast(value, KINDS["FLOAT64"]) if continuous and kind == "INT64" else value)
    name = "PERCENTILE_CONT" if continuous else "PERCENTILE_DISC"
    made = exp.WithinGroup(this=call(name, share.copy()), expression=exp.Order(expressions=[key]))
    return fixed(over.of(made), "FLOAT64" if continuous else kind)


def _any_value(inner: exp.Expr, over: Over, context: Context) -> exp.Expr:
    """Any row of the frame will do: the first."""
    if isinstance(inner.this, exp.HavingMax):
        raise Refused("aggregate", "ANY_VALUE with HAVING", "number the rows in a subquery.")
    value = express(inner.this, context)
    kind = _plain(value, "ANY_VALUE")
    frame = _SO_FAR if over.order and over.spec is None else _frame(over, "ANY_VALUE")
    made = over.of(call("FIRST_VALUE", value), frame)
    if not over.order:
        made.set("order", exp.Order(expressions=[exp.Ordered(this=value.copy())]))
    return fixed(made, kind)


def _aggregate(inner: exp.Expr, over: Over, context: Context, node: exp.Expr) -> exp.Expr:
    made = express(inner, context)
    if not (isinstance(made, exp.Anonymous) and made.name in _IN_WINDOWS):
        shown = inner.sql_name() if isinstance(inner, exp.Func) else type(inner).__name__
        raise Refused("window", f"{shown} as a window function", "join the aggregate of a subquery.")
    if made.find(exp.Distinct):
        raise Refused("window", f"{made.name}(DISTINCT) as a window function", "join the aggregate of a subquery.")
    frame = _frame(over, made.name) if over.order or over.spec else None
    if frame is not None and not _is_whole(frame):
        context.queries.review(_ties(made.name, node))
    return typed(over.of(made, frame), kind_of(made))


def _ties(name: str, node: exp.Expr) -> Refused:
    """The doubt about a frame of rows: with equal sort keys, either engine may count other rows in."""
    doubt = Refused(
        "tie-order",
        f"{name} in a window, where sort keys may be equal",
        "check that the sort key is unique in its partition.",
    )
    doubt.line = line_of(node)  # type: ignore[attr-defined]
    return doubt


structural(exp.Window, window)
