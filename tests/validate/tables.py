"""Small tables of all logical types, drawn by hypothesis: columns, rows, and other framings of the same rows."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from lakeshift.lake.rows import lake_type
from lakeshift.model import Column, Kind
from lakeshift.types.redshift import type_of
from lakeshift.validate.canonical import column_fingerprints, row_fingerprints
from lakeshift.validate.columns import Checked
from lakeshift.validate.sums import Sums

Values = st.SearchStrategy[Any]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(["", " ", "a", "a ", "é", "\0"])
_DAYS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))  # noqa: DTZ001
_WORDS = st.text("abc", max_size=3)
_DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3),
    max_leaves=4,
)
_CLOCK = "%H:%M:%S.%f"


def column(kind: Kind, *fields: Column, name: str = "v", **more: Any) -> Column:
    return Column(name=name, kind=kind, source_type=kind.value.upper(), fields=fields, **more)


@dataclass(frozen=True)
class Typed:
    """A column and the values that it can have in the lake.

    Attributes:
        nested: those that it has inside another one, where these are others.
    """

    column: Column
    values: Values
    nested: Values | None = None


LEAVES = [
    Typed(column(Kind.BOOLEAN), st.booleans()),
    Typed(column(Kind.INT64), st.integers(-(2**63), 2**63 - 1) | st.integers(0, 2)),
    Typed(column(Kind.FLOAT64), st.floats(), st.floats(allow_nan=False, allow_infinity=False)),
    Typed(column(Kind.STRING), TEXTS),
    Typed(
        column(Kind.BYTES), st.binary(max_size=6), st.binary(max_size=6).map(lambda one: base64.b64encode(one).decode())
    ),
    Typed(
        column(Kind.DECIMAL, precision=38, scale=9),
        st.integers(-(10**38) + 1, 10**38 - 1).map(lambda one: Decimal(f"{one}E-9")),
    ),
    Typed(column(Kind.DATE), _DAYS.map(datetime.date)),
    Typed(column(Kind.TIME), _DAYS.map(lambda one: one.strftime(_CLOCK))),
    Typed(column(Kind.DATETIME), _DAYS),
    Typed(column(Kind.TIMESTAMP), _DAYS.map(lambda one: one.replace(tzinfo=UTC))),
    Typed(column(Kind.JSON), _DOCUMENTS.map(json.dumps)),
    Typed(
        column(Kind.GEOGRAPHY),
        st.tuples(st.integers(-9, 9), st.integers(-9, 9)).map(lambda at: f"POINT({at[0]} {at[1]})"),
    ),
]


def _array(inside: Typed) -> Typed:
    return Typed(column(Kind.ARRAY, inside.column), st.lists(_nested(inside), max_size=3))


def _struct(parts: Sequence[Typed]) -> Typed:
    fields = [part.column.model_copy(update={"name": f"f{number}"}) for number, part in enumerate(parts)]
    values = {field.name: _nested(part) for field, part in zip(fields, parts, strict=True)}
    return Typed(column(Kind.STRUCT, *fields), st.fixed_dictionaries(values))


def _nested(part: Typed) -> Values:
    return st.none() | (part.values if part.nested is None else part.nested)


TYPED: st.SearchStrategy[Typed] = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: inner.map(_array) | st.lists(inner, min_size=1, max_size=3).map(_struct),
    max_leaves=4,
)


@dataclass(frozen=True)
class Table:
    """Columns and rows, each value as the lake holds it; the first column is a key."""

    columns: tuple[Checked, ...]
    rows: tuple[tuple[Any, ...], ...]
    values: tuple[Values, ...]

    def batch(self) -> pa.RecordBatch:
        """The rows as one batch of the lake."""
        kinds = [lake_type(one.source, nested=False) for one in self.columns]
        arrays = [pa.array([row[place] for row in self.rows], kind) for place, kind in enumerate(kinds)]
        return pa.RecordBatch.from_arrays(arrays, names=[one.name for one in self.columns])

    def batches(self, size: int = 4) -> list[pa.RecordBatch]:
        """The rows as batches of some rows each."""
        whole = self.batch()
        return [whole.slice(start, size) for start in range(0, whole.num_rows, size)]

    def sums(self, segments: int) -> Sums:
        """The table's sums."""
        prints = column_fingerprints(self.batch(), self.columns)
        return Sums.of(row_fingerprints(prints), prints, segments)

    def prints(self) -> list[int]:
        """The rows' fingerprints."""
        found: np.ndarray[Any, Any] = row_fingerprints(column_fingerprints(self.batch(), self.columns))
        return [int(one) for one in found]

    def with_rows(self, rows: Sequence[tuple[Any, ...]]) -> Table:
        return replace(self, rows=tuple(rows))


def of(typed: Sequence[Typed], rows: Sequence[tuple[Any, ...]] = ()) -> Table:
    """A table of columns `c0`, `c1`, ..."""
    sources = [one.column.model_copy(update={"name": f"c{number}"}) for number, one in enumerate(typed)]
    columns = tuple(Checked(one.name, one, type_of(one).target, one.name, (one.name,)) for one in sources)
    return Table(columns, tuple(rows), tuple(st.none() | one.values for one in typed))


@st.composite
def tables(draw: st.DrawFn, *, min_rows: int = 0, max_rows: int = 6, keyed: bool = True) -> Table:
    """A table; keyed: its first column has another number in each row, else rows may be equal."""
    typed = [Typed(column(Kind.INT64), st.nothing()), *draw(st.lists(TYPED, min_size=1, max_size=4))]
    found = of(typed if keyed else typed[1:])
    count = draw(st.integers(min_rows, max_rows))
    drawn = found.values[1:] if keyed else found.values
    rows = [tuple(draw(values) for values in drawn) for _ in range(count)]
    if not keyed:
        return found.with_rows(rows + draw(st.lists(st.sampled_from(rows), max_size=3) if rows else st.just([])))
    return found.with_rows([(number, *row) for number, row in enumerate(rows)])
