"""Arrow, Redshift and BigQuery: the same values have the same fingerprints, whoever makes them."""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from google.cloud import bigquery

from lakeshift.lake import rows
from lakeshift.lake.farm import NULL_FINGERPRINT
from lakeshift.load import sql
from lakeshift.model import Column, Kind, TablePlan
from lakeshift.types.bigquery import columns as bigquery_columns
from lakeshift.validate import canonical, questions
from lakeshift.validate.aggregates import aggregates, aggregates_of
from lakeshift.validate.bands import BANDS, Band, bounds_of, with_band
from lakeshift.validate.columns import Checked, checked, checked_child, child_batch, value
from lakeshift.validate.dialects import BIGQUERY, REDSHIFT, Dialect
from lakeshift.validate.layers import lying_in, with_rows
from lakeshift.validate.questions import child_table, refined, rows_of, segments, sums_of
from lakeshift.validate.sums import Sums
from lakeshift.validate.tied import child_rows
from lakeshift.validate.totals import total
from localcloud.bigquery.seed import client
from localcloud.bigquery.server import Twin
from localcloud.bigquery.settings import Settings
from tests.localcloud.bigquery.connections import load_lines, read_client, read_table
from tests.validate import everything
from tests.validate.staged import Staged, Town, plan_of
from tests.validate.wire import batch

PROJECT, DATASET = "shop", "agreement"
SEGMENTS = 8
DEEP: list[dict[str, Any]] = [
    {"name": "k", "type": "STRING"},
    {"name": "whole", "type": "INT64"},
    {"name": "ratio", "type": "FLOAT64"},
    {"name": "paid", "type": "NUMERIC"},
    {"name": "exact", "type": "NUMERIC", "precision": "7", "scale": "2"},
    {"name": "big", "type": "BIGNUMERIC"},
    {"name": "born", "type": "DATE"},
    {"name": "clock", "type": "TIME"},
    {"name": "local", "type": "DATETIME"},
    {"name": "seen", "type": "TIMESTAMP"},
    {"name": "raw", "type": "BYTES"},
    {"name": "member", "type": "BOOL"},
    {"name": "doc", "type": "JSON"},
    {"name": "place", "type": "GEOGRAPHY"},
    {"name": "took", "type": "INTERVAL"},
    {"name": "span", "type": "RANGE", "rangeElementType": {"type": "TIMESTAMP"}},
    {"name": "days", "type": "DATE", "mode": "REPEATED"},
    {"name": "moments", "type": "TIMESTAMP", "mode": "REPEATED"},
    {"name": "numbers", "type": "NUMERIC", "mode": "REPEATED"},
]
NESTED: list[dict[str, Any]] = [
    {"name": "id", "type": "INT64"},
    {"name": "one", "type": "RECORD", "fields": [*DEEP, {"name": "in", "type": "RECORD", "fields": DEEP}]},
    {
        "name": "many",
        "type": "RECORD",
        "mode": "REPEATED",
        "fields": [*DEEP, {"name": "more", "type": "RECORD", "mode": "REPEATED", "fields": DEEP}],
    },
]
LEAF: dict[str, Any] = {
    "k": 'a "b" \\ \n\t\r\x08\x0c\x01 é €',
    "whole": 2**63 - 1,
    "ratio": 0.1,
    "paid": Decimal("-0.5"),
    "exact": Decimal("12345.67"),
    "big": Decimal("-12345678901234567890123456789012345678.5"),
    "born": date(1, 1, 1),
    "clock": time(23, 59, 59, 1),
    "local": datetime(9999, 12, 31, 23, 59, 59, 999_999),  # noqa: DTZ001 - a DATETIME has no zone
    "seen": datetime(1969, 12, 31, 23, 59, 59, 999_999),  # noqa: DTZ001 - written in UTC below
    "raw": b"\x00\xff",
    "member": False,
    "doc": '{"a":[1,null],"b":"é"}',
    "place": "POINT(1 2)",
    "took": "0-1 2 3:4:5.000006",
    "span": "[2024-01-01 00:00:00, UNBOUNDED)",
    "days": [date(2024, 2, 29), date(1600, 1, 1)],
    "moments": [],
    "numbers": [Decimal("99999999999999999999999999999.999999999"), Decimal(0)],
}
NOTHING: dict[str, Any] = {name: None for name in LEAF if name not in {"days", "moments", "numbers"}}
NESTED_ROWS: list[dict[str, Any]] = [
    {"id": 1, "one": {**LEAF, "in": LEAF}, "many": [{**LEAF, "more": [LEAF, NOTHING]}, {**NOTHING, "more": []}]},
    {"id": 2, "one": None, "many": []},
    {"id": 3, "one": {**NOTHING, "in": None}, "many": [{**NOTHING, "more": [NOTHING]}]},
    {"id": 4, "one": {**LEAF, "k": "", "whole": -(2**63), "ratio": 1.5, "in": NOTHING}, "many": []},
]


