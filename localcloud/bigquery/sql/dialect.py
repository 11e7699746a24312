"""BigQuery expressions as DuckDB text.

sqlglot does the spelling. What it would get wrong in value is corrected here, or refused: an answer
may be missing, never different.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation

from sqlglot import ErrorLevel, UnsupportedError, exp

from localcloud.bigquery.errors import invalid_query, unsupported
from localcloud.bigquery.load import values
from localcloud.bigquery.schema import Field, Schema
from localcloud.bigquery.sql import functions
from localcloud.bigquery.sql.names import Names

NUMERIC = exp.DataType.build("DECIMAL(38, 9)", dialect="duckdb")
DOUBLE = exp.DataType.build("DOUBLE", dialect="duckdb")
_REFUSED_TYPES = {exp.DType.GEOGRAPHY, exp.DType.RANGE, exp.DType.BIGDECIMAL}
_INEXACT = (exp.Pow, exp.Sqrt, exp.Exp, exp.Ln, exp.Log, exp.Cbrt)
_COMPARED = (exp.Binary, exp.Between, exp.In, exp.Neg, exp.Paren, exp.Tuple)


_BOUNDS = ((exp.GTE, "low"), (exp.LTE, "high"))


def to_duckdb(tree: exp.Expr, fields: Schema) -> str:
    """Translate a parsed query whose tables are already renamed; raises for what cannot be exact."""
    names = Names(fields, tree)
    names.check_special(tree)
    _check_stars(tree)
    root = exp.Paren(this=tree)
    for rewrite in _REWRITES:
        rewrite(root, names)
    try:
        text: str = root.this.sql("duckdb", unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError as error:
        raise unsupported(str(error)) from None
    return text


def name_columns(tree: exp.Expr) -> exp.Expr:
    """Give columns without a name BigQuery's f0_, f1_, ..."""
    for select in tree.find_all(exp.Select):
        number = 0
        for node in list(select.expressions):
            if not isinstance(node, (exp.Alias, exp.Column, exp.Dot, exp.Star)):
                node.replace(exp.alias_(node.copy(), f"f{number}_"))
                number += 1
    return tree


def _check_stars(tree: exp.Expr) -> None:
    """BigQuery's star opens the structs of an UNNEST; DuckDB's does not."""
    for select in tree.find_all(exp.Select):
        bare = any(isinstance(e, exp.Star) for e in select.expressions)
        sources = [select.args.get("from_"), *(select.args.get("joins") or ())]
        if bare and any(s is not None and (isinstance(s.this, exp.Unnest) or s.args.get("using")) for s in sources):
            raise unsupported("SELECT * beside UNNEST or JOIN USING; name the columns")


def _comparisons(root: exp.Expr, names: Names) -> None:
    """NaN compares with nothing in BigQuery; for DuckDB it is the greatest number and equal to itself."""
    for between in list(root.find_all(exp.Between)):
        if names.is_float(between.this):
            low, high = (kind(this=between.this.copy(), expression=between.args[end].copy()) for kind, end in _BOUNDS)
            between.replace(exp.Paren(this=exp.And(this=low, expression=high)))
    for one in list(root.find_all(exp.In, exp.Case, exp.Nullif)):
        if any(names.is_float(side) for side in (one.this, one.expression, *one.expressions) if side):
            _as_equations(one)
    for node in reversed(list(root.find_all(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE))):
        sides = [side for side in (node.this, node.expression) if names.is_float(side)]
        if sides:
            tests: list[exp.Expr] = [exp.IsNan(this=side.copy()) for side in sides]
            truth = exp.Boolean(this=isinstance(node, exp.NEQ))
            absent = exp.or_(*(side.copy().is_(exp.null()) for side in (node.this, node.expression)))
            ifs = [exp.If(this=absent, true=exp.null()), exp.If(this=exp.or_(*tests), true=truth)]
            node.replace(exp.Paren(this=exp.Case(ifs=ifs, default=node.copy())))


