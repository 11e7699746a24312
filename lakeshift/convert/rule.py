"""What a rule is: GoogleSQL expressions into Redshift expressions.

A rule gets a node whose children are Redshift already and whose types are those of the source. It returns an
expression that prints as it stands: functions are built with `lakeshift.convert.build` (`call`, `cast`, `text`,
`fill`), so that no SQL generator decides anything. A node or a function that has no rule is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sqlglot import exp


class Typing(Protocol):
    """The GoogleSQL types of the source text, asked for by node."""

    def kind(self, node: exp.Expr | None) -> str:
        """INT64, STRING, ARRAY<INT64>, STRUCT<a INT64>, ...; NULL for a bare NULL; "" when it is not known.

        `node` is an original expression or what a rule has made of it. Parameters of a type are not shown:
        NUMERIC(10, 2) is NUMERIC.
        """


class Refused(Exception):
    """This expression has no Redshift form that is known to give the same answer.

    Args:
        code: name of the reason in lower-case words with dashes, such as "format-element".
        construct: what stands in the source, such as "FORMAT_DATE with %U".
        advice: what the reader can do about it.
    """

    def __init__(self, code: str, construct: str, advice: str = "", link: str = "") -> None:
        super().__init__(f"{code}: {construct}")
        self.code, self.construct, self.advice, self.link = code, construct, advice, link


Rewrite = Callable[[exp.Expr, Typing], exp.Expr]

RULES: dict[type[exp.Expr], Rewrite] = {}
"""By node class of sqlglot. An INT64 result may be of a narrower integer type: the translator widens it."""

NAMED: dict[str, Rewrite] = {}
"""By upper-case GoogleSQL name, for what sqlglot reads as `exp.Anonymous`."""
