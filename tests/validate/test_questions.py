"""The SQL that engines are asked, against golden files, and what holds for it whatever the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import sqlglot

from lakeshift.errors import TypeUnsupported
from lakeshift.model import Column, Handling, Kind
from lakeshift.types.bigquery import columns as bigquery_columns
from lakeshift.validate import questions
from lakeshift.validate.aggregates import aggregates, aggregates_of
from lakeshift.validate.columns import Checked
from lakeshift.validate.dialects import BIGQUERY, REDSHIFT, Dialect
from lakeshift.validate.layers import with_rows
from lakeshift.validate.questions import anchors, child_table, fingerprint_sql, groups, segments, sums_of

GOLDEN = Path(__file__).parent / "golden"
TABLES = {REDSHIFT: '"shop"."orders"', BIGQUERY: "`p`.`shop`.`orders`"}
FIELDS = [
    {"name": "id", "type": "INT64"},
    {"name": "paid", "type": "NUMERIC", "precision": "12", "scale": "2"},
    {"name": "ratio", "type": "FLOAT64"},
    {"name": "name", "type": "STRING"},
    {"name": "raw", "type": "BYTES"},
    {"name": "flag", "type": "BOOL"},
    {"name": "at", "type": "TIMESTAMP"},
    {"name": "doc", "type": "JSON"},
    {"name": "tags", "type": "STRING", "mode": "REPEATED"},
]


def compared(one: Column) -> Checked:
    """A column that travels as it is."""
    return Checked(one.name.lower(), one, "", one.name, (one.name.lower(),))


COLUMNS = tuple(map(compared, bigquery_columns(FIELDS)))
DIALECTS = [REDSHIFT, BIGQUERY]
named = pytest.mark.parametrize("dialect", DIALECTS, ids=[one.name for one in DIALECTS])


def _golden(name: str, dialect: Dialect, texts: Sequence[str]) -> None:
    path = GOLDEN / f"{name}_{dialect.name.lower()}.sql"
    assert ";\n\n".join(texts) + ";\n" == path.read_text(), f"{path} says otherwise"


@named
def test_questions_are_the_golden_ones(dialect: Dialect) -> None:
    table = TABLES[dialect]
    _golden("segments", dialect, [segments(dialect, table, COLUMNS, 256, "id < 7")])
    _golden("refined", dialect, [questions.refined(dialect, table, COLUMNS[:2], [3, 200], 256, 4096)])
    _golden("rows", dialect, [questions.rows_of(dialect, table, COLUMNS, [3, 200], 256, 101, wanted=[-5, 7])])
    _golden("pieces", dialect, [questions.pieces_of(dialect, table, COLUMNS[:4], 3, [-5], 30_001)])
    _golden("aggregates", dialect, aggregates(dialect, table, COLUMNS, 8))


def test_a_child_of_a_generated_key_is_joined_to_its_parent() -> None:
    number = Column(name="__ls_row", kind=Kind.INT64, source_type="INT64")
    child = (Checked("__ls_row", number, "BIGINT", "__ls_row", ("__ls_row",), is_row_key=True), COLUMNS[3])
    table = child_table('"shop"."orders__items"', TABLES[REDSHIFT], COLUMNS[:2])
    _golden("child", REDSHIFT, [segments(REDSHIFT, table, child, 16)])


@named
def test_every_question_is_sql(dialect: Dialect) -> None:
    """One statement of the engine's own grammar."""
    asked = [
        segments(dialect, TABLES[dialect], COLUMNS, 16),
        *aggregates(dialect, TABLES[dialect], COLUMNS),
        questions.rows_of(dialect, TABLES[dialect], COLUMNS, range(16), 16, 10),
        f"SELECT {fingerprint_sql(dialect, COLUMNS[2])} FROM t AS __ls",
    ]
    assert all(len(sqlglot.parse(text, read=dialect.name.lower())) == 1 for text in asked)


@named
def test_a_name_is_never_syntax(dialect: Dialect) -> None:
    odd = Column(name='a"b`c\\', kind=Kind.INT64, source_type="INT64")
    text = segments(dialect, "t", [replace(compared(odd), path=odd.name)], 4)
    (tree,) = sqlglot.parse(text, read=dialect.name.lower())
    assert tree is not None
    assert odd.name in {found.name for found in tree.find_all(sqlglot.exp.Column)}


WIDE = [
    compared(Column(name=f"a_column_with_some_name_{k}", kind=Kind.INT64, source_type="INT64")) for k in range(1_600)
]


