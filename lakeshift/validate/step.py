"""validate: the gate. A table passes only when source, lake and target agree at the chosen depth."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Literal

import structlog

from lakeshift.check.step import migration_of
from lakeshift.errors import (
    QueryFailed,
    ScanLimitExceeded,
    SourceForbidden,
    SourceNotFound,
    StillRunning,
    TypeUnsupported,
    ValidationFailed,
    WrongState,
)
from lakeshift.extract.step import extract_of
from lakeshift.lake import keys
from lakeshift.lake.parquet import count_rows
from lakeshift.ledger.tables import clocked, end, passed, unless_passed
from lakeshift.load import quarantine, sql
from lakeshift.load.fit import elements_of
from lakeshift.load.target import child_difference, difference
from lakeshift.model import (
    CheckResult,
    CheckStatus,
    ChildPlan,
    Depth,
    ExtractManifest,
    Gate,
    LakeFile,
    Noun,
    Rows,
    Span,
    TablePlan,
    TableRecord,
    TableState,
    Verdict,
)
from lakeshift.plan.step import plan_of
from lakeshift.plan.table import gate_of
from lakeshift.ports import Ports, Warehouse
from lakeshift.spec import Migration
from lakeshift.validate import results
from lakeshift.validate.anomaly import results_of
from lakeshift.validate.asked import Ask, asked
from lakeshift.validate.compare import notary
from lakeshift.validate.depth import Deep
from lakeshift.validate.increments import check_append, check_key, check_merge, declared_keys
from lakeshift.validate.measure import Question
from lakeshift.validate.trend import look_back, profile_of

log = structlog.get_logger()
# Why a source that is to be asked cannot be; trying again cannot help.
_UNASKED = (QueryFailed, ScanLimitExceeded, SourceForbidden, SourceNotFound, TypeUnsupported)


def never() -> bool:
    """The answer of who has all the time."""
    return False


class Validated(Noun):
    """What the state machine does next.

    Attributes:
        next: done; validate: call again; lake: read the shares of the lake's files, then call again.
        shares: those that functions can read side by side.
    """

    next: Literal["done", "validate", "lake"]
    shares: tuple[int, ...] = ()


@unless_passed(TableState.VALIDATED)
def validate(ports: Ports, run: str, table: str, out_of_time: Question = never, *, rest: bool = False) -> Validated:
    """Compare the three places, as far as time goes; the next call goes on. Repeating it changes nothing.

    Args:
        rest: shares were given to others to read; what is left of them is read here.

    Raises:
        ValidationFailed: names what differs. Staging is kept for inspection, the results stand in the lake.
        QueryFailed, ScanLimitExceeded, ...: the source is to be asked and cannot be; the same.
    """
    record = ports.ledger.table(run, table)
    if passed(record, TableState.VALIDATED):
        return Validated(next="done")
    if record.state is not TableState.LOADED:
        raise WrongState(f"the table is {record.state}, not loaded", where=table)
    record = _clocked(ports, record)
    gate = _Gate.of(ports, record)
    try:
        if not gate.checked(out_of_time, rest=rest):
            ports.ledger.save_table(record)
            return Validated(next="lake" if gate.shares else "validate", shares=gate.shares)
    except StillRunning:
        ports.ledger.save_table(record)
        return Validated(next="validate")
    except (ValidationFailed, *_UNASKED):
        found = {"rows": gate.rows, "verdict": gate.verdict(), "spans": _ended(ports, record)}
        ports.ledger.save_table(record.model_copy(update=found))
        raise
    end(ports, record, "validate", TableState.VALIDATED, rows=gate.rows, verdict=gate.verdict())
    return Validated(next="done")


def read_share(ports: Ports, run: str, table: str, share: int, out_of_time: Question = never) -> bool:
    """Read a share of a table's lake files for `validate`; false when time was up, and the next call goes on."""
    record = ports.ledger.table(run, table)
    if record.state is not TableState.LOADED:
        return True
    log.info("validate.share", run=run, table=table, share=share)
    return _Gate.of(ports, _clocked(ports, record)).looking_deep(out_of_time).read_share(share, out_of_time)


