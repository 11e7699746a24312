"""Which rows differ: from segments whose sums do to rows, and from rows that are spelled otherwise to other rows.

    narrowed        the segments that differ, cut finer where they hold more rows than may be compared
    fingerprints    of all their rows, from both sides; what both have as often is equal and is looked at no more
    by value        the rest, read by type: rows that are equal but for their spelling are no difference
    paired          what remains, as missing, extra and changed rows

A side reads its rows at most once for each of the first two steps, and again only for rows that it could not keep:
one row that differs among millions costs one pass beside the one that made the sums, and less where bands tell which
rows need not be read; `Sure` sees that none of them is missed. Memory holds a number for each row that is compared, and
the values of some thousand rows.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import structlog

from lakeshift.errors import TargetBusy
from lakeshift.validate.bands import BANDS, telling
from lakeshift.validate.pairing import Pairing, Row, RowDifference
from lakeshift.validate.sums import Integers, Sums, totals

log = structlog.get_logger()
# Finer segments that a side is asked for; about as many as there are sums of a table.
_MOST_FINER = 65_536


@dataclass(frozen=True)
class Cut:
    """The rows whose fingerprints end in certain bits.

    Attributes:
        count: of segments, a power of two.
        segments: those that are meant.
        rows: about how many rows they have, on the side that has more.
        whole: no row is passed over for where its values lie.
    """

    count: int
    segments: tuple[int, ...]
    rows: int = field(default=0, compare=False)
    whole: bool = False

    @property
    def bands(self) -> frozenset[int]:
        """The bands that its rows lie in, where rows have bands; all of them where its segments do not tell."""
        if self.whole or self.count < BANDS:
            return frozenset(range(BANDS))
        return frozenset(segment % BANDS for segment in self.segments)

    def holds(self, rows: Integers) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which rows are meant, by their fingerprints."""
        return np.isin(rows & np.int64(self.count - 1), np.array(self.segments, np.int64))


Totals = Mapping[int, tuple[int, int]]
"""Rows and sum of their fingerprints (modulo 2^64, signed) of segments."""


class Side(Protocol):
    """A table whose rows can be asked for: files of the lake, a table of the warehouse or of the source."""

    def refined(self, cut: Cut, finer: int) -> Totals:
        """Rows and sum of their fingerprints (modulo 2^64, signed), for each of `finer` segments inside the cut."""

    def fingerprints(self, cut: Cut) -> Integers:
        """The fingerprint of every row of the cut, in any order."""

    def rows(self, cut: Cut, wanted: Mapping[int, int]) -> Iterator[Row]:
        """The rows of the cut that have these fingerprints, each at least as often as is said, in any order."""


@dataclass(frozen=True)
class Bounds:
    """What a comparison may take.

    Attributes:
        rows: that are compared on each side at most.
        named: differing rows of each side whose values are kept and reported at most.
    """

    rows: int = 1_000_000
    named: int = 10_000


@dataclass(frozen=True)
class Found:
    """What the rows of two sides have come to.

    Attributes:
        differences: the rows that differ, as many as may be named.
        missing, extra: rows of the lake that the target has not, and the other way; a changed row is one of each.
        equal_by_value: rows that are spelled in another way on both sides and are equal.
        compared: rows that were looked at, of the side that has more.
        complete: all rows that could differ were looked at; if not, the others are neither equal nor different.
    """

    differences: tuple[RowDifference, ...] = ()
    missing: int = 0
    extra: int = 0
    equal_by_value: int = 0
    compared: int = 0
    complete: bool = True

    @property
    def rows(self) -> int:
        """How many rows differ: a changed one counts once, as far as rows are named."""
        paired = sum(1 for one in self.differences if one.lake and one.target)
        return self.missing + self.extra - paired

    @property
    def equal(self) -> bool:
        """True when all rows that could differ were looked at and none does."""
        return self.complete and not (self.missing or self.extra)


