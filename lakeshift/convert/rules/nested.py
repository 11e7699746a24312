"""Values inside SUPER: how they are made and how they are read as scalars.

https://docs.aws.amazon.com/redshift/latest/dg/query-super.html
"""

from __future__ import annotations

from sqlglot import exp

from lakeshift.convert.build import KINDS, call, cast, text
from lakeshift.convert.rule import Refused, Rewrite

_HELD = frozenset({"INT64", "FLOAT64", "NUMERIC", "BOOL", "STRING", "DATE", "DATETIME", "TIMESTAMP"})


def leaf(path: exp.Expr, kind: str) -> exp.Expr:
    """The value at the end of a path: scalars are cast, so that they compare as such and not dynamically."""
    if not isinstance(path, (exp.Dot, exp.Bracket)) or kind.startswith(("ARRAY<", "STRUCT<")):
        return path
    if kind not in _HELD:
        raise Refused(
            "nested-value", f"{kind or 'a value of unknown type'} inside an ARRAY or STRUCT", "give its schema."
        )
    return cast(path, KINDS[kind])


def object_of(names: list[str], values: list[exp.Expr]) -> exp.Anonymous:
    """`OBJECT('name', value, ...)`.

    Raises:
        Refused: two fields have one name; SUPER keeps one of them only.
    """
    if len(set(names)) < len(names) and any(names):
        raise Refused("doubled-field", "a STRUCT with two fields of one name", "give each field its own name.")
    return call("OBJECT", *(part for pair in zip(map(text, names), values, strict=True) for part in pair))


def json_item(node: exp.Expr, kind: str) -> exp.Expr:
    """One item of an array as JSON text; NULL becomes `null`."""
    if kind == "INT64":
        written: exp.Expr = cast(node, "VARCHAR(20)")
    elif kind in ("STRING", "BOOL", "FLOAT64") or kind.startswith(("ARRAY<", "STRUCT<")):
        written = call("JSON_SERIALIZE", cast(node, "SUPER"))
    elif kind == "DATE":
        written = exp.DPipe(
            this=exp.DPipe(this=text('"'), expression=call("TO_CHAR", node, text("YYYY-MM-DD"))), expression=text('"')
        )
    else:
        raise Refused("nested-value", f"an array of {kind or 'values of unknown type'}", "keep it as rows.")
    return call("COALESCE", written, text("null"))


RULES: dict[type[exp.Expr], Rewrite] = {}
