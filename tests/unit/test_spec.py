"""The config file: what is read, and how every problem is named."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from lakeshift.errors import ConfigInvalid, Problem
from lakeshift.spec import json_schema, read
from lakeshift.types import condition

SCHEMA = Path(__file__).parents[2] / "docs" / "reference" / "config.schema.json"


def config(**changes: Any) -> dict[str, Any]:
    source = {"type": "bigquery", "project": "p", "datasets": [{"name": "d"}]}
    return {"sources": [source], **changes}


def problems(body: bytes | dict[str, Any]) -> list[Problem]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(ConfigInvalid) as caught:
        read(raw)
    return list(caught.value.problems)


def test_a_small_config_has_defaults() -> None:
    migration = read(json.dumps(config()).encode())
    assert migration.sources[0].datasets[0].include == ["*"]
    assert migration.target.schema_name == "{dataset}"
    assert (migration.load.mode, migration.validation.depth) == ("immediate", "checksum")
    assert migration.input_max_parallelism is None


def test_a_byte_order_mark_is_no_problem() -> None:
    assert read(b"\xef\xbb\xbf" + json.dumps(config()).encode()).sources[0].project == "p"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{", "not JSON: .* at line 1, column 2"),
        (b"", "not JSON"),
        (b"\xff", "not UTF-8"),
        (b'{"sources": NaN}', "NaN is no JSON value"),
        (b'{"load": {}, "load": {}}', "'load' stands twice"),
        (b"[" * 100_000, "nested too deep|not JSON"),
    ],
)
def test_what_is_no_json_object_is_refused(body: bytes, text: str) -> None:
    with pytest.raises(ConfigInvalid, match=text):
        read(body)


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"x"'])
def test_json_that_is_no_object_is_refused_at_the_root(body: bytes) -> None:
    assert [problem.pointer for problem in problems(body)] == [""]


def test_an_unknown_key_names_what_is_allowed_and_the_nearest() -> None:
    (problem,) = problems(config(inputMaxParalelism=3))
    assert problem.pointer == "/inputMaxParalelism"
    assert problem.nearest == "inputMaxParallelism"
    assert "validation" in problem.allowed


def test_an_unknown_key_deep_inside_is_found() -> None:
    (problem,) = problems(config(sources=[{**config()["sources"][0], "datasets": [{"name": "d", "includes": ["a"]}]}]))
    assert (problem.pointer, problem.nearest) == ("/sources/0/datasets/0/includes", "include")


def parts(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, list[str]]]:
    """Pointer to every object that a config may have, and the keys that it may have."""
    defined = json_schema()["$defs"]
    if "properties" in node:
        yield path, sorted(node["properties"])
    for name, value in node.get("properties", {}).items():
        for one in (value, *value.get("anyOf", ())):
            many = one.get("items", {})
            for found, place in ((one, f"{path}/{name}"), (many, f"{path}/{name}/0")):
                if "$ref" in found:
                    yield from parts(defined[found["$ref"].rsplit("/", 1)[-1]], place)


@pytest.mark.parametrize(("place", "allowed"), list(parts(json_schema())))
def test_a_misspelt_key_is_found_in_every_part(place: str, allowed: list[str]) -> None:
    body: Any = {"misspelt": 1}
    for name in reversed(place.split("/")[1:]):
        body = [body] if name == "0" else {name: body}
    found = [problem.allowed for problem in problems(body) if problem.pointer == f"{place}/misspelt"]
    assert found == [tuple(allowed)]


def test_a_wrong_value_shows_what_was_found() -> None:
    (problem,) = problems(config(load={"mode": "imediate"}))
    assert problem == Problem(
        "/load/mode", problem.message, '"imediate"', ("immediate", "scheduled"), nearest="immediate"
    )


def test_every_problem_is_named_at_once() -> None:
    found = problems({"sources": [], "lake": {"prefix": "/x"}, "inputMaxParallelism": "3", "a/b~c": 1})
    pointers = {problem.pointer for problem in found}
    assert pointers == {"/sources", "/lake/prefix", "/inputMaxParallelism", "/a~1b~0c"}


@pytest.mark.parametrize("value", [0, -1, 1001, True, 1.5, "30"])
def test_parallelism_is_a_whole_number_in_its_range(value: object) -> None:
    assert [problem.pointer for problem in problems(config(inputMaxParallelism=value))] == ["/inputMaxParallelism"]


def test_workgroup_and_cluster_exclude_each_other() -> None:
    (problem,) = problems(config(target={"workgroup": "one", "cluster": "two"}))
    assert problem.pointer == "/target"


@pytest.mark.parametrize(
    "schema",
    [
        "{datset}",
        "{",
        "a}b",
        "",
        "}{",
        "{}",
        "{0}",
        "{dataset!r}",
        "{dataset:>3}",
        "{dataset[0]}",
        "{dataset.x}",
        "{{}",
    ],
)
def test_schema_knows_its_placeholders(schema: str) -> None:
    assert [problem.pointer for problem in problems(config(target={"schema": schema}))] == ["/target/schema"]


@pytest.mark.parametrize(
    ("schema", "filled"), [("{project}_{dataset}", "p_d"), ("plain", "plain"), ("{{{dataset}}}", "{d}")]
)
def test_what_is_accepted_as_schema_can_be_filled(schema: str, filled: str) -> None:
    found = read(json.dumps(config(target={"schema": schema})).encode()).target.schema_name
    assert found.format(project="p", dataset="d") == filled


def test_the_published_schema_is_this_one() -> None:
    assert json.loads(SCHEMA.read_text()) == json_schema()


def test_the_published_schema_accepts_and_refuses_alike() -> None:
    validator = Draft202012Validator(json_schema())
    assert not list(validator.iter_errors(config(load={"mode": "scheduled"})))
    assert list(validator.iter_errors(config(unknown=1)))


def ruled(**rule: Any) -> dict[str, Any]:
    return config(sources=[{**config()["sources"][0], "datasets": [{"name": "d", "tables": [{"match": "t", **rule}]}]}])


RULE = "/sources/0/datasets/0/tables/0"


def test_a_rule_matches_one_pattern_or_several() -> None:
    for given, patterns in (("t*", ["t*"]), (["a", "regex:b+"], ["a", "regex:b+"])):
        migration = read(json.dumps(ruled(match=given)).encode())
        assert migration.sources[0].datasets[0].tables[0].match == patterns
        assert read(migration.model_dump_json(by_alias=True).encode()) == migration


@pytest.mark.parametrize(
    ("rule", "pointer", "text"),
    [
        ({"match": "regex:("}, "/match", "not a regular expression"),
        ({"match": ["a", "regex:["]}, "/match/1", "not a regular expression"),
        ({"match": []}, "/match", "at least 1"),
        ({"match": 3}, "/match", "valid array"),
        ({"columns": ["regex:+"]}, "/columns/0", "not a regular expression"),
        ({"filter": "a = 1; drop table x"}, "/filter", "only one condition"),
        ({"sample": {"percent": 0}}, "/sample/percent", "greater than 0"),
        ({"sample": {"percent": 101}}, "/sample/percent", "less than or equal to 100"),
        ({"priority": 1.5}, "/priority", "integer"),
        ({"incremental": {"by": "column"}}, "/incremental", '"column" stands with'),
        ({"incremental": {"by": "partition", "column": "a"}}, "/incremental", '"column" stands with'),
        ({"incremental": {"by": "rows"}}, "/incremental/by", "partition"),
        ({"colums": ["a"]}, "/colums", "unknown key"),
    ],
)
def test_problems_of_rules_have_their_pointer(rule: dict[str, Any], pointer: str, text: str) -> None:
    (problem,) = problems(ruled(**rule))
    assert problem.pointer == RULE + pointer
    assert text in problem.message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a > 5 AND b IS NOT NULL", ""),
        ("x = 'a;--b' OR `we ird` LIKE 'x%'", ""),
        ("st_equals(g, st_geogpoint(1, 2))", ""),
        ("at >= TIMESTAMP '2024-01-01'", ""),
        ("x IN UNNEST([1, 2])", ""),
        ("a = 1; DROP TABLE x", "only one condition"),
        ("a = 1 -- all", "comment"),
        ("a /* b */ = 1", "comment"),
        ("# nothing", "no condition"),
        ("a IN (SELECT 1)", "subquery"),
        ("EXISTS(SELECT 1 FROM t)", "subquery"),
        ("COUNT(*) > 3", "aggregate"),
        ("SUM(x) OVER () > 1", "window"),
        ("a = @x", "parameters"),
        ("a = ?", "parameters"),
        ("RAND() < 0.5", "another value each time"),
        ("d < CURRENT_DATE()", "another value each time"),
        ("generate_uuid() = x", "another value each time"),
        ("a, b", "not one GoogleSQL condition"),
        ("a) OR (b", "not one GoogleSQL condition"),
        ("a AS b", "not one GoogleSQL condition"),
        ("SELECT 1", "not one GoogleSQL condition"),
        ("a = 1 AND", "not one GoogleSQL condition"),
        ("'text'", "not a condition"),
    ],
)
def test_a_filter_is_one_condition_that_holds_the_same_each_time(text: str, reason: str) -> None:
    found = condition.problem(text)
    assert reason in found
    assert bool(found) is bool(reason)


def test_views_are_queried_only_where_results_can_be_written() -> None:
    source = config()["sources"][0]
    (problem,) = problems(config(sources=[{**source, "views": {"read": "query"}}]))
    assert (problem.pointer, '"dataset"' in problem.message) == ("/sources/0/views", True)
    views = read(json.dumps(config(sources=[{**source, "views": {"read": "query", "dataset": "t"}}])).encode())
    assert views.sources[0].views.max_bytes == 2**40


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("fileMegabytes", 127),
        ("fileMegabytes", 513),
        ("chunkMegabytes", 63),
        ("stallSeconds", 0.5),
        ("stallSeconds", 3601),
        ("readStreams", 0),
        ("statistics", 1),
        ("engine", "spark"),
    ],
)
def test_settings_of_extract_have_their_range(key: str, value: object) -> None:
    assert [problem.pointer for problem in problems(config(extract={key: value}))] == [f"/extract/{key}"]


def test_extract_has_defaults() -> None:
    extract = read(json.dumps(config()).encode()).extract
    assert (extract.file_megabytes, extract.chunk_megabytes, extract.stall_seconds) == (256, 2048, 120)
    assert (extract.statistics, extract.read_streams, extract.engine) == (True, None, "auto")


def test_the_published_schema_takes_a_pattern_or_a_list() -> None:
    validator = Draft202012Validator(json_schema())
    for match in ("t", ["t"]):
        assert not list(validator.iter_errors(ruled(match=match, sample={"percent": 5})))
    assert list(validator.iter_errors(ruled(match=3)))


@pytest.mark.parametrize("path", sorted((SCHEMA.parents[2] / "examples").rglob("*.json")), ids=lambda path: path.name)
def test_examples_are_valid(path: Path) -> None:
    assert read(path.read_bytes()).sources
    assert not list(Draft202012Validator(json_schema()).iter_errors(json.loads(path.read_text())))


def test_configs_in_the_docs_are_valid() -> None:
    found = 0
    for page in (SCHEMA.parents[1] / "how-to").glob("*.md"):
        for block in re.findall(r"```json\n(.*?)```", page.read_text(), re.S):
            assert read(block.encode()).sources, page.name
            found += 1
    assert found >= 4


def test_the_source_is_asked_by_choice_and_within_a_limit() -> None:
    plain = read(json.dumps(config()).encode()).validation
    assert (plain.source, plain.max_source_bytes) == ("extract", 1024**4)
    asked = read(json.dumps(config(validation={"source": "query", "maxSourceBytes": 0})).encode()).validation
    assert (asked.source, asked.max_source_bytes) == ("query", 0)
    (problem,) = problems(config(validation={"source": "both"}))
    assert problem.allowed == ("extract", "query")


@pytest.mark.parametrize("schema", ["pg_catalog", "PG_x", "lakeshift", "Information_Schema"])
def test_no_table_is_moved_into_a_schema_of_the_system(schema: str) -> None:
    (found,) = problems(config(target={"schema": schema}))
    assert (found.pointer, "name another one" in found.message) == ("/target/schema", True)
    given = config()
    given["sources"][0]["datasets"][0]["schema"] = schema
    assert [one.pointer for one in problems(given)] == ["/sources/0/datasets/0/schema"]


@pytest.mark.parametrize("schema", ["{region}", "{dataset}", "a}b"])
def test_the_schema_of_a_data_set_is_a_name_without_placeholders(schema: str) -> None:
    given = config()
    given["sources"][0]["datasets"][0]["schema"] = schema
    (found,) = problems(given)
    assert (found.pointer, "target.schema" in found.message) == ("/sources/0/datasets/0/schema", True)
