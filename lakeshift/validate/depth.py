"""What the deeper depths look at: the lake's files by their own rows, and the target's sums and aggregates of its own.

The lake is read once. The source is compared with it by what was measured while it was read; the target by what it says
of its own rows, in which no row leaves the warehouse.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby
from typing import Any

import pyarrow as pa
import structlog

from lakeshift.errors import ScanLimitExceeded, StillRunning
from lakeshift.lake.statistics import empty, merge
from lakeshift.load import sql
from lakeshift.model import (
    CheckResult,
    CheckStatus,
    ChildPlan,
    ColumnStatistics,
    Depth,
    ExtractManifest,
    Gate,
    LakeFile,
    Statistics,
    TablePlan,
)
from lakeshift.ports import Ports, Source
from lakeshift.validate import questions, results, row_results
from lakeshift.validate.aggregated import SHAPES, aggregates_compared, columns_of
from lakeshift.validate.aggregates import aggregates, aggregates_of
from lakeshift.validate.asked import Ask
from lakeshift.validate.bands import band_of
from lakeshift.validate.canonical import batch_fingerprints
from lakeshift.validate.columns import Checked, checked
from lakeshift.validate.compare import Notary, file_difference, files_compared, notary, segments_compared, written_as
from lakeshift.validate.confirm import changed_columns, explained, judged
from lakeshift.validate.engines import Meter, source_columns, source_table
from lakeshift.validate.grouped import orphaned, untied
from lakeshift.validate.held import Held
from lakeshift.validate.measure import (
    Part,
    PartMeasure,
    Question,
    Scope,
    Share,
    dealt_out,
    is_measured,
    keys_of,
    measured,
    together,
)
from lakeshift.validate.pairing import Pairing
from lakeshift.validate.results import MOST_NAMED
from lakeshift.validate.row_results import TableRows
from lakeshift.validate.rows import Bounds, Found, differences
from lakeshift.validate.shown import Shown
from lakeshift.validate.sides import Batches, EngineTable, of_lake_files
from lakeshift.validate.source_sums import held_of, source_sums
from lakeshift.validate.sums import Sums, segment_count
from lakeshift.validate.tied import child_rows

log = structlog.get_logger()
# Differing rows whose values are kept: to name columns, and to be written down.
SOME_ROWS, MOST_ROWS = 1_000, 10_000
# A call that has read the lake for longer has had less than its time for rows.
_READ_SECONDS = 30.0


@dataclass(frozen=True)
class Lake:
    """What the pass over a table's files has given.

    Attributes:
        rows, bytes: of the files, by their footers.
        files: how many there are.
        altered: those that are not as they were written, with how they differ.
        seconds: that the last call has taken.
        readable: all files could be read whole.
    """

    rows: int
    bytes: int
    files: int
    statistics: Statistics
    parts: tuple[PartMeasure, ...]
    altered: tuple[tuple[LakeFile, str], ...]
    seconds: float
    readable: bool


def lake_of(ports: Ports, scope: Scope, shares: Sequence[Share], stop: Question) -> Lake | None:
    """Read the lake's files, or what is left of them to be read; None when it is too late to read all."""
    begun = time.perf_counter()
    files = rows = size = 0
    statistics, parts = empty(), tuple[PartMeasure, ...]()
    altered, readable = [], any(shares)
    alone = len(shares) == 1
    for file, found in chain.from_iterable(measured(ports, scope, share, stop, alone=alone) for share in shares):
        facts = found.facts
        if not facts.done:
            log.info("validate.stopped", run=scope.plan.run, table=scope.plan.source.id, key=file.key)
            return None
        files, rows, size = files + 1, rows + facts.rows, size + facts.bytes
        readable = readable and not facts.damage
        if difference := file_difference(file, facts):
            altered.append((file, difference))
        statistics, parts = merge(statistics, facts.statistics), together(parts, found.parts)
    seconds = time.perf_counter() - begun
    return Lake(rows, size, files, statistics, parts, tuple(altered), round(seconds, 3), readable)


