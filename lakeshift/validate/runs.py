"""A run's lake compared with its targets as they stand now, months later if need be. Nothing is asked of the source."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby

import numpy as np
import pyarrow as pa

from lakeshift.check.step import migration_of
from lakeshift.errors import (
    SplitMismatch,
    StatementFailed,
    StatementTooLarge,
    ValidationFailed,
    WrongState,
    no_run,
)
from lakeshift.extract.step import extract_of
from lakeshift.lake import rows
from lakeshift.lake.reader import LakeFileReader, Wanted, every
from lakeshift.lake.statistics import Accumulator
from lakeshift.load import sql
from lakeshift.model import (
    CheckResult,
    CheckStatus,
    ChildPlan,
    Depth,
    ExtractManifest,
    LakeFile,
    Masking,
    Range,
    RunState,
    Statistics,
    TablePlan,
    TableRecord,
    TableState,
)
from lakeshift.plan.step import plan_of
from lakeshift.ports import Ports, Warehouse
from lakeshift.spec import Migration
from lakeshift.types.names import quoted
from lakeshift.validate import questions
from lakeshift.validate.aggregated import aggregates_compared, columns_of
from lakeshift.validate.aggregates import aggregates, aggregates_of
from lakeshift.validate.bands import band_of, with_band
from lakeshift.validate.canonical import batch_fingerprints, column_fingerprints, row_fingerprints
from lakeshift.validate.columns import Checked, checked, checked_child, value
from lakeshift.validate.compare import Notary, file_difference, notary, segments_compared
from lakeshift.validate.confirm import changed_columns, explained, judged
from lakeshift.validate.depth import Lake, names_of, source_and_lake
from lakeshift.validate.dialects import SCOPE
from lakeshift.validate.engines import Side, Terms, costing, target_side, target_table
from lakeshift.validate.grouped import orphaned, untied
from lakeshift.validate.matched import EXTRA, Matched, matched
from lakeshift.validate.measure import Facts, Part, PartMeasure, keys_of
from lakeshift.validate.pairing import Pairing
from lakeshift.validate.pairs import Asked, Checks, named, not_checked, shown_rows
from lakeshift.validate.ranges import outside
from lakeshift.validate.row_results import TableRows
from lakeshift.validate.rows import Bounds, Found, differences
from lakeshift.validate.sides import Batches, EngineTable
from lakeshift.validate.standing import Later, Standing, standing
from lakeshift.validate.sums import Integers, Sums, segment_count
from lakeshift.validate.tied import is_loose, part_rows, tie_of

_BY_CONFIG = "compare the source with the target, `lakeshift validate CONFIG`"
# Keys whose fingerprints are held at once; more take more passes over the files.
_KEYS_AT_ONCE = 2**24
_FORGOTTEN = f"its plan is not kept any more: {_BY_CONFIG}"


def validate_run(ports: Ports, run: str, asked: Asked) -> Checks:
    """Compare what a run has left in the lake with its targets, as far as its rows can still be told there.

    Raises:
        SourceNotFound: there is no such run.
        WrongState: it was refused, or what it planned is forgotten.
        OptionInvalid: a name of `asked.tables` that no table has.
    """
    migration = _migration(ports, run)
    warehouse = ports.warehouse(migration.target)
    tables = named(asked.tables, [(one, one.table, one.target) for one in ports.ledger.tables(run)])
    terms = Terms(migration.validation.max_rows_compared, Masking(migration.validation.mask))
    looks = [_Look(ports, warehouse, one) for one in tables]
    results = tuple(result for look in looks for result in look.results(terms, asked.depth))
    notes = tuple(note for look in looks for note in look.notes)
    return Checks(asked.depth, results, notes, shown_rows(terms, asked.depth), "lake")


def _migration(ports: Ports, run: str) -> Migration:
    try:
        record = ports.ledger.run(run)
    except KeyError as error:
        raise no_run(run) from error
    if record.state is RunState.REFUSED:
        raise WrongState("the config of the run was refused; it has moved nothing", where=run)
    try:
        return migration_of(ports, run)
    except KeyError as error:
        raise WrongState("what the run has planned is gone", where=run, next_step=f"{_BY_CONFIG}.") from error


@dataclass
class _Look:
    """One table of a run."""

    ports: Ports
    warehouse: Warehouse
    record: TableRecord
    notes: list[str] = field(default_factory=list)

    def results(self, terms: Terms, depth: Depth) -> Iterator[CheckResult]:
        """Compare it, or say why it cannot be."""
        found = self._comparable()
        if isinstance(found, str):
            yield not_checked(self.record.table, found, self.record.run)
            return
        try:
            yield from found.results(terms, depth)
        except (StatementFailed, StatementTooLarge) as error:
            yield not_checked(self.record.table, str(error), self.record.run)

    def _comparable(self) -> _Remains | str:
        """What can be compared of the table, or why nothing can."""
        record = self.record
        if record.state is not TableState.PUBLISHED:
            reason = f": {record.failure.message}" if record.failure else ""
            return f"the table is {record.state} in this run; nothing of it stands at the target{reason}"
        try:
            plan = plan_of(self.ports, record)
        except (KeyError, SplitMismatch):
            return _FORGOTTEN
        place = standing(self.warehouse, plan, self._plan_of)
        return _gone(plan, place) or self._remains(plan, place)

    def _plan_of(self, run: str) -> TablePlan | None:
        """The plan by which another run has published the table, if it is known."""
        try:
            return plan_of(self.ports, self.ports.ledger.table(run, self.record.table))
        except (KeyError, SplitMismatch):
            return None

    def _remains(self, plan: TablePlan, place: Standing) -> _Remains | str:
        try:
            extracted = extract_of(self.ports, plan, self.record)
        except KeyError:
            return "what its extract is made of is gone from the lake"
        later = tuple(one for part in place.later if part.increment for one in part.increment.ranges)
        for one in place.later:
            self.notes.append(_since(plan, one))
        return _Remains(self.ports, self.warehouse, plan, extracted, self.record.rows.source, later)


def _gone(plan: TablePlan, place: Standing) -> str:
    """Why nothing of the run's rows can be told at the target; "" where something can."""
    if not place.published:
        return "the history has no publish of this run that still stands: it was taken back"
    if place.replaced:
        one = place.replaced
        return f"run {one.run} has published the table since, of {one.snapshot}: validate that one, {_its(place)}"
    if plan.increment and plan.increment.mode == "merge":
        return f"it merged rows by their key, which cannot be told from the others: {_BY_CONFIG}"
    return ""


