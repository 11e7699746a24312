"""Date and time functions.

GoogleSQL's weeks begin on Sunday, Redshift's on Monday; DATEADD gives a TIMESTAMP for a DATE; zones are constants.
https://cloud.google.com/bigquery/docs/reference/standard-sql/date_functions
https://docs.aws.amazon.com/redshift/latest/dg/Date_functions_header.html
"""

from __future__ import annotations

from datetime import datetime

from sqlglot import exp

from lakeshift.convert.build import KINDS, cast, fill, number
from lakeshift.convert.rule import Refused, Rewrite, Typing
from lakeshift.convert.rules import formats
from lakeshift.convert.rules.arguments import (
    constant_int,
    constant_text,
    fixed,
    need,
    put,
    refuse,
    total,
    whole,
)
from lakeshift.convert.rules.casts import convert_kind
from lakeshift.convert.rules.moments import (
    DAYS,
    clock,
    constant_instant,
    fixed_zone,
    instant,
    literal,
    local,
    moment,
    offset_text,
    week_back,
    week_number,
    zone_of,
)

_CLOCK_PARTS = ("MICROSECOND", "MILLISECOND", "SECOND", "MINUTE", "HOUR")
_DAY_PARTS = ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR")
_MOMENTS = ("DATE", "DATETIME", "TIMESTAMP")
_MICROSECONDS = {
    "MICROSECOND": 1,
    "MILLISECOND": 1_000,
    "SECOND": 1_000_000,
    "MINUTE": 60_000_000,
    "HOUR": 3_600_000_000,
    "DAY": 86_400_000_000,
}


def part_of(unit: exp.Expr | None, default: str = "") -> str:
    """DAY, WEEK, ISOWEEK, WEEK(MONDAY), ... in upper case."""
    if isinstance(unit, exp.WeekStart):
        return f"WEEK({unit.this.name.upper()})"
    return str(unit.name).upper() if unit is not None else default


def _bad_part(part: str, construct: str) -> Refused:
    return Refused("date-part", f"{construct} with {part or 'no part'}", "use another date part.")


def _first_day(part: str) -> int | None:
    """0 for weeks from Sunday to 6 for weeks from Saturday; None for what is no week."""
    if part in ("WEEK", "ISOWEEK"):
        return int(part == "ISOWEEK")
    name = part.removeprefix("WEEK(").removesuffix(")")
    return DAYS.index(name) if part.startswith("WEEK(") and name in DAYS else None


# --- adding and taking away ------------------------------------------------------------------------------------------


def _shift(construct: str, kinds: tuple[str, ...], parts: tuple[str, ...], sign: int) -> Rewrite:
    def rewrite(node: exp.Expr, typing: Typing) -> exp.Expr:
        base, kind = moment(node.this, typing, construct, *kinds)
        part = part_of(node.args.get("unit"))
        allowed = parts if kind != "DATE" else _DAY_PARTS
        if part not in allowed:
            raise _bad_part(part, construct)
        amount = _amount(node.expression, sign)
        if kind == "TIME":
            return put(f"CAST(DATEADD({part.lower()}, _1, _0) AS TIME)", kind, clock(base), amount)
        made = fill(f"DATEADD({part.lower()}, _1, _0)", base, amount)
        return fixed(cast(made, "DATE") if kind == "DATE" else made, kind)

    return rewrite


def _amount(node: exp.Expr, sign: int) -> exp.Expr:
    shown = constant_text(node)
    if shown is not None:
        try:
            return whole(number(sign * int(shown)))
        except ValueError:
            raise Refused("interval", f"the interval {shown[:30]}", "write a whole number of one unit.") from None
    value = constant_int(node)
    if value is not None:
        return whole(number(sign * value))
    return fill("-_0", whole(node)) if sign < 0 else whole(node)


# --- truncation ------------------------------------------------------------------------------------------------------


