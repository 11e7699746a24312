"""Row filters are tried in the source while a run is planned, so that one which it refuses starts nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from lakeshift.errors import ConfigInvalid, Problem, QueryFailed
from lakeshift.inventory.step import Entry, rule_of
from lakeshift.model import TablePlan
from lakeshift.ports import Source
from lakeshift.spec import Migration

_Place = tuple[int, int, int]
"""Source, data set and rule of the config."""
# Of a filter, which may have 100,000 characters, so many are shown.
_SHOWN = 200


def filters(migration: Migration) -> bool:
    """Whether any table has a filter."""
    return any(rule.filter for source in migration.sources for dataset in source.datasets for rule in dataset.tables)


@dataclass
class Filters:
    """What the source has against the filters of a run.

    Attributes:
        source: the source of that place in the config.
    """

    migration: Migration
    source: Callable[[int], Source]
    _refused: dict[_Place, list[tuple[str, str]]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def look(self, entry: Entry, plan: TablePlan) -> None:
        """Try the filter of a table, if it has one; called side by side.

        Raises:
            SourceNotFound, SourceForbidden: the table is gone since it was listed, or may not be asked.
        """
        rule = rule_of(self.migration, entry)
        if rule is None or entry.rule is None or not rule.filter:
            return
        try:
            self.source(entry.source_index).check_filter(plan)
        except QueryFailed as error:
            place = entry.source_index, entry.dataset_index, entry.rule
            with self._lock:
                self._refused.setdefault(place, []).append((entry.ref.id, error.what))

    def check(self) -> None:
        """Raise ConfigInvalid with each filter that was refused, and what the source says of it."""
        if self._refused:
            raise ConfigInvalid(tuple(self._problem(place) for place in sorted(self._refused)))

    def _problem(self, place: _Place) -> Problem:
        (table, said), *others = sorted(self._refused[place])
        more = f" and {len(others):,} more" if others else ""
        source, dataset, rule = place
        found = self.migration.sources[source].datasets[dataset].tables[rule].filter or ""
        pointer = f"/sources/{source}/datasets/{dataset}/tables/{rule}/filter"
        return Problem(pointer, f"the source refuses this filter of {table}{more}: {said}", found=_short(found))


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