def source_and_lake(notary: Notary, plan: TablePlan, extracted: ExtractManifest, lake: Lake) -> list[CheckResult]:
    """What was read of the source, and what the files hold; other bytes with the same values are no failure."""
    found: list[CheckResult] = []
    if lake.readable:
        columns = [one.target for one in plan.columns]
        # A table without rows has none of its own.
        taken = extracted.statistics or (empty() if plan.statistics else None)
        found += written_as(notary, columns, taken, lake.statistics)
    same = lake.readable and all(one.status is CheckStatus.OK for one in found)
    cost = {"seconds": lake.seconds, "bytes_scanned": lake.bytes}
    return [*found, *files_compared(notary, lake.files, lake.altered, same=same, **cost)]


def target_sums(ask: Ask, table: str, columns: Sequence[Checked], segments: int) -> Sums:
    """The sums of some columns as the warehouse computes them of its rows."""
    question = questions.segments(questions.REDSHIFT, table, columns, segments)
    return questions.sums_of(ask(question), len(columns), segments)


def staged(plan: TablePlan, part: Part) -> str:
    """What stands behind FROM for a part: its staging table, and beside it the parent that a generated key leads to."""
    found = staging_table(plan, part.child)
    tied = any(one.is_row_key for one in part.columns)
    return questions.child_table(found, staging_table(plan), checked(plan)) if tied else found


def staging_table(plan: TablePlan, child: ChildPlan | None = None) -> str:
    """The staging table of a plan, or of a child table of it, quoted."""
    return sql.in_schema(plan, sql.child_staging_name(plan, child) if child else sql.staging_name(plan))


def _by_path(part: Part, found: Statistics | None) -> dict[str, ColumnStatistics]:
    """Statistics by their paths; of a child table's rows there are none of its own."""
    return {one.path: one for one in found.columns} if found and part.child is None else {}


