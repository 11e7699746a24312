"""What is compared of a table: each target column with its place in the lake, and the rows of child tables. Pure."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakeshift.lake import layout
from lakeshift.model import ChildPlan, Column, ColumnPlan, Handling, Kind, PartPlan, TablePlan
from lakeshift.plan.nested import ROW_KEY
from lakeshift.types.redshift import fits_decimal

_INTEGER = "INT64"
_NESTED = frozenset({Kind.STRUCT, Kind.ARRAY, Kind.RANGE})


@dataclass(frozen=True)
class Checked:
    """A column of a published table, or of a child table, that is compared.

    Attributes:
        name: in the target.
        source: its logical type, as the source has it; of a position or a parent's row fingerprint an INT64.
        target_type: as Redshift prints it, e.g. `VARCHAR(64)`.
        path: of the value by the source's names, for reports.
        lake: the column of the lake (of the child batch), then the fields of structs that lead to the value.
        handling: JSON_TEXT where the target holds JSON as text, otherwise SUPER, whatever the type.
        is_row_key: it ties a child to its parent by the parent's row fingerprint, an INT64 like any other; in the
            target stands a generated key, which is not compared itself.
        bounds: of the column that tells the bands of rows, where each band but the first begins; see `bands`.
    """

    name: str
    source: Column
    target_type: str
    path: str
    lake: tuple[str, ...]
    handling: Handling = Handling.SUPER
    is_row_key: bool = False
    bounds: tuple[int, ...] = ()

    @property
    def is_json(self) -> bool:
        """True for a value that is compared by its JSON: it is SUPER in the target, or JSON as text."""
        return self.source.kind in _NESTED or self.source.kind is Kind.JSON

    @property
    def is_json_in_super(self) -> bool:
        """True for JSON whose `null` is NULL in the target.

        JSON_SERIALIZE prints both alike: https://docs.aws.amazon.com/redshift/latest/dg/JSON_SERIALIZE.html
        """
        return self.source.kind is Kind.JSON and self.handling is not Handling.JSON_TEXT

    @property
    def is_exact_text(self) -> bool:
        """True for a DECIMAL that travels as text, since its digits fit no DECIMAL of Redshift."""
        return self.source.kind is Kind.DECIMAL and not fits_decimal(self.source)


def checked(plan: TablePlan) -> tuple[Checked, ...]:
    """The compared columns of a published table, in its order; `__ls_row`, which is generated, is none of them."""
    return tuple(one for column in plan.columns for one in _of_column(column))


def checked_child(plan: TablePlan, child: ChildPlan) -> tuple[Checked, ...]:
    """The compared columns of a child table, in its order: the parent's key, the positions, the element's parts.

    A child that is tied to its parent by `__ls_row` has a column of that name first, see `Checked.is_row_key`.
    """
    parents = {one.name: one for one in checked(plan)}
    keys = [_of_key(key, name, parents) for key, name in child.key]
    places = [_number(name, f"{child.path}[]") for name in child.positions]
    return (*keys, *places, *(_of_part(part, (part.target,)) for part in child.parts))


def _of_key(key: str, name: str, parents: dict[str, Checked]) -> Checked:
    if key == ROW_KEY:
        return replace(_number(name, name), is_row_key=True)
    parent = parents[key]
    return Checked(name, parent.source, parent.target_type, parent.path, (name,), parent.handling)


def _number(name: str, path: str) -> Checked:
    source = Column(name=name, kind=Kind.INT64, source_type=_INTEGER, required=True)
    return Checked(name, source, "BIGINT", path, (name,))


def _of_column(column: ColumnPlan) -> Iterator[Checked]:
    if not column.divided:
        made = column.handling if column.handling is Handling.JSON_TEXT else Handling.SUPER
        yield Checked(column.target, column.source, column.target_type, column.source.name, (column.target,), made)
        return
    ways = {path: way[0] for path, way in _ways(column) if len(way) == 1}
    yield from (_of_part(part, ways[part.path]) for part in column.parts)


def _of_part(part: PartPlan, lake: tuple[str, ...]) -> Checked:
    as_text = part.source.kind in _NESTED and part.target_type.startswith("VARCHAR")
    made = Handling.JSON_TEXT if as_text else Handling.SUPER
    return Checked(part.target, part.source, part.target_type, part.path, lake, made)


# The way to a value: names of fields, in as many groups as there are lists on the way, and one more.
_Way = tuple[tuple[str, ...], ...]


def _ways(column: ColumnPlan) -> Iterator[tuple[str, _Way]]:
    """Everything inside a column: its path by the source's names, and the way to it in the lake."""
    for name, source, lake, way in column.taken:
        yield from _inside(source, lake, name, (way,))


