"""INTERVAL literals: a whole number of one unit.

https://docs.aws.amazon.com/redshift/latest/dg/r_interval_data_types.html
"""

from __future__ import annotations

import re

from sqlglot import exp

from localcloud.redshift.errors import NotInTwinError
from localcloud.redshift.functions import fill

_UNITS = ("second", "minute", "hour", "day", "week", "month", "quarter", "year", "microsecond", "millisecond")


def check_interval(node: exp.Expr) -> exp.Expr:
    """The interval in DuckDB; a fraction or several units at once are refused."""
    unit = node.args.get("unit")
    name = unit.name.lower().rstrip("s") if isinstance(unit, exp.Var) else ""
    amount = node.this.name.strip() if isinstance(node.this, exp.Literal) else ""
    if name not in _UNITS or not re.fullmatch(r"[+-]?\d+", amount):
        raise NotInTwinError(f"{node.sql(dialect='redshift')[:80]}; write INTERVAL 'n unit' with a whole number")
    return fill(f"to_{_DUCKDB.get(name, name)}s({_TIMES.get(name, 1)} * CAST('{amount}' AS BIGINT))")


_DUCKDB = {"quarter": "month"}
_TIMES = {"quarter": 3}
