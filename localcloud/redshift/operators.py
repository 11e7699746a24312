"""Operators that DuckDB spells or types otherwise: shifts and bits, POSIX patterns, time zones."""

from __future__ import annotations

import re

from sqlglot import exp
from sqlglot.expressions import DType

from localcloud.redshift.errors import NotInTwinError
from localcloud.redshift.functions import fill
from localcloud.redshift.kinds import INTEGERS

_MARKS: dict[type[exp.Expr], str] = {
    exp.BitwiseAnd: "_0 & _1",
    exp.BitwiseLeftShift: "_0 << CAST(_1 AS INTEGER)",
    exp.BitwiseOr: "_0 | _1",
    exp.BitwiseRightShift: "_0 >> CAST(_1 AS INTEGER)",
    exp.BitwiseXor: "xor(_0, _1)",
}
# What POSIX patterns and DuckDB's RE2 read alike: no groups with options, no references, few escapes.
_ALIKE = re.compile(r"(?:[^\\(]|\((?!\?)|\\[dswDSW]|\\[^A-Za-z0-9])*")
_PLACE = re.compile(r"[A-Za-z_]+/[A-Za-z_/+-]+")


def translate_bits(node: exp.Expr) -> exp.Expr:
    sides = [node.this] if isinstance(node, exp.BitwiseNot) else [node.this, node.expression]
    if not all(side.is_type(*INTEGERS) for side in sides):
        raise NotInTwinError(
            f"the bit operation {node.sql(dialect='redshift')[:80]} of anything but integers; cast them"
        )
    return fill("~_0", node.this) if isinstance(node, exp.BitwiseNot) else fill(_MARKS[type(node)], *sides)


def translate_pattern(node: exp.Expr) -> exp.Expr:
    """https://docs.aws.amazon.com/redshift/latest/dg/pattern-matching-conditions-posix.html"""
    pattern = node.expression
    if not pattern.is_string or not _ALIKE.fullmatch(pattern.name):
        raise NotInTwinError(f"the pattern {pattern.sql(dialect='redshift')[:80]}")
    return fill("regexp_matches(_0, _1, 's')", node.this, pattern)


def translate_zone(node: exp.Expr) -> exp.Expr:
    """The session is in UTC, so to and from UTC is a cast; other zones only from an instant, which is never unclear."""
    zone, value = node.args["zone"], node.this
    name = zone.name if zone.is_string else ""
    if name.upper() == "UTC" and value.is_type(DType.TIMESTAMPTZ):
        return fill("CAST(_0 AS TIMESTAMP)", value)
    if name.upper() == "UTC" and value.is_type(DType.TIMESTAMP, DType.TIMESTAMPNTZ):
        return fill("CAST(_0 AS TIMESTAMPTZ)", value)
    if _PLACE.fullmatch(name) and value.is_type(DType.TIMESTAMPTZ):
        return fill("timezone(_1, _0)", value, zone)
    raise NotInTwinError("AT TIME ZONE of anything but a TIMESTAMP at 'UTC' or a TIMESTAMPTZ at a constant zone")
