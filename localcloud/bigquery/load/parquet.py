"""Parquet files as BigQuery reads them: inferred schema and converted batches.

https://cloud.google.com/bigquery/docs/loading-data-cloud-storage-parquet#type_conversions
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from localcloud.bigquery.arrays import list_parts
from localcloud.bigquery.errors import invalid, unsupported
from localcloud.bigquery.load import coerce
from localcloud.bigquery.schema import Field, Schema, check_name
from localcloud.bigquery.storage.buckets import BATCH_ROWS


@dataclass(frozen=True)
class Options:
    """The load options that change how a Parquet file is read."""

    list_inference: bool = False
    decimal_targets: tuple[str, ...] = ("NUMERIC",)

    @staticmethod
    def parse(config: Mapping[str, Any]) -> Options:
        """Read a load configuration."""
        parquet = config.get("parquetOptions") or {}
        if parquet.get("mapTargetType") not in (None, "", "MAP_TARGET_TYPE_UNSPECIFIED"):
            raise unsupported("parquetOptions.mapTargetType")
        targets = tuple(config.get("decimalTargetTypes") or ("NUMERIC",))
        return Options(bool(parquet.get("enableListInference")), targets)


class ParquetSource:
    """One Parquet file, opened."""

    def __init__(self, path: Path, options: Options) -> None:
        try:
            self._file = pq.ParquetFile(path)
        except pa.ArrowInvalid as error:
            raise invalid(f"Error while reading data, error message: Invalid Parquet file: {error}") from None
        self._options = options
        self._names = _list_names(self._file)

    def fields(self) -> Schema:
        """The schema that BigQuery would give a new table."""
        return tuple(self._field(f, f.name) for f in self._file.schema_arrow)

    def batches(self, fields: Schema) -> Iterator[pa.RecordBatch]:
        """The rows in a table's schema; raises RowError at a value that does not fit."""
        source = list(self._file.schema_arrow)
        coerce.match_names([f.name for f in source], fields)
        first = 1
        for batch in self._file.iter_batches(batch_size=BATCH_ROWS):
            columns = [self._reshape(c, f.type, f.name) for c, f in zip(batch.columns, source, strict=True)]
            yield coerce.batch(columns, [f.name for f in source], fields, batch.num_rows, first)
            first += batch.num_rows

    def _field(self, arrow: pa.Field, path: str) -> Field:
        mode = "NULLABLE" if arrow.nullable else "REQUIRED"
        kind = arrow.type
        if pa.types.is_map(kind):
            pair = pa.struct([pa.field("key", kind.key_type, nullable=False), kind.item_field.with_name("value")])
            entries = Field("key_value", "RECORD", "REPEATED", fields=self._children(pair, path))
            return Field(check_name(arrow.name), "RECORD", mode, fields=(entries,))
        if coerce.is_list(kind):
            return self._list_field(arrow, path)
        if pa.types.is_struct(kind):
            return Field(check_name(arrow.name), "RECORD", mode, fields=self._children(kind, path))
        return Field(check_name(arrow.name), self._scalar(kind, path), mode)

    def _children(self, kind: pa.StructType, path: str) -> Schema:
        return tuple(self._field(child, f"{path}.{child.name}") for child in kind)

    def _list_field(self, arrow: pa.Field, path: str) -> Field:
        names = self._names.get(path)
        element = self._field(arrow.type.value_field.with_name(names[1] if names else arrow.name), path + "[]")
        if names is None or self._options.list_inference:
            if element.repeated:
                raise invalid(f"Arrays of arrays are not supported: Parquet column {path}")
            return Field(check_name(arrow.name), element.type, "REPEATED", fields=element.fields)
        group = Field(names[0], "RECORD", "REPEATED", fields=(element,))
        return Field(check_name(arrow.name), "RECORD", "NULLABLE" if arrow.nullable else "REQUIRED", fields=(group,))

    def _scalar(self, kind: pa.DataType, path: str) -> str:
        if pa.types.is_decimal(kind):
            return _decimal_target(kind, self._options.decimal_targets)
        for test, name in _SCALARS:
            if test(kind):
                return name
        raise unsupported(f"Parquet column {path} of type {kind}")

    def _reshape(self, array: pa.Array, kind: pa.DataType, path: str) -> pa.Array:
        """The column in the shape of the inferred schema: LIST and MAP groups become records."""
        if pa.types.is_map(kind):
            return self._map_array(array, path)
        if coerce.is_list(kind):
            return self._list_array(array, kind, path)
        if pa.types.is_struct(kind):
            children = zip(array.flatten(), kind, strict=True)
            parts = [self._reshape(child, f.type, f"{path}.{f.name}") for child, f in children]
            return _struct(parts, [f.name for f in kind], array)
        return array

    def _list_array(self, array: pa.Array, kind: pa.DataType, path: str) -> pa.Array:
        offsets, values = list_parts(array)
        items = self._reshape(values, kind.value_type, path + "[]")
        names = self._names.get(path)
        if names is None or self._options.list_inference:
            return pa.ListArray.from_arrays(offsets, items)
        groups = pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays([items], names=[names[1]]))
        return _struct([groups], [names[0]], array)

    def _map_array(self, array: pa.Array, path: str) -> pa.Array:
        offsets, entries = list_parts(array)
        keys, items = entries.flatten()
        items = self._reshape(items, array.type.item_type, f"{path}.value")
        pairs = pa.StructArray.from_arrays([keys, items], names=["key", "value"])
        return _struct([pa.ListArray.from_arrays(offsets, pairs)], ["key_value"], array)