def _its(place: Standing) -> str:
    return f"`lakeshift validate {place.later[-1].run}`"


def _since(plan: TablePlan, one: Later) -> str:
    if one.increment and one.increment.empty:
        return f"{plan.target.id}: run {one.run}, of {one.snapshot}, has found nothing new since"
    return f"{plan.target.id}: the rows that run {one.run}, of {one.snapshot}, has brought since are left out"


@dataclass(frozen=True)
class _Remains:
    """The rows of a run that can be told at its target: those in its own ranges and in none of a later increment.

    Attributes:
        source: rows of the source at the run's snapshot, as they were counted then.
        later: ranges of the increments that came after.
    """

    ports: Ports
    warehouse: Warehouse
    plan: TablePlan
    extracted: ExtractManifest
    source: int | None
    later: tuple[Range, ...]

    def results(self, terms: Terms, depth: Depth) -> Iterator[CheckResult]:
        """What stands at the target first, then one pass over the lake's files."""
        tables = [self._matched(None), *map(self._matched, self.plan.children)]
        for child, found in tables:
            yield from self._schema(child, found)
        if depth is Depth.SCHEMA:
            return
        if self.plan.increment and self.plan.increment.empty:
            yield self._said.result("", "rows", lake_value="0", target_value="0")
            return
        deep = depth.includes(Depth.AGGREGATES)
        parts = tuple(part for child, found in tables for part in self._parts(child, found.columns) if deep)
        tie = tie_of(tables[0][1].columns)
        segments = segment_count(self.extracted.rows, max((len(part.columns) for part in parts), default=1))
        band = band_of(self.plan, self.extracted.statistics, segments)
        parts = tuple(part if part.child else replace(part, columns=with_band(part.columns, band)) for part in parts)
        lake = lake_of(self.ports, self.plan, self.extracted, Measures(parts, tie, self.later, segments))
        compared = source_and_lake(self._said, self.plan, self.extracted, lake)
        yield from (one for one in compared if deep or one.check != "source_checksum")
        if not lake.readable:
            return
        there = self._there()
        kept = self._keys() if self.plan.merge and lake.rows > there else lake.rows
        yield self._counted(kept, there)
        if kept < lake.rows:
            why = f"keys have several rows in the lake, of which the target has the latest one: {_BY_CONFIG}"
            yield not_checked(self.plan.source.id, why, self.plan.run)
            return
        for part, mine in zip(parts, lake.parts, strict=True):
            yield from self._part(terms, depth, part, tie, mine, lake.left)
        for child, grouped in groupby(parts if depth.includes(Depth.CHECKSUM) else (), key=lambda part: part.child):
            first, *more = grouped
            yield from self._open(child, [one.columns for one in (first, *more)], tie, whole=tables[0][1].columns)

    def _open(
        self,
        child: ChildPlan | None,
        groups: Sequence[tuple[Checked, ...]],
        tie: tuple[Checked, ...],
        whole: Sequence[Checked],
    ) -> Iterator[CheckResult]:
        """What was not compared of a table; `whole`: the compared columns of its parent."""
        name = in_table(child, "")
        side, parent = (self._target(part, tie) for part in (Part(child, groups[0]), Part(None, tie)))

        def ask(text: str) -> Sequence[Sequence[object]]:
            return side.ask(text).rows

        yield from untied(self._said, ask, side.dialect, side.table, groups, name, side.where)
        if is_loose(groups[0], tie, whole):
            yield from orphaned(self._said, ask, parent.dialect, parent.table, tie, name, parent.where)

    @property
    def _said(self) -> Notary:
        return notary(self.plan)

    def _matched(self, child: ChildPlan | None) -> tuple[ChildPlan | None, Matched]:
        columns = checked_child(self.plan, child) if child else checked(self.plan)
        table = child.table if child else self.plan.target.table
        return child, matched(columns, self.warehouse.query(sql.columns(self.plan.target.schema_, table)))

    def _schema(self, child: ChildPlan | None, found: Matched) -> Iterator[CheckResult]:
        """A later increment may have added columns, which is no difference."""
        for one in found.unmatched:
            known = one.why == EXTRA and self.later
            more = {"status": CheckStatus.NOT_CHECKED} if known else {}
            yield self._said.result(in_table(child, one.column), "schema", one.why, **more)
        if not found.unmatched:
            yield self._said.result(in_table(child, ""), "schema")

    def _parts(self, child: ChildPlan | None, columns: Sequence[Checked]) -> Iterator[Part]:
        if columns:
            yield from (Part(child, group) for group in questions.groups(columns, keys_of(self.plan, child)))

    def _there(self) -> int:
        """How many of the run's rows the target has."""
        side = self._target(Part(None, ()), ())
        (row,) = side.ask(side.count()).rows
        return int(str(row[0]))

    def _keys(self) -> int:
        """How many keys the lake's rows have: as many as the target has rows after a merge."""
        key = tuple(one for one in checked(self.plan) if self.plan.merge and one.name in self.plan.merge.key)
        passes = 1 + self.extracted.rows // _KEYS_AT_ONCE
        return sum(len(np.unique(np.concatenate(self._key_prints(key, one, passes)))) for one in range(passes))

    def _key_prints(self, key: Sequence[Checked], number: int, passes: int) -> list[Integers]:
        """The fingerprints of the keys of all rows, one of so many parts of them."""
        prints = (row_fingerprints(column_fingerprints(batch, key)) for batch in self._left())
        return [one[one % passes == number] for one in prints]

    def _left(self, wanted: Wanted = every) -> Iterator[pa.RecordBatch]:
        """The rows of the lake that can be told at the target, of the row groups that are wanted."""
        for file in self.extracted.files:
            for batch in _reader(self.ports, file).batches(wanted=wanted):
                yield outside(batch, self.plan, self.later)

    def _counted(self, kept: int, there: int) -> CheckResult:
        whole = not (self.later or self.plan.increment) and self.source is not None
        return self._said.result(
            "",
            "rows",
            "" if there == kept else f"the target has {there:,} rows, the lake {kept:,}",
            source_value=str(self.source) if whole else None,
            lake_value=str(kept),
            target_value=str(there),
        )

    def _part(
        self, terms: Terms, depth: Depth, part: Part, tie: tuple[Checked, ...], mine: PartMeasure, left: Statistics
    ) -> Iterator[CheckResult]:
        side = self._target(part, tie)
        aggregated = self._aggregates(side, part, mine, left, terms.mask)
        if not depth.includes(Depth.CHECKSUM):
            yield from aggregated
            return
        start = time.monotonic()
        text = questions.segments(side.dialect, side.table, part.columns, mine.sums.segments, side.where)
        theirs = questions.sums_of(side.ask(text).rows, len(part.columns), mine.sums.segments)
        *columns, whole = segments_compared(self._said, names_of(part), mine.sums, theirs)
        summed = [*columns, whole.model_copy(update={"column": in_table(part.child, "")})]
        if len(mine.sums.differing(theirs)):
            found = self._differences(side, part, tie, (mine.sums, theirs), terms.max_rows)
            terms.rows.append(TableRows(in_table(part.child, "") or self.plan.source.id, part.columns, found))
            changed = {in_table(part.child, name) for name in changed_columns(found)}
            aggregated = list(explained(aggregated, changed, found, allowed=False))
            summed = list(judged(summed, [one.name for one in part.columns], found, allowed=False))
        yield from (*aggregated, *costing(summed, start))

    def _aggregates(
        self, side: Side, part: Part, mine: PartMeasure, left: Statistics, mask: Masking
    ) -> list[CheckResult]:
        start = time.monotonic()
        taken = {one.path: one for one in left.columns} if part.child is None else {}
        columns = [one for one in columns_of(names_of(part), part.columns, {}, taken) if not one.one.is_row_key]
        wanted = [one.one for one in columns]
        sampling = {one.one.name: mine.samples[one.number].sampling for one in columns}
        texts = aggregates(side.dialect, side.table, wanted, sampling, side.where)
        answers = [row for text in texts for row in side.ask(text).rows]
        pairs = zip(columns, aggregates_of(wanted, answers, sampling), strict=True)
        found = [one for column, theirs in pairs for one in aggregates_compared(self._said, column, mine, theirs, mask)]
        return costing(found, start) if found else []

    def _differences(
        self, side: Side, part: Part, tie: tuple[Checked, ...], sums: tuple[Sums, Sums], most: int
    ) -> Found:
        def read(wanted: Wanted = every) -> Iterator[pa.RecordBatch]:
            return (part_rows(batch, self.plan, part, tie) for batch in self._left(wanted))

        target = EngineTable(side.dialect, side.table, part.columns, lambda text: side.ask(text).rows, side.where)
        pairing = Pairing(part.columns, keys_of(self.plan, part.child))
        return differences(Batches(read, part.columns, read), target, sums, pairing, Bounds(most))

    def _target(self, part: Part, parents: Sequence[Checked]) -> Side:
        """The target's rows that are the run's."""
        where = self._where
        if where and part.child:
            # A column of the parent is named without its table, and found there first.
            same = (f'"p".{quoted(key)} = {SCOPE}.{quoted(name)}' for key, name in part.child.key)
            owner = sql.in_schema(self.plan, self.plan.target.table)
            where = f'EXISTS (SELECT 1 FROM {owner} AS "p" WHERE {" AND ".join(same)} AND {where})'  # noqa: S608
        return target_side(self.warehouse, target_table(self.plan, part, parents), where)

    @property
    def _where(self) -> str:
        mine = self.plan.increment.ranges if self.plan.increment else ()
        inside = f"({sql.in_any(self.plan, mine)})" if mine else ""
        # What is NULL is in no range, where NOT would say that nobody knows.
        since = f"CASE WHEN {sql.in_any(self.plan, self.later)} THEN 0 ELSE 1 END = 1" if self.later else ""
        return " AND ".join(filter(None, (inside, since)))