@pytest.mark.parametrize("kind", [Kind.INT64, Kind.FLOAT64, Kind.STRING, Kind.TIMESTAMP, Kind.DECIMAL])
@named
def test_statements_of_a_wide_table_have_room_in_the_data_api(dialect: Dialect, kind: Kind) -> None:
    source = Column(name="x", kind=kind, source_type="X", precision=38, scale=9)
    wide = [replace(one, source=source.model_copy(update={"name": one.name})) for one in WIDE]
    asked = [
        *(segments(dialect, TABLES[dialect], one, 32) for one in groups(wide)),
        *aggregates(dialect, TABLES[dialect], wide),
        *(questions.rows_of(dialect, TABLES[dialect], one, range(32), 32, 100) for one in groups(wide)),
    ]
    longest = max(len(text.encode()) for text in asked)
    if dialect is REDSHIFT:
        assert longest < questions.MAX_STATEMENT_BYTES
    assert longest < 1_000_000


def test_a_wide_child_of_a_wide_parent_has_room() -> None:
    key = replace(compared(Column(name="__ls_row", kind=Kind.INT64, source_type="INT64")), is_row_key=True)
    table = child_table('"s"."child"', '"s"."parent"', WIDE)
    asked = [segments(REDSHIFT, table, one, 16) for one in groups([key, *WIDE])]
    assert len(asked) > 1
    assert max(len(text.encode()) for text in asked) < questions.MAX_STATEMENT_BYTES


def test_groups_have_every_column_and_share_the_key() -> None:
    found = groups(WIDE, ["a_column_with_some_name_7"])
    assert len(found) > 1
    assert all(one[0] is WIDE[7] for one in found)
    assert [column for one in found for column in one[1:]] == [*WIDE[:7], *WIDE[8:]]
    assert all(one[:32] == tuple(WIDE[:32]) for one in groups(WIDE))
    assert [groups(one) for one in found] == [(one,) for one in found]
    assert groups(WIDE[:100], ["a_column_with_some_name_7"]) == (tuple(WIDE[:100]),)


@pytest.mark.parametrize("kind", [Kind.STRING, Kind.FLOAT64])
@pytest.mark.parametrize(("count", "keyed"), [(200, 200), (200, 199), (150, 100)])
def test_a_long_key_leaves_no_column_out_and_no_statement_without_room(kind: Kind, count: int, keyed: int) -> None:
    names = [f"a_name_as_long_as_redshift_has_them_{k}".ljust(127, "x") for k in range(count)]
    columns = [compared(Column(name=name, kind=kind, source_type="X")) for name in names]
    found = groups(columns, names[:keyed])
    assert len(found) > 1
    assert {one.name for group in found for one in group} == set(names)
    shared = anchors(columns, names[:keyed])
    assert shared
    assert all(group[: len(shared)] == shared and len(group) > len(shared) for group in found)
    assert [groups(one) for one in found] == [(one,) for one in found]
    parent = child_table('"s"."child"', '"s"."parent"', columns)
    asked = [segments(REDSHIFT, parent, one, 4096) for one in found]
    assert max(len(text.encode()) for text in asked) < questions.MAX_STATEMENT_BYTES


@named
def test_rows_without_columns_are_all_alike(dialect: Dialect) -> None:
    assert groups(()) == ((),)
    rows = with_rows(dialect, TABLES[dialect], (), more=["1 AS _k"])
    zero = dialect.number_text("0")
    assert dialect.fingerprint.format(f"{zero} || ',' || {zero}") in rows
    assert len(sqlglot.parse(rows, read=dialect.name.lower())) == 1


def test_sums_are_taken_modulo_2_64() -> None:
    rows = [(1, 2, str(2**64 + 5), "-1"), ("3", "1", "9223372036854775808", str(-(2**63) - 1))]
    found = sums_of(rows, 1, 4)
    assert found.counts.tolist() == [0, 2, 0, 1]
    assert found.rows.tolist() == [0, 5, 0, -(2**63)]
    assert found.columns.tolist() == [[0, -1, 0, 2**63 - 1]]
    assert found.rows.dtype == np.int64
    assert sums_of([(0, 1, "12.000000000")], 0, 1).rows.tolist() == [12]


UNSAID = {Kind.TIME_ZONED: "timetz", Kind.GEOMETRY: "geometry", Kind.INT16: ""}


