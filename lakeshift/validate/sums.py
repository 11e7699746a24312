"""Sums of fingerprints over segments of rows, and what else is kept of a table in a space that does not grow. Pure.

A segment is all rows whose fingerprint ends in the same bits, so that both sides cut the same rows alike without a key.
Sums are modulo 2^64: parts of a table add up in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakeshift.lake.farm import NULL_FINGERPRINT

if TYPE_CHECKING:
    # The layer leaves NumPy's typing out.
    import numpy.typing as npt

Integers: TypeAlias = "npt.NDArray[np.int64]"

MAX_SEGMENTS = 4096
# Sums of a table on the wire, and in a checkpoint: 512 KB.
MAX_SUMS = 65_536
# Rows of a segment that are fetched when it differs, about.
SEGMENT_ROWS = 1_024


def segment_count(rows: int, columns: int) -> int:
    """Segments of a table: a power of two, so many that one holds about a thousand rows, as far as sums are bounded."""
    most = min(MAX_SEGMENTS, MAX_SUMS // max(1, columns))
    wanted = max(1, -(-rows // SEGMENT_ROWS))
    return 1 << min(most.bit_length() - 1, (wanted - 1).bit_length())


@dataclass(frozen=True)
class Sums:
    """Sums of a table or of some of its rows.

    Attributes:
        counts: rows of each segment.
        rows: sums of the rows' fingerprints, for each segment.
        columns: sums of the values' fingerprints, for each column and segment.
    """

    counts: Integers
    rows: Integers
    columns: Integers

    @classmethod
    def nothing(cls, columns: int, segments: int) -> Sums:
        """Sums of no rows."""
        return cls(*(np.zeros(shape, np.int64) for shape in (segments, segments, (columns, segments))))

    @classmethod
    def of(cls, rows: Integers, columns: Sequence[Integers], segments: int) -> Sums:
        """Sums of some rows by their fingerprints and those of their values."""
        found = cls.nothing(len(columns), segments)
        if not len(rows):
            return found
        places = (rows & np.int64(segments - 1)).astype(np.uint16)
        order = np.argsort(places, kind="stable")
        there, starts, counts = np.unique(places[order], return_index=True, return_counts=True)
        found.counts[there] = counts
        found.rows[there] = np.add.reduceat(rows[order], starts)
        for number, column in enumerate(columns):
            found.columns[number, there] = np.add.reduceat(column[order], starts)
        return found

    def __add__(self, other: Sums) -> Sums:
        """Sums of the rows of both, cut into as many segments."""
        return Sums(self.counts + other.counts, self.rows + other.rows, self.columns + other.columns)

    @property
    def segments(self) -> int:
        """How many segments there are."""
        return len(self.counts)

    def total(self, column: int) -> int:
        """The sum of a column over all segments, as an unsigned number below 2^64."""
        return int(self.columns[column].sum()) % 2**64

    def differing(self, other: Sums) -> Integers:
        """Segments whose rows are not the same ones."""
        return np.flatnonzero((self.counts != other.counts) | (self.rows != other.rows))

    def differing_columns(self, other: Sums) -> Integers:
        """Columns whose values are not the same ones in some segment. Values that changed rows among equal ones count
        in none; their rows do.
        """
        return np.flatnonzero((self.columns != other.columns).any(axis=1))


def totals(rows: Integers, segments: int) -> dict[int, tuple[int, int]]:
    """Rows and sum of their fingerprints (modulo 2^64, signed) of each segment that has any; of however many."""
    places, order = np.unique(rows & np.int64(segments - 1), return_inverse=True)
    counts, sums = np.bincount(order, minlength=len(places)), np.zeros(len(places), np.int64)
    np.add.at(sums, order, rows)
    return dict(zip(places.tolist(), zip(counts.tolist(), sums.tolist(), strict=True), strict=True))


@dataclass(frozen=True)
class Sample:
    """Distinct fingerprints of a column, as many as there is room for: those that end in `level` zero bits.

    Both sides that hold the same values have the same sample, so it tells more than that two estimates are alike.
    https://en.wikipedia.org/wiki/Count-distinct_problem, Wegman's adaptive sampling
    """

    kept: Integers
    room: int
    level: int = 0

    @classmethod
    def nothing(cls, columns: int) -> Sample:
        """Of no values; the more columns there are, the less room each has."""
        return cls(np.empty(0, np.int64), max(256, min(4_096, 2**18 // max(1, columns))))

    def plus(self, fingerprints: Integers) -> Sample:
        """The sample of these values too."""
        inside = fingerprints if not self.level else fingerprints[_ends(fingerprints, self.level)]
        found = pc.unique(pa.array(inside)).to_numpy()
        # Cut to size before it is sorted in among what is kept.
        return self + self._fitting(found[found != NULL_FINGERPRINT], self.level)

    def __add__(self, other: Sample) -> Sample:
        """The sample of the values of both."""
        level = max(self.level, other.level)
        both = np.union1d(self.kept, other.kept)
        return self._fitting(both[_ends(both, level)], level)

    def _fitting(self, kept: Integers, level: int) -> Sample:
        while len(kept) > self.room:
            level += 1
            kept = kept[_ends(kept, level)]
        return Sample(kept, self.room, level)

    @property
    def sampling(self) -> int:
        """One of so many distinct values is in it."""
        return 1 << self.level

    @property
    def distinct(self) -> int:
        """How many distinct values there are, NULL aside: exactly while all have room, else about."""
        return len(self.kept) * self.sampling


def _ends(fingerprints: Integers, level: int) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = (fingerprints & np.int64((1 << level) - 1)) == 0
    return found
