"""DEFAULT expressions of a source as Redshift's: constants and the clock; anything else is noted, not guessed.

https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_TABLE_NEW.html
"""

from __future__ import annotations

import re

from lakeshift.types.names import literal

_CAST = re.compile(r"::[\w\s\".]+(\(\d+(,\s*\d+)?\))?(\[\])?$")
_NUMBER = re.compile(r"^[-+]?\s?\d+(\.\d+)?$")
_STRING = re.compile(r"^[Ee]?(?P<quote>['\"])(?P<body>(?:(?!(?P=quote)|\\).|(?P=quote){2})*)(?P=quote)$", re.DOTALL)
_CLOCKS = {
    "now()": "GETDATE()",
    "current_timestamp": "GETDATE()",
    "current_timestamp()": "GETDATE()",
    "localtimestamp": "GETDATE()",
    "transaction_timestamp()": "GETDATE()",
    "statement_timestamp()": "GETDATE()",
    "current_datetime()": "GETDATE()",
    "sysdate": "GETDATE()",
}
_DAYS = frozenset({"current_date", "current_date()"})
_NUMBERS = ("SMALLINT", "INTEGER", "BIGINT", "DECIMAL", "REAL", "DOUBLE PRECISION")


def default_of(expression: str, target_type: str) -> str | None:
    """The DEFAULT on Redshift for a source's expression; "" for NULL, None where there is none that is the same."""
    bare = _bare(expression)
    folded = bare.lower()
    if folded in {"", "null"}:
        return ""
    if target_type == "BOOLEAN":
        return {"true": "TRUE", "false": "FALSE", "'t'": "TRUE", "'f'": "FALSE"}.get(folded)
    if target_type.startswith(_NUMBERS):
        found = _text(bare) if _STRING.match(bare) else bare
        return found.replace(" ", "") if _NUMBER.match(found) else None
    if target_type in {"TIMESTAMP", "TIMESTAMPTZ"}:
        return _CLOCKS.get(re.sub(r"\(\d\)$", "", folded))
    if target_type == "DATE":
        return "CURRENT_DATE" if folded in _DAYS else None
    return _constant_text(bare, target_type)


def _bare(expression: str) -> str:
    """Without the parentheses around it and the casts behind it."""
    bare = expression.strip()
    while True:
        shorter = _CAST.sub("", bare).strip()
        if shorter.startswith("(") and shorter.endswith(")") and ")" not in shorter[1:-1]:
            shorter = shorter[1:-1].strip()
        if shorter == bare:
            return bare
        bare = shorter


def _text(quoted: str) -> str:
    found = _STRING.match(quoted)
    return found["body"].replace(found["quote"] * 2, found["quote"]) if found else ""


def _constant_text(bare: str, target_type: str) -> str | None:
    width = re.fullmatch(r"VARCHAR\((\d+)\)", target_type)
    if not width or not _STRING.match(bare):
        return None
    said = _text(bare)
    return literal(said) if len(said.encode()) <= int(width[1]) and said.isprintable() else None
