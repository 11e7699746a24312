"""The sides that rows are compared of: batches of Arrow that can be read again, and tables that answer questions."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat

import numpy as np
import pyarrow as pa

from lakeshift.lake.reader import LakeFileReader, Wanted, every
from lakeshift.model import LakeFile, TablePlan
from lakeshift.ports import Ports
from lakeshift.validate import questions
from lakeshift.validate.asked import Ask
from lakeshift.validate.bands import meeting
from lakeshift.validate.canonical import batch_fingerprints
from lakeshift.validate.columns import Checked, checked, value
from lakeshift.validate.dialects import Dialect
from lakeshift.validate.exact import of_lake, of_text
from lakeshift.validate.layers import lying_in
from lakeshift.validate.measure import Part, keys_of
from lakeshift.validate.pairing import Row
from lakeshift.validate.questions import groups
from lakeshift.validate.rows import Cut
from lakeshift.validate.sums import Integers, totals
from lakeshift.validate.tied import part_rows

# Rows of a table in an engine that come with their values at the first look.
_DIRECT_ROWS = 5_000
# Rows of one answer at most, rows whose long values are asked for together, and bytes of a piece of these.
_ANSWER_ROWS, _PIECES_ROWS, _PIECE_BYTES = 20_000, 1_000, 30_000
# Rows are asked for by their fingerprints where fewer than one in so many is wanted.
_FEW = 8
# A 64-bit number in a list, with its sign, comma and blank.
_DIGITS = 22
_ALL = Cut(1, (0,))
# Rows of a cut are kept from the first look on as long as they have no more bytes; beyond, they are read again. So
# many bytes of long values are held at once.
_KEPT_BYTES = 64 * 2**20

_Piece = tuple[pa.RecordBatch, Integers]


@dataclass
class Batches:
    """Rows in Arrow: files of the lake, or what a source delivers; of a child table the batches that it makes.

    Attributes:
        read: the batches from the first on, each time it is called.
        near: the same of the row groups that are wanted; None where there are no row groups.
    """

    read: Callable[[], Iterator[pa.RecordBatch]]
    columns: tuple[Checked, ...]
    near: Callable[[Wanted], Iterator[pa.RecordBatch]] | None = None
    _cut: Cut | None = None
    _kept: list[_Piece] = field(default_factory=list)

    def refined(self, cut: Cut, finer: int) -> Mapping[int, tuple[int, int]]:
        """Rows and sum of their fingerprints (modulo 2^64, signed), for each of `finer` segments inside the cut."""
        found: dict[int, tuple[int, int]] = {}
        for _, prints in self._inside(cut):
            for place, (count, total) in totals(prints, finer).items():
                before = found.get(place, (0, 0))
                found[place] = before[0] + count, int(questions.wrapped(before[1] + total))
        return found

    def fingerprints(self, cut: Cut) -> Integers:
        """The fingerprint of every row of the cut; the rows are kept for `rows` as far as there is room."""
        self._cut, self._kept = cut, []
        found, size = [np.empty(0, np.int64)], 0
        for batch, prints in self._inside(cut):
            found.append(prints)
            size += batch.nbytes
            if size > _KEPT_BYTES:
                self._cut, self._kept = None, []
            if self._cut:
                self._kept.append((batch, prints))
        return np.concatenate(found)

    def rows(self, cut: Cut, wanted: Mapping[int, int]) -> Iterator[Row]:
        """The rows of the cut that have these fingerprints, as often as is said."""
        if not wanted:
            return
        searched = np.fromiter(wanted, np.int64, len(wanted))
        left = dict(wanted)
        for batch, prints in self._kept if self._cut == cut else self._inside(cut):
            found = np.flatnonzero(np.isin(prints, searched))
            places = found[[_takes(left, one) for one in prints[found].tolist()]] if len(found) else found
            yield from self._rows(batch.take(pa.array(places)), prints[places]) if len(places) else ()

    def _inside(self, cut: Cut) -> Iterator[_Piece]:
        wanted = meeting(self.columns, cut.bands)
        for batch in self.near(wanted) if self.near and wanted else self.read():
            if not batch.num_rows:
                continue
            prints, _ = batch_fingerprints(batch, self.columns)
            chosen = cut.holds(prints)
            if chosen.any():
                yield batch.filter(pa.array(chosen)), prints[chosen]

    def _rows(self, batch: pa.RecordBatch, prints: Integers) -> Iterator[Row]:
        arrays = [value(batch, one) for one in self.columns]
        for place, fingerprint in enumerate(prints.tolist()):
            found = (of_lake(array[place], one.source) for array, one in zip(arrays, self.columns, strict=True))
            yield Row(fingerprint, tuple(found))


@dataclass
class EngineTable:
    """A table inside an engine: its rows come as the exact texts of their values, as few of them as will do.

    Attributes:
        table: what stands behind FROM.
        columns: of one group, see `questions.groups`.
        ask: runs a SELECT and gives its rows.
        where: condition on the table's rows; "" for all.
    """

    dialect: Dialect
    table: str
    columns: tuple[Checked, ...]
    ask: Ask
    where: str = ""
    _cut: Cut | None = None
    _kept: list[Sequence[object]] = field(default_factory=list)

    def refined(self, cut: Cut, finer: int) -> Mapping[int, tuple[int, int]]:
        """Rows and sum of their fingerprints (modulo 2^64, signed), for each of `finer` segments inside the cut."""
        return {place: (count, int(questions.wrapped(total))) for place, count, total in self._totals(cut, finer)}

    def fingerprints(self, cut: Cut) -> Integers:
        """The fingerprint of every row of the cut; few rows come with their values at once, and are kept for `rows`."""
        self._cut, self._kept = None, []
        if cut.rows <= _DIRECT_ROWS:
            text = partial(self._rows_text, self._near(cut))
            found = [row for part in self._parts(cut, len(cut.segments), text) for row in self.ask(text(part))]
            if len(found) < _ANSWER_ROWS:
                self._cut, self._kept = cut, found
                return np.array(list(map(_print_of, found)), np.int64)
        # Each of 2^63 segments has rows of one fingerprint, which is their mean.
        counted = [(total // count, count) for _, count, total in self._totals(cut, 2**63)]
        prints, counts = zip(*counted, strict=True) if counted else ((), ())
        return np.repeat(np.array(prints, np.int64), np.array(counts, np.int64))

    def rows(self, cut: Cut, wanted: Mapping[int, int]) -> Iterator[Row]:
        """The rows of the cut that have these fingerprints, as often as is said or as they are there."""
        if not wanted:
            return
        if self._cut == cut:
            yield from self._read(self._near(cut), [row for row in self._kept if _print_of(row) in wanted])
            return
        if len(wanted) * _FEW < cut.rows:
            yield from self._by_print(self._near(cut), wanted)
        else:
            yield from self._by_segment(cut, wanted)

    def _by_print(self, near: str, wanted: Mapping[int, int]) -> Iterator[Row]:
        """Rows by their fingerprints. Those with the same one have the same values: one of them stands for all."""
        left = sorted(wanted)
        most = self._room(self._rows_text(near, _ALL))
        while left:
            asked = left[:most]
            answer = self.ask(self._rows_text(near, _ALL, asked))
            found = {_print_of(row): row for row in answer}
            for row in self._read(near, list(found.values())):
                yield from repeat(row, wanted[row.fingerprint])
            # Rows come in the order of their fingerprints: behind the last one there may be more.
            done = max(found) if len(answer) == _ANSWER_ROWS else asked[-1]
            left = left[bisect_right(left, done) :]

    def _by_segment(self, cut: Cut, wanted: Mapping[int, int]) -> Iterator[Row]:
        """Rows by the segments that they are in, where nearly all of them are wanted."""
        most = max(1, _ANSWER_ROWS // 2 * len(cut.segments) // max(1, cut.rows))
        near = self._near(cut)
        text = partial(self._rows_text, near)
        for part in self._parts(cut, most, text):
            answer = self.ask(text(part))
            if len(answer) < _ANSWER_ROWS:
                yield from self._read(near, [row for row in answer if _print_of(row) in wanted])
            else:
                inside = part.holds(np.fromiter(wanted, np.int64, len(wanted)))
                yield from self._by_print(
                    near, {one: wanted[one] for one, held in zip(wanted, inside, strict=True) if held}
                )

    def _rows_text(self, near: str, cut: Cut, wanted: Sequence[int] = ()) -> str:
        return questions.rows_of(
            self.dialect,
            self.table,
            self.columns,
            cut.segments,
            cut.count,
            _ANSWER_ROWS,
            where=near,
            wanted=wanted,
        )

    def _near(self, cut: Cut) -> str:
        """Condition on the rows that are looked at for those of a cut, in whatever parts: whether it has hidden any is
        known of the cut as a whole.
        """
        near = lying_in(self.dialect, self.columns, cut.bands)
        return f"({self.where}) AND ({near})" if self.where and near else self.where or near

    def _parts(self, cut: Cut, most: int, text: Callable[[Cut], str]) -> Iterator[Cut]:
        """The cut in parts of at most so many segments, fewer where a statement has no room for them."""
        most = min(most, self._room(text(Cut(cut.count, cut.segments[:1]))))
        for start in range(0, len(cut.segments), most):
            segments = cut.segments[start : start + most]
            yield Cut(cut.count, segments, cut.rows * len(segments) // len(cut.segments))

    def _room(self, text: str) -> int:
        """How many numbers a statement has room for."""
        return max(1, (questions.MAX_STATEMENT_BYTES - len(text.encode())) // _DIGITS)

    def _read(self, near: str, answer: Sequence[Sequence[object]]) -> Iterator[Row]:
        """Rows of an answer, with the values that it had no room for, as many of these at once as may be kept."""
        for rows in _within(answer, _KEPT_BYTES):
            long = self._long_values(near, rows)
            for row in rows:
                fingerprint = _print_of(row)
                texts = (long.get((place, fingerprint), text) for place, text in enumerate(row[1:]))
                values = (of_text(text, one.source) for text, one in zip(texts, self.columns, strict=True))
                yield Row(fingerprint, tuple(values))

    def _long_values(self, near: str, answer: Sequence[Sequence[object]]) -> Mapping[tuple[int, int], bytes]:
        """Values that are too long for an answer, by the places of their columns and their rows' fingerprints."""
        found: dict[tuple[int, int], bytes] = {}
        for place in range(len(self.columns)):
            sizes = {_print_of(row): size for row in answer if (size := _size_of(row[1 + place]))}
            for prints in _some(sorted(sizes), _PIECES_ROWS):
                longest = max(sizes[one] for one in prints)
                for start in range(0, longest, _PIECE_BYTES):
                    lacking = [one for one in prints if sizes[one] > start]
                    for one, piece in self.ask(self._pieces_text(near, place, lacking, start)):
                        key = place, int(str(one))
                        found[key] = found.get(key, b"")[:start] + bytes.fromhex(str(piece))
        return found

    def _pieces_text(self, near: str, place: int, prints: Sequence[int], start: int) -> str:
        return questions.pieces_of(self.dialect, self.table, self.columns, place, prints, start + 1, _PIECE_BYTES, near)

    def _totals(self, cut: Cut, finer: int) -> Iterator[tuple[int, int, int]]:
        """Segment, rows and exact sum of their fingerprints."""
        near = self._near(cut)

        def text(part: Cut) -> str:
            return questions.refined(self.dialect, self.table, self.columns, part.segments, part.count, finer, near)

        for part in self._parts(cut, len(cut.segments), text):
            for place, count, total in self.ask(text(part)):
                yield int(str(place)), int(str(count)), int(str(total).partition(".")[0])


