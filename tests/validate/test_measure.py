"""The pass over the lake's files: what it gives, how it goes on, and what it says of files that were damaged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakeshift.errors import StoreBusy, ValidationFailed
from lakeshift.lake import rows
from lakeshift.lake.checksum import row_hashes
from lakeshift.lake.memory import MemoryObjects
from lakeshift.lake.parquet import write
from lakeshift.lake.reader import LakeFileReader
from lakeshift.lake.statistics import Accumulator, empty, merge
from lakeshift.ledger.memory import MemoryLedger
from lakeshift.model import LakeFile, TablePlan
from lakeshift.ports import Defaults, Limits, Places, Ports
from lakeshift.validate import measure
from lakeshift.validate.bands import Band
from lakeshift.validate.compare import file_difference
from lakeshift.validate.measure import (
    MOST_SHARES,
    Facts,
    Measured,
    Scope,
    dealt_out,
    file_measured,
    measured,
    packed,
    together,
    unpacked,
)
from lakeshift.validate.sums import MAX_SUMS, Sample, Sums, segment_count
from lakeshift.validate.totals import added, float_bound, total
from tests.doubles import NOW
from tests.unit.plans import plan

FIELDS: list[dict[str, Any]] = [
    {"name": "id", "type": "INT64", "mode": "REQUIRED"},
    {"name": "note", "type": "STRING"},
    {"name": "price", "type": "NUMERIC"},
    {"name": "ratio", "type": "FLOAT64"},
    {"name": "legs", "type": "RECORD", "mode": "REPEATED", "fields": [{"name": "x", "type": "INT64"}]},
]
COUNT = 2_000
GROUP = 300
KEY = "raw/a.parquet"


def table(count: int = COUNT) -> pa.Table:
    """Rows of the lake, some of them with NULLs."""
    wanted = rows.schema(PLAN.columns)
    columns = {
        "id": range(count),
        "note": [None if i % 7 == 0 else f"note {i % 50}" for i in range(count)],
        "price": [Decimal(i).scaleb(-2) for i in range(count)],
        "ratio": [i / 3 for i in range(count)],
        "legs": [[{"x": i}] * (i % 3) for i in range(count)],
    }
    return pa.table({name: pa.array(list(values), wanted.field(name).type) for name, values in columns.items()}, wanted)


PLAN = plan(FIELDS)
TABLE = table()
BODY = write([TABLE.slice(start, GROUP) for start in range(0, COUNT, GROUP)], TABLE.schema)
FILE = LakeFile(key=KEY, offset=0, read=COUNT, rows=COUNT, bytes=len(BODY), sha256=hashlib.sha256(BODY).hexdigest())


class Counting(MemoryObjects):
    """Buckets that note which bytes were read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[tuple[int, int]] = []

    def read_range(self, bucket: str, key: str, start: int, length: int) -> bytes:
        self.reads.append((start, length))
        return super().read_range(bucket, key, start, length)


def ports(body: bytes = BODY) -> tuple[Ports, Counting]:
    """Ports over a lake of one file."""
    objects = Counting()
    objects.put("lake", KEY, body)

    def none(_: object) -> None:
        raise AssertionError("nothing else is asked")

    found = Ports(
        places=Places("config", "lake", "staging"),
        defaults=Defaults(1, True, "", "dev", "", "w", ""),
        ledger=MemoryLedger(),
        objects=objects,
        source=none,  # type: ignore[arg-type]
        warehouse=none,  # type: ignore[arg-type]
        clock=lambda: NOW,
        limits=Limits(readers=2),
    )
    return found, objects


def after(calls: int) -> Callable[[], bool]:
    """A clock that says stop at the given question."""
    left = [calls]

    def stop() -> bool:
        left[0] -= 1
        return left[0] < 0

    return stop


def never() -> bool:
    return False


