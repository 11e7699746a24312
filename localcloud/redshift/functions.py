"""How each Redshift function that the twin has is said in DuckDB.

A template is DuckDB SQL in which `_0`, `_1` stand for the arguments.
"""

from __future__ import annotations

from functools import cache

import sqlglot
from sqlglot import exp
from sqlglot.expressions import DType

from localcloud.redshift.dialect import Call
from localcloud.redshift.errors import NotInTwinError
from localcloud.redshift.kinds import MOMENTS

_TRIMMED_WKT = "replace(replace(st_astext(_0), ' (', '('), ', ', ',')"
_TOO_LONG = "'String value exceeds the max size of 65535 bytes: use JSON_SERIALIZE_TO_VARBYTE'"
_KIND = "json_type(_0)"

TEMPLATES = {
    "LEN": "CAST(length(_0) AS INTEGER)",
    "STRPOS": "CAST(strpos(_0, _1) AS INTEGER)",
    "CHARINDEX": "CAST(strpos(_1, _0) AS INTEGER)",
    "ASCII": "unicode(_0)",
    "CHR": "chr(CAST(_0 AS INTEGER))",
    "CONCAT": "_0 || _1",
    "UPPER": "upper(_0)",
    "LOWER": "lower(_0)",
    "LEFT": "left(_0, _1)",
    "RIGHT": "right(_0, _1)",
    "LPAD/2": "lpad(_0, CAST(_1 AS INTEGER), ' ')",
    "LPAD": "lpad(_0, CAST(_1 AS INTEGER), _2)",
    "RPAD/2": "rpad(_0, CAST(_1 AS INTEGER), ' ')",
    "RPAD": "rpad(_0, CAST(_1 AS INTEGER), _2)",
    "BTRIM/1": "trim(_0)",
    "BTRIM": "trim(_0, _1)",
    "LTRIM/1": "ltrim(_0)",
    "LTRIM": "ltrim(_0, _1)",
    "RTRIM/1": "rtrim(_0)",
    "RTRIM": "rtrim(_0, _1)",
    "REPLACE": "replace(_0, _1, _2)",
    "REPEAT": "repeat(_0, _1)",
    "REVERSE": "reverse(_0)",
    "SPLIT_PART": "split_part(_0, _1, _2)",
    "SUBSTR/2": "substring(_0, _1)",
    "SUBSTR": "substring(_0, _1, _2)",
    "FROM_HEX": "from_hex(_0)",
    "MD5": "md5(_0)",
    "SHA": "sha1(_0)",
    "SHA1": "sha1(_0)",
    "FUNC_SHA1": "sha1(_0)",
    "JSON_PARSE": "twin_json_parse(CAST(_0 AS VARCHAR))",
    "JSON_SERIALIZE": f"CASE WHEN strlen(CAST(_0 AS VARCHAR)) > 65535 THEN error({_TOO_LONG}) "
    "ELSE CAST(_0 AS VARCHAR) END",
    "JSON_SERIALIZE_TO_VARBYTE": "encode(CAST(_0 AS VARCHAR))",
    "CAN_JSON_PARSE": "json_valid(_0)",
    "JSON_TYPEOF": f"CASE WHEN {_KIND} = 'VARCHAR' THEN 'string' "
    f"WHEN {_KIND} IN ('BIGINT', 'UBIGINT', 'HUGEINT', 'DOUBLE', 'DECIMAL') THEN 'number' ELSE lower({_KIND}) END",
    "GET_ARRAY_LENGTH": f"CASE WHEN {_KIND} = 'ARRAY' THEN CAST(json_array_length(_0) AS BIGINT) END",
    "IS_ARRAY": f"{_KIND} = 'ARRAY'",
    "IS_OBJECT": f"{_KIND} = 'OBJECT'",
    "IS_SCALAR": f"NOT {_KIND} IN ('ARRAY', 'OBJECT', 'NULL')",
    "IS_VARCHAR": f"{_KIND} = 'VARCHAR'",
    "IS_BOOLEAN": f"{_KIND} = 'BOOLEAN'",
    # DuckDB's own extraction takes numbers through floating point; what may hold a fraction goes the exact way.
    "SUPER_PATH": "CASE WHEN json_type(_0, _1) IN ('VARCHAR', 'BOOLEAN', 'BIGINT', 'NULL') THEN json_extract(_0, _1) "
    "WHEN NOT json_type(_0, _1) IS NULL THEN twin_super_path(CAST(_0 AS VARCHAR), _2) END",
    "ST_ASTEXT": _TRIMMED_WKT,
    "ST_GEOMFROMTEXT": "CAST(_0 AS GEOMETRY)",
    "ST_GEOGFROMTEXT": "CAST(_0 AS GEOMETRY)",
    "GETDATE": "date_trunc('second', CAST(now() AS TIMESTAMP))",
    "BOOL_AND": "bool_and(_0)",
    "BOOL_OR": "bool_or(_0)",
    "SIGN": "CAST(sign(_0) AS INTEGER)",
}
_ALIASES = {"LENGTH": "LEN", "CHAR_LENGTH": "LEN", "CHARACTER_LENGTH": "LEN", "TEXTLEN": "LEN"}

# Where DuckDB differs outside these bounds, the argument must be a constant inside them: (position, least value).
_POSITIVE = {
    "LEFT": (1, 0),
    "RIGHT": (1, 0),
    "SPLIT_PART": (2, 1),
    "SUBSTR": (1, 1),
    "LPAD": (1, 0),
    "RPAD": (1, 0),
    "REPEAT": (1, 0),
}
_UNITS = frozenset({"second", "minute", "hour", "day", "week", "month", "quarter", "year"})
_PARTS = frozenset({"year", "month", "day", "hour", "minute", "second", "quarter", "doy", "dow"})
_TO_CHAR = {"YYYY": "%Y", "MM": "%m", "DD": "%d", "HH24": "%H", "MI": "%M", "SS": "%S", "US": "%f", "MS": "%g"}


