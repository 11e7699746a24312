"""How each Redshift function that the twin has is said in DuckDB.

A template is DuckDB SQL in which `_0`, `_1` stand for the arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import sqlglot
from sqlglot import exp
from sqlglot.expressions import DType

from localcloud.redshift import shapes
from localcloud.redshift.dialect import Call
from localcloud.redshift.errors import NotInTwinError
from localcloud.redshift.kinds import MOMENTS
from localcloud.redshift.patterns import check

Translation = Callable[[list[exp.Expr]], exp.Expr]

_TRIMMED_WKT = "replace(replace(st_astext(_0), ' (', '('), ', ', ',')"
_TOO_LONG = "'String value exceeds the max size of 65535 bytes: use JSON_SERIALIZE_TO_VARBYTE'"
_KIND = "json_type(_0)"


def _not_empty(name: str, position: int) -> str:
    """The argument, or an error when it is an empty text, for which the guide gives no result."""
    unclear = f"error('the local Redshift twin does not support {name} with an empty argument {position + 1}')"
    return f"CASE WHEN length(_{position}) = 0 THEN {unclear} ELSE _{position} END"


TEMPLATES = {
    "LEN": "CAST(length(_0) AS INTEGER)",
    "STRPOS": f"CAST(strpos(_0, {_not_empty('STRPOS', 1)}) AS INTEGER)",
    "CHARINDEX": f"CAST(strpos(_1, {_not_empty('CHARINDEX', 0)}) AS INTEGER)",
    "ASCII": "CASE WHEN _0 = '' THEN 0 ELSE unicode(_0) END",
    "CHR": "chr(CAST(_0 AS INTEGER))",
    "CONCAT": "_0 || _1",
    "UPPER": "upper(_0)",
    "LOWER": "lower(_0)",
    "LEFT": "left(_0, _1)",
    "RIGHT": "right(_0, _1)",
    "LPAD/2": "lpad(_0, CAST(_1 AS INTEGER), ' ')",
    "LPAD": f"lpad(_0, CAST(_1 AS INTEGER), {_not_empty('LPAD', 2)})",
    "RPAD/2": "rpad(_0, CAST(_1 AS INTEGER), ' ')",
    "RPAD": f"rpad(_0, CAST(_1 AS INTEGER), {_not_empty('RPAD', 2)})",
    "BTRIM/1": "trim(_0)",
    "BTRIM": "trim(_0, _1)",
    "LTRIM/1": "ltrim(_0)",
    "LTRIM": "ltrim(_0, _1)",
    "RTRIM/1": "rtrim(_0)",
    "RTRIM": "rtrim(_0, _1)",
    "REPLACE": f"replace(_0, {_not_empty('REPLACE', 1)}, _2)",
    "REPEAT": "repeat(_0, _1)",
    "REVERSE": "reverse(_0)",
    "SPLIT_PART": f"split_part(_0, {_not_empty('SPLIT_PART', 1)}, _2)",
    "SUBSTR/2": "substring(_0, _1)",
    "SUBSTR": "substring(_0, _1, _2)",
    "FROM_HEX": "from_hex(_0)",
    "MD5": "md5(_0)",
    "SHA": "sha1(_0)",
    "SHA1": "sha1(_0)",
    "FUNC_SHA1": "sha1(_0)",
    "JSON_PARSE": "twin_json_parse(CAST(_0 AS VARCHAR))",
    # NULL too has a text: https://docs.aws.amazon.com/redshift/latest/dg/JSON_SERIALIZE.html
    "JSON_SERIALIZE": f"CASE WHEN strlen(CAST(_0 AS VARCHAR)) > 65535 THEN error({_TOO_LONG}) "
    "ELSE COALESCE(CAST(_0 AS VARCHAR), 'null') END",
    "JSON_SERIALIZE_TO_VARBYTE": "encode(COALESCE(CAST(_0 AS VARCHAR), 'null'))",
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
    "ST_ASTEXT/1": f"twin_shape_text({_TRIMMED_WKT}, {shapes.DIGITS})",
    "ST_ASTEXT": f"twin_shape_text({_TRIMMED_WKT}, CAST(_1 AS INTEGER))",
    "ST_NPOINTS": "CAST(len(regexp_extract_all(st_astext(_0), '[0-9][,)]')) AS INTEGER)",
    "ST_GEOMFROMTEXT": "CAST(_0 AS GEOMETRY)",
    "ST_GEOGFROMTEXT": "CAST(_0 AS GEOMETRY)",
    "GETDATE": "date_trunc('second', CAST(now() AS TIMESTAMP))",
    "BOOL_AND": "bool_and(_0)",
    "BOOL_OR": "bool_or(_0)",
    "SIGN": "CAST(sign(_0) AS INTEGER)",
    "TRANSLATE": "translate(_0, _1, _2)",
    "PI": "pi()",
    "RANDOM": "random()",
    "LOG": "log(CAST(_0 AS DOUBLE))",
    "ATAN2": "atan2(CAST(_0 AS DOUBLE), CAST(_1 AS DOUBLE))",
    **{name: f"{name.lower()}(CAST(_0 AS DOUBLE))" for name in ("ACOS", "ASIN", "ATAN", "COS", "COT", "SIN", "TAN")},
    "ARRAY_CONCAT": "twin_array_concat(CAST(_0 AS VARCHAR), CAST(_1 AS VARCHAR))",
    "ARRAY_FLATTEN": "twin_array_flatten(CAST(_0 AS VARCHAR))",
    "SUBARRAY": "twin_subarray(CAST(_0 AS VARCHAR), _1, _2)",
    "SPLIT_TO_ARRAY/1": "twin_split_to_array(_0, ',')",
    "SPLIT_TO_ARRAY": "twin_split_to_array(_0, _1)",
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
_HASHED = (DType.VARCHAR, DType.NVARCHAR, DType.TEXT, DType.VARBINARY, DType.NULL)
_UNITS = frozenset(
    {"microsecond", "millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year"}
)
_PARTS = frozenset({"year", "month", "day", "hour", "minute", "second", "quarter", "doy", "dow"})
# Codes of TO_CHAR whose case means nothing, and those whose case is that of the result.
_NUMBER_CODES = {
    "YYYY": "lpad(CAST(date_part('year', _0) AS VARCHAR), 4, '0')",
    "YY": "strftime(_0, '%y')",
    "IYYY": "lpad(CAST(date_part('isoyear', _0) AS VARCHAR), 4, '0')",
    "IW": "strftime(_0, '%V')",
    "ID": "strftime(_0, '%u')",
    "MM": "strftime(_0, '%m')",
    "DDD": "strftime(_0, '%j')",
    "DD": "strftime(_0, '%d')",
    "D": "CAST(date_part('dow', _0) + 1 AS VARCHAR)",
    "Q": "CAST(date_part('quarter', _0) AS VARCHAR)",
    "HH24": "strftime(_0, '%H')",
    "HH12": "strftime(_0, '%I')",
    "MI": "strftime(_0, '%M')",
    "SS": "strftime(_0, '%S')",
    "US": "strftime(_0, '%f')",
    "MS": "strftime(_0, '%g')",
}
_WORD_CODES = {
    "Month": "rpad(strftime(_0, '%B'), 9, ' ')",
    "Mon": "strftime(_0, '%b')",
    "Day": "rpad(strftime(_0, '%A'), 9, ' ')",
    "Dy": "strftime(_0, '%a')",
    "AM": "strftime(_0, '%p')",
    "PM": "strftime(_0, '%p')",
    "am": "lower(strftime(_0, '%p'))",
    "pm": "lower(strftime(_0, '%p'))",
}
_CODES = sorted((*_NUMBER_CODES, *_WORD_CODES), key=len, reverse=True)
_READ = {"YYYY": ("%Y", "[0-9]{4}"), "MM": ("%m", "[0-9]{2}"), "DD": ("%d", "[0-9]{2}"), "HH24": ("%H", "[0-9]{2}")}
_READ |= {"MI": ("%M", "[0-9]{2}"), "SS": ("%S", "[0-9]{2}")}


@cache
def _template(sql: str) -> exp.Expr:
    return sqlglot.parse_one(sql, dialect="duckdb")


def fill(template: str, *arguments: exp.Expr) -> exp.Expr:
    """The template with its arguments put in. They leave their tree, which is about to be replaced by this one."""

    def replace(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and node.name[:1] == "_" and node.name[1:].isdigit():
            return _slot(arguments[int(node.name[1:])])
        return node

    return exp.paren(_template(template).transform(replace), copy=False)


def _slot(argument: exp.Expr) -> exp.Expr:
    """The argument in parentheses: itself the first time, since copies of copies take longest of all, later a copy."""
    used = argument.parent is not None and argument.parent.meta.get("slot")
    slot = exp.paren(argument.copy() if used else argument, copy=False)
    slot.meta["slot"] = True
    return slot


def translate_call(call: Call) -> exp.Expr:
    """The DuckDB expression of a Redshift function, or a refusal where the two would differ."""
    name = call.this.name
    arguments = call.expressions
    if name in _SPECIAL:
        return _SPECIAL[name](arguments)
    if name in _POSITIVE:
        arguments = _within(name, arguments, *_POSITIVE[name])
    if name == "SUBSTR" and len(arguments) == 3:
        arguments = _within(name, arguments, 2, 0)
        if arguments[0].is_type(DType.VARBINARY):
            return fill("from_hex(substring(hex(_0), 2 * _1 - 1, 2 * _2))", *arguments)
    if name == "SUBSTR" and arguments[0].is_type(DType.VARBINARY):
        return fill("from_hex(substring(hex(_0), 2 * _1 - 1))", *arguments)
    key = _ALIASES.get(name, name)
    template = TEMPLATES.get(f"{key}/{len(arguments)}") or TEMPLATES.get(key)
    if template is None:
        raise NotInTwinError(f"the function {name}")
    return fill(template, *arguments)


def _within(name: str, arguments: list[exp.Expr], position: int, least: int) -> list[exp.Expr]:
    """The arguments, one of which must not be below a number: DuckDB differs there, or the guide gives no result."""
    value = arguments[position]
    if isinstance(value, (exp.Literal, exp.Neg)):
        if isinstance(value, exp.Literal) and value.is_int and int(value.name) >= least:
            return arguments
        raise NotInTwinError(f"{name} with an argument {position + 1} below {least}")
    unclear = f"error('the local Redshift twin does not support {name} with an argument {position + 1} below {least}')"
    checked = fill(f"CASE WHEN _0 < {least} THEN {unclear} ELSE _0 END", value)
    return [*arguments[:position], checked, *arguments[position + 1 :]]


def _constant(name: str, argument: exp.Expr, allowed: dict[str, str]) -> str:
    value = argument.name.lower() if isinstance(argument, (exp.Literal, exp.Column, exp.Var)) else ""
    if value not in allowed:
        raise NotInTwinError(f"{name} with {argument.sql()} (one of {', '.join(sorted(allowed))})")
    return allowed[value]


_SHA2 = {
    "0": "sha256(_0)",
    "256": "sha256(_0)",
    "384": "twin_sha2(_0, 384)",
    "512": "twin_sha2(_0, 512)",
}


def _sha2(arguments: list[exp.Expr]) -> exp.Expr:
    return fill(_constant("SHA2", arguments[1], _SHA2), arguments[0])


def _strtol(arguments: list[exp.Expr]) -> exp.Expr:
    bases = {"16": "CAST('0x' || _0 AS BIGINT)", "10": "CAST(_0 AS BIGINT)"}
    return fill(_constant("STRTOL", arguments[1], bases), arguments[0])


def _to_varbyte(arguments: list[exp.Expr]) -> exp.Expr:
    encodings = {"hex": "from_hex(_0)", "hexadecimal": "from_hex(_0)", "utf8": "encode(_0)", "utf-8": "encode(_0)"}
    encodings["base64"] = "from_base64(_0)"
    return fill(_constant("TO_VARBYTE", arguments[1], encodings), arguments[0])


def _from_varbyte(arguments: list[exp.Expr]) -> exp.Expr:
    encodings = {"hex": "lower(hex(_0))", "utf8": "decode(_0)", "utf-8": "decode(_0)"}
    encodings["base64"] = "base64(_0)"
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
    return _joined(_to_char_parts(arguments[1]), arguments[0])


def _joined(templates: list[str], *arguments: exp.Expr) -> exp.Expr:
    return fill(" || ".join(templates) or "''", *arguments)


def _to_char_parts(pattern: exp.Expr) -> list[str]:
    """DuckDB's template for each part of a constant pattern; letters that are no code are refused."""
    rest, made = pattern.name if isinstance(pattern, exp.Literal) else "?", []
    while rest:
        code = next((code for code in _CODES if _begins(rest, code)), None)
        if code is None and rest[0] not in "-/:. ,":
            raise NotInTwinError(f"TO_CHAR with the pattern {pattern.sql()}")
        made.append({**_NUMBER_CODES, **_WORD_CODES}[code] if code else f"'{rest[0]}'")
        rest = rest[len(code or " ") :]
    return made