def _as_equations(node: exp.Expr) -> None:
    """IN of a list, CASE x WHEN and NULLIF as the comparisons by = that they stand for."""

    def equal(other: exp.Expr) -> exp.Expr:
        return exp.EQ(this=node.this.copy(), expression=other.copy())

    if isinstance(node, exp.In) and node.expressions:
        node.replace(exp.Paren(this=exp.or_(*map(equal, node.expressions))))
    elif isinstance(node, exp.Case) and node.this:
        for branch in node.args["ifs"]:
            branch.set("this", equal(branch.this))
        node.set("this", None)
    elif isinstance(node, exp.Nullif):
        node.replace(exp.Case(ifs=[exp.If(this=equal(node.expression), true=exp.null())], default=node.this.copy()))


def _dates(root: exp.Expr, names: Names) -> None:
    """DuckDB makes a TIMESTAMP of DATE arithmetic; BigQuery keeps the DATE."""
    for node in reversed(list(root.find_all(exp.DateAdd, exp.DateSub, exp.DateTrunc, exp.DateFromUnixDate))):
        if isinstance(node, exp.DateFromUnixDate) or names.moment(node.this) == "DATE":
            node.replace(exp.Cast(this=node.copy(), to=exp.DataType.build("DATE")))


def _counts(root: exp.Expr, _: Names) -> None:
    for node in list(root.find_all(exp.CountIf)):
        if not isinstance(node.parent, exp.Window):
            node.replace(exp.Coalesce(this=node.copy(), expressions=[exp.Literal.number(0)]))


def _literals(root: exp.Expr, names: Names) -> None:
    """1.5 is FLOAT64 in BigQuery and DECIMAL in DuckDB; beside a NUMERIC it is NUMERIC in both."""
    for node in list(root.find_all(exp.Literal)):
        if node.is_string or not set(node.this.lower()) & set(".e") or node.this.lower().startswith("0x"):
            continue
        if not _beside_numeric(node, names):
            node.replace(exp.Cast(this=node.copy(), to=DOUBLE.copy()))


def _beside_numeric(node: exp.Expr, names: Names) -> bool:
    parent = node.parent
    if isinstance(parent, exp.Cast):
        return True
    while isinstance(parent, _COMPARED):
        if names.is_numeric(parent):
            return True
        parent = parent.parent
    return False


def _types(root: exp.Expr, names: Names) -> None:
    for node in list(root.find_all(exp.Cast)):
        kind = node.to
        if kind.this == exp.DType.BIGDECIMAL:
            node.replace(bignumeric(node.this))
        elif kind.this == exp.DType.TEXT and names.is_special(node.this):
            node.replace(_special_text(node.this, names))
    for kind in list(root.find_all(exp.DataType)):
        if kind.this in _REFUSED_TYPES:
            raise unsupported(f"the type {kind.sql('bigquery')} in an expression")
        if kind.this == exp.DType.DECIMAL and not kind.expressions:
            kind.replace(NUMERIC.copy())


def bignumeric(value: exp.Expr) -> exp.Expr:
    """A BIGNUMERIC literal in the form that columns have; anything but a literal is refused."""
    negative = isinstance(value, exp.Neg)
    literal = value.this if isinstance(value, exp.Neg) else value
    if isinstance(literal, exp.Null):
        return literal
    if not isinstance(literal, exp.Literal):
        raise unsupported("CAST of anything but a literal AS BIGNUMERIC")
    try:
        number = Decimal(literal.this)
        unscaled = values.unscaled(str(-number if negative else number), Field("literal", "BIGNUMERIC"))
    except (ValueError, InvalidOperation) as error:
        raise invalid_query(str(error)) from None
    big = exp.Cast(this=exp.Literal.string(str(unscaled)), to=exp.DataType.build("BIGNUM", udt=True))
    return exp.Struct(expressions=[exp.PropertyEQ(this=exp.to_identifier("$bignumeric", quoted=True), expression=big)])


