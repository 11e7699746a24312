"""Types by what the values need: one question to the source for each table, and the columns that its answer makes.

A declared type may be far wider than anything in the table. Redshift reserves memory by it, see
https://docs.aws.amazon.com/redshift/latest/dg/c_best-practices-smallest-column-size.html, and a BIGNUMERIC whose digits
would fit DECIMAL(38) stays text for nothing. The question is asked at the run's snapshot and of the rows that the run
reads, so what it finds holds for each of them; what a later run brings is measured again. A type that was published
stays while it is enough, and where nothing was or could be measured: no target is altered, and no run refused, because
a question was not answered. What does not fit then is found row by row while it is read, as `misfits` says.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from lakeshift.errors import TerminalError
from lakeshift.inventory.query import identifier
from lakeshift.lake import keys
from lakeshift.model import Column, Kind, SourceTable, TablePlan
from lakeshift.ports import Answer
from lakeshift.types.redshift import (
    MAX_DECIMAL_DIGITS,
    MAX_DECIMAL_SCALE,
    MAX_VARBYTE_BYTES,
    MAX_VARCHAR_BYTES,
    fits_decimal,
)

if TYPE_CHECKING:
    from lakeshift.ports import Ports, Source
    from lakeshift.spec import Migration

LEAST_BYTES = 16
_LATER = "a later value"
# Digits after the point that a decimal gets beyond what its values have, where there is room for as many before it.
SPARE_DIGITS = 4
_MOST = {Kind.STRING: MAX_VARCHAR_BYTES, Kind.BYTES: MAX_VARBYTE_BYTES}
_PUBLISHED = re.compile(r"(?:VARCHAR|VARBYTE)\((\d+)\)|DECIMAL\((\d+),\s*(\d+)\)")


@dataclass(frozen=True)
class Need:
    """What the values of a column need; all 0 where it has none.

    Attributes:
        size: bytes of the longest text or binary value; digits before the point of a decimal.
        scale: digits after the point.
    """

    size: int
    scale: int = 0


def measurable(columns: Iterable[Column]) -> list[Column]:
    """Columns whose type the values can make narrower: texts, binaries, decimals that Redshift has no type for."""
    return [column for column in columns if column.kind in _MOST or _wide_decimal(column)]


def _wide_decimal(column: Column) -> bool:
    return column.kind is Kind.DECIMAL and column.precision is not None and not fits_decimal(column)


def question(columns: Sequence[Column], relation: str) -> str:
    """GoogleSQL for one row: two numbers for each column, what `Need` holds."""
    return f"SELECT {', '.join(part for column in columns for part in _asked(column))} FROM {relation}"  # noqa: S608


def _asked(column: Column) -> tuple[str, str]:
    name = identifier(column.name)
    if column.kind in _MOST:
        return f"MAX(BYTE_LENGTH({name}))", "0"
    text = f"CAST({name} AS STRING)"
    # After the point up to the last digit that is none of the zeros at the end.
    parts = (r"^-?([0-9]+)", r"\.([0-9]*[1-9])")
    before, after = (f"MAX(LENGTH(REGEXP_EXTRACT({text}, r'{part}')))" for part in parts)
    return before, after


def needs(columns: Sequence[Column], row: Sequence[object]) -> dict[str, Need]:
    """What the answer to `question` says, by the columns' names."""
    figures = [int(str(value or 0)) for value in row]
    pairs = zip(figures[::2], figures[1::2], strict=True)
    return {column.name: Need(*pair) for column, pair in zip(columns, pairs, strict=True)}


def narrowed(column: Column, need: Need, headroom: float, published: str = "") -> Column:
    """The column with a type that holds what its values need, if there is a narrower one.

    Args:
        need: 0 where there are no values, or none were looked at: then only what was published is known to be right.
        headroom: how many times the longest value a text may have.
        published: the target type it has now; it stays while it is enough, so that a table does not change each day.
    """
    before = _PUBLISHED.fullmatch(published)
    if column.kind is Kind.DECIMAL:
        return _narrowed_decimal(column, need, before, published)
    most = _MOST[column.kind]
    width = int(before[1]) if before and before[1] else 0
    width = width if width >= need.size else _width(need.size, headroom)
    declared = column.max_bytes or (column.length or most) * (4 if column.kind is Kind.STRING else 1)
    if not width or width >= min(declared, most):
        return column
    note = f"measured: the longest value has {need.size:,} bytes" if need.size else _as_published(published)
    risk = f"{_LATER} beyond {width:,} bytes does not fit"
    return column.model_copy(update={"max_bytes": width, "note": _and(column.note, note), "risk": risk})


def by_values(column: Column) -> bool:
    """Whether a column that `narrowed` made has a type by its values, which its note tells, and not as declared."""
    return column.risk.startswith(_LATER)


def _width(need: int, headroom: float) -> int:
    """A power of two, so that growth seldom changes it."""
    wanted = max(LEAST_BYTES, int(need * headroom))
    return 1 << (wanted - 1).bit_length()


