"""RATIO_TO_REPORT, which sqlglot has no node for.

https://docs.aws.amazon.com/redshift/latest/dg/r_WF_RATIO_TO_REPORT.html
"""

from __future__ import annotations

from typing import ClassVar

from sqlglot import exp


class RatioToReport(exp.Expression, exp.AggFunc):
    """The share of a value in the sum of its partition."""

    arg_types: ClassVar = {"this": True}
