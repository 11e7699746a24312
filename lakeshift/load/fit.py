"""What was measured while extracting, as the gate compares it with the target. Pure."""

from __future__ import annotations

from lakeshift.model import ChildPlan, Statistics


def elements_of(child: ChildPlan, measured: Statistics | None) -> int | None:
    """How many elements the array of a child table had, or rows its parent; None where that was not measured."""
    if measured is not None and not child.steps:
        return measured.rows
    if measured is None or not child.measured:
        return None
    nothing = None if measured.omitted else 0
    return next((column.values for column in measured.columns if column.path == child.measured), nothing)
