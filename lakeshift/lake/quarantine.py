"""What becomes of rows with misfits: left out, or mended, and in any case kept whole and recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakeshift.lake import rows
from lakeshift.lake.layout import Integers
from lakeshift.lake.misfits import NONE, Finder, Misfit, too_large
from lakeshift.lake.records import (
    ACTION,
    BYTES,
    COLUMN,
    FILE,
    LIMIT,
    NULLED,
    QUARANTINED,
    REASON,
    ROW,
    TRUNCATED,
    key_columns,
)
from lakeshift.model import ColumnPlan, Kind, MisfitCount, MisfitPolicy, PartPlan, TablePlan

if TYPE_CHECKING:
    # The layer leaves NumPy's typing out.
    import numpy.typing as npt

Flags: TypeAlias = "npt.NDArray[np.bool_]"

_RECORD = [
    pa.field(COLUMN, pa.string()),
    pa.field(REASON, pa.string()),
    pa.field(ACTION, pa.string()),
    pa.field(BYTES, pa.int64()),
    pa.field(LIMIT, pa.int64()),
    pa.field(FILE, pa.string()),
    pa.field(ROW, pa.int64()),
]


def record_schema(plan: TablePlan) -> pa.Schema:
    """Schema of the files of records."""
    keys = [pa.field(column.target, rows.lake_type(column.source, nested=False)) for column in key_columns(plan)]
    return pa.schema([*keys, *_RECORD])


@dataclass(frozen=True)
class _Verdict:
    """A misfit and what becomes of each of its rows."""

    misfit: Misfit
    actions: tuple[str, ...]


@dataclass(frozen=True)
class Sorted:
    """A batch, sorted by what fits.

    Attributes:
        kept: the rows that are loaded, some of them mended.
        held: the rows with misfits as they were; None where all fit.
        quarantined: how many rows are in `held` alone.
    """

    kept: pa.RecordBatch
    held: pa.RecordBatch | None = None
    quarantined: int = 0
    _places: Integers = field(default_factory=lambda: NONE)
    _keys: tuple[pa.Array, ...] = ()
    _verdicts: tuple[_Verdict, ...] = ()

    def records(self, file: str, first: int, schema: pa.Schema) -> pa.RecordBatch:
        """A record of each misfit; `first` is the place that the first held row has in `file`."""
        return pa.concat_batches([self._recorded(one, file, first, schema) for one in self._verdicts])

    def _recorded(self, verdict: _Verdict, file: str, first: int, schema: pa.Schema) -> pa.RecordBatch:
        one, count = verdict.misfit, len(verdict.misfit.rows)
        places = np.searchsorted(self._places, one.rows)
        keys = [key.take(pa.array(places)) for key in self._keys]
        sizes = pa.nulls(count, pa.int64()) if one.sizes is None else pa.array(one.sizes, pa.int64())
        record = [
            _same(one.path, count),
            _same(one.reason, count),
            pa.array(verdict.actions, pa.string()),
            sizes,
            pa.nulls(count, pa.int64()) if one.limit is None else pa.array(np.full(count, one.limit), pa.int64()),
            _same(file, count),
            pa.array(places + first, pa.int64()),
        ]
        return pa.RecordBatch.from_arrays([*keys, *record], schema=schema)

    def counts(self) -> list[MisfitCount]:
        """How many rows each misfit has, by what becomes of them."""
        return [count for verdict in self._verdicts for count in _counts(verdict)]


def _same(text: str, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(text, pa.string()), count)


def _counts(verdict: _Verdict) -> list[MisfitCount]:
    one, actions = verdict.misfit, np.array(verdict.actions)
    found = []
    for action in sorted(set(verdict.actions)):
        chosen = actions == action
        largest = None if one.sizes is None else int(one.sizes[chosen].max())
        count = int(chosen.sum())
        found.append(
            MisfitCount(path=one.path, reason=one.reason, action=action, count=count, bytes=largest, limit=one.limit)
        )
    return found


def merged(counts: Iterable[MisfitCount]) -> tuple[MisfitCount, ...]:
    """Counts with those of the same column, reason and action added up, in the order of these."""
    found: dict[tuple[str, str, str], MisfitCount] = {}
    for one in counts:
        key = (one.path, one.reason, one.action)
        before = found.get(key)
        if before is None:
            found[key] = one
            continue
        largest = max((size for size in (before.bytes, one.bytes) if size is not None), default=None)
        found[key] = before.model_copy(update={"count": before.count + one.count, "bytes": largest})
    return tuple(found[key] for key in sorted(found))


class Sorter:
    """Sorts batches of one plan, in their lake form; to be made once for it."""

    def __init__(self, plan: TablePlan) -> None:
        self._plan, self._finder = plan, Finder(plan)
        self._remedies = [_remedy(plan, column) for column in plan.columns]

    def sort(self, batch: pa.RecordBatch) -> Sorted:
        """The batch as it is where all rows fit; its rows are neither copied nor looked at twice then."""
        found = self._finder.find(batch)
        left = np.zeros(batch.num_rows, np.bool_)
        mended = self._mended(batch, found, left) if found else batch
        large = too_large(mended)
        if large:
            found.append(large)
            left[large.rows] = True
        if not found:
            return Sorted(batch)
        places = np.unique(np.concatenate([one.rows for one in found]))
        return Sorted(
            kept=mended.filter(pa.array(~left)),
            held=batch.take(pa.array(places)),
            quarantined=int(left.sum()),
            _places=places,
            _keys=tuple(key.take(pa.array(places)) for key in self._keys(batch, found)),
            _verdicts=tuple(_Verdict(one, self._actions(one, left)) for one in found),
        )

    def _mended(self, batch: pa.RecordBatch, found: Sequence[Misfit], left: Flags) -> pa.RecordBatch:
        """The batch with what can be mended; rows where something cannot are marked in `left`."""
        columns = list(batch.columns)
        for one in found:
            remedy = self._remedies[one.column]
            if remedy == QUARANTINED:
                left[one.rows] = True
            elif remedy == TRUNCATED:
                columns[one.column] = _cut(columns[one.column], one.rows, one.limit or 0)
            else:
                columns[one.column] = _without(columns[one.column], one.rows)
        return pa.RecordBatch.from_arrays(columns, schema=batch.schema)

    def _actions(self, one: Misfit, left: Flags) -> tuple[str, ...]:
        """A row that is left out is so for all of its misfits."""
        remedy = self._remedies[one.column] if one.column >= 0 else QUARANTINED
        return tuple(QUARANTINED if gone else remedy for gone in left[one.rows].tolist())

    def _keys(self, batch: pa.RecordBatch, found: Sequence[Misfit]) -> Iterator[pa.Array]:
        """The key columns, without values that do not fit themselves."""
        for number, column in enumerate(self._plan.columns):
            if column.target in self._plan.quarantine_key:
                bad = [one.rows for one in found if one.column == number]
                values = batch.column(number)
                yield _without(values, np.concatenate(bad)) if bad else values


def _remedy(plan: TablePlan, column: ColumnPlan) -> str:
    """What a misfit of a column leads to. What names a row is never changed, and what must have a value never NULL."""
    if plan.misfits in (MisfitPolicy.FAIL, MisfitPolicy.QUARANTINE) or column.target in plan.quarantine_key:
        return QUARANTINED
    if plan.misfits is MisfitPolicy.TRUNCATE and column.source.kind is Kind.STRING:
        return TRUNCATED
    parts: Sequence[ColumnPlan | PartPlan] = (column, *column.parts)
    # Many columns of the source are in one that folds them: none of the others goes with the one that does not fit.
    required = bool(column.folds) or any(part.source.required or part.target in plan.not_null for part in parts)
    return QUARANTINED if required else NULLED


def _cut(array: pa.Array, places: Integers, limit: int) -> pa.Array:
    """Texts at some places without what is beyond `limit` bytes, and without the character that this would cut."""
    texts = [array[int(place)].as_py().encode()[:limit].decode(errors="ignore") for place in places]
    return pc.replace_with_mask(array, _mask(array, places), pa.array(texts, array.type))


def _without(array: pa.Array, places: Integers) -> pa.Array:
    """NULL at some places."""
    return pc.if_else(_mask(array, places), pa.scalar(None, array.type), array)


def _mask(array: pa.Array, places: Integers) -> pa.Array:
    mask = np.zeros(len(array), np.bool_)
    mask[places] = True
    return pa.array(mask)