def _line(columns: Sequence[Column], row: dict[str, Any]) -> str:
    """A row as a load job of JSON lines takes it."""
    return json.dumps({one.name: _cell(one, row[one.name]) for one in columns if one.name in row})


def _cell(column: Column, found: Any) -> Any:
    if found is None:
        return None
    if column.kind is Kind.ARRAY:
        return [_cell(column.fields[0], one) for one in found]
    if column.kind is Kind.STRUCT:
        return {one.name: _cell(one, found[one.name]) for one in column.fields if one.name in found}
    if column.kind is Kind.RANGE and isinstance(found, dict):
        start, end = (found[name] or "UNBOUNDED" for name in ("start", "end"))
        return f"[{start}, {end})"
    return _CELLS.get(column.kind, str)(found)


_CELLS: dict[Kind, Callable[[Any], Any]] = {
    Kind.BOOLEAN: bool,
    Kind.JSON: json.loads,
    Kind.BYTES: lambda found: base64.b64encode(found).decode(),
    Kind.FLOAT64: lambda found: found if math.isfinite(found) else str(found).replace("inf", "Infinity"),
    Kind.INTERVAL: lambda found: found if isinstance(found, str) else rows.interval_text(found),
}


@dataclass(frozen=True)
class Google:
    """The local BigQuery with one data set."""

    twin: Twin
    bq: bigquery.Client

    def table(self, name: str, fields: list[dict[str, Any]], given: Sequence[dict[str, Any]]) -> pa.RecordBatch:
        """A table of these rows, and what the Storage Read API says of them."""
        columns, full = bigquery_columns(fields), f"{PROJECT}.{DATASET}.{name}"
        load_lines(self.bq, full, [_line(columns, row) for row in given], fields)
        (found,) = read_table(read_client(self.twin), full).combine_chunks().to_batches()
        return found

    def ask(self, text: str) -> list[tuple[object, ...]]:
        """The rows of a query."""
        return [tuple(row.values()) for row in self.bq.query_and_wait(text)]


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Google]:
    with (
        Twin(Settings(tmp_path_factory.mktemp("bigquery"))) as twin,
        client(twin.endpoint, twin.credentials, PROJECT) as bq,
    ):
        bq.create_dataset(f"{PROJECT}.{DATASET}")
        yield Google(twin, bq)


def named(name: str) -> str:
    """A table of the data set, quoted."""
    return f"`{PROJECT}`.`{DATASET}`.`{name}`"


Prints = list[tuple[int, ...]]


def of_lake(lake: pa.RecordBatch, columns: Sequence[Checked]) -> Prints:
    """The fingerprints of rows and values in Arrow, sorted."""
    prints, values = canonical.batch_fingerprints(lake, columns)
    return sorted(zip(prints.tolist(), *(one.tolist() for one in values), strict=True))


