"""Every command as a person types it: what it prints, and its exit code."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.cloud import Cloud, config
from tests.scenarios.shell import Program

ROWS = '{"id": 1, "tags": ["a", "b"], "big": "0.5"}\n{"id": 2, "tags": []}\n'
SCHEMA = [
    {"name": "id", "type": "INT64"},
    {"name": "tags", "type": "STRING", "mode": "REPEATED"},
    {"name": "big", "type": "BIGNUMERIC"},
]


@pytest.fixture
def shell(cloud: Cloud, tmp_path: Path) -> Program:
    (tmp_path / "rows.jsonl").write_text(ROWS)
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    return Program(tmp_path, cloud.home)


def write(shell: Program, name: str, given: dict[str, Any]) -> str:
    (shell.folder / name).write_text(json.dumps(given))
    return name


def test_check_is_good_or_names_every_problem(shell: Program) -> None:
    assert shell.json("check", write(shell, "good.json", config("d")))[0] == 0
    code, answer = shell.json("check", write(shell, "bad.json", config("d", loda={})))
    assert code == 2
    assert [(problem["pointer"], problem["nearest"]) for problem in answer["problems"]] == [("/loda", "load")]
    done = shell("check", "bad.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "/loda: unknown key 'loda'" in done.stderr
    assert shell("check", "none.json").returncode == 2


def test_seed_run_status_report_and_sql(shell: Program) -> None:
    place = ("--project", "demo", "--dataset", "shell", "--table", "orders", "--schema", "schema.json")
    assert shell.json("local", "seed", *place, "rows.jsonl") == (0, {"rows": 2})
    done = shell("run", write(shell, "shell.json", config("shell")))
    assert done.returncode == 0, done.stderr
    run = done.stdout.splitlines()[0].removeprefix("run ")
    for name in ("report.json", "report.html"):
        path = f"lakeshift-reports/{run}/{name}"
        assert path in done.stdout.splitlines()
        assert (shell.folder / path).stat().st_size

    code, report = shell.json("report", run)
    assert (code, report["run"], report["status"]) == (0, run, "succeeded")
    (table,) = report["tables"]
    assert (table["source"], table["target"], table["status"]) == ("demo.shell.orders", "shell.orders", "published")
    assert table["rows"] == {"source": 2, "lake": 2, "target": 2, "quarantined": 0, "mended": 0}
    noted = [line for line in done.stdout.splitlines() if line.startswith("note ")]
    assert noted == [f"note demo.shell.orders: {text}" for text in table["notes"]]
    assert any("big" in line for line in noted)

    code, status = shell.json("status", run)
    assert (code, status["state"], status["tables"][0]["rows_done"]) == (0, "succeeded", 2)
    assert "published" in shell("status", run).stdout
    assert shell("status", run, "--watch").returncode == 0

    redshift = shell.json("local", "sql", "redshift", "SELECT id, tags FROM shell.orders ORDER BY id")
    assert redshift == (0, [{"id": 1, "tags": '["a","b"]'}, {"id": 2, "tags": "[]"}])
    assert shell.json("local", "sql", "bigquery", "SELECT COUNT(*) AS n FROM shell.orders") == (0, [{"n": 2}])


def test_submit_prints_the_run_and_run_follows_one_that_fails(shell: Program) -> None:
    done = shell("submit", write(shell, "nowhere.json", config("nowhere")))
    assert done.returncode == 0
    watched = shell("status", done.stdout.strip(), "--watch")
    assert watched.returncode == 2
    assert "/sources/0/datasets/0/name" in watched.stderr
    code, answer = shell.json("run", "nowhere.json")
    assert (code, answer["status"]) == (2, "refused")


def test_what_is_not_sql_of_the_engine_is_refused(shell: Program) -> None:
    for engine in ("redshift", "bigquery"):
        code, answer = shell.json("local", "sql", engine, "SELECT FROM WHERE")
        assert (code, answer["error"]) == (2, "StatementFailed")


def test_bad_files_are_named(shell: Program) -> None:
    place = ("--project", "demo", "--dataset", "shell", "--table", "bad")
    (shell.folder / "rows.csv").write_text("a,b")
    assert shell("local", "seed", *place, "rows.csv").returncode == 2
    (shell.folder / "bad.jsonl").write_text('{"id": "x"}\n')
    done = shell("local", "seed", *place, "--schema", "schema.json", "bad.jsonl")
    assert done.returncode == 2
    assert "id" in done.stderr


def test_unknown_runs_and_stages_have_their_codes(shell: Program, tmp_path: Path) -> None:
    assert shell("report", "none-000000000000").returncode == 2
    assert shell("status", "none-000000000000").returncode == 2
    nowhere = Program(tmp_path, tmp_path / "nowhere")
    code, answer = nowhere.json("status", "none-000000000000")
    assert (code, answer["error"]) == (3, "StageMissing")
    assert nowhere("local", "status").returncode == 3


def test_a_file_with_the_name_of_an_answer_is_not_uploaded(shell: Program) -> None:
    for name in ("shell.status.json", "shell.status.txt"):
        for verb in ("submit", "run"):
            code, answer = shell.json(verb, write(shell, name, config("shell")))
            assert (code, answer["error"]) == (2, "ConfigInvalid")
            assert "the name of an answer" in answer["problems"][0]["message"]


@pytest.fixture
def gone(tmp_path: Path) -> Program:
    """A home whose local cloud has died and left its endpoints behind."""
    (tmp_path / "rows.jsonl").write_text(ROWS)
    home = tmp_path / "gone"
    home.mkdir()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
    (home / "endpoints.json").write_text(json.dumps({"aws": address, "bigquery": address}))
    return Program(tmp_path, home)


@pytest.mark.parametrize(
    "words",
    [
        ("local", "sql", "redshift", "SELECT 1"),
        ("local", "sql", "bigquery", "SELECT 1"),
        ("local", "seed", "--project", "p", "--dataset", "d", "--table", "t", "rows.jsonl"),
        ("status", "none-000000000000"),
    ],
    ids=lambda words: "-".join(words[:3]),
)
def test_a_local_cloud_that_has_died_is_an_environment_problem(gone: Program, words: tuple[str, ...]) -> None:
    done = gone(*words)
    assert (done.returncode, done.stdout) == (3, "")
    (line,) = done.stderr.splitlines()
    assert "does not answer" in line
    assert line.endswith("Next: lakeshift local up --detach")


def test_a_profile_that_is_not_there_is_an_environment_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    code, answer = Program(tmp_path, tmp_path).json("status", "none-000000000000", "--stage", "prod")
    assert (code, answer["error"]) == (3, "StoreRefused")


def test_down_answers_in_json(gone: Program) -> None:
    assert gone.json("local", "down") == (0, {"running": False})
    assert gone("local", "status").returncode == 3


def test_status_of_the_local_cloud(shell: Program, cloud: Cloud) -> None:
    code, found = shell.json("local", "status")
    assert (code, found["running"], found["aws"]) == (0, True, cloud.endpoints["aws"])


def test_values_that_json_has_no_type_for_are_text(shell: Program) -> None:
    query = "SELECT CAST('NaN' AS FLOAT64) AS a, b'\\x00\\xff' AS b, DATE '2024-02-29' AS c, [NUMERIC '1.50'] AS d"
    expected = [{"a": "nan", "b": "AP8=", "c": "2024-02-29", "d": ["1.5"]}]
    code, rows = shell.json("local", "sql", "bigquery", query)
    assert (code, [{**row, "d": [value.rstrip("0") for value in row["d"]]} for row in rows]) == (0, expected)
