"""Arrow columns of any origin as columns of a table's exact types, or an error that names row and column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from localcloud.bigquery import decimals, schema
from localcloud.bigquery.arrays import list_parts
from localcloud.bigquery.errors import invalid
from localcloud.bigquery.load import columns, values
from localcloud.bigquery.load.columns import RowError, relaxed
from localcloud.bigquery.schema import Field, Schema


def is_list(kind: pa.DataType) -> bool:
    """Any of Arrow's list layouts."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def is_text(kind: pa.DataType) -> bool:
    """Any of Arrow's text layouts."""
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_bytes(kind: pa.DataType) -> bool:
    """Any of Arrow's binary layouts."""
    tests = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_binary_view)
    return any(test(kind) for test in tests)


def match_names(names: Sequence[str], fields: Schema) -> None:
    """Refuse source columns that the table does not have."""
    known = {f.name.lower() for f in fields}
    for name in names:
        if name.lower() not in known:
            raise invalid(f"Provided Schema does not match Table. Cannot add fields (field: {name})")


def batch(arrays: Sequence[pa.Array], names: Sequence[str], fields: Schema, rows: int, first: int) -> pa.RecordBatch:
    """A record batch of the table's schema; columns that the source lacks are NULL."""
    numbers = pa.array(range(first, first + rows), pa.int64())
    found = {name.lower(): array for name, array in zip(names, arrays, strict=True)}
    built = [
        column(found[f.name.lower()] if f.name.lower() in found else pa.nulls(rows), f, numbers, f.name) for f in fields
    ]
    return pa.RecordBatch.from_arrays(built, schema=schema.arrow_schema(fields))


def column(array: pa.Array, field: Field, rows: pa.Array, path: str) -> pa.Array:
    """One column; `rows` are the row numbers that errors name."""
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if field.repeated:
        return _repeated(array, field, rows, path)
    if field.mode == "REQUIRED" and array.null_count:
        raise _error(rows, array.is_null(), path, "Only optional fields can be set to NULL")
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), schema.value_type(field))
    return _record(array, field, rows, path) if field.fields else scalar(array, field, rows, path)


def _error(rows: pa.Array, bad: pa.Array, path: str, reason: str) -> RowError:
    index = pc.index(bad, True).as_py()
    return RowError(rows[index].as_py(), path, reason)


def _repeated(array: pa.Array, field: Field, rows: pa.Array, path: str) -> pa.Array:
    if pa.types.is_null(array.type):
        offsets, flat = pa.array([0] * (len(array) + 1), pa.int32()), pa.nulls(0)
    elif is_list(array.type) or pa.types.is_map(array.type):
        offsets, flat = list_parts(array)
    else:
        raise _mismatch(array, field, path)
    owners = rows.take(_owners(offsets))
    if flat.null_count:
        raise _error(owners, flat.is_null(), path, "an array cannot hold NULL")
    child = column(flat, field.item(), owners, path)
    return pa.ListArray.from_arrays(offsets, child, type=schema.arrow_type(field))


def _owners(offsets: pa.Array) -> pa.Array:
    """For each flat value the position of its list."""
    lists = pa.ListArray.from_arrays(offsets, pa.nulls(offsets[-1].as_py()))
    return pc.list_parent_indices(lists)


def _record(array: pa.Array, field: Field, rows: pa.Array, path: str) -> pa.Array:
    if not pa.types.is_struct(array.type):
        raise _mismatch(array, field, path)
    names = {f.name.lower(): child for f, child in zip(array.type, array.flatten(), strict=True)}
    _refuse_extra(names, field, path)
    present = array.is_valid()
    children = []
    for f in field.fields:
        below = f"{path}.{f.name}"
        child = names[f.name.lower()] if f.name.lower() in names else pa.nulls(len(array))
        if f.mode == "REQUIRED" and pc.any(missing := pc.and_(present, child.is_null())).as_py():
            raise _error(rows, missing, below, "Only optional fields can be set to NULL")
        children.append(column(child, relaxed(f), rows, below))
    return pa.StructArray.from_arrays(children, fields=list(schema.value_type(field)), mask=pc.invert(present))


