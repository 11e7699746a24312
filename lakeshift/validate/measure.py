"""What the lake's files hold, by their own rows: one pass over each, in bounded memory, that can stop and go on.

Every file gives the statistics that were taken while it was written, a second time; the sums of portable fingerprints,
which the warehouse computes of its own rows too; and the bytes' digest. What a file gave stands in the staging bucket,
so that a function that ran out of time, or died, loses the part of one file.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from hashlib import sha256

import numpy as np
import pyarrow as pa

from lakeshift.errors import ValidationFailed
from lakeshift.lake import keys, rows
from lakeshift.lake.reader import LakeFileReader
from lakeshift.lake.statistics import Accumulator, empty, merge
from lakeshift.model import ChildPlan, LakeFile, Noun, Statistics, TablePlan
from lakeshift.ports import Ports
from lakeshift.validate.canonical import column_fingerprints, row_fingerprints
from lakeshift.validate.columns import Checked, checked, checked_child, child_batch, value
from lakeshift.validate.questions import groups
from lakeshift.validate.sums import Integers, Sample, Sums
from lakeshift.validate.totals import Total, added, total

Question = Callable[[], bool]
# A smaller file is measured again rather than looked up: that is as fast.
CHECKPOINT_BYTES = 8 * 2**20
# Part of the key of what is kept: another version measures anew.
VERSION = 1


@dataclass(frozen=True)
class Part:
    """Columns of a table that one question asks for; of a wide table there are several parts.

    Attributes:
        child: the child table that they belong to; None for the table itself.
    """

    child: ChildPlan | None
    columns: tuple[Checked, ...]


@dataclass(frozen=True)
class Scope:
    """What is measured of a table's files.

    Attributes:
        plan: of the table.
        segments: of its sums of fingerprints.
        attempt: which load is checked; what was kept of an earlier one counts no more.
    """

    plan: TablePlan
    segments: int = 1
    attempt: int = 0

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The compared columns of the table, then those of its child tables."""
        plan, own = self.plan, checked(self.plan)
        tables = [(None, own), *((child, _of_child(plan, child, tied=bool(own))) for child in plan.children)]
        return tuple(
            Part(child, group)
            for child, columns in tables
            if columns
            for group in groups(columns, keys_of(plan, child))
        )


def _of_child(plan: TablePlan, child: ChildPlan, *, tied: bool) -> tuple[Checked, ...]:
    """The columns of a child table; what a generated key ties it to is none where its parent has no column itself."""
    return tuple(one for one in checked_child(plan, child) if tied or not one.is_row_key)


def keys_of(plan: TablePlan, child: ChildPlan | None = None) -> tuple[str, ...]:
    """Columns that name a row of the table, or of a child table; none where nothing says so."""
    if child is not None:
        return (*(name for _, name in child.key), *child.positions)
    if plan.row_key:
        return ()
    return plan.merge.key if plan.merge else plan.primary_key


@dataclass(frozen=True)
class PartMeasure:
    """What is kept of a part.

    Attributes:
        sums: of fingerprints.
        samples: of the distinct values of each column.
        totals: of each column's values.
        nulls: how many values of each column are NULL.
    """

    sums: Sums
    samples: tuple[Sample, ...]
    totals: tuple[Total, ...]
    nulls: tuple[int, ...]

    @classmethod
    def nothing(cls, columns: int, segments: int) -> PartMeasure:
        """Of no rows."""
        return cls(Sums.nothing(columns, segments), (Sample.nothing(columns),) * columns, (), (0,) * columns)

    def plus(self, identities: Integers, values: Sequence[Integers], arrays: Sequence[pa.Array]) -> PartMeasure:
        """That of these rows too, by their fingerprints, those of their values, and the values."""
        return PartMeasure(
            self.sums + Sums.of(identities, values, self.sums.segments),
            tuple(before.plus(one) for before, one in zip(self.samples, values, strict=True)),
            added(self.totals, [total(one) for one in arrays]),
            tuple(before + one.null_count for before, one in zip(self.nulls, arrays, strict=True)),
        )

    def __add__(self, other: PartMeasure) -> PartMeasure:
        """That of the rows of both."""
        return PartMeasure(
            self.sums + other.sums,
            tuple(mine + theirs for mine, theirs in zip(self.samples, other.samples, strict=True)),
            added(self.totals, other.totals),
            tuple(mine + theirs for mine, theirs in zip(self.nulls, other.nulls, strict=True)),
        )