class Deep:
    """The deeper depths of one table, in their order: `read`, `source_and_lake`, `lake_and_target`."""

    def __init__(
        self,
        ports: Ports,
        ask: Ask,
        plan: TablePlan,
        terms: Gate,
        extracted: ExtractManifest,
        attempt: int,
    ) -> None:
        """`ask`: gets answers about staging."""
        self._ports, self._ask, self._terms, self._extracted = ports, ask, terms, extracted
        widest = max((len(part.columns) for part in Scope(plan).parts), default=1)
        segments = segment_count(extracted.rows, widest) if terms.depth.includes(Depth.CHECKSUM) else 1
        self._scope = Scope(plan, segments, attempt, band=band_of(plan, extracted.statistics, segments))
        self._shares = dealt_out(extracted.files, terms.share_bytes)
        self._notary = notary(plan)
        self._segments: set[int] = set()
        self._differing: list[TableRows] = []
        self._rows: int | None = None
        self._tie: tuple[Checked, ...] | None = None
        self._lake: Lake | None = None

    @property
    def known(self) -> Lake:
        """What the files hold, once they are read."""
        if self._lake is None:
            raise ValueError("the lake is not read yet")
        return self._lake

    def open_shares(self) -> tuple[int, ...]:
        """Shares of the lake's files that are not read to their end, where there are several: others can read them."""
        several = self._shares if len(self._shares) > 1 else ()
        return tuple(k for k, share in enumerate(several) if not is_measured(self._ports, self._scope, share))

    def read_share(self, number: int, stop: Question) -> bool:
        """Read one of several shares, which is kept for who reads all; false when it is too late to read it whole."""
        found = measured(self._ports, self._scope, self._shares[number], stop, alone=False)
        return all(one.facts.done for _, one in found)

    def read(self, stop: Question) -> bool:
        """Read the lake's files; false when it is too late to read all of them."""
        self._lake = lake_of(self._ports, self._scope, self._shares, stop)
        return self._lake is not None

    def source_and_lake(self) -> list[CheckResult]:
        """What was read of the source, and what the files hold."""
        return source_and_lake(self._notary, self._scope.plan, self._extracted, self.known)

    def lake_and_target(self, stop: Question) -> list[CheckResult]:
        """What the files hold, and what the warehouse says of its own rows."""
        found = [
            result
            for part, mine in zip(self._scope.parts, self.known.parts, strict=True)
            for result in self._part(part, mine, stop)
        ]
        return [*found, *self._ungrouped()] if self._terms.depth.includes(Depth.CHECKSUM) else found

    def _ungrouped(self) -> Iterator[CheckResult]:
        for child, grouped in groupby(self._scope.parts, key=lambda part: part.child):
            parts = list(grouped)
            table, name = staged(self._scope.plan, parts[0]), child.table if child else ""
            groups = [part.columns for part in parts]
            yield from untied(self._notary, self._ask, questions.REDSHIFT, table, groups, name)

    def source_itself(self, source: Source, limit: int, stop: Question) -> list[CheckResult]:
        """What the source says of its own rows at the snapshot, and what the files hold.

        Args:
            limit: bytes that it may scan for it.

        Raises:
            ScanLimitExceeded, TypeUnsupported, QueryFailed: it cannot be asked.
        """
        plan, begun = self._scope.plan, time.perf_counter()
        if plan.sample is not None:
            why = "a sample is not what the source has"
            return [self._notary.result("", "source_sums", why, status=CheckStatus.NOT_CHECKED)]
        theirs = source_sums(source, plan, self._scope.parts, self._scope.segments, limit)
        meter = Meter(limit, theirs.bytes)
        found: list[CheckResult] = []
        for part, mine, own in zip(self._scope.parts, self.known.parts, theirs.parts, strict=True):
            held = held_of(self._ports, plan, self._extracted, part)
            sums = mine.sums + held.sums(part.columns, self._scope.segments), own
            summed = self._summed(part, *sums)
            if not results.passed(summed):
                summed = self._spelled(source, meter, part, held, sums, summed, stop)
            found += map(_of_source, summed)
        *most, last = found
        cost = {"seconds": round(time.perf_counter() - begun, 3), "bytes_scanned": meter.scanned}
        return [*most, last.model_copy(update=cost)]

    def _spelled(
        self,
        source: Source,
        meter: Meter,
        part: Part,
        held: Held,
        sums: tuple[Sums, Sums],
        summed: list[CheckResult],
        stop: Question,
    ) -> list[CheckResult]:
        """Results of the source's sums, after a look at its rows in the segments that differ."""
        plan = self._scope.plan
        table = source_table(source.relation(plan), plan, part, checked(plan))

        def ask(text: str) -> Sequence[Sequence[object]]:
            return meter.ask_more(source, text).rows

        loaded = _in_time(of_lake_files(self._ports, plan, self._extracted.files, part), stop)
        lake = held.beside(loaded, part.columns)
        own = EngineTable(questions.BIGQUERY, table, source_columns(part), ask)
        bounds = Bounds(self._terms.max_rows, SOME_ROWS)
        try:
            found = differences(lake, own, sums, Pairing(part.columns, keys_of(plan, part.child)), bounds)
        except _LateError:
            return list(map(self._unconfirmed, summed))
        except ScanLimitExceeded as error:
            return [_unlooked(one, error.what) for one in summed]
        return list(judged(summed, [one.name for one in part.columns], found, allowed=False))

    def _summed(self, part: Part, lake: Sums, other: Sums) -> list[CheckResult]:
        """Sums of the lake and of an engine; the last result is of the part's table as a whole."""
        *columns, whole = segments_compared(self._notary, names_of(part), lake, other)
        return [*columns, whole.model_copy(update={"column": part.child.table if part.child else ""})]

    def _part(self, part: Part, mine: PartMeasure, stop: Question) -> list[CheckResult]:
        aggregated = self._aggregates(part, mine)
        if not self._terms.depth.includes(Depth.CHECKSUM):
            return aggregated
        begun = time.perf_counter()
        theirs = target_sums(self._ask, staged(self._scope.plan, part), part.columns, self._scope.segments)
        summed = self._summed(part, mine.sums, theirs)
        if results.passed(summed):
            return [*aggregated, *_costing(summed, begun)]
        found = self._rows_of(part, (mine.sums, theirs), stop)
        if found is None:
            return [*aggregated, *_costing(map(self._unconfirmed, summed), begun)]
        allowed = found.complete and self._terms.allows(found.rows, int(mine.sums.counts.sum()))
        self._note(part, (mine.sums, theirs), found, allowed=allowed)
        names = [one.name for one in part.columns]
        changed = {named for named, name in zip(names_of(part), names, strict=True) if name in changed_columns(found)}
        confirmed = _costing(judged(summed, names, found, allowed=allowed), begun)
        return [*explained(aggregated, changed, found, allowed=allowed), *confirmed, *self._orphaned(part)]

    def _orphaned(self, part: Part) -> list[CheckResult]:
        """What was not compared of a child table whose parents were told apart by a part of their columns alone."""
        if self._tie is None or part.child is None or not part.columns[0].is_row_key:
            return []
        tie = questions.groups(self._tie)[0] if self._tie else ()
        parents = staging_table(self._scope.plan)
        return orphaned(self._notary, self._ask, questions.REDSHIFT, parents, tie, part.child.table)

    def _rows_of(self, part: Part, sums: tuple[Sums, Sums], stop: Question) -> Found | None:
        """The rows that differ, by value; None where there was no time to look at them all."""
        plan, files = self._scope.plan, self._extracted.files
        try:
            if self._tie is not None and part.columns[0].is_row_key:
                return self._tied_anew(part, self._tie, stop)
            lake = of_lake_files(self._ports, plan, files, part)
            return self._differences(part, _in_time(lake, stop), staged(plan, part), sums)
        except _LateError:
            return None

    def _differences(self, part: Part, lake: Batches, table: str, sums: tuple[Sums, Sums]) -> Found:
        target = EngineTable(questions.REDSHIFT, table, part.columns, self._ask)
        pairing = Pairing(part.columns, keys_of(self._scope.plan, part.child))
        # A changed row counts once as far as rows are named.
        most = self._terms.depth.includes(Depth.ROWS) or self._terms.tolerant
        named = MOST_ROWS if most else SOME_ROWS
        return differences(lake, target, sums, pairing, Bounds(self._terms.max_rows, named))

    def _tied_anew(self, part: Part, parents: tuple[Checked, ...], stop: Question) -> Found:
        """The rows of a child table some of whose parents are spelled in two ways, or have other values.

        Their fingerprints tie nothing then; what is the same in all of them does, and nothing where nothing is.
        """
        plan, child = self._scope.plan, part.child
        if child is None:
            raise ValueError("a table has no parent")
        own = part if parents else Part(child, part.columns[1:])
        lake = _in_time(_children(self._ports, plan, self._extracted.files, own, parents), stop)
        table = staging_table(plan, child)
        table = questions.child_table(table, staging_table(plan), parents) if parents else table
        theirs = target_sums(self._ask, table, own.columns, self._scope.segments)
        return self._differences(own, lake, table, (_sums_of(lake, self._scope.segments), theirs))

    def _unconfirmed(self, one: CheckResult) -> CheckResult:
        """A result whose rows there was no time to look at.

        Raises:
            StillRunning: this call has read the lake before; the next one has all of its time for the rows.
        """
        if one.status is CheckStatus.FAILED and self.known.seconds > _READ_SECONDS:
            raise StillRunning("no time was left to look at rows", where=self._scope.plan.source.id)
        return _unlooked(one, "no time was left to look at rows")

    def _note(self, part: Part, sums: tuple[Sums, Sums], found: Found, *, allowed: bool) -> None:
        """What the verdict says of rows that were looked at."""
        if part.child is None and (found.equal_by_value or changed_columns(found)):
            own = (one for one in part.columns if not _spelled_freely(one))
            self._tie = tuple(one for one in own if one.name not in changed_columns(found))
        self._rows = (self._rows or 0) + found.rows
        if found.differences:
            table = part.child.table if part.child else self._scope.plan.source.id
            self._differing.append(TableRows(table, part.columns, found))
        if not (found.equal or allowed):
            self._segments |= set(sums[0].differing(sums[1]).tolist())

    def written(self, prefix: str) -> dict[str, str]:
        """Write down the rows that differ, where that is wanted and there are some; what a verdict says of it."""
        if not (self._differing and self._terms.depth.includes(Depth.ROWS)):
            return {}
        row_results.written(self._ports, prefix, self._scope.plan.run, self._differing, Shown(self._terms.mask))
        return {"differences": prefix}

    def _aggregates(self, part: Part, measured: PartMeasure) -> list[CheckResult]:
        begun = time.perf_counter()
        source, lake = (_by_path(part, one) for one in (self._extracted.statistics, self.known.statistics))
        # What ties a child to its parent is no value of the table.
        columns = [one for one in columns_of(names_of(part), part.columns, source, lake) if not one.one.is_row_key]
        wanted = [one.one for one in columns]
        sampling = {one.one.name: measured.samples[one.number].sampling for one in columns}
        texts = aggregates(questions.REDSHIFT, staging_table(self._scope.plan, part.child), wanted, sampling)
        answers = [row for text in texts for row in self._ask(text)]
        found = [
            result
            for column, theirs in zip(columns, aggregates_of(wanted, answers, sampling), strict=True)
            for result in aggregates_compared(self._notary, column, measured, theirs, self._terms.mask)
        ]
        return _costing(found, begun)

    def summary(self) -> dict[str, Any]:
        """What a verdict says of it, beside the results."""
        altered = self._lake.altered if self._lake else ()
        return {
            "segments": tuple(sorted(self._segments)[:MOST_NAMED]),
            "segment_count": self._scope.segments,
            "files": tuple(file.key for file, _ in altered[:MOST_NAMED]),
            "rows": self._rows,
        }