def _clocked(ports: Ports, record: TableRecord) -> TableRecord:
    """The record with the start of this gate, of which an earlier call may have been the first part."""
    begun = record.spans.get("validate")
    return record if begun and begun.ended is None else clocked(ports, record, "validate")


def _ended(ports: Ports, record: TableRecord) -> dict[str, Span]:
    begun = record.spans["validate"]
    return {**record.spans, "validate": Span(started=begun.started, ended=ports.clock())}


@dataclass
class _Gate:
    """One look at a table: what is compared, and what was found so far.

    Attributes:
        since: when this look at the table began.
        prefix: of what is written down, in the lake bucket.
        rows: of the three places, as far as they are counted.
        found: results so far; a check that fails is among them before it raises.
        anomalies: how many measures are unlike those of earlier runs; None where nobody looked.
        deep: what the pass over the lake's files and the target's sums have found; None at the first two depths.
        shares: of the lake's files, which are to be read before; none where this call reads them.
    """

    ports: Ports
    migration: Migration
    warehouse: Warehouse
    plan: TablePlan
    terms: Gate
    extracted: ExtractManifest
    attempt: int
    since: datetime
    prefix: str
    rows: Rows
    found: list[CheckResult] = field(default_factory=list)
    deep: Deep | None = None
    anomalies: int | None = None
    shares: tuple[int, ...] = ()

    @classmethod
    def of(cls, ports: Ports, record: TableRecord) -> _Gate:
        """The gate of a loaded table."""
        migration, plan = migration_of(ports, record.run), plan_of(ports, record)
        return cls(
            ports=ports,
            migration=migration,
            warehouse=ports.warehouse(migration.target),
            plan=plan,
            terms=plan.gate or gate_of(migration),
            extracted=extract_of(ports, plan, record),
            attempt=record.load_attempt,
            since=record.spans["validate"].started,
            prefix=keys.validation_prefix(migration.lake.prefix, plan.source, plan.run),
            rows=record.rows,
        )

    def verdict(self) -> Verdict:
        """What was found, in few words; the results are written whole, once."""
        key = results.written(self.ports, self.prefix, self.found)
        more = self.deep.summary() | self.deep.written(self.prefix) if self.deep else {}
        return results.verdict(self.terms.depth, self.found, results=key, anomalies=self.anomalies, **more)

    def checked(self, out_of_time: Question, *, rest: bool) -> bool:
        """Look as deep as the terms say; false when time was up, or others are to read first.

        Raises:
            ValidationFailed: at the first depth at which something differs.
        """
        ask = partial(self._asked, out_of_time)
        self._check("schema", partial(_schema, self.warehouse, self.plan))
        if self.terms.depth.includes(Depth.AGGREGATES):
            self.deep = self.looking_deep(out_of_time)
            self.shares = () if rest else self.deep.open_shares()
            if self.shares or not self.deep.read(out_of_time) or out_of_time():
                return False
            self.found += self.deep.source_and_lake()
            if not self.deep.known.readable:
                self._stop()
        self._counted()
        self._check("quarantine", partial(_quarantined, self.warehouse, self.plan, self.extracted))
        self._keys(ask)
        for child in self.plan.children:
            self._elements(child)
        if self.deep:
            self._compared(self.deep, out_of_time)
        if self.terms.anomalies != "off":
            self._look_back()
        if self.deep and results.passed(self.found):
            self._ask_source(self.deep, out_of_time)
        self._stop()
        return True

    def looking_deep(self, out_of_time: Question) -> Deep:
        """The deeper depths, of which nothing is looked at yet."""
        ask = partial(self._asked, out_of_time)
        return Deep(self.ports, ask, self.plan, self.terms, self.extracted, self.attempt)

    def _asked(self, out_of_time: Question, text: str) -> Sequence[Sequence[object]]:
        """An answer about staging, which does not change while it is looked at: said once, by whatever call."""
        look = str(self.attempt), self.since.isoformat()
        token = sql.token(self.plan.run, self.plan.source.id, "validate", *look, text)
        return asked(self.warehouse, text, token, out_of_time)

    def _keys(self, ask: Ask) -> None:
        """What is declared a key, and what an increment goes by."""
        plan = self.plan
        if self.terms.depth.includes(Depth.COUNT):
            for what, key in declared_keys(plan):
                # Deeper, the rows themselves say which are too many.
                self._check("unique", partial(check_key, ask, plan, what, key), later=self.deep is not None)
        if plan.merge:
            self._check("key", partial(check_merge, ask, self.warehouse, plan, plan.merge, self.extracted))
        if plan.append:
            self._check("append", partial(check_append, ask, plan, plan.append))

    def _compared(self, deep: Deep, out_of_time: Question) -> None:
        """The rows of lake and target; where they are within the tolerance, so are the counts of child tables."""
        compared = deep.lake_and_target(out_of_time)
        knows_rows = self.terms.depth.includes(Depth.CHECKSUM)
        within = knows_rows and self.terms.tolerant and results.passed(compared)
        self.found = [_within(one) if within and one.check == "elements" else one for one in self.found] + compared

    def _ask_source(self, deep: Deep, out_of_time: Question) -> None:
        """The source's own sums, where they are wanted; a reload has no source any more but the lake."""
        wanted = self.terms.asks_source and self.terms.depth.includes(Depth.CHECKSUM)
        if wanted and self.migration.reload is None:
            source = self.ports.source(self.migration.sources[self.plan.source_index])
            limit = self.migration.validation.max_source_bytes
            try:
                self.found += deep.source_itself(source, limit, out_of_time)
            except _UNASKED as error:
                # What is wanted of the gate and cannot be had keeps it closed.
                self.found.append(notary(self.plan).result("", "source_sums", f"cannot be asked: {error.what}"))
                raise

    def _look_back(self) -> None:
        """What is unlike earlier runs; it keeps the table from being published only where the config says so."""
        now = profile_of(self.plan, self.extracted, self.found)
        profile = look_back(self.ports, self.warehouse, self.plan, self.terms, self.prefix, now)
        self.anomalies = len(profile.anomalies)
        self.found += results_of(profile, self.plan.source.id, block=self.terms.anomalies == "block")

    def _counted(self) -> None:
        """Rows of the lake by the files' own footers, not by what the writer remembers."""
        begun, read = time.perf_counter(), self.extracted.read
        lake = self.deep.known.rows if self.deep else _lake_rows(self.ports, self.extracted)
        counted = {"lake": lake, "target": _count(self.warehouse, self.plan)}
        left = {"quarantined": self.extracted.quarantined, "mended": self.extracted.mended}
        self.rows = self.rows.model_copy(update={**counted, **left})
        wrong = counts_difference(self.plan, self.rows, read if self.terms.depth.includes(Depth.COUNT) else None)
        values = {f"{place}_value": str(getattr(self.rows, place)) for place in ("source", "lake", "target")}
        self.found.append(self._tolerated(wrong, seconds=_since(begun), **values))
        # Deeper, the rows themselves say which are missing.
        if not self.deep:
            self._stop()

    def _elements(self, child: ChildPlan) -> None:
        """Rows of a child table. Deeper, the rows themselves say which are missing."""
        self._check("schema", partial(_child_schema, self.warehouse, self.plan, child), child.table)
        elements = elements_of(child, self.extracted.statistics) if self.extracted.rows else 0
        if elements is None:
            why = "its elements were not counted while they were written"
            not_checked = CheckStatus.NOT_CHECKED
            self.found.append(notary(self.plan).result(child.table, "elements", why, status=not_checked))
            return
        look = partial(_elements_there, self.warehouse, self.plan, child, elements)
        self._check("elements", look, child.table, later=self.deep is not None)

    def _tolerated(self, wrong: str, **more: Any) -> CheckResult:
        """The result of the counts; the target may lack, or have too many, as many rows as may differ."""
        lake, target = self.rows.lake or 0, self.rows.target or 0
        read = self.extracted.read if self.terms.depth.includes(Depth.COUNT) else None
        same = not counts_difference(self.plan, self.rows.model_copy(update={"target": lake}), read)
        if wrong and same and self.terms.allows(abs(lake - target), lake):
            more |= {"status": CheckStatus.OK}
        return notary(self.plan).result("", "rows", wrong, **more)

    def _check(self, check: str, look: Callable[[], None], column: str = "", *, later: bool = False) -> None:
        """One check that raises where something differs; `later`: not yet, since what follows says more of it."""
        begun, make = time.perf_counter(), notary(self.plan).result
        try:
            look()
        except ValidationFailed as error:
            self.found.append(make(column, check, error.what, seconds=_since(begun)))
            if later:
                return
            raise
        self.found.append(make(column, check, seconds=_since(begun)))

    def _stop(self) -> None:
        """Raise ValidationFailed, which names what has failed so far, if anything has."""
        if said := results.failed(self.found):
            staging = f"{self.plan.target.schema_}.{sql.staging_name(self.plan)}"
            step = f"look at {staging} and at {keys.check_results(self.prefix)}; nothing was published."
            raise ValidationFailed(f"{said} (depth {self.terms.depth})", where=self.plan.source.id, next_step=step)


