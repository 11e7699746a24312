"""Which tables of a data set are meant, which rule holds for each, and which of their columns are taken."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from fnmatch import fnmatchcase, translate
from functools import lru_cache

from lakeshift.errors import NothingMatches, TypeUnsupported
from lakeshift.model import Column
from lakeshift.spec import REGEX, Dataset, TableRule

_SHARD = re.compile(r"(?P<family>.+)_(?P<date>\d{8})", re.ASCII | re.DOTALL)
_MOST_NAMES_COMPARED = 10_000


@dataclass(frozen=True)
class Chosen:
    """One table to migrate.

    Attributes:
        name: the table, or the family that its shards are one table of.
        shards: names of the family's tables in the order of their dates; none for a table of its own.
        rule: index of the first rule that matches; None where none does.
    """

    name: str
    shards: tuple[str, ...] = ()
    rule: int | None = None


def is_meant(name: str, *ids: str) -> bool:
    """Whether a name or glob means a table by one of its full names, in source or target, or by the end of one."""
    return any(fnmatchcase(one, name) for one in (*ids, *(one.rpartition(".")[2] for one in ids)))


def select(dataset: Dataset, names: Sequence[str]) -> list[Chosen]:
    """Tables that an include pattern takes and no exclude pattern leaves out, by name.

    A table of a date-sharded family is meant by its own name and by that of its family.

    Raises:
        NothingMatches: a pattern of include or of a rule takes no table, or nothing is left.
    """
    family = families(names) if dataset.shards == "family" else {}
    for pattern in dataset.include:
        if not any(_means(pattern, name, family) for name in names):
            _nothing(dataset, f"include {pattern!r} takes no table", pattern, names)
    taken = [name for name in names if _any(dataset.include, name, family) and not _any(dataset.exclude, name, family)]
    if not taken:
        _nothing(dataset, "exclude leaves no table", "", names)
    return _with_rules(dataset, _grouped(sorted(taken), family))


def families(names: Iterable[str]) -> dict[str, str]:
    """The family of each table `<family>_YYYYMMDD` that has at least one sister; others are not there."""
    members: dict[str, list[str]] = defaultdict(list)
    for name in names:
        found = _SHARD.fullmatch(name)
        if found and _is_date(found["date"]):
            members[found["family"]].append(name)
    return {name: family for family, group in members.items() if len(group) > 1 for name in group}


def matches(pattern: str, name: str) -> bool:
    """True when a glob, or the regular expression after `regex:`, matches the whole name."""
    return _compiled(pattern).fullmatch(name) is not None


def columns(rule: TableRule | None, given: Sequence[Column]) -> tuple[Column, ...]:
    """The columns that a rule takes, in the order of the table.

    Raises:
        TypeUnsupported: a pattern takes no column, or nothing is left.
    """
    if rule is None:
        return tuple(given)
    names = [column.name for column in given]
    for pattern in [*rule.columns, *rule.exclude_columns]:
        if names and not any(matches(pattern, name) for name in names):
            raise TypeUnsupported(f"the pattern {pattern!r} takes no column", next_step=_hint(pattern, names, "column"))
    taken = [column for column in given if _taken(rule, column.name)]
    if names and not taken:
        raise TypeUnsupported("no column is left", next_step="leave fewer out in the rule of the table.")
    return tuple(taken)


def _taken(rule: TableRule, name: str) -> bool:
    return any(matches(pattern, name) for pattern in rule.columns) and not any(
        matches(pattern, name) for pattern in rule.exclude_columns
    )


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.removeprefix(REGEX) if pattern.startswith(REGEX) else translate(pattern))


def _is_date(digits: str) -> bool:
    try:
        return bool(datetime.strptime(digits, "%Y%m%d"))  # noqa: DTZ007 - only whether there is such a day
    except ValueError:
        return False


def _means(pattern: str, name: str, family: dict[str, str]) -> bool:
    return matches(pattern, name) or (name in family and matches(pattern, family[name]))


def _any(patterns: Sequence[str], name: str, family: dict[str, str]) -> bool:
    return any(_means(pattern, name, family) for pattern in patterns)


def _grouped(names: Sequence[str], family: dict[str, str]) -> list[Chosen]:
    shards: dict[str, list[str]] = defaultdict(list)
    for name in names:
        if name in family:
            shards[family[name]].append(name)
    alone = [Chosen(name) for name in names if name not in family]
    return sorted([*alone, *(Chosen(name, tuple(group)) for name, group in shards.items())], key=lambda one: one.name)


def _with_rules(dataset: Dataset, chosen: Sequence[Chosen]) -> list[Chosen]:
    names = [one.name for one in chosen]
    for rule in dataset.tables:
        for pattern in rule.match:
            if not any(matches(pattern, name) for name in names):
                _nothing(dataset, f"the rule {pattern!r} matches no table", pattern, names)
    return [Chosen(one.name, one.shards, _first(dataset.tables, one.name)) for one in chosen]


def _first(rules: Sequence[TableRule], name: str) -> int | None:
    return next((at for at, rule in enumerate(rules) if any(matches(pattern, name) for pattern in rule.match)), None)


def _nothing(dataset: Dataset, what: str, pattern: str, names: Sequence[str]) -> None:
    raise NothingMatches(what, where=dataset.name, next_step=_hint(pattern, names, "table"))


def _hint(pattern: str, names: Sequence[str], noun: str) -> str:
    near = get_close_matches(pattern.removeprefix(REGEX), names[:_MOST_NAMES_COMPARED], n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"there are {len(names)} {noun}(s) to choose from."