def prints_sql(dialect: Dialect, table: str, columns: Sequence[Checked]) -> str:
    """The same as a question."""
    names = ", ".join(["_r", *(f"_f{k}" for k in range(len(columns)))])
    return f"SELECT {names} FROM ({with_rows(dialect, table, columns)}) AS q"


def lake_sums(lake: pa.RecordBatch, columns: Sequence[Checked]) -> Sums:
    values = canonical.column_fingerprints(lake, columns)
    return Sums.of(canonical.row_fingerprints(values), values, SEGMENTS)


def same(first: Sums, second: Sums) -> bool:
    """True for equal sums."""
    pairs = zip((first.counts, first.rows, first.columns), (second.counts, second.rows, second.columns), strict=True)
    return all(bool((mine == theirs).all()) for mine, theirs in pairs)


TABLES = [
    ("scalars", everything.FIELDS, everything.rows()),
    ("nested", NESTED, NESTED_ROWS),
]


@pytest.mark.parametrize(("name", "fields", "given"), TABLES, ids=[table[0] for table in TABLES])
def test_every_type_has_the_same_fingerprints_in_all_three(
    google: Google, place: Town, name: str, fields: list[dict[str, Any]], given: list[dict[str, Any]]
) -> None:
    found = google.table(name, fields, given)
    plan = plan_of(bigquery_columns(fields), name=name)
    lake, columns, staged = rows.convert(found, plan.columns), checked(plan), place.waiting(plan, found)
    expected = of_lake(lake, columns)
    assert len(expected) == len(given)
    assert sorted(place.redshift.query(prints_sql(REDSHIFT, staged.table, columns))) == expected
    assert sorted(google.ask(prints_sql(BIGQUERY, named(name), columns))) == expected
    theirs, ours = (
        segments(dialect, table, columns, SEGMENTS)
        for dialect, table in ((REDSHIFT, staged.table), (BIGQUERY, named(name)))
    )
    sums = lake_sums(lake, columns)
    assert same(sums_of(place.redshift.query(theirs), len(columns), SEGMENTS), sums)
    assert same(sums_of(google.ask(ours), len(columns), SEGMENTS), sums)


def test_null_and_the_null_of_json_are_one_value_in_super_and_two_in_a_text_inside(google: Google, place: Town) -> None:
    """TO_JSON_STRING and JSON_SERIALIZE have the same text for both."""
    fields: list[dict[str, Any]] = [
        {"name": "doc", "type": "JSON"},
        {"name": "one", "type": "RECORD", "fields": [{"name": "doc", "type": "JSON"}]},
    ]
    null = "PARSE_JSON('null')"
    google.ask(
        f"CREATE TABLE {named('nulls')} AS SELECT {null} AS doc, STRUCT({null} AS doc) AS one "
        "UNION ALL SELECT NULL, STRUCT(CAST(NULL AS JSON) AS doc)"
    )
    (found,) = read_table(read_client(google.twin), f"{PROJECT}.{DATASET}.nulls").combine_chunks().to_batches()
    plan = plan_of(bigquery_columns(fields), name="nulls")
    lake, columns, staged = rows.convert(found, plan.columns), checked(plan), place.waiting(plan, found)
    expected = of_lake(lake, columns)
    assert [len({row[k] for row in expected}) for k in (1, 2)] == [1, 2]
    assert sorted(google.ask(prints_sql(BIGQUERY, named("nulls"), columns))) == expected
    assert sorted(place.redshift.query(prints_sql(REDSHIFT, staged.table, columns))) == expected


def _line_of(points: int, digits: str) -> str:
    return f"LINESTRING({','.join(f'{number / 100}{digits} {number / 1000}{digits}' for number in range(points))})"