def _since(begun: float) -> float:
    return round(time.perf_counter() - begun, 3)


def _schema(warehouse: Warehouse, plan: TablePlan) -> None:
    different = difference(warehouse, plan, sql.staging_name(plan))
    if different != "":
        raise ValidationFailed(
            f"the staging table differs from the plan: {different or 'it is not there'}",
            where=plan.source.id,
            next_step="submit the config again.",
        )


def _within(one: CheckResult) -> CheckResult:
    if one.status is not CheckStatus.FAILED:
        return one
    return one.model_copy(update={"status": CheckStatus.OK, "difference": f"{one.difference}, within the tolerance"})


def _child_schema(warehouse: Warehouse, plan: TablePlan, child: ChildPlan) -> None:
    different = child_difference(warehouse, plan, child, sql.child_staging_name(plan, child))
    if different != "":
        raise ValidationFailed(
            f"{child.table} differs from the plan: {different or 'it is not there'}", where=child.path or plan.source.id
        )


def _elements_there(warehouse: Warehouse, plan: TablePlan, child: ChildPlan, elements: int) -> None:
    """A child table has as many rows as its array had elements, or its parent rows, when the files were written."""
    found = int(str(warehouse.query(sql.count_child(plan, child))[0][0]))
    if found != elements:
        raise ValidationFailed(
            f"{child.table} has {found} rows for {elements} "
            + (f"elements of {child.path}" if child.path else f"of {plan.source.id}"),
            where=plan.source.id,
            next_step="nothing was published; look at the staging tables.",
        )