def _special_text(value: exp.Expr, names: Names) -> exp.Expr:
    if not isinstance(value, exp.Column) or names.special_type(value) != "BIGNUMERIC":
        raise unsupported("CAST of GEOGRAPHY, RANGE or a computed BIGNUMERIC AS STRING")
    return exp.Anonymous(this="bignumeric_text", expressions=[value.copy()])


def _sums(root: exp.Expr, names: Names) -> None:
    for node in list(root.find_all(exp.Sum)):
        if names.is_exact_sum(node):
            node.replace(exp.Anonymous(this="bignumeric_sum", expressions=[node.this.copy()]))


def _numeric_functions(root: exp.Expr, names: Names) -> None:
    for node in list(root.find_all(exp.Avg, *_INEXACT)):
        if not names.is_numeric(node):
            continue
        if not isinstance(node, exp.Avg):
            raise unsupported(f"{node.sql_name()} of NUMERIC")
        if isinstance(node.parent, exp.Window) or isinstance(node.this, exp.Distinct):
            raise unsupported("AVG of NUMERIC with OVER or DISTINCT")
        total = exp.Cast(this=exp.Sum(this=node.this.copy()), to=NUMERIC.copy())
        node.replace(_quotient(total, exp.Count(this=node.this.copy())))


def _quotient(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    parts = [exp.Cast(this=part, to=NUMERIC.copy()) for part in (left, right)]
    return exp.Anonymous(this="numeric_divide", expressions=parts)


def _numeric_products(root: exp.Expr, names: Names) -> None:
    """NUMERIC x NUMERIC is rounded to nine digits at once, not at the end."""
    for node in reversed(list(root.find_all(exp.Mul))):
        if names.is_numeric(node):
            node.replace(exp.Cast(this=exp.Paren(this=node.copy()), to=NUMERIC.copy()))


def _divisions(root: exp.Expr, names: Names) -> None:
    """Division by zero is an error in BigQuery; DuckDB would give NULL or infinity."""
    for node in reversed(list(root.find_all(exp.Div, exp.SafeDivide))):
        divide: Callable[[exp.Expr, exp.Expr], exp.Expr] = _plain_quotient
        if names.is_numeric(node):
            divide = _quotient
        left, right = node.this.copy(), node.expression.copy()
        if isinstance(node, exp.SafeDivide):
            on_zero: exp.Expr = exp.null()
        else:
            on_zero = exp.Anonymous(this="error", expressions=[exp.Literal.string("division by zero")])
        zero = exp.EQ(this=exp.Paren(this=right.copy()), expression=exp.Literal.number(0))
        case = exp.Case(ifs=[exp.If(this=zero, true=on_zero)], default=divide(left, right))
        node.replace(exp.Paren(this=case))


def _plain_quotient(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    parts = [exp.Cast(this=part, to=DOUBLE.copy()) for part in (left, right)]
    return exp.Div(this=parts[0], expression=parts[1], typed=False, safe=False)


def _offsets(root: exp.Expr, _: Names) -> None:
    """WITH OFFSET counts from 0; the ordinality that it becomes counts from 1."""
    for unnest in list(root.find_all(exp.Unnest)):
        offset, select = unnest.args.get("offset"), unnest.find_ancestor(exp.Select)
        if not offset or select is None:
            continue
        name = offset.name.lower() if isinstance(offset, exp.Identifier) else "offset"
        for column in list(select.find_all(exp.Column)):
            if column.name.lower() == name and not column.table:
                _from_zero(column)


def _from_zero(column: exp.Column) -> None:
    counted = exp.Paren(this=exp.Sub(this=column.copy(), expression=exp.Literal.number(1)))
    in_list = isinstance(column.parent, exp.Select) and column.arg_key == "expressions"
    column.replace(exp.alias_(counted, column.name) if in_list else counted)


_REWRITES = (
    _offsets,
    functions.rewrite,
    _comparisons,
    _dates,
    _counts,
    _literals,
    _types,
    _sums,
    _numeric_functions,
    _numeric_products,
    _divisions,
)
