"""The source as it is now compared with the target as it is now, inside their engines. Nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, TypeVar

from lakeshift.check.probe import probe
from lakeshift.check.step import with_defaults
from lakeshift.errors import (
    FilesMissing,
    LakeshiftError,
    ObjectUnsupported,
    OptionInvalid,
    Problem,
    QueryFailed,
    SourceForbidden,
    SourceNotFound,
    StatementFailed,
    StatementTooLarge,
    TargetMissing,
    TypeUnsupported,
    ValidationFailed,
)
from lakeshift.inventory.query import QUERIED, identifier, result_sql
from lakeshift.inventory.select import is_meant
from lakeshift.inventory.step import Entry, entries_now, rule_of
from lakeshift.load import history, sql
from lakeshift.model import CheckResult, CheckStatus, Depth, Masking, TablePlan, TableRef, TargetRef
from lakeshift.plan.keys import keyed
from lakeshift.plan.table import table_plan, target_of
from lakeshift.plan.widths import Widths
from lakeshift.ports import Ports, Source, Warehouse
from lakeshift.spec import Dataset, Migration, Views, nearest
from lakeshift.spec import Source as SourceSpec
from lakeshift.types.names import fold
from lakeshift.validate.columns import Checked, checked, checked_child
from lakeshift.validate.compare import notary
from lakeshift.validate.conditions import on_target
from lakeshift.validate.engines import (
    Joint,
    Meter,
    Terms,
    in_sample,
    sampled,
    sampled_by,
    source_side,
    source_table,
    target_side,
    target_table,
)
from lakeshift.validate.held import Held, held_now
from lakeshift.validate.matched import Matched, chosen, matched
from lakeshift.validate.measure import Part
from lakeshift.validate.row_results import records
from lakeshift.validate.shown import Shown
from lakeshift.validate.tied import is_loose, tie_of
from lakeshift.validate.unnested import as_named
from lakeshift.views.plan import is_view

T = TypeVar("T")
# Stands in results for the run of a comparison that belongs to none.
NO_RUN = ""
# How an engine refuses a question about a table.
_REFUSALS = (QueryFailed, SourceForbidden, SourceNotFound, StatementFailed, StatementTooLarge)
# What keeps a table from being compared, and no other one.
_LEAVE_OUT = (TypeUnsupported, ObjectUnsupported, TargetMissing, FilesMissing, ValidationFailed, *_REFUSALS)


@dataclass(frozen=True)
class Asked:
    """How a comparison is wanted.

    Attributes:
        tables: names or globs of source or target; none for all.
        sample: percent of the rows that are compared; None for all.
        max_bytes: what the source may scan; None for what the config says.
    """

    depth: Depth = Depth.CHECKSUM
    tables: tuple[str, ...] = ()
    sample: float | None = None
    max_bytes: int | None = None


@dataclass(frozen=True)
class Tables:
    """One table of the source and one of the target, as a person names them.

    Attributes:
        columns: names or globs; none for all.
        key: columns that name a row; they are compared with the others.
        where: GoogleSQL condition on the rows; "" for all.
    """

    source: str
    target: str
    columns: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    where: str = ""


@dataclass(frozen=True)
class Checks:
    """What was found, and what a reader should know of it.

    Attributes:
        rows: those that differ, as `row_results.records` has them; at depth rows alone.
        read: what the target was held against, whose bytes were scanned for it.
    """

    depth: Depth
    results: tuple[CheckResult, ...]
    notes: tuple[str, ...] = ()
    rows: tuple[dict[str, Any], ...] = ()
    read: Literal["source", "lake"] = "source"

    @property
    def equal(self) -> bool:
        """True when something was compared, nothing has failed, and no table, or a depth of it, was left out."""
        bad = (one for one in self.results if one.status is CheckStatus.FAILED or _left_out(one))
        return bool(self.results) and not any(bad)

    @property
    def scanned(self) -> int:
        """Bytes of `read` that were scanned."""
        return sum(one.bytes_scanned for one in self.results)


def _left_out(one: CheckResult) -> bool:
    return one.status is CheckStatus.NOT_CHECKED and one.check == "table"


def validate_config(ports: Ports, given: Migration, asked: Asked) -> Checks:
    """Compare every table of a config, as its source is now, with its target as it is now, inside the engines.

    Raises:
        ConfigInvalid: a place that it names is not there.
        OptionInvalid: a name of `asked.tables` that no table has.
        ScanLimitExceeded: the questions would scan more than they may; none was asked.
    """
    migration = with_defaults(given, ports.defaults)
    probe(ports, migration)
    entries = [one for one in entries_now(ports, migration) if not is_view(migration, one)]
    wanted = named(asked.tables, [(one, one.ref.id, target_of(one, migration).id) for one in entries])
    left_out: list[CheckResult] = []
    policy = migration.validation
    meter = Meter(policy.max_source_bytes if asked.max_bytes is None else asked.max_bytes)
    terms = Terms(policy.max_rows_compared, Masking(policy.mask))
    joints: list[tuple[Pair, Joint]] = []
    planner = _Planner(ports, migration)
    for entry in wanted:
        try:
            joints += _estimated(planner.pair(entry), asked, meter, terms)
        except _LEAVE_OUT as error:
            left_out.append(not_checked(entry.ref.id, _why(error)))
    found = compared(joints, asked, meter, terms)
    wrong = {one.table for one in found.results if one.status is CheckStatus.FAILED}
    plans = dict.fromkeys((pair.plan.target.id, pair.plan.source.id) for pair, _ in joints)
    since = _as_of(ports.warehouse(migration.target), [target for target, source in plans if source in wrong])
    return replace(found, results=(*left_out, *found.results), notes=(*found.notes, *since))


def _as_of(warehouse: Warehouse, targets: Sequence[str]) -> list[str]:
    """What targets that differ hold by their history: what has changed in the source since differs rightly."""
    if not targets or not warehouse.query(sql.kind("lakeshift", "load_history")):
        return []
    last = ((target, warehouse.query(history.last(target))) for target in targets)
    return [f"{target} holds the source as of {rows[0][1]}, by run {rows[0][2]}" for target, rows in last if rows]


class _Planner:
    """Plans the tables of a config as a run would, at one snapshot for each source, and of all rows."""

    def __init__(self, ports: Ports, migration: Migration) -> None:
        self._ports, self._migration = ports, migration
        self._warehouse = ports.warehouse(migration.target)
        self._widths = Widths(self._warehouse)
        self._sources = [ports.source(spec) for spec in migration.sources]
        self._snapshots = [source.now() for source in self._sources]

    def pair(self, entry: Entry) -> Pair:
        """The pair of an entry of the inventory.

        Raises:
            TypeUnsupported, ObjectUnsupported: no run would migrate it.
            FilesMissing, ValidationFailed: a file that keeps rows in quarantine is gone, or damaged.
        """
        if entry.refusal or entry.table is None:
            raise ObjectUnsupported(entry.refusal.message if entry.refusal else "it has no metadata")
        snapshot, rule = self._snapshots[entry.source_index], rule_of(self._migration, entry)
        plan = self._widths.applied(table_plan(NO_RUN, entry, entry.table, self._migration, snapshot))
        if plan.sample is not None:
            raise ObjectUnsupported("its target holds a sample, which no engine can tell from other rows")
        if rule and rule.incremental:
            plan = keyed(plan, entry.table, rule.incremental)
        # A view is read as it is now, not through a result that a run would have made.
        plan = plan.model_copy(update={"slices": ()}) if plan.query else plan
        held = _held(self._ports, self._warehouse, plan)
        return Pair(plan, self._sources[entry.source_index], self._warehouse, held=held)


def _held(ports: Ports, warehouse: Warehouse, plan: TablePlan) -> Held:
    """The rows in quarantine. Raises FilesMissing where one of their files is gone."""
    try:
        return held_now(ports, warehouse, plan)
    except KeyError as error:
        raise FilesMissing(
            "a file that keeps rows in quarantine whole is gone from the lake: what the target lacks cannot be told",
            where=plan.source.id,
            next_step="bring the file back, or migrate the table again.",
        ) from error


def compare_tables(ports: Ports, tables: Tables, asked: Asked) -> Checks:
    """Compare a table of the source with one of the target that anybody may have made.

    Raises:
        OptionInvalid: a name or condition that is none.
        SourceNotFound, TargetMissing: a table that is not there.
        ScanLimitExceeded: as `validate_config`.
    """
    ref, target = _source_ref(tables.source), _target_ref(tables.target)
    # A view is asked as it stands; what a run would need beside it is not looked at.
    views = Views(read="query", dataset=ref.dataset)
    spec = SourceSpec(type="bigquery", project=ref.project, datasets=[Dataset(name=ref.dataset)], views=views)
    migration = with_defaults(Migration(sources=[spec], initiateSchemaDetection=True), ports.defaults)
    source, warehouse = ports.source(migration.sources[0]), ports.warehouse(migration.target)
    table = source.describe(ref)
    asks = 0 if table.type in QUERIED else None
    entry = Entry(ref=ref, source_index=0, target_schema=target.schema_, table=table, query_bytes=asks)
    plan = table_plan(NO_RUN, entry, table, migration, source.now())
    plan = plan.model_copy(update={"target": target, "row_filter": tables.where})
    if plan.query:
        query = plan.query.model_copy(update={"sql": result_sql(ref, table.columns, tables.where)})
        plan = plan.model_copy(update={"query": query, "slices": ()})
    condition = on_target(plan, tables.where) if tables.where else ""
    pair = Pair(plan, source, warehouse, condition, tables.columns, tables.key)
    limit = migration.validation.max_source_bytes
    meter = Meter(limit if asked.max_bytes is None else asked.max_bytes)
    terms = Terms()
    return compared(_estimated(pair, asked, meter, terms), asked, meter, terms)


@dataclass(frozen=True)
class Pair:
    """A table of the source and its target.

    Attributes:
        plan: names, types and rows of both.
        condition: on the target's rows, where the plan's own filter holds for some of them only; "" for all.
        columns, key: as of `Tables`.
        held: rows that the target does not have as they are, for a known reason.
    """

    plan: TablePlan
    source: Source
    warehouse: Warehouse
    condition: str = ""
    columns: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    held: Held = field(default_factory=Held)


def compared(joints: Sequence[tuple[Pair, Joint]], asked: Asked, meter: Meter, terms: Terms) -> Checks:
    """Ask both engines, when all questions together are within the limit of bytes that the source may scan."""
    meter.check()
    results = tuple(one for _, joint in joints for one in _answered(joint, asked.depth))
    label = _label(asked)
    note = f"{label} of the rows, by a hash of their keys or values; of the others nothing is known"
    return Checks(asked.depth, results, (note,) if label else (), shown_rows(terms, asked.depth))


def _answered(joint: Joint, depth: Depth) -> Iterator[CheckResult]:
    """The results of a table; an engine that refuses a question about it leaves the others to be compared."""
    try:
        yield from joint.results(depth)
    except _REFUSALS as error:
        yield not_checked(joint.notary.table, _why(error))


def _why(error: LakeshiftError) -> str:
    """Why a table is not compared; what to do about a query is not for those who wrote none."""
    return f"the source refuses a question about it: {error.what}" if isinstance(error, QueryFailed) else str(error)


def _estimated(pair: Pair, asked: Asked, meter: Meter, terms: Terms) -> list[tuple[Pair, Joint]]:
    """The table and its child tables, with what their questions would scan."""
    joints = list(_joints(pair, asked, meter, terms))
    texts = [text for _, joint in joints for text in joint.questions(asked.depth)]
    meter.expect(pair.source, pair.plan.source.id, texts)
    return joints


def _joints(pair: Pair, asked: Asked, meter: Meter, terms: Terms) -> Iterator[tuple[Pair, Joint]]:
    """The table and its child tables.

    Raises:
        TargetMissing: one of them is not there.
    """
    plan = pair.plan
    own = _matched(pair, plan.target.table, _wanted(pair, checked(plan)))
    relation, key, tie = _relation(pair), _key(pair, own.columns), tie_of(own.columns)
    tables = [(Part(None, own.columns), own, key)]
    for child in plan.children:
        # The rows of a child table are elements of arrays, whose parts have no path from a column on.
        found = _matched(pair, child.table, tuple(map(as_named, checked_child(plan, child))))
        tables.append((Part(child, found.columns), found, tuple(name for _, name in child.key)))
    for part, found, names in tables:
        sides = (
            source_side(pair.source, meter, source_table(relation, plan, part, tie)),
            target_side(pair.warehouse, target_table(plan, part, tie), pair.condition),
        )
        by = sampled_by(part.columns, names)
        held = pair.held.of_child(plan, part.child, tie) if part.child else pair.held
        if asked.sample is not None:
            held = held.kept(partial(in_sample, columns=by, percent=asked.sample))
        source, target = (sampled(side, by, asked.sample) for side in sides)
        parents = target_side(pair.warehouse, target_table(plan, tables[0][0], ()), pair.condition)
        joint = Joint(
            notary=notary(plan),
            columns=part.columns,
            unmatched=found.unmatched,
            source=source,
            target=target,
            expected=plan.rows,
            terms=terms,
            prefix=f"{part.child.table}." if part.child else "",
            label=_label(asked),
            key=names,
            held=held,
            parents=parents if is_loose(part.columns, tie, own.columns) else None,
            tie=tie,
        )
        yield pair, joint


def _wanted(pair: Pair, columns: Sequence[Checked]) -> tuple[Checked, ...]:
    """The columns that a person has chosen, and those that name a row."""
    key = chosen(columns, pair.key, "--key") if pair.key else ()
    wanted = {one.name for one in (*chosen(columns, pair.columns), *key)}
    return tuple(one for one in columns if one.name in wanted)


def _matched(pair: Pair, table: str, columns: Sequence[Checked]) -> Matched:
    """Which columns of a table of the target are compared."""
    schema = pair.plan.target.schema_
    found = pair.warehouse.query(sql.columns(schema, table))
    if not found:
        step = "name it as schema.table." if pair.columns else "see whether it was published, and under which name."
        raise TargetMissing(f"the table {schema}.{table} does not exist", where=pair.plan.source.id, next_step=step)
    return matched(columns, [row for row in found if _is_wanted(row, columns, pair)])


def _is_wanted(row: Sequence[object], wanted: Sequence[Checked], pair: Pair) -> bool:
    """Where a person has chosen columns, others of the target are no difference."""
    return not pair.columns or any(one.name == row[0] for one in wanted)


def _relation(pair: Pair) -> str:
    """The source's rows; of a table that is merged by key each key's latest row, as the target has it."""
    rows, merge = pair.source.relation(pair.plan), pair.plan.merge
    if merge is None:
        return rows
    names = {column.target: identifier(column.source.name) for column in pair.plan.columns}
    key = ", ".join(names[name] for name in merge.key)
    order = f" ORDER BY {names[merge.cursor]} DESC" if merge.cursor else ""
    # Without an order any of equal rows is as good: a key with different rows is published by no run.
    return f"(SELECT * FROM {rows} AS k WHERE TRUE QUALIFY ROW_NUMBER() OVER (PARTITION BY {key}{order}) = 1)"  # noqa: S608


def _key(pair: Pair, columns: Sequence[Checked]) -> tuple[str, ...]:
    """Target names of the columns that name a row: those that a person says, or that the plan has."""
    if pair.key:
        return tuple(one.name for one in chosen(columns, pair.key, "--key"))
    return pair.plan.merge.key if pair.plan.merge else pair.plan.primary_key


def _label(asked: Asked) -> str:
    return f"sampled {asked.sample:g} %" if asked.sample is not None else ""


def shown_rows(terms: Terms, depth: Depth) -> tuple[dict[str, Any], ...]:
    """The rows that differ, with values as the mask shows them."""
    if depth is not Depth.ROWS:
        return ()
    mask = Shown(terms.mask)
    return tuple(_of_source(record) for table in terms.rows for record in records(NO_RUN, table, mask))


def _of_source(record: dict[str, Any]) -> dict[str, Any]:
    """A record in which the source stands in the place of the lake."""
    return {name.replace("lake_", "source_"): value for name, value in record.items() if name != "run"}


def not_checked(table: str, why: str, run: str = NO_RUN) -> CheckResult:
    """The result of a table that could not be compared at all."""
    return CheckResult(run=run, table=table, column="", check="table", difference=why, status=CheckStatus.NOT_CHECKED)


def named(names: Sequence[str], tables: Sequence[tuple[T, str, str]]) -> list[T]:
    """What is meant of things with a source's and a target's name.

    Raises:
        OptionInvalid: a name that none has.
    """
    lost = [name for name in names if not any(is_meant(name, *ids) for _, *ids in tables)]
    if lost:
        known = tuple(source for _, source, _ in tables)
        raise OptionInvalid(
            tuple(Problem("--table", "there is no such table", name, known[:50], nearest(name, known)) for name in lost)
        )
    return [one for one, *ids in tables if not names or any(is_meant(name, *ids) for name in names)]


def _source_ref(text: str) -> TableRef:
    parts = text.rsplit(".", 2)
    if len(parts) != 3 or not all(parts):
        raise OptionInvalid((Problem("SOURCE_TABLE", "it is named as project.dataset.table", text),))
    return TableRef(project=parts[0], dataset=parts[1], table=parts[2])


def _target_ref(text: str) -> TargetRef:
    schema, _, table = text.partition(".")
    if not schema or not table:
        raise OptionInvalid((Problem("TARGET_TABLE", "it is named as schema.table", text),))
    return TargetRef(database="", schema_=fold(schema), table=fold(table))
