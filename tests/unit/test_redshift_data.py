"""The Redshift Data API as we call it: who calls, how much at a time, and what becomes of a COPY that fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.stub import Stubber

from lakeshift.adapters import redshift
from lakeshift.adapters.redshift import MAX_BYTES, MAX_STATEMENTS, RedshiftData
from lakeshift.errors import StatementFailed, StatementTooLarge, StillRunning, TargetBusy
from tests.unit.test_adapters_errors import sdk


class Calls:
    """A client that answers by name of the call and notes what it was given."""

    def __init__(self, **answers: Any) -> None:
        self.given: list[tuple[str, dict[str, Any]]] = []
        self._answers = answers

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**given: Any) -> Any:
            self.given.append((name, given))
            answers = self._answers[name]
            answer = answers.pop(0) if isinstance(answers, list) else answers
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call

    def get_paginator(self, _name: str) -> Any:
        return self

    def paginate(self, **_given: Any) -> Any:
        return self._answers["pages"]


@pytest.mark.parametrize(
    ("target", "sent"),
    [
        ({"workgroup": "w", "cluster": None}, {"WorkgroupName": "w"}),
        ({"workgroup": "w", "cluster": None, "secret": "s"}, {"WorkgroupName": "w", "SecretArn": "s"}),
        ({"workgroup": "w", "cluster": None, "user": "u"}, {"WorkgroupName": "w"}),
        ({"workgroup": None, "cluster": "c"}, {"ClusterIdentifier": "c"}),
        ({"workgroup": None, "cluster": "c", "user": "u"}, {"ClusterIdentifier": "c", "DbUser": "u"}),
        ({"workgroup": None, "cluster": "c", "secret": "s", "user": "u"}, {"ClusterIdentifier": "c", "SecretArn": "s"}),
    ],
)
def test_who_calls(target: dict[str, Any], sent: dict[str, str]) -> None:
    api: Any = Calls(execute_statement={"Id": "s"}, batch_execute_statement={"Id": "s"})
    warehouse = RedshiftData(api, "dev", **target)
    warehouse.submit(["SELECT 1"], "t")
    warehouse.submit(["SELECT 1", "SELECT 2"], "t")
    common = {"ClientToken": "t", "Database": "dev", **sent}
    assert [given for _, given in api.given] == [
        {"Sql": "SELECT 1", **common},
        {"Sqls": ["SELECT 1", "SELECT 2"], **common},
    ]


def test_what_is_too_large_is_named_and_not_sent() -> None:
    api: Any = Calls()
    warehouse = RedshiftData(api, "dev", "w", None)
    large = "CREATE TABLE shop.orders (" + "é" * (MAX_BYTES // 2) + ")"
    with pytest.raises(StatementTooLarge, match=r"102,427 bytes.*CREATE TABLE shop.orders"):
        warehouse.submit(["SELECT 1", large], "t")
    with pytest.raises(StatementTooLarge, match=f"{MAX_STATEMENTS + 1} statements"):
        warehouse.submit(["SELECT 1"] * (MAX_STATEMENTS + 1), "t")
    with pytest.raises(StatementTooLarge):
        warehouse.query(large)
    assert api.given == []


def test_an_answer_that_was_lost_is_asked_for_again_with_the_same_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    lost = ReadTimeoutError(endpoint_url="https://aws.test")
    api: Any = Calls(execute_statement=[lost, {"Id": "s"}])
    assert RedshiftData(api, "dev", "w", None).submit(["SELECT 1"], "t") == "s"
    assert [given["ClientToken"] for _, given in api.given] == ["t", "t"]


def test_a_busy_warehouse_is_asked_again_after_pauses_of_full_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    client = sdk("redshift-data")
    with Stubber(client) as stub:
        for code in ("ActiveStatementsExceededException", "ThrottlingException") * 4:
            stub.add_client_error("execute_statement", code)
        stub.add_response("execute_statement", {"Id": "s"})
        assert RedshiftData(client, "dev", "wg-one", None).submit(["SELECT 1"], "t") == "s"
    assert len(pauses) == 8
    assert all(0 <= pause <= min(10, 0.5 * 2**attempt) for attempt, pause in enumerate(pauses))
    assert len({*pauses}) == 8


def test_too_many_that_wait_for_one_statement_are_no_failure_of_it() -> None:
    client = sdk("redshift-data")
    with Stubber(client) as stub:
        stub.add_client_error("describe_statement", "ActiveWaitingRequestsExceededException")
        with pytest.raises(TargetBusy, match="ActiveWaitingRequestsExceeded"):
            RedshiftData(client, "dev", "wg-one", None).poll("s", 1)


def test_an_aborted_statement_is_no_transient_failure() -> None:
    api: Any = Calls(describe_statement={"Status": "ABORTED", "Id": "s"})
    state = RedshiftData(api, "dev", "w", None).poll("s", 1)
    assert (state.finished, state.transient) == (True, False)
    assert "was aborted: a person, or a limit" in state.error


@pytest.mark.parametrize(
    "text",
    [
        "ERROR: Query (123) cancelled on system's request",
        "ERROR:1023 DETAIL: Serializable isolation violation on table in Redshift",
        "ERROR: 1018 DETAIL: Relation does not exist",
    ],
)
def test_a_statement_that_met_a_restart_or_another_transaction_is_transient(text: str) -> None:
    api: Any = Calls(describe_statement={"Status": "FAILED", "Error": text, "Id": "s"})
    assert RedshiftData(api, "dev", "w", None).poll("s", 1).transient


def failed_copy(**parts: Any) -> dict[str, Any]:
    copy = {"Id": "s:2", "Status": "FAILED", "QueryString": "COPY shop.orders FROM ...", "RedshiftQueryId": 77}
    good = {"Id": "s:1", "Status": "FINISHED", "QueryString": "DROP TABLE x", "RedshiftQueryId": 76}
    left = {"Id": "s:3", "Status": "ABORTED", "QueryString": "INSERT", "RedshiftQueryId": -1}
    text = "ERROR: Spectrum Scan Error: 'anna@x.de'"
    return {"Id": "s", "Status": "FAILED", "Error": text, "SubStatements": [good, {**copy, **parts}, left]}


def field(value: Any) -> dict[str, Any]:
    return {"longValue": value} if isinstance(value, int) else {"stringValue": value}


DETAIL = ["s3://lake/raw/a.parquet", 17, "mail", "varchar", "8", 15001, "Value 'anna@x.de' is too long"]


def test_a_copy_that_failed_says_where_and_why_and_never_the_value() -> None:
    api: Any = Calls(
        describe_statement=[failed_copy(), {"Id": "q", "Status": "FINISHED", "HasResultSet": True}],
        execute_statement={"Id": "q"},
        pages=[{"Records": [[field(value) for value in DETAIL]]}],
    )
    state = RedshiftData(api, "dev", "w", None).poll("s", 1)
    assert state.error == (
        "COPY failed with error 15001 in file s3://lake/raw/a.parquet, row 17, column mail varchar(8): "
        "Value <9 characters: letters, signs> is too long. "
        "To do: make the column wider, or choose with `misfits` what becomes of values that do not fit."
    )
    (asked,) = [given["Sql"] for name, given in api.given if name == "execute_statement"]
    assert "sys_load_error_detail WHERE query_id = 77 " in asked


@pytest.mark.parametrize("answer", [[], [{"Records": []}]])
def test_without_its_detail_the_failure_stands_masked(answer: list[Any]) -> None:
    api: Any = Calls(
        describe_statement=[failed_copy(), {"Id": "q", "Status": "FINISHED", "HasResultSet": True}],
        execute_statement={"Id": "q"},
        pages=answer,
    )
    assert RedshiftData(api, "dev", "w", None).poll("s", 1).error == (
        "ERROR: Spectrum Scan Error: <9 characters: letters, signs>"
    )


def test_a_detail_that_cannot_be_asked_for_hides_nothing() -> None:
    denied = {"Id": "q", "Status": "FAILED", "Error": "permission denied for sys_load_error_detail"}
    api: Any = Calls(describe_statement=[failed_copy(), denied], execute_statement={"Id": "q"})
    assert RedshiftData(api, "dev", "w", None).poll("s", 1).error.startswith("ERROR: Spectrum Scan Error: <")


def test_the_sql_of_a_refused_query_shows_no_values(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = {"Id": "q", "Status": "FAILED", "Error": 'invalid input syntax for integer: "x1"'}
    api: Any = Calls(describe_statement=failed, execute_statement={"Id": "q"})
    with pytest.raises(StatementFailed) as caught:
        RedshiftData(api, "dev", "w", None).query("SELECT 1 FROM t WHERE a = 'anna'")
    assert "anna" not in str(caught.value)
    assert "x1" not in str(caught.value)
    monkeypatch.setattr(redshift, "_QUERY_SECONDS", 0.0)
    api = Calls(describe_statement={"Id": "q", "Status": "STARTED"}, execute_statement={"Id": "q"})
    with pytest.raises(TargetBusy) as busy:
        RedshiftData(api, "dev", "w", None).query("SELECT 'anna'")
    assert "anna" not in str(busy.value)


def test_the_service_does_the_waiting() -> None:
    api: Any = Calls(
        execute_statement=[{"Id": "q", "Status": "FINISHED", "HasResultSet": True}, {"Id": "r", "Status": "STARTED"}],
        describe_statement={"Id": "r", "Status": "FINISHED", "HasResultSet": True},
        pages=[{"Records": [[field(1)]]}],
    )
    warehouse = RedshiftData(api, "dev", "w", None)
    assert warehouse.query("SELECT 1") == [(1,)]
    assert warehouse.query("SELECT 1") == [(1,)]
    assert warehouse.poll("s", 20).finished
    assert warehouse.poll("s", 0.2).finished
    assert [(name, given["WaitTimeSeconds"]) for name, given in api.given] == [
        ("execute_statement", 30),
        ("execute_statement", 30),
        ("describe_statement", 30),
        ("describe_statement", 20),
        ("describe_statement", 1),
    ]


def test_a_question_with_a_token_is_said_once_and_waited_for_a_minute_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(redshift, "_ASKED_SECONDS", 0.0)
    started, page = {"Id": "s", "Status": "STARTED"}, [{"Records": [[{"longValue": 7}]]}]
    ended = {"Id": "s", "Status": "FINISHED", "HasResultSet": True}
    api: Any = Calls(execute_statement=[started, ended], describe_statement={"Status": "STARTED"}, pages=page)
    warehouse = RedshiftData(api, "dev", "w", None)
    with pytest.raises(StillRunning):
        warehouse.query("SELECT 7", "t")
    assert warehouse.query("SELECT 7", "t") == [(7,)]
    said = [given["ClientToken"] for name, given in api.given if name == "execute_statement"]
    assert said == ["t", "t"]


def test_a_question_whose_statement_met_another_transaction_is_said_anew_without_its_token() -> None:
    failed = {"Id": "s", "Status": "FAILED", "Error": "serializable isolation violation on table 1"}
    ended = {"Id": "s2", "Status": "FINISHED", "HasResultSet": True}
    page = [{"Records": [[{"longValue": 7}]]}]
    api: Any = Calls(execute_statement=[{"Id": "s"}, ended], describe_statement=failed, pages=page)
    assert RedshiftData(api, "dev", "w", None).query("SELECT 7", "t") == [(7,)]
    said = [given.get("ClientToken") for name, given in api.given if name == "execute_statement"]
    assert said == ["t", None]
