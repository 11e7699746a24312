"""The plan of one table: what is refused, which columns, rows and samples it takes, and how it is named."""

from __future__ import annotations

from typing import Any

import pytest

from lakeshift.errors import ObjectUnsupported, TypeUnsupported
from lakeshift.lake import keys
from lakeshift.model import Shard, TableRef
from lakeshift.plan.table import table_plan
from lakeshift.types.bigquery import columns
from tests.unit.plans import MIXED, PLAIN, SNAPSHOT, entry, migration, plan, planned

MIB = 2**20
TIB = 2**40


def test_a_plan_folds_names_and_keeps_the_snapshot() -> None:
    made = plan(PLAIN)
    assert (made.target.id, [column.target for column in made.columns]) == ("shop.orders", ["id", "no_te_a6500123"])
    assert made.snapshot == SNAPSHOT
    assert made.lake_prefix == "raw/p/Shop/Orders/run=shop-0123456789ab/"


def refusal(config: Any = None, query_bytes: int | None = None, rule: int | None = None, **changes: Any) -> str:
    given = entry(PLAIN, rule=rule, **changes).model_copy(update={"query_bytes": query_bytes})
    assert given.table
    with pytest.raises((ObjectUnsupported, TypeUnsupported)) as caught:
        table_plan("run-1", given, given.table, config or migration(), SNAPSHOT)
    return str(caught.value)


def test_what_is_no_table_is_refused_by_its_kind() -> None:
    assert "p.Shop.Orders is a materialized view" in refusal(type="MATERIALIZED_VIEW")
    external = refusal(type="EXTERNAL")
    assert "p.Shop.Orders is an external table Next: " in external
    assert "convert" not in external
    assert "p.Shop.Orders is a model" in refusal(migration(views={"read": "query", "dataset": "d"}), type="MODEL")


@pytest.mark.parametrize("kind", ["TABLE", "SNAPSHOT", "CLONE"])
def test_snapshots_and_clones_are_read_like_tables(kind: str) -> None:
    assert [part.ref.id for part in planned(entry(PLAIN, type=kind)).slices] == ["p.Shop.Orders"]


def test_columns_that_fold_to_one_name_are_renamed_unless_the_target_is_there_already() -> None:
    twins = [{"name": "a", "type": "INT64"}, {"name": "A", "type": "INT64"}]
    made = planned(entry(twins))
    assert [column.target for column in made.columns] == ["a", "a_559aead0"]
    assert "renamed" in made.columns[1].note
    precreated = migration(initiateSchemaDetection=False)
    assert "'A' has no name of its own" in refusal(precreated, columns=columns(twins))


def test_too_many_columns_are_refused_and_too_long_names_shortened() -> None:
    many = [{"name": f"c{index}", "type": "INT64"} for index in range(1601)]
    assert "1,601 columns" in refusal(columns=columns(many))
    long = planned(entry([{"name": "é" * 64, "type": "INT64"}])).columns[0].target
    assert (long[:59], len(long.encode())) == ("é" * 59, 127)
    assert "no columns" in refusal(columns=())


def test_a_table_of_any_size_is_planned_and_our_own_names_are_refused() -> None:
    assert planned(entry(PLAIN, bytes=600 * 1024**3, rows=10**9)).engine == "glue"
    given = entry(PLAIN, "orders__ls_prev")
    assert given.table
    with pytest.raises(TypeUnsupported, match="our own staging tables"):
        table_plan("run-1", given, given.table, migration(), SNAPSHOT)


def ruled(rule: dict[str, Any], fields: list[dict[str, Any]] = MIXED) -> list[str]:
    made = planned(entry(fields, rule=0), migration([{"match": "*", **rule}]))
    return [column.target for column in made.columns]


def test_a_rule_takes_columns_in_the_order_of_the_table() -> None:
    assert ruled({"columns": ["regex:l.*", "Id"]}) == ["id", "legs"]
    assert ruled({"excludeColumns": ["legs", "d*"]}) == ["id", "no_te_a6500123", "at"]


def test_a_pattern_without_a_column_refuses_the_table_and_names_the_nearest() -> None:
    config = migration([{"match": "*", "columns": ["Id", "notte"]}])
    assert "'notte' takes no column" in refusal(config, rule=0)
    assert 'did you mean no"te?' in refusal(config, rule=0)
    left = migration([{"match": "*", "excludeColumns": ["*"]}])
    assert "no column is left" in refusal(left, rule=0)


def test_filter_priority_and_settings_reach_the_plan() -> None:
    config = migration(
        [{"match": "Ord*", "filter": "Id > 3", "priority": 7}],
        extract={"fileMegabytes": 128, "stallSeconds": 5, "statistics": False},
    )
    made = planned(entry(PLAIN, rule=0), config)
    assert (made.row_filter, made.priority, made.file_bytes, made.stall_seconds) == ("Id > 3", 7, 128 * MIB, 5)
    assert (made.statistics, made.rows_per_group, made.group_bytes) == (False, 131_072, 16 * MIB)


def test_the_sample_of_a_rule_is_stronger_and_a_whole_one_is_none() -> None:
    config = migration([{"match": "*", "sample": {"percent": 2.5}}], sample={"percent": 10})
    assert planned(entry(PLAIN, rule=0), config).sample == 2.5
    assert planned(entry(PLAIN), config).sample == 10
    assert planned(entry(PLAIN), migration(sample={"percent": 100})).sample is None