def _refuse_extra(names: dict[str, pa.Array], field: Field, path: str) -> None:
    extra = set(names) - {f.name.lower() for f in field.fields}
    if extra:
        raise invalid(f"Provided Schema does not match Table. Cannot add fields (field: {path}.{sorted(extra)[0]})")


def _mismatch(array: pa.Array, field: Field, path: str) -> Exception:
    mode = "ARRAY of " if field.repeated else ""
    return invalid(f"Column '{path}' has type {array.type} which does not match the target type {mode}{field.type}.")


def scalar(array: pa.Array, field: Field, rows: pa.Array, path: str) -> pa.Array:
    """One scalar column by the rule of its target type."""
    convert = _RULES.get(field.type)
    converted = convert(array, field, rows, path) if convert else None
    if converted is None:
        raise _mismatch(array, field, path)
    return converted


Rule = Callable[[pa.Array, Field, pa.Array, str], "pa.Array | None"]


def _checked(array: pa.Array, target: pa.DataType, rows: pa.Array, path: str) -> pa.Array:
    """A safe cast; the first value that does not survive it is named."""
    try:
        return array.cast(target)
    except pa.ArrowInvalid:
        raise _first_bad(array, target, rows, path) from None


def _first_bad(array: pa.Array, target: pa.DataType, rows: pa.Array, path: str) -> RowError:
    for i in range(len(array)):
        try:
            array.slice(i, 1).cast(target)
        except pa.ArrowInvalid as error:
            return RowError(rows[i].as_py(), path, str(error))
    raise invalid(f"Column '{path}' does not fit {target}")


def _integer(array: pa.Array, _: Field, rows: pa.Array, path: str) -> pa.Array | None:
    return _checked(array, pa.int64(), rows, path) if pa.types.is_integer(array.type) else None


def _float(array: pa.Array, _: Field, rows: pa.Array, path: str) -> pa.Array | None:
    if pa.types.is_integer(array.type):
        return _checked(array, pa.float64(), rows, path)
    return array.cast(pa.float64()) if pa.types.is_floating(array.type) else None


def _boolean(array: pa.Array, *_: Any) -> pa.Array | None:
    return array if pa.types.is_boolean(array.type) else None


def _string(array: pa.Array, field: Field, rows: pa.Array, path: str) -> pa.Array | None:
    if pa.types.is_decimal(array.type):
        return through_text(array.cast(pa.string()), field, rows, path)
    if not is_text(array.type) and not is_bytes(array.type):
        return None
    return _limit(_checked(array, pa.string(), rows, path), field, rows, path)


def _bytes(array: pa.Array, field: Field, rows: pa.Array, path: str) -> pa.Array | None:
    return _limit(array.cast(pa.binary()), field, rows, path) if is_bytes(array.type) else None


def _limit(array: pa.Array, field: Field, rows: pa.Array, path: str) -> pa.Array:
    if field.max_length is None:
        return array
    length = pc.utf8_length(array) if field.type == "STRING" else pc.binary_length(array)
    long = pc.fill_null(pc.greater(length, field.max_length), False)
    if pc.any(long).as_py():
        raise _error(rows, long, path, f"{field.type}({field.max_length}) has maximum length {field.max_length}")
    return array


def _date(array: pa.Array, _: Field, rows: pa.Array, path: str) -> pa.Array | None:
    if not pa.types.is_date(array.type):
        return None
    days = array.cast(pa.date32()).cast(pa.int32())
    _in_range(days, -719_162, 2_932_896, rows, path)
    return days.cast(pa.date32())


def _time(array: pa.Array, _: Field, rows: pa.Array, path: str) -> pa.Array | None:
    return _checked(array, pa.time64("us"), rows, path) if pa.types.is_time(array.type) else None


