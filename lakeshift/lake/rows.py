"""From the source's Arrow batches to the lake's: names, physical types, and forms that Parquet and COPY can carry.

Nothing is rounded: every conversion is exact or raises.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakeshift.errors import SplitMismatch, ValueUnsupported
from lakeshift.lake import layout
from lakeshift.model import Column, ColumnPlan, Kind
from lakeshift.types.redshift import fits_decimal

_ARROW: dict[Kind, pa.DataType] = {
    Kind.BOOLEAN: pa.bool_(),
    Kind.INT16: pa.int16(),
    Kind.INT32: pa.int32(),
    Kind.INT64: pa.int64(),
    Kind.FLOAT32: pa.float32(),
    Kind.FLOAT64: pa.float64(),
    Kind.STRING: pa.string(),
    Kind.BYTES: pa.binary(),
    Kind.DATE: pa.date32(),
    Kind.TIME: pa.string(),
    Kind.TIME_ZONED: pa.string(),
    Kind.DATETIME: pa.timestamp("us"),
    Kind.TIMESTAMP: pa.timestamp("us", "UTC"),
    Kind.INTERVAL: pa.string(),
    Kind.JSON: pa.string(),
    Kind.GEOGRAPHY: pa.string(),
    Kind.GEOMETRY: pa.string(),
}
# Arrow's month_day_nano_interval.
_INTERVAL = np.dtype([("months", "<i4"), ("days", "<i4"), ("nanoseconds", "<i8")])


def schema(columns: Sequence[ColumnPlan]) -> pa.Schema:
    """Arrow schema of the lake files: target names, in the order of the plan."""
    return pa.schema([pa.field(plan.target, lake_type(plan.lake or plan.source, nested=False)) for plan in columns])


def lake_type(column: Column, *, nested: bool) -> pa.DataType:
    """Arrow type of a column in the lake. Inside a nested column only forms that JSON can hold are used."""
    if column.kind is Kind.ARRAY:
        return pa.list_(pa.field("element", lake_type(column.fields[0], nested=True)))
    if column.kind is Kind.STRUCT:
        return pa.struct([pa.field(child.name, lake_type(child, nested=True)) for child in column.fields])
    if column.kind is Kind.RANGE:
        bound = lake_type(column.fields[0], nested=True)
        return pa.struct([pa.field("start", bound), pa.field("end", bound)])
    if column.kind is Kind.DECIMAL:
        return _decimal_type(column)
    return pa.string() if nested and column.kind is Kind.BYTES else _ARROW[column.kind]


def _decimal_type(column: Column) -> pa.DataType:
    return pa.decimal128(column.precision, column.scale or 0) if fits_decimal(column) else pa.string()


Convert = Callable[[pa.RecordBatch], pa.RecordBatch]
_Step = Callable[[pa.Array], pa.Array]


def converter(
    columns: Sequence[ColumnPlan], constants: Mapping[str, str] | None = None, missing: Collection[str] = ()
) -> Convert:
    """A function that makes of a batch as the source delivers it one as the lake stores it; to be made once per plan.

    Columns that need no change are passed on as they are. What the plan does not hold is not touched. A column of
    `missing` (an older shard of a family lacks it) is NULL, an ARRAY empty; one of `constants` has that text. Names are
    compared without regard to case, as BigQuery does: https://cloud.google.com/bigquery/docs/schemas#column_names

    Raises:
        ValueUnsupported: by the function, for a value that the lake cannot hold exactly; names the column.
        SplitMismatch: by the function, for a planned column that the source did not deliver.
    """
    fixed = constants or {}
    absent = {name.casefold() for name in missing}
    target = schema(columns)
    steps = [_steps(plan) for plan in columns]

    def one(batch: pa.RecordBatch, places: Mapping[str, int], name: str, step: _Step, kind: pa.DataType) -> pa.Array:
        place = places.get(name.casefold())
        if place is not None:
            return step(batch.column(place))
        if name in fixed:
            return pa.repeat(pa.scalar(fixed[name], kind), batch.num_rows)
        if name.casefold() not in absent:
            raise SplitMismatch("the source did not deliver a planned column", where=name)
        return _absent(batch.num_rows, kind)

    def made(batch: pa.RecordBatch, places: Mapping[str, int], number: int) -> pa.Array:
        kind = target.field(number).type
        if not columns[number].folds:
            return one(batch, places, *steps[number][0], kind)
        fields = list(kind)
        children = [one(batch, places, *step, field.type) for step, field in zip(steps[number], fields, strict=True)]
        return pa.StructArray.from_arrays(children, fields=fields)

    def converted(batch: pa.RecordBatch) -> pa.RecordBatch:
        places = {name.casefold(): place for place, name in enumerate(batch.schema.names)}
        arrays = [made(batch, places, number) for number in range(len(steps))]
        return pa.RecordBatch.from_arrays(arrays, schema=target)

    return converted


def _absent(rows: int, kind: pa.DataType) -> pa.Array:
    """What a column holds that a table does not have. No ARRAY is NULL in BigQuery:
    https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#array_nulls
    """
    if not layout.is_list(kind):
        return pa.nulls(rows, kind)
    return pa.ListArray.from_arrays(pa.array(np.zeros(rows + 1, np.int32)), pa.nulls(0, kind.value_type), type=kind)


def convert(batch: pa.RecordBatch, columns: Sequence[ColumnPlan]) -> pa.RecordBatch:
    """A batch as the source delivers it, as the lake stores it. Raises ValueUnsupported with the column's name."""
    return converter(columns)(batch)