@pytest.mark.parametrize(
    ("sizes", "share_bytes", "expected"),
    [
        ([], 10, [[]]),
        ([0, 0], 10, [[0, 0]]),
        ([5, 6, 7], 100, [[5, 6, 7]]),
        ([5, 5, 5, 5], 10, [[5, 5], [5, 5]]),
        ([100, 1, 1, 1], 10, [[100], [1, 1, 1]]),
        ([7, 7, 7], 1, [[7], [7], [7]]),
        ([7, 7], 10, [[7], [7]]),
    ],
)
def test_files_are_dealt_out_in_order_by_their_bytes(
    sizes: list[int], share_bytes: int, expected: list[list[int]]
) -> None:
    files = [FILE.model_copy(update={"key": str(n), "bytes": size}) for n, size in enumerate(sizes)]
    found = dealt_out(files, share_bytes)
    assert [[file.bytes for file in share] for share in found] == expected
    assert [file for share in found for file in share] == files


def test_no_table_has_more_shares_than_may_be_read_side_by_side() -> None:
    files = [FILE.model_copy(update={"key": str(n), "bytes": 10 + n % 3}) for n in range(1_000)]
    found = dealt_out(files, 1)
    assert len(found) == MOST_SHARES
    sizes = [sum(file.bytes for file in share) for share in found]
    assert max(sizes) - min(sizes) <= 2 * 12


def same(first: Measured, second: Measured) -> bool:
    """Whether two measures are equal, digests aside."""
    facts = first.facts.model_copy(update={"sha256": ""}) == second.facts.model_copy(update={"sha256": ""})
    pairs = zip(first.parts, second.parts, strict=True)
    return facts and all(
        np.array_equal(mine.sums.counts, theirs.sums.counts)
        and np.array_equal(mine.sums.rows, theirs.sums.rows)
        and np.array_equal(mine.sums.columns, theirs.sums.columns)
        and mine.totals == pytest.approx(theirs.totals)
        and mine.nulls == theirs.nulls
        and all(np.array_equal(a.kept, b.kept) for a, b in zip(mine.samples, theirs.samples, strict=True))
        for mine, theirs in pairs
    )


def test_a_file_gives_the_statistics_that_were_taken_of_its_rows_and_its_digest() -> None:
    found = file_measured(ports()[0], Scope(PLAN, 4), FILE, never)
    taken = Accumulator(TABLE.schema)
    taken.add(TABLE)
    assert found.facts.statistics == taken.result()
    assert (found.facts.rows, found.facts.bytes, found.facts.sha256) == (COUNT, len(BODY), FILE.sha256)
    assert found.facts.done
    (part,) = found.parts
    assert part.sums.counts.sum() == COUNT
    assert part.nulls == (0, TABLE["note"].null_count, 0, 0, 0)
    assert part.totals[0] == sum(range(COUNT))
    assert part.totals[2] == sum(range(COUNT)) * 10**7
    assert part.samples[1].distinct == len(set(TABLE["note"].to_pylist()) - {None})


def test_each_byte_of_a_large_file_is_read_once() -> None:
    large = table(90_000)
    body = write([large.slice(start, 10_000) for start in range(0, 90_000, 10_000)], large.schema)
    adapters, objects = ports(body)
    found = file_measured(adapters, Scope(PLAN), FILE, never)
    assert found.facts.sha256 == hashlib.sha256(body).hexdigest()
    end = 256 * 1024
    assert len(body) > 2 * end
    assert sum(length for _, length in objects.reads) <= len(body) + end
    assert max(length for _, length in objects.reads) <= end, "one row group at a time"


def test_row_groups_that_are_not_wanted_are_not_requested() -> None:
    large = table(90_000)
    body = write([large.slice(start, 10_000) for start in range(0, 90_000, 10_000)], large.schema)
    _, objects = ports(body)
    reader = LakeFileReader(partial(objects.read_range, "lake", KEY), len(body))
    before = len(objects.reads)

    def wanted(group: pq.RowGroupMetaData) -> bool:
        return bool(group.column(0).statistics.min <= 25_000 <= group.column(0).statistics.max)

    (found,) = reader.batches(wanted=wanted)
    assert found.column(0).to_pylist() == list(range(20_000, 30_000))
    ((_, length),) = objects.reads[before:]
    assert length < len(body) / 8
    assert reader.sha256() == ""