@pytest.mark.parametrize("kind", UNSAID)
def test_bigquery_refuses_by_name_what_it_has_no_form_of(kind: Kind) -> None:
    one = compared(Column(name="x", kind=kind, source_type=UNSAID[kind]))
    if not UNSAID[kind]:
        assert fingerprint_sql(BIGQUERY, one)
        return
    with pytest.raises(TypeUnsupported, match=UNSAID[kind]) as refused:
        fingerprint_sql(BIGQUERY, one)
    assert refused.value.where == "x"
    inside = Column(name="s", kind=Kind.STRUCT, source_type="STRUCT", fields=(one.source,))
    with pytest.raises(TypeUnsupported, match=UNSAID[kind]) as refused:
        fingerprint_sql(BIGQUERY, compared(inside))
    assert refused.value.where == "s.x"


@named
def test_every_kind_that_a_target_has_can_be_asked(dialect: Dialect) -> None:
    for kind in set(Kind) - {Kind.STRUCT, Kind.ARRAY, Kind.RANGE, *([*UNSAID] if dialect is BIGQUERY else [])}:
        for handling in (Handling.SUPER, Handling.JSON_TEXT):
            one = replace(compared(Column(name="x", kind=kind, source_type="", precision=5)), handling=handling)
            assert fingerprint_sql(dialect, one)
            assert segments(dialect, "t", [one], 2)
            assert aggregates(dialect, "t", [one])
            assert questions.rows_of(dialect, "t", [one], [0], 2, 1)


def test_rows_of_many_long_values_stay_below_the_data_apis_bound() -> None:
    texts = [compared(Column(name=f"t{k}", kind=Kind.STRING, source_type="STRING")) for k in range(300)]
    for columns in (texts, texts[:1], [*WIDE[:400], *texts[:2]]):
        short = len(columns) - sum(one.source.kind is Kind.STRING for one in columns)
        assert questions.cell_bytes(columns) * (len(columns) - short) + 48 * short < 64 * 1024


def test_totals_of_many_digits_are_put_together() -> None:
    one = compared(Column(name="n", kind=Kind.DECIMAL, source_type="NUMERIC", precision=38, scale=9))
    (found,) = aggregates_of([one], [(9, 1, 2, "-1.500000000", "3", "12", "0.000000001")], 4)
    assert (found.values, found.nulls, found.distinct) == (8, 1, 8)
    assert (found.least, found.greatest) == ("-1.5", "3")
    assert found.total == 12 * 10**14 * 10**9 + 1


def test_a_sum_is_made_in_two_parts_only_where_the_engine_s_own_could_overflow() -> None:
    numeric = Column(name="n", kind=Kind.DECIMAL, source_type="NUMERIC", precision=38, scale=9)
    wide = numeric.model_copy(update={"source_type": "BIGNUMERIC", "scale": 14})
    short = numeric.model_copy(update={"precision": 20, "scale": 2})
    parts = {
        (dialect.name, column.source_type, column.precision): "FLOOR" in aggregates(dialect, "t", [compared(column)])[0]
        for dialect in (REDSHIFT, BIGQUERY)
        for column in (numeric, wide, short)
    }
    assert [name for name, divided in parts.items() if divided] == [
        ("Redshift", "NUMERIC", 38),
        ("Redshift", "BIGNUMERIC", 38),
        ("BigQuery", "NUMERIC", 38),
    ]
    (text,) = aggregates(BIGQUERY, "t", [compared(wide)])
    assert "MIN(_v0), MAX(_v0), 0, SUM(_v0)" in text


def test_a_total_keeps_the_digits_that_the_other_side_has_no_place_for() -> None:
    one = compared(Column(name="n", kind=Kind.DECIMAL, source_type="BIGNUMERIC", precision=38, scale=2))
    exact, more = aggregates_of([one, one], [(2, 0, 2, "1", "2", 0, "3.25"), (2, 0, 2, "1", "2", 0, "3.255")])
    assert (exact.total, more.total) == (325, Decimal("325.5"))


def test_no_rows_have_no_bounds() -> None:
    (number, paid, ratio, name, *_) = aggregates_of(
        COLUMNS[:4],
        [(0, 0, 0, None, None, None, 0, 0, None, None, None, 0, 0, None, None, None, 0, 0, 0, 0, None, None, None)],
    )
    assert {one.total for one in (number, paid, ratio, name)} == {None}
    assert (ratio.nans, name.max_bytes, name.least) == (0, None, None)