def _moment(array: pa.Array, field: Field, rows: pa.Array, path: str) -> pa.Array | None:
    if not pa.types.is_timestamp(array.type):
        return None
    micros = _checked(array, pa.timestamp("us", tz=array.type.tz), rows, path).cast(pa.int64())
    _in_range(micros, values.MIN_MICROS, values.MAX_MICROS, rows, path)
    return micros.cast(schema.value_type(field))


def _in_range(array: pa.Array, low: int, high: int, rows: pa.Array, path: str) -> None:
    outside = pc.fill_null(pc.or_(pc.less(array, low), pc.greater(array, high)), False)
    if pc.any(outside).as_py():
        raise _error(rows, outside, path, "value out of range (year 1 to 9999)")


def _decimal(array: pa.Array, field: Field, rows: pa.Array, path: str) -> pa.Array | None:
    if pa.types.is_integer(array.type):
        return through_text(array.cast(pa.string()), field, rows, path)
    if not pa.types.is_decimal(array.type):
        return None
    target = schema.value_type(field)
    if array.type == target and field.precision is None:
        return array
    if field.type == "NUMERIC" and field.precision is None and array.type.scale <= 9:
        return _checked(array, target, rows, path)
    return _decimal_values(array, field, rows, path)


def _decimal_values(array: pa.Array, field: Field, rows: pa.Array, path: str) -> pa.Array:
    if array.type == decimals.TYPE:
        texts = [None if v is None else decimals.text(v) for v in decimals.to_unscaled(array)]
        return columns.scalars(field, texts, rows.to_pylist(), path)
    return through_text(array.cast(pa.string()), field, rows, path)


def through_text(array: pa.Array, field: Field, rows: pa.Array, path: str) -> pa.Array:
    """Values that the text parser of the type takes."""
    return columns.scalars(field, array.to_pylist(), rows.to_pylist(), path)


def _parsed_text(array: pa.Array, field: Field, rows: pa.Array, path: str) -> pa.Array | None:
    return through_text(array, field, rows, path) if is_text(array.type) else None


def _json(array: pa.Array, _: Field, rows: pa.Array, path: str) -> pa.Array | None:
    if not is_text(array.type):
        return None
    out = []
    for row, text in zip(rows.to_pylist(), array.to_pylist(), strict=True):
        try:
            out.append(None if text is None else values.json_from_text(text))
        except ValueError as error:
            raise RowError(row, path, str(error)) from None
    return pa.array(out, pa.string())


def _interval(array: pa.Array, field: Field, rows: pa.Array, path: str) -> pa.Array | None:
    if array.type == pa.month_day_nano_interval():
        return array
    return _parsed_text(array, field, rows, path)


def _range(array: pa.Array, field: Field, rows: pa.Array, path: str) -> pa.Array | None:
    if not pa.types.is_struct(array.type) or [f.name for f in array.type] != ["start", "end"]:
        return _parsed_text(array, field, rows, path)
    bound = Field("bound", str(field.element))
    ends = [column(child, bound, rows, path) for child in array.flatten()]
    wrong = pc.fill_null(pc.greater_equal(*ends), False)
    if pc.any(wrong).as_py():
        raise _error(rows, wrong, path, "Range start element must be smaller than range end element")
    return pa.StructArray.from_arrays(ends, fields=list(schema.value_type(field)), mask=array.is_null())


_RULES: dict[str, Rule] = {
    "INTEGER": _integer,
    "FLOAT": _float,
    "BOOLEAN": _boolean,
    "STRING": _string,
    "BYTES": _bytes,
    "DATE": _date,
    "TIME": _time,
    "DATETIME": _moment,
    "TIMESTAMP": _moment,
    "NUMERIC": _decimal,
    "BIGNUMERIC": _decimal,
    "JSON": _json,
    "GEOGRAPHY": _parsed_text,
    "INTERVAL": _interval,
    "RANGE": _range,
}