def _quarantined(warehouse: Warehouse, plan: TablePlan, extracted: ExtractManifest) -> None:
    """Every row that is left out has a record that says so."""
    found = int(str(warehouse.query(quarantine.count(plan))[0][0])) if extracted.records else 0
    if found != extracted.quarantined:
        raise ValidationFailed(
            f"{extracted.quarantined} rows are left out, {found} of them are recorded", where=plan.source.id
        )


def _lake_rows(ports: Ports, extracted: ExtractManifest) -> int:
    return sum(_file_rows(ports, file) for file in extracted.files)


def _file_rows(ports: Ports, file: LakeFile) -> int:
    def read(start: int, length: int) -> bytes:
        return ports.objects.read_range(ports.places.lake, file.key, start, length)

    return count_rows(read, file.bytes)


def _count(warehouse: Warehouse, plan: TablePlan) -> int:
    return int(str(warehouse.query(sql.count(plan))[0][0]))


def counts_difference(plan: TablePlan, rows: Rows, read: int | None) -> str:
    """How the counts differ; "" where they agree. `read`: rows of the source that the extract stands for; None: any.

    A sample keeps fewer rows than it reads; of everything else the lake holds all, but for those in quarantine.
    """
    kept = (rows.lake or 0) + rows.quarantined if plan.sample is None else read
    if rows.lake == rows.target and (read is None or rows.source == read == kept):
        return ""
    return (
        f"row counts differ: source {rows.source}, read {read}, lake {rows.lake}, target {rows.target}"
        f", in quarantine {rows.quarantined}"
    )