def differences(
    lake: Side, target: Side, sums: tuple[Sums, Sums], pairing: Pairing, bounds: Bounds = Bounds()
) -> Found:
    """The rows that differ between two sides whose sums do.

    Args:
        sums: of the lake and of the target, over the same columns and as many segments.
    """
    if telling(pairing.columns):
        lake, target = map(Sure, (lake, target), sums)
    cut, complete = narrowed(lake, target, sums, bounds.rows)
    if not cut.segments:
        return Found(complete=complete)
    mine, theirs = lake.fingerprints(cut), target.fingerprints(cut)
    lost, more = only_in_first(mine, theirs), only_in_first(theirs, mine)
    tally = _Tally(bounds.named)
    tally.take(lake.rows(cut, lost), lost, 1)
    tally.take(target.rows(cut, more), more, -1)
    missing, extra = tally.left(1), tally.left(-1)
    return Found(
        differences=tuple(pairing.paired(tally.named(lake, cut, missing), tally.named(target, cut, extra))),
        missing=missing.total(),
        extra=extra.total(),
        equal_by_value=lost.total() - missing.total(),
        compared=max(len(mine), len(theirs)),
        complete=complete,
    )


class Sure:
    """A side that passes over what bands say holds none of the rows, as long as all rows of a cut are found that way.

    An engine may compare other than the bands are told (types, time zones), and a footer may be wrong. Rows and the sum
    of their fingerprints are known of each segment; where others are found, all rows are read, then and from then on.
    """

    def __init__(self, side: Side, sums: Sums) -> None:
        """`sums`: of all rows of the side."""
        self._side, self._whole = side, False
        self._known: Totals = {
            place: (int(sums.counts[place]), int(sums.rows[place])) for place in range(sums.segments)
        }

    def refined(self, cut: Cut, finer: int) -> Totals:
        """As of a side of a comparison."""
        found = self._side.refined(self._seen(cut), finer)
        if self._lacks(cut, _coarser(found, cut.count)):
            found = self._side.refined(self._seen(cut), finer)
        self._known = found
        return found

    def fingerprints(self, cut: Cut) -> Integers:
        """As of a side of a comparison."""
        found = self._side.fingerprints(self._seen(cut))
        if self._lacks(cut, totals(found, cut.count)):
            found = self._side.fingerprints(self._seen(cut))
        return found

    def rows(self, cut: Cut, wanted: Mapping[int, int]) -> Iterator[Row]:
        """As of a side of a comparison."""
        return self._side.rows(self._seen(cut), wanted)

    def _seen(self, cut: Cut) -> Cut:
        return replace(cut, whole=self._whole)

    def _lacks(self, cut: Cut, found: Totals) -> bool:
        """Whether rows were passed over; none are any more then."""
        if len(self._seen(cut).bands) == BANDS:
            return False
        nothing = (0, 0)
        self._whole = any(self._known.get(one, nothing) != found.get(one, nothing) for one in cut.segments)
        if self._whole:
            log.warning("validate.read_whole", segments=len(cut.segments))
        return self._whole


def _coarser(found: Totals, count: int) -> Totals:
    """The same of fewer segments."""
    whole: dict[int, tuple[int, int]] = {}
    for place, (rows, total) in found.items():
        before = whole.get(place % count, (0, 0))
        whole[place % count] = before[0] + rows, (before[1] + total + 2**63) % 2**64 - 2**63
    return whole


def narrowed(lake: Side, target: Side, sums: tuple[Sums, Sums], most: int) -> tuple[Cut, bool]:
    """The segments that differ and hold at most so many rows, and whether these are all.

    Where they hold more, both sides sum finer segments inside of them: one pass each that is worth it while few rows
    differ. Where many do, the segments with the fewest rows are taken, as far as they go.
    """
    mine, theirs = sums
    differing = mine.differing(theirs)
    cut = Cut(mine.segments, tuple(map(int, differing)))
    sizes = dict(zip(cut.segments, np.maximum(mine.counts, theirs.counts)[differing].tolist(), strict=True))
    finer = _finer(cut, sum(sizes.values()), most)
    if finer > cut.count:
        first, second = lake.refined(cut, finer), target.refined(cut, finer)
        places = sorted(place for place in first.keys() | second.keys() if first.get(place) != second.get(place))
        sizes = {place: max(side.get(place, (0, 0))[0] for side in (first, second)) for place in places}
        cut = Cut(finer, tuple(places))
    chosen = _affordable(sizes, most)
    rows = sum(sizes[segment] for segment in chosen)
    return Cut(cut.count, chosen, rows), len(chosen) == len(cut.segments)