def truncated(node: exp.Expr, part: str, construct: str) -> exp.Expr:
    """The beginning of the part that a DATE or TIMESTAMP lies in, as TIMESTAMP."""
    first = _first_day(part)
    if part == "ISOYEAR":
        return fill("DATE_TRUNC('week', CAST(TO_CHAR(_0, 'IYYY') || '-01-04' AS TIMESTAMP))", node)
    if first == 1:
        return fill("DATE_TRUNC('week', _0)", node)
    if first is not None:
        return fill(f"DATEADD(day, -{week_back(first)}, DATE_TRUNC('day', _0))", node)
    if part not in (*_CLOCK_PARTS, *_DAY_PARTS):
        raise _bad_part(part, construct)
    return node if part == "MICROSECOND" else fill(f"DATE_TRUNC('{part.lower()}', _0)", node)


def _trunc(construct: str, kinds: tuple[str, ...]) -> Rewrite:
    def rewrite(node: exp.Expr, typing: Typing) -> exp.Expr:
        base, kind = moment(node.this, typing, construct, *kinds)
        part = part_of(node.args.get("unit"))
        if kind == "TIMESTAMP":
            zone = fixed_zone(node.args.get("zone"), construct)
            return fixed(instant(truncated(local(base, zone), part, construct), zone), kind)
        if part in _CLOCK_PARTS and kind == "DATE":
            raise _bad_part(part, construct)
        if kind == "TIME":
            if part not in _CLOCK_PARTS:
                raise _bad_part(part, construct)
            return fixed(cast(truncated(clock(base), part, construct), "TIME"), kind)
        return fixed(cast(truncated(base, part, construct), KINDS[kind]), kind)

    return rewrite


def _last_day(node: exp.Expr, typing: Typing) -> exp.Expr:
    base, _ = moment(node.this, typing, "LAST_DAY", "DATE", "DATETIME")
    part = part_of(node.args.get("unit"), "MONTH")
    if part == "MONTH":
        return put("LAST_DAY(_0)", "DATE", base)
    if part == "ISOYEAR":
        following = "CAST(CAST(TO_CHAR(_0, 'IYYY') AS INTEGER) + 1 AS VARCHAR(5)) || '-01-04'"
        return put(f"CAST(DATEADD(day, -1, DATE_TRUNC('week', CAST({following} AS TIMESTAMP))) AS DATE)", "DATE", base)
    span = (
        "DATEADD(day, 6, _0)" if _first_day(part) is not None else f"DATEADD(day, -1, DATEADD({part.lower()}, 1, _0))"
    )
    if _first_day(part) is None and part not in ("QUARTER", "YEAR"):
        raise _bad_part(part, "LAST_DAY")
    return put(f"CAST({span} AS DATE)", "DATE", truncated(base, part, "LAST_DAY"))


# --- differences -----------------------------------------------------------------------------------------------------


def _boundaries(construct: str, kinds: tuple[str, ...], parts: tuple[str, ...]) -> Rewrite:
    """How many beginnings of a part lie between two moments, negative when the first is the earlier one."""

    def rewrite(node: exp.Expr, typing: Typing) -> exp.Expr:
        (later, kind), (earlier, other) = (
            moment(side, typing, construct, *kinds) for side in (node.this, node.expression)
        )
        if kind != other:
            raise Refused("argument-type", f"{construct} of {kind} and {other}", "cast the arguments.")
        part = part_of(node.args.get("unit"), "DAY")
        if kind == "TIMESTAMP":
            return _elapsed(later, earlier, part, construct)
        if part == "ISOYEAR":
            years = "CAST(TO_CHAR(_0, 'IYYY') AS INTEGER) - CAST(TO_CHAR(_1, 'IYYY') AS INTEGER)"
            return put(f"({years})", "INT64", later, earlier)
        if _first_day(part) is not None and kind != "TIME":
            weeks = (truncated(side, part, construct) for side in (later, earlier))
            return put("(DATEDIFF(day, _1, _0) / 7)", "INT64", *weeks)
        if part not in parts or (kind == "DATE" and part not in _DAY_PARTS):
            raise _bad_part(part, construct)
        return put(f"DATEDIFF({part.lower()}, _1, _0)", "INT64", later, earlier)

    return rewrite


