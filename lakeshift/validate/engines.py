"""Two tables asked inside their engines: the same questions on both sides, what the source scans estimated before."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import pyarrow as pa

from lakeshift.errors import ScanLimitExceeded
from lakeshift.load import sql
from lakeshift.model import CheckResult, CheckStatus, Depth, Kind, Masking, TablePlan
from lakeshift.ports import Answer, Source, Warehouse
from lakeshift.validate import questions
from lakeshift.validate.aggregates import aggregates, aggregates_of
from lakeshift.validate.asked import waited_for
from lakeshift.validate.canonical import column_fingerprints
from lakeshift.validate.columns import Checked
from lakeshift.validate.compare import Notary, segments_compared
from lakeshift.validate.confirm import judged
from lakeshift.validate.dialects import BIGQUERY, FLOATS, REDSHIFT, SCOPE, Dialect
from lakeshift.validate.grouped import orphaned, untied
from lakeshift.validate.held import Held
from lakeshift.validate.matched import Unmatched
from lakeshift.validate.measure import Part
from lakeshift.validate.paired_aggregates import paired_aggregates
from lakeshift.validate.pairing import Pairing
from lakeshift.validate.row_results import TableRows
from lakeshift.validate.rows import Bounds, differences
from lakeshift.validate.sides import EngineTable
from lakeshift.validate.sums import Sums, segment_count
from lakeshift.validate.unnested import as_named, child_relation

# A sample is cut this finely.
_PARTS_OF_PERCENT = 10_000
# Distinct values of a column that are counted at most, about.
_COUNTED = 65_536
# Columns that a sample is cut by where no key is named, and bits of their fingerprints that are added up.
_SAMPLED_BY = 16
_BITS = (1 << 40) - 1
# Kinds whose fingerprints are too long or too costly to be made twice.
_COSTLY = FLOATS | {Kind.STRUCT, Kind.ARRAY, Kind.RANGE, Kind.JSON, Kind.GEOGRAPHY, Kind.GEOMETRY, Kind.BYTES}
_MOST_NAMED = 3


@dataclass
class Meter:
    """Bytes that the source may scan, and has scanned; nothing is asked before all is estimated and found within.

    Attributes:
        promised: what the questions that were estimated, and not asked yet, will scan.
    """

    limit: int
    scanned: int = 0
    promised: int = 0
    estimates: dict[str, int] = field(default_factory=dict)
    _by_table: dict[str, int] = field(default_factory=dict)

    def expect(self, source: Source, table: str, statements: Sequence[str]) -> None:
        """Estimate all questions about a table; where one cannot be, none is promised."""
        sizes = [source.estimate(text) for text in statements]
        self.estimates |= zip(statements, sizes, strict=True)
        self.promised += sum(sizes)
        self._by_table[table] = self._by_table.get(table, 0) + sum(sizes)

    def check(self) -> None:
        """Raise ScanLimitExceeded, with figures, when what is expected is more than what is allowed."""
        if self.promised <= self.limit:
            return
        largest = sorted(self._by_table.items(), key=lambda one: -one[1])[:_MOST_NAMED]
        named = ", ".join(f"{table} {size:,}" for table, size in largest)
        raise ScanLimitExceeded(
            f"the source would scan {self.promised:,} bytes, {self.limit:,} are allowed: {named}",
            next_step="compare fewer columns or tables, rows of fewer partitions or a smaller depth; or allow more by "
            "--max-bytes, or maxSourceBytes of the config's validation.",
        )

    def ask(self, source: Source, text: str) -> Answer:
        """Ask what was estimated."""
        self.promised -= self.estimates[text]
        return self._ask(source, text, self.estimates[text])

    def ask_more(self, source: Source, text: str) -> Answer:
        """Ask what follows from an answer, while that leaves room for what is promised.

        Raises:
            ScanLimitExceeded: it does not.
        """
        size = source.estimate(text)
        if self.scanned + self.promised + size > self.limit:
            raise ScanLimitExceeded(f"the source would scan {size:,} bytes more, {self.limit:,} are allowed in all")
        return self._ask(source, text, size)

    def _ask(self, source: Source, text: str, most: int) -> Answer:
        answer = source.ask(text, most)
        self.scanned += answer.bytes
        return answer


@dataclass(frozen=True)
class Side:
    """One table in its engine.

    Attributes:
        table: what stands behind FROM.
        where: condition on its rows; "" for all.
        ask: a question that was estimated.
        ask_more: one that was not.
    """

    dialect: Dialect
    table: str
    where: str
    ask: Callable[[str], Answer]
    ask_more: Callable[[str], Answer]

    def count(self) -> str:
        """How many rows there are."""
        condition = f" WHERE {self.where}" if self.where else ""
        return f"SELECT COUNT(*) FROM {self.table} AS {SCOPE}{condition}"  # noqa: S608


def target_side(warehouse: Warehouse, table: str, where: str = "") -> Side:
    """A table of the warehouse."""

    def ask(text: str) -> Answer:
        return Answer(tuple(waited_for(warehouse, text)), 0)

    return Side(REDSHIFT, table, where, ask, ask)


def source_side(source: Source, meter: Meter, table: str, where: str = "") -> Side:
    """A relation of the source."""
    return Side(BIGQUERY, table, where, partial(meter.ask, source), partial(meter.ask_more, source))


def source_table(relation: str, plan: TablePlan, part: Part, parents: Sequence[Checked]) -> str:
    """What stands behind FROM for a part in the source.

    Args:
        relation: the rows of the table itself.
        parents: the compared columns of the table itself.
    """
    return child_relation(relation, plan, part.child, parents) if part.child else relation


def source_columns(part: Part) -> tuple[Checked, ...]:
    """The columns of a part by the names that they have in `source_table`."""
    return tuple(map(as_named, part.columns)) if part.child else part.columns


def target_table(plan: TablePlan, part: Part, parents: Sequence[Checked]) -> str:
    """What stands behind FROM for a part in the published target."""
    table = sql.in_schema(plan, plan.target.table)
    if part.child is None:
        return table
    child = sql.in_schema(plan, part.child.table)
    return questions.child_table(child, table, parents) if any(one.is_row_key for one in part.columns) else child


def sampled(side: Side, columns: Sequence[Checked], percent: float | None) -> Side:
    """About so many percent of a side's rows: those whose columns have low fingerprints, as on the other side."""
    if percent is None:
        return side
    prints = (questions.fingerprint_sql(side.dialect, one) for one in columns)
    total = " + ".join(f"({text} & {_BITS}) * {2 * number + 1}" for number, text in enumerate(prints))
    low = f"MOD({total}, {100 * _PARTS_OF_PERCENT}) < {round(percent * _PARTS_OF_PERCENT)}"
    return replace(side, where=f"({side.where}) AND {low}" if side.where else low)


