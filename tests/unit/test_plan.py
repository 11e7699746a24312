"""Plans: which tables are meant, what is refused, and how files are sized."""

from __future__ import annotations

from typing import Any

import pytest

from lakeshift.errors import NameCollision, NothingMatches, ObjectUnsupported, TypeUnsupported
from lakeshift.inventory.select import select
from lakeshift.lake import keys
from lakeshift.model import TableRef
from lakeshift.plan.step import _refuse_collisions
from lakeshift.plan.table import rows_per_file, rows_per_group, table_plan
from lakeshift.spec import Dataset
from tests.unit.plans import PLAIN, SNAPSHOT, entry, migration, plan

NAMES = ["orders_2024", "orders_2025", "orders_tmp", "users", "Users2"]


def dataset(include: list[str], exclude: list[str]) -> Dataset:
    return Dataset(name="d", include=include, exclude=exclude)


def test_globs_select_and_exclude_wins() -> None:
    assert select(dataset(["orders_*"], ["*_tmp"]), NAMES) == ["orders_2024", "orders_2025"]
    assert select(dataset(["*"], []), NAMES) == sorted(NAMES)
    assert select(dataset(["Users?"], []), NAMES) == ["Users2"]


@pytest.mark.parametrize(
    ("include", "exclude", "text"),
    [(["*", "ordrs_2024"], [], "orders_2024"), (["*"], ["*"], "leaves no table"), (["x*"], [], r"5 table\(s\)")],
)
def test_a_pattern_without_a_table_is_refused(include: list[str], exclude: list[str], text: str) -> None:
    with pytest.raises(NothingMatches, match=text):
        select(dataset(include, exclude), NAMES)


def test_a_plan_folds_names_and_keeps_the_snapshot() -> None:
    made = plan(PLAIN)
    assert (made.target.id, [column.target for column in made.columns]) == ("shop.orders", ["id", 'no"te'])
    assert made.snapshot == SNAPSHOT
    assert made.lake_prefix == "raw/p/Shop/Orders/run=shop-0123456789ab/"


def refusal(**changes: Any) -> str:
    given = entry(PLAIN, **changes)
    assert given.table
    with pytest.raises((ObjectUnsupported, TypeUnsupported)) as caught:
        table_plan("run-1", given, given.table, migration(), SNAPSHOT)
    return str(caught.value)


def test_what_is_no_table_is_refused_by_its_kind() -> None:
    assert "p.Shop.Orders is a materialized view" in refusal(type="MATERIALIZED_VIEW")


def test_columns_that_fold_to_one_name_are_refused() -> None:
    twins = [{"name": "a", "type": "INT64"}, {"name": "A", "type": "INT64"}]
    assert "cannot tell apart the columns a" in refusal(columns=plan_columns(twins))


def test_too_many_columns_and_too_long_names_are_refused() -> None:
    many = [{"name": f"c{index}", "type": "INT64"} for index in range(1601)]
    assert "1601 columns" in refusal(columns=plan_columns(many))
    assert "more than 127 bytes" in refusal(columns=plan_columns([{"name": "é" * 64, "type": "INT64"}]))
    assert "no columns" in refusal(columns=())


def plan_columns(fields: list[dict[str, str]]) -> object:
    made = entry(fields)
    assert made.table
    return made.table.columns


def test_two_sources_of_one_target_are_both_named() -> None:
    other = entry(PLAIN).model_copy(update={"ref": TableRef(project="q", dataset="shop", table="ORDERS")})
    with pytest.raises(NameCollision, match=r"p\.Shop\.Orders and q\.shop\.ORDERS would both become shop\.orders"):
        _refuse_collisions([entry(PLAIN), other], migration())


@pytest.mark.parametrize(
    ("rows", "size", "group", "file"),
    [
        (0, 0, 65_536, 262_144),
        (10**9, 10**11, 131_072, 20 * 131_072),
        (10**6, 2 * 10**10, 3_355, 4 * 3_355),
        (10, 10**10, 1, 1),
        (10**10, 10**11, 131_072, 128 * 131_072),
    ],
)
def test_files_are_whole_row_groups_of_about_256_mb(rows: int, size: int, group: int, file: int) -> None:
    assert rows_per_group(rows, size) == group
    assert rows_per_file(rows, size) == file


def test_tables_over_one_session_and_our_own_names_are_refused() -> None:
    assert "one read session carries" in refusal(bytes=600 * 1024**3)
    given = entry(PLAIN, "orders__ls_prev")
    assert given.table
    with pytest.raises(TypeUnsupported, match="our own staging tables"):
        table_plan("run-1", given, given.table, migration(), SNAPSHOT)


def test_runs_are_named_by_upload() -> None:
    first = keys.run_id("bucket", "configs/my shop.json", "v1")
    assert first == keys.run_id("bucket", "configs/my shop.json", "v1")
    assert first.startswith("my-shop-")
    assert first != keys.run_id("bucket", "configs/my shop.json", "v2")


def test_keys_of_different_tables_never_meet() -> None:
    refs = [TableRef(project="p", dataset="d", table="a/b"), TableRef(project="p", dataset="d/a", table="b")]
    refs += [TableRef(project="p", dataset="d", table="a%2Fb"), TableRef(project="p/d", dataset="a", table="b")]
    assert len({keys.table_prefix("", ref, "run") for ref in refs}) == len(refs)


@pytest.mark.parametrize(
    ("key", "config"),
    [("configs/a.json", True), ("configs/a.status.json", False), ("other/a.json", False), ("configs/a.txt", False)],
)
def test_answers_are_no_configs(key: str, config: bool) -> None:
    assert keys.is_config(key) is config
    assert keys.answer("configs/a.json") == "configs/a.status.json"