def _struct(children: Sequence[pa.Array], names: Sequence[str], like: pa.Array) -> pa.Array:
    return pa.StructArray.from_arrays(list(children), names=list(names), mask=like.is_null())


def _decimal_target(kind: pa.DataType, targets: tuple[str, ...]) -> str:
    whole, scale = kind.precision - kind.scale, kind.scale
    room = {"NUMERIC": (29, 9), "BIGNUMERIC": (38, 38), "STRING": (77, 77)}
    allowed = [name for name in room if name in targets]
    if not allowed:
        raise invalid(f"Invalid decimalTargetTypes: {targets}")
    fitting = (name for name in allowed if whole <= room[name][0] and scale <= room[name][1])
    return next(fitting, allowed[-1])


_SCALARS: tuple[tuple[Any, str], ...] = (
    (pa.types.is_boolean, "BOOLEAN"),
    (pa.types.is_integer, "INTEGER"),
    (pa.types.is_floating, "FLOAT"),
    (coerce.is_text, "STRING"),
    (coerce.is_bytes, "BYTES"),
    (pa.types.is_date, "DATE"),
    (pa.types.is_time, "TIME"),
    (lambda t: pa.types.is_timestamp(t) and t.tz is None, "DATETIME"),
    (pa.types.is_timestamp, "TIMESTAMP"),
    (pa.types.is_null, "INTEGER"),
)


def _list_names(file: pq.ParquetFile) -> dict[str, tuple[str, str]]:
    """Names of the repeated group and of the element of each three-level LIST, by column path.

    A list without them is a plain repeated field, which is an ARRAY in any case.
    """
    found: dict[str, tuple[str, str]] = {}
    paths = [file.schema.column(i).path.split(".") for i in range(len(file.schema))]
    for arrow in file.schema_arrow:
        own = [p[1:] for p in paths if p[0] == arrow.name]
        _walk_lists(arrow.type, own, arrow.name, found)
    return found


def _walk_lists(kind: pa.DataType, tails: list[list[str]], path: str, found: dict[str, tuple[str, str]]) -> None:
    if pa.types.is_map(kind):
        below = [t[2:] for t in tails if len(t) > 1 and t[1] == "value"]
        _walk_lists(kind.item_type, below, f"{path}.value", found)
    elif coerce.is_list(kind):
        levels = _levels(kind, tails)
        if levels == 2:
            found[path] = (tails[0][0], tails[0][1])
        _walk_lists(kind.value_type, [t[levels:] for t in tails], path + "[]", found)
    elif pa.types.is_struct(kind):
        for child in kind:
            _walk_lists(child.type, [t[1:] for t in tails if t[0] == child.name], f"{path}.{child.name}", found)


def _levels(kind: pa.DataType, tails: list[list[str]]) -> int:
    """How many path parts the list itself takes: none when plain, one (two-level) or two (three-level)."""
    below = _depth(kind.value_type, tails)
    return max(0, min(len(t) for t in tails) - below) if tails else 0


def _depth(kind: pa.DataType, tails: list[list[str]]) -> int:
    """The least number of path parts that a type takes below itself."""
    if pa.types.is_struct(kind):
        return 1 + min(_depth(child.type, tails) for child in kind)
    if coerce.is_list(kind) or pa.types.is_map(kind):
        return 2
    return 0
