"""Array functions. An ARRAY is SUPER; an array of constants is computed here.

https://docs.aws.amazon.com/redshift/latest/dg/c_Array_Functions.html
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from sqlglot import exp

from lakeshift.convert.build import call, cast, fill, number, text
from lakeshift.convert.rule import Refused, Rewrite, Typing
from lakeshift.convert.rules.arguments import (
    constant_int,
    constant_text,
    fixed,
    is_null,
    need,
    need_int,
    need_text,
    put,
    refuse,
)
from lakeshift.convert.rules.casts import utc
from lakeshift.convert.rules.nested import leaf

MAX_ITEMS = 1000
_ITEMS = "Redshift has no function over the items of an array; unnest it."


def _items(node: exp.Expr) -> list[exp.Expr] | None:
    """The items of an array that is written out."""
    inner = node.unnest() if isinstance(node, exp.Paren) else node
    return list(inner.expressions) if isinstance(inner, exp.Anonymous) and inner.name == "ARRAY" else None


def _array_kind(node: exp.Expr, typing: Typing, construct: str) -> str:
    kind = typing.kind(node)
    if kind == "" and not is_null(node):
        raise Refused("unknown-type", f"{construct} of an argument of unknown type", "give the table's schema.")
    if not kind.startswith("ARRAY<") and kind != "NULL":
        raise Refused("argument-type", f"{construct} of {kind[:60]}", "it takes an ARRAY.")
    return kind


def _null(kind: str) -> exp.Expr:
    return fixed(cast(exp.Null(), "SUPER"), kind)


def _length(node: exp.Expr, typing: Typing) -> exp.Expr:
    _array_kind(node.this, typing, "ARRAY_LENGTH")
    if is_null(node.this):
        return fixed(cast(exp.Null(), "BIGINT"), "INT64")
    return put("GET_ARRAY_LENGTH(_0)", "INT64", node.this)


def _concat(node: exp.Expr, typing: Typing) -> exp.Expr:
    parts = [node.this, *node.expressions]
    kinds = [_array_kind(part, typing, "ARRAY_CONCAT") for part in parts]
    kind = next((one for one in kinds if one != "NULL"), "ARRAY<INT64>")
    if any(map(is_null, parts)):
        return _null(kind)
    written = [_items(part) for part in parts]
    if None not in written:
        return fixed(call("ARRAY", *(item for items in written if items for item in items)), kind)
    made = parts[0]
    for part in parts[1:]:
        made = fill("CASE WHEN IS_ARRAY(_0) AND IS_ARRAY(_1) THEN ARRAY_CONCAT(_0, _1) END", made, part)
    return fixed(made, kind)


def _reverse(node: exp.Expr, typing: Typing) -> exp.Expr:
    kind = _array_kind(node.this, typing, "ARRAY_REVERSE")
    items = _items(node.this)
    if items is None:
        raise Refused("no-function", "ARRAY_REVERSE of a computed array", _ITEMS)
    return fixed(call("ARRAY", *reversed(items)), kind)


def _to_string(node: exp.Expr, typing: Typing) -> exp.Expr:
    """Of an array that is written out; NULL items are left out, or shown as the third argument."""
    if is_null(node.this):
        return fixed(cast(exp.Null(), "VARCHAR(1)"), "STRING")
    if _array_kind(node.this, typing, "ARRAY_TO_STRING") != "ARRAY<STRING>":
        raise Refused("argument-type", "ARRAY_TO_STRING of other items than STRING", "cast them to STRING.")
    items = _items(node.this)
    if items is None:
        raise Refused("no-function", "ARRAY_TO_STRING of a computed array", "aggregate the items with STRING_AGG.")
    separator = need_text(node.expression, "the separator of ARRAY_TO_STRING")
    missing = node.args.get("null")
    shown = None if missing is None else need_text(missing, "the text for NULL of ARRAY_TO_STRING")
    values = [shown if is_null(item) else need_text(item, "an item of ARRAY_TO_STRING") for item in items]
    return fixed(text(separator.join(value for value in values if value is not None)), "STRING")


def _end(first: bool, construct: str) -> Rewrite:
    def rewrite(node: exp.Expr, typing: Typing) -> exp.Expr:
        kind = _array_kind(node.this, typing, construct)
        element = kind.removeprefix("ARRAY<")[:-1]
        items = _items(node.this)
        if items:
            return fixed(items[0 if first else -1].copy(), element)
        if items == [] or not first or not isinstance(node.this, (exp.Column, exp.Dot, exp.Bracket)):
            raise Refused("no-function", f"{construct} of this array", _ITEMS)
        return fixed(leaf(exp.Bracket(this=node.this.copy(), expressions=[number(0)]), element), element)

    return rewrite


def _series(node: exp.Expr, _: Typing) -> exp.Expr:
    """GENERATE_ARRAY of constant integers, both ends included."""
    start, end, step = (node.args.get(key) for key in ("start", "end", "step"))
    if any(is_null(one) for one in (start, end, step)):
        return _null("ARRAY<INT64>")
    by = need_int(step, "the step of GENERATE_ARRAY", 1)
    bounds = need_int(start, "a bound of GENERATE_ARRAY"), need_int(end, "a bound of GENERATE_ARRAY")
    if by == 0:
        raise Refused("argument", "GENERATE_ARRAY with the step 0", "BigQuery refuses it too.")
    found = range(bounds[0], bounds[1] + (1 if by > 0 else -1), by)
    if len(found) > MAX_ITEMS:
        raise Refused("series", f"a series of more than {MAX_ITEMS} items", "join a table of numbers.")
    return fixed(call("ARRAY", *map(number, found)), "ARRAY<INT64>")


def _dates(node: exp.Expr, typing: Typing) -> exp.Expr:
    """GENERATE_DATE_ARRAY of constants; dates stand in SUPER as text."""
    ends = [node.args[key] for key in ("start", "end")]
    if any(map(is_null, ends)):
        return _null("ARRAY<DATE>")
    for end in ends:
        need(typing, end, "GENERATE_DATE_ARRAY", "DATE", "STRING")
    try:
        first, last = (date.fromisoformat(need_text(end, "a bound of GENERATE_DATE_ARRAY")) for end in ends)
    except ValueError:
        raise Refused("moment-text", "GENERATE_DATE_ARRAY of such a text", "write it as 2024-12-31.") from None
    days = list(_days(first, last, *_interval(node.args.get("step"))))
    return fixed(call("ARRAY", *(text(day.isoformat()) for day in days)), "ARRAY<DATE>")


_STEPS = {"MICROSECOND": 1, "MILLISECOND": 10**3, "SECOND": 10**6, "MINUTE": 60 * 10**6, "HOUR": 3600 * 10**6}
_STEPS["DAY"] = 24 * _STEPS["HOUR"]


def _instants(node: exp.Expr, typing: Typing) -> exp.Expr:
    """GENERATE_TIMESTAMP_ARRAY of constants; instants stand in SUPER as BigQuery prints them."""
    ends = [node.args[key] for key in ("start", "end")]
    if any(map(is_null, ends)):
        return _null("ARRAY<TIMESTAMP>")
    for end in ends:
        need(typing, end, "GENERATE_TIMESTAMP_ARRAY", "TIMESTAMP", "STRING")
    try:
        first, last = (utc(need_text(end, "a bound of GENERATE_TIMESTAMP_ARRAY")) for end in ends)
    except ValueError:
        raise Refused(
            "moment-text", "GENERATE_TIMESTAMP_ARRAY of such a text", "write it as 2024-12-31 23:59:59."
        ) from None
    amount, unit = _interval(node.args.get("step"))
    if unit not in _STEPS:
        raise Refused("date-part", f"GENERATE_TIMESTAMP_ARRAY by {unit}", "use DAY or a smaller part.")
    step = timedelta(microseconds=amount * _STEPS[unit])
    count = (last - first) // step + 1
    if count > MAX_ITEMS:
        raise Refused("series", f"a series of more than {MAX_ITEMS} instants", "join a table of times.")
    shown = (_printed(first + position * step) for position in range(max(count, 0)))
    return fixed(call("ARRAY", *map(text, shown)), "ARRAY<TIMESTAMP>")


def _printed(value: datetime) -> str:
    micro = f"{value.microsecond:06}"
    fraction = "" if not value.microsecond else f".{micro[:3] if micro.endswith('000') else micro}"
    return f"{value:%Y-%m-%d %H:%M:%S}{fraction}+00"


def _interval(step: exp.Expr | None) -> tuple[int, str]:
    if step is None:
        return 1, "DAY"
    if not isinstance(step, exp.Interval) or step.args.get("unit") is None:
        raise Refused("interval", "this step of a series", "write a constant interval of one unit.")
    shown = constant_text(step.this)
    value = int(shown) if shown is not None and shown.lstrip("-").isdigit() else constant_int(step.this)
    if not value:
        raise Refused("interval", "this step of a series", "write a constant interval of one unit.")
    return value, str(step.args["unit"].name).upper()


def _days(first: date, last: date, step: int, unit: str) -> Iterator[date]:
    """Each day is reckoned from the first, so that the end of a month does not wander."""
    for position in range(MAX_ITEMS + 1):
        day = _later(first, step * position, unit)
        if (day > last) if step > 0 else (day < last):
            return
        yield day
    raise Refused("series", f"a series of more than {MAX_ITEMS} days", "join a table of days.")


def _later(day: date, amount: int, unit: str) -> date:
    if unit in ("DAY", "WEEK"):
        return day + timedelta(days=amount * (7 if unit == "WEEK" else 1))
    months = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}.get(unit)
    if months is None:
        raise Refused("date-part", f"GENERATE_DATE_ARRAY by {unit}", "use DAY, WEEK, MONTH, QUARTER or YEAR.")
    year, month = divmod(day.year * 12 + day.month - 1 + amount * months, 12)
    end = date(year + (month == 11), (month + 1) % 12 + 1, 1) - timedelta(days=1)
    return end.replace(day=min(day.day, end.day))


def _subscript(node: exp.Expr, typing: Typing) -> exp.Expr:
    """`SPLIT(text, separator)[OFFSET(n)]`: a part that is not there is NULL."""
    split = node.this
    need(typing, split.this, "SPLIT", "STRING")
    separator = need_text(split.expression or text(","), "the separator of SPLIT")
    (position,) = node.expressions
    at = need_int(position, "the subscript of SPLIT") - int(node.args.get("offset") or 0)
    if not separator or at < 0:
        raise Refused("subscript", "this subscript of SPLIT", "use a constant separator and position.")
    known = constant_text(split.this)
    if known is not None and at >= len(known.split(separator)) and not node.args.get("safe"):
        raise Refused("subscript", "a subscript outside of the array", "BigQuery refuses it too.")
    if at == 0:
        return put("SPLIT_PART(_0, _1, 1)", "STRING", split.this, text(separator))
    there = f"LEN(_0) - LEN(REPLACE(_0, _1, '')) >= {at * len(separator)}"
    return put(f"CASE WHEN {there} THEN SPLIT_PART(_0, _1, {at + 1}) END", "STRING", split.this, text(separator))


RULES: dict[type[exp.Expr], Rewrite] = {
    exp.ArrayConcat: _concat,
    exp.ArrayFilter: refuse("ARRAY_FILTER", _ITEMS),
    exp.ArrayFirst: _end(True, "ARRAY_FIRST"),
    exp.ArrayLast: _end(False, "ARRAY_LAST"),
    exp.ArrayMax: refuse("ARRAY_MAX", _ITEMS),
    exp.ArrayMin: refuse("ARRAY_MIN", _ITEMS),
    exp.ArrayReverse: _reverse,
    exp.ArraySize: _length,
    exp.ArraySlice: refuse("ARRAY_SLICE", "Redshift counts the bounds otherwise; use SUBARRAY by hand."),
    exp.ArrayToString: _to_string,
    exp.Bracket: _subscript,
    exp.GenerateDateArray: _dates,
    exp.GenerateSeries: _series,
    exp.GenerateTimestampArray: _instants,
}
NAMED: dict[str, Rewrite] = {
    "ARRAY_INCLUDES": refuse("ARRAY_INCLUDES", "use IN UNNEST."),
    "ARRAY_IS_DISTINCT": refuse("ARRAY_IS_DISTINCT", _ITEMS),
    "ARRAY_TRANSFORM": refuse("ARRAY_TRANSFORM", _ITEMS),
}
