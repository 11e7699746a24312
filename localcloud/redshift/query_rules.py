"""Rules on the shape of a query: set operations, WITH, windows, aggregates. Each refusal has its page.

The tree is as parsed; rules that need types or resolved columns are elsewhere.
"""

from __future__ import annotations

from sqlglot import exp

from localcloud.redshift.errors import RedshiftError, syntax_error, unsupported

_DG = "https://docs.aws.amazon.com/redshift/latest/dg"
_WINDOWS = f"{_DG}/c_Window_functions.html"
_WITH = f"{_DG}/r_WITH_clause.html"
_UNFRAMED = (exp.GroupConcat, exp.Median, exp.PercentileCont, exp.PercentileDisc)
# Functions over a window that is only partitioned: they take neither ORDER BY nor a frame in OVER.
_RANKINGS = (exp.Lag, exp.Lead, exp.RowNumber, exp.Rank, exp.DenseRank, exp.Ntile, exp.CumeDist, exp.PercentRank)
_FRAMED = (exp.AggFunc, exp.FirstValue, exp.LastValue, exp.NthValue)


def check_shape(tree: exp.Expr) -> None:
    """Raises RedshiftError for what Redshift's guide excludes."""
    for node in tree.find_all(exp.SetOperation):
        _check_set_operation(node)
    for clause in tree.find_all(exp.With):
        _check_with(clause)
    for window in tree.find_all(exp.Window):
        _check_window(window)
    for select in tree.find_all(exp.Select):
        _check_select(select)
    for count in tree.find_all(exp.Count):
        _check_count(count)
    if any(between.args.get("symmetric") for between in tree.find_all(exp.Between)):
        raise syntax_error("SYMMETRIC")


def _check_set_operation(node: exp.SetOperation) -> None:
    if not isinstance(node, exp.Union) and not node.args.get("distinct"):
        raise unsupported(f"{node.key.upper()} ALL", f"{_DG}/r_UNION.html")
    for side in (node.this, node.expression):
        if side.unnest().args.get("limit") or side.args.get("limit"):
            message = "LIMIT may not be used within input to set operations"
            raise RedshiftError(message, code="0A000", link=f"{_DG}/r_UNION.html")


def _check_with(clause: exp.With) -> None:
    if clause.find_ancestor(exp.With):
        raise unsupported("WITH inside a WITH clause subquery", _WITH)
    if clause.args.get("recursive"):
        if clause.parent is not None and clause.parent.find_ancestor(exp.Select, exp.SetOperation):
            raise unsupported("WITH RECURSIVE in a subquery", _WITH)
        for table in clause.expressions:
            _check_recursive(table)
        return
    seen: set[str] = set()
    for table in clause.expressions:
        if table.alias.lower() in seen:
            raise RedshiftError(f'WITH query name "{table.alias}" specified more than once', code="42712", link=_WITH)
        seen.add(table.alias.lower())


def _check_recursive(table: exp.CTE) -> None:
    body = table.this
    own = [found for found in body.find_all(exp.Table) if not found.db and found.name.lower() == table.alias.lower()]
    if not own:
        return
    if not table.args["alias"].columns:
        raise RedshiftError(f'recursive CTE "{table.alias}" must have a column list', code="42601", link=_WITH)
    if not isinstance(body, exp.Union) or body.args.get("distinct"):
        raise unsupported("a recursive CTE that is not a UNION ALL of two queries", _WITH)
    member = body.expression.unnest()
    if any(member.args.get(name) or body.args.get(name) for name in ("order", "limit", "offset")):
        raise unsupported("ORDER BY or LIMIT in a recursive CTE", _WITH)


def function_of(window: exp.Window) -> exp.Expr:
    """The function inside OVER, without IGNORE NULLS and WITHIN GROUP."""
    inner = window.this
    while isinstance(inner, (exp.IgnoreNulls, exp.RespectNulls, exp.WithinGroup)):
        inner = inner.this
    return inner if isinstance(inner, exp.Expr) else window


def _check_window(window: exp.Window) -> None:
    function, order, spec = function_of(window), window.args.get("order"), window.args.get("spec")
    if isinstance(function, _UNFRAMED) or function.key == "ratiotoreport":
        if order or spec:
            raise unsupported(f"ORDER BY or a frame in OVER for {function.key.upper()}", _WINDOWS)
    elif order and not spec and isinstance(function, _FRAMED) and not isinstance(function, _RANKINGS):
        message = "Aggregate window functions with an ORDER BY clause require a frame clause"
        raise RedshiftError(message, code="42601", link=_WINDOWS)
    if isinstance(function.this, exp.Distinct) and not isinstance(function, exp.GroupConcat):
        raise unsupported("DISTINCT in a window function", _WINDOWS)
    if isinstance(function, (exp.Lag, exp.Lead)) and function.args.get("default"):
        raise unsupported(f"a default value in {function.key.upper()}", f"{_DG}/r_WF_{function.key.upper()}.html")
    _check_keys(window)
    if spec:
        _check_frame(spec)