def _takes(left: dict[int, int], one: int) -> bool:
    """Whether one more row with this fingerprint is wanted; it is taken then."""
    left[one] -= 1
    return left[one] >= 0


def _print_of(row: Sequence[object]) -> int:
    return int(str(row[0]))


def _size_of(text: object) -> int:
    """Bytes of a value that is too long for an answer; 0 for any other."""
    long = isinstance(text, str) and text.startswith(questions.TOO_LONG)
    return int(str(text).removeprefix(questions.TOO_LONG)) if long else 0


def _within(answer: Sequence[Sequence[object]], most: int) -> Iterator[Sequence[Sequence[object]]]:
    """Rows of an answer in pieces whose long values have at most so many bytes, or that are one row."""
    found: list[Sequence[object]] = []
    room = most
    for row in answer:
        size = sum(map(_size_of, row[1:]))
        if found and size > room:
            yield found
            found, room = [], most
        found.append(row)
        room -= size
    yield found


def _some(numbers: Sequence[int], most: int) -> Iterator[Sequence[int]]:
    return (numbers[start : start + most] for start in range(0, len(numbers), most))


def of_lake_files(ports: Ports, plan: TablePlan, files: Sequence[LakeFile], part: Part) -> Batches:
    """The rows of a part of a table, from its lake files, a row group at a time."""
    tie = parents_of(plan, part)

    def read(wanted: Wanted = every) -> Iterator[pa.RecordBatch]:
        for file in files:
            # A file that was altered may have another size than it was written with.
            size = ports.objects.size(ports.places.lake, file.key)
            reader = LakeFileReader(partial(ports.objects.read_range, ports.places.lake, file.key), size)
            yield from (part_rows(batch, plan, part, tie) for batch in reader.batches(wanted=wanted))

    return Batches(read, part.columns, read)


def parents_of(plan: TablePlan, part: Part) -> tuple[Checked, ...]:
    """The columns that tell the parents of a part with a generated key apart: those of the table's first part."""
    return groups(checked(plan), keys_of(plan))[0] if any(one.is_row_key for one in part.columns) else ()
