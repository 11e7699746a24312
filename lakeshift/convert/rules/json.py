"""JSON functions: JSON is SUPER, read by navigation where it is a column, and by this module where it is constant.

A text is not navigable; JSON_PARSE of it must be a column of a subquery first.
https://docs.aws.amazon.com/redshift/latest/dg/query-super.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from sqlglot import exp

from lakeshift.convert.build import KINDS, call, cast, name, number, text
from lakeshift.convert.rule import Refused, Rewrite, Typing
from lakeshift.convert.rules.arguments import constant_int, constant_text, fixed, is_null, need, need_text, put, refuse

_SUPER = "https://docs.aws.amazon.com/redshift/latest/dg/query-super.html"
_CASE = "https://docs.aws.amazon.com/redshift/latest/dg/r_enable_case_sensitive_super_attribute.html"
_NESTED = ("ARRAY<", "STRUCT<")
_MISSING = object()
# Types whose text in JSON is the same in both engines; INT64 is quoted by BigQuery beyond 2^53.
_NOT_SAME = re.compile(r"\b(INT64|FLOAT64|NUMERIC|BIGNUMERIC|DATE|DATETIME|TIMESTAMP|TIME|BYTES|GEOGRAPHY|INTERVAL)\b")


class _Digits(str):
    """A number as it is written."""

    __slots__ = ()


def _steps(path: exp.Expr | None, construct: str) -> list[str | int]:
    if path is None:
        return []
    if not isinstance(path, exp.JSONPath):
        raise Refused("not-constant", f"the path of {construct} that is not a constant", "write the path itself.")
    return [_step(part, construct) for part in path.expressions if not isinstance(part, exp.JSONPathRoot)]


def _step(part: exp.Expr, construct: str) -> str | int:
    step = part.this
    if isinstance(part, exp.JSONPathKey) and isinstance(step, str):
        return step
    if isinstance(part, exp.JSONPathSubscript) and isinstance(step, (int, str)):
        return step
    raise Refused("json-path", f"the step {part.sql()} in {construct}", "name each field and position.")


# --- constants -------------------------------------------------------------------------------------------------------


def _constant(node: exp.Expr, typing: Typing) -> tuple[Any, bool] | None:
    """The value of a constant, and whether it is of type JSON; None for what is computed."""
    inner = node.unnest() if isinstance(node, exp.Paren) else node
    if isinstance(inner, exp.Anonymous) and inner.name == "JSON_PARSE":
        shown = constant_text(inner.expressions[0])
        return None if shown is None else (_loads(shown), True)
    shown = constant_text(inner) if isinstance(inner, exp.Literal) else None
    return None if shown is None or typing.kind(node) == "JSON" else (_loads(shown), False)


def _loads(shown: str) -> Any:
    try:
        return json.loads(shown, parse_float=_Digits, parse_int=_Digits, object_pairs_hook=_object)
    except ValueError as error:
        raise Refused("argument", f"the text {shown[:40]!r}, which is not JSON", "correct it.") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise Refused("doubled-field", "a JSON object with one name twice", "Redshift refuses it.")
    return dict(pairs)


def _written(value: Any) -> str:
    """Compact JSON, digits as they were written."""
    if isinstance(value, _Digits):
        return str(value)
    if isinstance(value, dict):
        return (
            "{" + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{_written(one)}" for key, one in value.items()) + "}"
        )
    if isinstance(value, list):
        return f"[{','.join(map(_written, value))}]"
    return json.dumps(value, ensure_ascii=False)


def _found(value: Any, steps: list[str | int]) -> Any:
    for step in steps:
        if isinstance(value, list) and str(step).isdigit():
            value = value[int(step)] if int(step) < len(value) else _MISSING
        else:
            value = value.get(str(step), _MISSING) if isinstance(value, dict) else _MISSING
        if value is _MISSING:
            return _MISSING
    return value


def _is_scalar(value: Any) -> bool:
    return value is not _MISSING and value is not None and not isinstance(value, (dict, list))


def _shown(value: Any) -> exp.Expr:
    """A scalar as STRING."""
    return text(str(value) if isinstance(value, str) else _written(value))


def _absent(kind: str) -> exp.Expr:
    return fixed(cast(exp.Null(), KINDS.get(kind, "SUPER")), kind)


# --- reading ---------------------------------------------------------------------------------------------------------


def _reader(
    construct: str,
    of_constant: Callable[[Any, bool], exp.Expr],
    of_path: Callable[[exp.Expr], exp.Expr] | None,
) -> Rewrite:
    """A rule for a function of a JSON value and a constant path."""

    def rewrite(node: exp.Expr, typing: Typing) -> exp.Expr:
        steps = _steps(node.args.get("expression"), construct)
        if is_null(node.this):
            return of_constant(_MISSING, False)
        known = _constant(node.this, typing)
        if known is not None:
            return of_constant(_found(known[0], steps), known[1])
        if need(typing, node.this, construct, "JSON", "STRING") == "STRING":
            advice = "parse the text with PARSE_JSON in a subquery and read that column."
            raise Refused("json-text", f"{construct} of a text", advice, _SUPER)
        if of_path is None:
            raise Refused("json-items", f"{construct} of a column", "unnest it and read each item.", _SUPER)
        return of_path(navigated(node.this, steps, construct))

    return rewrite


def navigated(node: exp.Expr, steps: list[str | int], construct: str) -> exp.Expr:
    """The path into a SUPER column.

    Raises:
        Refused: the value is computed, or a name has capital letters, which Redshift would fold.
    """
    if not isinstance(node, (exp.Column, exp.Dot, exp.Bracket)):
        raise Refused("navigation", f"{construct} of a computed value", "put it into a column of a subquery.", _SUPER)
    made: exp.Expr = node.copy()
    for step in steps:
        if isinstance(step, int):
            made = exp.Bracket(this=made, expressions=[number(step)])
            continue
        if step != step.lower():
            raise Refused("field-case", f"the field {step}, whose name has capital letters", "rename it.", _CASE)
        made = exp.Dot(this=made, expression=name(step))
    return made


def _value(value: Any, _: bool) -> exp.Expr:
    return fixed(_shown(value), "STRING") if _is_scalar(value) else _absent("STRING")


def _value_path(path: exp.Expr) -> exp.Expr:
    scalar = "JSON_TYPEOF(_0) IN ('string', 'number', 'boolean')"
    return put(f"CASE WHEN {scalar} THEN CAST(_0 AS VARCHAR(65535)) END", "STRING", path)


def _query(value: Any, is_json: bool) -> exp.Expr:
    """SQL NULL for the null of a text, JSON null for that of a JSON value."""
    if value is _MISSING or (value is None and not is_json):
        return _absent("JSON" if is_json else "STRING")
    return _parsed(value) if is_json else fixed(text(_written(value)), "STRING")


def _parsed(value: Any, kind: str = "JSON") -> exp.Expr:
    return fixed(call("JSON_PARSE", text(_written(value))), kind)


def _array(value: Any, is_json: bool) -> exp.Expr:
    kind = "ARRAY<JSON>" if is_json else "ARRAY<STRING>"
    if not isinstance(value, list):
        return _absent(kind)
    items = [call("JSON_PARSE", text(_written(item))) if is_json else text(_written(item)) for item in value]
    return fixed(call("ARRAY", *items), kind)


def _array_path(path: exp.Expr) -> exp.Expr:
    return put("CASE WHEN IS_ARRAY(_0) THEN _0 END", "ARRAY<JSON>", path)


def _value_array(value: Any, _: bool) -> exp.Expr:
    kind = "ARRAY<STRING>"
    if not isinstance(value, list) or any(isinstance(item, (dict, list)) for item in value):
        return _absent(kind)
    return fixed(call("ARRAY", *(exp.Null() if item is None else _shown(item) for item in value)), kind)


# --- making ----------------------------------------------------------------------------------------------------------


def _parse(node: exp.Expr, typing: Typing) -> exp.Expr:
    """A constant is checked here; numbers are written as BigQuery writes them."""
    if node.args.get("expression") is not None:
        raise Refused("argument", "PARSE_JSON with wide_number_mode", "Redshift keeps all digits.")
    need(typing, node.this, "PARSE_JSON", "STRING")
    shown = constant_text(node.this)
    if shown is None:
        return put("JSON_PARSE(_0)", "JSON", node.this)
    return _parsed(_canonical(_loads(shown)))


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _canonical(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_canonical(one) for one in value]
    if isinstance(value, _Digits) and not re.fullmatch(r"-?\d+", value):
        digits = repr(float(value))
        if not re.fullmatch(r"-?\d+\.\d+", digits):
            raise Refused("json-number", f"the JSON number {value}", "its text differs between the engines.")
        return _Digits(digits)
    return value


def _to_json_string(node: exp.Expr, typing: Typing) -> exp.Expr:
    if node.args.get("options") is not None or node.args.get("expression") is not None:
        raise Refused("argument", "TO_JSON_STRING with pretty_print", "print it in the client.")
    kind = typing.kind(node.this)
    if node.args.get("to_json"):
        return _to_json(node.this, kind)
    if kind == "BOOL":
        return put("CASE WHEN _0 THEN 'true' WHEN NOT _0 THEN 'false' ELSE 'null' END", "STRING", node.this)
    if kind == "INT64":
        bounds = "_0 BETWEEN -9007199254740992 AND 9007199254740992"
        quoted = "'\"' || CAST(_0 AS VARCHAR(20)) || '\"'"
        template = f"CASE WHEN {bounds} THEN CAST(_0 AS VARCHAR(20)) WHEN _0 IS NOT NULL THEN {quoted} ELSE 'null' END"
        return put(template, "STRING", node.this)
    if kind != "JSON" and not kind.startswith(_NESTED):
        raise Refused("argument-type", f"TO_JSON_STRING of {kind or 'an unknown type'}", "print it in the client.")
    known = _plain(node.this)
    if known is not _MISSING:
        return fixed(text(_written(known)), "STRING")
    if _NOT_SAME.search(kind):
        raise Refused("argument-type", f"TO_JSON_STRING of {kind[:60]}", "numbers and times are written differently.")
    if kind == "JSON" and not isinstance(node.this, exp.Column):
        raise Refused(
            "json-order", "TO_JSON_STRING of JSON that is made here", "BigQuery gives no order of its fields."
        )
    return put("COALESCE(JSON_SERIALIZE(_0), 'null')", "STRING", node.this)


def _plain(node: exp.Expr) -> Any:
    """The value of an array or object of constants that is written out; a mark for anything else."""
    if isinstance(node, exp.Anonymous) and node.name in ("ARRAY", "OBJECT"):
        items = [_plain(item) for item in node.expressions]
        if any(item is _MISSING for item in items):
            return _MISSING
        return items if node.name == "ARRAY" else dict(zip(items[::2], items[1::2], strict=True))
    number_ = constant_int(node)
    if number_ is not None and abs(number_) <= 2**53:
        return number_
    shown = constant_text(node) if isinstance(node, exp.Literal) else None
    if shown is not None and shown.isprintable():
        return shown
    return None if is_null(node) else node.this if isinstance(node, exp.Boolean) else _MISSING


def _to_json(node: exp.Expr, kind: str) -> exp.Expr:
    if kind == "JSON" or (kind.startswith(_NESTED) and not _NOT_SAME.search(kind.replace("INT64", ""))):
        return fixed(node.copy(), "JSON")
    if kind in ("INT64", "STRING", "BOOL"):
        return put("COALESCE(CAST(_0 AS SUPER), JSON_PARSE('null'))", "JSON", node)
    raise Refused("argument-type", f"TO_JSON of {kind or 'an unknown type'}", "keep it as a column.")


def _json_array(node: exp.Expr, typing: Typing) -> exp.Expr:
    return fixed(call("ARRAY", *(_item(item, typing, "JSON_ARRAY") for item in node.expressions)), "JSON")


def _item(node: exp.Expr, typing: Typing, construct: str) -> exp.Expr:
    kind = typing.kind(node)
    if kind in ("INT64", "STRING", "BOOL", "JSON", "NULL") or kind.startswith(_NESTED):
        return node
    raise Refused("argument-type", f"{construct} of {kind or 'an unknown type'}", "keep it as a column.")


def _json_object(node: exp.Expr, typing: Typing) -> exp.Expr:
    parts: list[exp.Expr] = []
    for pair in node.expressions:
        if not isinstance(pair, exp.JSONKeyValue):
            raise Refused("argument", "JSON_OBJECT of arrays", "write each name and value.")
        parts += [text(need_text(pair.this, "a name in JSON_OBJECT")), _item(pair.expression, typing, "JSON_OBJECT")]
    names = [part.name for part in parts[::2]]
    if len(set(names)) < len(names):
        raise Refused("doubled-field", "JSON_OBJECT with one name twice", "name each value once.")
    return fixed(call("OBJECT", *parts), "JSON")


def _key_value(node: exp.Expr, _: Typing) -> exp.Expr:
    return node


def _typed(kind: str, construct: str) -> Rewrite:
    """BOOL(json), INT64(json), FLOAT64(json): BigQuery fails for another kind of value, Redshift gives NULL."""

    def rewrite(node: exp.Expr, typing: Typing) -> exp.Expr:
        need(typing, node.this, construct, "JSON")
        return put(f"CAST(_0 AS {KINDS[kind]})", kind, node.this)

    return rewrite


def _type_of(node: exp.Expr, typing: Typing) -> exp.Expr:
    need(typing, node.this, "JSON_TYPE", "JSON")
    return put("JSON_TYPEOF(_0)", "STRING", node.this)


_CHANGE = "Redshift cannot change a part of a SUPER value; build it with OBJECT and ARRAY."
_LAX = "Redshift converts leniently by other rules; use BOOL, INT64, FLOAT64 or STRING of the value."
_REFUSED: dict[str, tuple[str, str]] = {
    "JSONArrayAppend": ("JSON_ARRAY_APPEND", _CHANGE),
    "JSONArrayInsert": ("JSON_ARRAY_INSERT", _CHANGE),
    "JSONKeysAtDepth": ("JSON_KEYS", "Redshift has no function for it."),
    "JSONRemove": ("JSON_REMOVE", _CHANGE),
    "JSONSet": ("JSON_SET", _CHANGE),
    "JSONStripNulls": ("JSON_STRIP_NULLS", _CHANGE),
    "LaxBool": ("LAX_BOOL", _LAX),
    "LaxFloat64": ("LAX_FLOAT64", _LAX),
    "LaxInt64": ("LAX_INT64", _LAX),
    "LaxString": ("LAX_STRING", _LAX),
}
RULES: dict[type[exp.Expr], Rewrite] = {
    **{getattr(exp, shape): refuse(*words) for shape, words in _REFUSED.items()},
    exp.Float64: _typed("FLOAT64", "FLOAT64"),
    exp.Int64: _typed("INT64", "INT64"),
    exp.JSONArray: _json_array,
    exp.JSONBool: _typed("BOOL", "BOOL"),
    exp.JSONExtract: _reader("JSON_QUERY", _query, lambda path: fixed(path, "JSON")),
    exp.JSONExtractArray: _reader("JSON_QUERY_ARRAY", _array, _array_path),
    exp.JSONExtractScalar: _reader("JSON_VALUE", _value, _value_path),
    exp.JSONFormat: _to_json_string,
    exp.JSONKeyValue: _key_value,
    exp.JSONObject: _json_object,
    exp.JSONType: _type_of,
    exp.JSONValueArray: _reader("JSON_VALUE_ARRAY", _value_array, None),
    exp.ParseJSON: _parse,
}
