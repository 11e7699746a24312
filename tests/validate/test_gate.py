"""The gate over tables that were really extracted and loaded: what it finds, how it says so, what it leaves behind."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from lakeshift.errors import StillRunning, ValidationFailed, WrongState
from lakeshift.ledger.memory import MemoryLedger
from lakeshift.model import CheckResult, CheckStatus, Depth, Gate, Masking, TablePlan, TableState, Verdict
from lakeshift.ports import Ports
from lakeshift.types.bigquery import columns
from lakeshift.validate import depth as depths
from lakeshift.validate import measure, results
from lakeshift.validate.step import Validated, read_share, validate
from tests.doubles import NOW
from tests.unit.plans import entry, migration, planned
from tests.validate.staged import Found, Staged, Town, _planned, plan_of

FIELDS: list[dict[str, Any]] = [
    {"name": "id", "type": "INT64", "mode": "REQUIRED"},
    {"name": "note", "type": "STRING"},
    {"name": "doc", "type": "JSON"},
    {"name": "ratio", "type": "FLOAT64"},
    {
        "name": "legs",
        "type": "RECORD",
        "mode": "REPEATED",
        "fields": [{"name": "x", "type": "INT64"}, {"name": "y", "type": "STRING"}],
    },
]
COUNT = 60
SECRET = "nobody may read this"  # noqa: S105 - a value of rows


def source() -> pa.RecordBatch:
    """Rows as a read stream delivers them."""
    legs = pa.list_(pa.struct([("x", pa.int64()), ("y", pa.string())]))
    return pa.record_batch(
        {
            "id": pa.array(range(COUNT), pa.int64()),
            "note": pa.array([f"{SECRET} {i}" for i in range(COUNT)]),
            "doc": pa.array([f'{{"a":{i},"b":"t"}}' for i in range(COUNT)]),
            "ratio": pa.array([i / 7 for i in range(COUNT)], pa.float64()),
            "legs": pa.array([[{"x": i, "y": "q"}] * (i % 3) for i in range(COUNT)], legs),
        }
    )


@pytest.fixture(scope="module")
def loaded(place: Town) -> Staged:
    """A table that waits at the gate."""
    return place.waiting(plan_of(columns(FIELDS), name="orders"), source())


@pytest.fixture(scope="module")
def parent(place: Town) -> Staged:
    """One with a child table that a generated key ties to it."""
    return place.waiting(plan_of(columns(FIELDS), {"default": "child_table"}, "parents"), source())


@pytest.fixture
def staged(loaded: Staged) -> Iterator[Staged]:
    """The table, made sound again afterwards."""
    yield loaded
    loaded.put_back()


@pytest.fixture
def family(parent: Staged) -> Iterator[Staged]:
    """The table with a child, made sound again afterwards."""
    yield parent
    parent.put_back()


def told(staged: Staged, found: Found) -> list[CheckResult]:
    return results.read(staged.place.ports(staged.ledger), found.verdict.results)


def statuses(found: list[CheckResult], column: str) -> dict[str, CheckStatus]:
    return {one.check: one.status for one in found if one.column == column}


def lake_with(staged: Staged, column: str, change: Callable[[pa.ChunkedArray], Any]) -> None:
    lake = staged.lake()
    place = lake.schema.get_field_index(column)
    staged.write_lake(lake.set_column(place, lake.schema.field(place), change(lake.column(column))))


@pytest.mark.parametrize("depth", Depth)
def test_a_sound_table_passes_at_every_depth_and_each_asks_no_more_than_it_needs(staged: Staged, depth: Depth) -> None:
    staged.place.redshift.asked.clear()
    found = staged.gate(depth)
    assert found.error is None
    assert found.verdict.passed
    assert set(found.verdict.checks) == {CheckStatus.OK}
    asked = staged.place.redshift.asked
    checks = {one.check for one in told(staged, found)}
    assert any("SUM(" in text for text in asked) == depth.includes(Depth.AGGREGATES)
    assert ("checksum" in checks) == depth.includes(Depth.CHECKSUM)
    assert ("source_checksum" in checks) == depth.includes(Depth.AGGREGATES)
    assert {"schema", "rows", "quarantine"} <= checks
    read = sum(one.bytes_scanned for one in told(staged, found))
    assert read == (sum(file.bytes for file in staged.extracted.files) if depth.includes(Depth.AGGREGATES) else 0)


def test_one_other_value_in_the_target_is_named_by_column_and_segment_and_shown_nowhere(
    staged: Staged, capsys: pytest.CaptureFixture[str]
) -> None:
    staged.place.redshift.run(f"UPDATE {staged.table} SET note = '{SECRET} here' WHERE id = 7")
    found = staged.gate(Depth.CHECKSUM)
    assert found.error
    assert "1 row is changed: rows differ in segment 0 of 1" in found.error.what
    assert "(depth checksum)" in found.error.what
    assert SECRET not in str(found.error) + capsys.readouterr().out
    verdict = found.verdict
    assert (verdict.passed, verdict.columns, verdict.segments, verdict.rows) == (False, ("note",), (0,), 1)
    named = statuses(told(staged, found), "note")
    assert named["checksum"] is CheckStatus.FAILED
    assert statuses(told(staged, found), "ratio")["checksum"] is CheckStatus.OK
    assert staged.place.redshift.query(f"SELECT COUNT(*) FROM {staged.table}") == [(COUNT,)]


def gated(staged: Staged, gate: Gate) -> Verdict:
    """What a gate of these terms leaves in the ledger."""
    ports, plan = begun(staged, gate)
    with contextlib.suppress(ValidationFailed):
        validate(ports, plan.run, plan.source.id)
    verdict = ports.ledger.table(plan.run, plan.source.id).verdict
    assert verdict
    return verdict


def begun(staged: Staged, gate: Gate | None, state: TableState = TableState.LOADED) -> tuple[Ports, TablePlan]:
    """Ports whose ledger knows the table and a plan with this gate, and nothing else."""
    ports = staged.place.ports(MemoryLedger())
    plan = staged.plan.model_copy(update={"gate": gate})
    ports.ledger.claim(staged.run)
    ports.ledger.add_tables([_planned(ports, plan, staged.record).model_copy(update={"state": state})])
    return ports, plan


def test_plans_that_were_written_before_there_was_a_choice_follow_the_file(staged: Staged) -> None:
    ports, plan = begun(staged, None)
    assert validate(ports, plan.run, plan.source.id).next == "done"
    verdict = ports.ledger.table(plan.run, plan.source.id).verdict
    assert verdict
    assert verdict.depth is Depth.CHECKSUM


@pytest.mark.parametrize(
    ("mask", "texts", "numbers"),
    [(Masking.NONE, f"{SECRET} 0", "0"), (Masking.TEXT, "hidden", "0"), (Masking.ALL, "hidden", "hidden")],
)
def test_least_and_greatest_values_are_shown_as_far_as_they_may_be(
    staged: Staged, mask: Masking, texts: str, numbers: str
) -> None:
    verdict = gated(staged, Gate(depth=Depth.AGGREGATES, mask=mask))
    found = results.read(staged.place.ports(staged.ledger), verdict.results)
    least = {one.column: one for one in found if one.check == "min"}
    assert {least["note"].source_value, least["note"].lake_value, least["note"].target_value} == {texts}
    assert least["id"].target_value == numbers
    assert all(SECRET not in str(one) for one in found) or mask is Masking.NONE


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM {table} WHERE id = 3", "1 row is missing"),
        ("INSERT INTO {table} SELECT * FROM {table} WHERE id = 3", "1 row is too many"),
    ],
)
def test_rows_that_are_missing_or_too_many_are_counted_and_blame_no_column(
    staged: Staged, statement: str, said: str
) -> None:
    staged.place.redshift.run(statement.format(table=staged.table))
    assert "row counts differ" in str(staged.gate(Depth.COUNT).error)
    found = staged.gate(Depth.ROWS)
    assert said in str(found.error)
    assert "row counts differ" in str(found.error)
    assert found.verdict.columns == ()
    assert found.verdict.rows == 1
    assert found.verdict.differences


def test_other_spellings_of_one_value_pass_and_are_noted(staged: Staged) -> None:
    other = 'JSON_PARSE(\'{"b":"t","a":5}\')'
    staged.place.redshift.run(f"UPDATE {staged.table} SET doc = {other} WHERE id = 5")
    found = staged.gate(Depth.CHECKSUM)
    assert found.error is None
    assert found.verdict.checks[CheckStatus.EQUAL_BY_VALUE] == 2
    assert found.verdict.rows == 0
    assert statuses(told(staged, found), "doc")["checksum"] is CheckStatus.EQUAL_BY_VALUE


def test_as_many_rows_as_the_tolerance_allows_may_differ(staged: Staged) -> None:
    staged.place.redshift.run(f"UPDATE {staged.table} SET ratio = -1 WHERE id IN (3, 4)")
    assert staged.gate(Depth.CHECKSUM, rows=1).error
    for allowed in ({"rows": 2}, {"percent": 4.0}):
        found = staged.gate(Depth.CHECKSUM, **allowed)
        assert found.error is None
        assert found.verdict.rows == 2
        assert "tolerance" in {one.column: one for one in told(staged, found) if one.difference}["ratio"].difference
    staged.place.redshift.run(f"DELETE FROM {staged.table} WHERE id = 3")
    assert staged.gate(Depth.COUNT, rows=1).error is None
    assert staged.gate(Depth.COUNT).error


def test_more_rows_than_may_be_compared_fail_the_table_and_say_so(staged: Staged) -> None:
    staged.place.redshift.run(f"UPDATE {staged.table} SET ratio = -1")
    found = staged.gate(Depth.CHECKSUM, max_rows=5)
    assert "maxRowsCompared" in str(found.error)
    assert "ratio" in found.verdict.columns


def test_a_lake_file_altered_after_the_load_is_named_with_its_columns_and_segments(staged: Staged) -> None:
    lake_with(staged, "note", pc.utf8_upper)
    found = staged.gate(Depth.CHECKSUM)
    (file,) = staged.extracted.files
    assert found.verdict.files == (file.key,)
    assert found.verdict.columns == ("note",)
    assert found.verdict.segments == (0,)
    for part in ("note: the lake does not hold what was read of the source", file.key, f"{COUNT} rows are changed"):
        assert part in str(found.error)
    assert "DELETE" not in str(found.error)


def test_values_that_changed_rows_are_found_though_every_column_adds_up(staged: Staged) -> None:
    lake_with(staged, "ratio", lambda values: pa.chunked_array([values.combine_chunks()[::-1]]))
    found = staged.gate(Depth.CHECKSUM)
    assert "values stand in other rows" in str(found.error)
    assert statuses(told(staged, found), "ratio")["source_checksum"] is CheckStatus.OK


def test_the_same_rows_in_other_bytes_are_no_failure(staged: Staged) -> None:
    staged.write_lake(staged.lake(), rows=7)
    found = staged.gate(Depth.CHECKSUM)
    assert found.error is None
    assert found.verdict.checks[CheckStatus.EQUAL_BY_VALUE] == 1


def test_a_file_that_cannot_be_read_stops_before_the_warehouse_is_asked_for_sums(staged: Staged) -> None:
    (file,) = staged.extracted.files
    staged.place.objects.put("lake", file.key, b"PAR1 nothing else PAR1")
    staged.place.redshift.asked.clear()
    found = staged.gate(Depth.CHECKSUM)
    assert f"the file {file.key} is damaged" in str(found.error)
    assert not any("SUM(" in text for text in staged.place.redshift.asked)


def test_without_statistics_the_source_is_not_checked_and_files_still_are(place: Town) -> None:
    plan = plan_of(columns(FIELDS), name="bare").model_copy(update={"statistics": False})
    staged = place.waiting(plan, source())
    found = staged.gate(Depth.CHECKSUM)
    assert found.error is None
    unchecked = [one for one in told(staged, found) if one.status is CheckStatus.NOT_CHECKED]
    assert [one.check for one in unchecked] == ["source_checksum"]
    assert '"statistics" of "extract" is off' in unchecked[0].difference
    lake_with(staged, "ratio", lambda values: pc.add(values, 1.0))
    assert "it was written with" in str(staged.gate(Depth.AGGREGATES).error)
    staged.drop()


def test_a_child_that_belongs_to_another_parent_is_found(family: Staged) -> None:
    assert family.gate(Depth.CHECKSUM).error is None
    run = family.place.redshift.run
    rows = family.place.redshift.query(f"SELECT id, __ls_row FROM {family.table} WHERE id IN (1, 4) ORDER BY id")
    (_, first), (_, second) = rows
    run(f"UPDATE {family.child} SET __ls_row = 'swap' WHERE __ls_row = '{first}'")
    run(f"UPDATE {family.child} SET __ls_row = '{first}' WHERE __ls_row = '{second}'")
    run(f"UPDATE {family.child} SET __ls_row = '{second}' WHERE __ls_row = 'swap'")
    found = family.gate(Depth.CHECKSUM)
    name = family.plan.children[0].table
    assert any(column.startswith(name) for column in found.verdict.columns) or name in str(found.error)
    assert "note" not in found.verdict.columns


def test_a_parent_that_is_spelled_in_another_way_blames_no_child(family: Staged) -> None:
    other = 'JSON_PARSE(\'{"b":"t","a":5}\')'
    family.place.redshift.run(f"UPDATE {family.table} SET doc = {other} WHERE id = 5")
    found = family.gate(Depth.CHECKSUM)
    assert found.error is None
    assert CheckStatus.FAILED not in found.verdict.checks


def test_a_parent_that_has_changed_blames_no_child(family: Staged) -> None:
    family.place.redshift.run(f"UPDATE {family.table} SET ratio = -1 WHERE id = 5")
    found = family.gate(Depth.CHECKSUM)
    assert found.verdict.columns == ("ratio",)
    assert found.verdict.rows == 1


def test_a_gate_that_runs_out_of_time_goes_on_where_it_was(staged: Staged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "CHECKPOINT_BYTES", 0)
    ports, plan = begun(staged, Gate())
    ledger = ports.ledger
    calls = [0]

    def late() -> bool:
        calls[0] += 1
        return calls[0] > 2

    assert validate(ports, plan.run, plan.source.id, late).next == "validate"
    kept = ledger.table(plan.run, plan.source.id)
    assert kept.state is TableState.LOADED
    assert kept.spans["validate"].ended is None
    assert [key for key in staged.place.objects.keys("staging") if "/measured/" in key]
    assert validate(ports, plan.run, plan.source.id).next == "done"
    done = ledger.table(plan.run, plan.source.id)
    assert done.spans["validate"].started == kept.spans["validate"].started
    assert done.state is TableState.VALIDATED
    assert validate(ports, plan.run, plan.source.id).next == "done"


@pytest.fixture(scope="module")
def in_files(place: Town) -> Staged:
    """A table of four files."""
    plan = plan_of(columns(FIELDS), name="many").model_copy(update={"file_bytes": 1})
    return place.waiting(plan, source())


@pytest.fixture
def many(in_files: Staged) -> Iterator[Staged]:
    """The table, made sound again afterwards."""
    yield in_files
    in_files.put_back()


def test_the_files_of_a_large_table_are_read_by_shares_and_no_file_twice(
    many: Staged, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []
    read = many.place.objects.read_range

    def counted(bucket: str, key: str, start: int, length: int) -> bytes:
        reads.extend([key] * (bucket == "lake"))
        return read(bucket, key, start, length)

    monkeypatch.setattr(many.place.objects, "read_range", counted)
    files = [file.key for file in many.extracted.files]
    ports, plan = begun(many, Gate(share_bytes=1))
    about = plan.run, plan.source.id
    assert validate(ports, *about) == Validated(next="lake", shares=(0, 1, 2, 3))
    assert not reads
    assert not read_share(ports, *about, 0, lambda: True)
    assert not reads
    for share in (1, 2):
        assert read_share(ports, *about, share)
        assert {files.index(key) for key in reads} == {share}
        reads.clear()
        assert read_share(ports, *about, share)
        assert not reads
    assert validate(ports, *about) == Validated(next="lake", shares=(0, 3))
    assert read_share(ports, *about, 0)
    reads.clear()
    assert validate(ports, *about, rest=True).next == "done"
    assert {files.index(key) for key in reads} == {3}, "what the shares gave is put together, the rest is read"
    reads.clear()
    verdict = ports.ledger.table(*about).verdict
    assert verdict
    assert set(verdict.checks) == {CheckStatus.OK}
    assert read_share(ports, *about, 0), "a late one finds nothing to do"
    assert not reads


def test_tables_of_one_share_and_depths_that_read_no_files_have_none(many: Staged) -> None:
    for gate in (Gate(), Gate(share_bytes=1, depth=Depth.COUNT)):
        ports, plan = begun(many, gate)
        assert validate(ports, plan.run, plan.source.id).next == "done"


def test_what_differs_in_one_share_is_found_as_in_one_pass(many: Staged) -> None:
    lake = many.lake(2)
    place = lake.schema.get_field_index("note")
    many.write_lake(lake.set_column(place, lake.schema.field(place), pc.utf8_upper(lake.column("note"))), 2)
    whole, shared = many.gate(Depth.ROWS), many.gate(Depth.ROWS, share_bytes=1)
    assert whole.error
    assert shared.error
    assert shared.error.what == whole.error.what
    assert shared.rows == whole.rows != []
    assert shared.verdict.columns == whole.verdict.columns == ("note",)


def test_a_file_that_cannot_be_read_is_named_by_the_share_that_has_it(many: Staged) -> None:
    cut = many.extracted.files[3].key
    many.place.objects.put("lake", cut, b"PAR1")
    assert many.gate(Depth.CHECKSUM, share_bytes=1).verdict.files == (cut,)


def test_a_table_that_is_not_loaded_has_nothing_to_validate(staged: Staged) -> None:
    ports, plan = begun(staged, Gate(), TableState.LOADING)
    with pytest.raises(WrongState):
        validate(ports, plan.run, plan.source.id)


def test_a_rule_has_a_gate_of_its_own_and_plans_without_one_follow_the_file() -> None:
    rule = {"match": "Orders", "validation": {"depth": "rows", "tolerance": {"rows": 3}, "mask": "all"}}
    config = migration([rule, {"match": "*"}], validation={"depth": "count", "maxRowsCompared": 9})
    own = planned(entry(FIELDS, "Orders", rule=0), config).gate
    assert own == Gate(depth=Depth.ROWS, rows=3, mask=Masking.ALL)
    other = planned(entry(FIELDS, "Other", rule=1), config).gate
    assert other == Gate(depth=Depth.COUNT, max_rows=9)
    assert other is not None
    assert (other.allows(0, 10), other.allows(1, 10)) == (True, False)
    assert Gate(percent=10.0).allows(1, 10)
    assert not Gate(percent=9.0).allows(1, 10)


LEGS = {
    "name": "legs",
    "type": "RECORD",
    "mode": "REPEATED",
    "fields": [
        {"name": "x", "type": "INT64"},
        {"name": "in", "type": "RECORD", "mode": "REPEATED", "fields": [{"name": "z", "type": "STRING"}]},
    ],
}


@pytest.mark.parametrize(("count", "name"), [(20, "arrays"), (0, "no_arrays")])
def test_a_table_whose_columns_all_became_child_tables_is_compared_by_these(place: Town, count: int, name: str) -> None:
    legs = pa.list_(pa.struct([("x", pa.int64()), ("in", pa.list_(pa.struct([("z", pa.string())])))]))
    made = [[{"x": i, "in": [{"z": "q"}] * (i % 2)}] * (i % 3) for i in range(count)]
    plan = plan_of(columns([LEGS]), {"default": "child_table"}, name)
    staged = place.waiting(plan, pa.record_batch({"legs": pa.array(made, legs)}))
    found = staged.gate(Depth.CHECKSUM)
    assert found.error is None
    assert set(found.verdict.checks) == {CheckStatus.OK}
    if count:
        place.redshift.run(f"UPDATE {staged.child} SET x = 100 WHERE x = 7")
        assert f"{plan.children[0].table}.x" in staged.gate(Depth.CHECKSUM).verdict.columns
    staged.drop()


def test_a_question_that_takes_longer_than_a_call_is_said_once_and_its_answer_fetched_later(
    staged: Staged, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: dict[str, int] = {}
    waiting: list[str] = []
    answer = staged.place.redshift.query

    def slow(text: str, token: str = "") -> list[tuple[object, ...]]:
        """What has a token is at its end when it is asked about for the third time."""
        if token:
            said[token] = said.get(token, 0) + 1
            if said[token] < 3:
                waiting.append(token)
                raise StillRunning("not yet")
        return answer(text)

    monkeypatch.setattr(staged.place.redshift, "query", slow)
    ports, plan = begun(staged, Gate(depth=Depth.CHECKSUM))
    calls = 1
    while validate(ports, plan.run, plan.source.id, lambda: bool(waiting and waiting.pop())).next != "done":
        calls += 1
        assert ports.ledger.table(plan.run, plan.source.id).state is TableState.LOADED
    assert calls > 1
    assert len(said) >= 2, "the sums and the aggregates"
    assert set(said.values()) >= {3}, "asked about again, by the same token"
    assert ports.ledger.table(plan.run, plan.source.id).state is TableState.VALIDATED
    # Another look does not take the answers of this one.
    again, _ = begun(staged, Gate(depth=Depth.CHECKSUM))
    first = set(said)
    later = replace(again, clock=lambda: NOW + timedelta(hours=1))
    while validate(later, plan.run, plan.source.id).next != "done":
        pass
    assert not first & (set(said) - first)
    assert len(said) == 2 * len(first)


def test_a_declared_key_that_names_several_rows_keeps_the_table_back_though_every_row_is_equal(place: Town) -> None:
    once = source()
    twice = pa.Table.from_batches([once, once.slice(3, 2)]).combine_chunks().to_batches()[0]
    staged = place.waiting(plan_of(columns(FIELDS), name="doubled"), twice)
    assert staged.plan.primary_key == ("id",)
    found = staged.gate(Depth.CHECKSUM)
    assert found.error
    assert "2 values of the primary key (id) stand in several rows" in found.error.what
    by_check = {(one.column, one.check): one.status for one in told(staged, found)}
    assert by_check["", "unique"] is CheckStatus.FAILED
    assert {status for check, status in by_check.items() if check[1] != "unique"} == {CheckStatus.OK}
    bare = staged.plan.model_copy(update={"primary_key": ()})
    staged.plan = bare
    assert staged.gate(Depth.CHECKSUM).error is None
    staged.drop()


ALIKE: list[dict[str, Any]] = [
    {"name": "kind", "type": "STRING"},
    {"name": "doc", "type": "JSON"},
    {"name": "xs", "type": "INT64", "mode": "REPEATED"},
]


def test_children_of_rows_that_only_json_tells_apart_are_said_to_be_unchecked_once_it_is_spelled_otherwise(
    place: Town,
) -> None:
    rows = pa.record_batch(
        {
            "kind": pa.array(["k"] * 4),
            "doc": pa.array([f'{{"a":{n},"b":"t"}}' for n in range(4)]),
            "xs": pa.array([[n] for n in range(4)], pa.list_(pa.int64())),
        }
    )
    plan = plan_of(columns(ALIKE), {"default": "child_table"}, "alike").model_copy(update={"primary_key": ()})
    staged = place.waiting(plan, rows)
    child, run = plan.children[0].table, place.redshift.run
    assert (child, "parents") not in {(one.column, one.check) for one in told(staged, staged.gate(Depth.CHECKSUM))}
    (first,), (second,) = place.redshift.query(f"SELECT __ls_row FROM {staged.child} WHERE value < 2")
    run(f"UPDATE {staged.child} SET __ls_row = '{first}' WHERE __ls_row = '{second}' AND value = 1")
    run(f"UPDATE {staged.child} SET __ls_row = '{second}' WHERE __ls_row = '{first}' AND value = 0")
    assert staged.gate(Depth.CHECKSUM).error
    run(f'UPDATE {staged.table} SET doc = JSON_PARSE(\'{{"b":"t","a":3}}\') WHERE doc.a = 3')
    found = staged.gate(Depth.CHECKSUM)
    (said,) = [one for one in told(staged, found) if one.check == "parents"]
    assert (said.column, said.status) == (child, CheckStatus.NOT_CHECKED)
    assert said.difference.startswith("3 rows of its parent table are like others")
    staged.drop()


def test_one_damaged_file_among_several_stops_the_table_and_is_named(place: Town) -> None:
    plan = plan_of(columns(FIELDS), name="several").model_copy(update={"file_bytes": 1})
    staged = place.waiting(plan, source())
    files = staged.extracted.files
    assert len(files) > 2
    place.objects.put("lake", files[1].key, b"PAR1 nothing else PAR1")
    found = staged.gate(Depth.CHECKSUM)
    assert f"the file {files[1].key} is damaged" in str(found.error)
    assert found.verdict.files == (files[1].key,)
    staged.drop()


def test_rows_that_a_call_had_no_time_for_are_looked_at_by_the_next(
    staged: Staged, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = 'JSON_PARSE(\'{"b":"t","a":5}\')'
    staged.place.redshift.run(f"UPDATE {staged.table} SET doc = {other} WHERE id = 5")
    ports, plan = begun(staged, Gate())
    asked = staged.place.redshift.asked
    asked.clear()
    monkeypatch.setattr(depths, "_READ_SECONDS", -1.0)
    assert validate(ports, plan.run, plan.source.id, lambda: any("SUM(_r" in text for text in asked)).next == "validate"
    assert any("SUM(_r" in text for text in asked)
    assert validate(ports, plan.run, plan.source.id).next == "done"
    verdict = ports.ledger.table(plan.run, plan.source.id).verdict
    assert verdict
    assert verdict.checks[CheckStatus.EQUAL_BY_VALUE] == 2


def test_elements_that_nobody_counted_are_not_said_to_be_there(place: Town) -> None:
    plan = plan_of(columns(FIELDS), {"default": "child_table"}, "uncounted").model_copy(update={"statistics": False})
    staged = place.waiting(plan, source())
    place.redshift.run(f"DELETE FROM {staged.child}")
    found = staged.gate(Depth.COUNT)
    elements = statuses(told(staged, found), plan.children[0].table)
    assert elements == {"schema": CheckStatus.OK, "elements": CheckStatus.NOT_CHECKED}
    assert staged.gate(Depth.CHECKSUM).error
    staged.drop()


def test_elements_of_as_many_rows_as_the_tolerance_allows_may_be_missing(family: Staged) -> None:
    query, run = family.place.redshift.query, family.place.redshift.run
    ((key,),) = query(f"SELECT __ls_row FROM {family.table} WHERE id = 5")
    run(f"DELETE FROM {family.child} WHERE __ls_row = '{key}'", f"DELETE FROM {family.table} WHERE id = 5")
    assert family.gate(Depth.CHECKSUM, rows=1).error
    found = family.gate(Depth.CHECKSUM, rows=2)
    assert found.error is None
    (said,) = [one for one in told(family, found) if one.check == "elements"]
    assert "58 rows for 60 elements" in said.difference
    assert "within the tolerance" in said.difference


def test_what_there_is_nothing_to_compare_of_is_no_check(place: Town) -> None:
    plan = plan_of(columns(FIELDS), name="keyless").model_copy(update={"primary_key": ()})
    staged = place.waiting(plan, source())
    assert not {"unique", "key", "append"} & {one.check for one in told(staged, staged.gate(Depth.CHECKSUM))}
    staged.drop()


def test_a_column_without_a_difference_is_not_said_to_be_spelled_otherwise_because_its_row_is_in_another_segment(
    place: Town,
) -> None:
    count = 2_000
    rows = pa.record_batch({"id": pa.array(range(count)), "note": pa.array([f"note {n}" for n in range(count)])})
    staged = place.waiting(plan_of(columns(FIELDS[:2]), name="segments"), rows)
    for change, of_note in (("note || ' '", CheckStatus.FAILED), ("note", CheckStatus.OK)):
        place.redshift.run(f"UPDATE {staged.table} SET note = {change} WHERE id IN (5, 6, 7)")
        found = staged.gate(Depth.CHECKSUM)
        assert (found.error is None) == (of_note is CheckStatus.OK)
        assert statuses(told(staged, found), "note")["checksum"] is of_note
        assert statuses(told(staged, found), "id")["checksum"] is CheckStatus.OK
        staged.put_back()
    staged.drop()


def test_elements_that_are_missing_are_not_called_tolerated_where_nothing_is(
    family: Staged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakeshift.validate.step.elements_of", lambda *_: 61)
    found = family.gate(Depth.CHECKSUM)
    assert found.error
    assert "60 rows for 61 elements" in found.error.what
