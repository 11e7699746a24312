"""Casts and comparisons: which exist in Redshift, and what they give.

https://docs.aws.amazon.com/redshift/latest/dg/c_Supported_data_types.html#r_Type_conversion
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.expressions import DType

from localcloud.redshift.arithmetic_types import digits
from localcloud.redshift.errors import NotInTwinError, RedshiftError
from localcloud.redshift.functions import fill
from localcloud.redshift.kinds import FLOATS, FRACTIONS, SHAPES, TEXT, TIMES
from localcloud.redshift.super_paths import is_super
from localcloud.redshift.types import ColumnType, parse_type

if TYPE_CHECKING:
    import duckdb

_CUT = "twin_cut"
_INTEGERS = ("smallint", "integer", "bigint")


def redshift_type(node: exp.DataType) -> ColumnType:
    """A type in a query as the twin's own type. Raises for what Redshift does not have."""
    return parse_type(node.sql(dialect="redshift"))


def translate_cast(node: exp.Expr) -> exp.Expr:
    """The DuckDB form of a CAST; a cast Redshift refuses is refused."""
    source, target = node.this, redshift_type(node.args["to"])
    if is_super(source):
        return _from_super(source, target)
    if target.is_text:
        return _to_text(source, target)
    if target.name in _TO_OTHERS:
        return _TO_OTHERS[target.name](source, target)
    if isinstance(node, exp.TryCast):
        return _try_cast(source, target)
    return _to_scalar(source, target)


def _to_scalar(source: exp.Expr, target: ColumnType) -> exp.Expr:
    if _loses_places(source, target):
        return _rounded(source, target)
    if source.is_type(*TEXT):
        return fill(_FROM_TEXT.get(target.name, "CAST(_0 AS T)").replace("AS T)", f"AS {target.duckdb})"), source)
    return fill(f"CAST(_0 AS {target.duckdb})", source)


def _try_cast(source: exp.Expr, target: ColumnType) -> exp.Expr:
    """NULL instead of an error: https://docs.aws.amazon.com/redshift/latest/dg/r_TRY_CAST.html"""
    if _loses_places(source, target):
        raise NotInTwinError(f"TRY_CAST of a fraction to {target.catalog_name}; use ROUND or TRUNC")
    template = _TRIED.get(target.name) if source.is_type(*TEXT) else None
    return fill((template or "TRY_CAST(_0 AS T)").replace("AS T)", f"AS {target.duckdb})"), source)


_WHOLE = "regexp_full_match(trim(_0), '[+-]?[0-9]+')"
_ZONE = "regexp_matches(_0, ':[0-9.]+ *([+-]|[A-Za-z])')"
_WORDS = "lower(trim(_0))"
# Where Redshift reads text otherwise than DuckDB, which rounds fractions and moves a time by its zone.
_FROM_TEXT = {
    **dict.fromkeys(
        _INTEGERS,
        f"CASE WHEN NOT {_WHOLE} THEN error('invalid input syntax for integer: \"' || _0 || '\"') "
        "ELSE CAST(trim(_0) AS T) END",
    ),
    "boolean": f"CASE WHEN {_WORDS} IN ('t', 'true', 'y', 'yes', '1') THEN true "
    f"WHEN {_WORDS} IN ('f', 'false', 'n', 'no', '0') THEN false "
    "WHEN NOT _0 IS NULL THEN error('invalid input syntax for type boolean: \"' || _0 || '\"') END",
    "date": "CAST(CAST(_0 AS TIMESTAMP) AS T)",
    "timestamp": f"CASE WHEN {_ZONE} THEN error('the local Redshift twin does not support the cast of text with a zone "
    "to TIMESTAMP') ELSE CAST(_0 AS T) END",
}


_TRIED = {
    **dict.fromkeys(_INTEGERS, f"CASE WHEN {_WHOLE} THEN TRY_CAST(trim(_0) AS T) END"),
    "boolean": f"CASE WHEN {_WORDS} IN ('t', 'true', 'y', 'yes', '1') THEN true "
    f"WHEN {_WORDS} IN ('f', 'false', 'n', 'no', '0') THEN false END",
    "date": "CAST(TRY_CAST(_0 AS TIMESTAMP) AS T)",
    "timestamp": _FROM_TEXT["timestamp"].replace("ELSE CAST", "ELSE TRY_CAST"),
}