def _elapsed(later: exp.Expr, earlier: exp.Expr, part: str, construct: str) -> exp.Expr:
    """TIMESTAMP_DIFF counts whole units that have passed, not boundaries."""
    if part not in _MICROSECONDS:
        raise _bad_part(part, construct)
    passed = fill("DATEDIFF(microsecond, _1, _0)", local(later, 0), local(earlier, 0))
    size = _MICROSECONDS[part]
    return put("_0" if size == 1 else f"(_0 / {size})", "INT64", passed)


# --- parts -----------------------------------------------------------------------------------------------------------

_SIMPLE_PARTS = {
    "YEAR": "EXTRACT(year FROM _0)",
    "QUARTER": "EXTRACT(quarter FROM _0)",
    "MONTH": "EXTRACT(month FROM _0)",
    "DAY": "EXTRACT(day FROM _0)",
    "DAYOFYEAR": "EXTRACT(doy FROM _0)",
    "DAYOFWEEK": "(EXTRACT(dow FROM _0) + 1)",
    "HOUR": "EXTRACT(hour FROM _0)",
    "MINUTE": "EXTRACT(minute FROM _0)",
    "SECOND": "EXTRACT(second FROM _0)",
    "MILLISECOND": "CAST(TO_CHAR(_0, 'MS') AS INTEGER)",
    "MICROSECOND": "CAST(TO_CHAR(_0, 'US') AS INTEGER)",
    "ISOWEEK": "CAST(TO_CHAR(_0, 'IW') AS INTEGER)",
    "ISOYEAR": "CAST(TO_CHAR(_0, 'IYYY') AS INTEGER)",
}


def _extract(node: exp.Expr, typing: Typing) -> exp.Expr:
    part = part_of(node.this)
    zoned = node.expression
    zone = zoned.args.get("zone") if isinstance(zoned, exp.AtTimeZone) else None
    base, kind = moment(zoned.this if zone else zoned, typing, "EXTRACT", "TIMESTAMP", "DATE", "DATETIME", "TIME")
    if zone is not None and kind != "TIMESTAMP":
        raise Refused("argument-type", "EXTRACT at a time zone", "only a TIMESTAMP has one.")
    shown = local(base, zone_of(zone, "EXTRACT")) if kind == "TIMESTAMP" else clock(base) if kind == "TIME" else base
    if part in ("DATE", "TIME") and kind in ("TIMESTAMP", "DATETIME"):
        return fixed(cast(shown, part), part)
    first = _first_day(part) if part != "ISOWEEK" else None
    template = week_number(first) if first is not None else _SIMPLE_PARTS.get(part)
    wrong = (kind == "DATE" and part in _CLOCK_PARTS) or (kind == "TIME" and part not in _CLOCK_PARTS)
    if template is None or wrong:
        raise _bad_part(part, f"EXTRACT from {kind}")
    return put(template, "INT64", shown)


# --- making ----------------------------------------------------------------------------------------------------------


def _date(node: exp.Expr, typing: Typing) -> exp.Expr:
    zone = node.args.get("zone")
    parts = [node.this, *node.expressions] if node.this is not None else list(node.expressions)
    if len(parts) == 3:
        return date_of(parts, typing)
    base, kind = moment(node.this, typing, "DATE", "DATE", "DATETIME", "TIMESTAMP")
    if zone is not None and kind != "TIMESTAMP":
        raise Refused("argument-type", f"DATE of {kind} at a time zone", "only a TIMESTAMP has one.")
    return fixed(cast(_at(base, kind, zone, "DATE"), "DATE"), "DATE")


def _at(base: exp.Expr, kind: str, zone: exp.Expr | None, construct: str) -> exp.Expr:
    return local(base, zone_of(zone, construct)) if kind == "TIMESTAMP" else base


def _date_parts(node: exp.Expr, typing: Typing) -> exp.Expr:
    return date_of([node.args[key] for key in ("year", "month", "day")], typing)


