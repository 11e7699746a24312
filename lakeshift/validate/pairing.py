"""Which of the rows that only one side has belong together, and where they differ. Pure.

With a key, rows belong together that have the same one. Without, a row that one side lacks and one that it has too many
are taken for one row that was changed where at least half of their columns are equal: the pair with most equal columns
first. That is likely and not sure, and is labelled so.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import product

from lakeshift.validate.columns import Checked
from lakeshift.validate.exact import Node, differences, token

_ENOUGH = 0.5
# Pairs of rows that are looked at one by one.
MOST_PAIRS = 250_000


class RowKind(StrEnum):
    """What is wrong with a row of the target: it is missing, should not be there, or has another value somewhere."""

    MISSING = "missing"
    EXTRA = "extra"
    CHANGED = "changed"


@dataclass(frozen=True)
class Row:
    """A row that only one side has.

    Attributes:
        fingerprint: of the row, as its own side computes it.
        values: of the compared columns, in their order.
    """

    fingerprint: int
    values: tuple[Node, ...]

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """A text for each value, which equal values share."""
        return tuple(map(token, self.values))


@dataclass(frozen=True)
class ColumnDifference:
    """Where a changed row differs.

    Attributes:
        column: of the target.
        path: by the source's names, down to the innermost value, e.g. `items[2].price`.
    """

    column: str
    path: str
    lake: Node
    target: Node


@dataclass(frozen=True)
class RowDifference:
    """A row that differs.

    Attributes:
        key: names of the key columns and this row's values; empty without a key.
        columns: where a changed row differs; empty for a missing or extra one.
        likely: the two rows were taken together by what is equal in them, not by a key that only they have.
        lake, target: the row on each side; None where it is not there.
    """

    kind: RowKind
    key: tuple[tuple[str, Node], ...]
    columns: tuple[ColumnDifference, ...]
    lake: Row | None
    target: Row | None
    likely: bool = False


@dataclass(frozen=True)
class Pairing:
    """How the rows of one table are taken together.

    Attributes:
        columns: the compared ones.
        key: names of those that name a row; none: rows are paired by what is equal in them.
    """

    columns: tuple[Checked, ...]
    key: tuple[str, ...] = ()

    @property
    def _places(self) -> list[int]:
        return [place for place, one in enumerate(self.columns) if one.name in self.key]

    def paired(self, lake: Sequence[Row], target: Sequence[Row]) -> list[RowDifference]:
        """The differences that rows which only one side has amount to, in the order of the lake's rows."""
        if not self.key:
            return self._sorted(lake, target, by_likeness(lake, target, _ENOUGH), likely=True)
        pairs: list[tuple[int, int]] = []
        unsure = set()
        for mine, theirs in self._groups(lake, target):
            found = by_likeness([lake[place] for place in mine], [target[place] for place in theirs], 0.0)
            pairs += [(mine[first], theirs[second]) for first, second in found]
            unsure |= set(mine) if len(mine) > 1 or len(theirs) > 1 else set()
        return self._sorted(lake, target, pairs, unsure=unsure)

    def _groups(self, lake: Sequence[Row], target: Sequence[Row]) -> Iterator[tuple[list[int], list[int]]]:
        """Places of the rows on each side that have one key."""
        groups: dict[tuple[str, ...], tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for side, rows in enumerate((lake, target)):
            for place, row in enumerate(rows):
                groups[tuple(row.tokens[number] for number in self._places)][side].append(place)
        yield from groups.values()

    def _sorted(
        self,
        lake: Sequence[Row],
        target: Sequence[Row],
        pairs: Sequence[tuple[int, int]],
        *,
        likely: bool = False,
        unsure: frozenset[int] | set[int] = frozenset(),
    ) -> list[RowDifference]:
        partner = dict(pairs)
        taken = set(partner.values())
        found = [
            self._changed(row, target[partner[place]], likely=likely or place in unsure)
            if place in partner
            else RowDifference(RowKind.MISSING, self._key_of(row), (), row, None)
            for place, row in enumerate(lake)
        ]
        extra = (row for place, row in enumerate(target) if place not in taken)
        return [*found, *(RowDifference(RowKind.EXTRA, self._key_of(row), (), None, row) for row in extra)]

    def _key_of(self, row: Row) -> tuple[tuple[str, Node], ...]:
        return tuple((self.columns[place].name, row.values[place]) for place in self._places)

    def _changed(self, lake: Row, target: Row, *, likely: bool) -> RowDifference:
        columns = tuple(
            ColumnDifference(one.name, *found)
            for one, mine, theirs in zip(self.columns, lake.values, target.values, strict=True)
            for found in differences(mine, theirs, one.path)
        )
        return RowDifference(RowKind.CHANGED, self._key_of(lake), columns, lake, target, likely)


def by_likeness(lake: Sequence[Row], target: Sequence[Row], enough: float) -> list[tuple[int, int]]:
    """Places of rows taken together, the most alike first; each row once, and none that are less alike than `enough`.

    Where there are too many pairs to look at each, only rows that differ in one column are taken together.
    """
    found = _but_one_column(lake, target, enough)
    left = sorted(set(range(len(lake))) - {mine for mine, _ in found})
    right = sorted(set(range(len(target))) - {theirs for _, theirs in found})
    if len(left) * len(right) > MOST_PAIRS:
        return found
    scored = ((likeness(lake[mine], target[theirs]), mine, theirs) for mine, theirs in product(left, right))
    alike = [(-score, mine, theirs) for score, mine, theirs in scored if score >= enough]
    return [*found, *_greedy(sorted(alike))]


def _greedy(alike: Iterable[tuple[float, int, int]]) -> Iterator[tuple[int, int]]:
    """The first pair of each row, in this order."""
    left: set[int] = set()
    right: set[int] = set()
    for _, mine, theirs in alike:
        if mine not in left and theirs not in right:
            left.add(mine)
            right.add(theirs)
            yield mine, theirs


def likeness(lake: Row, target: Row) -> float:
    """The share of columns that are equal; one that differs counts with the share of what is equal inside it."""
    parts = zip(lake.tokens, target.tokens, lake.values, target.values, strict=True)
    shares = (1.0 if mine == theirs else _inside(one, other) for mine, theirs, one, other in parts)
    return sum(shares) / max(1, len(lake.values))


def _inside(lake: Node, target: Node) -> float:
    """How much of a nested value is equal, always less than all of it."""
    if not (isinstance(lake, dict | list) and isinstance(target, dict | list)):
        return 0.0
    wrong = sum(1 for _ in differences(lake, target, ""))
    return max(0.0, 1 - wrong / max(_leaves(lake), _leaves(target), 1))


def _leaves(node: Node) -> int:
    inside = node.values() if isinstance(node, dict) else node if isinstance(node, list) else None
    return 1 if inside is None else sum(map(_leaves, inside))


def _but_one_column(lake: Sequence[Row], target: Sequence[Row], enough: float) -> list[tuple[int, int]]:
    """Rows that are equal but for one column, in time that grows with the rows and not with the pairs."""
    columns = len(lake[0].values) if lake else 0
    if (columns - 1) < enough * columns:
        return []
    found: list[tuple[int, int]] = []
    left, right = dict(enumerate(map(_sums, lake))), dict(enumerate(map(_sums, target)))
    for column in range(columns):
        waiting = defaultdict(list)
        for place, (total, parts) in left.items():
            waiting[total - parts[column]].append(place)
        pairs = [
            (there.pop(0), place)
            for place, (total, parts) in right.items()
            if (there := waiting.get(total - parts[column]))
        ]
        for mine, theirs in pairs:
            del left[mine], right[theirs]
        found += pairs
    return found


def _sums(row: Row) -> tuple[int, tuple[int, ...]]:
    """A number for each value and place, and their sum: without one of them it tells the other values.

    Python's own hashes of such pairs differ by the same amounts in different places, so that sums of them collide.
    """
    parts = tuple(_number(f"{place}:{text}") for place, text in enumerate(row.tokens))
    return sum(parts), parts


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
