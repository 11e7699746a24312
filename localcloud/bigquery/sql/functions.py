"""Functions and casts that DuckDB spells alike and answers differently: corrected or refused."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from localcloud.bigquery.errors import unsupported
from localcloud.bigquery.sql.names import Names

_REFUSED = (exp.Format, exp.String)
_WEEKS = {"WEEK", "ISOWEEK", "ISOYEAR"}
_BINARY = (exp.DType.BINARY, exp.DType.VARBINARY)
_WORD_BITS = 64
# What FORMAT_DATE and its like are asked for, and the parts of DuckDB's text of a moment that it is made of.
_CLOCK = "strftime({0}, '%H:%M:%S.%f')"
_DAY = "lpad(CAST(date_part('year', {0}) AS VARCHAR), 4, '0') || strftime({0}, '-%m-%d')"
_FORMATS = {
    "%E4Y-%m-%d": _DAY,
    "%H:%M:%E6S": _CLOCK,
    "%H:%M:%S.%f": _CLOCK,
    "%E4Y-%m-%d %H:%M:%S.%f": f"{_DAY} || ' ' || {_CLOCK}",
}
_FLOAT_MAKERS = (exp.Div, exp.Avg, exp.Sqrt, exp.Pow, exp.Exp, exp.Ln, exp.Log, exp.Stddev, exp.Variance, exp.Rand)
_MOMENTS = {"TIMESTAMP", "DATETIME", "TIME"}
_TIMESTAMP = exp.DataType.build("TIMESTAMPTZ", dialect="duckdb")
_INT = exp.DataType.build("BIGINT", dialect="duckdb")


def rewrite(root: exp.Expr, names: Names) -> None:
    """Correct every known difference below `root`; raises where only a refusal is right."""
    for call in reversed(list(root.find_all(exp.Anonymous))):
        if (named := _BY_NAME.get(call.name.upper())) is not None:
            call.replace(named(call))
    for refused in root.find_all(*_REFUSED):
        raise unsupported(f"the function {refused.sql_name()}")
    for kind, correct in _CORRECTIONS.items():
        for node in reversed(list(root.find_all(kind))):
            if (better := correct(node, names)) is not node:
                node.replace(better)


def _cast(node: exp.Expr, names: Names) -> exp.Expr:
    kind = node.args["to"].this
    if kind in (exp.DType.BIGINT, exp.DType.INT) and _may_be_float(node.this, names):
        # BigQuery rounds half away from zero, DuckDB's own cast rounds half to even.
        rounded = exp.Round(this=exp.Cast(this=node.this.copy(), to=exp.DataType.build("DOUBLE", dialect="duckdb")))
        return type(node)(this=rounded, to=_INT.copy())
    if kind == exp.DType.TEXT:
        return _text(node, names)
    if kind in _BINARY:
        # DuckDB reads escapes where BigQuery takes the UTF-8 bytes.
        return exp.Anonymous(this="encode", expressions=[node.this.copy()])
    return node


def _text(node: exp.Expr, names: Names) -> exp.Expr:
    inner = node.this
    if names.is_numeric(inner):
        plain = exp.Cast(this=inner.copy(), to=exp.DataType.build("DECIMAL(38, 9)", dialect="duckdb"))
        return exp.Anonymous(this="numeric_text", expressions=[plain])
    if names.kinds(inner) == {"INTERVAL"}:
        return exp.Anonymous(this="interval_text", expressions=[inner.copy()])
    if _may_be_float(inner, names) or names.kinds(inner) & _MOMENTS:
        raise unsupported(f"CAST of FLOAT64, TIMESTAMP, DATETIME or TIME AS STRING: {node.sql('bigquery')}")
    return node


def _may_be_float(node: exp.Expr, names: Names) -> bool:
    if isinstance(node, exp.Cast):
        return node.to.this in (exp.DType.DOUBLE, exp.DType.FLOAT)
    literal = any(not found.is_string and not found.is_int for found in node.find_all(exp.Literal))
    return literal or names.is_float(node) or any(node.find_all(*_FLOAT_MAKERS))


def _concat(node: exp.Expr, names: Names) -> exp.Expr:
    """`||` and CONCAT take text or bytes only; DuckDB takes anything."""
    parts = node.expressions if isinstance(node, exp.Concat) else [node.this, node.expression]
    for part in parts:
        number = isinstance(part, exp.Literal) and not part.is_string
        if number or (isinstance(part, exp.Column) and names.kinds(part) - {"STRING", "BYTES"}):
            raise unsupported(f"{part.sql('bigquery')} in {node.sql('bigquery')}: only STRING and BYTES concatenate")
    return node


def _substring(node: exp.Expr, names: Names) -> exp.Expr:
    start = node.args.get("start")
    if names.kinds(node.this) == {"BYTES"}:
        return _bytes_part(node)
    if start is not None and not isinstance(start, (exp.Literal, exp.Neg)):
        raise unsupported("SUBSTR with a computed position")
    if isinstance(start, exp.Literal) and start.this == "0":
        start.replace(exp.Literal.number(1))
    return node


def _bytes_part(node: exp.Expr) -> exp.Expr:
    start, length = (node.args.get(name) for name in ("start", "length"))
    if not all(isinstance(found, exp.Literal) and found.is_int and int(found.this) > 0 for found in (start, length)):
        raise unsupported("SUBSTR of BYTES with a position or length that is no positive constant")
    numbers = [exp.Literal.number(2 * int(start.this) - 1), exp.Literal.number(2 * int(length.this))]  # type: ignore[union-attr]
    digits = exp.Anonymous(this="substring", expressions=[exp.Hex(this=node.this.copy()), *numbers])
    return exp.Anonymous(this="from_hex", expressions=[digits])


def _shift(node: exp.Expr, _: Names) -> exp.Expr:
    """BigQuery shifts zeros in, DuckDB the sign.

    https://cloud.google.com/bigquery/docs/reference/standard-sql/operators#bitwise_operators
    """
    by = node.expression
    if not (isinstance(by, exp.Literal) and by.is_int and 0 < int(by.this) < _WORD_BITS):
        raise unsupported(f"{node.sql('bigquery')}: a shift by anything but a constant from 1 to 63")
    mask = exp.Literal.number(2 ** (_WORD_BITS - int(by.this)) - 1)
    shifted = exp.BitwiseRightShift(this=exp.Cast(this=node.this.copy(), to=_INT.copy()), expression=by.copy())
    return exp.Paren(this=exp.BitwiseAnd(this=exp.Paren(this=shifted), expression=mask))


def _pad(node: exp.Expr, _: Names) -> exp.Expr:
    length = node.expression
    if isinstance(length, exp.Cast):
        return node
    length.replace(exp.Cast(this=length.copy(), to=exp.DataType.build("INT", dialect="duckdb")))
    return node


def _time_difference(node: exp.Expr, _: Names) -> exp.Expr:
    if node.args["unit"].name.upper() != "MICROSECOND":
        raise unsupported("TIME_DIFF of anything but microseconds")
    return node


def _formatted(node: exp.Expr, names: Names) -> exp.Expr:
    """FORMAT_DATE and its like; what DuckDB has no code for in the parts of its text."""
    pattern = node.args["format"].name
    if pattern not in _FORMATS:
        if "%E" in pattern:
            raise unsupported(f"the format {pattern}")
        return node
    value = f"CAST({node.this.this.sql('duckdb')} AS TIMESTAMP)"
    if names.kinds(node.this) == {"TIME"}:
        value = f"(DATE '1970-01-01' + {node.this.this.sql('duckdb')})"
    return exp.paren(exp.maybe_parse(_FORMATS[pattern].format(value), dialect="duckdb"))


def _json(node: exp.Expr, names: Names) -> exp.Expr:
    """TO_JSON_STRING of text, numbers and JSON; DuckDB writes text with other escapes, and no text for NULL.

    https://cloud.google.com/bigquery/docs/reference/standard-sql/json_functions#json_encodings
    """
    kinds = names.kinds(node.this)
    if kinds == {"FLOAT"}:
        return exp.Anonymous(this="float_json", expressions=[node.this.copy()])
    if kinds and kinds <= {"STRING", "GEOGRAPHY"}:
        return exp.Anonymous(this="string_json", expressions=[node.this.copy()])
    if kinds == {"JSON"}:
        text = exp.Cast(this=node.this.copy(), to=exp.DataType.build("VARCHAR", dialect="duckdb"))
        return exp.Coalesce(this=text, expressions=[exp.Literal.string("null")])
    raise unsupported(f"TO_JSON_STRING of anything but STRING, FLOAT64 and JSON: {node.sql('bigquery')}")


def _inside(*fields: str) -> Callable[[exp.Expr], exp.Expr]:
    """The part of a value that travels in a STRUCT, see `native`."""

    def taken(node: exp.Expr) -> exp.Expr:
        found: exp.Expr = node.expressions[0].copy()
        for field in fields:
            found = exp.Anonymous(this="struct_extract", expressions=[found, exp.Literal.string(field)])
        return found

    return taken


_BY_NAME = {
    "ST_ASTEXT": _inside("$geography"),
    "RANGE_START": _inside("$range", "start"),
    "RANGE_END": _inside("$range", "end"),
}


def _extract(node: exp.Expr, _: Names) -> exp.Expr:
    part = node.this.name.upper()
    if isinstance(node.this, exp.WeekStart) or part in _WEEKS:
        raise unsupported(f"EXTRACT({part})")
    if part != "DAYOFWEEK":
        return node
    # Sunday is 1 in BigQuery and 0 in DuckDB.
    return exp.Paren(this=exp.Add(this=node.copy(), expression=exp.Literal.number(1)))


def _difference(node: exp.Expr, _: Names) -> exp.Expr:
    """TIMESTAMP_DIFF counts whole units; DuckDB's date_diff counts the boundaries between."""
    unit = exp.Literal.string(node.args["unit"].name.lower())
    return exp.Anonymous(this="date_sub", expressions=[unit, node.expression.copy(), node.this.copy()])