def date_of(parts: list[exp.Expr], typing: Typing) -> exp.Expr:
    """A DATE from its year, month and day; what is no date fails, as it does in BigQuery."""
    for part in parts:
        need(typing, part, "DATE", "INT64")
    known = [constant_int(part) for part in parts]
    if None not in known:
        try:
            return fixed(literal(datetime(*known), "DATE"), "DATE")  # type: ignore[arg-type]  # noqa: DTZ001
        except ValueError:
            raise Refused("argument", "DATE of what is no date", "BigQuery refuses it too.") from None
    return put(f"CAST({_digits(0, 4)} || '-' || {_digits(1)} || '-' || {_digits(2)} AS DATE)", "DATE", *parts)


def _digits(position: int, size: int = 2) -> str:
    whens = " ".join(f"WHEN _{position} < {10**count} THEN '{'0' * (size - count)}'" for count in range(1, size))
    return f"(CASE {whens} ELSE '' END || CAST(_{position} AS VARCHAR(20)))"


def _datetime(node: exp.Expr, typing: Typing) -> exp.Expr:
    second = node.args.get("expression") or node.args.get("zone")
    base, kind = moment(node.this, typing, "DATETIME", "DATETIME", "DATE", "TIMESTAMP")
    if kind == "TIMESTAMP":
        return fixed(local(base, zone_of(second, "DATETIME")), "DATETIME")
    if second is None:
        return fixed(cast(base, "TIMESTAMP"), "DATETIME")
    need(typing, second, "DATETIME", "TIME")
    return put("CAST(_0 + _1 AS TIMESTAMP)", "DATETIME", base, second)


def _datetime_parts(node: exp.Expr, _: Typing) -> exp.Expr:
    known = [constant_int(node.args.get(key)) for key in ("year", "month", "day", "hour", "min", "sec")]
    return fixed(_of_parts(known, "DATETIME"), "DATETIME")


def _time_parts(node: exp.Expr, _: Typing) -> exp.Expr:
    known = [constant_int(node.args.get(key)) for key in ("hour", "min", "sec")]
    return fixed(_of_parts([1970, 1, 1, *known], "TIME"), "TIME")


def _of_parts(known: list[int | None], kind: str) -> exp.Expr:
    if None in known:
        raise Refused("not-constant", f"{kind} of computed parts", "add them to a constant with DATETIME_ADD.")
    try:
        return literal(datetime(*known), kind)  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        raise Refused("argument", f"{kind} of parts out of range", "BigQuery refuses it too.") from None


def _time(node: exp.Expr, typing: Typing) -> exp.Expr:
    zone = node.args.get("zone")
    base, kind = moment(node.this, typing, "TIME", "TIME", "DATETIME", "TIMESTAMP")
    return fixed(cast(_at(base, kind, zone, "TIME"), "TIME"), "TIME")


def _timestamp(node: exp.Expr, typing: Typing) -> exp.Expr:
    zone = node.args.get("zone") or node.args.get("expression")
    if isinstance(node.this, exp.Literal) and zone is None:
        return fixed(convert_kind(node.this, "STRING", "TIMESTAMP", safe=False), "TIMESTAMP")
    kinds = ("DATETIME", "DATE") if isinstance(node.this, exp.Literal) else ("TIMESTAMP", "DATE", "DATETIME")
    base, kind = moment(node.this, typing, "TIMESTAMP", *kinds)
    if kind == "TIMESTAMP":
        return fixed(base, kind)
    known = constant_instant(base, zone, "TIMESTAMP")
    if known is not None:
        return fixed(known, "TIMESTAMP")
    shown = cast(base, "TIMESTAMP") if kind == "DATE" else base
    return fixed(instant(shown, fixed_zone(zone, "TIMESTAMP")), "TIMESTAMP")


# --- Unix time -------------------------------------------------------------------------------------------------------

_EPOCH = "CAST('1970-01-01 00:00:00' AS TIMESTAMP)"


def _unix(part: str, construct: str) -> Rewrite:
    def rewrite(node: exp.Expr, typing: Typing) -> exp.Expr:
        base, _ = moment(node.this, typing, construct, "TIMESTAMP")
        return put(f"DATEDIFF({part}, {_EPOCH}, _0)", "INT64", local(base, 0))

    return rewrite