def in_table(child: ChildPlan | None, column: str) -> str:
    """A column, or the table as a whole (""), as results name it."""
    return f"{child.table}.{column}".rstrip(".") if child else column


@dataclass(frozen=True)
class Measures:
    """What is measured of the lake.

    Attributes:
        tie: columns that tie child tables to the table itself.
        without: ranges of rows that count for nothing but the statistics.
        segments: of the sums of fingerprints.
    """

    parts: tuple[Part, ...]
    tie: tuple[Checked, ...]
    without: tuple[Range, ...]
    segments: int


@dataclass(frozen=True)
class Remaining(Lake):
    """What the pass over a table's files has given; `rows` and `parts` are of those outside of the ranges.

    Attributes:
        left: statistics of the same rows.
    """

    left: Statistics


def lake_of(ports: Ports, plan: TablePlan, extracted: ExtractManifest, wanted: Measures) -> Remaining:
    """Read the lake's files once, row group by row group, in memory that does not grow."""
    start, gauge = time.monotonic(), _Gauge(plan, wanted)
    facts = [_facts(ports, plan, file, gauge.add) for file in extracted.files]
    differing = zip(extracted.files, map(file_difference, extracted.files, facts), strict=True)
    return Remaining(
        rows=gauge.rows,
        bytes=sum(one.bytes for one in facts),
        files=len(facts),
        statistics=gauge.taken.result(),
        parts=tuple(gauge.parts),
        altered=tuple((file, why) for file, why in differing if why),
        seconds=round(time.monotonic() - start, 3),
        readable=not any(one.damage for one in facts),
        left=(gauge.left or gauge.taken).result(),
    )


