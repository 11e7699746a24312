"""What the lake's files hold, by their own rows: one pass over each, in bounded memory, that can stop and go on.

Every file gives the statistics that were taken while it was written, a second time; the sums of portable fingerprints,
which the warehouse computes of its own rows too; and the bytes' digest. What files gave stands together in the staging
bucket, in one object whatever their number, and beside it the row groups of files that were not read to their end: a
function that ran out of time loses nothing, one that died about a minute.
"""

from __future__ import annotations

import io
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from hashlib import sha256
from itertools import accumulate, groupby
from operator import itemgetter
from types import MappingProxyType

import numpy as np
import pyarrow as pa

from lakeshift.errors import ValidationFailed
from lakeshift.lake import keys, rows
from lakeshift.lake.reader import LakeFileReader
from lakeshift.lake.statistics import Accumulator, empty, merge
from lakeshift.model import ChildPlan, LakeFile, Noun, Statistics, TablePlan
from lakeshift.ports import Ports
from lakeshift.validate.bands import Band, banded, with_band
from lakeshift.validate.canonical import array_fingerprints, row_fingerprints
from lakeshift.validate.columns import Checked, checked, checked_child, child_batch, value
from lakeshift.validate.questions import groups
from lakeshift.validate.sums import Integers, Sample, Sums
from lakeshift.validate.totals import Total, added, total

Question = Callable[[], bool]
# What is smaller is measured again rather than looked up: that is as fast. A request takes as long as so many bytes.
CHECKPOINT_BYTES, _REQUEST_BYTES = 8 * 2**20, 2**18
# How long it takes until what is measured is kept, whatever comes.
KEEP_SECONDS = 60.0
# Functions that read one table's files side by side: a run at its usual parallelism stays far below an account's 1,000.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MOST_SHARES = 16
# Part of the key of what is kept: another version measures anew.
VERSION = 3
_PIECE_BYTES = 8 * 2**20


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
        keeps: what is measured is kept, and what was kept counts; otherwise all is read anew.
        band: of the table's rows, and of none of its child tables; None for rows without bands.
    """

    plan: TablePlan
    segments: int = 1
    attempt: int = 0
    keeps: bool = True
    band: Band | None = None

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The compared columns of the table, then those of its child tables."""
        plan = self.plan
        own = with_band(checked(plan), self.band)
        tables = [(None, own), *((child, checked_child(plan, child)) for child in plan.children)]
        return tuple(
            Part(child, group)
            for child, columns in tables
            if columns
            for group in groups(columns, keys_of(plan, child))
        )


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
        sha256: of a file that was read to its end; "" otherwise.
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


Share = tuple[LakeFile, ...]
"""Files of a table that one function measures."""


