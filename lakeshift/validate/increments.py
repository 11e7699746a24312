"""What must hold of staging before it is published: keys and cursors that leave nothing to chance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lakeshift.errors import ValidationFailed
from lakeshift.lake.records import QUARANTINED
from lakeshift.load import merge, quarantine, sql
from lakeshift.model import ExtractManifest, MergePlan, TablePlan
from lakeshift.ports import Warehouse
from lakeshift.validate.asked import Ask

_NOTHING = "nothing was published"


def check_append(ask: Ask, plan: TablePlan, column: str) -> None:
    """Raise ValidationFailed for rows without a value in the column that appending goes by; it would never see them."""
    (row,) = ask(sql.count_nulls(plan, column))
    if missing := int(str(row[0])):
        raise ValidationFailed(
            f"{column} is NULL in {missing:,} rows, which appending by it would never see",
            where=plan.source.id,
            next_step=f'take it by another column, or by "key"; {_NOTHING}.',
        )


def check_key(ask: Ask, plan: TablePlan, what: str, key: Sequence[str]) -> None:
    """Raise ValidationFailed where what is declared a key names several rows.

    No engine enforces one, and queries on it may answer wrong: their planner trusts it, and a row of a child table has
    several parents. Of an increment its own rows are looked at.
    https://docs.aws.amazon.com/redshift/latest/dg/t_Defining_constraints.html
    """
    if found := _count(ask, sql.repeated(plan, key)):
        raise ValidationFailed(
            f"{found:,} values of the {what} ({', '.join(key)}) stand in several rows",
            where=plan.source.id,
            next_step=f"mend these rows in the source, or declare another key; {_NOTHING}.",
        )


def declared_keys(plan: TablePlan) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What is declared to name one row: what it is, and its columns. What is merged is made to have one of each key."""
    if plan.merge:
        return
    if plan.primary_key:
        yield "primary key", plan.primary_key
    named = tuple(key for key, _ in plan.children[0].key) if plan.children and not plan.row_key else ()
    if named and named != plan.primary_key:
        yield "key of the child tables", named


def check_merge(ask: Ask, warehouse: Warehouse, plan: TablePlan, terms: MergePlan, extracted: ExtractManifest) -> None:
    """Make sure that each key stands for one row, which the target can be told to have.

    Args:
        ask: gets answers about staging, which does not change meanwhile.

    Raises:
        ValidationFailed: keys that are NULL, end in blanks, do not fit, or have several latest rows; and keys of the
            source that an increment has not read and the target does not have.
    """
    _check_names(ask, plan, terms, extracted)
    if _count(ask, merge.repeated(plan)):
        _check_latest(ask, plan, terms)
    if terms.deletes and plan.increment:
        _check_complete(warehouse, plan, extracted)


def duplicates(warehouse: Warehouse, plan: TablePlan) -> bool:
    """Whether staging has several rows for a key."""
    return plan.merge is not None and _count(warehouse.query, merge.repeated(plan)) > 0


def _check_names(ask: Ask, plan: TablePlan, terms: MergePlan, extracted: ExtractManifest) -> None:
    (found,) = ask(merge.nulls(plan))
    rows, *counts = (int(str(value)) for value in found)
    problems = _said("is NULL in", terms.key, [rows - count for count in counts])
    if texts := merge.text_keys(plan):
        (blanks,) = ask(merge.blanks(plan))
        ends = [int(str(one or 0)) for one in blanks]
        problems += _said("ends in a blank, which Redshift passes over, in", texts, ends)
    left = {one.path: one.count for one in extracted.misfits if one.action == QUARANTINED and one.path in terms.key}
    problems += _said("does not fit in", list(left), list(left.values()))
    if problems:
        step = f"mend these rows in the source, name another key, or leave them out by a filter; {_NOTHING}."
        raise ValidationFailed("; ".join(problems), where=plan.source.id, next_step=step)


def _said(what: str, names: Sequence[str], counts: Sequence[int]) -> list[str]:
    found = zip(names, counts, strict=True)
    return [f"the key column {name} {what} {count:,} rows" for name, count in found if count]


def _check_latest(ask: Ask, plan: TablePlan, terms: MergePlan) -> None:
    if open_ := _count(ask, merge.undecided(plan)):
        key = ", ".join(terms.key)
        why = f"with the same greatest {terms.cursor}" if terms.cursor else "and no column says which is the latest"
        raise ValidationFailed(
            f"{open_:,} keys ({key}) have several different rows {why}",
            where=plan.source.id,
            next_step=f'name a "column" that tells them apart, or a longer "key"; {_NOTHING}.',
        )


def _check_complete(warehouse: Warehouse, plan: TablePlan, extracted: ExtractManifest) -> None:
    loaded = _count(warehouse.query, merge.count_keys(plan))
    if loaded != extracted.keys_read:
        raise ValidationFailed(f"{loaded} keys were loaded of {extracted.keys_read}", where=plan.source.id)
    stands = {str(row[0]) for row in warehouse.query(quarantine.standing(plan))}
    recorded = quarantine.table_name(plan) in stands
    if lost := _count(warehouse.query, merge.missing(plan, records=bool(extracted.records), recorded=recorded)):
        column = plan.merge.cursor if plan.merge else ""
        raise ValidationFailed(
            f"{lost:,} keys of the source are neither in the target nor among those that were read: {column} of new "
            "rows was less than its greatest value at the last run",
            where=plan.source.id,
            next_step=f'leave "column" out for one run, which merges all rows; {_NOTHING}.',
        )


def _count(ask: Ask, question: str) -> int:
    return int(str(ask(question)[0][0]))