def names_of(part: Part) -> list[str]:
    """Names of a part's columns in results."""
    return [one.name if part.child is None else f"{part.child.table}.{one.name}" for one in part.columns]


def _costing(found: Iterable[CheckResult], begun: float) -> list[CheckResult]:
    """Results of one question, whose time stands on the last of them."""
    *most, last = found
    return [*most, last.model_copy(update={"seconds": round(time.perf_counter() - begun, 3)})]


def _of_source(one: CheckResult) -> CheckResult:
    """A result of sums in which the source stands in the place of the target."""
    return one.model_copy(update={"check": "source_sums", "source_value": one.target_value, "target_value": None})


def _unlooked(one: CheckResult, why: str) -> CheckResult:
    """A result of sums that differ, whose rows were not looked at."""
    wrong = one.status is CheckStatus.FAILED
    return one.model_copy(update={"difference": f"{one.difference}; {why}"}) if wrong else one


class _LateError(Exception):
    """There is no time left to read on."""


def _in_time(lake: Batches, stop: Question) -> Batches:
    """The same rows, as long as there is time to read them."""
    near = lake.near
    return replace(
        lake, read=lambda: _until(lake.read(), stop), near=near and (lambda wanted: _until(near(wanted), stop))
    )


def _until(batches: Iterator[pa.RecordBatch], stop: Question) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if stop():
            raise _LateError
        yield batch


def _children(
    ports: Ports, plan: TablePlan, files: Sequence[LakeFile], part: Part, parents: tuple[Checked, ...]
) -> Batches:
    """The rows of a child table, tied by what some columns of their parents hold."""
    child = part.child
    if child is None:
        raise ValueError("a table has no parent")
    tie = questions.groups(parents)[0]

    def read() -> Iterator[pa.RecordBatch]:
        for batch in of_lake_files(ports, plan, files, Part(None, parents)).read():
            yield child_rows(batch, plan, child, tie)

    return Batches(read, part.columns)


def _sums_of(lake: Batches, segments: int) -> Sums:
    found = Sums.nothing(len(lake.columns), segments)
    for batch in lake.read():
        found += Sums.of(*batch_fingerprints(batch, lake.columns), segments)
    return found


def _spelled_freely(one: Checked) -> bool:
    """Whether one value can have several canonical texts."""
    return one.is_json or one.source.kind in SHAPES
