"""Rules that turn GoogleSQL expressions into Redshift expressions, one table per family."""

from __future__ import annotations

from lakeshift.convert.rule import NAMED, RULES
from lakeshift.convert.rules import (
    aggregates,
    arrays,
    casts,
    dates,
    hashes,
    json,
    nested,
    numbers,
    operators,
    regexps,
    strings,
)

# In this order: where two families have a rule for a node, the later one counts.
for _module in (operators, casts, nested, aggregates, strings, regexps, dates, numbers, json, hashes, arrays):
    RULES.update(getattr(_module, "RULES", {}))
    NAMED.update(getattr(_module, "NAMED", {}))

__all__ = ["NAMED", "RULES"]