class _Gauge:
    """Takes up row groups of a table's files."""

    def __init__(self, plan: TablePlan, wanted: Measures) -> None:
        self._plan, self._wanted = plan, wanted
        self.parts = [PartMeasure.nothing(len(part.columns), wanted.segments) for part in wanted.parts]
        self.taken = Accumulator(rows.schema(plan.columns))
        self.left = Accumulator(rows.schema(plan.columns)) if wanted.without else None
        self.rows = 0

    def add(self, batch: pa.RecordBatch) -> None:
        self.taken.add(batch)
        batch = outside(batch, self._plan, self._wanted.without)
        self.rows += batch.num_rows
        if self.left:
            self.left.add(batch)
        pairs = zip(self.parts, self._wanted.parts, strict=True)
        self.parts = [_more(before, batch, self._plan, part, self._wanted.tie) for before, part in pairs]


def _more(
    before: PartMeasure, batch: pa.RecordBatch, plan: TablePlan, part: Part, tie: Sequence[Checked]
) -> PartMeasure:
    """The measure of a part with the rows of one more batch."""
    found = part_rows(batch, plan, part, tie)
    return before.plus(*batch_fingerprints(found, part.columns), [value(found, one) for one in part.columns])


def _facts(ports: Ports, plan: TablePlan, file: LakeFile, take: Callable[[pa.RecordBatch], None]) -> Facts:
    """What a file says by itself, while its row groups are taken up."""
    try:
        reader, planned = _reader(ports, file), rows.schema(plan.columns)
        if (reader.schema.names, reader.schema.types) != (planned.names, planned.types):
            return Facts(damage="it has other columns than were planned")
        for batch in reader.batches():
            take(batch)
        return Facts(bytes=ports.objects.size(ports.places.lake, file.key), sha256=reader.sha256())
    except ValidationFailed as error:
        return Facts(damage=error.what)
    except KeyError:
        return Facts(damage="it is gone")


def _reader(ports: Ports, file: LakeFile) -> LakeFileReader:
    lake = ports.places.lake
    return LakeFileReader(partial(ports.objects.read_range, lake, file.key), ports.objects.size(lake, file.key))