@pytest.mark.parametrize("kind", [Kind.GEOGRAPHY, Kind.GEOMETRY])
def test_a_shape_of_many_points_has_a_text(place: Town, kind: Kind) -> None:
    """Of 57,510 bytes, that 17 digits would make 75,000; ST_AsText takes no more than 65,535."""
    shapes = [_line_of(4_000, "1"), _line_of(512, "123456789012345"), _line_of(513, "123456789012345"), None]
    column = Column(name="shape", kind=kind, source_type=kind.value)
    plan = plan_of((column,), name=f"long_{kind.value.lower()}")
    found = batch((column,), [{"shape": one} for one in shapes])
    lake, columns, staged = rows.convert(found, plan.columns), checked(plan), place.waiting(plan, found)
    assert sorted(place.redshift.query(prints_sql(REDSHIFT, staged.table, columns))) == of_lake(lake, columns)


@pytest.mark.parametrize("form", everything.FORMS)
def test_every_form_of_a_table_has_the_fingerprints_of_its_lake(place: Town, form: str) -> None:
    """Flattened columns, child tables with declared and generated keys, JSON text; types of other sources too."""
    chosen = everything.FORMS[form]
    plan = plan_of(chosen.columns, chosen.nested, name=f"form_{form.replace(' ', '_')}")
    found = batch([one.source for one in plan.columns], everything.rows())
    lake, columns, staged = rows.convert(found, plan.columns), checked(plan), place.waiting(plan, found)
    parents = canonical.row_fingerprints(canonical.column_fingerprints(lake, columns))
    assert sorted(place.redshift.query(prints_sql(REDSHIFT, staged.table, columns))) == of_lake(lake, columns)
    for number, child in enumerate(plan.children, 1):
        parts, own = checked_child(plan, child), sql.in_schema(plan, staged.tables[number])
        table = child_table(own, staged.table, columns) if plan.row_key else own
        expected = of_lake(child_batch(lake, plan, child, parents), parts)
        assert len(expected) > everything.ROWS
        assert sorted(place.redshift.query(prints_sql(REDSHIFT, table, parts))) == expected


def test_a_child_of_another_parent_is_seen(place: Town) -> None:
    """Its own columns are the same; only the parent's fingerprint tells them apart."""
    columns = bigquery_columns(
        [{"name": "name", "type": "STRING"}, {"name": "words", "type": "STRING", "mode": "REPEATED"}]
    )
    plan = plan_of(columns, {"columns": {"words": "child_table"}}, name="moved")
    found = batch(columns, [{"name": "a", "words": ["x", "y"]}, {"name": "b", "words": ["z"]}])
    staged = place.waiting(plan, found)
    table, parts = child_table(staged.child, staged.table, checked(plan)), checked_child(plan, plan.children[0])
    before = sorted(place.redshift.query(prints_sql(REDSHIFT, table, parts)))
    ((other,),) = place.redshift.query(f"SELECT __ls_row FROM {staged.table} WHERE name = 'b'")
    place.redshift.run(f"UPDATE {staged.child} SET __ls_row = '{other}' WHERE value = 'x'")
    after = sorted(place.redshift.query(prints_sql(REDSHIFT, table, parts)))
    assert len(before) == len(after) == 3
    assert len(set(before) - set(after)) == 1
    place.redshift.run(f"UPDATE {staged.child} SET __ls_row = 'nobody' WHERE value = 'y'")
    lost = set(place.redshift.query(prints_sql(REDSHIFT, table, parts))) - set(after)
    assert [row[1] for row in lost] == [NULL_FINGERPRINT]


def _doubles() -> list[float]:
    """Powers of two and their neighbours, where a logarithm can be off by one, and numbers of random bits."""
    random = Random(6)  # noqa: S311 - test data
    powers = [2.0**exponent for exponent in range(-1074, 1024)]
    edges = [math.nextafter(one, way) for one in powers for way in (-math.inf, math.inf)]
    bits = [struct.unpack("<d", random.randbytes(8))[0] for _ in range(3_000)]
    odd = [0.0, -0.0, math.nan, math.inf, -math.inf, 1e15, 1e16, 123456789.123456789, 1.7976931348623157e308]
    return [*powers, *edges, *(-one for one in edges), *bits, *odd]


