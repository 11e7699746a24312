"""Rows of a source that its target does not hold as they are: in quarantine, or mended. The lake keeps them whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import pyarrow as pa

from lakeshift.lake import rows
from lakeshift.lake.quarantine import Sorter
from lakeshift.lake.reader import LakeFileReader
from lakeshift.lake.records import FILE, ROW
from lakeshift.load import quarantine, sql
from lakeshift.model import ChildPlan, TablePlan
from lakeshift.ports import Ports, Warehouse
from lakeshift.types.names import quoted
from lakeshift.validate.canonical import batch_fingerprints
from lakeshift.validate.columns import Checked
from lakeshift.validate.pairing import Row
from lakeshift.validate.rows import Cut, Side, only_in_first
from lakeshift.validate.sides import Batches
from lakeshift.validate.sums import Integers, Sums
from lakeshift.validate.tied import child_rows

_SCHEME = "s3://"


# Rows as they are in the source, and those of them that the target has, mended.
_Pair = tuple[pa.RecordBatch, pa.RecordBatch]


def _nothing() -> Iterator[_Pair]:
    return iter(())


@dataclass(frozen=True)
class Held:
    """The held rows of a table, read a row group at a time.

    Attributes:
        read: the rows as they are in the source, and as they were loaded, from the first on each time it is called.
    """

    read: Callable[[], Iterator[_Pair]] = _nothing

    @cached_property
    def _counts(self) -> tuple[int, int]:
        counts = [(whole.num_rows, loaded.num_rows) for whole, loaded in self.read()]
        return sum(whole for whole, _ in counts), sum(loaded for _, loaded in counts)

    def __bool__(self) -> bool:
        """True when there are any."""
        return self._counts[0] > 0

    @property
    def rows(self) -> int:
        """How many rows the target lacks."""
        whole, loaded = self._counts
        return whole - loaded

    def of_child(self, plan: TablePlan, child: ChildPlan, parents: Sequence[Checked]) -> Held:
        """The elements of an array of these rows.

        Args:
            parents: columns whose fingerprints tie elements to their rows.
        """
        return self.kept(lambda batch: child_rows(batch, plan, child, parents))

    def kept(self, keep: Callable[[pa.RecordBatch], pa.RecordBatch]) -> Held:
        """What becomes of the rows."""
        return Held(lambda: ((keep(whole), keep(loaded)) for whole, loaded in self.read()))

    def sums(self, columns: Sequence[Checked], segments: int) -> Sums:
        """What the target's sums lack; it may be negative."""
        total = Sums.nothing(len(columns), segments)
        for pair in self.read():
            whole, loaded = (_sums(batch, columns, segments) for batch in pair)
            total += whole + negative(loaded)
        return total

    def beside(self, table: Side, columns: tuple[Checked, ...]) -> Side:
        """The target as it would be if it held the rows as they are."""
        if not self:
            return table
        whole = Batches(lambda: (whole for whole, _ in self.read()), columns)
        return Beside(table, whole, Batches(lambda: (loaded for _, loaded in self.read()), columns))


def _sums(batch: pa.RecordBatch, columns: Sequence[Checked], segments: int) -> Sums:
    return Sums.of(*batch_fingerprints(batch, columns), segments)


def held_now(ports: Ports, warehouse: Warehouse, plan: TablePlan) -> Held:
    """The rows that the quarantine table of a plan's target tells of, out of the files that keep them.

    Raises:
        KeyError: a file is gone.
    """
    name = quarantine.table_name(plan)
    if not warehouse.query(sql.columns(plan.target.schema_, name)):
        return Held()
    places: dict[str, list[int]] = defaultdict(list)
    asked = f"SELECT DISTINCT {quoted(FILE)}, {quoted(ROW)} FROM {sql.in_schema(plan, name)}"  # noqa: S608
    for file, row in warehouse.query(asked):
        places[str(file)].append(int(str(row)))
    for file in places:
        ports.objects.size(*_place(file))
    sorter = Sorter(plan)

    def read() -> Iterator[_Pair]:
        for file, numbers in places.items():
            for batch in _rows(_reader(ports, file), plan, numbers):
                yield batch, sorter.sort(batch).kept

    return Held(read)


def _place(file: str) -> tuple[str, str]:
    bucket, _, key = file.removeprefix(_SCHEME).partition("/")
    return bucket, key


def _reader(ports: Ports, file: str) -> LakeFileReader:
    place = _place(file)
    return LakeFileReader(partial(ports.objects.read_range, *place), ports.objects.size(*place))


def _rows(reader: LakeFileReader, plan: TablePlan, numbers: Sequence[int]) -> Iterator[pa.RecordBatch]:
    """Some rows of a file of held ones, in the form that the plan gives them; a column that came later is NULL."""
    schema, wanted, first = rows.schema(plan.columns), np.sort(np.array(numbers)), 0
    for batch in reader.batches():
        inside = wanted[(wanted >= first) & (wanted < first + batch.num_rows)] - first
        yield _as_planned(batch.take(pa.array(inside)), schema)
        first += batch.num_rows


def _as_planned(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    there = set(batch.schema.names)
    columns = (
        batch.column(field.name) if field.name in there else pa.nulls(batch.num_rows, field.type) for field in schema
    )
    return pa.RecordBatch.from_arrays([*columns], schema=schema)


@dataclass(frozen=True)
class Beside:
    """A table together with rows that stand elsewhere, and without some of its own."""

    table: Side
    more: Side
    less: Side

    def refined(self, cut: Cut, finer: int) -> Mapping[int, tuple[int, int]]:
        """As of a side of a comparison."""
        found: dict[int, tuple[int, int]] = {}
        for side, sign in ((self.table, 1), (self.more, 1), (self.less, -1)):
            for place, (count, total) in side.refined(cut, finer).items():
                before = found.get(place, (0, 0))
                found[place] = before[0] + sign * count, _wrapped(before[1] + sign * total)
        return {place: both for place, both in found.items() if both != (0, 0)}

    def fingerprints(self, cut: Cut) -> Integers:
        """As of a side of a comparison."""
        both = np.concatenate([self.table.fingerprints(cut), self.more.fingerprints(cut)])
        left = only_in_first(both, self.less.fingerprints(cut))
        return np.repeat(np.array([*left], np.int64), np.array([*left.values()], np.int64))

    def rows(self, cut: Cut, wanted: Mapping[int, int]) -> Iterator[Row]:
        """As of a side of a comparison."""
        yield from self.more.rows(cut, wanted)
        yield from self.table.rows(cut, wanted)


def negative(sums: Sums) -> Sums:
    """What takes sums away when it is added."""
    return Sums(-sums.counts, -sums.rows, -sums.columns)


def _wrapped(total: int) -> int:
    return (total + 2**63) % 2**64 - 2**63
