"""Arrays of constants in FROM, item by item."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from sqlglot import exp

from lakeshift.convert import kinds
from lakeshift.convert.build import call, cast, number, text
from lakeshift.convert.expressions import Context, coerced, express, field_name, kind_of, typed
from lakeshift.convert.rule import Refused

MAX_ITEMS = 1000


def constant_items(node: exp.Expr, context: Context) -> list[exp.Expr] | None:
    """The items of an array literal or of a series with constant bounds, of one type; None for anything else.

    Raises:
        Refused: the items have no common type, use columns, or are more than 1,000.
    """
    if isinstance(node, exp.Cast) and node.to.this == exp.DType.ARRAY:
        kind = kinds.element(kinds.of_type(node.to))
        return _items(node.this, kind, context)
    if isinstance(node, exp.GenerateSeries):
        return _bounded([typed(number(one), "INT64") for one in _numbers(node)])
    if isinstance(node, exp.GenerateDateArray):
        return _bounded([_day(one) for one in _days(node)])
    return _items(node, "", context)


def _bounded(items: list[exp.Expr]) -> list[exp.Expr]:
    if len(items) > MAX_ITEMS:
        raise Refused("unnest", f"a series of more than {MAX_ITEMS} items", "join a table of numbers or days.")
    return items


def _items(node: exp.Expr, declared: str, context: Context) -> list[exp.Expr] | None:
    if not isinstance(node, exp.Array) or any(isinstance(item, exp.Query) for item in node.expressions):
        return None
    if any(isinstance(_bare(item), (exp.Struct, exp.Tuple)) for item in node.expressions):
        return _rows(node.expressions, declared, context)
    items = [express(item, context) for item in _bounded(list(node.expressions))]
    return _alike(items, declared)


def _bare(item: exp.Expr) -> exp.Expr:
    return item.this if isinstance(item, exp.Cast) and isinstance(item.this, (exp.Struct, exp.Tuple)) else item


def _alike(items: Sequence[exp.Expr], declared: str) -> list[exp.Expr]:
    kind = declared or kinds.common([kind_of(item) for item in items])
    if kind is None:
        raise Refused("array-type", "an array whose items have no common type", "cast its items.")
    kind = "INT64" if kind == kinds.NULL else kind
    return [typed(coerced(item, kind), kind) for item in items]


def _rows(items: Sequence[exp.Expr], declared: str, context: Context) -> list[exp.Expr]:
    first = _bare(items[0])
    declared = declared or (kinds.of_type(items[0].to) if isinstance(items[0], exp.Cast) else "")
    names = [one for one, _ in kinds.fields(declared)] or [field_name(part) for part in first.expressions]
    columns = [_column(items, at, declared, context) for at in range(len(names))]
    types = [kind_of(column[0]) for column in columns]
    return [_row(names, types, [column[at] for column in columns]) for at in range(len(items))]


def _column(items: Sequence[exp.Expr], at: int, declared: str, context: Context) -> list[exp.Expr]:
    values = []
    for item in items:
        parts = _bare(item).expressions
        if at >= len(parts):
            raise Refused("array-type", "an array of structs with different fields", "give them the same fields.")
        part = parts[at].expression if isinstance(parts[at], exp.PropertyEQ) else parts[at]
        values.append(express(part, context))
    known = kinds.fields(declared)
    return _alike(values, known[at][1] if known else "")


def _row(names: Sequence[str], types: Sequence[str], values: Sequence[exp.Expr]) -> exp.Expr:
    pairs = zip(names, values, strict=True)
    made = call("OBJECT", *(part for one, value in pairs for part in (text(one), value)))
    made.meta["fields"] = list(names)
    return typed(made, kinds.struct(zip(names, types, strict=True)))


def _integer(node: exp.Expr | None) -> int:
    sign = -1 if isinstance(node, exp.Neg) else 1
    inner = node.this if isinstance(node, exp.Neg) else node
    if isinstance(inner, exp.Literal) and inner.is_int:
        return sign * int(inner.name)
    raise Refused("unnest", "a series whose bounds are no constants", "join a table of numbers.")


def _numbers(node: exp.GenerateSeries) -> range:
    first, last = _integer(node.args.get("start")), _integer(node.args.get("end"))
    step = _integer(node.args["step"]) if node.args.get("step") else 1
    if step == 0:
        raise Refused("unnest", "a series whose step is 0", "BigQuery refuses it too.")
    return range(first, last + (1 if step > 0 else -1), step)


def _days(node: exp.GenerateDateArray) -> list[date]:
    first, last = _date(node.args.get("start")), _date(node.args.get("end"))
    step = node.args.get("step")
    width, unit = 1, "DAY"
    if step is not None:
        width, unit = (
            int(step.this.name) if isinstance(step.this, exp.Literal) else _integer(step.this),
            step.text("unit").upper(),
        )
    if unit not in ("DAY", "WEEK") or width == 0:
        raise Refused("unnest", f"a series of days by {unit}", "join a table of days.")
    days = width * (7 if unit == "WEEK" else 1)
    count = (last - first).days // days + 1
    return [first + timedelta(days=days * at) for at in range(max(0, min(count, MAX_ITEMS + 1)))]


def _date(node: exp.Expr | None) -> date:
    inner = node.this if isinstance(node, exp.Cast) else node
    try:
        if isinstance(inner, exp.Literal) and inner.is_string:
            return date.fromisoformat(inner.name)
    except ValueError:
        pass
    raise Refused("unnest", "a series whose bounds are no constants", "join a table of days.")


def _day(day: date) -> exp.Expr:
    return typed(cast(text(day.isoformat()), "DATE"), "DATE")
