"""Functions and casts that DuckDB spells alike and answers differently: corrected or refused."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from localcloud.bigquery.errors import unsupported
from localcloud.bigquery.sql.names import Names

_REFUSED = (exp.Format, exp.String, exp.TimeDiff)
_WEEKS = {"WEEK", "ISOWEEK", "ISOYEAR"}
_FLOAT_MAKERS = (exp.Div, exp.Avg, exp.Sqrt, exp.Pow, exp.Exp, exp.Ln, exp.Log, exp.Stddev, exp.Variance, exp.Rand)
_MOMENTS = {"TIMESTAMP", "DATETIME", "TIME"}
_TIMESTAMP = exp.DataType.build("TIMESTAMPTZ", dialect="duckdb")
_INT = exp.DataType.build("BIGINT", dialect="duckdb")


def rewrite(root: exp.Expr, names: Names) -> None:
    """Correct every known difference below `root`; raises where only a refusal is right."""
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
    return node


def _text(node: exp.Expr, names: Names) -> exp.Expr:
    inner = node.this
    if names.is_numeric(inner):
        plain = exp.Cast(this=inner.copy(), to=exp.DataType.build("DECIMAL(38, 9)", dialect="duckdb"))
        return exp.Anonymous(this="numeric_text", expressions=[plain])
    if _may_be_float(inner, names) or names.kinds(inner) & _MOMENTS:
        raise unsupported(f"CAST of FLOAT64, TIMESTAMP, DATETIME or TIME AS STRING: {node.sql('bigquery')}")
    return node


def _may_be_float(node: exp.Expr, names: Names) -> bool:
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


def _substring(node: exp.Expr, _: Names) -> exp.Expr:
    start = node.args.get("start")
    if start is not None and not isinstance(start, (exp.Literal, exp.Neg)):
        raise unsupported("SUBSTR with a computed position")
    if isinstance(start, exp.Literal) and start.this == "0":
        start.replace(exp.Literal.number(1))
    return node


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


_CORRECTIONS: dict[type[exp.Expr], Callable[[exp.Expr, Names], exp.Expr]] = {
    exp.Cast: _cast,
    exp.DPipe: _concat,
    exp.Concat: _concat,
    exp.Substring: _substring,
    exp.Extract: _extract,
    exp.TimestampDiff: _difference,
    exp.UnixSeconds: _seconds,
    exp.UnixToTime: _stamp,
}