def _steps(plan: ColumnPlan) -> list[tuple[str, _Step]]:
    """The source's column that a plan reads, or those that it folds, each with its conversion."""
    return [(name, _step(form, name, nested=bool(plan.folds))) for name, _, form, _ in plan.taken]


def _step(column: Column, name: str, *, nested: bool) -> _Step:
    """The conversion of one column. Whether it has anything to do is decided once for each type that arrives."""
    target = lake_type(column, nested=nested)
    same: dict[pa.DataType, bool] = {}

    def step(array: pa.Array) -> pa.Array:
        if array.type not in same:
            same[array.type] = _same_buffers(array.type, target)
        if same[array.type]:
            return array if array.type == target else array.view(target)
        try:
            return _value(array, column, name, nested=nested)
        except pa.ArrowInvalid:
            # Arrow's own text quotes the value, which belongs in no log.
            what = f"a value of type {array.type} does not fit the lake's {target}"
            raise ValueUnsupported(what, where=name) from None

    return step


def _same_buffers(kind: pa.DataType, target: pa.DataType) -> bool:
    """Whether two types differ in the names of their parts at most."""
    if pa.types.is_list(kind) and pa.types.is_list(target):
        return _same_buffers(kind.value_type, target.value_type)
    if pa.types.is_struct(kind) and pa.types.is_struct(target):
        return kind.num_fields == target.num_fields and all(
            _same_buffers(mine.type, theirs.type) for mine, theirs in zip(kind, target, strict=True)
        )
    return bool(kind == target)


def _value(array: pa.Array, column: Column, path: str, *, nested: bool) -> pa.Array:
    if column.kind is Kind.ARRAY:
        return _list(array, column, path)
    if column.kind is Kind.STRUCT:
        return _struct(array, column.fields, [child.name for child in column.fields], path)
    if column.kind is Kind.RANGE:
        return _struct(array, (column.fields[0],) * 2, ["start", "end"], path)
    text = _text_form(column, nested=nested)
    return text(array) if text else array.cast(lake_type(column, nested=nested))


def _list(array: pa.Array, column: Column, path: str) -> pa.Array:
    # What slices and NULL lists hide is left out, so the offsets are counted anew.
    bounds, elements = layout.elements(array)
    values = _value(elements, column.fields[0], f"{path}[]", nested=True)
    offsets = pa.array(bounds.astype(np.int32))
    mask = array.is_null() if array.null_count else None
    return pa.ListArray.from_arrays(offsets, values, type=lake_type(column, nested=True), mask=mask)


def _struct(array: pa.Array, fields: Sequence[Column], names: Sequence[str], path: str) -> pa.Array:
    children = [
        _value(child, field, f"{path}.{name}", nested=True)
        for child, field, name in zip(array.flatten(), fields, names, strict=True)
    ]
    types = [pa.field(name, child.type) for name, child in zip(names, children, strict=True)]
    mask = array.is_null() if array.null_count else None
    return pa.StructArray.from_arrays(children, fields=types, mask=mask)


def _text_form(column: Column, *, nested: bool) -> _Step | None:
    if column.kind is Kind.TIME:
        return lambda array: array.cast(pa.string())
    if column.kind is Kind.INTERVAL:
        return _interval_texts
    if column.kind is Kind.BYTES and nested:
        return _base64_texts
    if column.kind is Kind.DECIMAL and not fits_decimal(column):
        return _decimal_texts
    return None


def _base64_texts(array: pa.Array) -> pa.Array:
    texts = [None if value is None else base64.b64encode(value) for value in array.to_pylist()]
    # Base64 is ASCII, so the bytes are the text.
    return pa.array(texts, pa.binary()).view(pa.string())


def _interval_texts(array: pa.Array) -> pa.Array:
    parts = layout.fixed(array, _INTERVAL).tolist()
    absent = layout.nulls(array)
    return pa.array([interval_text(part) for part in parts], pa.string(), mask=absent)


def _decimal_texts(array: pa.Array) -> pa.Array:
    """`decimal_text` of every value; Arrow's own text is cut where it is plain, and made anew where it has a power."""
    texts = array.cast(pa.string())
    power = pc.match_substring(texts, "E")
    if array.type.scale > 0:
        texts = pc.utf8_rtrim(pc.utf8_rtrim(texts, "0"), ".")
    if pc.any(power).as_py():
        anew = [decimal_text(value) for value in array.filter(power).to_pylist()]
        texts = pc.replace_with_mask(texts, power, pa.array(anew, pa.string()))
    return texts


def decimal_text(value: object) -> str:
    """A decimal in plain notation without trailing zeros, as BigQuery prints it."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def interval_text(value: tuple[int, int, int]) -> str:
    """An interval in BigQuery's canonical form `Y-M D H:M:S[.F]`, exact to the microsecond."""
    months, days, nanoseconds = value
    sign, months = ("-" if months < 0 else ""), abs(months)
    clock, total = ("-" if nanoseconds < 0 else ""), abs(nanoseconds) // 1000
    seconds, micros = divmod(total, 1_000_000)
    fraction = f".{micros:06d}".rstrip("0") if micros else ""
    hours, rest = divmod(seconds, 3600)
    return f"{sign}{months // 12}-{months % 12} {days} {clock}{hours}:{rest // 60}:{rest % 60}{fraction}"
