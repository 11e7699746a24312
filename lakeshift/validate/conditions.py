"""Which rows are compared: a person's condition on both sides. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lakeshift.convert.sql import Status, convert
from lakeshift.errors import OptionInvalid, Problem
from lakeshift.model import TablePlan
from lakeshift.types import condition
from lakeshift.types.names import fold
from lakeshift.validate.dialects import SCOPE
from lakeshift.views.translate import known_table


def on_target(plan: TablePlan, text: str) -> str:
    """A GoogleSQL condition on the source's rows as one on the target's, as `questions` take it.

    Raises:
        OptionInvalid: it is no condition, or Redshift would not answer it in the same way.
    """
    if problem := condition.problem(text):
        raise _refused(text, problem)
    known = known_table(plan)
    query = f"SELECT 1 AS x FROM {SCOPE} WHERE ({text})"  # noqa: S608
    made = convert(query, {SCOPE: _same_names(plan, known.columns)}, exact=True)
    if made.status is not Status.CONVERTED:
        found = "; ".join(f"{one.construct}: {one.advice}".rstrip(".") for one in made.findings)
        raise _refused(text, f"it cannot be asked of Redshift in exactly this way: {found}")
    return made.sql.partition("\nWHERE\n")[2].strip().removesuffix(";")


def _same_names(plan: TablePlan, columns: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Columns that have their own name on the target, letter case aside; the translation knows no other."""
    own = {one.source.name for one in plan.columns if one.target == fold(one.source.name)}
    return tuple((name, kind) for name, kind in columns if name in own)


def _refused(text: str, problem: str) -> OptionInvalid:
    return OptionInvalid((Problem("--where", problem, text),), "write the condition in another way.")
