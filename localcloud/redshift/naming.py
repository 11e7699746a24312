"""Names that Redshift gives to output columns without an alias."""

from __future__ import annotations

from sqlglot import exp

from localcloud.redshift import structure
from localcloud.redshift.casts import redshift_type
from localcloud.redshift.dialect import Call


def name_projections(tree: exp.Expr) -> None:
    """Gives every projection without a name the one Redshift shows."""
    for select in tree.find_all(exp.Select):
        named = [_named(item) for item in select.expressions]
        select.set("expressions", named)


def _named(item: exp.Expr) -> exp.Expr:
    if isinstance(item, (exp.Alias, exp.Star, exp.Column)):
        return item
    return exp.alias_(item, output_name(item), quoted=True, copy=False)


def output_name(item: exp.Expr) -> str:
    """`count` for count(*), the column for a cast of it, `?column?` for what has no name."""
    if isinstance(item, (exp.Cast, exp.Paren)):
        inner = output_name(item.this)
        return inner if inner != "?column?" or isinstance(item, exp.Paren) else _type_name(item)
    if isinstance(item, (exp.Bracket, exp.Window, exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls)):
        return output_name(item.this)
    if isinstance(item, Call):
        return str(item.this.name).lower()
    if isinstance(item, (exp.Column, exp.Dot)):
        return item.name.lower()
    return _NAMES.get(type(item), "?column?")


def _type_name(cast: exp.Cast) -> str:
    return redshift_type(cast.to).api_name


_NAMES: dict[type[exp.Expr], str] = {
    **structure.NAMES,
    exp.Abs: "abs",
    exp.Avg: "avg",
    exp.Case: "case",
    exp.Ceil: "ceil",
    exp.Coalesce: "coalesce",
    exp.Count: "count",
    exp.CurrentTimestamp: "sysdate",
    exp.CurrentDate: "date",
    exp.CurrentUser: "current_user",
    exp.DenseRank: "dense_rank",
    exp.Extract: "date_part",
    exp.Exists: "exists",
    exp.FirstValue: "first_value",
    exp.Floor: "floor",
    exp.Greatest: "greatest",
    exp.GroupConcat: "listagg",
    exp.Lag: "lag",
    exp.LastValue: "last_value",
    exp.Lead: "lead",
    exp.Least: "least",
    exp.Max: "max",
    exp.Min: "min",
    exp.Mod: "mod",
    exp.Nvl2: "nvl2",
    exp.Rank: "rank",
    exp.Round: "round",
    exp.RowNumber: "row_number",
    exp.StrPosition: "position",
    exp.Substring: "substring",
    exp.Sum: "sum",
    exp.Trim: "btrim",
    exp.Trunc: "trunc",
    exp.TsOrDsAdd: "date_add",
    exp.TsOrDsDiff: "date_diff",
}
