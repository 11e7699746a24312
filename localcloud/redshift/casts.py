"""Casts and comparisons: which exist in Redshift, and what they give.

https://docs.aws.amazon.com/redshift/latest/dg/c_Supported_data_types.html#r_Type_conversion
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.expressions import DType

from localcloud.redshift.errors import NotInTwinError, RedshiftError
from localcloud.redshift.functions import fill
from localcloud.redshift.kinds import FLOATS, FRACTIONS, INTEGERS, SHAPES, TEXT, TIMES
from localcloud.redshift.super_paths import is_super
from localcloud.redshift.types import ColumnType, parse_type

_ROUNDINGS = (exp.Round, exp.Floor, exp.Ceil, exp.Trunc)


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
    if target.name == "super":
        return fill("to_json(_0)", source)
    if target.name in ("geometry", "geography") and not source.is_type(*SHAPES):
        raise NotInTwinError("casts to GEOMETRY or GEOGRAPHY; use ST_GeomFromText or ST_GeogFromText")
    if target.name == "varbyte":
        return _to_varbyte(source, target)
    function = "TRY_CAST" if isinstance(node, exp.TryCast) else "CAST"
    return fill(f"{function}(_0 AS {target.duckdb})", source)


def place_in_utc(tree: exp.Expr) -> bool:
    """Rewrites TIMESTAMP AT TIME ZONE 'UTC' as a cast to TIMESTAMPTZ, which means the same where the session is in UTC.

    https://docs.aws.amazon.com/redshift/latest/dg/r_AT_TIME_ZONE.html
    """
    found = list(tree.find_all(exp.AtTimeZone))
    for node in found:
        zone = node.args["zone"]
        plain = node.this.is_type(DType.TIMESTAMP, DType.TIMESTAMPNTZ)
        if not (plain and zone.is_string and zone.name.upper() == "UTC"):
            raise NotInTwinError("AT TIME ZONE of anything but a TIMESTAMP without zone at 'UTC'")
        node.replace(exp.cast(node.this.copy(), DType.TIMESTAMPTZ))
    return bool(found)


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
    if target.name in ("smallint", "integer", "bigint") and source.is_type(*FRACTIONS) and not _is_whole(source):
        raise NotInTwinError("the cast of a fraction to an integer, whose rounding depends; use ROUND, TRUNC or FLOOR")


def _is_whole(source: exp.Expr) -> bool:
    inner = source.unnest()
    if isinstance(inner, exp.Neg):
        inner = inner.this
    if isinstance(inner, _ROUNDINGS) or (isinstance(inner, exp.Literal) and inner.is_int):
        return True
    kind = source.type
    scaled = kind is not None and len(kind.expressions) == 2 and kind.expressions[1].name != "0"
    return source.is_type(DType.DECIMAL) and kind is not None and bool(kind.expressions) and not scaled


def _no_cast(source: str, target: ColumnType) -> RedshiftError:
    return RedshiftError(f"cannot cast type {source} to {target.catalog_name}", code="42846")


def _to_text(source: exp.Expr, target: ColumnType) -> exp.Expr:
    return fill(_cut(target), fill(_text_form(source), source))


def _text_form(source: exp.Expr) -> str:
    """Floats have 15 significant digits as text, as in PostgreSQL 8."""
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
    width = target.length
    split = "error('the local Redshift twin does not support a cast that cuts text with multibyte characters')"
    return (
        f"CASE WHEN strlen(_0) > {width} AND strlen(_0) <> length(_0) THEN {split} "
        f"WHEN strlen(_0) > {width} THEN left(_0, {width}) ELSE _0 END"
    )


def _to_varbyte(source: exp.Expr, target: ColumnType) -> exp.Expr:
    if source.is_type(DType.VARBINARY):
        return source
    if not source.is_type(*TEXT):
        raise NotInTwinError("casts to VARBYTE of anything but text; use TO_VARBYTE")
    too_long = f"error('value too long for type {target.sql}')"
    return fill(f"CASE WHEN strlen(_0) > {target.length} THEN {too_long} ELSE encode(_0) END", source)


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
        unclear = "error('the local Redshift twin does not support the cast of a SUPER string or number to boolean')"
        return fill(
            f"CASE WHEN {kind} = 'BOOLEAN' THEN CAST((_0 ->> '$') AS BOOLEAN) "
            f"WHEN NOT {kind} IN ('ARRAY', 'OBJECT', 'NULL') THEN {unclear} END",
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
    if is_super(left) or is_super(right):
        raise NotInTwinError(f"the dynamic comparison {node.sql(dialect='redshift')[:80]}; cast the SUPER value")
    if _mixes(left, right) or _mixes(right, left):
        raise NotInTwinError(
            f"the comparison of text with another type in {node.sql(dialect='redshift')[:80]}; cast one"
        )


def _mixes(text: exp.Expr, other: exp.Expr) -> bool:
    if isinstance(text, exp.Literal) or isinstance(other, exp.Literal):
        return text.is_type(*TEXT) and not isinstance(text, exp.Literal) and other.is_type(*INTEGERS, *FRACTIONS)
    return text.is_type(*TEXT) and other.is_type(*INTEGERS, *FRACTIONS, *TIMES, DType.BOOLEAN)