def test_what_is_read_and_how_it_is_cut_is_the_split() -> None:
    made = plan(PLAIN)
    assert made.split == plan(PLAIN, streams=9, notes=(), engine="glue", workers=3).split
    others = {"row_filter": "Id > 3", "sample": 1.0, "file_bytes": 1, "slices": (), "statistics": False}
    assert len({made.split, *(plan(PLAIN, **{key: value}).split for key, value in others.items())}) == 6


def test_a_view_is_read_through_a_query_whose_price_is_shown() -> None:
    config = migration([{"match": "*", "columns": ["Id"], "filter": "x = 1"}], {"read": "query", "dataset": "tmp"})
    given = entry(PLAIN, rule=0, type="VIEW", rows=0, bytes=0).model_copy(update={"query_bytes": 10 * 2**30})
    made = planned(given, config)
    assert made.query
    assert made.query.sql == "SELECT `Id` FROM `p`.`Shop`.`Orders` WHERE (x = 1)"
    assert made.query.destination.id == "p.tmp.ls_0123456789ab_0"
    assert (made.row_filter, [part.ref.id for part in made.slices]) == ("", ["p.tmp.ls_0123456789ab_0"])
    assert "read through a query that bills 10,737,418,240 bytes ($0.06) on demand" in made.notes
    assert any("row access policies" in note for note in made.notes)
    outside = entry(PLAIN, rule=0, type="EXTERNAL").model_copy(update={"query_bytes": 0})
    assert "read through a query that bills at least 0 bytes ($0.00) on demand" in planned(outside, config).notes


def test_a_query_that_scans_too_much_is_refused_with_both_numbers() -> None:
    config = migration(views={"read": "query", "dataset": "tmp", "maxBytes": TIB})
    text = refusal(config, query_bytes=2 * TIB, type="VIEW")
    assert "2,199,023,255,552 bytes ($12.50)" in text
    assert "1,099,511,627,776 bytes ($6.25)" in text


def test_a_family_gets_the_date_of_its_shards_as_a_column() -> None:
    shards = tuple(
        Shard(ref=TableRef(project="p", dataset="Shop", table=f"Orders_{day}"), suffix=day, rows=1, bytes=1)
        for day in ("20240101", "20240102")
    )
    made = planned(entry(PLAIN, type="SHARDED", shards=shards))
    assert (made.columns[-1].target, made.columns[-1].target_type) == ("_table_suffix", "VARCHAR(32)")
    assert [(part.ref.table, part.suffix) for part in made.slices] == [
        ("Orders_20240101", "20240101"),
        ("Orders_20240102", "20240102"),
    ]
    taken = columns([*PLAIN, {"name": "_TABLE_SUFFIX", "type": "STRING"}])
    assert "a column _table_suffix is there already" in refusal(type="SHARDED", shards=shards, columns=taken)


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


def test_columns_with_policies_are_named_for_their_values_may_be_masked() -> None:
    tag = {"policyTags": {"names": ["projects/p/locations/us/taxonomies/1/policyTags/2"]}}
    policy = {"name": "projects/p/locations/us/dataPolicies/names"}
    card = {
        "name": "cards",
        "type": "RECORD",
        "mode": "REPEATED",
        "fields": [{"name": "number", "type": "STRING", **tag}, {"name": "at", "type": "DATE"}],
    }
    fields: list[dict[str, Any]] = [
        {"name": "id", "type": "INT64"},
        {"name": "mail", "type": "STRING", **tag},
        {"name": "first", "type": "STRING", "dataPolicies": [policy]},
        {"name": "last", "type": "STRING", "dataPolicyList": {"dataPolicies": [policy]}},
        {"name": "names", "type": "STRING", "mode": "REPEATED", **tag},
        card,
    ]
    (note,) = (note for note in plan(fields).notes if "policies" in note)
    said = "masked values are moved where the account sees no other"
    assert note == f"policies on mail, first, last, names, cards.number: {said}"
    many = plan([{"name": f"c{number:02}", "type": "STRING", **tag} for number in range(12)]).notes
    assert any(note.startswith("policies on c00, ") and "c09 and 2 more" in note for note in many)
    assert not any("policies" in note for note in plan(PLAIN).notes)


def test_columns_with_a_collation_are_named_and_a_view_is_read_without_it() -> None:
    texts = {"name": "who", "type": "RECORD", "fields": [{"name": "name", "type": "STRING", "collation": "und:ci"}]}
    fields: list[dict[str, Any]] = [
        {"name": "id", "type": "INT64"},
        {"name": "city", "type": "STRING", "collation": "und:ci"},
        {"name": "plain", "type": "STRING", "collation": ""},
        texts,
    ]
    (note,) = (note for note in plan(fields).notes if "collation" in note)
    assert note.startswith("collation of city, who.name: not carried")
    given = entry(fields, type="VIEW").model_copy(update={"query_bytes": 1})
    query = planned(given, migration(views={"read": "query", "dataset": "tmp"})).query
    assert query
    assert query.sql == "SELECT `id`, COLLATE(`city`, '') AS `city`, `plain`, `who` FROM `p`.`Shop`.`Orders`"
