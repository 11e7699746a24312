"""CAST and SAFE_CAST, and the typed literals that sqlglot reads as casts.

https://cloud.google.com/bigquery/docs/reference/standard-sql/conversion_functions
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlglot import exp

from lakeshift.convert import kinds
from lakeshift.convert.build import KINDS, call, cast, fill, number, text
from lakeshift.convert.rule import Refused, Rewrite, Typing
from lakeshift.convert.rules.operators import fixed

_CASTS = "https://docs.aws.amazon.com/redshift/latest/dg/r_CAST_function.html"
_ROUND_AWAY = "CAST(TRUNC(_0) + CASE WHEN ABS(_0 - TRUNC(_0)) >= 0.5 THEN SIGN(_0) ELSE 0 END AS BIGINT)"
_FRACTION = (
    "TO_CHAR(_0, 'YYYY-MM-DD HH24:MI:SS') || CASE WHEN TO_CHAR(_0, 'US') = '000000' THEN '' "
    "WHEN RIGHT(TO_CHAR(_0, 'US'), 3) = '000' THEN '.' || LEFT(TO_CHAR(_0, 'US'), 3) "
    "ELSE '.' || TO_CHAR(_0, 'US') END"
)
# (from, to) -> the Redshift expression. What is not here is refused.
TEMPLATES: dict[tuple[str, str], str] = {
    ("INT64", "STRING"): "CAST(_0 AS VARCHAR(65535))",
    ("INT64", "FLOAT64"): "CAST(_0 AS DOUBLE PRECISION)",
    ("INT64", "NUMERIC"): "CAST(_0 AS DECIMAL(38, 9))",
    ("INT64", "BOOL"): "_0 <> 0",
    ("FLOAT64", "INT64"): _ROUND_AWAY,
    ("NUMERIC", "INT64"): "CAST(ROUND(_0, 0) AS BIGINT)",
    ("NUMERIC", "FLOAT64"): "CAST(_0 AS DOUBLE PRECISION)",
    ("BOOL", "STRING"): "CASE WHEN _0 THEN 'true' WHEN NOT _0 THEN 'false' END",
    ("BOOL", "INT64"): "CASE WHEN _0 THEN CAST(1 AS BIGINT) WHEN NOT _0 THEN CAST(0 AS BIGINT) END",
    ("STRING", "INT64"): "CAST(_0 AS BIGINT)",
    ("STRING", "FLOAT64"): "CAST(_0 AS DOUBLE PRECISION)",
    ("STRING", "BOOL"): (
        "CASE LOWER(_0) WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE ELSE CAST('?' || _0 AS BIGINT) <> 0 END"
    ),
    ("STRING", "BYTES"): "TO_VARBYTE(_0, 'utf8')",
    ("STRING", "DATE"): "CAST(_0 AS DATE)",
    ("STRING", "DATETIME"): "CAST(_0 AS TIMESTAMP)",
    ("STRING", "TIMESTAMP"): "CAST(_0 AS TIMESTAMPTZ)",
    ("STRING", "TIME"): "CAST(_0 AS TIME)",
    ("BYTES", "STRING"): "FROM_VARBYTE(_0, 'utf8')",
    ("DATE", "STRING"): "TO_CHAR(_0, 'YYYY-MM-DD')",
    ("DATE", "DATETIME"): "CAST(_0 AS TIMESTAMP)",
    ("DATE", "TIMESTAMP"): "CAST(_0 AS TIMESTAMP) AT TIME ZONE 'UTC'",
    ("DATETIME", "DATE"): "CAST(_0 AS DATE)",
    ("DATETIME", "TIME"): "CAST(_0 AS TIME)",
    ("DATETIME", "TIMESTAMP"): "_0 AT TIME ZONE 'UTC'",
    ("DATETIME", "STRING"): _FRACTION,
    ("TIMESTAMP", "DATE"): "CAST(_0 AT TIME ZONE 'UTC' AS DATE)",
    ("TIMESTAMP", "DATETIME"): "_0 AT TIME ZONE 'UTC'",
    ("TIMESTAMP", "TIME"): "CAST(_0 AT TIME ZONE 'UTC' AS TIME)",
    ("TIMESTAMP", "STRING"): "",
}
# SAFE_CAST from text: what is of the plain form is tried, the rarer forms fail aloud, the rest is NULL.
_SAFE: dict[tuple[str, str], str] = {
    ("STRING", "INT64"): (
        "CASE WHEN _0 ~ '^ *[-+]?[0-9]+ *$' THEN TRY_CAST(TRIM(_0) AS BIGINT) "
        "WHEN _0 ~ '^[[:space:]]*[-+]?(0[xX])?[0-9a-fA-F]+[[:space:]]*$' AND _0 ~ '[[:space:]xX]' "
        "THEN CAST(_0 AS BIGINT) END"
    ),
    ("STRING", "BOOL"): "CASE LOWER(_0) WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END",
}
_ALWAYS = frozenset({"INT64", "BOOL", "DATE", "DATETIME", "TIMESTAMP"})


def _cast(node: exp.Expr, typing: Typing) -> exp.Expr:
    target = kinds.of_type(node.args["to"])
    if node.args.get("format") is not None:
        raise Refused("cast-format", "CAST with FORMAT", "use FORMAT_DATE, PARSE_DATE and the like.")
    if node.args["to"].expressions and not target.startswith(("ARRAY", "STRUCT")):
        raise Refused("cast-parameters", f"CAST to {target} with parameters", "cast to the plain type.")
    safe = isinstance(node, exp.TryCast)
    return fixed(convert_kind(node.this, typing.kind(node.this), target, safe=safe), target)


def convert_kind(value: exp.Expr, source: str, target: str, *, safe: bool) -> exp.Expr:
    """A value in another GoogleSQL type.

    Raises:
        Refused: the conversion has other results on Redshift, or is not known.
    """
    if source == kinds.NULL:
        return cast(exp.Null(), "SUPER" if kinds.is_nested(target) else _redshift(target))
    if source == target:
        return value
    constant = value if isinstance(value, exp.Literal) and value.is_string else None
    if source == "STRING" and constant is not None and target in _CONSTANTS:
        return _constant(constant.name, target, safe=safe)
    template = _SAFE.get((source, target), "") if safe else ""
    if safe and not template and source not in _ALWAYS:
        raise Refused(
            "safe-cast", f"SAFE_CAST of {source or 'an unknown type'} to {target}", "use CAST if it never fails."
        )
    template = template or TEMPLATES.get((source, target), "")
    if (source, target) == ("TIMESTAMP", "STRING"):
        return fill(f"{_FRACTION} || '+00'", fill("_0 AT TIME ZONE 'UTC'", value))
    if not template:
        code, shown = ("unknown-type", "a value of unknown type") if not source else ("cast", source)
        raise Refused(code, f"CAST of {shown} to {target}", "the text or the rounding would differ.", _CASTS)
    return fill(template, value)


def _redshift(target: str) -> str:
    if target not in KINDS:
        raise Refused("no-type", f"the type {target}", "Redshift has no such type.")
    return KINDS[target]


# Constants are computed here, so that nothing depends on how Redshift reads text.


def _constant(value: str, target: str, *, safe: bool) -> exp.Expr:
    try:
        return _CONSTANTS[target](value)
    except (ValueError, InvalidOperation, ZoneInfoNotFoundError, OverflowError) as error:
        if safe:
            return cast(exp.Null(), KINDS[target])
        raise Refused(
            "literal", f"{target} '{value}'", "BigQuery refuses it too, or its form is not known here."
        ) from error


def _integer(value: str) -> exp.Expr:
    found = re.fullmatch(r"\s*([-+]?)(0[xX][0-9a-fA-F]+|\d+)\s*", value, re.ASCII)
    if not found:
        raise ValueError(value)
    size = int(found[2], 16 if found[2][:2].lower() == "0x" else 10) * (-1 if found[1] == "-" else 1)
    if size not in range(-(2**63), 2**63):
        raise ValueError(value)
    return cast(number(size), "BIGINT")


def _float(value: str) -> exp.Expr:
    if not re.fullmatch(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", value, re.ASCII):
        if re.fullmatch(r"\s*[-+]?(inf|infinity|nan)\s*", value, re.IGNORECASE):
            return cast(text(value.strip().replace("+", "")), KINDS["FLOAT64"])
        raise ValueError(value)
    return cast(text(value.strip()), KINDS["FLOAT64"])


def numeric_constant(value: str, scale: int = 9, limit: int = 29) -> str:
    """A NUMERIC as plain digits, rounded half away from zero to its scale.

    Raises:
        ValueError: it has more digits than the type holds.
    """
    exact = Decimal(value.strip())
    if not exact.is_finite() or exact.adjusted() >= limit:
        raise ValueError(value)
    from decimal import localcontext

    with localcontext(prec=120):
        return format(exact.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP), "f")


def _numeric(value: str) -> exp.Expr:
    if not re.fullmatch(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", value, re.ASCII):
        raise ValueError(value)
    return cast(text(numeric_constant(value)), KINDS["NUMERIC"])


def _boolean(value: str) -> exp.Expr:
    if value.lower() not in ("true", "false"):
        raise ValueError(value)
    return exp.Boolean(this=value.lower() == "true")


_MOMENT = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[ Tt](\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,6}))?)?"
    r"\s*(Z|z|[-+]\d{1,2}(?::?\d{2})?|[A-Za-z_]+(?:/[A-Za-z_+\-0-9]+)*)?",
    re.ASCII,
)


def moment(value: str) -> tuple[datetime, str]:
    """A date or timestamp of GoogleSQL's canonical form, with the text of its zone.

    Raises:
        ValueError: it has another form.
    """
    found = _MOMENT.fullmatch(value.strip())
    if not found:
        raise ValueError(value)
    numbers = [int(found[at] or 0) for at in range(1, 7)]
    micro = int((found[7] or "0").ljust(6, "0"))
    return datetime(numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5], micro), found[8] or ""  # noqa: DTZ001


def _zone(spelled: str) -> timezone | ZoneInfo:
    found = re.fullmatch(r"([-+])(\d{1,2})(?::?(\d{2}))?", spelled)
    if found:
        shift = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
        return timezone(-shift if found[1] == "-" else shift)
    return ZoneInfo("UTC" if spelled in ("", "Z", "z") else spelled)


def utc(value: str) -> datetime:
    """A TIMESTAMP literal at UTC, without zone."""
    plain, zone = moment(value)
    return plain.replace(tzinfo=_zone(zone)).astimezone(UTC).replace(tzinfo=None)


def _timestamp(value: str) -> exp.Expr:
    return cast(text(f"{utc(value).isoformat(' ')}+00"), KINDS["TIMESTAMP"])


def _datetime(value: str) -> exp.Expr:
    plain, zone = moment(value)
    if zone:
        raise ValueError(value)
    return cast(text(plain.isoformat(" ")), KINDS["DATETIME"])


def _date(value: str) -> exp.Expr:
    plain, zone = moment(value)
    if zone:
        raise ValueError(value)
    return cast(text(date(plain.year, plain.month, plain.day).isoformat()), "DATE")


def _time(value: str) -> exp.Expr:
    found = re.fullmatch(r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,6}))?", value.strip(), re.ASCII)
    if not found:
        raise ValueError(value)
    at = time(int(found[1]), int(found[2]), int(found[3]), int((found[4] or "0").ljust(6, "0")))
    return cast(text(at.isoformat()), "TIME")


def _utf8(value: str) -> exp.Expr:
    return call("FROM_HEX", text(value.encode().hex()))


_CONSTANTS: dict[str, Callable[[str], exp.Expr]] = {
    "INT64": _integer,
    "FLOAT64": _float,
    "NUMERIC": _numeric,
    "BOOL": _boolean,
    "DATE": _date,
    "DATETIME": _datetime,
    "TIMESTAMP": _timestamp,
    "TIME": _time,
    "BYTES": _utf8,
}

RULES: dict[type[exp.Expr], Rewrite] = {exp.Cast: _cast, exp.TryCast: _cast}