def dealt_out(files: Sequence[LakeFile], share_bytes: int) -> tuple[Share, ...]:
    """Files in their order, in shares of about so many bytes; MOST_SHARES at most, and one where there are none."""
    size = sum(file.bytes for file in files)
    count = min(MOST_SHARES, max(1, -(-size // share_bytes)))
    before = accumulate((file.bytes for file in files), initial=0)
    numbered = zip((start * count // max(1, size) for start in before), files, strict=False)
    return tuple(tuple(file for _, file in share) for _, share in groupby(numbered, itemgetter(0))) or ((),)


def is_measured(ports: Ports, scope: Scope, share: Share) -> bool:
    """Whether all files of one of several shares are measured, and what they gave is kept."""
    return len(_Book(ports, scope, share, alone=False).facts) == len(share)


def measured(
    ports: Ports, scope: Scope, files: Sequence[LakeFile], stop: Question, *, alone: bool = True
) -> Iterator[tuple[LakeFile, Measured]]:
    """Measure files side by side; what it is too late for is not done.

    Args:
        alone: these are all files of their table. What a share of them gave is kept whatever its size, since another
            function puts it together.

    Returns:
        What each file says of itself, in their order; what all of them hold together comes with the last one.
    """
    book = _Book(ports, scope, files, alone=alone)
    left = [(number, file) for number, file in enumerate(files) if number not in book.facts]
    with ThreadPoolExecutor(max(1, ports.limits.readers), thread_name_prefix="measure") as threads:
        waiting: deque[tuple[int, Future[Measured]]] = deque()
        for number, file in left:
            waiting.append((number, threads.submit(file_measured, ports, scope, file, stop)))
            # No more than are worked on and one each behind them, so that results do not pile up.
            if len(waiting) >= 2 * ports.limits.readers:
                book.add(*_first(waiting))
        while waiting:
            book.add(*_first(waiting))
    book.keep()
    for number, file in enumerate(files):
        yield file, book.told(number)


def _first(waiting: deque[tuple[int, Future[Measured]]]) -> tuple[int, Measured]:
    number, future = waiting.popleft()
    return number, future.result()


class _Book:
    """What is measured of a table's files; it is kept now and then, where it is worth it.

    Attributes:
        facts: of the files that are done, by their numbers; their statistics are in the whole.
    """

    def __init__(self, ports: Ports, scope: Scope, files: Sequence[LakeFile], *, alone: bool) -> None:
        self._ports, self._count, self._key = ports, len(files), _key(scope, "table", *files)
        size = sum(file.bytes + _REQUEST_BYTES for file in files)
        self._keeps = scope.keeps and (size >= CHECKPOINT_BYTES or not alone)
        self._whole, self.facts = _kept(ports, self._key) if self._keeps else (Measured(), {})
        self._last, self._news = time.monotonic(), False

    def add(self, number: int, found: Measured) -> None:
        """Take up a file, if it is done."""
        if not found.facts.done:
            return
        statistics = merge(self._whole.facts.statistics, found.facts.statistics)
        self._whole = Measured(Facts(statistics=statistics), together(self._whole.parts, found.parts))
        self.facts[number] = found.facts.model_copy(update={"statistics": empty()})
        self._news = True
        if time.monotonic() - self._last >= KEEP_SECONDS:
            self.keep()

    def keep(self) -> None:
        """Keep it, if it has anything new."""
        if self._keeps and self._news:
            self._ports.objects.put(self._ports.places.staging, self._key, packed(self._whole, self.facts))
        self._last, self._news = time.monotonic(), False

    def told(self, number: int) -> Measured:
        """What is said of a file; with the last one what all hold."""
        facts = self.facts.get(number, Facts())
        if number < self._count - 1:
            return Measured(facts)
        return Measured(facts.model_copy(update={"statistics": self._whole.facts.statistics}), self._whole.parts)


def file_measured(ports: Ports, scope: Scope, file: LakeFile, stop: Question) -> Measured:
    """Measure one file, going on behind the row groups that were measured before; keeps what it has when it stops."""
    if stop():
        return Measured()
    key = _key(scope, "file", file)
    keeps = scope.keeps and file.bytes >= CHECKPOINT_BYTES
    try:
        found = _read_on(ports, scope, file, _kept(ports, key)[0] if keeps else Measured(), stop)
    except ValidationFailed as error:
        found = Measured(Facts(done=True, damage=error.what))
    except KeyError:
        found = Measured(Facts(done=True, damage="it is gone"))
    if keeps and not found.facts.done:
        ports.objects.put(ports.places.staging, key, packed(found))
    return found


def _read_on(ports: Ports, scope: Scope, file: LakeFile, before: Measured, stop: Question) -> Measured:
    size = ports.objects.size(ports.places.lake, file.key)
    read = partial(ports.objects.read_range, ports.places.lake, file.key)
    reader = LakeFileReader(read, size)
    _check_schema(reader.schema, rows.schema(scope.plan.columns))
    if (before.facts.bytes, before.facts.rows) != (size, reader.rows):
        # There is another file in its place.
        before = Measured()
    gauge, groups_read = _Gauge(scope), before.facts.groups
    for batch in reader.batches(groups_read):
        gauge.add(batch)
        groups_read += 1
        if groups_read < reader.row_groups and stop():
            break
    done = groups_read == reader.row_groups
    facts = Facts(
        rows=reader.rows,
        bytes=size,
        groups=groups_read,
        done=done,
        statistics=merge(before.facts.statistics, gauge.statistics()),
        sha256=reader.sha256() or (_digest(read, size) if done else ""),
    )
    return Measured(facts, together(before.parts, gauge.parts()))


def _digest(read: Callable[[int, int], bytes], size: int) -> str:
    """SHA-256 of a file whose row groups were not read in one go."""
    digest = sha256()
    for start in range(0, size, _PIECE_BYTES):
        digest.update(read(start, min(_PIECE_BYTES, size - start)))
    return digest.hexdigest()


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
        found = part_values(batch, self._scope.plan, self._scope.parts)
        self._parts = [part.plus(*more) for part, more in zip(self._parts, found, strict=True)]

    def statistics(self) -> Statistics:
        return self._statistics.result()

    def parts(self) -> tuple[PartMeasure, ...]:
        return tuple(self._parts)


def part_values(
    batch: pa.RecordBatch, plan: TablePlan, parts: Sequence[Part]
) -> Iterator[tuple[Integers, list[Integers], list[pa.Array]]]:
    """Of each part of a batch of the lake the fingerprints of its rows, those of its values, and the values.

    Children are tied to their parents by the rows' fingerprints of the table's first part, without bands. Rows of a
    table that has no columns of its own are all alike.
    """
    tie: Integers | None = None
    child, rows = None, batch
    for part in parts:
        if part.child is not child and part.child is not None:
            tie = row_fingerprints([], batch.num_rows) if tie is None else tie
            child, rows = part.child, child_batch(batch, plan, part.child, tie)
        arrays = [value(rows, one) for one in part.columns]
        prints = list(map(array_fingerprints, arrays, part.columns))
        identities = row_fingerprints(prints)
        tie = identities if tie is None else tie
        yield banded(identities, arrays, part.columns), prints, arrays


def _kept(ports: Ports, key: str) -> tuple[Measured, dict[int, Facts]]:
    """What was measured by a step that stopped, or died, or was called twice; nothing where nothing was."""
    try:
        return unpacked(ports.objects.get(ports.places.staging, key))
    except KeyError:
        return Measured(), {}


def _key(scope: Scope, what: str, *files: LakeFile) -> str:
    named = (name for file in files for name in (file.key, file.sha256))
    parts = (VERSION, scope.plan.split, scope.segments, scope.attempt, scope.band, what, *named)
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
    files: dict[int, Facts]


def packed(found: Measured, files: Mapping[int, Facts] = MappingProxyType({})) -> bytes:
    """A measure, and what is said of its files, as bytes: its arrays as they are, everything else as JSON."""
    told = tuple(
        _Told(totals=part.totals, nulls=part.nulls, levels=tuple(one.level for one in part.samples))
        for part in found.parts
    )
    said = _Packed(facts=found.facts, parts=told, files=dict(files)).model_dump_json(exclude_defaults=True)
    head = np.frombuffer(said.encode(), np.uint8)
    arrays = {f"{name}_{number}": one for number, part in enumerate(found.parts) for name, one in _arrays(part)}
    sink = io.BytesIO()
    np.savez_compressed(sink, head=head, **arrays)  # type: ignore[arg-type]
    return sink.getvalue()


def _arrays(part: PartMeasure) -> Iterator[tuple[str, Integers]]:
    yield from (("counts", part.sums.counts), ("rows", part.sums.rows), ("columns", part.sums.columns))
    yield "ends", np.cumsum([len(one.kept) for one in part.samples])
    yield "kept", np.concatenate([one.kept for one in part.samples])


def unpacked(body: bytes) -> tuple[Measured, dict[int, Facts]]:
    """What was packed."""
    with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
        head = _Packed.model_validate_json(arrays["head"].tobytes())
        parts = tuple(_unpacked(arrays, number, told) for number, told in enumerate(head.parts))
    return Measured(head.facts, parts), head.files


def _unpacked(arrays: Mapping[str, Integers], number: int, told: _Told) -> PartMeasure:
    counts, identities, columns, ends, kept = (
        arrays[f"{name}_{number}"] for name in ("counts", "rows", "columns", "ends", "kept")
    )
    room = Sample.nothing(len(columns)).room
    pairs = zip(np.split(kept, ends[:-1]), told.levels, strict=True)
    samples = tuple(Sample(one, room, level) for one, level in pairs)
    return PartMeasure(Sums(counts, identities, columns), samples, told.totals, told.nulls)