def _begins(rest: str, code: str) -> bool:
    return rest.startswith(code) if code in _WORD_CODES else rest.upper().startswith(code)


def _reader(target: str) -> Translation:
    """TO_DATE and TO_TIMESTAMP of texts with all their digits; how shorter ones are read is not said."""

    def translate_reader(arguments: list[exp.Expr]) -> exp.Expr:
        pattern = arguments[1]
        rest, shape, form = pattern.name if isinstance(pattern, exp.Literal) else "?", "", ""
        while rest:
            code = next((code for code in _READ if rest.startswith(code)), None)
            if code is None and rest[0] not in "-/:., ":
                raise NotInTwinError(f"a date with the pattern {pattern.sql()}")
            spelled, digits = _READ[code] if code else (rest[0], rest[0].replace(".", "[.]"))
            shape, form, rest = shape + digits, form + spelled, rest[len(code or " ") :]
        unclear = "error('the local Redshift twin does not support this text under its pattern: ' || _0)"
        whens = f"WHEN regexp_full_match(_0, '{shape}') THEN CAST(strptime(_0, '{form}') AS {target})"
        return fill(f"CASE {whens} WHEN NOT _0 IS NULL THEN {unclear} END", arguments[0])

    return translate_reader


def _regexp(name: str, template: str, defaults: tuple[str, ...], *, option: int) -> Translation:
    """A function of a text, a constant pattern and constant options; only the PCRE dialect is certain enough.

    `option` is the position of the flags; a group is asked for with the flag e.
    """

    def translate_regexp(arguments: list[exp.Expr]) -> exp.Expr:
        flags = arguments[option].name if len(arguments) > option else ""
        pattern = arguments[1]
        if not isinstance(pattern, exp.Literal) or "p" not in flags or set(flags) - set("cep"):
            raise NotInTwinError(f"{name} unless its pattern is constant and its parameters are p, e or c")
        rest = [*arguments[2:option], *map(exp.Literal.number, defaults[len(arguments[2:option]) :])]
        if name == "REGEXP_REPLACE":
            _check_replacement(rest[0])
        checked = exp.Literal.string(check(pattern.name, pcre=True))
        group = exp.Literal.number(int("e" in flags))
        return fill(template, arguments[0], checked, *rest, group)

    return translate_regexp