class Facts(Noun):
    """What a file says by itself, and what its rows have given.

    Attributes:
        rows: by the file's footer.
        bytes: of the file.
        groups: row groups that are measured.
        done: all of them are.
        sha256: of a file that was read in one go; "" otherwise.
        damage: why it cannot be read, in words that name columns; "" for one that can.
    """

    rows: int = 0
    bytes: int = 0
    groups: int = 0
    done: bool = False
    statistics: Statistics = empty()
    sha256: str = ""
    damage: str = ""


@dataclass(frozen=True)
class Measured:
    """A file, or its first row groups.

    Attributes:
        parts: of the table and its child tables, as the scope has them; none where no sums are taken.
    """

    facts: Facts = field(default_factory=Facts)
    parts: tuple[PartMeasure, ...] = ()


def together(first: tuple[PartMeasure, ...], second: tuple[PartMeasure, ...]) -> tuple[PartMeasure, ...]:
    """The measures of the rows of both; none stands for no rows."""
    return tuple(map(PartMeasure.__add__, first, second)) if first and second else first or second


def measured(
    ports: Ports, scope: Scope, files: Sequence[LakeFile], stop: Question
) -> Iterator[tuple[LakeFile, Measured]]:
    """Measure files side by side and give them out in their order; what it is too late for is not done."""
    with ThreadPoolExecutor(max(1, ports.limits.readers), thread_name_prefix="measure") as threads:
        waiting: list[tuple[LakeFile, Future[Measured]]] = []
        for file in files:
            waiting.append((file, threads.submit(file_measured, ports, scope, file, stop)))
            # No more than are worked on and one each behind them, so that results do not pile up.
            if len(waiting) >= 2 * ports.limits.readers:
                yield from _first(waiting)
        while waiting:
            yield from _first(waiting)


def _first(waiting: list[tuple[LakeFile, Future[Measured]]]) -> Iterator[tuple[LakeFile, Measured]]:
    file, future = waiting.pop(0)
    yield file, future.result()


def file_measured(ports: Ports, scope: Scope, file: LakeFile, stop: Question) -> Measured:
    """Measure one file, going on behind the row groups that were measured before; keeps what it has when it stops."""
    before = kept(ports, scope, file)
    if before.facts.done or stop():
        return before
    try:
        found = _read_on(ports, scope, file, before, stop)
    except ValidationFailed as error:
        found = Measured(Facts(done=True, damage=error.what))
    except KeyError:
        found = Measured(Facts(done=True, damage="it is gone"))
    if file.bytes >= CHECKPOINT_BYTES:
        ports.objects.put(ports.places.staging, _key(scope, file), packed(found))
    return found


def _read_on(ports: Ports, scope: Scope, file: LakeFile, before: Measured, stop: Question) -> Measured:
    size = ports.objects.size(ports.places.lake, file.key)
    reader = LakeFileReader(partial(ports.objects.read_range, ports.places.lake, file.key), size)
    _check_schema(reader.schema, rows.schema(scope.plan.columns))
    gauge, read = _Gauge(scope), before.facts.groups
    for batch in reader.batches(read):
        gauge.add(batch)
        read += 1
        if read < reader.row_groups and stop():
            break
    facts = Facts(
        rows=reader.rows,
        bytes=size,
        groups=read,
        done=read == reader.row_groups,
        statistics=merge(before.facts.statistics, gauge.statistics()),
        sha256=reader.sha256(),
    )
    return Measured(facts, together(before.parts, gauge.parts()))


def _check_schema(found: pa.Schema, planned: pa.Schema) -> None:
    """Raise ValidationFailed, with names and types of what differs, for a file of other columns than the plan's."""
    if found.names != planned.names:
        raise ValidationFailed(f"it has {len(found.names)} columns, {len(planned.names)} others were planned")
    wrong = [
        f"{field.name} is {field.type}, not {wanted.type}"
        for field, wanted in zip(found, planned, strict=True)
        if field.type != wanted.type
    ]
    if wrong:
        raise ValidationFailed("; ".join(wrong))


