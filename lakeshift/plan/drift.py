"""How a table's columns differ from those that were published last, and what that means. Pure.

Redshift alters a table in place in two ways only that hold what is there: one ADD COLUMN at a time, and a longer
VARCHAR (https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE.html). Everything else is a reload: all rows are
read, and the new table takes the old one's place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from lakeshift.errors import SchemaChanged
from lakeshift.model import Change, Column, ColumnPlan, Kind, TablePlan
from lakeshift.spec import SchemaChange
from lakeshift.types.names import quoted

RELOAD = "all rows are read and the table is replaced"
_SIZED = re.compile(r"(VARCHAR|VARBYTE)\((\d+)\)")
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")
# Digits that every value of these types has at most: -9223372036854775808.
_WHOLE = {"SMALLINT": 5, "INTEGER": 10, "BIGINT": 19}


def changes(before: TablePlan, now: TablePlan) -> tuple[Change, ...]:
    """Every difference of columns between the plan that was published last and the one of now."""
    old, new = _by_name(before), _by_name(now)
    found = [
        *(change for name in new if name in old for change in _changed(now, old[name], new[name])),
        *(_added(before, now, new[name]) for name in new if name not in old),
        *(_removed(now, old[name]) for name in old if name not in new),
        *_order(list(old), list(new)),
    ]
    return tuple(found)


def allow(found: Sequence[Change], policy: SchemaChange, *, approved: bool) -> None:
    """Let changes pass as the config says.

    Args:
        approved: a person has accepted a plan that shows exactly these.

    Raises:
        SchemaChanged: names each that may not pass.
    """
    held = [change for change in found if _held(change, policy, approved=approved)]
    if not held:
        return
    waiting = all(getattr(policy, change.level) == "approve" for change in held)
    step = "accept it: `lakeshift plan CONFIG --out plan.json`, then `lakeshift run --plan plan.json`."
    raise SchemaChanged(
        f"{len(held)} change(s) of the schema {'wait for approval' if waiting else 'are refused by schemaChange'}: "
        + "; ".join(text(change) for change in held),
        next_step=step if waiting else 'allow it by "schemaChange", or change the source back.',
    )


def text(change: Change) -> str:
    """A change in a line."""
    name = f"{change.column} " if change.column else ""
    return f"{change.level}: {name}{change.what}" + (f" ({change.ddl})" if change.ddl else "")


def note(change: Change, *, incremental: bool) -> str:
    """A change as a note of the table's plan: what it is, and what becomes of it."""
    what = {"nothing": "nothing is to be done", "in place": "the target is altered in place", "reload": RELOAD}
    done = what[change.how] if incremental else "the new table has it"
    return f"schema change, {text(change)}: {done}"


def reload_reason(found: Iterable[Change], *, may_alter: bool = True) -> str:
    """Why an increment cannot build on what is there; "" when the target can stay, or be altered in place."""
    kept = ("nothing", "in place") if may_alter else ("nothing",)
    reasons = [text(change) for change in found if change.how not in kept]
    return f"the columns are others than those of the last publish: {'; '.join(reasons)}" if reasons else ""


def _held(change: Change, policy: SchemaChange, *, approved: bool) -> bool:
    wanted = getattr(policy, change.level)
    return bool(wanted == "refuse" or (wanted == "approve" and not approved))


def _by_name(plan: TablePlan) -> dict[str, ColumnPlan]:
    return {column.target: column for column in plan.columns}


def _added(before: TablePlan, now: TablePlan, column: ColumnPlan) -> Change:
    kind = column.source.source_type
    there = {"column": column.target, "target_type": column.target_type}
    if column.source.name.casefold() in {name.casefold() for name in before.skipped}:
        # Its old rows have values, and nobody has read them.
        return Change(**there, level="safe", what=f"is taken now ({kind})", how="reload")
    if column.source.required:
        return Change(**there, level="breaking", what=f"is new and REQUIRED ({kind})", how="reload")
    if column.divided or column.folds or not _last(before, now, column):
        return Change(**there, level="safe", what=f"is new ({kind})", how="reload")
    target = f"{quoted(now.target.schema_)}.{quoted(now.target.table)}"
    ddl = f"ALTER TABLE {target} ADD COLUMN {quoted(column.target)} {column.target_type}"
    return Change(**there, level="safe", what=f"is new ({kind})", how="in place", ddl=ddl)


def _last(before: TablePlan, now: TablePlan, column: ColumnPlan) -> bool:
    """A column that is added stands behind all that were there, and a target is checked by order."""
    old = _by_name(before)
    places = [place for place, one in enumerate(now.columns) if one.target in old]
    return not places or now.columns.index(column) > places[-1]


def _removed(now: TablePlan, column: ColumnPlan) -> Change:
    if column.source.name.casefold() in {name.casefold() for name in now.skipped}:
        return Change(column=column.target, level="safe", what="is left out by the config now", how="reload")
    holder = next((one.target for one in now.columns if column.source.name in one.folds), "")
    what = f"is folded into {holder}" if holder else f"is gone from the source (was {column.source.source_type})"
    if column.source.name in now.elsewhere:
        what = f"is in {now.elsewhere[column.source.name][0]} now"
    return Change(column=column.target, level="breaking", what=what, how="reload")


