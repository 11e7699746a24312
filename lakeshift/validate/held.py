"""Rows of a source that its target does not hold as they are: in quarantine, or mended. The lake keeps them whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

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
from lakeshift.validate.canonical import column_fingerprints, row_fingerprints
from lakeshift.validate.columns import Checked, child_batch
from lakeshift.validate.pairing import Row
from lakeshift.validate.rows import Cut, Side, only_in_first
from lakeshift.validate.sides import Batches
from lakeshift.validate.sums import Integers, Sums

_SCHEME = "s3://"


@dataclass(frozen=True)
class Held:
    """The held rows of a table, as they are in the source and as they were loaded.

    Attributes:
        whole: the rows.
        loaded: those of them that the target has, mended.
    """

    whole: tuple[pa.RecordBatch, ...] = ()
    loaded: tuple[pa.RecordBatch, ...] = ()

    def __bool__(self) -> bool:
        """True when there are any."""
        return any(one.num_rows for one in self.whole)

    @property
    def rows(self) -> int:
        """How many rows the target lacks."""
        lost = sum(one.num_rows for one in self.whole) - sum(one.num_rows for one in self.loaded)
        return int(lost)

    def of_child(self, plan: TablePlan, child: ChildPlan, parents: Sequence[Checked]) -> Held:
        """The elements of an array of these rows.

        Args:
            parents: columns whose fingerprints tie elements to their rows.
        """

        def exploded(batch: pa.RecordBatch) -> pa.RecordBatch:
            return child_batch(batch, plan, child, row_fingerprints(column_fingerprints(batch, parents)))

        return Held(tuple(map(exploded, self.whole)), tuple(map(exploded, self.loaded)))

    def kept(self, keep: Callable[[pa.RecordBatch], pa.RecordBatch]) -> Held:
        """Some of the rows."""
        return Held(tuple(map(keep, self.whole)), tuple(map(keep, self.loaded)))

    def sums(self, columns: Sequence[Checked], segments: int) -> Sums:
        """What the target's sums lack; it may be negative."""
        total = Sums.nothing(len(columns), segments)
        for batches, sign in ((self.whole, 1), (self.loaded, -1)):
            for batch in batches:
                values = column_fingerprints(batch, columns)
                found = Sums.of(row_fingerprints(values), values, segments)
                total += found if sign > 0 else negative(found)
        return total

    def beside(self, table: Side, columns: tuple[Checked, ...]) -> Side:
        """The target as it would be if it held the rows as they are."""
        if not self:
            return table
        return Beside(table, Batches(lambda: iter(self.whole), columns), Batches(lambda: iter(self.loaded), columns))


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
    whole = tuple(_rows(ports, plan, file, numbers) for file, numbers in places.items())
    sorter = Sorter(plan)
    return Held(whole, tuple(sorter.sort(batch).kept for batch in whole))


def _rows(ports: Ports, plan: TablePlan, file: str, numbers: Sequence[int]) -> pa.RecordBatch:
    """Some rows of a file of held ones, in the form that the plan gives them; a column that came later is NULL."""
    bucket, _, key = file.removeprefix(_SCHEME).partition("/")
    reader = LakeFileReader(partial(ports.objects.read_range, bucket, key), ports.objects.size(bucket, key))
    schema, wanted, first, found = rows.schema(plan.columns), np.sort(np.array(numbers)), 0, []
    for batch in reader.batches():
        inside = wanted[(wanted >= first) & (wanted < first + batch.num_rows)] - first
        found.append(_as_planned(batch.take(pa.array(inside)), schema))
        first += batch.num_rows
    return pa.concat_batches(found)


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