class _Gauge:
    """Takes up row groups of one file."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._statistics = Accumulator(rows.schema(scope.plan.columns))
        self._parts = [PartMeasure.nothing(len(part.columns), scope.segments) for part in scope.parts]

    def add(self, batch: pa.RecordBatch) -> None:
        self._statistics.add(batch)
        identities: Integers | None = None
        children: dict[str, pa.RecordBatch] = {}
        for number, part in enumerate(self._scope.parts):
            found = batch
            if part.child is not None:
                if part.child.table not in children:
                    tie = np.zeros(batch.num_rows, np.int64) if identities is None else identities
                    children = {part.child.table: child_batch(batch, self._scope.plan, part.child, tie)}
                found = children[part.child.table]
            values = column_fingerprints(found, part.columns)
            fingerprints = row_fingerprints(values)
            identities = fingerprints if identities is None else identities
            arrays = [value(found, one) for one in part.columns]
            self._parts[number] = self._parts[number].plus(fingerprints, values, arrays)

    def statistics(self) -> Statistics:
        return self._statistics.result()

    def parts(self) -> tuple[PartMeasure, ...]:
        return tuple(self._parts)


def kept(ports: Ports, scope: Scope, file: LakeFile) -> Measured:
    """What was measured of a file by a step that stopped, or died, or was called twice; nothing where nothing was."""
    if file.bytes < CHECKPOINT_BYTES:
        return Measured()
    try:
        return unpacked(ports.objects.get(ports.places.staging, _key(scope, file)))
    except KeyError:
        return Measured()


def _key(scope: Scope, file: LakeFile) -> str:
    parts = (VERSION, scope.plan.split, scope.segments, scope.attempt, file.key, file.sha256)
    digest = sha256("\0".join(map(str, parts)).encode()).hexdigest()
    return keys.measured_file(scope.plan.run, digest)


class _Told(Noun):
    """A part without its arrays."""

    totals: tuple[Total, ...]
    nulls: tuple[int, ...]
    levels: tuple[int, ...]


class _Packed(Noun):
    """What is kept as JSON."""

    facts: Facts
    parts: tuple[_Told, ...]


def packed(found: Measured) -> bytes:
    """A measure as bytes: its arrays as they are, everything else as JSON."""
    told = tuple(
        _Told(totals=part.totals, nulls=part.nulls, levels=tuple(one.level for one in part.samples))
        for part in found.parts
    )
    head = np.frombuffer(_Packed(facts=found.facts, parts=told).model_dump_json().encode(), np.uint8)
    arrays = {f"{name}_{number}": one for number, part in enumerate(found.parts) for name, one in _arrays(part)}
    sink = io.BytesIO()
    np.savez_compressed(sink, head=head, **arrays)  # type: ignore[arg-type]
    return sink.getvalue()


def _arrays(part: PartMeasure) -> Iterator[tuple[str, Integers]]:
    yield from (("counts", part.sums.counts), ("rows", part.sums.rows), ("columns", part.sums.columns))
    yield "ends", np.cumsum([len(one.kept) for one in part.samples])
    yield "kept", np.concatenate([one.kept for one in part.samples])


def unpacked(body: bytes) -> Measured:
    """The measure that was packed."""
    with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
        head = _Packed.model_validate_json(arrays["head"].tobytes())
        parts = tuple(_unpacked(arrays, number, told) for number, told in enumerate(head.parts))
    return Measured(head.facts, parts)


def _unpacked(arrays: Mapping[str, Integers], number: int, told: _Told) -> PartMeasure:
    counts, identities, columns, ends, kept = (
        arrays[f"{name}_{number}"] for name in ("counts", "rows", "columns", "ends", "kept")
    )
    room = Sample.nothing(len(columns)).room
    pairs = zip(np.split(kept, ends[:-1]), told.levels, strict=True)
    samples = tuple(Sample(one, room, level) for one, level in pairs)
    return PartMeasure(Sums(counts, identities, columns), samples, told.totals, told.nulls)