def _order(old: Sequence[str], new: Sequence[str]) -> list[Change]:
    common = [name for name in new if name in old]
    if common == [name for name in old if name in new]:
        return []
    return [Change(column="", level="safe", what="the columns stand in another order", how="reload")]


def _changed(now: TablePlan, old: ColumnPlan, new: ColumnPlan) -> Iterator[Change]:
    yield from _nullability(old, new)
    if old.handling is not new.handling:
        yield _other(old, new, "breaking", "reload")
    elif old.target_type != new.target_type:
        yield _retyped(now, old, new)
    elif old.source.kind is not new.source.kind:
        yield _other(old, new, "breaking", "reload")
    else:
        # A field that is new is NULL in old rows, as it is where SUPER has none; any other one is another in them too.
        # Where other columns or tables take its place, a new field is one of these; where it holds columns, one that
        # is taken only now has values in old rows.
        hows = {"safe": "reload" if new.divided or new.folds else "nothing", "breaking": "reload"}
        for level, what in _inside(old.source, new.source, ""):
            given = {"column": new.target, "target_type": new.target_type, "level": level, "what": what}
            yield Change.model_validate({**given, "how": hows[level]})


def _nullability(old: ColumnPlan, new: ColumnPlan) -> Iterator[Change]:
    there = {"column": new.target, "target_type": new.target_type}
    if old.source.required and not new.source.required:
        # https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE.html: NOT NULL cannot be dropped.
        yield Change(**there, level="widen", what="may be NULL now", how="reload")
    elif new.source.required and not old.source.required:
        yield Change(**there, level="safe", what="is REQUIRED now", how="nothing")


def _retyped(now: TablePlan, old: ColumnPlan, new: ColumnPlan) -> Change:
    was, will = _SIZED.fullmatch(old.target_type), _SIZED.fullmatch(new.target_type)
    same = was and will and was[1] == will[1] and old.source.kind is new.source.kind
    if same and was and will and int(will[2]) > int(was[2]):
        if was[1] == "VARBYTE" or _fixed(now, old, new):
            return _other(old, new, "widen", "reload")
        target = f"{quoted(now.target.schema_)}.{quoted(now.target.table)}"
        ddl = f"ALTER TABLE {target} ALTER COLUMN {quoted(new.target)} TYPE {new.target_type}"
        return _other(old, new, "widen", "in place").model_copy(update={"ddl": ddl})
    return _other(old, new, "widen" if _holds(old.target_type, new.target_type) else "breaking", "reload")


def _fixed(now: TablePlan, old: ColumnPlan, new: ColumnPlan) -> bool:
    """Whether Redshift refuses a longer VARCHAR: columns of a key, and with a DEFAULT.

    The quarantine table has the columns that name a row as well, and is not altered.
    """
    keys = {*now.primary_key, *now.quarantine_key, *(name for child in now.children for name, _ in child.key)}
    return bool(new.target in keys or old.source.default or new.source.default)


def _other(old: ColumnPlan, new: ColumnPlan, level: str, how: str) -> Change:
    what = f"{old.source.source_type} -> {new.source.source_type} ({old.target_type} -> {new.target_type})"
    given = {"column": new.target, "level": level, "what": what, "how": how, "target_type": new.target_type}
    return Change.model_validate(given)


def _holds(old: str, new: str) -> bool:
    """Whether a number type holds every value of another one, exactly."""
    target = _DECIMAL.fullmatch(new)
    if old in _WHOLE:
        digits, scale = _WHOLE[old], 0
    elif found := _DECIMAL.fullmatch(old):
        digits, scale = int(found[1]) - int(found[2]), int(found[2])
    else:
        return False
    if target:
        return int(target[2]) >= scale and int(target[1]) - int(target[2]) >= digits
    return new in _WHOLE and not scale and _WHOLE[new] > digits


def _inside(old: Column, new: Column, path: str) -> Iterator[tuple[str, str]]:
    """Differences inside a nested value, whose target type stays: level and words of each."""
    where = f"{path or 'the value'}: "
    if old.kind is not new.kind:
        yield "breaking", f"{where}{old.source_type} -> {new.source_type}"
        return
    if old.kind is Kind.STRUCT:
        yield from _fields(old, new, path)
        return
    if old.fields and new.fields:
        yield from _inside(old.fields[0], new.fields[0], f"{path}[]")


def _fields(old: Column, new: Column, path: str) -> Iterator[tuple[str, str]]:
    before = {field.name.casefold(): field for field in old.fields}
    after = {field.name.casefold(): field for field in new.fields}
    for name, field in after.items():
        if name in before:
            yield from _inside(before[name], field, f"{path}.{field.name}")
        else:
            yield "safe", f"{path}.{field.name} is new ({field.source_type})"
    yield from (("breaking", f"{path}.{field.name} is gone") for name, field in before.items() if name not in after)
