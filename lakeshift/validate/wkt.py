"""Well-known text by value: names in upper case, coordinates as doubles, one spelling for everything. Pure.

Engines write the same shape as `POINT(1 2)`, `POINT (1.0 2.0)` or `Point(1 2)`; the points of a MULTIPOINT with
parentheses or without; a third coordinate with the letter Z or without. Order counts: the points of a line, the rings
of a polygon and the first point of a ring are the shape's own.

Redshift's ST_AsText fails beyond 64 KB. 17 digits, which tell every double from every other one, make short numbers
long, and no other form is shorter for all shapes. So a shape of many points has 15 digits everywhere: its text is no
longer than the one that it was loaded as, since a number of more digits is cut and one of fewer stays.
https://www.ogc.org/standard/sfa, https://docs.aws.amazon.com/redshift/latest/dg/ST_AsText-function.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

_TOKEN = re.compile(r"\s*([A-Za-z]+|[(),]|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)")
_SRID = re.compile(r"\s*SRID\s*=\s*(\d+)\s*;", re.IGNORECASE)
_NAMED = re.compile(r"([A-Z]+?)(ZM|Z|M)?")
_DIMENSIONS = {2: "", 3: "Z", 4: "ZM"}
_EMPTY = "EMPTY"
DIGITS, DIGITS_OF_MANY = 17, 15
MANY_POINTS = 512
"""More points than these are many: up to here no text is too long, with four coordinates of 24 characters each."""


def digits(points: int) -> int:
    """Significant digits of the coordinates of a shape with so many points."""
    return DIGITS_OF_MANY if points > MANY_POINTS else DIGITS


def normalised(text: str) -> str:
    """The one text of a shape, e.g. `POLYGON((0.0 0.0,1.5 0.0,1.5 2.0,0.0 0.0))`. Raises ValueError for other texts."""
    found = _SRID.match(text)
    shape = _Reader(text[found.end() :] if found else text).whole()
    return f"SRID={int(found[1])};{shape}" if found and int(found[1]) else shape


class _Reader:
    """The words of a text, read once from the left."""

    def __init__(self, text: str) -> None:
        self._words = _words(text)
        self._at = 0
        ends = (mark in ",)" and word[-1] in "0123456789." for word, mark in pairwise(self._words))
        self._digits = digits(sum(ends))

    def whole(self) -> str:
        """The shape that the text is."""
        shape = self._shape()
        if self._at < len(self._words):
            raise ValueError("more than one shape")
        return shape

    def _next(self) -> str:
        return self._words[self._at] if self._at < len(self._words) else ""

    def _take(self) -> str:
        word = self._next()
        self._at += 1
        return word

    def _shape(self) -> str:
        named = _NAMED.fullmatch(self._take())
        if not named:
            raise ValueError("no name of a shape")
        name, dimension = named[1], named[2] or ""
        if self._next() in {"Z", "M", "ZM"}:
            dimension = self._take()
        if self._next() == _EMPTY:
            return f"{name}{dimension} {self._take()}"
        sizes: set[int] = set()
        inside = self._list(self._member(name, sizes))
        # A collection has the dimension of its members.
        return f"{name}{(dimension or _dimension(sizes)) if sizes else ''}{inside}"

    def _member(self, name: str, sizes: set[int]) -> Callable[[], str]:
        """What reads one member of a shape; the numbers of its coordinates are put into `sizes`."""

        def coordinates() -> str:
            found = []
            while self._next() not in {"", ",", "(", ")"}:
                found.append(_coordinate(self._take(), self._digits))
            sizes.add(len(found))
            return " ".join(found)

        def member() -> str:
            if self._next() == _EMPTY:
                return self._take()
            if self._next() == "(":
                inside = self._list(member)
                return inside[1:-1] if name == "MULTIPOINT" else inside
            return self._shape() if self._next().isalpha() else coordinates()

        return member

    def _list(self, member: Callable[[], str]) -> str:
        if self._take() != "(":
            raise ValueError("a parenthesis is missing")
        found = [member()]
        while (mark := self._take()) == ",":
            found.append(member())
        if mark != ")":
            raise ValueError("a parenthesis is missing")
        return f"({','.join(found)})"


def _words(text: str) -> list[str]:
    found, at = [], 0
    while at < len(text.rstrip()):
        word = _TOKEN.match(text, at)
        if not word:
            raise ValueError("not well-known text")
        found.append(word[1].upper())
        at = word.end()
    return found


def _coordinate(word: str, significant: int) -> str:
    # Adding 0.0 makes 0.0 of -0.0, which is the same place.
    return repr(float(f"{float(word):.{significant}g}") + 0.0)


def _dimension(sizes: set[int]) -> str:
    """The letters of a shape that has none written, by how many coordinates its points have."""
    found = {_DIMENSIONS.get(size) for size in sizes}
    if not found:
        return ""
    if len(found) > 1 or None in found:
        raise ValueError("points of different dimensions")
    return found.pop() or ""
