"""In which order views can be created. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter


def ordered(reads: Mapping[str, Sequence[str]]) -> tuple[list[str], dict[str, list[str]]]:
    """Views so that each stands behind those it reads, and the views that read each other in a circle.

    Args:
        reads: for each view, what it reads; names that are no views do not count.

    Returns:
        The order of all that are in no circle and read none, and for each of the others its circle.
    """
    left = {name: [one for one in wanted if one in reads] for name, wanted in sorted(reads.items())}
    circles: dict[str, list[str]] = {}
    while True:
        try:
            return list(TopologicalSorter(left).static_order()), circles
        except CycleError as error:
            circle = list(error.args[1])
            circles.update(dict.fromkeys(circle, circle))
            rest = {name: wanted for name, wanted in left.items() if name not in circle}
            left = {name: [one for one in wanted if one not in circle] for name, wanted in rest.items()}