def _check_replacement(node: exp.Expr) -> None:
    if not isinstance(node, exp.Literal) or set(node.name) & set("\\$"):
        raise NotInTwinError("REGEXP_REPLACE with a replacement that is computed or has \\ or $")


def _fingerprint(arguments: list[exp.Expr]) -> exp.Expr:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_FARMFINGERPRINT64.html"""
    if not arguments[0].is_type(*_HASHED):
        raise NotInTwinError("FARMFINGERPRINT64 of anything but VARCHAR or VARBYTE; cast it")
    return fill("twin_fingerprint(_0)", arguments[0])


def _last_day(arguments: list[exp.Expr]) -> exp.Expr:
    if not arguments[0].is_type(DType.DATE, DType.TIMESTAMP):
        raise NotInTwinError("LAST_DAY of anything but a date or timestamp")
    return fill("last_day(_0)", arguments[0])


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
    "FARMFINGERPRINT64": _fingerprint,
    "LAST_DAY": _last_day,
    "TO_DATE": _reader("DATE"),
    "TO_TIMESTAMP": _reader("TIMESTAMPTZ"),
    "REGEXP_INSTR": _regexp("REGEXP_INSTR", "twin_regexp_instr(_0, _1, _2, _3, _4)", ("1", "1", "0"), option=5),
    "REGEXP_SUBSTR": _regexp("REGEXP_SUBSTR", "twin_regexp_substr(_0, _1, _2, _3, _4)", ("1", "1"), option=4),
    "REGEXP_COUNT": _regexp("REGEXP_COUNT", "twin_regexp_count(_0, _1, _2)", ("1",), option=3),
    "REGEXP_REPLACE": _regexp("REGEXP_REPLACE", "twin_regexp_replace(_0, _1, _2, _3)", ("", "1"), option=4),
}