def in_sample(batch: pa.RecordBatch, columns: Sequence[Checked], percent: float) -> pa.RecordBatch:
    """The rows of a batch of the lake that `sampled` takes."""
    prints = column_fingerprints(batch, columns)
    total = sum((one & _BITS) * (2 * number + 1) for number, one in enumerate(prints))
    return batch.filter(pa.array(total % (100 * _PARTS_OF_PERCENT) < round(percent * _PARTS_OF_PERCENT)))


def sampled_by(columns: Sequence[Checked], key: Sequence[str]) -> tuple[Checked, ...]:
    """The columns that a sample is cut by: the key, or else some others."""
    named = tuple(one for one in columns if one.name in key)
    plain = tuple(one for one in columns if one.source.kind not in _COSTLY)
    return named or (plain or tuple(columns))[:_SAMPLED_BY]


@dataclass(frozen=True)
class Terms:
    """What holds for all tables of a comparison.

    Attributes:
        max_rows: rows that are compared one by one at most.
        mask: values that are not shown.
        rows: what was found in rows.
    """

    max_rows: int = 1_000_000
    mask: Masking = Masking.TEXT
    rows: list[TableRows] = field(default_factory=list)


@dataclass(frozen=True)
class Joint:
    """A table on both sides, ready to be asked.

    Attributes:
        prefix: stands before the names of columns: `child.` of a child table, otherwise "".
        expected: rows of the source, by its own estimate.
        label: says in each result which rows were compared; "" for all.
        key: names of columns that name a row.
        held: rows of the source that the target does not have as they are, for a known reason.
        parents, tie: of a child table whose parents some of their columns stand for: the table, and those columns.
    """

    notary: Notary
    columns: tuple[Checked, ...]
    unmatched: tuple[Unmatched, ...]
    source: Side
    target: Side
    expected: int
    terms: Terms
    prefix: str = ""
    label: str = ""
    key: tuple[str, ...] = ()
    held: Held = field(default_factory=Held)
    parents: Side | None = None
    tie: tuple[Checked, ...] = ()

    @property
    def segments(self) -> int:
        """How many segments there are sums of."""
        return segment_count(self.expected, len(self.columns))

    def questions(self, depth: Depth) -> list[str]:
        """What the source is asked at a depth, as long as nothing differs."""
        found = [self.source.count()] if depth.includes(Depth.COUNT) else []
        if self.columns and depth.includes(Depth.AGGREGATES):
            found += self._aggregates(self.source)
        if self.columns and depth.includes(Depth.CHECKSUM):
            found += self._segments(self.source)
        return found

    def _aggregates(self, side: Side) -> list[str]:
        return aggregates(side.dialect, side.table, self._valued, self._distinct, side.where)

    @property
    def _distinct(self) -> int:
        """Of the distinct values, one in so many is counted."""
        return 1 << (self.expected // _COUNTED).bit_length()

    @property
    def _valued(self) -> list[Checked]:
        """What ties a child to its parent is no value of the table."""
        return [one for one in self.columns if not one.is_row_key]

    def _segments(self, side: Side) -> list[str]:
        found = questions.groups(self.columns, self.key)
        return [questions.segments(side.dialect, side.table, one, self.segments, side.where) for one in found]

    def results(self, depth: Depth) -> Iterator[CheckResult]:
        """Ask both sides, the least costly question first."""
        yield from self._schema()
        if depth.includes(Depth.COUNT):
            yield self._counted()
        if depth.includes(Depth.AGGREGATES) and self.columns:
            yield from self._beside_held(list(self._aggregated()), depth)
        if depth.includes(Depth.CHECKSUM) and self.columns:
            yield from self._checksums()

    def _schema(self) -> Iterator[CheckResult]:
        for one in self.unmatched:
            yield self._result(one.column, "schema", one.why)
        if not self.unmatched:
            yield self._result("", "schema")

    def _counted(self) -> CheckResult:
        start = time.monotonic()
        (mine, scanned), (theirs, _) = (_number(side.ask(side.count())) for side in (self.source, self.target))
        return self._result(
            "",
            "rows",
            _missing(mine, theirs, self.held.rows),
            source_value=str(mine),
            target_value=str(theirs),
            seconds=time.monotonic() - start,
            bytes_scanned=scanned,
        )

    def _aggregated(self) -> Iterator[CheckResult]:
        start, scanned = time.monotonic(), 0
        sides = []
        for side in (self.source, self.target):
            answers = [side.ask(text) for text in self._aggregates(side)]
            scanned += sum(answer.bytes for answer in answers)
            sides.append(aggregates_of(self._valued, [row for one in answers for row in one.rows], self._distinct))
        found = [
            self._named(one)
            for column, mine, theirs in zip(self._valued, *sides, strict=True)
            for one in paired_aggregates(self.notary, column, mine, theirs, self.terms.mask)
        ]
        yield from costing(found, start, scanned)

    def _beside_held(self, found: list[CheckResult], depth: Depth) -> Iterator[CheckResult]:
        """Where the target lacks rows for a known reason, an aggregate that differs says nothing; the checksums do."""
        wrong = [one for one in found if one.status is CheckStatus.FAILED]
        if not (self.held and wrong):
            yield from found
            return
        for one in found:
            why = f"{one.difference}, as it may: rows are in quarantine or were mended"
            unsaid = {"status": CheckStatus.NOT_CHECKED, "difference": why}
            yield one.model_copy(update=unsaid) if one.status is CheckStatus.FAILED else one
        if not depth.includes(Depth.CHECKSUM):
            columns = ", ".join(dict.fromkeys(one.column for one in wrong))
            why = f"{columns}: rows are in quarantine or were mended, and only --depth checksum accounts for them"
            yield self.notary.result("", "table", why, status=CheckStatus.NOT_CHECKED)

    def _checksums(self) -> Iterator[CheckResult]:
        pairs = zip(self._segments(self.source), self._segments(self.target), strict=True)
        for group, texts in zip(questions.groups(self.columns, self.key), pairs, strict=True):
            start = time.monotonic()
            answers = [side.ask(text) for side, text in zip((self.source, self.target), texts, strict=True)]
            mine, theirs = (questions.sums_of(answer.rows, len(group), self.segments) for answer in answers)
            theirs += self.held.sums(group, self.segments)
            found = [*segments_compared(self.notary, [one.name for one in group], mine, theirs)]
            if len(mine.differing(theirs)):
                found = self._settled(found, group, (mine, theirs))
            yield from map(self._of_source, costing(found, start, answers[0].bytes))
        yield from map(self._named, self._open())

    def _open(self) -> Iterator[CheckResult]:
        """What was not compared."""
        target, groups = self.target, questions.groups(self.columns, self.key)

        def ask(text: str) -> Sequence[Sequence[object]]:
            return target.ask(text).rows

        yield from untied(self.notary, ask, target.dialect, target.table, groups, where=target.where)
        if parents := self.parents:
            yield from orphaned(self.notary, ask, parents.dialect, parents.table, self.tie, "", parents.where)

    def _settled(
        self, results: list[CheckResult], group: tuple[Checked, ...], sums: tuple[Sums, Sums]
    ) -> list[CheckResult]:
        """The results once the rows of the segments that differ were compared by value, as far as that is allowed."""
        more = [0]

        def ask(side: Side, text: str) -> Sequence[Sequence[object]]:
            answer = side.ask_more(text)
            more[0] += answer.bytes
            return answer.rows

        mine, target = (
            EngineTable(side.dialect, side.table, group, partial(ask, side), side.where)
            for side in (self.source, self.target)
        )
        theirs = self.held.beside(target, group)
        try:
            found = differences(mine, theirs, sums, Pairing(group, self.key), Bounds(rows=self.terms.max_rows))
        except ScanLimitExceeded as error:
            *columns, whole = results
            why = f"{whole.difference}; not compared by value: {error.what}"
            whole = whole.model_copy(update={"difference": why})
        else:
            self.terms.rows.append(TableRows(f"{self.notary.table} {self.prefix}".rstrip(". "), group, found))
            *columns, whole = judged(results, [one.name for one in group], found, allowed=False)
        return [*columns, whole.model_copy(update={"bytes_scanned": whole.bytes_scanned + more[0]})]

    def _of_source(self, one: CheckResult) -> CheckResult:
        """A result in which the source stands in the place of the lake."""
        difference = one.difference.replace("rows of the lake", "rows of the source")
        changes = {"source_value": one.lake_value, "lake_value": None, "difference": difference}
        return self._named(one.model_copy(update=changes))

    def _result(self, column: str, check: str, difference: str = "", **more: object) -> CheckResult:
        return self._named(self.notary.result(column, check, difference, **more))

    def _named(self, one: CheckResult) -> CheckResult:
        check = f"{one.check}, {self.label}" if self.label else one.check
        return one.model_copy(update={"column": f"{self.prefix}{one.column}".rstrip("."), "check": check})


def _missing(mine: int, theirs: int, held: int) -> str:
    lost = mine - theirs - held
    quarantined = f", beside {held:,} in quarantine" if held else ""
    return f"the target has {abs(lost):,} {'fewer' if lost > 0 else 'more'}{quarantined}" if lost else ""


def costing(found: Sequence[CheckResult], start: float, scanned: int = 0) -> list[CheckResult]:
    """Results of one question; what it took stands on the last of them."""
    *most, last = found
    cost = {"seconds": round(time.monotonic() - start, 3), "bytes_scanned": last.bytes_scanned + scanned}
    return [*most, last.model_copy(update=cost)]


def _number(answer: Answer) -> tuple[int, int]:
    return int(str(answer.rows[0][0])), answer.bytes
