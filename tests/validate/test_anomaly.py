"""What a run has brought against what earlier runs have brought: found where it should be, quiet where it should."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa
import pytest

from lakeshift.lake import keys
from lakeshift.lake.statistics import Accumulator
from lakeshift.load import history
from lakeshift.model import CheckResult, CheckStatus, Depth, ExtractManifest, Gate, Increment, Statistics
from lakeshift.plan.table import gate_of
from lakeshift.validate import results, trend
from lakeshift.validate.anomaly import (
    Anomaly,
    ColumnProfile,
    Limits,
    Profile,
    columns_of,
    compared,
    results_of,
    said,
)
from tests.crash.fake import FakeWarehouse
from tests.unit.plans import PLAIN, SNAPSHOT, Answers, migration, plan, ports

LIMITS = Limits()


def profile(run: int, rows: int = 10_000, *, mode: str = "", **columns: Any) -> Profile:
    """A profile of a run; each column by (nulls, least, greatest, mean, distinct), what is left out is None."""
    made = tuple(
        ColumnProfile(path=path, values=rows, nulls=given[0], **dict(zip(_FIELDS, given[1:], strict=False)))
        for path, given in columns.items()
    )
    return Profile(run=f"r{run}", extract=f"raw/r{run}/", rows=rows, mode=mode, columns=made)


_FIELDS = ("least", "greatest", "mean", "distinct")


def found(now: Profile, *earlier: Profile, limits: Limits = LIMITS) -> set[tuple[str, str]]:
    return {(one.column, one.measure) for one in compared(now, earlier, limits).anomalies}


def test_a_first_run_has_nothing_to_compare_with() -> None:
    alone = compared(profile(1, 0, c=(0,)), (), LIMITS)
    assert (alone.anomalies, alone.earlier, alone.shares_before) == ((), (), {})


@pytest.mark.parametrize(
    ("before", "now", "odd"),
    [
        ([10_000], 15_000, False),
        ([10_000], 15_001, True),
        ([10_000, 20_000], 22_500, False),
        ([10_000], 4_000, True),
        ([0], 12, False),
        ([0], 13, True),
        ([4], 8, False),
        ([10_000], 0, True),
    ],
)
def test_few_runs_are_compared_by_a_part_of_what_was_there(before: list[int], now: int, odd: bool) -> None:
    earlier = [profile(place, rows) for place, rows in enumerate(before)]
    assert found(profile(9, now), *earlier) == ({("", "rows")} if odd else set())


@pytest.mark.parametrize(
    ("before", "now", "odd"),
    [
        # Median 1,000, MAD 20: 3.5 x 1.4826 x 20 = 103.78; the noise of 1,000 is 31.6, and 3.5 times that is 110.7.
        ([1_000, 980, 1_020], 1_110, False),
        ([1_000, 980, 1_020], 1_117, True),
        # MAD 200: 1,037.8.
        ([10_000, 9_800, 10_200, 9_500, 10_400], 11_037, False),
        ([10_000, 9_800, 10_200, 9_500, 10_400], 11_038, True),
        ([10_000, 9_800, 10_200, 9_500, 10_400], 8_962, True),
        # No spread at all: one percent of a million, 3.5 times.
        ([1_000_000] * 5, 1_035_000, False),
        ([1_000_000] * 5, 1_035_001, True),
        # One bad run among good ones neither hides the next one nor makes a good one odd.
        ([10_000, 10_050, 50, 9_950, 10_020], 60, True),
        ([10_000, 10_050, 50, 9_950, 10_020], 10_010, False),
    ],
)
def test_several_runs_are_compared_by_their_own_spread(before: list[int], now: int, odd: bool) -> None:
    earlier = [profile(place, rows) for place, rows in enumerate(before)]
    assert found(profile(99, now), *earlier) == ({("", "rows")} if odd else set())


def test_growth_at_a_steady_pace_is_usual_and_a_leap_is_not() -> None:
    earlier = [profile(place, 10_000 + 500 * place, c=(0, 1.0, 100.0 * (20 + place))) for place in reversed(range(20))]
    assert found(profile(99, 20_000, c=(0, 1.0, 4_000.0)), *earlier) == set()
    assert found(profile(99, 40_000, c=(0, 1.0, 9_000.0)), *earlier) == {("", "rows"), ("c", "maximum")}


@pytest.mark.parametrize(
    ("rows", "before", "now", "odd"),
    [
        (10_000, [0, 0, 0], 20, False),
        (10_000, [0, 0, 0], 40, True),
        (10_000, [1_000, 1_010, 990], 1_100, False),
        (10_000, [1_000, 1_010, 990], 1_200, True),
        (10_000, [10_000, 10_000, 10_000], 9_900, True),
        (3, [0, 0, 0], 1, False),
        (10_000, [0], 400, False),
        (10_000, [0], 600, True),
        (10_000, [6_000], 3_900, True),
        (10_000, [6_000], 4_100, False),
    ],
)
def test_a_share_of_nulls_moves_by_chance_in_small_tables_only(
    rows: int, before: list[int], now: int, odd: bool
) -> None:
    earlier = [profile(place, rows, c=(nulls,)) for place, nulls in enumerate(before)]
    assert found(profile(9, rows, c=(now,)), *earlier) == ({("c", "null_share")} if odd else set())


def test_values_that_lie_elsewhere_stand_out() -> None:
    earlier = [profile(place, price=(0, 1.0, 100.0, 50.0 + place / 10, 900.0 + place)) for place in range(5)]
    assert found(profile(9, price=(0, 1.0, 101.0, 50.1, 905.0)), *earlier) == set()
    cents = profile(9, price=(0, 100.0, 10_000.0, 5_000.0, 903.0))
    assert found(cents, *earlier) == {("price", "minimum"), ("price", "maximum"), ("price", "mean")}
    one = profile(9, price=(0, 1.0, 100.0, 50.0, 3.0))
    assert found(one, *earlier) == {("price", "distinct")}


def test_an_estimate_may_err_as_far_as_estimates_do() -> None:
    """1.2 / sqrt(4,096) of 1,070,000 is 20,063; 3.5 times that is 70,219."""
    earlier = [profile(place, 2_000_000, c=(0, None, None, None, 1_000_000.0)) for place in range(3)]
    for distinct, odd in ((1_070_000.0, set()), (1_071_000.0, {("c", "distinct")})):
        assert found(profile(9, 2_000_000, c=(0, None, None, None, distinct)), *earlier) == odd


def test_an_increment_is_compared_with_increments() -> None:
    whole = [profile(place, 1_000_000, c=(0,)) for place in range(5)]
    days = [profile(place, 1_000, mode="replace", at=(0, 100.0 * place, 100.0 * place + 99)) for place in (8, 7, 6)]
    next_day = profile(9, 1_010, mode="replace", at=(0, 900.0, 999.0))
    assert found(next_day, *whole) == set()
    assert found(next_day, *whole, *days[:1]) == set(), "it lies elsewhere, as an increment does"
    assert found(next_day, *whole, *days) == set()
    assert found(profile(9, 1_010, mode="replace", at=(0, 9_000.0, 9_099.0)), *days) == {
        ("at", "minimum"),
        ("at", "maximum"),
    }
    assert found(profile(9, 0, mode="replace"), *days) == {("", "rows")}


def test_an_extract_that_was_loaded_twice_counts_once() -> None:
    first, second = profile(1, 10_000), profile(2, 30_000)
    again = second.model_copy(update={"run": "r3"})
    made = compared(profile(4, 10_000), [again, second, first], LIMITS)
    assert made.earlier == ("r3", "r1")
    assert compared(again, [second, first], LIMITS).earlier == ("r1",)


def test_limits_are_settings() -> None:
    one, five = [profile(1)], [profile(place, 10_000 + 100 * place) for place in range(5)]
    assert found(profile(9, 12_000), *one, limits=Limits(change=0.1)) == {("", "rows")}
    assert found(profile(9, 12_000), *one, limits=Limits(change=0.3)) == set()
    assert found(profile(9, 11_000), *five, limits=Limits(score=3)) == {("", "rows")}
    assert found(profile(9, 11_000), *five, limits=Limits(score=10)) == set()


def test_chance_alone_is_quiet() -> None:
    """Runs drawn from one distribution: of 200 tables of four measures each, hardly one stands out."""
    dice = random.Random(6)  # noqa: S311 - a test's dice

    def drawn(run: int) -> Profile:
        nulls = sum(dice.random() < 0.1 for _ in range(500))
        return profile(run, round(dice.gauss(500, 20)), c=(nulls, 0.0, 1.0, dice.gauss(0.5, 0.013)))

    odd = sum(bool(found(drawn(99), *map(drawn, range(12)))) for _ in range(200))
    assert odd <= 6


COLUMNS = pa.table(
    {
        "n": pa.array([1, None, 3], pa.int64()),
        "f": pa.array([0.5, float("nan"), float("inf")]),
        "d": pa.array(["-1.50", "2.25", None]).cast(pa.decimal128(38, 2)),
        "day": pa.array([0, 1, None], pa.date32()),
        "at": pa.array([1_500_000, None, 0], pa.timestamp("us", "UTC")),
        "clock": pa.array([3_600_000_000, 0, None], pa.time64("us")),
        "text": ["1", "2", None],
        "raw": pa.array([b"\x01", None, None], pa.binary()),
        "yes": [True, False, None],
        "items": pa.array([[{"price": 4}, {"price": None}], [], None], pa.list_(pa.struct([("price", pa.int64())]))),
        "nothing": pa.array([None, None, None], pa.int32()),
    }
)


def statistics() -> Statistics:
    made = Accumulator(COLUMNS.schema)
    made.add(COLUMNS)
    return made.result()


def test_numbers_dates_and_times_have_places_and_texts_have_none() -> None:
    shown = {one.path: (one.values, one.nulls, one.least, one.greatest) for one in columns_of(statistics())}
    assert shown == {
        "n": (3, 1, 1.0, 3.0),
        "f": (3, 0, 0.5, 0.5),
        "d": (3, 1, -1.5, 2.25),
        "day": (3, 1, 0.0, 86_400.0),
        "at": (3, 1, 0.0, 1.5),
        "clock": (3, 1, 0.0, 3_600.0),
        "text": (3, 1, None, None),
        "raw": (3, 2, None, None),
        "yes": (3, 1, None, None),
        "items": (3, 1, None, None),
        "items[].price": (2, 1, 4.0, 4.0),
        "nothing": (3, 3, None, None),
    }
    assert columns_of(None) == ()


def test_means_and_different_values_come_from_the_gate() -> None:
    def result(column: str, name: str, value: str | None) -> CheckResult:
        return CheckResult(run="r", table="t", column=column, check=name, lake_value=value)

    given = [
        result("n", "sum", "4"), result("n", "distinct", "2"), result("d", "sum", "not a number"),
        result("f", "sum", "0.5"), result("day", "sum", "inf"), result("text", "distinct", None),
        result("nothing", "sum", "0"),
    ]  # fmt: skip
    shown = {one.path: (one.mean, one.distinct) for one in columns_of(statistics(), given)}
    assert shown["n"] == (2.0, 2.0)
    assert shown["f"] == (0.5, None), "of the one value that is finite"
    assert {shown[path] for path in ("d", "day", "text", "nothing")} == {(None, None)}


def test_words_hold_no_value_of_a_row() -> None:
    earlier = [profile(place, salary=(0, 13_579.0, 24_680.0)) for place in range(3)]
    made = compared(profile(9, 77, salary=(70, 91_286.0, 102_387.0)), earlier, LIMITS)
    texts = [said(one) for one in made.anomalies]
    assert texts == [
        "77 rows where 10,000 are usual, -99.2% (up to 3.5% is usual), against 3 earlier runs",
        "salary: 90.91% NULL where 0.00% are usual, against 3 earlier runs",
        "salary: its minimum has moved by +700.0% of its range (up to 3.5% is usual), against 3 earlier runs",
        "salary: its maximum has moved by +700.0% of its range (up to 3.5% is usual), against 3 earlier runs",
    ]
    for values in ("13579", "13,579", "24680", "24,680", "91286", "91,286", "102387", "102,387"):
        assert not any(values in one.model_dump_json() for one in made.anomalies)
        assert not any(values in text for text in texts)


def test_they_are_results_that_fail_where_they_are_to_block() -> None:
    odd = Anomaly(column="c", measure="null_share", change=1, limit=0.1, value=0.5, usual=0.1, runs=1)
    made = profile(1).model_copy(update={"anomalies": (odd,)})
    (told,) = results_of(made, "p.d.t", block=False)
    (stops,) = results_of(made, "p.d.t", block=True)
    assert (told.column, told.check, told.lake_value) == ("c", "anomaly_null_share", "0.5")
    assert told.difference == "50.00% NULL where 10.00% are usual, against the run before"
    assert (told.status, stops.status) == (CheckStatus.OK, CheckStatus.FAILED)


def extract(rows: int) -> ExtractManifest:
    return ExtractManifest(
        run="r", table="t", split="", read=rows, rows=rows, bytes=1, files=(), statistics=statistics()
    )


def test_a_run_looks_back_at_what_the_target_has_been_given() -> None:
    """Each run asks the history for runs, finds what they have left, and leaves the same itself."""
    answers = Answers()
    given, gate = ports(warehouse=answers), Gate()
    for run, rows in (("r1", 1_000), ("r2", 1_010), ("r3", 990)):
        made = plan(PLAIN, run=run, lake_prefix=f"raw/{run}/")
        prefix = keys.validation_prefix("", made.source, run)
        trend.look_back(given, answers, made, gate, prefix, trend.profile_of(made, extract(rows)))
    answers.answers = {"load_history": [("r3",), ("gone",), ("r2",), ("r1",)]}
    last = plan(PLAIN, run="r4", lake_prefix="raw/r4/")
    prefix = keys.validation_prefix("", last.source, "r4")
    profile = trend.look_back(given, answers, last, gate, prefix, trend.profile_of(last, extract(2_000)))
    assert profile.earlier == ("r3", "r2", "r1")
    assert [(one.column, one.measure, one.value, one.usual) for one in profile.anomalies] == [
        ("", "rows", 2_000, 1_000)
    ]
    assert profile.shares_before["n"] == pytest.approx(1 / 3)
    assert trend.read(given.objects, "lake", prefix) == profile
    assert trend.read(given.objects, "lake", keys.of_run(prefix, "r9")) is None


def test_the_history_is_asked_for_what_stands_and_was_there_before() -> None:
    asked: list[str] = []

    class Listening(Answers):
        def query(self, sql: str, *_: str) -> list[tuple[object, ...]]:
            asked.append(sql)
            return []

    warehouse, made = Listening(), plan(PLAIN)
    prefix = keys.validation_prefix("", made.source, made.run)
    trend.look_back(ports(), warehouse, made, Gate(), prefix, trend.profile_of(made, extract(1)))
    (question,) = asked
    assert "target = 'shop.orders'" in question
    assert "source = 'p.Shop.Orders'" in question
    assert f"snapshot_at < '{SNAPSHOT:%Y-%m-%dT%H:%M:%S}" in question
    assert "action = 'rollback'" in question
    assert question.endswith("LIMIT 20")


def test_an_increment_remembers_that_it_is_one() -> None:
    step = Increment(previous="r1", since=SNAPSHOT, ranges=(), mode="append")
    assert trend.profile_of(plan(PLAIN, increment=step), extract(1)).mode == "append"
    assert trend.profile_of(plan(PLAIN), extract(1)).mode == ""


def test_the_config_sets_what_is_looked_for() -> None:
    usual, strict = (
        gate_of(migration()),
        gate_of(migration(validation={"anomalies": "block", "anomalyScore": 5, "anomalyChange": 0.1})),
    )
    assert (usual.anomalies, usual.anomaly_score, usual.anomaly_change) == ("report", 3.5, 0.5)
    assert (strict.anomalies, strict.anomaly_score, strict.anomaly_change) == ("block", 5, 0.1)


def test_only_what_stands_and_was_there_before_is_history() -> None:
    """Asked of a database: not of another table, not what came later, not what was taken back."""
    warehouse = FakeWarehouse({})
    told = [
        ("r1", "p.d.t", "2026-01-01", history.PUBLISH),
        ("r2", "p.d.t", "2026-01-02", history.PUBLISH),
        ("r3", "p.d.t", "2026-01-03", history.PUBLISH),
        ("r3", "p.d.t", "2026-01-03", history.ROLLBACK),
        ("r4", "p.d.t sample 1 %", "2026-01-04", history.PUBLISH),
        ("r5", "p.d.t", "2026-01-05", history.PUBLISH),
        ("r6", "p.d.t", "2026-01-06", history.PUBLISH),
    ]
    rows = [history.Entry(run, source, at, "m", action=action) for run, source, at, action in told]
    others = [history.Entry("r0", "p.d.t", "2026-01-02", "m")]
    inserts = [history.insert(f"SELECT {one.row('d.t', '1', '')}") for one in rows]
    inserts += [history.insert(f"SELECT {one.row('d.u', '1', '')}") for one in others]
    warehouse.submit([*history.tables()[1:2], *inserts], "token")
    warehouse.work()
    assert warehouse.query(history.earlier("d.t", "p.d.t", "2026-01-06", 20)) == [("r5",), ("r2",), ("r1",)]
    assert warehouse.query(history.earlier("d.t", "p.d.t", "2026-01-06", 2)) == [("r5",), ("r2",)]
    warehouse.close()


def test_a_verdict_names_no_column_that_is_equal_everywhere() -> None:
    odd = Anomaly(column="c", measure="null_share", change=1, limit=0.1, value=0.5, usual=0.1, runs=1)
    blocking = results_of(profile(1).model_copy(update={"anomalies": (odd,)}), "p.d.t", block=True)
    differs = CheckResult(run="r", table="t", column="d", check="checksum", difference="x", status=CheckStatus.FAILED)
    found = results.verdict(Depth.CHECKSUM, [*blocking, differs])
    assert (found.passed, found.columns) == (False, ("d",))
