"""From the source's Arrow batches to the lake's: names, physical types, and forms that Parquet and COPY can carry.

Nothing is rounded: every conversion is exact or raises.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from lakeshift.errors import ValueUnsupported
from lakeshift.model import Column, ColumnPlan, Kind
from lakeshift.types.redshift import MAX_DECIMAL_DIGITS

_ARROW: dict[Kind, pa.DataType] = {
    Kind.BOOLEAN: pa.bool_(),
    Kind.INT64: pa.int64(),
    Kind.FLOAT64: pa.float64(),
    Kind.STRING: pa.string(),
    Kind.BYTES: pa.binary(),
    Kind.DATE: pa.date32(),
    Kind.TIME: pa.string(),
    Kind.DATETIME: pa.timestamp("us"),
    Kind.TIMESTAMP: pa.timestamp("us", "UTC"),
    Kind.INTERVAL: pa.string(),
    Kind.JSON: pa.string(),
    Kind.GEOGRAPHY: pa.string(),
}


def schema(columns: Sequence[ColumnPlan]) -> pa.Schema:
    """Arrow schema of the lake files: target names, in the order of the plan."""
    return pa.schema([pa.field(plan.target, lake_type(plan.source, nested=False)) for plan in columns])


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
    precision = column.precision or MAX_DECIMAL_DIGITS
    return pa.decimal128(precision, column.scale or 0) if precision <= MAX_DECIMAL_DIGITS else pa.string()


def convert(batch: pa.RecordBatch, columns: Sequence[ColumnPlan]) -> pa.RecordBatch:
    """A batch as the source delivers it, as the lake stores it. Raises ValueUnsupported with the column's name."""
    arrays = [_column(batch.column(plan.source.name), plan) for plan in columns]
    return pa.RecordBatch.from_arrays(arrays, schema=schema(columns))


def _column(array: pa.Array, plan: ColumnPlan) -> pa.Array:
    try:
        return _value(array, plan.source, plan.source.name, nested=False)
    except pa.ArrowInvalid as error:
        raise ValueUnsupported(f"a value does not fit the lake type: {error}", where=plan.source.name) from error


def _value(array: pa.Array, column: Column, path: str, *, nested: bool) -> pa.Array:
    if column.kind is Kind.ARRAY:
        return _list(array, column, path)
    if column.kind is Kind.STRUCT:
        return _struct(array, column.fields, [child.name for child in column.fields], path)
    if column.kind is Kind.RANGE:
        return _struct(array, (column.fields[0],) * 2, ["start", "end"], path)
    if nested and column.kind is Kind.FLOAT64:
        _refuse_not_finite(array, path)
    text = _text_form(column, nested=nested)
    return text(array) if text else array.cast(lake_type(column, nested=nested))


def _list(array: pa.Array, column: Column, path: str) -> pa.Array:
    values = _value(array.flatten(), column.fields[0], f"{path}[]", nested=True)
    # flatten() leaves out what slices and NULL lists hide, so the offsets are counted anew.
    lengths = pc.fill_null(pc.list_value_length(array), 0).cast(pa.int64())
    offsets = pa.concat_arrays([pa.array([0], pa.int64()), pc.cumulative_sum(lengths)]).cast(pa.int32())
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


def _refuse_not_finite(array: pa.Array, path: str) -> None:
    if pc.all(pc.is_finite(array), min_count=0).as_py() is False:
        raise ValueUnsupported(
            "NaN or infinity inside a nested value: SUPER follows JSON and cannot hold it",
            where=path,
            next_step="exclude the table, or clear such values in the source.",
        )


def _text_form(column: Column, *, nested: bool) -> Callable[[pa.Array], pa.Array] | None:
    if column.kind is Kind.TIME:
        return lambda array: array.cast(pa.string())
    if column.kind is Kind.INTERVAL:
        return lambda array: _texts(array, interval_text)
    if column.kind is Kind.BYTES and nested:
        return lambda array: _texts(array, lambda value: base64.b64encode(value).decode())
    if column.kind is Kind.DECIMAL and (column.precision or 0) > MAX_DECIMAL_DIGITS:
        return lambda array: _texts(array, decimal_text)
    return None


def _texts(array: pa.Array, form: Callable[..., str]) -> pa.Array:
    return pa.array([None if value is None else form(value) for value in array.to_pylist()], pa.string())


def decimal_text(value: object) -> str:
    """A decimal in plain notation without trailing zeros, as BigQuery prints it."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def interval_text(value: pa.MonthDayNano) -> str:
    """An interval in BigQuery's canonical form `Y-M D H:M:S[.F]`, exact to the microsecond."""
    months, days, nanoseconds = value
    sign, months = ("-" if months < 0 else ""), abs(months)
    clock, total = ("-" if nanoseconds < 0 else ""), abs(nanoseconds) // 1000
    seconds, micros = divmod(total, 1_000_000)
    fraction = f".{micros:06d}".rstrip("0") if micros else ""
    hours, rest = divmod(seconds, 3600)
    return f"{sign}{months // 12}-{months % 12} {days} {clock}{hours}:{rest // 60}:{rest % 60}{fraction}"