def test_every_bit_of_a_float_counts_in_all_three(google: Google, place: Town) -> None:
    columns = bigquery_columns([{"name": "x", "type": "FLOAT64"}])
    single = Column(name="y", kind=Kind.FLOAT32, source_type="real")
    doubles = _doubles()
    with np.errstate(over="ignore"):
        singles = np.array(doubles).astype(np.float32).tolist()
    plan = plan_of((*columns, single), name="floats")
    found = batch((*columns, single), [{"x": x, "y": y} for x, y in zip(doubles, singles, strict=True)])
    lake, parts = rows.convert(found, plan.columns), checked(plan)
    staged = place.waiting(plan, found)
    assert sorted(place.redshift.query(prints_sql(REDSHIFT, staged.table, parts))) == of_lake(lake, parts)
    assert len({row[1] for row in of_lake(lake, parts)}) > len(doubles) - 50
    google.table("floats", [{"name": "x", "type": "FLOAT64"}], [{"x": x} for x in doubles])
    assert sorted(google.ask(prints_sql(BIGQUERY, named("floats"), parts[:1]))) == of_lake(
        lake.select(["x"]), parts[:1]
    )


@pytest.fixture(scope="module")
def both(google: Google, place: Town) -> tuple[TablePlan, pa.RecordBatch, Staged]:
    """A table of everything in all three."""
    found = google.table("everything", everything.FIELDS, everything.rows())
    plan = plan_of(bigquery_columns(everything.FIELDS), name="everything")
    return plan, found, place.waiting(plan, found)


Asked = tuple[TablePlan, pa.RecordBatch, Staged]


def test_refined_segments_are_those_of_the_lake(google: Google, place: Town, both: Asked) -> None:
    plan, found, staged = both
    columns, lake = checked(plan), rows.convert(found, plan.columns)
    prints = canonical.row_fingerprints(canonical.column_fingerprints(lake, columns))
    inside = prints[np.isin(prints & 3, [1, 2])]
    expected = [(place, int((inside & 63 == place).sum())) for place in sorted({int(one) & 63 for one in inside})]
    for dialect, ask, table in (
        (REDSHIFT, place.redshift.query, staged.table),
        (BIGQUERY, google.ask, named("everything")),
    ):
        answer = ask(refined(dialect, table, columns, [1, 2], 4, 64))
        assert [row[:2] for row in answer] == expected
        sums = sums_of(answer, 0, 64)
        assert sums.rows.sum() == inside.sum()


def test_rows_come_with_exact_texts(google: Google, place: Town, both: Asked) -> None:
    """The texts are the canonical ones; what has no room is told by its bytes, and can be asked for in pieces."""
    plan, found, staged = both
    columns, lake = checked(plan), rows.convert(found, plan.columns)
    arrays = [canonical.canonical(value(lake, one), one.source).to_pylist() for one in columns]
    prints = canonical.row_fingerprints(canonical.column_fingerprints(lake, columns)).tolist()
    most, some_segment = questions.cell_bytes(columns), prints[0] & 3
    texts = {row: tuple(_shown(one, most) for one in values) for row, *values in zip(prints, *arrays, strict=True)}
    for dialect, ask, table in (
        (REDSHIFT, place.redshift.query, staged.table),
        (BIGQUERY, google.ask, named("everything")),
    ):
        answer = ask(rows_of(dialect, table, columns, range(4), 4, 1_000))
        assert {row: tuple(values) for row, *values in answer} == texts
        some = [row for row in sorted(prints) if row & 3 == some_segment]
        assert [row[0] for row in ask(rows_of(dialect, table, columns, [some_segment], 4, 1_000))] == some
        assert [row[0] for row in ask(rows_of(dialect, table, columns, range(4), 4, 3))] == sorted(prints)[:3]
        assert [row[0] for row in ask(rows_of(dialect, table, columns, range(4), 4, 9, wanted=some[:2]))] == some[:2]
        long = prints[everything.rows().index(everything.row(6))]
        name = [one.name for one in columns].index("long")
        pieces = [
            ask(questions.pieces_of(dialect, table, columns, name, [long], start, 30_000))[0][1]
            for start in (1, 30_001, 60_001)
        ]
        assert bytes.fromhex("".join(map(str, pieces))).decode() == everything.LONG


