"""ARRAY and OBJECT: SUPER values made of others, with every digit kept.

https://docs.aws.amazon.com/redshift/latest/dg/r_array.html
https://docs.aws.amazon.com/redshift/latest/dg/r_object_function.html
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp
from sqlglot.expressions import DType

from localcloud.redshift.errors import NotInTwinError, RedshiftError
from localcloud.redshift.functions import fill
from localcloud.redshift.kinds import FLOATS, INTEGERS, TEXT

_OBJECT = "https://docs.aws.amazon.com/redshift/latest/dg/r_object_function.html"


def array(arguments: list[exp.Expr]) -> exp.Expr:
    return _joined("[", [_json(argument) for argument in arguments], "]")


def object_(arguments: list[exp.Expr]) -> exp.Expr:
    """Names and values in turn; a name twice or a name that is no text is an error."""
    names, values = arguments[::2], arguments[1::2]
    if len(names) != len(values):
        raise RedshiftError("object() needs a value for every name", code="42883", link=_OBJECT)
    if not all(name.is_string for name in names):
        raise NotInTwinError("OBJECT with names that are not text constants")
    if len({name.name for name in names}) < len(names):
        raise RedshiftError("object() with the same name twice", code="22023", link=_OBJECT)
    pairs = [
        fill("CAST(to_json(_0) AS VARCHAR) || ':' || _1", name, _json(value))
        for name, value in zip(names, values, strict=True)
    ]
    return _joined("{", pairs, "}")


def _joined(opening: str, parts: list[exp.Expr], closing: str) -> exp.Expr:
    texts = " || ',' || ".join(f"_{position}" for position in range(len(parts)))
    return fill(f"CAST('{opening}' || {texts or repr('')} || '{closing}' AS JSON)", *parts)


def _json(value: exp.Expr) -> exp.Expr:
    """The value as JSON text; NULL becomes null."""
    return fill(f"COALESCE({_text(value)}, 'null')", value)


def _text(value: exp.Expr) -> str:
    if isinstance(value.unnest(), exp.Null) or value.is_type(DType.NULL):
        return "NULL"
    if value.is_type(*INTEGERS, DType.DECIMAL, DType.BOOLEAN, DType.SUPER):
        return "CAST(_0 AS VARCHAR)"
    if value.is_type(*FLOATS, *TEXT):
        return "CAST(to_json(_0) AS VARCHAR)"
    known = value.type is not None and not value.is_type(DType.UNKNOWN)
    if known:
        raise RedshiftError(f"cannot cast type {str(value.type).lower()} to super", code="42846", link=_OBJECT)
    raise NotInTwinError(f"{value.sql(dialect='duckdb')[:80]} of unclear type in ARRAY or OBJECT; cast it")


CONSTRUCTORS: dict[str, Callable[[list[exp.Expr]], exp.Expr]] = {"ARRAY": array, "OBJECT": object_}
