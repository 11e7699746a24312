"""`lakeshift validate` and `lakeshift compare` between a local BigQuery and a local Redshift, as a person calls it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from lakeshift.cli import compare as compare_command
from lakeshift.cli import validate as validate_command
from lakeshift.cli.main import app
from lakeshift.errors import ScanLimitExceeded
from lakeshift.extract.step import extract_of
from lakeshift.load.rollback import rollback
from lakeshift.plan.step import plan_of
from lakeshift.validate import runs
from lakeshift.validate.bands import Band
from lakeshift.validate.conditions import on_target
from lakeshift.validate.depth import lake_of
from lakeshift.validate.measure import Scope
from lakeshift.validate.source_sums import held_of, source_sums
from tests.unit.plans import plan
from tests.validate.both import Both, both
from tests.validate.staged import Objects


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with both(tmp_path_factory.mktemp("both")) as found:
        yield found


class Console:
    """Calls the command line against both ends."""

    def __init__(self, ends: Both, folder: Path) -> None:
        self.ends, self.folder = ends, folder
        self._runner = CliRunner()

    def __call__(self, *words: str) -> tuple[int, str]:
        done = self._runner.invoke(app, words)
        return done.exit_code, done.output

    def json(self, *words: str) -> tuple[int, Any]:
        code, output = self(*words, "--json")
        return code, json.loads(output)

    def config(self, name: str, dataset: str, **changes: Any) -> str:
        path = self.folder / f"{name}.json"
        path.write_text(self.ends.config(dataset, **changes).model_dump_json(by_alias=True, exclude_unset=True))
        return str(path)


@pytest.fixture
def console(ends: Both, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Console:
    for module in (compare_command, validate_command):
        monkeypatch.setattr(module, "open_stage", lambda _: SimpleNamespace(ports=ends.ports))
    return Console(ends, tmp_path)


def failed(found: Any) -> list[tuple[str, str]]:
    return [(one["check"], one["column"]) for one in found["checks"] if one["status"] == "failed"]


def orders(ends: Both, dataset: str) -> None:
    ends.google(
        f"CREATE SCHEMA IF NOT EXISTS {dataset}",
        f"CREATE OR REPLACE TABLE {dataset}.orders AS "
        "SELECT id, CONCAT('name ', CAST(id AS STRING)) AS name, DATE '2024-01-01' AS day, id / 3 AS ratio "
        "FROM UNNEST(GENERATE_ARRAY(1, 500)) AS id",
    )


def test_a_run_s_lake_equals_what_it_has_published(ends: Both, console: Console) -> None:
    orders(ends, "plain")
    run = ends.migrate(ends.config("plain"))
    code, found = console.json("validate", run)
    assert (code, found["equal"], failed(found)) == (0, True, [])
    by_check = {(one["check"], one["column"]): one for one in found["checks"]}
    assert [by_check["rows", ""][name] for name in ("source_value", "lake_value", "target_value")] == ["500"] * 3
    assert {("checksum", name) for name in ("", "id", "name", "day", "ratio")} <= by_check.keys()
    ends.redshift.run("UPDATE plain.orders SET name = 'other' WHERE id = 7")
    code, found = console.json("validate", run)
    assert (code, found["equal"], failed(found)[-2:]) == (1, False, [("checksum", "name"), ("checksum", "")])
    assert {column for _, column in failed(found)} == {"name", ""}


def test_a_run_s_rows_are_looked_for_in_their_band(
    ends: Both, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakeshift.validate.sums.SEGMENT_ROWS", 16)
    orders(ends, "banded")
    run = ends.migrate(ends.config("banded"))
    assert console.json("validate", run)[0] == 0
    ends.redshift.run(
        "UPDATE banded.orders SET name = 'other' WHERE id = 7", "UPDATE banded.orders SET id = 900 WHERE id = 400"
    )
    asked = list[str]()
    query = ends.redshift.query

    def noted(text: str, *words: str) -> list[tuple[object, ...]]:
        asked.append(text)
        return query(text, *words)

    monkeypatch.setattr(ends.redshift, "query", noted)
    code, found = console.json("validate", run, "--depth", "rows")
    assert code == 1
    assert sorted((one["kind"], one["column"]) for one in found["rows"]) == [("changed", "id"), ("changed", "name")]
    (rows,) = (text for text in asked if "LIMIT" in text and "_r &" in text)
    # Of the numbers 1 to 500: where 7 and 400 are, and where 900 is.
    assert '(__ls."id" < 33) OR (__ls."id" >= 376 AND __ls."id" < 407) OR (__ls."id" >= 469)' in rows


def not_checked(found: Any) -> dict[str, str]:
    return {one["table"]: one["difference"] for one in found["checks"] if one["status"] == "not_checked"}


def test_a_run_that_a_later_one_has_replaced_says_which(ends: Both, console: Console) -> None:
    orders(ends, "again")
    first, second = (ends.migrate(ends.config("again")) for _ in range(2))
    code, found = console.json("validate", first)
    assert (code, found["equal"]) == (1, False)
    assert f"run {second} has published the table since" in not_checked(found)["p.again.orders"]
    assert console.json("validate", second)[0] == 0
    assert rollback(ends.ports, second).complete
    assert console.json("validate", first)[0] == 0
    assert "rolled back" in not_checked(console.json("validate", second)[1])["p.again.orders"]


def test_rows_that_increments_have_brought_since_are_left_out(ends: Both, console: Console) -> None:
    orders(ends, "grown")
    config = ends.config("grown", [{"match": "orders", "incremental": {"by": "column", "column": "id"}}])
    first = ends.migrate(config)
    ends.google("INSERT INTO grown.orders (id, name) VALUES (501, 'new'), (502, NULL)")
    second = ends.migrate(config)
    for run, rows in ((first, "499"), (second, "3")):
        code, found = console.json("validate", run)
        (counted,) = (one for one in found["checks"] if one["check"] == "rows")
        assert (code, counted["lake_value"], counted["target_value"]) == (0, rows, rows)
    assert any(second in note for note in console.json("validate", first)[1]["notes"])
    ends.redshift.run("UPDATE grown.orders SET name = 'other' WHERE id = 7")
    assert console.json("validate", first)[0] == 1
    assert console.json("validate", second)[0] == 0
    ends.redshift.run("DELETE FROM grown.orders WHERE id = 502")
    code, found = console.json("validate", second, "--depth", "count")
    assert (code, failed(found)) == (1, [("rows", "")])


def test_a_damaged_lake_file_is_named(ends: Both, console: Console) -> None:
    orders(ends, "broken")
    run = ends.migrate(ends.config("broken"))
    objects = ends.ports.objects
    (key,) = lake_files(ends, "broken")
    body = bytearray(objects.get("lake", key))
    values = pq.read_metadata(io.BytesIO(body)).row_group(0).column(0)
    body[values.data_page_offset + values.total_compressed_size - 3] ^= 1
    objects.put("lake", key, bytes(body))
    code, found = console.json("validate", run)
    assert code == 1
    (said,) = (one["difference"] for one in found["checks"] if one["check"] == "file")
    assert key in said


def lake_files(ends: Both, dataset: str) -> list[str]:
    keys = cast("Objects", ends.ports.objects).keys("lake")
    return [one for one in keys if one.startswith(f"raw/p/{dataset}/") and one.endswith(".parquet")]


def test_a_lake_file_that_was_written_anew_with_the_same_values_is_equal_by_value(ends: Both, console: Console) -> None:
    orders(ends, "rewritten")
    run = ends.migrate(ends.config("rewritten"))
    (key,) = lake_files(ends, "rewritten")
    objects, sink = ends.ports.objects, io.BytesIO()
    table = pq.read_table(io.BytesIO(objects.get("lake", key)))
    pq.write_table(table, sink, compression="gzip")
    objects.put("lake", key, sink.getvalue())
    code, found = console.json("validate", run)
    assert (code, failed(found)) == (0, [])
    assert [one["check"] for one in found["checks"] if one["status"] == "equal_by_value"] == ["file"]
    other = table.set_column(1, "name", pa.array(["other", *table.column("name").to_pylist()[1:]]))
    pq.write_table(other, sink := io.BytesIO())
    objects.put("lake", key, sink.getvalue())
    code, found = console.json("validate", run)
    assert code == 1
    assert failed(found)[:3] == [("source_checksum", "name"), ("source_checksum", ""), ("file", "")]
    assert failed(found)[-2:] == [("checksum", "name"), ("checksum", "")]
    objects.put("lake", key, b"PAR1")
    assert failed(console.json("validate", run)[1]) == [("file", "")]


def test_a_run_s_table_without_rows_is_equal(ends: Both, console: Console) -> None:
    ends.google("CREATE SCHEMA bare", "CREATE TABLE bare.orders (id INT64, name STRING)")
    run = ends.migrate(ends.config("bare"))
    code, found = console.json("validate", run)
    assert (code, failed(found), not_checked(found)) == (0, [], {})
    ends.redshift.run("INSERT INTO bare.orders VALUES (1, 'more')")
    assert ("rows", "") in failed(console.json("validate", run)[1])


def test_a_run_that_has_taken_no_statistics_says_so_and_is_compared(ends: Both, console: Console) -> None:
    orders(ends, "unmeasured")
    run = ends.migrate(ends.config("unmeasured", extract={"statistics": False}))
    code, found = console.json("validate", run)
    assert (code, failed(found)) == (0, [])
    assert "nothing was measured of the source" in not_checked(found)["p.unmeasured.orders"]
    ends.redshift.run("UPDATE unmeasured.orders SET name = 'other' WHERE id = 7")
    assert console.json("validate", run)[0] == 1


def test_what_is_no_run_or_no_table_is_refused(ends: Both, console: Console) -> None:
    orders(ends, "named")
    run = ends.migrate(ends.config("named"))
    assert console("validate", "shop-000000000000")[0] == 2
    code, answer = console.json("validate", run, "--table", "nothing")
    assert (code, answer["problems"][0]["found"]) == (2, "nothing")
    assert console("validate", run, "--table", "orders", "--depth", "count")[0] == 0
    assert console("validate", run, "--sample", "10")[0] == 2


def test_a_config_s_source_is_compared_as_it_is_now(ends: Both, console: Console) -> None:
    orders(ends, "live")
    config = console.config("live", "live")
    ends.migrate(ends.config("live"))
    code, found = console.json("validate", config, "--depth", "count")
    assert (code, failed(found)) == (0, [])
    ends.google("INSERT INTO live.orders (id) VALUES (501)")
    code, found = console.json("validate", config, "--depth", "count")
    assert (code, failed(found)) == (1, [("rows", "")])
    (counted,) = (one for one in found["checks"] if one["check"] == "rows")
    assert (counted["source_value"], counted["target_value"]) == ("501", "500")
    assert counted["difference"] == "the target has 1 fewer"
    assert found["notes"][0].startswith("live.orders holds the source as of 20")
    code, found = console.json("validate", console.config("live", "live", sample={"percent": 10}))
    assert (code, "sample" in not_checked(found)["p.live.orders"]) == (1, True)


def test_two_tables_are_compared_by_the_names_a_migration_gives(ends: Both, console: Console) -> None:
    orders(ends, "pair")
    ends.redshift.run(
        "CREATE SCHEMA mine", "CREATE TABLE mine.orders (id INTEGER, name VARCHAR(20), day TIMESTAMP, more BIGINT)"
    )
    code, found = console.json("compare", "p.pair.orders", "mine.orders", "--depth", "schema")
    assert code == 1
    said = {one["column"]: one["difference"] for one in found["checks"]}
    assert said == {
        "day": "TIMESTAMP in the target, where DATE becomes DATE",
        "more": "not in the source",
        "ratio": "not in the target; ratio would be here",
    }
    code, found = console.json("compare", "p.pair.orders", "mine.orders", "--depth", "schema", "--columns", "id,name")
    assert (code, failed(found)) == (0, [])


@pytest.mark.parametrize(
    "words",
    [
        ("p.pair", "mine.orders"),
        ("p.pair.orders", "mine"),
        ("p.pair.nothing", "mine.orders"),
        ("p.pair.orders", "mine.nothing"),
        ("p.pair.orders", "mine.orders", "--where", "id > (SELECT 1)"),
        ("p.pair.orders", "mine.orders", "--columns", "nothing"),
    ],
)
def test_bad_input_is_refused(console: Console, words: tuple[str, ...]) -> None:
    code, answer = console.json("compare", *words)
    assert (code, bool(answer["message"])) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--columns", "id,nam"),
            "--columns: no such column; found nam; allowed: id, name, day, ratio; did you mean name?",
        ),
        (("--columns", "name", "--key", "Ids"), "--key: no such column; found Ids; allowed: id, name, day, ratio"),
        (("--where", "id > (SELECT 1)"), "--where: a subquery may not stand in a filter; found id > (SELECT 1)"),
        (("--where", "GREATEST(name, 'b') = 'b'"), "--where: it cannot be asked of Redshift in exactly this way"),
    ],
)
def test_a_bad_option_is_called_by_its_name(ends: Both, console: Console, words: tuple[str, ...], said: str) -> None:
    orders(ends, "options")
    code, found = console.json("compare", "p.options.orders", "options.orders", *words)
    assert (code, found["error"]) == (2, "OptionInvalid")
    assert found["message"].startswith(said)
    assert "config file" not in found["message"]
    assert found["problems"][0]["pointer"] in words


def test_the_key_need_not_be_said_twice(ends: Both, console: Console) -> None:
    orders(ends, "keyed")
    ends.migrate(ends.config("keyed"))
    ends.redshift.run("UPDATE keyed.orders SET name = 'other' WHERE id = 7")
    words = ("compare", "p.keyed.orders", "keyed.orders", "--columns", "name", "--key", "id", "--depth", "rows")
    code, found = console.json(*words)
    assert code == 1
    assert [(one["kind"], one["key"], one["column"]) for one in found["rows"]] == [("changed", '{"id": "7"}', "name")]
    assert {one["column"] for one in found["checks"] if one["check"] == "checksum"} == {"", "id", "name"}


NESTED = {"match": "orders", "nested": {"default": "child_table"}}


@pytest.mark.parametrize("key", [[], ["id"]])
def test_the_rows_of_child_tables_are_compared_too(ends: Both, console: Console, key: list[str]) -> None:
    name = f"nested{len(key)}"
    ends.google(
        f"CREATE SCHEMA {name}",
        f"CREATE TABLE {name}.orders AS SELECT id, [STRUCT('a' AS sku, id AS n), STRUCT('b' AS sku, 2 AS n)] AS items "
        "FROM UNNEST(GENERATE_ARRAY(1, 50)) AS id",
    )
    rule = {**NESTED, "nested": {**NESTED["nested"], "key": key}} if key else NESTED  # type: ignore[dict-item]
    run = ends.migrate(ends.config(name, [rule]))
    code, found = console.json("validate", run)
    assert (code, failed(found)) == (0, [])
    assert ("checksum", "orders__items.n") in [(one["check"], one["column"]) for one in found["checks"]]
    ends.redshift.run(f"UPDATE {name}.orders__items SET n = 3 WHERE sku = 'b' AND n = 2")
    code, found = console.json("validate", run)
    assert (code, failed(found)[-2:]) == (1, [("checksum", "orders__items.n"), ("checksum", "orders__items")])
    assert {column for _, column in failed(found)} == {"orders__items.n", "orders__items"}


def test_every_value_of_source_and_target_is_compared_inside_the_engines(ends: Both, console: Console) -> None:
    orders(ends, "deep")
    config = console.config("deep", "deep")
    ends.migrate(ends.config("deep"))
    code, found = console.json("validate", config)
    assert (code, failed(found)) == (0, [])
    assert found["bytes_scanned"] > 0
    checks = {one["check"] for one in found["checks"] if one["column"] == "ratio"}
    assert checks == {"nulls", "distinct", "min", "max", "sum", "nans", "infinities", "checksum"}
    ends.redshift.run("UPDATE deep.orders SET ratio = ratio + 1e-13 WHERE id = 250")
    code, found = console.json("validate", config)
    assert (code, failed(found)) == (1, [("checksum", "ratio"), ("checksum", "")])
    code, found = console.json("validate", config, "--depth", "aggregates")
    assert (code, failed(found)) == (0, [])


def test_the_rows_that_differ_are_named_by_their_key(ends: Both, console: Console) -> None:
    orders(ends, "told")
    ends.migrate(ends.config("told"))
    ends.redshift.run("UPDATE told.orders SET name = 'other' WHERE id = 7", "DELETE FROM told.orders WHERE id = 9")
    code, found = console.json("compare", "p.told.orders", "told.orders", "--key", "id", "--depth", "rows")
    assert code == 1
    assert {(one["kind"], one["key"], one["column"]) for one in found["rows"]} == {
        ("changed", '{"id": "7"}', "name"),
        ("missing", '{"id": "9"}', ""),
    }
    assert "other" not in json.dumps(found)
    code, output = console("compare", "p.told.orders", "told.orders", "--key", "id", "--depth", "rows")
    assert (code, "changed" in output, "2 of 2 differences" in output) == (1, True, True)


def test_a_condition_is_asked_of_both_sides(ends: Both, console: Console) -> None:
    orders(ends, "some")
    ends.migrate(ends.config("some"))
    ends.redshift.run("DELETE FROM some.orders WHERE id <= 10")
    words = ("compare", "p.some.orders", "some.orders", "--where")
    code, found = console.json(*words, "id > 10")
    (counted,) = (one for one in found["checks"] if one["check"] == "rows")
    assert (code, counted["source_value"]) == (0, "490")
    assert console.json(*words, "id > 9")[0] == 1


_KINDS = ("INT64", "STRING", "STRING", "FLOAT64", "FLOAT64")
# With the rows that GoogleSQL chooses: every character of a text counts, and NaN is like nothing.
CHOSEN = {
    "s = 'v'": {1},
    "'v' = s": {1},
    "s <> 'v'": {2, 3, 4, 5, 6, 7, 8},
    "NOT s = 'v'": {2, 3, 4, 5, 6, 7, 8},
    "s IN ('v', 'w')": {1, 5},
    "s NOT IN ('v', 'w')": {2, 3, 4, 6, 7, 8},
    "s > 'v'": {2, 3, 5, 6, 7},
    "s <= 'v'": {1, 4, 8},
    "s BETWEEN 'v' AND 'w'": {1, 2, 3, 5, 6, 7},
    "CASE s WHEN 'v' THEN TRUE ELSE FALSE END": {1},
    "NULLIF(s, 'v') IS NULL": {1, 9},
    "s IS DISTINCT FROM 'v'": {2, 3, 4, 5, 6, 7, 8, 9},
    "s = t": {1, 4, 5},
    "CONCAT(s, '.') = 'v .'": {2},
    "STARTS_WITH(s, 'v ')": {2, 3},
    "f > 1": {3, 5},
    "f >= 1": {2, 3, 5},
    "1 < f": {3, 5},
    "f < 1": {1},
    "f <= 1": {1, 2},
    "f = 1": {2},
    "f <> 1": {1, 3, 4, 5, 7, 8},
    "NOT f > 1": {1, 2, 4, 7, 8},
    "f BETWEEN 1 AND 3": {2, 3},
    "f NOT BETWEEN 1 AND 3": {1, 4, 5, 7, 8},
    "f IN (0, 2)": {1, 3},
    "f IN (0, g)": {1, 2, 5},
    "f NOT IN (1, 2)": {1, 4, 5, 7, 8},
    "f = g": {2, 5},
    "f <> g": {1, 3, 4, 7},
    "f >= g": {2, 3, 5},
    "NOT f >= g": {1, 4, 7},
    "f IS DISTINCT FROM g": {1, 3, 7, 8, 9},
    "CASE f WHEN g THEN TRUE ELSE FALSE END": {2, 5},
    "NULLIF(f, g) IS NULL": {2, 5, 6, 9},
    "ABS(f) + 1 > g": {2, 3},
    "f > 1 OR s = 'v'": {1, 3, 5},
}


def test_a_condition_chooses_the_same_rows_on_both_sides(ends: Both, console: Console) -> None:
    nan, inf = "CAST('nan' AS FLOAT64)", "CAST('inf' AS FLOAT64)"
    values = [
        ("'v'", "'v'", "0.0", "1.0"),
        ("'v '", "'v'", "1.0", "1.0"),
        ("'v  '", "'v'", "2.0", "1.0"),
        ("'V'", "'V'", nan, nan),
        ("'w'", "'w'", inf, inf),
        ("'v\\t'", "'v '", "NULL", "NULL"),
        ("'v\u00e4'", "'w'", nan, "1.0"),
        ("''", "' '", nan, "NULL"),
        ("NULL", "'v'", "NULL", nan),
    ]
    rows = " UNION ALL ".join(
        f"SELECT {at} AS i, {s} AS s, {t} AS t, {f} AS f, {g} AS g" for at, (s, t, f, g) in enumerate(values, 1)
    )
    ends.google("CREATE SCHEMA chosen", f"CREATE TABLE chosen.orders AS {rows}")
    ends.migrate(ends.config("chosen"))
    made = plan([{"name": name, "type": kind} for name, kind in zip("istfg", _KINDS, strict=True)])
    found = {}
    for text in CHOSEN:
        theirs = ends.bq.query_and_wait(f"SELECT i FROM chosen.orders WHERE {text}")
        ours = ends.redshift.query(f"SELECT __ls.i FROM chosen.orders AS __ls WHERE {on_target(made, text)}")
        found[text] = ({row[0] for row in theirs}, {row[0] for row in ours})
    assert found == {text: (rows_, rows_) for text, rows_ in CHOSEN.items()}
    for text in ("s = 'v'", "f > 1"):
        assert console.json("compare", "p.chosen.orders", "chosen.orders", "--where", text)[0] == 0


def test_json_that_is_only_written_otherwise_is_equal_by_value(ends: Both, console: Console) -> None:
    ends.google(
        "CREATE SCHEMA spelled",
        """CREATE TABLE spelled.orders AS SELECT 1 AS id, JSON '{"b": [1, null], "a": 1.5}' AS doc UNION ALL """
        "SELECT 2, JSON '{}'",
    )
    run = ends.migrate(ends.config("spelled"))
    ends.redshift.run("""UPDATE spelled.orders SET doc = JSON_PARSE('{"a":1.50,"b":[1.0,null]}') WHERE id = 1""")
    words = ("compare", "p.spelled.orders", "spelled.orders")
    code, found = console.json(*words)
    assert (code, failed(found)) == (0, [])
    assert [one["column"] for one in found["checks"] if one["status"] == "equal_by_value"] == ["doc", ""]
    assert console.json("validate", run)[0] == 0
    ends.redshift.run("""UPDATE spelled.orders SET doc = JSON_PARSE('{"a":1.50,"b":[1.1,null]}') WHERE id = 1""")
    assert failed(console.json(*words)[1]) == [("checksum", "doc"), ("checksum", "")]
    code, found = console.json("validate", run, "--depth", "rows")
    assert (code, failed(found)) == (1, [("checksum", "doc"), ("checksum", "")])
    assert [(one["kind"], one["path"]) for one in found["rows"]] == [("changed", "doc.b[0]")]


def test_a_sample_is_the_same_rows_on_both_sides_and_says_so(ends: Both, console: Console) -> None:
    orders(ends, "part")
    ends.migrate(ends.config("part"))
    words = ("compare", "p.part.orders", "part.orders", "--sample", "20")
    for more in ((), ("--key", "id")):
        code, found = console.json(*words, *more)
        assert (code, failed(found)) == (0, [])
        assert all(one["check"].endswith(", sampled 20 %") for one in found["checks"])
        (counted,) = (one for one in found["checks"] if one["check"].startswith("rows"))
        assert 60 < int(counted["source_value"]) < 140
        assert "sampled 20 %" in found["notes"][0]
    ends.redshift.run("UPDATE part.orders SET name = 'other'")
    assert console.json(*words, "--key", "id")[0] == 1


def test_above_the_limit_nothing_is_asked(ends: Both, console: Console) -> None:
    orders(ends, "dear")
    ends.migrate(ends.config("dear"))
    words = ("compare", "p.dear.orders", "dear.orders")
    scanned = console.json(*words)[1]["bytes_scanned"]
    assert console.json(*words, "--max-bytes", str(scanned))[0] == 0
    code, answer = console.json(*words, "--max-bytes", str(scanned - 1))
    assert (code, answer["error"]) == (2, "ScanLimitExceeded")
    assert f"{scanned:,} bytes" in answer["message"]
    config = console.config("dear", "dear", validation={"maxSourceBytes": scanned - 1})
    assert console.json("validate", config)[1]["error"] == "ScanLimitExceeded"
    assert console.json("validate", config, "--max-bytes", str(scanned))[0] == 0


def test_what_a_difference_would_cost_beyond_the_limit_is_not_asked(ends: Both, console: Console) -> None:
    orders(ends, "tight")
    ends.migrate(ends.config("tight"))
    words = ("compare", "p.tight.orders", "tight.orders")
    scanned = console.json(*words)[1]["bytes_scanned"]
    ends.redshift.run("UPDATE tight.orders SET name = 'other' WHERE id = 7")
    code, found = console.json(*words, "--max-bytes", str(scanned))
    assert (code, found["bytes_scanned"]) == (1, scanned)
    assert "not compared by value: the source would scan" in found["checks"][-1]["difference"]


@pytest.mark.parametrize("policy", ["quarantine", "truncate", "null"])
def test_rows_in_quarantine_are_accounted_for(ends: Both, console: Console, policy: str) -> None:
    name = f"held_{policy}"
    ends.google(
        f"CREATE SCHEMA {name}",
        f"CREATE TABLE {name}.orders AS SELECT id, IF(id IN (3, 5), REPEAT('x', 70000), 'short') AS note, [id] AS xs "
        "FROM UNNEST(GENERATE_ARRAY(1, 20)) AS id",
    )
    made: dict[str, Any] = {
        "tables": [{"match": "orders", "nested": {"default": "child_table", "key": ["id"]}}],
        "misfits": policy,
    }
    ends.migrate(ends.config(name, **made))
    kept = 18 if policy == "quarantine" else 20
    assert ends.redshift.query(f"SELECT COUNT(*) FROM {name}.orders") == [(kept,)]
    config = console.config(name, name, **made)
    code, found = console.json("validate", config)
    assert (code, failed(found)) == (0, [])
    (counted, _) = (one for one in found["checks"] if one["check"] == "rows")
    assert (counted["source_value"], counted["target_value"]) == ("20", str(kept))
    assert console.json("validate", config, "--sample", "50")[0] == 0
    ends.google(f"UPDATE {name}.orders SET note = 'other' WHERE id = 3")
    code, found = console.json("validate", config, "--depth", "rows")
    assert code == 1
    assert {(one["kind"], one["column"]) for one in found["rows"]} == {("changed", "note")}


def with_a_held_row(ends: Both, dataset: str) -> str:
    ends.google(
        f"CREATE SCHEMA {dataset}",
        f"CREATE TABLE {dataset}.orders AS "
        "SELECT id, id * 3 AS amount, IF(id = 3, REPEAT('x', 70000), 'short') AS note "
        "FROM UNNEST(GENERATE_ARRAY(1, 20)) AS id",
    )
    return ends.migrate(ends.config(dataset))


def test_aggregates_beside_quarantine_tell_nothing_without_checksums(ends: Both, console: Console) -> None:
    with_a_held_row(ends, "beside")
    config = console.config("beside", "beside")
    assert console.json("validate", config)[0] == 0
    ends.redshift.run("UPDATE beside.orders SET amount = 0")
    code, found = console.json("validate", config, "--depth", "aggregates")
    assert (code, found["equal"]) == (1, False)
    said = not_checked(found)["p.beside.orders"]
    assert said.startswith("id, amount, note: rows are in quarantine")
    assert "--depth checksum" in said
    code, found = console.json("validate", config)
    assert (code, failed(found)) == (1, [("checksum", "amount"), ("checksum", "")])


def test_a_held_row_s_file_that_is_gone_keeps_no_other_table_from_being_compared(ends: Both, console: Console) -> None:
    run = with_a_held_row(ends, "lost")
    ends.google("CREATE TABLE lost.second AS SELECT 1 AS id")
    config = console.config("lost", "lost")
    ends.redshift.run("CREATE TABLE lost.second (id BIGINT)", "INSERT INTO lost.second VALUES (1)")
    objects = cast("Objects", ends.ports.objects)
    (held,) = (place for place in objects.state(run) if "/_held-" in place[1])
    objects.put_back(run, {place: body for place, body in objects.state(run).items() if place != held})
    code, found = console.json("validate", config)
    assert (code, failed(found)) == (1, [])
    assert "is gone from the lake" in not_checked(found)["p.lost.orders"]
    assert {one["table"] for one in found["checks"] if one["check"] == "checksum"} == {"p.lost.second"}


def test_a_row_that_a_merged_table_has_lost_is_missing(
    ends: Both, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "_KEYS_AT_ONCE", 100)
    orders(ends, "kept")
    rules = [{"match": "orders", "incremental": {"by": "key", "key": ["id"]}}]
    run = ends.migrate(ends.config("kept", rules))
    assert console.json("validate", run)[0] == 0
    ends.redshift.run("DELETE FROM kept.orders WHERE id = 7")
    code, found = console.json("validate", run)
    assert (code, not_checked(found)) == (1, {})
    assert ("rows", "") in failed(found)
    assert failed(found)[-1] == ("checksum", "")


def test_a_table_merged_by_key_is_compared_by_each_key_s_latest_row(ends: Both, console: Console) -> None:
    ends.google(
        "CREATE SCHEMA merged",
        "CREATE TABLE merged.orders AS SELECT 1 AS id, 1 AS version UNION ALL SELECT 1, 2 UNION ALL SELECT 2, 1",
    )
    rules = [{"match": "orders", "incremental": {"by": "key", "key": ["id"], "column": "version"}}]
    run = ends.migrate(ends.config("merged", rules))
    assert console.json("validate", console.config("merged", "merged", tables=rules))[0] == 0
    code, found = console.json("validate", run)
    assert (code, "latest" in not_checked(found)["p.merged.orders"]) == (1, True)
    assert failed(found) == []
    ends.redshift.run("DELETE FROM merged.orders WHERE id = 2")
    assert failed(console.json("validate", run)[1]) == [("rows", "")]


def test_views_and_tables_that_are_not_there_are_named(ends: Both, console: Console) -> None:
    orders(ends, "mixed")
    ends.google("CREATE VIEW mixed.seen AS SELECT id FROM mixed.orders")
    config = console.config("mixed", "mixed")
    code, found = console.json("validate", config)
    assert code == 1
    said = not_checked(found)
    assert "is a view" in said["p.mixed.seen"]
    assert "does not exist" in said["p.mixed.orders"]


@pytest.mark.parametrize("policy", ["quarantine", "truncate"])
@pytest.mark.parametrize("band", [None, Band("id", tuple(range(1, 16)))], ids=["plain", "banded"])
def test_the_source_s_own_sums_are_the_lake_s_and_those_of_held_rows(
    ends: Both, policy: str, band: Band | None
) -> None:
    name = f"own_{policy}{'_banded' if band else ''}"
    ends.google(
        f"CREATE SCHEMA {name}",
        f"CREATE TABLE {name}.orders AS SELECT id, IF(id IN (3, 5), REPEAT('x', 70000), 'short') AS note, "
        "[STRUCT(id AS n, [1, 2] AS ys)] AS xs, id / 7 AS ratio FROM UNNEST(GENERATE_ARRAY(1, 20)) AS id",
    )
    rule = {"match": "orders", "nested": {"default": "child_table"}}
    run = ends.migrate(ends.config(name, [rule], misfits=policy))
    record = ends.ports.ledger.table(run, f"p.{name}.orders")
    plan = plan_of(ends.ports, record)
    extracted = extract_of(ends.ports, plan, record)
    scope = Scope(plan, 16, band=band)
    parts, lake = scope.parts, lake_of(ends.ports, scope, [extracted.files], lambda: False)
    assert lake
    held = [held_of(ends.ports, plan, extracted, part).sums(part.columns, 16) for part in parts]
    # Rows that come later are not the run's.
    ends.google(f"INSERT INTO {name}.orders (id) VALUES (21)")
    found = source_sums(ends.source, plan, parts, 16, 2**30)
    assert found.bytes > 0
    assert len(parts) == 3
    for own, mine, more in zip(found.parts, lake.parts, held, strict=True):
        assert not len(own.differing(mine.sums + more))
        assert not len(own.differing_columns(mine.sums + more))
        assert len(own.differing(mine.sums))
    with pytest.raises(ScanLimitExceeded, match="1,000 are allowed"):
        source_sums(ends.source, plan, parts, 16, 1000)


@pytest.mark.parametrize("key", [[], ["id"]])
def test_the_elements_of_arrays_are_compared_with_child_tables(ends: Both, console: Console, key: list[str]) -> None:
    name = f"elements{len(key)}"
    ends.google(
        f"CREATE SCHEMA {name}",
        f"""CREATE TABLE {name}.orders AS SELECT id, JSON '{{"b": 1, "a": 2}}' AS doc, """
        "[STRUCT('a' AS sku, [1, id] AS ns), STRUCT('b' AS sku, [2] AS ns)] AS items "
        "FROM UNNEST(GENERATE_ARRAY(1, 30)) AS id",
    )
    rule = {"match": "orders", "nested": {"default": "child_table", "columns": {"doc": "super"}, "key": key}}
    ends.migrate(ends.config(name, [rule]))
    config = console.config(name, name, tables=[rule])
    ends.redshift.run(f"""UPDATE {name}.orders SET doc = JSON_PARSE('{{"a":2,"b":1}}') WHERE id = 3""")
    code, found = console.json("validate", config, "--sample", "50")
    assert (code, failed(found)) == (0, [])
    ends.redshift.run(f"UPDATE {name}.orders__items__ns SET value = 7 WHERE value = 30")
    code, found = console.json("validate", config)
    assert (code, failed(found)[-2:]) == (
        1,
        [("checksum", "orders__items__ns.value"), ("checksum", "orders__items__ns")],
    )
    assert {column for _, column in failed(found)} == {"orders__items__ns.value", "orders__items__ns"}


@pytest.mark.parametrize("way", ["run", "config"])
def test_parents_that_only_json_tells_apart_are_said_to_be_unchecked(ends: Both, console: Console, way: str) -> None:
    name = f"alike_{way}"
    ends.google(
        f"CREATE SCHEMA {name}",
        f"""CREATE TABLE {name}.orders AS SELECT 'k' AS kind, PARSE_JSON(CONCAT('{{"a":', CAST(id AS STRING), '}}')) """
        "AS doc, [id] AS xs FROM UNNEST(GENERATE_ARRAY(1, 4)) AS id",
    )
    rule = {"match": "orders", "nested": {"columns": {"xs": "child_table"}}}
    run = ends.migrate(ends.config(name, [rule]))
    asked = run if way == "run" else console.config(name, name, tables=[rule])
    code, found = console.json("validate", asked)
    assert (code, failed(found)) == (0, [])
    (said,) = [one for one in found["checks"] if one["check"] == "parents"]
    assert said["status"] == "not_checked"
    assert said["difference"].startswith("3 rows of its parent table are like others")
    assert said["column"].rstrip(".") == "orders__xs"


def test_bignumerics_that_have_become_decimals_are_compared_by_every_digit(ends: Both, console: Console) -> None:
    long = "-12345678901234567890.1234567891"
    ends.google(
        "CREATE SCHEMA measured",
        "CREATE TABLE measured.t (id INT64, n BIGNUMERIC)",
        f"INSERT INTO measured.t VALUES (1, BIGNUMERIC '{long}'), (2, BIGNUMERIC '0.5'), (3, NULL)",
    )
    ends.migrate(ends.config("measured", types={"measured": True}))
    kind = "SELECT numeric_precision, numeric_scale FROM svv_columns WHERE table_name = 't' AND column_name = 'n'"
    assert ends.redshift.query(kind) == [(38, 14)]
    config = console.config("measured", "measured", types={"measured": True})
    for words in (("compare", "p.measured.t", "measured.t"), ("validate", config)):
        for depth in ("aggregates", "checksum"):
            code, found = console.json(*words, "--depth", depth)
            assert (code, failed(found)) == (0, [])
        sums = [(one["source_value"], one["target_value"]) for one in found["checks"] if one["check"] == "sum"]
        assert ("-12345678901234567889.62345678910000",) * 2 in sums
    # One digit at the end of the target's scale, and one that it has no place for.
    for statement, place in (
        ("UPDATE measured.t SET n = 0.50000000000001 WHERE id = 2", ends.redshift.run),
        ("UPDATE measured.t SET n = BIGNUMERIC '0.50000000000001001' WHERE id = 2", ends.google),
    ):
        place(statement)
        for words in (("compare", "p.measured.t", "measured.t"), ("validate", config)):
            code, found = console.json(*words, "--depth", "aggregates")
            assert (code, failed(found)) == (1, [("max", "n"), ("sum", "n")])


def test_a_view_and_decimals_of_other_sizes_are_compared_as_they_stand(ends: Both, console: Console) -> None:
    ends.google(
        "CREATE SCHEMA sized",
        "CREATE TABLE sized.prices AS SELECT 1 AS id, NUMERIC '1.25' AS price UNION ALL SELECT 2, NUMERIC '2'",
        "CREATE VIEW sized.seen AS SELECT * FROM sized.prices",
    )
    ends.redshift.run(
        "CREATE SCHEMA sizes",
        "CREATE TABLE sizes.prices (id SMALLINT, price DECIMAL(8,2))",
        "INSERT INTO sizes.prices VALUES (1, 1.25), (2, 2)",
    )
    for source in ("p.sized.prices", "p.sized.seen"):
        code, found = console.json("compare", source, "sizes.prices")
        assert (code, failed(found)) == (0, [])
        code, found = console.json("compare", source, "sizes.prices", "--where", "id = 1", "--depth", "count")
        assert (code, [one["source_value"] for one in found["checks"] if one["check"] == "rows"]) == (0, ["1"])
    # A digit that the target has no place for is a difference, not a rounding.
    ends.google("UPDATE sized.prices SET price = NUMERIC '1.251' WHERE id = 1")
    assert console.json("compare", "p.sized.seen", "sizes.prices", "--columns", "price", "--where", "id = 1")[0] == 1


def test_a_table_that_the_source_refuses_leaves_the_others_to_be_compared(
    ends: Both, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders(ends, "shown")
    ends.google("CREATE TABLE shown.places AS SELECT 1 AS id", "CREATE TABLE shown.last AS SELECT 1 AS id")
    ends.migrate(ends.config("shown"))
    real: Any = ends.source._rest.query

    def query(text: str, **more: Any) -> Any:
        return real(
            "SELECT 1 FROM `p.shown.places` PIVOT (SUM(id) FOR id IN (1))" if "places" in text else text, **more
        )

    monkeypatch.setattr(ends.source._rest, "query", query)
    code, found = console.json("validate", console.config("shown", "shown"))
    assert (code, failed(found)) == (1, [])
    said = not_checked(found)
    assert list(said) == ["p.shown.places"]
    assert said["p.shown.places"].startswith("the source refuses a question about it: The local twin does not support")
    assert {one["table"] for one in found["checks"] if one["check"] == "checksum"} == {"p.shown.orders", "p.shown.last"}