def _shown(found: str | bytes | None, most: int) -> str | None:
    if isinstance(found, str) and len(found.encode()) > most:
        return f"{questions.TOO_LONG}{len(found.encode())}"
    return found.hex() if isinstance(found, bytes) else found


def test_aggregates_are_those_of_the_values(google: Google, place: Town, both: Asked) -> None:
    plan, found, staged = both
    columns, lake = checked(plan), rows.convert(found, plan.columns)
    per_engine = []
    for dialect, ask, table in (
        (REDSHIFT, place.redshift.query, staged.table),
        (BIGQUERY, google.ask, named("everything")),
    ):
        answers = [ask(text)[0] for text in aggregates(dialect, table, columns)]
        per_engine.append(dict(zip((one.name for one in columns), aggregates_of(columns, answers), strict=True)))
    for one in columns:
        array = value(lake, one)
        distinct = len(set(canonical.column_fingerprints(lake, [one])[0].tolist()) - {NULL_FINGERPRINT})
        for found_there in (per_engine[0][one.name], per_engine[1][one.name]):
            assert (found_there.nulls, found_there.values) == (array.null_count, len(array) - array.null_count), (
                one.name
            )
            assert found_there.distinct == distinct, one.name
            if one.source.kind not in {Kind.FLOAT64, Kind.STRING}:
                assert found_there.total == total(array), one.name
        assert per_engine[0][one.name] == per_engine[1][one.name] or one.source.kind is Kind.FLOAT64
    assert per_engine[0]["long"].max_bytes == 65_535
    assert (per_engine[0]["ratio"].nans, per_engine[0]["ratio"].infinities) == (1, 1)
    ratios = [one for one in found.column("ratio").to_pylist() if one is not None and math.isfinite(one)]
    assert (per_engine[0]["ratio"].least, per_engine[0]["ratio"].greatest) == (min(ratios), max(ratios))


ORDERED: list[dict[str, Any]] = [
    {"name": "id", "type": "INT64"},
    {"name": "day", "type": "DATE"},
    {"name": "local", "type": "DATETIME"},
    {"name": "seen", "type": "TIMESTAMP"},
]
FIRST, LAST = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999_999)  # noqa: DTZ001 - a DATETIME has no zone
ENDS: dict[str, tuple[Any, Any]] = {
    "id": (-1_000, 1_000),
    "day": (FIRST.date(), LAST.date()),
    "local": (FIRST, LAST),
    "seen": (FIRST, LAST),
}


def band_on(name: str) -> Band:
    """As statistics of all that a type holds would give it."""
    kind = next(one.kind for one in bigquery_columns(ORDERED) if one.name == name)
    least, greatest = (one if isinstance(one, int) else one.isoformat() for one in ENDS[name])
    return Band(name, bounds_of(kind, least, greatest))


def edges(name: str) -> list[Any]:
    """The ends, what equals a bound, what lies right before it, and NULL."""
    numbers = [number for bound in band_on(name).bounds for number in (bound - 1, bound)]
    return [*ENDS[name], *(_counted(name, one) for one in numbers), None]


def _counted(name: str, number: int) -> Any:
    if name == "id":
        return number
    if name == "day":
        return date(1970, 1, 1) + timedelta(days=number)
    return datetime(1970, 1, 1) + timedelta(microseconds=number)  # noqa: DTZ001 - a DATETIME has no zone