def check_cast(node: exp.Cast) -> None:
    """Refuses a cast that Redshift has not, or whose rounding is unclear."""
    source, target = node.this, redshift_type(node.args["to"])
    if source.is_type(DType.BOOLEAN) and (target.is_text or target.name in ("decimal", "real", "double", "date")):
        raise _no_cast("boolean", target)
    if source.is_type(DType.VARBINARY, *SHAPES) and not target.is_text and target.name != "varbyte":
        raise _no_cast(source.type.sql("redshift").lower() if source.type else "", target)
    if source.is_type(*TIMES) and (target.is_number or target.name == "boolean"):
        raise _no_cast(source.type.sql("redshift").lower() if source.type else "", target)
    if target.name == "super" and source.is_type(*TIMES, DType.VARBINARY, *SHAPES):
        raise _no_cast(source.type.sql("redshift").lower() if source.type else "", target)
    if target.name == "boolean" and source.is_type(DType.DECIMAL):
        raise _no_cast("numeric", target)
    if target.name == "boolean" and source.is_type(*FLOATS):
        raise NotInTwinError("the cast of a floating-point number to boolean; compare it with 0")


def _rounded(source: exp.Expr, target: ColumnType) -> exp.Expr:
    """Fewer places: a constant is rounded; for other values the guide says both that they are and that they are not.

    So a value that rounding would move away from zero is refused; use ROUND or TRUNC.
    https://docs.aws.amazon.com/redshift/latest/dg/r_Numeric_types201.html
    """
    inner = source.unnest()
    constant = isinstance(inner.this if isinstance(inner, exp.Neg) else inner, exp.Literal)
    rounded = "round(_0)" if target.name in _INTEGERS else f"CAST(_0 AS {target.duckdb})"
    if constant:
        return fill(f"CAST({rounded} AS {target.duckdb})", source)
    unclear = "error('the local Redshift twin does not support a cast that rounds a fraction; use ROUND or TRUNC')"
    return fill(
        f"CASE WHEN abs({rounded}) > abs(_0) THEN {unclear} ELSE CAST({rounded} AS {target.duckdb}) END", source
    )


def _loses_places(source: exp.Expr, target: ColumnType) -> bool:
    if target.name in _INTEGERS:
        return source.is_type(*FRACTIONS)
    kind = digits(source.type) if source.is_type(DType.DECIMAL) else None
    return target.name == "decimal" and kind is not None and kind[1] > (target.scale or 0)


def _no_cast(source: str, target: ColumnType) -> RedshiftError:
    return RedshiftError(f"cannot cast type {source} to {target.catalog_name}", code="42846")


def _to_text(source: exp.Expr, target: ColumnType) -> exp.Expr:
    return fill(_cut(target), fill(text_form(source), source))


def text_form(source: exp.Expr) -> str:
    """The template that makes text of a value. Floats have 15 significant digits as text, as in PostgreSQL 8."""
    if source.is_type(*FLOATS):
        return (
            "CASE WHEN isnan(_0) THEN 'NaN' WHEN isinf(_0) THEN CASE WHEN _0 > 0 THEN 'Infinity' ELSE '-Infinity' END "
            "ELSE format('{:.15g}', CAST(_0 AS DOUBLE)) END"
        )
    if source.is_type(DType.VARBINARY, *SHAPES):
        raise NotInTwinError("casts of VARBYTE or GEOMETRY to text; use TO_HEX, FROM_VARBYTE or ST_AsText")
    return "CAST(_0 AS VARCHAR)"


def _cut(target: ColumnType) -> str:
    """An explicit cast cuts the text to the width in bytes, without an error."""
    return f"CASE WHEN strlen(_0) > {target.length} THEN {_CUT}(_0, {target.length}) ELSE _0 END"