def _unix_date(node: exp.Expr, typing: Typing) -> exp.Expr:
    base, _ = moment(node.this, typing, "UNIX_DATE", "DATE")
    return put("DATEDIFF(day, CAST('1970-01-01' AS DATE), _0)", "INT64", base)


def _from_unix_date(node: exp.Expr, typing: Typing) -> exp.Expr:
    need(typing, node.this, "DATE_FROM_UNIX_DATE", "INT64")
    return put("CAST(DATEADD(day, _0, CAST('1970-01-01' AS DATE)) AS DATE)", "DATE", whole(node.this))


def _from_unix(node: exp.Expr, typing: Typing) -> exp.Expr:
    """TIMESTAMP_SECONDS, _MILLIS, _MICROS: days, seconds and the rest apart, as DATEADD takes INTEGER amounts."""
    scale = constant_int(node.args.get("scale")) or 0
    need(typing, node.this, "TIMESTAMP_SECONDS", "INT64")
    per_second = 10**scale
    days = f"DATEADD(day, CAST(_0 / {86_400 * per_second} AS INTEGER), {_EPOCH})"
    second = f"_0 / {per_second}" if scale else "_0"
    made = f"DATEADD(second, CAST(MOD({second}, 86400) AS INTEGER), {days})"
    if scale:
        unit = {3: "millisecond", 6: "microsecond"}[scale]
        made = f"DATEADD({unit}, CAST(MOD(_0, {per_second}) AS INTEGER), {made})"
    return fixed(instant(fill(made, cast(node.this, "BIGINT")), 0), "TIMESTAMP")


# --- now -------------------------------------------------------------------------------------------------------------


def _now(kind: str) -> Rewrite:
    """SYSDATE is the start of the transaction in the session's zone; the cast makes it an instant."""

    def rewrite(node: exp.Expr, _: Typing) -> exp.Expr:
        stamp = fill("CAST(SYSDATE AS TIMESTAMPTZ)")
        if kind == "TIMESTAMP":
            return fixed(stamp, kind)
        shown = local(stamp, zone_of(node.args.get("this"), f"CURRENT_{kind}"))
        return fixed(shown if kind == "DATETIME" else cast(shown, kind), kind)

    return rewrite


def _string(node: exp.Expr, typing: Typing) -> exp.Expr:
    """STRING(timestamp[, zone]), STRING(date), STRING(json)."""
    zone = node.args.get("zone")
    kind = typing.kind(node.this)
    if kind == "JSON":
        return put("CAST(_0 AS VARCHAR(65535))", "STRING", node.this)
    base, kind = moment(node.this, typing, "STRING", "TIMESTAMP", "DATE", "DATETIME")
    at = zone_of(zone, "STRING") if kind == "TIMESTAMP" else 0
    if not at:
        return fixed(convert_kind(base, kind, "STRING", safe=False), "STRING")
    shown = convert_kind(local(base, at), "DATETIME", "STRING", safe=False)
    return put("(_0 || _1)", "STRING", shown, offset_text(base, at, "?"))


_WRAPPED = {
    "DATE": ("DATE",),
    "DATETIME": ("DATETIME", "DATE", "TIMESTAMP"),
    "TIME": ("TIME", "DATETIME", "TIMESTAMP"),
    "TIMESTAMP": ("TIMESTAMP",),
}


def _converted(kind: str) -> Rewrite:
    """DATETIME(x) and TIME(x), and sqlglot's wrapper around the argument of FORMAT_DATE and its like."""

    def rewrite(node: exp.Expr, typing: Typing) -> exp.Expr:
        base, found = moment(node.this, typing, kind, *_WRAPPED[kind])
        if found == kind:
            return fixed(base.copy(), kind)
        return fixed(cast(local(base, 0) if found == "TIMESTAMP" else base, KINDS[kind]), kind)

    return rewrite


def _as_it_is(node: exp.Expr, _: Typing) -> exp.Expr:
    """AT TIME ZONE stands inside EXTRACT only, whose rule reads it."""
    return node


