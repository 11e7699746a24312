"""Aggregates and window functions in DuckDB: LISTAGG, percentiles, RATIO_TO_REPORT, AVG and SUM over windows.

https://docs.aws.amazon.com/redshift/latest/dg/c_Aggregate_Functions.html
"""

from __future__ import annotations

from sqlglot import exp

from localcloud.redshift.errors import NotInTwinError
from localcloud.redshift.functions import fill
from localcloud.redshift.kinds import FLOATS

_LISTAGG_BYTES = 65_535


def translate_sorted(node: exp.Expr, window: exp.Expr | None = None) -> exp.Expr:
    """LISTAGG or PERCENTILE_* WITHIN GROUP, inside its window when it has one."""
    inner = node.this if isinstance(node, exp.WithinGroup) else node
    order = node.expression if isinstance(node, exp.WithinGroup) else None
    if isinstance(inner, exp.GroupConcat):
        return _listagg(inner, order, window)
    if isinstance(inner, (exp.PercentileCont, exp.PercentileDisc)):
        return _percentile(inner, order, window)
    raise NotInTwinError(f"WITHIN GROUP of {inner.key.upper()}")


def _listagg(inner: exp.GroupConcat, order: exp.Expr | None, window: exp.Expr | None) -> exp.Expr:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_LISTAGG.html"""
    values, separator = inner.this, inner.args.get("separator")
    distinct = isinstance(values, exp.Distinct)
    if distinct:
        separator = values.expressions[1] if len(values.expressions) > 1 else None
        values = values.expressions[0]
    sorting = f" ORDER BY {', '.join(_duckdb(key) for key in order.expressions)}" if order else ""
    joined = _duckdb(separator) if separator else "''"
    text = f"string_agg({'DISTINCT ' if distinct else ''}CAST({_duckdb(values)} AS VARCHAR), {joined}{sorting})"
    aggregate = over(exp.maybe_parse(text, dialect="duckdb"), window)
    too_long = "error('Result size exceeds LISTAGG limit')"
    return fill(f"CASE WHEN strlen(_0) > {_LISTAGG_BYTES} THEN {too_long} ELSE _0 END", aggregate)


def _percentile(inner: exp.Expr, order: exp.Expr | None, window: exp.Expr | None) -> exp.Expr:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_PERCENTILE_CONT.html"""
    keys = order.expressions if order else []
    if len(keys) != 1:
        raise NotInTwinError(f"{inner.key.upper()} without one ORDER BY expression")
    if isinstance(inner, exp.PercentileCont):
        return continuous(keys[0].this, inner.this, window, descending=bool(keys[0].args.get("desc")))
    direction = " DESC" if keys[0].args.get("desc") else ""
    text = f"percentile_disc({_duckdb(inner.this)}) WITHIN GROUP (ORDER BY {_duckdb(keys[0].this)}{direction})"
    if window is not None:
        if direction:
            raise NotInTwinError("PERCENTILE_DISC over a window in descending order")
        text = f"quantile_disc({_duckdb(keys[0].this)}, {_duckdb(inner.this)})"
    return over(exp.maybe_parse(text, dialect="duckdb"), window)


def continuous(value: exp.Expr, share: exp.Expr, window: exp.Expr | None, *, descending: bool = False) -> exp.Expr:
    """PERCENTILE_CONT and MEDIAN; of exact numbers the guide does not give the scale."""
    if not value.is_type(*FLOATS):
        raise NotInTwinError("PERCENTILE_CONT or MEDIAN of anything but DOUBLE PRECISION; cast the argument")
    wanted = f"1 - CAST({_duckdb(share)} AS DOUBLE)" if descending else _duckdb(share)
    return over(exp.maybe_parse(f"quantile_cont({_duckdb(value)}, {wanted})", dialect="duckdb"), window)


def translate_ratio(window: exp.Expr) -> exp.Expr:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_WF_RATIO_TO_REPORT.html"""
    value = fill("CAST(_0 AS DOUBLE)", window.this.this)
    return fill("_0 / _1", value, over(exp.Sum(this=value.copy()), window))


def over(aggregate: exp.Expr, window: exp.Expr | None = None) -> exp.Expr:
    """The aggregate in that window, or as it is."""
    if window is None:
        return aggregate
    made = window.copy()
    made.set("this", aggregate)
    return made


def _duckdb(node: exp.Expr) -> str:
    return node.sql(dialect="duckdb", identify=True)