@cache
def _template(sql: str) -> exp.Expr:
    return sqlglot.parse_one(sql, dialect="duckdb")


def fill(template: str, *arguments: exp.Expr) -> exp.Expr:
    """The template with its arguments put in."""

    def replace(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and node.name[:1] == "_" and node.name[1:].isdigit():
            return exp.paren(arguments[int(node.name[1:])].copy(), copy=False)
        return node

    return exp.paren(_template(template).copy().transform(replace), copy=False)


def translate_call(call: Call) -> exp.Expr:
    """The DuckDB expression of a Redshift function, or a refusal where the two would differ."""
    name = call.this.name
    arguments = call.expressions
    if name in _SPECIAL:
        return _SPECIAL[name](arguments)
    if name in _POSITIVE:
        _need_constant(name, arguments, *_POSITIVE[name])
    key = _ALIASES.get(name, name)
    template = TEMPLATES.get(f"{key}/{len(arguments)}") or TEMPLATES.get(key)
    if template is None:
        raise NotInTwinError(f"the function {name}")
    return fill(template, *arguments)


def _need_constant(name: str, arguments: list[exp.Expr], position: int, least: int) -> None:
    value = arguments[position]
    if not (isinstance(value, exp.Literal) and value.is_int and int(value.name) >= least):
        raise NotInTwinError(f"{name} unless argument {position + 1} is a constant of at least {least}")


def _constant(name: str, argument: exp.Expr, allowed: dict[str, str]) -> str:
    value = argument.name.lower() if isinstance(argument, (exp.Literal, exp.Column, exp.Var)) else ""
    if value not in allowed:
        raise NotInTwinError(f"{name} with {argument.sql()} (one of {', '.join(sorted(allowed))})")
    return allowed[value]


def _sha2(arguments: list[exp.Expr]) -> exp.Expr:
    return fill(_constant("SHA2", arguments[1], {"256": "sha256(_0)", "0": "sha256(_0)"}), arguments[0])


def _strtol(arguments: list[exp.Expr]) -> exp.Expr:
    bases = {"16": "CAST('0x' || _0 AS BIGINT)", "10": "CAST(_0 AS BIGINT)"}
    return fill(_constant("STRTOL", arguments[1], bases), arguments[0])


def _to_varbyte(arguments: list[exp.Expr]) -> exp.Expr:
    encodings = {"hex": "from_hex(_0)", "hexadecimal": "from_hex(_0)", "utf8": "encode(_0)", "utf-8": "encode(_0)"}
    return fill(_constant("TO_VARBYTE", arguments[1], encodings), arguments[0])


def _from_varbyte(arguments: list[exp.Expr]) -> exp.Expr:
    encodings = {"hex": "lower(hex(_0))", "utf8": "decode(_0)", "utf-8": "decode(_0)"}
    return fill(_constant("FROM_VARBYTE", arguments[1], encodings), arguments[0])


def _to_hex(arguments: list[exp.Expr]) -> exp.Expr:
    return fill("lower(hex(_0))", arguments[0])


def _octet_length(arguments: list[exp.Expr]) -> exp.Expr:
    binary = arguments[0].is_type(DType.VARBINARY)
    return fill(f"CAST({'octet_length' if binary else 'strlen'}(_0) AS INTEGER)", arguments[0])


def _date_trunc(arguments: list[exp.Expr]) -> exp.Expr:
    unit = _constant("DATE_TRUNC", arguments[0], {name: name for name in _UNITS})
    target = "TIMESTAMPTZ" if arguments[1].is_type(DType.TIMESTAMPTZ) else "TIMESTAMP"
    return fill(f"CAST(date_trunc('{unit}', _0) AS {target})", arguments[1])


def _date_part(arguments: list[exp.Expr]) -> exp.Expr:
    part = _constant("DATE_PART", arguments[0], {name: name for name in _PARTS})
    return fill(f"CAST(date_part('{part}', _0) AS INTEGER)", arguments[1])


def _to_char(arguments: list[exp.Expr]) -> exp.Expr:
    if not arguments[0].is_type(*MOMENTS):
        raise NotInTwinError("TO_CHAR of anything but a date or timestamp")
    return fill(f"strftime(_0, '{_strftime(arguments[1])}')", arguments[0])


def _strftime(pattern: exp.Expr) -> str:
    rest, made = pattern.name if isinstance(pattern, exp.Literal) else "?", ""
    while rest:
        mark = next((mark for mark in _TO_CHAR if rest.upper().startswith(mark)), None)
        if mark is None and rest[0] not in "-/:. ,":
            raise NotInTwinError(f"TO_CHAR with the pattern {pattern.sql()}")
        made += _TO_CHAR[mark] if mark else rest[0]
        rest = rest[len(mark or " ") :]
    return made


_SPECIAL = {
    "SHA2": _sha2,
    "STRTOL": _strtol,
    "TO_VARBYTE": _to_varbyte,
    "FROM_VARBYTE": _from_varbyte,
    "TO_HEX": _to_hex,
    "OCTET_LENGTH": _octet_length,
    "DATE_TRUNC": _date_trunc,
    "DATE_PART": _date_part,
    "TO_CHAR": _to_char,
}