_STEPS = (*_CLOCK_PARTS, *_DAY_PARTS)
_INTERVAL = "Redshift's intervals have no days apart from seconds; use DATEADD and DATEDIFF."
RULES: dict[type[exp.Expr], Rewrite] = {
    **formats.RULES,
    exp.AtTimeZone: _as_it_is,
    exp.CurrentDate: _now("DATE"),
    exp.CurrentDatetime: _now("DATETIME"),
    exp.CurrentTime: _now("TIME"),
    exp.CurrentTimestamp: _now("TIMESTAMP"),
    exp.Date: _date,
    exp.DateAdd: _shift("DATE_ADD", _MOMENTS, _STEPS, 1),
    exp.DateDiff: total(_boundaries("DATE_DIFF", _MOMENTS, _STEPS)),
    exp.DateFromParts: _date_parts,
    exp.DateFromUnixDate: _from_unix_date,
    exp.DateSub: _shift("DATE_SUB", _MOMENTS, _STEPS, -1),
    exp.DateTrunc: _trunc("DATE_TRUNC", _MOMENTS),
    exp.Datetime: _datetime,
    exp.DatetimeAdd: _shift("DATETIME_ADD", ("DATETIME",), _STEPS, 1),
    exp.DatetimeDiff: total(_boundaries("DATETIME_DIFF", ("DATETIME",), _STEPS)),
    exp.DatetimeSub: _shift("DATETIME_SUB", ("DATETIME",), _STEPS, -1),
    exp.DatetimeTrunc: _trunc("DATETIME_TRUNC", ("DATETIME",)),
    exp.Extract: total(_extract),
    exp.JustifyDays: refuse("JUSTIFYDAYS", _INTERVAL),
    exp.JustifyHours: refuse("JUSTIFY_HOURS", _INTERVAL),
    exp.JustifyInterval: refuse("JUSTIFY_INTERVAL", _INTERVAL),
    exp.LastDay: _last_day,
    exp.MakeInterval: refuse("MAKE_INTERVAL", _INTERVAL),
    exp.String: _string,
    exp.Time: _time,
    exp.TimeAdd: _shift("TIME_ADD", ("TIME",), _CLOCK_PARTS, 1),
    exp.TimeDiff: total(_boundaries("TIME_DIFF", ("TIME",), _CLOCK_PARTS)),
    exp.TimeFromParts: _time_parts,
    exp.TimeSub: _shift("TIME_SUB", ("TIME",), _CLOCK_PARTS, -1),
    exp.TimeTrunc: _trunc("TIME_TRUNC", ("TIME",)),
    exp.Timestamp: _timestamp,
    exp.TimestampAdd: _shift("TIMESTAMP_ADD", ("TIMESTAMP",), (*_CLOCK_PARTS, "DAY"), 1),
    exp.TimestampDiff: total(_boundaries("TIMESTAMP_DIFF", ("TIMESTAMP",), _STEPS)),
    exp.TimestampFromParts: _datetime_parts,
    exp.TimestampSub: _shift("TIMESTAMP_SUB", ("TIMESTAMP",), (*_CLOCK_PARTS, "DAY"), -1),
    exp.TimestampTrunc: _trunc("TIMESTAMP_TRUNC", ("TIMESTAMP", "DATETIME")),
    exp.TsOrDsToDate: _converted("DATE"),
    exp.TsOrDsToDatetime: _converted("DATETIME"),
    exp.TsOrDsToTimestamp: _converted("TIMESTAMP"),
    exp.TsOrDsToTime: _converted("TIME"),
    exp.UnixDate: total(_unix_date),
    exp.UnixMicros: total(_unix("microsecond", "UNIX_MICROS")),
    exp.UnixMillis: total(_unix("millisecond", "UNIX_MILLIS")),
    exp.UnixSeconds: total(_unix("second", "UNIX_SECONDS")),
    exp.UnixToTime: _from_unix,
}
NAMED: dict[str, Rewrite] = {
    "DATE_BUCKET": refuse("DATE_BUCKET", "use DATE_TRUNC."),
    "DATETIME_BUCKET": refuse("DATETIME_BUCKET", "use DATETIME_TRUNC."),
    "TIMESTAMP_BUCKET": refuse("TIMESTAMP_BUCKET", "use TIMESTAMP_TRUNC."),
}
