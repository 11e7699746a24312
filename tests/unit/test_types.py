"""BigQuery types to logical types to Redshift types."""

from __future__ import annotations

from typing import Any

import pytest

from lakeshift.errors import TypeUnsupported
from lakeshift.model import Kind
from lakeshift.types import names
from lakeshift.types.bigquery import columns
from lakeshift.types.redshift import type_of


def field(kind: str, **more: Any) -> dict[str, Any]:
    return {"name": "c", "type": kind, **more}


LEG = [field("INT64") | {"name": "a"}, field("BYTES") | {"name": "b"}]


@pytest.mark.parametrize(
    ("given", "printed", "target", "landing"),
    [
        (field("BOOLEAN"), "BOOL", "BOOLEAN", "BOOLEAN"),
        (field("INTEGER"), "INT64", "BIGINT", "BIGINT"),
        (field("FLOAT"), "FLOAT64", "DOUBLE PRECISION", "DOUBLE PRECISION"),
        (field("STRING"), "STRING", "VARCHAR(65535)", "VARCHAR(65535)"),
        (field("STRING", maxLength="10"), "STRING(10)", "VARCHAR(40)", "VARCHAR(40)"),
        (field("STRING", maxLength="20000"), "STRING(20000)", "VARCHAR(65535)", "VARCHAR(65535)"),
        (field("BYTES"), "BYTES", "VARBYTE(16777216)", "VARBYTE(16777216)"),
        (field("BYTES", maxLength="16"), "BYTES(16)", "VARBYTE(16)", "VARBYTE(16)"),
        (field("DATE"), "DATE", "DATE", "DATE"),
        (field("TIME"), "TIME", "TIME", "VARCHAR(15)"),
        (field("DATETIME"), "DATETIME", "TIMESTAMP", "TIMESTAMP"),
        (field("TIMESTAMP"), "TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMP"),
        (field("NUMERIC"), "NUMERIC", "DECIMAL(38,9)", "DECIMAL(38,9)"),
        (field("NUMERIC", precision="10", scale="2"), "NUMERIC(10, 2)", "DECIMAL(10,2)", "DECIMAL(10,2)"),
        (field("NUMERIC", precision="10"), "NUMERIC(10)", "DECIMAL(10,0)", "DECIMAL(10,0)"),
        (field("BIGNUMERIC"), "BIGNUMERIC", "VARCHAR(80)", "VARCHAR(80)"),
        (field("BIGNUMERIC", precision="38", scale="20"), "BIGNUMERIC(38, 20)", "DECIMAL(38,20)", "DECIMAL(38,20)"),
        (field("INTERVAL"), "INTERVAL", "VARCHAR(64)", "VARCHAR(64)"),
        (field("JSON"), "JSON", "SUPER", "VARCHAR(65535)"),
        (field("GEOGRAPHY"), "GEOGRAPHY", "GEOGRAPHY", "VARCHAR(65535)"),
        (field("RANGE", rangeElementType={"type": "DATE"}), "RANGE<DATE>", "SUPER", "SUPER"),
        (field("RECORD", fields=LEG), "STRUCT<a INT64, b BYTES>", "SUPER", "SUPER"),
        (field("INT64", mode="REPEATED"), "ARRAY<INT64>", "SUPER", "SUPER"),
        (field("RECORD", mode="REPEATED", fields=LEG), "ARRAY<STRUCT<a INT64, b BYTES>>", "SUPER", "SUPER"),
    ],
)
def test_every_type_has_a_target(given: dict[str, Any], printed: str, target: str, landing: str) -> None:
    (column,) = columns([given])
    chosen = type_of(column)
    assert (column.source_type, chosen.target, chosen.landing) == (printed, target, landing)
    assert bool(chosen.conversion) == (target != landing)


def test_modes_are_kept() -> None:
    required, repeated = columns([field("INT64", mode="REQUIRED"), field("INT64", mode="REPEATED") | {"name": "r"}])
    assert required.required
    assert (repeated.kind, repeated.fields[0].kind) == (Kind.ARRAY, Kind.INT64)


def test_an_unknown_type_names_its_column() -> None:
    inner = field("RECORD", fields=[field("POINT") | {"name": "x"}])
    with pytest.raises(TypeUnsupported, match=r"POINT.*\[c\.x\]"):
        columns([inner])


def test_a_changed_leaf_is_noted() -> None:
    (column,) = columns([field("RECORD", fields=LEG)])
    assert type_of(column).note == "b (BYTES) becomes base64 text"


def test_names_fold_ascii_only() -> None:
    assert names.fold("OrderÉ") == "orderÉ"


def test_quotes_and_backslashes_cannot_leave_their_place() -> None:
    assert names.quoted('a"b') == '"a""b"'
    assert names.literal("it's \\ 1") == "'it''s \\\\ 1'"


def test_names_beside_a_long_one_stay_apart_and_short() -> None:
    first, second = "x" * 126 + "é", "x" * 125 + "yé"
    made = [names.beside(name, "0123456789ab_in") for name in (first, second)]
    assert len(set(made)) == 2
    assert all(len(name.encode()) <= 127 for name in made)
    assert names.beside("orders", "prev") == "orders__ls_prev"