@pytest.mark.parametrize("calls", [1, 2, 4])
def test_a_file_whose_pass_stops_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch, calls: int) -> None:
    monkeypatch.setattr(measure, "CHECKPOINT_BYTES", 0)
    adapters, objects = ports()
    whole = file_measured(ports()[0], Scope(PLAN, 4), FILE, never)
    part = file_measured(adapters, Scope(PLAN, 4), FILE, after(calls))
    assert not part.facts.done
    assert part.facts.groups == calls
    assert part.facts.sha256 == ""
    decoded = noted(monkeypatch)
    rest = file_measured(adapters, Scope(PLAN, 4), FILE, never)
    assert decoded == [(KEY, number) for number in range(calls, -(-COUNT // GROUP))]
    assert same(rest, whole)
    assert rest.facts == whole.facts, "its bytes are compared too"
    assert objects.keys("staging")


def noted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Row groups that are decoded from now on."""
    found: list[tuple[str, int]] = []
    real = LakeFileReader._group

    def group(self: LakeFileReader, number: int) -> pa.RecordBatch:
        found.append((self._window._read.args[1], number))  # type: ignore[attr-defined]
        return real(self, number)

    monkeypatch.setattr(LakeFileReader, "_group", group)
    return found


def written(ids: list[int]) -> bytes:
    """A file of the table's rows with other numbers."""
    changed = TABLE.set_column(0, TABLE.schema.field(0), pa.array(ids, pa.int64()))
    return write([changed.slice(start, GROUP) for start in range(0, COUNT, GROUP)], changed.schema)


def test_a_file_that_was_exchanged_between_two_calls_is_said_to_have_other_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(measure, "CHECKPOINT_BYTES", 0)
    ids = np.random.default_rng(1).integers(2**62, size=COUNT).tolist()
    body, other = written(ids), written([ids[0] ^ 1, *ids[1:]])
    assert len(body) == len(other)
    file = FILE.model_copy(update={"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()})
    adapters, objects = ports(body)
    assert not file_measured(adapters, Scope(PLAN), file, after(3)).facts.done
    objects.put("lake", KEY, other)
    found = file_measured(adapters, Scope(PLAN), file, never)
    assert found.facts.done
    assert "other bytes" in file_difference(file, found.facts)


def test_a_file_of_fewer_row_groups_in_its_place_is_measured_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "CHECKPOINT_BYTES", 0)
    adapters, objects = ports()
    assert file_measured(adapters, Scope(PLAN, 4), FILE, after(5)).facts.groups == 5
    body = write([TABLE], TABLE.schema)
    objects.put("lake", KEY, body)
    found = file_measured(adapters, Scope(PLAN, 4), FILE, never)
    assert (found.facts.done, found.facts.groups, found.facts.bytes) == (True, 1, len(body))
    assert found.facts.sha256 == hashlib.sha256(body).hexdigest()
    assert found.parts[0].sums.counts.sum() == COUNT


SMALL = 100


def small_files(count: int) -> tuple[Ports, Counting, list[LakeFile]]:
    """A lake of files that are far too small to be kept each by itself."""
    adapters, objects = ports()
    files = []
    for number in range(count):
        rows_of_it = TABLE.slice(number * 10, 10)
        body = write([rows_of_it], rows_of_it.schema)
        key = f"raw/{number:03}.parquet"
        objects.put("lake", key, body)
        digest = hashlib.sha256(body).hexdigest()
        files.append(LakeFile(key=key, offset=number, read=10, rows=10, bytes=len(body), sha256=digest))
    return adapters, objects, files


def whole_of(found: list[tuple[LakeFile, Measured]]) -> Measured:
    """What a pass over files has given in all."""
    assert all(one.facts.done for _, one in found)
    parts: Any = ()
    statistics = empty()
    for _, one in found:
        parts, statistics = together(parts, one.parts), merge(statistics, one.facts.statistics)
    return Measured(Facts(statistics=statistics), parts)


def test_a_table_of_many_small_files_comes_to_its_end_however_short_its_calls_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    adapters, objects, files = small_files(SMALL)
    assert sum(file.bytes for file in files) < measure.CHECKPOINT_BYTES
    expected = whole_of(list(measured(adapters, Scope(PLAN, 4, keeps=False), files, never)))
    decoded = noted(monkeypatch)
    for _ in range(SMALL):
        found = list(measured(adapters, Scope(PLAN, 4), files, after(15)))
        assert len(objects.keys("staging")) == 1
        assert [one.facts.done for _, one in found] == [(file.key, 0) in decoded for file in files]
        if all(one.facts.done for _, one in found):
            break
    assert sorted(decoded) == [(file.key, 0) for file in files], "each is read once"
    assert same(whole_of(found), expected)
    assert [file_difference(file, one.facts) for file, one in found] == [""] * SMALL
    assert same(whole_of(list(measured(adapters, Scope(PLAN, 4), files, never))), expected)
    assert len(decoded) == SMALL, "the next call finds all of it"


def test_a_pass_that_dies_has_kept_what_it_had_a_while_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "KEEP_SECONDS", 0)
    adapters, objects, files = small_files(SMALL)
    adapters = replace(adapters, limits=Limits(readers=1))
    real = objects.size

    def size(bucket: str, key: str) -> int:
        if key == files[60].key:
            raise StoreBusy("not now")
        return real(bucket, key)

    monkeypatch.setattr(objects, "size", size)
    with pytest.raises(StoreBusy):
        list(measured(adapters, Scope(PLAN), files, never))
    assert len(objects.keys("staging")) == 1
    monkeypatch.setattr(objects, "size", real)
    decoded = noted(monkeypatch)
    assert all(one.facts.done for _, one in measured(adapters, Scope(PLAN), files, never))
    assert sorted(key for key, _ in decoded) == [file.key for file in files[60:]]


def test_a_table_that_is_read_in_no_time_is_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    adapters, objects, files = small_files(3)
    monkeypatch.setattr(objects, "get", lambda *_: pytest.fail("it was looked up"))
    assert all(one.facts.done for _, one in measured(adapters, Scope(PLAN), files, never))
    assert not objects.keys("staging")


def test_a_pass_that_keeps_nothing_takes_nothing_that_was_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "CHECKPOINT_BYTES", 0)
    adapters, objects = ports(b"damaged")
    assert whole_facts(adapters, Scope(PLAN)).damage
    kept = objects.keys("staging")
    assert kept
    objects.put("lake", KEY, BODY)
    assert whole_facts(adapters, Scope(PLAN)).damage
    assert not whole_facts(adapters, Scope(PLAN, keeps=False)).damage
    assert not file_measured(adapters, Scope(PLAN, keeps=False), FILE, after(3)).facts.done
    assert objects.keys("staging") == kept


def whole_facts(adapters: Ports, scope: Scope) -> Facts:
    ((_, found),) = measured(adapters, scope, [FILE], never)
    return found.facts


def test_what_is_kept_counts_for_one_attempt_and_one_cut_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "CHECKPOINT_BYTES", 0)
    adapters, _ = ports()
    decoded = noted(monkeypatch)
    for scope in (
        Scope(PLAN, 4),
        Scope(PLAN, 8),
        Scope(PLAN, 4, attempt=1),
        Scope(PLAN.model_copy(update={"lake_prefix": "raw/b/"}), 4),
        Scope(PLAN, 4, band=Band("id", tuple(range(15)))),
        Scope(PLAN, 4, band=Band("id", tuple(range(1, 16)))),
    ):
        whole_facts(adapters, scope)
        assert decoded
        decoded.clear()
        whole_facts(adapters, scope)
        assert not decoded


def test_files_come_in_their_order_and_none_after_the_time_is_up() -> None:
    adapters, _ = ports()
    files = [FILE.model_copy(update={"offset": number}) for number in range(5)]
    assert [file.offset for file, _ in measured(adapters, Scope(PLAN), files, never)] == [0, 1, 2, 3, 4]
    late = [found.facts.done for _, found in measured(adapters, Scope(PLAN), files, lambda: True)]
    assert late == [False] * 5


def test_a_measure_is_the_same_after_it_was_written_down() -> None:
    found = file_measured(ports()[0], Scope(PLAN, 16), FILE, never)
    files = {3: found.facts.model_copy(update={"statistics": empty()}), 0: Facts(done=True, damage="it is gone")}
    again, told = unpacked(packed(found, files))
    assert same(found, again)
    assert again.facts == found.facts
    assert told == files
    assert unpacked(packed(Measured()))[0] == Measured()


def test_parts_of_a_table_add_up_to_the_whole() -> None:
    whole = file_measured(ports()[0], Scope(PLAN, 8), FILE, never)
    halves = []
    for half in (TABLE.slice(0, 777), TABLE.slice(777)):
        body = write([half], half.schema)
        halves.append(file_measured(ports(body)[0], Scope(PLAN, 8), FILE, never))
    both = replace(whole, parts=together(halves[1].parts, halves[0].parts))
    assert same(both, whole)
    assert together((), whole.parts) == whole.parts


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not a whole Parquet file"),
        (BODY[:-1], "not a whole Parquet file"),
        (BODY[: len(BODY) // 2] + b"PAR1", "damaged"),
        (BODY[:-8] + b"\xff\xff\xff\x7fPAR1", "damaged"),
        (write([TABLE.drop_columns(["note"])], TABLE.drop_columns(["note"]).schema), "4 columns"),
        (
            write(
                [TABLE.set_column(0, "id", TABLE["id"].cast(pa.string()))],
                TABLE.schema.set(0, pa.field("id", pa.string())),
            ),
            "id is string, not int64",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_said_to_be_damaged(body: bytes, said: str) -> None:
    found = file_measured(ports(body)[0], Scope(PLAN), FILE, never)
    assert found.facts.done
    assert said in found.facts.damage
    assert found.parts == ()


def test_damage_inside_a_column_names_row_group_and_column() -> None:
    body = write([TABLE.slice(0, 100)], TABLE.schema)
    place = body.index(b"PAR1", 4)
    assert place > 0
    import pyarrow.parquet as pq

    chunk = pq.ParquetFile(pa.BufferReader(body)).metadata.row_group(0).column(1)
    start = min(chunk.data_page_offset, chunk.dictionary_page_offset or chunk.data_page_offset)
    broken = bytearray(body)
    broken[start : start + 8] = b"\xff" * 8
    reader = LakeFileReader(lambda first, length: bytes(broken[first : first + length]), len(broken))
    with pytest.raises(ValidationFailed, match="row group 0 cannot be decoded: note"):
        list(reader.batches())


def test_a_file_that_is_gone_is_damaged() -> None:
    found = file_measured(ports()[0], Scope(PLAN), FILE.model_copy(update={"key": "raw/none.parquet"}), never)
    assert found.facts.damage == "it is gone"


def test_segments_are_a_power_of_two_and_their_sums_are_bounded() -> None:
    for count in (0, 1, 1_000, 10**6, 10**10):
        for columns in (1, 16, 200, 1_600):
            found = segment_count(count, columns)
            assert found & (found - 1) == 0
            assert found * columns <= MAX_SUMS
            assert found <= 4_096
    assert segment_count(3, 2) == 1
    assert segment_count(10**6, 16) == 1_024


def test_sums_do_not_hang_on_the_order_of_rows_and_tell_every_swap() -> None:
    hashes = row_hashes(pa.RecordBatch.from_pydict({"x": list(range(500))})).view(np.int64)
    values = [hashes, hashes[::-1].copy()]
    order = np.random.default_rng(1).permutation(500)
    found = Sums.of(hashes, values, 8)
    shuffled = Sums.of(hashes[order], [one[order] for one in values], 8)
    assert not len(found.differing(shuffled))
    swapped = [values[0], np.concatenate([values[1][1:2], values[1][:1], values[1][2:]])]
    assert len(Sums.of(hashes, swapped, 1).differing_columns(Sums.of(hashes, values, 1))) == 0
    short = Sums.of(hashes[:-1], [one[:-1] for one in values], 8)
    assert short.differing(found).tolist() == [int(hashes[-1]) & 7]


def test_a_sample_tells_distinct_values_exactly_while_there_is_room_and_about_beyond() -> None:
    few = row_hashes(pa.RecordBatch.from_pydict({"x": [i % 100 for i in range(10_000)]})).view(np.int64)
    assert Sample.nothing(10).plus(few).distinct == 100
    many = row_hashes(pa.RecordBatch.from_pydict({"x": list(range(200_000))})).view(np.int64)
    sample = Sample.nothing(10)
    for part in np.array_split(many, 7):
        sample = sample.plus(part)
    assert len(sample.kept) <= sample.room
    assert abs(sample.distinct - 200_000) < 0.1 * 200_000
    halves = Sample.nothing(10).plus(many[:70_000]) + Sample.nothing(10).plus(many[50_000:])
    assert halves.distinct == sample.distinct
    assert np.array_equal(halves.kept, sample.kept)


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([2**63 - 1, 2**63 - 1, 1, None], pa.int64(), 2**64 - 1),
        ([-(2**63), -(2**63)], pa.int64(), -(2**64)),
        ([True, None, True, False], pa.bool_(), 2),
        ([Decimal("99999999999999999999999999999999999.999")] * 3, pa.decimal128(38, 3), 3 * (10**38 - 1)),
        ([Decimal("-0.001"), Decimal("-99999999999999999999999999999999999.999")], pa.decimal128(38, 3), -(10**38)),
        ([1.5, float("nan"), float("inf"), None], pa.float64(), 1.5),
        (["a"], pa.string(), None),
        ([], pa.int64(), 0),
    ],
)
def test_totals_are_exact(values: list[object], kind: pa.DataType, expected: object) -> None:
    assert total(pa.array(values, kind)) == expected
    assert total(pa.array([values[0] if values else None, *values], kind).slice(1)) == expected


def test_totals_of_parts_add_up_and_floats_stay_within_their_bound() -> None:
    assert added((), (1, None)) == (1, None)
    assert added((1, None, 0.5), (2**80, None, 0.25)) == (2**80 + 1, None, 0.75)
    values = np.random.default_rng(2).standard_normal(10_000) * 1e6
    one, other = float(np.cumsum(values)[-1]), float(np.cumsum(values[::-1])[-1])
    assert abs(one - other) <= float_bound(len(values), float(np.abs(values).max()))


def test_results_have_the_schema_that_is_documented() -> None:
    from lakeshift.validate.results import schema

    text = (Path(__file__).parents[2] / "docs" / "reference" / "check-results.md").read_text()
    named = [line.split("|")[1].strip(" `") for line in text.splitlines() if line.startswith("| `")]
    assert named[: len(schema().names)] == schema().names
    assert json.dumps(schema().names)


def test_a_plan_of_child_tables_has_parts_for_them() -> None:
    with_child: TablePlan = PLAN
    scope = Scope(with_child)
    assert [len(part.columns) for part in scope.parts] == [5]