def _inside(source: Column, lake: Column, path: str, way: _Way) -> Iterator[tuple[str, _Way]]:
    yield path, way
    if source.kind is Kind.ARRAY:
        yield from _inside(source.fields[0], lake.fields[0], path, (*way, ()))
    elif source.kind is Kind.STRUCT:
        for mine, theirs in zip(source.fields, lake.fields, strict=True):
            yield from _inside(mine, theirs, f"{path}.{mine.name}", (*way[:-1], (*way[-1], theirs.name)))


def value(batch: pa.RecordBatch, one: Checked) -> pa.Array:
    """The lake's value of a target column, in each row; BYTES that stand as base64 inside nested columns are decoded.

    The null of JSON is NULL where the target holds JSON in SUPER.

    Args:
        batch: of the lake, or of a child table.
    """
    found = _field(batch.column(one.lake[0]), one.lake[1:])
    if one.is_json_in_super:
        return _without_null(layout.plain(found))
    return _decoded(found) if one.source.kind is Kind.BYTES and len(one.lake) > 1 else found


def _field(array: pa.Array, names: Sequence[str]) -> pa.Array:
    """A field inside structs; NULL where a struct on the way is."""
    for name in names:
        array = pc.struct_field(array, array.type.get_field_index(name))
    return array


def _without_null(texts: pa.Array) -> pa.Array:
    """JSON texts, NULL for `null`."""
    null = pc.equal(pc.ascii_trim_whitespace(texts), pa.scalar("null", texts.type))
    return pc.if_else(null, pa.scalar(None, texts.type), texts) if pc.any(null).as_py() else texts


def _decoded(array: pa.Array) -> pa.Array:
    return pa.array([None if one is None else base64.b64decode(one) for one in array.to_pylist()], pa.binary())


def child_batch(
    batch: pa.RecordBatch, plan: TablePlan, child: ChildPlan, rows: layout.Integers | None = None
) -> pa.RecordBatch:
    """The rows of a child table that a batch of the lake makes: `checked_child`'s columns in their order.

    Args:
        rows: the row fingerprints of the batch, which take the place of a generated key; unused for a declared one.
    """
    source, positions, elements = _exploded(batch.to_struct_array(), _way_to(plan, child))
    columns = checked_child(plan, child)
    places = dict(zip(child.positions, positions, strict=True))
    keys = {name: _key(batch, key, rows) for key, name in child.key}
    inside = _ways_in_element(plan, child)

    def made(one: Checked) -> pa.Array:
        if one.name in keys:
            return keys[one.name].take(pa.array(source))
        if one.name in places:
            return pa.array(places[one.name])
        found = _field(elements, inside[one.path])
        return _decoded(found) if one.source.kind is Kind.BYTES else found

    return pa.RecordBatch.from_arrays([made(one) for one in columns], [one.name for one in columns])


def _key(batch: pa.RecordBatch, key: str, rows: layout.Integers | None) -> pa.Array:
    if key != ROW_KEY:
        return batch.column(key)
    if rows is None:
        raise ValueError("a child with a generated key needs the row fingerprints of its parents")
    return pa.array(rows)


def _way_to(plan: TablePlan, child: ChildPlan) -> _Way:
    """The way from a row of the lake to the child's elements."""
    (way,) = {way for path, way in _all_ways(plan) if path == child.path and len(way) == len(child.steps) + 1}
    return way


def _ways_in_element(plan: TablePlan, child: ChildPlan) -> dict[str, tuple[str, ...]]:
    """Ways from an element of the child's array to its parts, by the parts' paths."""
    return {path: way[-1] for path, way in _all_ways(plan) if len(way) == len(child.steps) + 1}


def _all_ways(plan: TablePlan) -> Iterator[tuple[str, _Way]]:
    """Everything in a row that comes apart; the row itself has no path, and no way leads to it."""
    yield "", ((),)
    for column in plan.columns:
        if column.divided:
            yield from _ways(column)


def _exploded(array: pa.Array, way: _Way) -> tuple[layout.Integers, list[layout.Integers], pa.Array]:
    """The row, the positions (outermost first) and the value of each element that the way leads to.

    Args:
        array: the rows.
    """
    rows = np.arange(len(array))
    positions: list[layout.Integers] = []
    for names in way[:-1]:
        bounds, elements = layout.elements(_field(array, names))
        lengths = np.diff(bounds)
        above = np.repeat(np.arange(len(lengths)), lengths)
        positions = [*(one[above] for one in positions), np.arange(len(elements)) - bounds[above]]
        rows, array = rows[above], elements
    return rows, positions, array