def _check_keys(window: exp.Window) -> None:
    order = window.args.get("order")
    if any(key.is_string for key in window.args.get("partition_by") or []):
        raise unsupported("a string constant in PARTITION BY", _WINDOWS)
    if order and any(isinstance(key.this, exp.Literal) for key in order.expressions):
        raise unsupported("a constant in the ORDER BY of a window", _WINDOWS)


def _check_frame(spec: exp.WindowSpec) -> None:
    if str(spec.args.get("kind")).upper() != "ROWS":
        raise unsupported(f"the frame {spec.args.get('kind')}", _WINDOWS)
    start, end = (_bound(spec, side) for side in ("start", "end"))
    if start > end:
        raise syntax_error(f"{spec.args.get('end_side') or 'CURRENT ROW'}")


def _bound(spec: exp.WindowSpec, side: str) -> float:
    """The bound as a distance from the current row."""
    value, direction = spec.args.get(side), str(spec.args.get(f"{side}_side") or "").upper()
    sign = -1 if direction == "PRECEDING" else 1
    if value is None or str(value).upper() == "CURRENT ROW":
        return 0
    if str(value).upper() == "UNBOUNDED":
        return sign * float("inf")
    if isinstance(value, exp.Literal) and value.is_int:
        return sign * int(value.name)
    raise unsupported("a frame bound that is not a constant", _WINDOWS)


def _check_count(count: exp.Count) -> None:
    counted = count.this.expressions if isinstance(count.this, exp.Distinct) else [count.this, *count.expressions]
    if len(counted) > 1:
        link = f"{_DG}/r_COUNT.html"
        raise RedshiftError(f"function count() with {len(counted)} arguments does not exist", code="42883", link=link)


def _check_qualify(select: exp.Select) -> None:
    """Directly after FROM, QUALIFY needs an alias before it."""
    between = any(select.args.get(name) for name in ("where", "group", "having"))
    if not select.args.get("qualify") or between or not select.args.get("from_"):
        return
    joins = select.args.get("joins") or []
    last = joins[-1] if joins else select.args["from_"]
    if not (last.args.get("on") or last.args.get("using") or last.this.alias):
        message = 'syntax error at or near "QUALIFY": the relation before it must have an alias'
        raise RedshiftError(message, code="42601", link=f"{_DG}/r_QUALIFY_clause.html")


def _check_select(select: exp.Select) -> None:
    _check_qualify(select)
    for clause in (select.args.get("where"), select.args.get("having"), select.args.get("group")):
        window = clause.find(exp.Window) if clause else None
        if window is not None and window.parent_select is select:
            raise RedshiftError(
                "window functions are allowed only in the select list, QUALIFY and ORDER BY",
                code="42P20",
                link=_WINDOWS,
            )
    _check_sorted_aggregates(select)


def _check_sorted_aggregates(select: exp.Select) -> None:
    """LISTAGG, MEDIAN and PERCENTILE_* sort on compute nodes, and only once per query block."""
    found = [each for each in select.find_all(*_UNFRAMED) if each.parent_select is select]
    if not found:
        return
    if not select.root().find(exp.Table, exp.Unnest):
        raise RedshiftError(
            "LISTAGG, MEDIAN and PERCENTILE_CONT are compute node only functions and need a table",
            code="0A000",
            link=f"{_DG}/r_LISTAGG.html",
        )
    orders = {_sort_key(each) for each in found if not isinstance(_around(each).parent, exp.Window)} - {""}
    if len(orders) > 1:
        message = "within group ORDER BY clauses for aggregate functions must be the same"
        raise RedshiftError(message, code="0A000", link=f"{_DG}/r_MEDIAN.html")


def _around(function: exp.Expr) -> exp.Expr:
    return function.parent if isinstance(function.parent, exp.WithinGroup) else function


def _sort_key(function: exp.Expr) -> str:
    if isinstance(function, exp.Median):
        return str(function.this.sql())
    around = _around(function)
    return (
        ", ".join(key.sql().replace(" NULLS LAST", "") for key in around.expression.expressions)
        if around is not function
        else ""
    )