def _seconds(node: exp.Expr, _: Names) -> exp.Expr:
    whole = exp.Floor(this=exp.Anonymous(this="epoch", expressions=[node.this.copy()]))
    return exp.Cast(this=whole, to=_INT.copy())


def _stamp(node: exp.Expr, _: Names) -> exp.Expr:
    return exp.Cast(this=node.copy(), to=_TIMESTAMP.copy())


def _byte_length(node: exp.Expr, names: Names) -> exp.Expr:
    """DuckDB has two functions for it, by the type."""
    if isinstance(node.this, exp.ByteString) or names.kinds(node.this) == {"BYTES"}:
        return node
    return exp.Anonymous(this="strlen", expressions=[node.this.copy()])


_CORRECTIONS: dict[type[exp.Expr], Callable[[exp.Expr, Names], exp.Expr]] = {
    exp.Cast: _cast,
    exp.DPipe: _concat,
    exp.Concat: _concat,
    exp.ByteLength: _byte_length,
    exp.Substring: _substring,
    exp.Extract: _extract,
    exp.TimestampDiff: _difference,
    exp.UnixSeconds: _seconds,
    exp.UnixToTime: _stamp,
    exp.BitwiseRightShift: _shift,
    exp.Pad: _pad,
    exp.TimeDiff: _time_difference,
    exp.TimeToStr: _formatted,
    exp.JSONFormat: _json,
}
