"""A run that loads again what an earlier run has extracted: its plans are that run's, its source is the lake alone.

It is a run of its own, with staging tables, tokens and history rows of its own, so that nothing of the publish
protocol knows of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from lakeshift.check.step import migration_of
from lakeshift.errors import FilesMissing, StoreRefused, Superseded, TerminalError, WrongState
from lakeshift.lake import keys
from lakeshift.load import sql
from lakeshift.model import ExtractManifest, Failure, LakeFile, SideFile, TablePlan, TableRecord, TableState
from lakeshift.plan.written import plan_of
from lakeshift.ports import Ports, Warehouse
from lakeshift.spec import Reload

READERS = 16
MOST_NAMED = 3
# Before these states there is no complete extract that was good enough to be published.
RELOADABLE = frozenset({TableState.PUBLISHED, TableState.ROLLED_BACK})


def reloaded(ports: Ports, run: str, wanted: Reload) -> Iterator[tuple[TableRecord, TablePlan | None]]:
    """Record and plan of each table that is wanted, extracted already; a table that cannot be loaded has no plan."""
    warehouse = ports.warehouse(migration_of(ports, run).target)
    for record in ports.ledger.tables(wanted.run):
        if wanted.tables and record.table not in wanted.tables:
            continue
        try:
            plan = _plan(ports, warehouse, run, record, replaces_later=wanted.replace_later)
        except TerminalError as error:
            yield _refused(run, record, error), None
        else:
            yield _record(run, record), plan


def _plan(ports: Ports, warehouse: Warehouse, run: str, record: TableRecord, *, replaces_later: bool) -> TablePlan:
    if record.state not in RELOADABLE:
        step = "`lakeshift resume` takes a failed table up; a table that waits needs no name: `lakeshift load RUN`."
        raise WrongState(f"the table is {record.state}, it was never published", where=record.table, next_step=step)
    plan = plan_of(ports, record)
    later = _check_target(warehouse, plan, replaces_later=replaces_later)
    _check_files(ports, plan, record.cut, _extract(ports, plan, record))
    increment = plan.increment.model_copy(update={"previous": record.run}) if plan.increment else None
    # What was altered for the first load is as it should be, and the file of an accepted plan is history.
    changes = {"run": run, "increment": increment, "changes": (), "replaces_later": later}
    return plan.model_copy(update=changes)


def _check_target(warehouse: Warehouse, plan: TablePlan, *, replaces_later: bool) -> bool:
    """True when a later version stands there that the reload may replace.

    Raises:
        Superseded: it may not, or the extract is an increment of something that does not stand there any more.
    """
    last = warehouse.query(sql.last_published(plan))
    run = str(last[0][2]) if last else ""
    if plan.increment and not (
        last and str(last[0][1]) == sql.instant(plan.snapshot) and plan.increment.mode != "append"
    ):
        step = "reload the run that read all of the table, or submit the config again."
        raise Superseded(
            "the extract is an increment; it loads only over its own publish, while that stands, and never by append",
            where=plan.source.id,
            next_step=step,
        )
    later = bool(last) and str(last[0][1]) > sql.instant(plan.snapshot)
    if later and not replaces_later:
        raise Superseded(
            f"{plan.target.id} holds a later snapshot, of run {run}",
            where=plan.source.id,
            next_step=f"roll {run} back, or say --force: the older rows take its place.",
        )
    return later


def _extract(ports: Ports, plan: TablePlan, record: TableRecord) -> ExtractManifest:
    key = keys.extract_record(plan.lake_prefix, record.cut)
    try:
        return ExtractManifest.model_validate_json(ports.objects.get(ports.places.lake, key))
    except KeyError as error:
        raise _gone(plan, [str(error)]) from error


def _check_files(ports: Ports, plan: TablePlan, cut: str, extract: ExtractManifest) -> None:
    """Raise FilesMissing unless every file that will be loaded can be read to its last byte, and so every list of them.

    Beside the rows these are what quarantine says of them, and the keys by which what is gone is found.
    """
    files: list[LakeFile | SideFile] = [*extract.files, *extract.keys]
    files += [file.held.records for file in extract.files if file.held]

    def missing(file: LakeFile | SideFile) -> bool:
        try:
            return len(ports.objects.read_range(ports.places.lake, file.key, max(0, file.bytes - 4), 4)) < min(
                4, file.bytes
            )
        except (KeyError, StoreRefused):
            return True

    with ThreadPoolExecutor(READERS) as threads:
        found = [file.key for file, gone in zip(files, threads.map(missing, files), strict=True) if gone]
    found += [key for key in _lists(plan, cut, extract) if not _is_there(ports, key)]
    if found:
        raise _gone(plan, found)


def _lists(plan: TablePlan, cut: str, extract: ExtractManifest) -> Iterator[str]:
    """Keys of the lists that COPY will read."""
    if extract.rows:
        yield keys.copy_manifest(plan.lake_prefix, cut)
    if extract.keys_read:
        yield keys.copy_manifest(keys.keys_prefix(plan.lake_prefix), cut)
    if extract.records:
        yield keys.quarantine_manifest(plan.lake_prefix, cut)


def _is_there(ports: Ports, key: str) -> bool:
    try:
        return bool(ports.objects.read_range(ports.places.lake, key, 0, 1))
    except (KeyError, StoreRefused):
        return False


def _gone(plan: TablePlan, found: Sequence[str]) -> FilesMissing:
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    named = ", ".join(found[:MOST_NAMED]) + more
    step = "restore them from an older version or from Glacier, or submit the config again, which reads the source."
    what = f"files of the extract are missing from the lake, or not whole: {named}"
    return FilesMissing(what, where=plan.source.id, next_step=step)


def _record(run: str, record: TableRecord) -> TableRecord:
    """The earlier run's record as it was when its extract was complete."""
    spans = {verb: span for verb, span in record.spans.items() if verb == "extract"}
    note = f"loaded again from the lake: the extract is that of run {record.run}"
    rows = record.rows.model_copy(update={"target": None})
    begun = {"run": run, "state": TableState.EXTRACTED, "spans": spans, "rows": rows, "notes": (note, *record.notes)}
    return record.model_copy(
        update={**begun, "plan": None, "load_attempt": 0, "failure": None, "pending": False, "version": 0}
    )


def _refused(run: str, record: TableRecord, error: TerminalError) -> TableRecord:
    failure = Failure(code=error.code, message=str(error))
    return TableRecord(run=run, table=record.table, target=record.target, state=TableState.REFUSED, failure=failure)
