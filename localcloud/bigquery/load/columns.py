"""Decoded JSON values as Arrow columns of a table's exact types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from localcloud.bigquery import decimals, schema
from localcloud.bigquery.errors import invalid
from localcloud.bigquery.load import values
from localcloud.bigquery.schema import Field, Schema


class RowError(Exception):
    """A value that does not fit: which row (from 1), which field, why."""

    def __init__(self, row: int, path: str, reason: str) -> None:
        super().__init__(f"Error while reading data, error message: row {row}, field {path}: {reason}")
        self.row = row


def batch(records: Sequence[Mapping[str, Any]], fields: Schema, rows: Sequence[int]) -> pa.RecordBatch:
    """A record batch of rows whose keys are field names in any case; raises RowError."""
    children = [column(f, _pick(records, f.name), rows, f.name) for f in fields]
    return pa.RecordBatch.from_arrays(children, schema=schema.arrow_schema(fields))


def _pick(records: Sequence[Mapping[str, Any] | None], name: str) -> list[Any]:
    """The values of a field; JSON keys match column names without regard to case."""
    lower = name.lower()
    return [None if r is None else r[name] if name in r else _other_case(r, lower) for r in records]


def _other_case(record: Mapping[str, Any], lower: str) -> Any:
    return next((record[k] for k in record if k.lower() == lower), None)


def column(field: Field, items: Sequence[Any], rows: Sequence[int], path: str) -> pa.Array:
    """Values of one field, REPEATED or not."""
    if field.repeated:
        return _repeated(field, items, rows, path)
    if field.mode == "REQUIRED":
        for row, item in zip(rows, items, strict=True):
            if item is None:
                raise RowError(row, path, f"Only optional fields can be set to NULL. Field: {path}; Value: NULL")
    return _record(field, items, rows, path) if field.fields else scalars(field, items, rows, path)


def _repeated(field: Field, items: Sequence[Any], rows: Sequence[int], path: str) -> pa.Array:
    offsets, flat, owners = [0], [], []
    for row, item in zip(rows, items, strict=True):
        elements = [] if item is None else item
        if not isinstance(elements, list):
            raise RowError(row, path, "Array specified for non-repeated field or a value where an array belongs.")
        if None in elements:
            raise RowError(row, path, "Only optional fields can be set to NULL: an array cannot hold NULL.")
        flat.extend(elements)
        owners.extend([row] * len(elements))
        offsets.append(len(flat))
    child = column(field.item(), flat, owners, path)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), child, type=schema.arrow_type(field))


def _record(field: Field, items: Sequence[Any], rows: Sequence[int], path: str) -> pa.Array:
    for row, item in zip(rows, items, strict=True):
        if item is not None and not isinstance(item, dict):
            raise RowError(row, path, f"This field is not a record: {values.describe(item)}")
    children = []
    for child in field.fields:
        picked, below = _pick(items, child.name), f"{path}.{child.name}"
        if child.mode == "REQUIRED":
            _check_required(items, picked, rows, below)
        # Under a NULL record the fields are NULL too, required or not.
        children.append(column(relaxed(child), picked, rows, below))
    mask = pa.array([item is None for item in items], pa.bool_())
    return pa.StructArray.from_arrays(children, fields=list(schema.value_type(field)), mask=mask)


def relaxed(field: Field) -> Field:
    """The field without its NOT NULL."""
    return replace(field, mode="NULLABLE") if field.mode == "REQUIRED" else field


def _check_required(records: Sequence[Any], picked: Sequence[Any], rows: Sequence[int], path: str) -> None:
    for row, record, value in zip(rows, records, picked, strict=True):
        if record is not None and value is None:
            raise RowError(row, path, f"Only optional fields can be set to NULL. Field: {path}; Value: NULL")


def scalars(field: Field, items: Sequence[Any], rows: Sequence[int], path: str) -> pa.Array:
    """Scalar values through the parser of their type."""
    parse = values.parser(field)
    try:
        parsed = [None if item is None else parse(item) for item in items]
    except (ValueError, OverflowError):
        raise _first_error(parse, items, rows, path) from None
    return physical(field, parsed)


def _first_error(parse: Callable[[Any], Any], items: Sequence[Any], rows: Sequence[int], path: str) -> RowError:
    for row, item in zip(rows, items, strict=True):
        try:
            if item is not None:
                parse(item)
        except (ValueError, OverflowError) as error:
            return RowError(row, path, str(error))
    raise invalid(f"Field {path} could not be read")


def physical(field: Field, parsed: Sequence[Any]) -> pa.Array:
    """Parsed values as the Arrow array of the type."""
    target = schema.value_type(field)
    if field.type in ("NUMERIC", "BIGNUMERIC"):
        return decimals.from_unscaled(parsed, target)
    if field.type == "DATE":
        return pa.array(parsed, pa.int32()).cast(target)
    if field.type in ("TIME", "DATETIME", "TIMESTAMP"):
        return pa.array(parsed, pa.int64()).cast(target)
    if field.type == "RANGE":
        return _ranges(parsed, field)
    return pa.array(parsed, target)


def _ranges(parsed: Sequence[Any], field: Field) -> pa.Array:
    bound = Field("bound", str(field.element))
    ends = [physical(bound, [None if r is None else r[k] for r in parsed]) for k in ("start", "end")]
    mask = pa.array([r is None for r in parsed], pa.bool_())
    return pa.StructArray.from_arrays(ends, fields=list(schema.value_type(field)), mask=mask)
