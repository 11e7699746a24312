"""A table whose columns are asked for in groups, and what is said where nothing tells its rows apart in all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lakeshift.cli.checks import lines
from lakeshift.model import CheckResult, CheckStatus, TableState
from lakeshift.plan.step import plan_of
from lakeshift.validate import questions, results
from lakeshift.validate.columns import Checked, checked
from lakeshift.validate.pairs import Asked, validate_config
from lakeshift.validate.runs import validate_run
from tests.validate.both import Both, both

WIDE = 12


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a table of some hundred columns."""
    monkeypatch.setattr(questions, "_ROOM", 1_500)
    monkeypatch.setattr(questions, "_ANCHORS_ROOM", 750)
    monkeypatch.setattr(questions, "_ANCHORS", 2)


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with both(tmp_path_factory.mktemp("both")) as found:
        yield found


def grouped(found: list[CheckResult]) -> list[tuple[CheckStatus, str]]:
    return [(one.status, one.difference) for one in found if one.check == "groups"]


@pytest.mark.parametrize(("name", "first", "alike"), [("apart", "n", 0), ("alike", "MOD(n, 3)", 5)])
def test_rows_that_are_alike_in_what_groups_share_are_counted(ends: Both, name: str, first: str, alike: int) -> None:
    rest = ", ".join(f"n * {k} AS c{k}" for k in range(2, WIDE))
    ends.google(
        f"CREATE SCHEMA {name}",
        f"CREATE TABLE {name}.wide AS SELECT {first} AS c0, 7 AS c1, {rest} FROM UNNEST(GENERATE_ARRAY(1, 8)) AS n",
    )
    config = ends.config(name, validation={"depth": "checksum"})
    run = ends.migrate(config)
    record = ends.ports.ledger.table(run, f"p.{name}.wide")
    assert record.state is TableState.PUBLISHED
    assert record.verdict
    asked = Asked()
    inside, later = validate_config(ends.ports, config, asked), validate_run(ends.ports, run, asked)
    for found in (results.read(ends.ports, record.verdict.results), list(inside.results), list(later.results)):
        named = {one.column for one in found if one.check == "checksum"}
        assert {f"c{k}" for k in range(WIDE)} <= named
        said = grouped(found)
        assert [status for status, _ in said] == [CheckStatus.NOT_CHECKED] * bool(alike)
        assert all(f"share c0 to c1: {alike} rows are like others" in text for _, text in said)
    assert inside.equal
    assert later.equal
    scanned = [next(line for line in lines(found) if "bytes" in line) for found in (inside, later)]
    assert [line.split(" bytes ")[1] for line in scanned] == ["of the source were scanned", "of the lake were scanned"]


def test_values_of_one_group_that_two_rows_exchange_are_found_where_rows_are_apart(ends: Both) -> None:
    rest = ", ".join(f"n * {k} AS c{k}" for k in range(1, WIDE))
    ends.google(
        "CREATE SCHEMA moved",
        f"CREATE TABLE moved.wide AS SELECT n AS c0, {rest} FROM UNNEST(GENERATE_ARRAY(1, 4)) AS n",
    )
    run = ends.migrate(ends.config("moved", validation={"depth": "checksum"}))
    group = [one.name for one in questions.groups(columns_of(ends, run))[-1][2:]]
    assert group[-1] == f"c{WIDE - 1}"
    changed = ", ".join(f"{one} = CASE c0 WHEN 1 THEN 2 ELSE 1 END * {one[1:]}" for one in group)
    ends.redshift.run(f"UPDATE moved.wide SET {changed} WHERE c0 < 3")
    found = validate_run(ends.ports, run, Asked())
    assert not found.equal
    assert {one.column for one in found.results if one.check == "checksum" and one.difference} == {""}


def columns_of(ends: Both, run: str) -> tuple[Checked, ...]:
    return checked(plan_of(ends.ports, ends.ports.ledger.table(run, "p.moved.wide")))
