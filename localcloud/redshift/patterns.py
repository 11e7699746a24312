"""Regular expressions of Redshift over Python's `re`: the patterns whose meaning is certain, the rest is refused.

https://docs.aws.amazon.com/redshift/latest/dg/pattern-matching-conditions-posix.html
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from localcloud.redshift.errors import NotInTwinError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r" \t\n\r\f\v",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}
# \s differs between versions of PCRE (vertical tab); \Z, \h, \R, \K, \p, \X and back-references are left out.
_UNCLEAR_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\[sSZhHRKpPXGQENgku0-9]")
_NAMED_CLASS = re.compile(r"\[:(\w+):\]")
_POSIX_ONLY = re.compile(r"\\[A-Za-z]|\(\?|[*+?}][?+]")


@cache
def check(pattern: str, *, pcre: bool) -> str:
    """The pattern as Python reads it. Raises NotInTwinError where its meaning on Redshift is not certain."""
    if _UNCLEAR_ESCAPE.search(pattern) or (not pcre and _POSIX_ONLY.search(pattern)) or "\0" in pattern:
        raise NotInTwinError(f"the regular expression {pattern}")
    made = _NAMED_CLASS.sub(_named, pattern).replace(r"\z", r"\Z")
    try:
        _compiled(made)
    except re.error as error:
        raise NotInTwinError(f"the regular expression {pattern}: {error}") from error
    return made


def _named(found: re.Match[str]) -> str:
    if found[1] not in _CLASSES:
        raise NotInTwinError(f"the class {found[0]}")
    return _CLASSES[found[1]]


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)


def _matches(text: str, pattern: str, position: int) -> Iterator[re.Match[str]]:
    """Raises ValueError for an empty match, of which the guide does not say how it counts."""
    for found in _compiled(pattern).finditer(text, max(position, 1) - 1):
        if not found[0]:
            raise ValueError("the local Redshift twin does not support a regular expression that matches no character")
        yield found


def _nth(text: str, pattern: str, position: int, occurrence: int) -> re.Match[str] | None:
    found = enumerate(_matches(text, pattern, position), start=1)
    return next((match for at, match in found if at == occurrence), None)


def instr(text: str, pattern: str, position: int, occurrence: int, option: int) -> int:
    """Where a match begins (option 0) or the position behind it (1); 0 without one."""
    found = _nth(text, pattern, position, occurrence)
    return 0 if found is None else (found.end() if option else found.start()) + 1


def substr(text: str, pattern: str, position: int, occurrence: int, group: int) -> str:
    """A match or its first group; an empty text without one."""
    found = _nth(text, pattern, position, occurrence)
    if found is None:
        return ""
    wanted = found[group if found.re.groups else 0]
    if wanted is None:
        raise ValueError("the local Redshift twin does not support a group that is not part of the match")
    return str(wanted)


def count(text: str, pattern: str, position: int) -> int:
    return sum(1 for _ in _matches(text, pattern, position))


def replace(text: str, pattern: str, new: str, position: int) -> str:
    """Every match becomes the new text, which may hold no back-references."""
    made, at = [], 0
    for found in _matches(text, pattern, position):
        made += [text[at : found.start()], new]
        at = found.end()
    return "".join([*made, text[at:]])


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes these functions known to one DuckDB database as twin_regexp_*."""
    words, places = ["VARCHAR", "VARCHAR"], ["INTEGER", "INTEGER"]
    connection.create_function("twin_regexp_instr", instr, [*words, *places, "INTEGER"], "INTEGER")
    connection.create_function("twin_regexp_substr", substr, [*words, *places, "INTEGER"], "VARCHAR")
    connection.create_function("twin_regexp_count", count, [*words, "INTEGER"], "INTEGER")
    connection.create_function("twin_regexp_replace", replace, [*words, "VARCHAR", "INTEGER"], "VARCHAR")