@pytest.fixture(scope="module")
def ordered(google: Google, place: Town) -> Asked:
    """A table of the kinds that bands are told by, in all three."""
    given = [dict(zip(ENDS, values, strict=True)) for values in zip(*map(edges, ENDS), strict=True)]
    # Far outside of the bounds, as the target may have it though the source never had.
    given += [{"id": number, "day": None, "local": None, "seen": None} for number in (-(2**63), 2**63 - 1)]
    found = google.table("ordered", ORDERED, given)
    plan = plan_of(bigquery_columns(ORDERED), name="ordered")
    return plan, found, place.waiting(plan, found)


@pytest.mark.parametrize("name", ENDS)
def test_rows_are_of_the_same_bands_in_all_three(google: Google, place: Town, ordered: Asked, name: str) -> None:
    plan, found, staged = ordered
    columns, lake = with_band(checked(plan), band_on(name)), rows.convert(found, plan.columns)
    expected = of_lake(lake, columns)
    assert {row[0] % BANDS for row in expected} == set(range(BANDS))
    plain = of_lake(lake, checked(plan))
    assert sorted(row[0] >> 4 for row in expected) == sorted(row[0] >> 4 for row in plain)
    for dialect, ask, table in (
        (REDSHIFT, place.redshift.query, staged.table),
        (BIGQUERY, google.ask, named("ordered")),
    ):
        assert sorted(ask(prints_sql(dialect, table, columns))) == expected
        for wanted in ({0}, {15}, {0, 15}, {3, 4, 9}, set(range(1, 16)), set(range(16))):
            inside = sorted(row[0] for row in expected if row[0] % BANDS in wanted)
            assert [row[0] for row in ask(_lying(dialect, table, columns, wanted))] == inside, wanted


def _lying(dialect: Dialect, table: str, columns: Sequence[Checked], wanted: Collection[int]) -> str:
    return f"SELECT _r FROM ({with_rows(dialect, table, columns, lying_in(dialect, columns, wanted))}) AS q ORDER BY 1"


@pytest.mark.parametrize("kind", [Kind.INT16, Kind.INT32])
def test_bands_of_short_integers(place: Town, kind: Kind) -> None:
    column = Column(name="id", kind=kind, source_type=kind.value)
    plan = plan_of((column,), name=f"short_{kind.value.lower()}")
    values = [-32_768, -1, 0, 1, 32_767, None]
    found = batch((column,), [{"id": one} for one in values])
    columns = with_band(checked(plan), Band("id", bounds_of(kind, -32_768, 32_767)))
    lake, staged = rows.convert(found, plan.columns), place.waiting(plan, found)
    assert sorted(row[0] % BANDS for row in of_lake(lake, columns)) == [0, 0, 7, 8, 8, 15]
    assert sorted(place.redshift.query(prints_sql(REDSHIFT, staged.table, columns))) == of_lake(lake, columns)


def test_what_ties_a_child_to_its_parent_has_no_band(place: Town) -> None:
    """Whoever asks with the columns of the parent that tell bands gets the same ties, on both sides."""
    fields = [{"name": "id", "type": "INT64"}, {"name": "words", "type": "STRING", "mode": "REPEATED"}]
    columns = bigquery_columns(fields)
    plan = plan_of(columns, {"columns": {"words": "child_table"}}, name="tied")
    assert plan.row_key
    found = batch(columns, [{"id": number, "words": ["x", "y"]} for number in range(40)])
    staged, parts = place.waiting(plan, found), checked_child(plan, plan.children[0])
    parents = with_band(checked(plan), Band("id", bounds_of(Kind.INT64, 0, 39)))
    lake = rows.convert(found, plan.columns)
    asked = place.redshift.query(prints_sql(REDSHIFT, child_table(staged.child, staged.table, parents), parts))
    assert sorted(asked) == of_lake(child_rows(lake, plan, plan.children[0], parents), parts)
