"""validate: the gate. A table passes only when source, lake and target agree at the chosen depth."""

from __future__ import annotations

import structlog

from lakeshift.check.step import migration_of
from lakeshift.errors import ValidationFailed, WrongState
from lakeshift.extract.step import extract_of
from lakeshift.lake.parquet import count_rows
from lakeshift.ledger.tables import clocked, end, passed, unless_passed
from lakeshift.load import quarantine, sql
from lakeshift.load.fit import elements_of
from lakeshift.load.target import child_difference, difference
from lakeshift.model import ChildPlan, ExtractManifest, LakeFile, Rows, Statistics, TablePlan, TableState
from lakeshift.plan.step import plan_of
from lakeshift.ports import Ports, Warehouse
from lakeshift.validate.increments import check_append, check_merge

log = structlog.get_logger()


@unless_passed(TableState.VALIDATED)
def validate(ports: Ports, run: str, table: str) -> None:
    """Compare the three places; repeating it after success changes nothing.

    Raises:
        ValidationFailed: names what differs. Staging is kept for inspection.
    """
    record = ports.ledger.table(run, table)
    if passed(record, TableState.VALIDATED):
        return
    if record.state is not TableState.LOADED:
        raise WrongState(f"the table is {record.state}, not loaded", where=table)
    record = clocked(ports, record, "validate")
    migration = migration_of(ports, run)
    plan = plan_of(ports, record)
    warehouse = ports.warehouse(migration.target)
    _schema(warehouse, plan)
    extracted = extract_of(ports, plan, record)
    rows = Rows(source=record.rows.source, lake=_lake_rows(ports, extracted), target=_count(warehouse, plan))
    rows = rows.model_copy(update={"quarantined": extracted.quarantined, "mended": extracted.mended})
    _quarantined(warehouse, plan, extracted)
    _counts(plan, rows, extracted.read if migration.validation.depth == "count" else None)
    check_merge(warehouse, plan, extracted)
    if plan.append:
        check_append(warehouse, plan, plan.append)
    for child in plan.children:
        _child(warehouse, plan, child, extracted.statistics)
    end(ports, record, "validate", TableState.VALIDATED, rows=rows)


def _schema(warehouse: Warehouse, plan: TablePlan) -> None:
    different = difference(warehouse, plan, sql.staging_name(plan))
    if different != "":
        raise ValidationFailed(
            f"the staging table differs from the plan: {different or 'it is not there'}",
            where=plan.source.id,
            next_step="submit the config again.",
        )


def _child(warehouse: Warehouse, plan: TablePlan, child: ChildPlan, measured: Statistics | None) -> None:
    """A child table has as many rows as its array had elements, counted while the files were written."""
    different = child_difference(warehouse, plan, child, sql.child_staging_name(plan, child))
    if different != "":
        raise ValidationFailed(
            f"{child.table} differs from the plan: {different or 'it is not there'}", where=child.path
        )
    elements = elements_of(child, measured)
    found = int(str(warehouse.query(sql.count_child(plan, child))[0][0]))
    if elements is not None and found != elements:
        raise ValidationFailed(
            f"{child.table} has {found} rows for {elements} elements of {child.path}",
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
    """Rows by the files' own footers, not by what the writer remembers."""
    return sum(_file_rows(ports, file) for file in extracted.files)


def _file_rows(ports: Ports, file: LakeFile) -> int:
    def read(start: int, length: int) -> bytes:
        return ports.objects.read_range(ports.places.lake, file.key, start, length)

    return count_rows(read, file.bytes)


def _count(warehouse: Warehouse, plan: TablePlan) -> int:
    return int(str(warehouse.query(sql.count(plan))[0][0]))


def _counts(plan: TablePlan, rows: Rows, read: int | None) -> None:
    """Raise unless the counts agree. `read` is how many rows of the source the extract stands for; None: not compared.

    A sample keeps fewer rows than it reads; of everything else the lake holds all, but for those in quarantine.
    """
    kept = (rows.lake or 0) + rows.quarantined if plan.sample is None else read
    if rows.lake != rows.target or (read is not None and not rows.source == read == kept):
        raise ValidationFailed(
            f"row counts differ: source {rows.source}, read {read}, lake {rows.lake}, target {rows.target}"
            f", in quarantine {rows.quarantined}",
            where=plan.source.id,
            next_step=f"look at {plan.target.schema_}.{sql.staging_name(plan)}; nothing was published.",
        )
