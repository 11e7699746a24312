"""FORMAT_DATE and PARSE_DATE and their like: constant formats, element by element.

https://cloud.google.com/bigquery/docs/reference/standard-sql/format-elements
https://docs.aws.amazon.com/redshift/latest/dg/r_FORMAT_strings.html
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from sqlglot import exp

from lakeshift.convert.build import call, cast, fill, text
from lakeshift.convert.rule import Refused, Rewrite, Typing
from lakeshift.convert.rules.arguments import constant_text, fixed, is_null, need, need_text
from lakeshift.convert.rules.moments import (
    clock,
    constant_instant,
    fixed_zone,
    instant,
    literal,
    local,
    offset_text,
    week_number,
    zone_of,
)

_ELEMENT = re.compile(r"%(E\*S|E\dS|E4Y|Ez|-d|.)|(.)", re.DOTALL)
_SHORT = {
    "D": "%m/%d/%y",
    "F": "%Y-%m-%d",
    "R": "%H:%M",
    "T": "%H:%M:%S",
    "X": "%H:%M:%S",
    "c": "%a %b %e %H:%M:%S %Y",
    "r": "%I:%M:%S %p",
    "x": "%m/%d/%y",
}
# Elements that TO_CHAR has, with the same text for every moment.
_DATE_CODES = {"m": "MM", "d": "DD", "y": "YY", "j": "DDD", "b": "Mon", "h": "Mon", "a": "Dy", "V": "IW", "u": "ID"}
_DATE_CODES |= {"E4Y": "YYYY", "Q": "Q"}
_CLOCK_CODES = {"H": "HH24", "I": "HH12", "M": "MI", "S": "SS", "p": "AM", "P": "am"}
_DATE_TEMPLATES = {
    "Y": "CAST(EXTRACT(year FROM _0) AS VARCHAR(4))",
    "A": "RTRIM(TO_CHAR(_0, 'Day'))",
    "B": "RTRIM(TO_CHAR(_0, 'Month'))",
    "C": "LPAD(CAST(EXTRACT(year FROM _0) / 100 AS VARCHAR(2)), 2, '0')",
    "e": "LPAD(CAST(EXTRACT(day FROM _0) AS VARCHAR(2)), 2, ' ')",
    "G": "CAST(CAST(TO_CHAR(_0, 'IYYY') AS INTEGER) AS VARCHAR(4))",
    "g": "RIGHT(TO_CHAR(_0, 'IYYY'), 2)",
    "w": "CAST(EXTRACT(dow FROM _0) AS VARCHAR(1))",
    "U": f"LPAD(CAST({week_number(0)} AS VARCHAR(2)), 2, '0')",
    "W": f"LPAD(CAST({week_number(1)} AS VARCHAR(2)), 2, '0')",
}
_CLOCK_TEMPLATES = {
    "k": "LPAD(CAST(EXTRACT(hour FROM _0) AS VARCHAR(2)), 2, ' ')",
    "l": "LPAD(CAST(CAST(TO_CHAR(_0, 'HH12') AS INTEGER) AS VARCHAR(2)), 2, ' ')",
    "E*S": "(TO_CHAR(_0, 'SS') || CASE WHEN TO_CHAR(_0, 'US') = '000000' THEN '' "
    "ELSE '.' || RTRIM(TO_CHAR(_0, 'US'), '0') END)",
    **{f"E{n}S": f"(TO_CHAR(_0, 'SS.') || LEFT(TO_CHAR(_0, 'US'), {n}))" for n in range(1, 7)},
}
_ZONE_TEXTS = {"Z": "UTC", "z": "+0000", "Ez": "+00:00"}
_FIXED_TEXTS = {"%": "%", "n": "\n", "t": "\t"}
_SEPARATORS = frozenset("-/:., ")
# Codes that may stand side by side: TO_CHAR reads the longest code it knows.
_NEIGHBOURS = frozenset({("MM", "DD"), ("DD", "HH24"), ("HH24", "MI"), ("MI", "SS")})


def _pattern(node: exp.Expr, construct: str) -> str:
    """The format. The parser spells some elements out; it does not see `%%`, and makes a word of an empty format."""
    found = need_text(node.args.get("format"), f"the format of {construct}")
    if "%%" in found or found == "None":
        raise Refused("format-element", f"{construct} with this format", "put the sign % beside it with CONCAT.")
    return found


def _format(node: exp.Expr, typing: Typing) -> exp.Expr:
    kind = need(typing, node.this, "FORMAT", "DATE", "DATETIME", "TIMESTAMP", "TIME")
    pattern = _pattern(node, f"FORMAT_{kind}")
    zone = zone_of(node.args.get("zone"), "FORMAT_TIMESTAMP")
    shown = local(node.this, zone) if kind == "TIMESTAMP" else clock(node.this) if kind == "TIME" else node.this
    parts = _pieces(pattern, kind, in_utc=zone == 0)
    made = _joined([_offset_of(node.this, zone, one) if one[0] == "offset" else _piece(one, shown) for one in parts])
    return fixed(made, "STRING")


def _joined(parts: list[exp.Expr]) -> exp.Expr:
    if not parts:
        return text("")
    made = parts[0]
    for part in parts[1:]:
        made = exp.DPipe(this=made, expression=part)
    return exp.Paren(this=made) if len(parts) > 1 else made


def _offset_of(node: exp.Expr, zone: str | int, piece: tuple[str, str]) -> exp.Expr:
    return offset_text(node, zone, piece[1])


def _piece(piece: tuple[str, str], shown: exp.Expr) -> exp.Expr:
    kind, value = piece
    if kind == "template":
        return fill(value, shown)
    return text(value) if kind == "text" else call("TO_CHAR", shown.copy(), text(value))


def _pieces(pattern: str, kind: str, *, in_utc: bool) -> list[tuple[str, str]]:
    """The format as TO_CHAR codes ("codes"), plain texts ("text") and templates ("template")."""
    found: list[tuple[str, str]] = []
    last = ""
    for element, plain in _elements(pattern):
        sort, value = _translated(element, plain, kind, in_utc=in_utc)
        joins = found and found[-1][0] == "codes" and sort == "codes"
        if joins and (value in _SEPARATORS or last in _SEPARATORS or (last, value) in _NEIGHBOURS):
            found[-1] = ("codes", found[-1][1] + value)
        else:
            found.append((sort, value))
        last = value
    return [_as_text(piece) for piece in found]


def _as_text(piece: tuple[str, str]) -> tuple[str, str]:
    """Separators alone are a text."""
    return ("text", piece[1]) if piece[0] == "codes" and set(piece[1]) <= _SEPARATORS else piece


def _elements(pattern: str) -> list[tuple[str, str]]:
    """(element, "") or ("", letter); shorthands are spelled out."""
    found: list[tuple[str, str]] = []
    for element, plain in _ELEMENT.findall(pattern.replace("%S.%f", "%E6S")):
        name = "e" if element == "-d" else element
        found += _elements(_SHORT[name]) if name in _SHORT else [(name, plain)]
    return found


def _translated(element: str, plain: str, kind: str, *, in_utc: bool) -> tuple[str, str]:
    if plain or element in _FIXED_TEXTS:
        letter = plain or _FIXED_TEXTS[element]
        return ("codes" if letter in _SEPARATORS else "text"), letter
    if element in _ZONE_TEXTS and kind == "TIMESTAMP" and in_utc:
        return "text", _ZONE_TEXTS[element]
    if element in ("z", "Ez") and kind == "TIMESTAMP":
        return "offset", ":" if element == "Ez" else ""
    if element == "s" and kind == "TIMESTAMP" and in_utc:
        since = "DATEDIFF(second, CAST('1970-01-01 00:00:00' AS TIMESTAMP), _0)"
        return "template", f"CAST({since} AS VARCHAR(20))"
    codes = {**(_DATE_CODES if kind != "TIME" else {}), **(_CLOCK_CODES if kind != "DATE" else {})}
    templates = {**(_DATE_TEMPLATES if kind != "TIME" else {}), **(_CLOCK_TEMPLATES if kind != "DATE" else {})}
    if element in codes:
        return "codes", codes[element]
    if element in templates:
        return "template", templates[element]
    raise Refused("format-element", f"FORMAT_{kind} with %{element}", "print this part in the client.")


# --- parsing ---------------------------------------------------------------------------------------------------------

_MONTHS = [
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
]
_WEEKDAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]


def _names(names: list[str]) -> str:
    return "|".join(f"{name[:3]}(?:{name[3:]})?" if name[3:] else name for name in names)


_READ = {
    "Y": r"\d{1,4}",
    "E4Y": r"\d{4}",
    "C": r"\d{1,2}",
    "y": r"\d{1,2}",
    "m": r"\s*\d{1,2}",
    "d": r"\s*\d{1,2}",
    "e": r"\s*\d{1,2}",
    "j": r"\s*\d{1,3}",
    "H": r"\s*\d{1,2}",
    "k": r"\s*\d{1,2}",
    "I": r"\s*\d{1,2}",
    "l": r"\s*\d{1,2}",
    "M": r"\s*\d{1,2}",
    "S": r"\s*\d{1,2}",
    "E*S": r"\s*\d{1,2}(?:\.\d{0,6})?",
    **{f"E{n}S": rf"\s*\d{{1,2}}(?:\.\d{{0,{n}}})?" for n in range(1, 7)},
    "b": _names(_MONTHS),
    "h": _names(_MONTHS),
    "B": _names(_MONTHS),
    "a": _names(_WEEKDAYS),
    "A": _names(_WEEKDAYS),
    "p": "am|pm",
    "P": "am|pm",
    "s": r"-?\d+",
    "z": r"[+-]\d{2}:?\d{2}|Z",
    "Ez": r"[+-]\d{2}:?\d{2}|Z",
    "Z": r"UTC",
}
_SAME_AS = {"E4Y": "Y", "e": "d", "k": "H", "l": "I", "h": "b", "B": "b", "A": "a", "P": "p", "Ez": "z"}


def read(pattern: str, value: str) -> datetime:
    """The moment that a text shows under a format; parts that do not stand there are those of 1970-01-01 00:00:00.

    Raises:
        Refused: the format has other elements, or the text does not fit it.
    """
    expression, names = "", []
    for element, plain in _elements(pattern):
        if plain:
            expression += r"\s*" if plain.isspace() else re.escape(plain)
        elif element in _FIXED_TEXTS:
            expression += re.escape("%") if element == "%" else r"\s*"
        elif element in _READ:
            expression += f"({_READ[element]})"
            names.append("S" if element[-1] == "S" else _SAME_AS.get(element, element))
        else:
            raise Refused("format-element", f"the format element %{element}", "parse the text before loading.")
    found = re.fullmatch(rf"\s*{expression}\s*", value, re.IGNORECASE | re.ASCII)
    if found is None:
        raise Refused("argument", f"the text {value[:40]!r} under the format {pattern}", "BigQuery refuses it too.")
    try:
        return _moment(dict(zip(names, (group.strip() for group in found.groups()), strict=True)))
    except ValueError as error:
        raise Refused("argument", f"the text {value[:40]!r}: {error}", "BigQuery refuses it too.") from None


def _moment(part: dict[str, str]) -> datetime:
    if "s" in part:
        return datetime(1970, 1, 1) + timedelta(seconds=int(part["s"]))  # noqa: DTZ001
    second, _, fraction = part.get("S", "0").partition(".")
    made = datetime(_year(part), _month(part), int(part.get("d", "1")))  # noqa: DTZ001
    if "j" in part:
        made = datetime(made.year, 1, 1) + timedelta(days=int(part["j"]) - 1)  # noqa: DTZ001
        if made.year != _year(part):
            raise ValueError("day of year out of range")
    made = made.replace(hour=_hour(part), minute=int(part.get("M", "0")), second=int(second))
    return made.replace(microsecond=int((fraction + "000000")[:6])) - _offset(part.get("z", ""))


def _year(part: dict[str, str]) -> int:
    if "y" in part:
        short = int(part["y"])
        return short + (int(part["C"]) * 100 if "C" in part else 1900 if short > 68 else 2000)
    return int(part["Y"]) if "Y" in part else int(part["C"]) * 100 + 70 if "C" in part else 1970


def _month(part: dict[str, str]) -> int:
    if "b" in part:
        return next(at for at, name in enumerate(_MONTHS, start=1) if name.startswith(part["b"].lower()[:3]))
    return int(part.get("m", "1"))


def _hour(part: dict[str, str]) -> int:
    if "I" not in part:
        return int(part.get("H", "0"))
    if not 1 <= int(part["I"]) <= 12:
        raise ValueError("hour out of range")
    return int(part["I"]) % 12 + (12 if part.get("p", "").lower() == "pm" else 0)


def _offset(zone: str) -> timedelta:
    found = re.fullmatch(r"([+-])(\d{2}):?(\d{2})", zone)
    if not found:
        return timedelta()
    return timedelta(hours=int(found[2]), minutes=int(found[3])) * (-1 if found[1] == "-" else 1)


_TO_CODES = {"Y": "YYYY", "m": "MM", "d": "DD", "H": "HH24", "M": "MI", "S": "SS"}
_FUNCTIONS = {"DATE": "TO_DATE(_0, _1)", "DATETIME": "CAST(TO_TIMESTAMP(_0, _1) AS TIMESTAMP)"}


def _parse(kind: str) -> Rewrite:
    """A constant text is read here; a computed one only under formats of plain numbers that start with the year."""
    construct = f"PARSE_{kind}"

    def rewrite(node: exp.Expr, typing: Typing) -> exp.Expr:
        zone = node.args.get("zone")
        if is_null(node.this):
            return fixed(cast(exp.Null(), "TIMESTAMPTZ" if kind == "TIMESTAMP" else "DATE"), kind)
        pattern = _pattern(node, construct)
        value = constant_text(node.this)
        if value is not None:
            return fixed(_known(read(pattern, value), pattern, kind, zone), kind)
        minutes = fixed_zone(zone, construct)
        need(typing, node.this, construct, "STRING")
        codes = text(_codes(pattern, construct, kind))
        if kind == "TIMESTAMP":
            return fixed(instant(fill(_FUNCTIONS["DATETIME"], node.this, codes), minutes), kind)
        return fixed(fill(_FUNCTIONS[kind], node.this, codes), kind)

    return rewrite


def _known(value: datetime, pattern: str, kind: str, zone: exp.Expr | None) -> exp.Expr:
    """The constant that was read; the zone counts only where the text names none itself."""
    absolute = any(element in ("s", "z", "Ez", "Z") for element, _ in _elements(pattern))
    if absolute or zone is None:
        return literal(value, kind)
    shown = literal(value, "DATETIME")
    found = constant_instant(shown, zone, f"PARSE_{kind}")
    return found or literal(value - timedelta(minutes=fixed_zone(zone, f"PARSE_{kind}")), kind)


def _codes(pattern: str, construct: str, kind: str) -> str:
    elements = _elements(pattern)
    names = [element for element, _ in elements if element]
    expected = ["Y", "m", "d"] if kind == "DATE" else ["Y", "m", "d", "H", "M", "S"]
    plain = all(element in _TO_CODES or letter in _SEPARATORS for element, letter in elements)
    if kind == "TIME" or not plain or sorted(names) != sorted(expected):
        raise Refused(
            "format-element", f"{construct} with the format {pattern}", "cast texts such as 2024-12-31 instead."
        )
    return "".join(_TO_CODES.get(element, letter) for element, letter in elements)


RULES: dict[type[exp.Expr], Rewrite] = {
    exp.ParseDatetime: _parse("DATETIME"),
    exp.ParseTime: _parse("TIME"),
    exp.StrToDate: _parse("DATE"),
    exp.StrToTime: _parse("TIMESTAMP"),
    exp.TimeToStr: _format,
}