def cut(text: str, width: int) -> str:
    """The first bytes of a text. Raises ValueError where they end inside a character."""
    try:
        return text.encode()[:width].decode()
    except UnicodeDecodeError:
        message = "the local Redshift twin does not support a cast that cuts text inside a multibyte character"
        raise ValueError(message) from None


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes the cut of text known to one DuckDB database."""
    connection.create_function(_CUT, cut, ["VARCHAR", "INTEGER"], "VARCHAR")


def _to_varbyte(source: exp.Expr, target: ColumnType) -> exp.Expr:
    if source.is_type(DType.VARBINARY):
        return source
    if not source.is_type(*TEXT):
        raise NotInTwinError("casts to VARBYTE of anything but text; use TO_VARBYTE")
    too_long = f"error('value too long for type {target.sql}')"
    return fill(f"CASE WHEN strlen(_0) > {target.length} THEN {too_long} ELSE encode(_0) END", source)


def _to_super(source: exp.Expr, _: ColumnType) -> exp.Expr:
    return fill("to_json(_0)", source)


def _to_shape(source: exp.Expr, target: ColumnType) -> exp.Expr:
    if not source.is_type(*SHAPES):
        raise NotInTwinError("casts to GEOMETRY or GEOGRAPHY; use ST_GeomFromText or ST_GeogFromText")
    return fill(f"CAST(_0 AS {target.duckdb})", source)


_TO_OTHERS = {"super": _to_super, "geometry": _to_shape, "geography": _to_shape, "varbyte": _to_varbyte}


def _from_super(source: exp.Expr, target: ColumnType) -> exp.Expr:
    """Lax casts: a value of another kind gives NULL (cast_super_null_on_error is on by default)."""
    kind = "json_type(_0)"
    if target.name == "super":
        return source
    if target.is_text:
        text = (
            f"CASE WHEN {kind} = 'VARCHAR' THEN (_0 ->> '$') "
            f"WHEN NOT {kind} IN ('ARRAY', 'OBJECT', 'NULL') THEN CAST(_0 AS VARCHAR) END"
        )
        return fill(_cut(target), fill(text, source))
    if target.name == "boolean":
        unclear = "error('the local Redshift twin does not support the cast of a SUPER string to boolean')"
        return fill(
            f"CASE WHEN {kind} = 'BOOLEAN' THEN CAST((_0 ->> '$') AS BOOLEAN) WHEN {kind} = 'VARCHAR' THEN {unclear} "
            "WHEN regexp_full_match(CAST(_0 AS VARCHAR), '-?[0-9]+') THEN CAST(_0 AS VARCHAR) <> '0' END",
            source,
        )
    if target.is_number:
        refusal = f"the local Redshift twin does not support the cast of a SUPER string to {target.catalog_name}"
        unclear = f"error('{refusal}')"
        return fill(
            f"CASE WHEN {kind} = 'VARCHAR' THEN {unclear} "
            f"WHEN NOT {kind} IN ('ARRAY', 'OBJECT', 'NULL', 'BOOLEAN') "
            f"THEN TRY_CAST(CAST(_0 AS VARCHAR) AS {target.duckdb}) END",
            source,
        )
    if target.name in ("date", "timestamp", "timestamptz"):
        return fill(f"CASE WHEN {kind} = 'VARCHAR' THEN TRY_CAST((_0 ->> '$') AS {target.duckdb}) END", source)
    raise NotInTwinError(f"casts of SUPER to {target.sql}")


def check_comparison(node: exp.Binary) -> None:
    """Refuses comparisons whose outcome in Redshift depends on implicit conversions that DuckDB makes differently."""
    left, right = node.this, node.expression
    if isinstance(node, exp.Is) or not isinstance(left, exp.Expr) or not isinstance(right, exp.Expr):
        return
    if (is_super(left) or is_super(right)) and not isinstance(node, _COMPARISONS):
        raise NotInTwinError(f"the dynamic comparison {node.sql(dialect='redshift')[:80]}; cast the SUPER value")
    if _mixes(left, right) or _mixes(right, left):
        raise NotInTwinError(
            f"the comparison of text with another type in {node.sql(dialect='redshift')[:80]}; cast one"
        )


_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)


def _mixes(text: exp.Expr, other: exp.Expr) -> bool:
    """Text that is not a constant next to DECIMAL, a time or a truth value."""
    return text.is_type(*TEXT) and not text.is_string and other.is_type(DType.DECIMAL, *TIMES, DType.BOOLEAN)
