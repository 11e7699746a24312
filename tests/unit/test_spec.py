"""The config file: what is read, and how every problem is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from lakeshift.errors import ConfigInvalid, Problem
from lakeshift.spec import json_schema, read

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
    assert (migration.load.mode, migration.validation.depth) == ("immediate", "count")
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
