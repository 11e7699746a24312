"""Texts of other systems' errors without the values that they quote: those may be anybody's data. Pure."""

from __future__ import annotations

import re

# What stands in double quotes after these words is a name: Redshift quotes values in the same way.
_NAMED = (
    r"(?:relation|table|column|columns|schema|database|function|user|role|group|view|type|constraint|index|attribute"
    r"|privileges|owner|operator|language|sequence|cursor|parameter|alias|for|of|on|near|or)"
)
_QUOTED = re.compile(
    rf"""(?P<name>\b{_NAMED}\s+"[^"\n]*"(?:\."[^"\n]*")*)"""
    r"""|(?P<path>'s3://[^'\n]*'|"s3://[^"\n]*")"""
    r"""|'(?P<single>(?:[^'\n]|'')*)'|"(?P<double>[^"\n]*)\""""
)
# `Bad int64 value: abc`, `(value: 7)`, `Key (id)=(7)`, `int64 overflow: 9 + 1`.
_STATED = re.compile(
    r"(?P<before>\b(?:value|values|literal|string|date|datetime|time|timestamp|number|numeric|digit|overflow|zero|range|raw"
    r"|sample|data)\s*[:=]\s*\(?|\bKey\s*\([^)\n]*\)\s*=\s*\()(?P<value>[^\n;)\]]+)",
    re.IGNORECASE,
)
_BARE = re.compile(r"(?P<before>\b(?:value|values)\s+)(?P<value>[+-]?\d[\d.,:eE+-]*)", re.IGNORECASE)
_CLASSES = (
    ("letters", str.isalpha),
    ("digits", str.isdigit),
    ("blanks", str.isspace),
)
_MASK = re.compile(r"<\d+ characters?[^>]*>")


def sample(value: str) -> str:
    """What may be said of a value: how many characters it has, and of which kinds."""
    found = [name for name, belongs in _CLASSES if any(belongs(letter) for letter in value)]
    others = any(not any(belongs(letter) for _, belongs in _CLASSES) for letter in value)
    beyond = ["beyond ASCII"] if not value.isascii() else []
    kinds = ", ".join([*found, *(["signs"] if others else []), *beyond])
    plural = "" if len(value) == 1 else "s"
    return f"<{len(value)} character{plural}{f': {kinds}' if kinds else ''}>"


def masked(text: str) -> str:
    """A message with a sample in the place of each value that it quotes; names, paths and numbers of lines stay."""
    return _BARE.sub(_stated, _STATED.sub(_stated, _QUOTED.sub(_quoted, text)))


def _quoted(found: re.Match[str]) -> str:
    if found["name"] or found["path"]:
        return found[0]
    return sample(found["single"].replace("''", "'") if found["single"] is not None else found["double"])


def _stated(found: re.Match[str]) -> str:
    value = found["value"]
    if _MASK.search(value) or not value.strip():
        return found[0]
    return found["before"] + sample(value.strip()) + value[len(value.rstrip()) :]