def _finer(cut: Cut, rows: int, most: int) -> int:
    """How many segments to cut into: as many as there is room for, or as they are where all rows can be compared."""
    if rows <= most or not cut.segments:
        return cut.count
    factor = max(1, _MOST_FINER // len(cut.segments))
    return min(cut.count << (factor.bit_length() - 1), 1 << 62)


def _affordable(sizes: Mapping[int, int], most: int) -> tuple[int, ...]:
    """The segments with the fewest rows, as long as all of them have no more than `most`."""
    taken, total = [], 0
    for segment in sorted(sizes, key=lambda one: (sizes[one], one)):
        total += sizes[segment]
        if total > most:
            break
        taken.append(segment)
    return tuple(sorted(taken))


def only_in_first(first: Integers, second: Integers) -> Counter[int]:
    """Fingerprints that stand more often in the first, and how much more often."""
    values, counts = np.unique(first, return_counts=True)
    others, times = np.unique(second, return_counts=True)
    places = np.searchsorted(others, values)
    there = np.zeros(len(values), np.int64)
    inside = places < len(others)
    same = np.flatnonzero(inside)[others[places[inside]] == values[inside]]
    there[same] = times[places[same]]
    more = np.flatnonzero(counts > there)
    return Counter(dict(zip(values[more].tolist(), (counts - there)[more].tolist(), strict=True)))


class _Tally:
    """Rows by their values: what the lake has counts up, what the target has counts down, and what is left differs."""

    def __init__(self, most: int) -> None:
        self._most = most
        # How often, and under which fingerprint.
        self._counts: dict[bytes, tuple[int, int]] = {}
        self._kept: dict[bytes, Row] = {}

    def take(self, rows: Iterable[Row], wanted: Counter[int], sign: int) -> None:
        """Take up each row as often as it is wanted, of a side that may have it more often."""
        left = Counter(wanted)
        for row in rows:
            if left[row.fingerprint] > 0:
                left[row.fingerprint] -= 1
                self._add(row, sign)
        if lost := left.total():
            raise TargetBusy(f"{lost:,} rows are not there any more that were compared", next_step="compare once more.")

    def _add(self, row: Row, sign: int) -> None:
        value = _value(row)
        count, fingerprint = self._counts.pop(value, (0, row.fingerprint))
        if count + sign:
            self._counts[value] = count + sign, fingerprint
            if len(self._kept) < self._most:
                self._kept.setdefault(value, row)
        else:
            self._kept.pop(value, None)

    def left(self, sign: int) -> Counter[bytes]:
        """The rows that only one side has, by their values, and how often."""
        return Counter({value: abs(count) for value, (count, _) in self._counts.items() if count * sign > 0})

    def named(self, side: Side, cut: Cut, left: Counter[bytes]) -> list[Row]:
        """As many of these rows as may be named, with their values; those that were not kept are asked for again."""
        named = _first(left, self._most)
        lacking = {self._counts[value][1]: 1 for value in named if value not in self._kept}
        again = side.rows(cut, lacking) if lacking else iter(())
        found = {value: self._kept[value] for value in named if value in self._kept}
        found |= {value: row for row in again if (value := _value(row)) in named}
        return [found[value] for value, count in named.items() for _ in range(count) if value in found]


def _first(left: Counter[bytes], most: int) -> Counter[bytes]:
    """The first rows, and how often each, so that there are `most` at most."""
    found: Counter[bytes] = Counter()
    room = most
    for value, count in left.items():
        if room <= 0:
            break
        found[value] = min(count, room)
        room -= found[value]
    return found


def _value(row: Row) -> bytes:
    """A digest that two rows share when they are equal by value."""
    return hashlib.blake2b("\0".join(row.tokens).encode(), digest_size=16).digest()
