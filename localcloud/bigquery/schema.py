"""BigQuery table schemas and the Arrow types that the Storage Read API gives them.

https://cloud.google.com/bigquery/docs/reference/rest/v2/tables#TableFieldSchema
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from localcloud.bigquery.errors import BigQueryError, invalid, unsupported

MAX_DEPTH = 15
# Flexible names too: https://cloud.google.com/bigquery/docs/schemas#flexible-column-names
_NAME = re.compile(r"[\w\-&%=+:'<>#| ]{1,300}")
_RESERVED_PREFIXES = (
    "_table_",
    "_file_",
    "_partition",
    "_row_timestamp",
    "__root__",
    "_colidentifier",
    "_change_sequence_number",
    "_change_type",
    "_change_timestamp",
)

# The REST API answers in the legacy spelling and takes both.
_CANONICAL = {
    "INT64": "INTEGER",
    "FLOAT64": "FLOAT",
    "BOOL": "BOOLEAN",
    "STRUCT": "RECORD",
    "DECIMAL": "NUMERIC",
    "BIGDECIMAL": "BIGNUMERIC",
}

_ARROW: dict[str, pa.DataType] = {
    "INTEGER": pa.int64(),
    "FLOAT": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "STRING": pa.string(),
    "BYTES": pa.binary(),
    "DATE": pa.date32(),
    "DATETIME": pa.timestamp("us"),
    "TIME": pa.time64("us"),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
    "NUMERIC": pa.decimal128(38, 9),
    "BIGNUMERIC": pa.decimal256(76, 38),
    "JSON": pa.string(),
    "GEOGRAPHY": pa.string(),
    "INTERVAL": pa.month_day_nano_interval(),
}

_EXTENSION = {
    "GEOGRAPHY": {
        "ARROW:extension:name": "google:sqlType:geography",
        "ARROW:extension:metadata": '{"encoding": "WKT"}',
    },
    "DATETIME": {"ARROW:extension:name": "google:sqlType:datetime"},
    "JSON": {"ARROW:extension:name": "google:sqlType:json"},
}

_KEPT = ("description", "policyTags", "dataPolicies", "defaultValueExpression", "roundingMode", "collation")


@dataclass(frozen=True)
class Field:
    """One column, or one field of a RECORD."""

    name: str
    type: str
    mode: str = "NULLABLE"
    fields: tuple[Field, ...] = ()
    precision: int | None = None
    scale: int | None = None
    max_length: int | None = None
    element: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def repeated(self) -> bool:
        """Whether it is an ARRAY."""
        return self.mode == "REPEATED"

    def item(self) -> Field:
        """The element of an ARRAY as a field of its own."""
        return replace(self, name="item", mode="NULLABLE")

    def json(self) -> dict[str, Any]:
        """The TableFieldSchema resource."""
        out: dict[str, Any] = {"name": self.name, "type": self.type, "mode": self.mode, **self.extra}
        if self.fields:
            out["fields"] = [f.json() for f in self.fields]
        for key, value in (("precision", self.precision), ("scale", self.scale), ("maxLength", self.max_length)):
            if value is not None:
                out[key] = str(value)
        if self.element:
            out["rangeElementType"] = {"type": self.element}
        return out


Schema = tuple[Field, ...]


def parse(fields: Iterable[Mapping[str, Any]], depth: int = 0) -> Schema:
    """Read TableFieldSchema resources; raises `invalid` for what BigQuery would refuse."""
    if depth > MAX_DEPTH:
        raise invalid(f"Schema has more than {MAX_DEPTH} nested levels of RECORD")
    schema = tuple(_field(f, depth) for f in fields)
    seen: set[str] = set()
    for f in schema:
        if f.name.lower() in seen:
            raise invalid(f"Duplicate field name: {f.name}")
        seen.add(f.name.lower())
    return schema


def _field(resource: Mapping[str, Any], depth: int) -> Field:
    name = check_name(str(resource.get("name", "")))
    kind = str(resource.get("type", "")).upper()
    kind = _CANONICAL.get(kind, kind)
    mode = str(resource.get("mode") or "NULLABLE").upper()
    if mode not in ("NULLABLE", "REQUIRED", "REPEATED"):
        raise invalid(f"Invalid mode {mode} of field {name}")
    parsed = Field(
        name,
        kind,
        mode,
        fields=parse(resource.get("fields", ()), depth + 1) if kind == "RECORD" else (),
        precision=_number(resource, "precision"),
        scale=_number(resource, "scale"),
        max_length=_number(resource, "maxLength"),
        element=_element(resource) if kind == "RANGE" else None,
        extra={k: resource[k] for k in _KEPT if k in resource},
    )
    check(parsed)
    if resource.get("timestampPrecision") not in (None, 6, "6"):
        raise unsupported(f"TIMESTAMP of 12 digits (field {name})")
    return parsed


def check_name(name: str) -> str:
    """Refuse a column name that BigQuery refuses."""
    if not _NAME.fullmatch(name) or name.lower().startswith(_RESERVED_PREFIXES):
        raise invalid(f'Invalid field name "{name}". Fields must contain only letters, numbers, and underscores.')
    return name


def _number(resource: Mapping[str, Any], key: str) -> int | None:
    value = resource.get(key)
    return None if value is None else int(value)


def _element(resource: Mapping[str, Any]) -> str:
    element = str((resource.get("rangeElementType") or {}).get("type", "")).upper()
    if element not in ("DATE", "DATETIME", "TIMESTAMP"):
        raise invalid(f"Invalid range element type {element!r} of field {resource.get('name')}")
    return element


def check(f: Field) -> None:
    """Refuse unknown types and type parameters out of range."""
    if f.type == "RECORD":
        if not f.fields:
            raise invalid(f"Field {f.name} is type RECORD but has no schema")
    elif f.type != "RANGE" and f.type not in _ARROW:
        raise invalid(f"Invalid value for type: {f.type} is not a valid value (field {f.name})")
    limits = {"NUMERIC": (29, 9), "BIGNUMERIC": (38, 38)}
    if f.precision is not None or f.scale is not None:
        if f.type not in limits:
            raise invalid(f"Field {f.name} of type {f.type} takes no precision")
        _check_decimal(f, *limits[f.type])
    if f.max_length is not None and (f.type not in ("STRING", "BYTES") or f.max_length < 1):
        raise invalid(f"Invalid max length of field {f.name}")


def _check_decimal(f: Field, digits: int, scales: int) -> None:
    scale = f.scale or 0
    if f.precision is None:
        raise invalid(f"Field {f.name} has a scale without a precision")
    if not 0 <= scale <= scales or not max(1, scale) <= f.precision <= scale + digits:
        raise invalid(f"Invalid {f.type}({f.precision}, {scale}) of field {f.name}")


def value_type(f: Field, *, wire: bool = False) -> pa.DataType:
    """The Arrow type of one value, whatever the mode; on the wire with the digits that a decimal declares.

    https://cloud.google.com/bigquery/docs/reference/storage#arrow_schema_details
    """
    if f.type == "RECORD":
        return pa.struct([arrow_field(child, wire=wire) for child in f.fields])
    if f.type == "RANGE":
        bound = Field("bound", str(f.element))
        return pa.struct([arrow_field(replace(bound, name=end), wire=wire) for end in ("start", "end")])
    if wire and f.precision is not None:
        made = pa.decimal128 if f.type == "NUMERIC" else pa.decimal256
        return made(f.precision, f.scale or 0)
    return _ARROW[f.type]


def arrow_type(f: Field, *, wire: bool = False) -> pa.DataType:
    """The Arrow type of the column."""
    kind = value_type(f, wire=wire)
    return pa.list_(pa.field("item", kind, metadata=_EXTENSION.get(f.type) if wire else None)) if f.repeated else kind


def arrow_field(f: Field, *, wire: bool = False) -> pa.Field:
    """The Arrow field as it is stored, or with the metadata that the Storage Read API adds."""
    metadata = _EXTENSION.get(f.type) if wire else None
    return pa.field(f.name, arrow_type(f, wire=wire), nullable=f.mode == "NULLABLE", metadata=metadata)


def arrow_schema(fields: Schema, *, wire: bool = False) -> pa.Schema:
    """The Arrow schema of a table."""
    return pa.schema([arrow_field(f, wire=wire) for f in fields])


def leaves(f: Field, prefix: str = "") -> list[tuple[str, Field]]:
    """Every scalar below a field with its dotted path."""
    path = f"{prefix}{f.name}"
    if not f.fields:
        return [(path, f)]
    return [leaf for child in f.fields for leaf in leaves(child, f"{path}.")]


def select(fields: Schema, names: Sequence[str]) -> Schema:
    """The part of a schema that `selected_fields` names, in the table's order.

    A dotted name selects a nested field; names match without regard to case.
    """
    if not names:
        return fields
    wanted: dict[str, list[str]] = {}
    for name in names:
        head, _, rest = name.partition(".")
        wanted.setdefault(head.lower(), []).append(rest)
    unknown = set(wanted) - {f.name.lower() for f in fields}
    if unknown:
        raise BigQueryError("invalid", f"request failed: The following selected fields do not exist: {sorted(unknown)}")
    return tuple(_narrow(f, wanted[f.name.lower()]) for f in fields if f.name.lower() in wanted)


def _narrow(f: Field, rests: list[str]) -> Field:
    if "" in rests:
        return f
    if not f.fields:
        raise invalid(f"request failed: {f.name} is not a RECORD")
    return replace(f, fields=select(f.fields, rests))
