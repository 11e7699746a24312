"""What the structure of a query adds to the dialect: its parser, its functions and the types of their results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp
from sqlglot.expressions import DType

from localcloud.redshift import arithmetic_types as types
from localcloud.redshift.partiql import Iteration, PartiqlParser, iteration_type
from localcloud.redshift.ratio import RatioToReport

StructureParser = PartiqlParser

# name -> (least arguments, most arguments, type returned)
CALLS: dict[str, tuple[int, int, str]] = {"ARRAY": (0, 10_000, "SUPER"), "OBJECT": (0, 10_000, "SUPER")}

CLASSES: dict[str, type[exp.Func]] = {
    "ANY_VALUE": exp.AnyValue,
    "BIT_AND": exp.BitwiseAndAgg,
    "BIT_OR": exp.BitwiseOrAgg,
    "CUME_DIST": exp.CumeDist,
    "GROUPING": exp.Grouping,
    "GROUPING_ID": exp.Grouping,
    "MEDIAN": exp.Median,
    "NTH_VALUE": exp.NthValue,
    "NTILE": exp.Ntile,
    "PERCENTILE_CONT": exp.PercentileCont,
    "PERCENTILE_DISC": exp.PercentileDisc,
    "PERCENT_RANK": exp.PercentRank,
    "RATIO_TO_REPORT": RatioToReport,
    "STDDEV": exp.StddevSamp,
    "STDDEV_POP": exp.StddevPop,
    "STDDEV_SAMP": exp.StddevSamp,
    "VARIANCE": exp.Variance,
    "VAR_POP": exp.VariancePop,
    "VAR_SAMP": exp.Variance,
}
# What the functions above are called in a result without an alias.
NAMES: dict[type[exp.Expr], str] = {
    kind: name.lower() for name, kind in CLASSES.items() if name not in ("STDDEV", "VARIANCE", "GROUPING_ID")
}


def _typed(kind: DType) -> dict[str, Any]:
    return {"returns": kind}


def _typed_by(annotator: Callable[[Any, Any], Any]) -> dict[str, Any]:
    return {"annotator": annotator}


def _as_argument(annotator: Any, node: exp.Expr) -> exp.Expr:
    """The type of the argument, with its width or scale."""
    annotator._set_type(node, types.summed(node.this).type)
    return node


def _of_group(annotator: Any, node: exp.WithinGroup) -> exp.WithinGroup:
    """PERCENTILE_DISC has the type of what it sorts."""
    inner = node.this
    sorts = isinstance(inner, exp.PercentileDisc)
    annotator._set_type(node, node.expression.expressions[0].this.type if sorts else inner.type)
    return node


METADATA: dict[type[exp.Expr], dict[str, Any]] = {
    Iteration: {"annotator": iteration_type},
    exp.AtTimeZone: {"annotator": types.zone_type},
    exp.Avg: {"annotator": types.average_type},
    exp.Grouping: _typed(DType.INT),
    exp.Literal: {"annotator": types.literal_type},
    exp.Sum: {"annotator": types.sum_type},
    **dict.fromkeys(
        (
            exp.CumeDist,
            exp.Exp,
            exp.Ln,
            exp.Median,
            exp.PercentRank,
            exp.PercentileCont,
            exp.Pow,
            RatioToReport,
            exp.Sqrt,
            exp.StddevPop,
            exp.StddevSamp,
            exp.Variance,
            exp.VariancePop,
        ),
        _typed(DType.DOUBLE),
    ),
    **dict.fromkeys((exp.Ntile, exp.ApproxDistinct, exp.TsOrDsDiff), _typed(DType.BIGINT)),
    **dict.fromkeys(
        (
            *(exp.AnyValue, exp.BitwiseAndAgg, exp.BitwiseOrAgg, exp.FirstValue, exp.LastValue, exp.Lag, exp.Lead),
            *(exp.NthValue, exp.Max, exp.Min, exp.Abs, exp.Ceil, exp.Floor, exp.Nullif, exp.Round, exp.Trunc),
        ),
        _typed_by(_as_argument),
    ),
    exp.TsOrDsAdd: {"annotator": types.moved_type},
    exp.WithinGroup: {"annotator": _of_group},
    **dict.fromkeys((exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod), _typed_by(types.binary_type)),
    **dict.fromkeys((exp.Case, exp.Coalesce, exp.Greatest, exp.Least), _typed_by(types.common_type)),
}
