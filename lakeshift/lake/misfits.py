"""Values that Redshift cannot hold, found in batches of the lake's form before COPY refuses all rows for one of them.

COPY from Parquet is all or nothing: https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html
Limits: https://docs.aws.amazon.com/redshift/latest/dg/limitations-super.html and
https://docs.aws.amazon.com/redshift/latest/dg/r_COPY.html. What has no misfit costs one look at the lengths of texts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakeshift.lake import layout
from lakeshift.lake.layout import Integers
from lakeshift.lake.rows import lake_type
from lakeshift.lake.sizes import Sizes, row_bytes
from lakeshift.model import Column, ColumnPlan, Handling, Kind, PartPlan, TablePlan
from lakeshift.types.redshift import MAX_ROW_BYTES, MAX_SUPER_BYTES, MAX_VARCHAR_BYTES

TOO_LONG = "too_long"
STRING_TOO_LONG = "string_too_long"
VALUE_TOO_LARGE = "value_too_large"
JSON_TOO_LONG = "json_too_long"
NOT_FINITE = "not_finite"
ROW_TOO_LARGE = "row_too_large"
REASONS = {
    TOO_LONG: "a text or binary value of more bytes than its column",
    STRING_TOO_LONG: "a text inside a nested value of more bytes than SUPER allows",
    VALUE_TOO_LARGE: "a nested value whose JSON has more bytes than SUPER allows",
    JSON_TOO_LONG: "a nested value whose JSON text has more bytes than its column",
    NOT_FINITE: "NaN or infinity inside a nested value: SUPER follows JSON, which has neither",
    ROW_TOO_LARGE: "a row of more bytes than COPY takes",
}
"""What each code in the column `__ls_reason` of a quarantine table means."""
_WIDTH = re.compile(r"(?:VARCHAR|VARBYTE)\((\d+)\)")
# Most bytes of a character in JSON (a control character, \u0000), and of a value that is no text: see `_most_json`.
_ESCAPED, _SCALAR = 6, 48


@dataclass(frozen=True)
class Misfit:
    """The values of one column or leaf of a batch that do not fit for one reason.

    Attributes:
        column: place of the column in the batch; -1 for rows as a whole.
        path: as in statistics, e.g. `items[].note`; "" for rows as a whole.
        rows: places of the rows, ascending, each once.
        sizes: bytes of the largest such value in each row; None where not the size is the reason.
    """

    column: int
    path: str
    reason: str
    rows: Integers
    sizes: Integers | None = None
    limit: int | None = None


_Found: TypeAlias = "Iterator[tuple[str, str, Integers, Integers | None, int | None]]"
_Check = Callable[[pa.Array], _Found]


class Finder:
    """Finds misfits in batches of one plan; to be made once for it."""

    def __init__(self, plan: TablePlan) -> None:
        found = [(number, check_of(column, plan)) for number, column in enumerate(plan.columns)]
        self._checks = [(number, check) for number, check in found if check]

    def find(self, batch: pa.RecordBatch) -> list[Misfit]:
        """All misfits of single values, by column."""
        return [Misfit(number, *found) for number, check in self._checks for found in check(batch.column(number))]


def too_large(batch: pa.RecordBatch) -> Misfit | None:
    """The rows of a batch that have more bytes than one row may, as `row_bytes` counts them."""
    # Whole buffers are no less than what a row has, and of most batches that is all one needs to know.
    if batch.get_total_buffer_size() * 8 <= MAX_ROW_BYTES or _most(batch) <= MAX_ROW_BYTES:
        return None
    sizes = row_bytes(batch)
    rows = np.flatnonzero(sizes > MAX_ROW_BYTES)
    return Misfit(-1, "", ROW_TOO_LARGE, rows, sizes[rows], MAX_ROW_BYTES) if len(rows) else None


def _most(batch: pa.RecordBatch) -> int:
    """Bytes that no row has more of: those of the longest value of each column."""
    total = 0
    for column in batch.columns:
        if layout.is_text(column.type):
            total += _longest(column) + 4
        else:
            total += column.type.bit_width // 8 + 1 if not pa.types.is_nested(column.type) else column.nbytes * 8
    return total


def _longest(array: pa.Array) -> int:
    return pc.max(pc.binary_length(array)).as_py() or 0


def check_of(column: ColumnPlan, plan: TablePlan) -> _Check | None:
    """What finds the misfits of a column; None for one whose type holds all values."""
    kind = lake_type(column.lake or column.source, nested=False)
    if pa.types.is_nested(kind):
        return _nested_check(column, plan)
    if not layout.is_text(kind):
        return None
    limit = min(filter(None, (_width(column.landing_type), plan.widths.get(column.target))), default=None)
    return _text_check(column.target, limit) if limit else None


def _width(name: str) -> int | None:
    found = _WIDTH.fullmatch(name)
    return int(found[1]) if found else None


def _bytes_of(made: ColumnPlan | PartPlan, plan: TablePlan) -> int:
    """Bytes that a text column of the target holds."""
    return min(_width(made.target_type) or MAX_VARCHAR_BYTES, plan.widths.get(made.target, MAX_VARCHAR_BYTES))


def _text_check(path: str, limit: int) -> _Check:
    def check(array: pa.Array) -> _Found:
        places, sizes = _too_long(array, limit)
        if len(places):
            yield path, TOO_LONG, places, sizes, limit

    return check


NONE: Integers = np.empty(0, np.int64)


def _too_long(array: pa.Array, limit: int) -> tuple[Integers, Integers]:
    lengths = pc.binary_length(array)
    longest = pc.max(lengths).as_py()
    if longest is None or longest <= limit:
        return NONE, NONE
    sizes = lengths.fill_null(0).to_numpy().astype(np.int64)
    places = np.flatnonzero(sizes > limit)
    return places, sizes[places]


@dataclass(frozen=True)
class _Nested:
    """A nested column: what holds of the value as a whole, and what of parts of it that become columns.

    Attributes:
        texts: bytes of a text, by the path of its leaf, where fewer than SUPER allows.
        jsons: bytes of the JSON text of a value, by its path.
    """

    texts: Mapping[str, int]
    jsons: Mapping[str, int]

    def walk(self, array: pa.Array, path: str, lists: tuple[Integers, ...] = ()) -> _Found:
        """Misfits of a value and of all that is inside; `lists` are the bounds of the lists that lead to it."""
        array = layout.plain(array)
        if path in self.jsons:
            yield from _placed(path, JSON_TOO_LONG, *_too_large(array, self.jsons[path]), lists, self.jsons[path])
        if pa.types.is_struct(array.type):
            for child, field in zip(array.flatten(), array.type, strict=True):
                yield from self.walk(child, f"{path}.{field.name}", lists)
        elif layout.is_list(array.type):
            bounds, values = layout.elements(array)
            yield from self.walk(values, f"{path}[]", (*lists, bounds))
        elif layout.is_text(array.type):
            limit = min(self.texts.get(path, MAX_VARCHAR_BYTES), MAX_VARCHAR_BYTES)
            yield from _placed(path, STRING_TOO_LONG, *_too_long(array, limit), lists, limit)
        elif pa.types.is_floating(array.type):
            yield from _placed(path, NOT_FINITE, _not_finite(array), None, lists, None)


def _nested_check(column: ColumnPlan, plan: TablePlan) -> _Check:
    jsons, texts = _limits_of_parts(column, plan)
    if column.handling is Handling.JSON_TEXT and not column.divided:
        jsons[column.target] = min(
            _width(column.target_type) or MAX_VARCHAR_BYTES, plan.widths.get(column.target, MAX_VARCHAR_BYTES)
        )
    nested = _Nested(texts, jsons)

    def check(array: pa.Array) -> _Found:
        yield from nested.walk(array, column.target)
        places, sizes = _too_large(array, MAX_SUPER_BYTES)
        yield from _placed(column.target, VALUE_TOO_LARGE, places, sizes, (), MAX_SUPER_BYTES)

    return check


def _limits_of_parts(column: ColumnPlan, plan: TablePlan) -> tuple[dict[str, int], dict[str, int]]:
    """Limits of the parts of a column that become columns themselves: of their JSON text, and of texts."""
    jsons, texts = {}, {}
    for path, part in _parts(column, plan):
        width = _bytes_of(part, plan)
        if part.source.kind in (Kind.STRUCT, Kind.ARRAY, Kind.RANGE) and part.target_type.startswith("VARCHAR"):
            jsons[path] = width
        elif part.source.kind is Kind.STRING and width < MAX_VARCHAR_BYTES:
            texts[path] = width
    return jsons, texts


def _parts(column: ColumnPlan, plan: TablePlan) -> Iterator[tuple[str, PartPlan]]:
    """Parts of a column with their paths in the lake."""
    if column.lake is None:
        return
    paths = [one for name, source, lake, way in column.taken for one in _paths(source, lake, name, ".".join(way))]
    by_name = dict(reversed(paths))
    yield from ((by_name[part.path], part) for part in column.parts if part.path in by_name)
    # An element has the path of its array, and comes after it.
    elements = dict(paths)
    yield from ((elements[part.path], part) for child in plan.children for part in child.parts if part.path in elements)


def _paths(source: Column, lake: Column, name: str, path: str) -> Iterator[tuple[str, str]]:
    yield name, path
    for mine, theirs in zip(source.fields, lake.fields, strict=True):
        if source.kind is Kind.ARRAY:
            yield from _paths(mine, theirs, name, f"{path}[]")
        else:
            yield from _paths(mine, theirs, f"{name}.{mine.name}", f"{path}.{theirs.name}")


def _placed(
    path: str, reason: str, places: Integers, sizes: Integers | None, lists: Sequence[Integers], limit: int | None
) -> _Found:
    """Values as rows: the place of an element becomes that of the list that holds it, outermost last."""
    if not len(places):
        return
    for bounds in reversed(lists):
        places = np.searchsorted(bounds, places, side="right") - 1
    rows, first = np.unique(places, return_index=True)
    largest = None if sizes is None else np.maximum.reduceat(sizes, first)
    yield path, reason, rows, largest, limit


def _not_finite(array: pa.Array) -> Integers:
    values = layout.fixed(array, np.float64 if array.type.bit_width == 64 else np.float32)
    odd = ~np.isfinite(values)
    if odd.any() and array.null_count:
        odd &= ~np.asarray(layout.nulls(array))
    return np.flatnonzero(odd)


def _too_large(array: pa.Array, limit: int) -> tuple[Integers, Integers]:
    """Values whose JSON text has more bytes than `limit`, and how many. Only large ones are really written."""
    if _all_json(array) <= limit:
        return NONE, NONE
    candidates = np.flatnonzero(np.broadcast_to(_most_json(array), len(array)) > limit)
    exact = np.fromiter((_json_bytes(array[int(place)].as_py()) for place in candidates), np.int64, len(candidates))
    return candidates[exact > limit], exact[exact > limit]


def _json_bytes(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str).encode())


def _all_json(array: pa.Array) -> int:
    """Bytes that the JSON text of all values together does not exceed, without a look at each."""
    array = layout.plain(array)
    each = (_SCALAR + _names(array.type)) * len(array)
    if pa.types.is_struct(array.type):
        return each + sum(_all_json(child) for child in array.flatten())
    if layout.is_list(array.type):
        _, values = layout.elements(array)
        return each + len(values) + _all_json(values)
    if layout.is_text(array.type):
        bounds = layout.offsets(array)
        return each + int(bounds[-1] - bounds[0]) * _ESCAPED
    return each


def _names(kind: pa.DataType) -> int:
    """Bytes of the names of an object, with the marks around them."""
    return sum(len(json.dumps(field.name)) + 2 for field in kind) if pa.types.is_struct(kind) else 0


def _most_json(array: pa.Array) -> Sizes | int:
    """Bytes that the JSON text of each value does not exceed."""
    array = layout.plain(array)
    if pa.types.is_struct(array.type):
        return sum((_most_json(child) for child in array.flatten()), _SCALAR + _names(array.type))
    if layout.is_list(array.type):
        return _most_json_of_lists(array)
    if layout.is_text(array.type):
        sizes: Sizes = pc.binary_length(array).fill_null(0).to_numpy().astype(np.int64)
        return sizes * _ESCAPED + _SCALAR
    return _SCALAR


def _most_json_of_lists(array: pa.Array) -> Sizes | int:
    bounds, values = layout.elements(array)
    total = np.zeros(len(values) + 1, np.int64)
    np.cumsum(np.broadcast_to(_most_json(values), len(values)) + 1, out=total[1:])
    return total[bounds[1:]] - total[bounds[:-1]] + _SCALAR
