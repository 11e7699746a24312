"""Which tables of a data set are meant."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from lakeshift.errors import NothingMatches
from lakeshift.spec import Dataset


def select(dataset: Dataset, names: Sequence[str]) -> list[str]:
    """Names that an include glob takes and no exclude glob leaves out, sorted.

    Raises:
        NothingMatches: an include glob takes no table, or nothing is left.
    """
    for pattern in dataset.include:
        if not any(fnmatchcase(name, pattern) for name in names):
            _nothing(dataset, f"include {pattern!r} takes no table", pattern, names)
    taken = [name for name in names if _any(name, dataset.include) and not _any(name, dataset.exclude)]
    if not taken:
        _nothing(dataset, "exclude leaves no table", "", names)
    return sorted(taken)


def _any(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _nothing(dataset: Dataset, what: str, pattern: str, names: Sequence[str]) -> None:
    near = get_close_matches(pattern, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"the data set has {len(names)} table(s)."
    raise NothingMatches(what, where=dataset.name, next_step=hint)