def _narrowed_decimal(column: Column, need: Need, before: re.Match[str] | None, published: str) -> Column:
    held = (int(before[2]), int(before[3])) if before and before[2] else None
    if held is None and (published or not need.size):
        # It was published as text, and another type would be another table; or nothing is known of its values.
        return column
    spare = MAX_DECIMAL_DIGITS - need.size - need.scale
    precision, scale = MAX_DECIMAL_DIGITS, need.scale + max(0, min(SPARE_DIGITS, spare // 2))
    if held and need.scale <= held[1] and need.size <= held[0] - held[1]:
        precision, scale = held
    if need.size + scale > precision or scale > MAX_DECIMAL_SCALE:
        return column
    digits = f"measured: at most {need.size} digits before the point and {need.scale} after it"
    note = _and(column.note, digits if need.size else _as_published(published))
    risk = f"{_LATER} of more than {precision - scale} digits before the point or {scale} after it does not fit"
    return column.model_copy(update={"precision": precision, "scale": scale, "note": note, "risk": risk})


def _as_published(published: str) -> str:
    return f"{published} as it was published"


def _and(*notes: str) -> str:
    return "; ".join(filter(None, notes))


class Questions:
    """What a run asks its sources to measure types: each question once, however often the run's plan is made.

    The answers are kept in the staging bucket, because the questions bill what they scan.

    Attributes:
        scanned: bytes that all questions of the run have scanned.
    """

    def __init__(self, ports: Ports, run: str, migration: Migration) -> None:
        self._ports, self._run, self._migration = ports, run, migration
        # One for the run, not for each table: a source is made with its key, which is fetched each time.
        self._sources: dict[int, Source] = {}
        self._lock = Lock()
        self.scanned = 0

    def measured(self, plan: TablePlan, table: SourceTable, published: TablePlan | None) -> tuple[SourceTable, str]:
        """The table with columns as its values need them, and a note on what that has cost or why it was not done.

        Args:
            plan: of the rows that are read: these are measured, at its snapshot.
            table: as the source declares it.
            published: the plan that the target was published by, or is to follow.
        """
        kept, asked = as_published(plan, table, published), _there(plan, table)
        if not asked or (plan.increment and plan.increment.empty):
            return kept, ""
        if plan.query:
            return kept, "not measured: it is read through a query"
        answer = self._answer(plan, asked)
        if isinstance(answer, str):
            return kept, f"not measured: {answer}"
        with self._lock:
            self.scanned += answer.bytes
        found = needs(asked, answer.rows[0])
        note = f"types are measured: the question scanned {answer.bytes:,} bytes"
        return _typed(table, found, self._migration.types.headroom, published), note

    def _answer(self, plan: TablePlan, asked: Sequence[Column]) -> Answer | str:
        """The answer that was kept or is given now; or why there is none."""
        source, most = self.source(plan.source_index), self._migration.types.max_bytes
        sql = question(asked, source.relation(plan))
        key = keys.run_file(self._run, f"needs/{hashlib.sha256(sql.encode()).hexdigest()}.json")
        objects, bucket = self._ports.objects, self._ports.places.staging
        try:
            known = json.loads(objects.get(bucket, key))
            return Answer((tuple(known["row"]),), known["bytes"])
        except KeyError:
            pass
        try:
            scanned = source.estimate(sql)
            if scanned > most:
                return f"that would scan {scanned:,} bytes, types.maxBytes allows {most:,}"
            (row,) = source.ask(sql, scanned).rows
        except TerminalError as error:
            # Whatever the source has against the question is about this table alone; who reads it will hear of it.
            return error.what
        objects.put(bucket, key, json.dumps({"row": row, "bytes": scanned}).encode(), "application/json")
        return Answer((row,), scanned)

    def source(self, index: int) -> Source:
        """The source of that place in the config."""
        with self._lock:
            if index not in self._sources:
                self._sources[index] = self._ports.source(self._migration.sources[index])
            return self._sources[index]


def as_published(plan: TablePlan, table: SourceTable, published: TablePlan | None) -> SourceTable:
    """The table with the types that were published, where these are by values, and those that it declares elsewhere."""
    return _typed(table, dict.fromkeys((one.name for one in _there(plan, table)), Need(0)), 1, published)


def _typed(table: SourceTable, found: Mapping[str, Need], headroom: float, published: TablePlan | None) -> SourceTable:
    before = {one.source.name: one.target_type for one in published.columns} if published else {}
    before |= {name: one.target_type for name, (_, one) in published.elsewhere.items()} if published else {}
    columns = tuple(
        narrowed(one, found[one.name], headroom, before.get(one.name, "")) if one.name in found else one
        for one in table.columns
    )
    return table.model_copy(update={"columns": columns})


def _there(plan: TablePlan, table: SourceTable) -> list[Column]:
    """Columns to measure that the plan's relation has; inside a SUPER that folds others no type has a width."""
    folded = {name for one in plan.columns if one.folds and not one.divided for name in one.folds}
    taken = {name for one in plan.columns for name in one.sources} - folded
    return measurable(column for column in table.columns if column.name in taken)
