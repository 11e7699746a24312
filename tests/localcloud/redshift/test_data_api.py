"""The Data API through boto3: asynchronous statements, batches, tokens, results, limits, faults."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from botocore.exceptions import ClientError

from localcloud.redshift.engine import Warehouse
from localcloud.redshift.faults import Fault, Faults
from localcloud.redshift.journal import LOST
from localcloud.redshift.service import ApiError, DataApi, Settings
from tests.localcloud.aws.cloud import eventually
from tests.localcloud.redshift.files import BUCKET, copy_sql, entry, manifest, parquet
from tests.localcloud.redshift.server import TARGET, Cloud


def failure(call: Any, **arguments: Any) -> tuple[str, str]:
    """The code and message of the API error a call raises."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_create_copy_count_and_swap(cloud: Cloud) -> None:
    content = parquet({"id": pa.array([1, 2, 3], pa.int64()), "s": pa.array([{"a": [1]}, None, {"a": []}])})
    cloud.s3.put_object(Bucket=BUCKET, Key="f.parquet", Body=content)
    cloud.s3.put_object(Bucket=BUCKET, Key="m.json", Body=manifest([entry("f.parquet", len(content))]))
    assert cloud.run("CREATE TABLE staged (id BIGINT, s SUPER)")["Status"] == "FINISHED"
    copied = cloud.run(copy_sql("staged", "m.json", "MANIFEST SERIALIZETOJSON"))
    # As the service has been seen to say of every COPY: https://github.com/aws/aws-sdk/issues/356
    assert (copied["Status"], copied["ResultRows"], copied["HasResultSet"]) == ("FINISHED", 0, False)
    cloud.run("CREATE TABLE target (id BIGINT, s SUPER)")
    swapped = cloud.batch(
        "ALTER TABLE target RENAME TO target_previous",
        "ALTER TABLE staged RENAME TO target",
        "SELECT COUNT(*) FROM target",
    )
    assert [part["Status"] for part in swapped["SubStatements"]] == ["FINISHED"] * 3
    result = cloud.data.get_statement_result(Id=swapped["SubStatements"][2]["Id"])
    assert result["Records"] == [[{"longValue": 3}]]
    # Of NULL too there is a text: https://docs.aws.amazon.com/redshift/latest/dg/JSON_SERIALIZE.html
    assert cloud.rows("SELECT id, JSON_SERIALIZE(s) FROM target ORDER BY id") == [
        [1, '{"a":[1]}'],
        [2, "null"],
        [3, '{"a":[]}'],
    ]


def test_versioned_buckets_and_deleted_files(cloud: Cloud) -> None:
    content = parquet({"id": pa.array([1], pa.int64())})
    cloud.s3.create_bucket(Bucket="versions")
    cloud.s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    for key in ("p/kept", "p/gone"):
        cloud.s3.put_object(Bucket="versions", Key=key, Body=content)
    cloud.s3.delete_object(Bucket="versions", Key="p/gone")
    cloud.run("CREATE TABLE t (id BIGINT)")
    sql = copy_sql("t", "p/", "").replace(f"s3://{BUCKET}/", "s3://versions/")
    assert cloud.run(sql)["Status"] == "FINISHED"
    assert cloud.rows("SELECT COUNT(*) FROM t") == [[1]]


def test_a_batch_is_all_or_nothing(cloud: Cloud) -> None:
    cloud.run("CREATE TABLE t (a INT)")
    failed = cloud.batch(
        "INSERT INTO t VALUES (1)", "CREATE TABLE u (a INT)", "INSERT INTO t VALUES ('x')", "DROP TABLE t"
    )
    assert failed["Status"] == "FAILED"
    assert failed["Error"].startswith('Query #3 failed with ERROR: invalid input syntax for integer: "x"')
    assert [part["Status"] for part in failed["SubStatements"]] == ["FINISHED", "FINISHED", "FAILED", "ABORTED"]
    assert cloud.rows("SELECT COUNT(*) FROM t") == [[0]]
    assert cloud.rows("SELECT table_name FROM svv_tables WHERE table_name = 'u'") == []


def test_a_failure_in_an_auto_commit_batch_does_not_affect_the_others(cloud: Cloud) -> None:
    cloud.run("CREATE TABLE t (a INT)")
    failed = cloud.batch(
        "INSERT INTO t VALUES (1)", "SELECT nosuch", "INSERT INTO t VALUES (2)", ExecutionMode="AUTO_COMMIT"
    )
    assert (failed["Status"], failed["Error"]) == (
        "FAILED",
        'Query #2 failed with ERROR: column "nosuch" does not exist',
    )
    assert [part["Status"] for part in failed["SubStatements"]] == ["FINISHED", "FAILED", "FINISHED"]
    assert cloud.rows("SELECT a FROM t ORDER BY a") == [[1], [2]]


def test_a_batch_takes_no_transaction_verbs(cloud: Cloud) -> None:
    failed = cloud.batch("BEGIN", "SELECT 1", "COMMIT")
    assert failed["Status"] == "FAILED"
    assert "BEGIN inside a batch" in failed["Error"]


def test_statuses_over_time(cloud: Cloud) -> None:
    cloud.api.faults.add(Fault(pattern="slow", delay=2))
    started = cloud.data.execute_statement(Sql="SELECT 1 AS slow", **TARGET)
    eventually(lambda: cloud.data.describe_statement(Id=started["Id"])["Status"] == "STARTED")
    assert failure(cloud.data.get_statement_result, Id=started["Id"])[0] == "ResourceNotFoundException"
    ended = cloud.ended(started["Id"])
    assert ended["Status"] == "FINISHED"
    assert ended["Duration"] > 500_000_000
    assert (ended["HasResultSet"], ended["ResultRows"], ended["QueryString"]) == (True, 1, "SELECT 1 AS slow")
    assert ended["UpdatedAt"] > ended["CreatedAt"]


def test_wait_time_answers_with_the_end(cloud: Cloud) -> None:
    answer = cloud.data.execute_statement(Sql="SELECT 1", WaitTimeSeconds=30, **TARGET)
    assert (answer["Status"], answer["HasResultSet"]) == ("FINISHED", True)


def test_cancel_aborts_and_undoes(cloud: Cloud) -> None:
    cloud.run("CREATE TABLE t (a INT)")
    cloud.api.faults.add(Fault(pattern="VALUES \\(2\\)", delay=20))
    started = cloud.data.batch_execute_statement(
        Sqls=["INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2)"], **TARGET
    )
    time.sleep(0.2)
    assert cloud.data.cancel_statement(Id=started["Id"])["Status"] is True
    ended = cloud.ended(started["Id"])
    assert ended["Status"] == "ABORTED"
    assert cloud.rows("SELECT COUNT(*) FROM t") == [[0]]
    code, message = failure(cloud.data.cancel_statement, Id=started["Id"])
    assert (code, "ABORTED" in message) == ("ValidationException", True)


def test_the_same_token_runs_nothing_again(cloud: Cloud) -> None:
    cloud.run("CREATE TABLE t (a INT)")
    request: dict[str, Any] = {"Sql": "INSERT INTO t VALUES (1)", "ClientToken": "run-1-load", **TARGET}
    first = cloud.data.execute_statement(**request)
    again = cloud.data.execute_statement(**request)
    assert (again["Id"], again["CreatedAt"]) == (first["Id"], first["CreatedAt"])
    cloud.ended(first["Id"])
    assert cloud.rows("SELECT COUNT(*) FROM t") == [[1]]
    code, message = failure(cloud.data.execute_statement, **{**request, "Sql": "INSERT INTO t VALUES (2)"})
    assert (code, "ClientToken" in message) == ("ValidationException", True)


def test_parameters_are_values(cloud: Cloud) -> None:
    cloud.run("CREATE TABLE t (a INT, b VARCHAR(20))")
    parameters = [{"name": "a", "value": "5"}, {"name": "b", "value": "it's \\ :a"}]
    cloud.run("INSERT INTO t VALUES (:a, :b)", Parameters=parameters)
    assert cloud.rows("SELECT b::VARCHAR(20) FROM t WHERE a = :a", Parameters=parameters[:1]) == [["it's \\ :a"]]
    for sql, given in (
        ("SELECT * FROM :a", parameters[:1]),
        ("SELECT :zz", parameters[:1]),
        ("SELECT 1", parameters[:1]),
    ):
        assert cloud.run(sql, Parameters=given)["Status"] == "FAILED"


def test_every_field_type(cloud: Cloud) -> None:
    described = cloud.run(
        "SELECT 1::SMALLINT AS a, 2::BIGINT AS b, 0.5::REAL AS c, 0.1::DOUBLE PRECISION AS d, true AS e, "
        "1.50::DECIMAL(9, 2) AS f, "
        "'x'::VARCHAR(5) AS g, 'y'::CHAR(3) AS h, '2024-02-28'::DATE AS i, '2024-02-28 01:02:03.5'::TIMESTAMP AS j, "
        "'2024-02-28 01:02:03+01'::TIMESTAMPTZ AS k, '01:02:03'::TIME AS l, FROM_HEX('00ff') AS m, "
        "JSON_PARSE('[1]') AS n, "
        "NULL::INT AS o"
    )
    result = cloud.data.get_statement_result(Id=described["Id"])
    assert result["Records"][0] == [
        {"longValue": 1},
        {"longValue": 2},
        {"doubleValue": 0.5},
        {"doubleValue": 0.1},
        {"booleanValue": True},
        {"stringValue": "1.50"},
        {"stringValue": "x"},
        {"stringValue": "y  "},
        {"stringValue": "2024-02-28"},
        {"stringValue": "2024-02-28 01:02:03.5"},
        {"stringValue": "2024-02-28 00:02:03+00"},
        {"stringValue": "01:02:03"},
        {"blobValue": b"\x00\xff"},
        {"stringValue": "[1]"},
        {"isNull": True},
    ]
    types = [(column["name"], column["typeName"]) for column in result["ColumnMetadata"]]
    names = [
        "int2",
        "int8",
        "float4",
        "float8",
        "bool",
        "numeric",
        "varchar",
        "bpchar",
        "date",
        "timestamp",
        "timestamptz",
        "time",
        "varbyte",
        "super",
        "int4",
    ]
    assert types == list(zip("abcdefghijklmno", names, strict=True))
    assert result["ColumnMetadata"][5]["scale"] == 2
    assert result["ColumnMetadata"][6]["length"] == 5


def test_results_come_in_pages(cloud: Cloud) -> None:
    cloud.run("CREATE TABLE t (a INT, b VARCHAR(60000))")
    values = ", ".join(f"({n}, REPEAT('x', 50000))" for n in range(45))
    cloud.run(f"INSERT INTO t VALUES {values}")
    described = cloud.run("SELECT a, b FROM t ORDER BY a")
    page = cloud.data.get_statement_result(Id=described["Id"])
    assert (len(page["Records"]), page["TotalNumRows"]) == (20, 45)
    assert [row[0] for row in cloud.rows("SELECT a, b FROM t ORDER BY a")] == list(range(45))


def test_a_row_of_more_than_64_kb_fails(cloud: Cloud) -> None:
    described = cloud.run("SELECT REPEAT('x', 65000) AS a, REPEAT('y', 1000) AS b")
    assert described["Status"] == "FAILED"
    assert "65536" in described["Error"]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"Database": "dev"}, "Either ClusterIdentifier or WorkgroupName needs to be specified."),
    ({**TARGET, "ClusterIdentifier": "lakeshift"}, "Only one of ClusterIdentifier and WorkgroupName"),
    ({**TARGET, "WorkgroupName": "nosuch"}, "Redshift endpoint doesn't exist in this region"),
    ({"ClusterIdentifier": "nosuch", "Database": "dev"}, "Redshift endpoint doesn't exist in this region"),
    ({"WorkgroupName": "lakeshift"}, "Database is required"),
    ({**TARGET, "DbUser": "loader"}, "DbUser cannot be specified together with WorkgroupName"),
    (
        {"ClusterIdentifier": "lakeshift", "Database": "dev", "DbUser": "loader", "SecretArn": "arn:aws:secret"},
        "Only one of SecretArn and DbUser can be specified",
    ),
    ({**TARGET, "ClientToken": "x" * 65}, "ClientToken must have between 1 and 64 characters"),
    ({**TARGET, "Sql": "SELECT '" + "x" * 102_400 + "'"}, "Cannot process query string larger than 100kB"),
    ({**TARGET, "SessionKeepAliveSeconds": 60}, "does not support SessionKeepAliveSeconds"),
]


@pytest.mark.parametrize(("request_", "message"), REFUSED)
def test_requests_that_are_refused(cloud: Cloud, request_: dict[str, Any], message: str) -> None:
    code, found = failure(cloud.data.execute_statement, **{"Sql": "SELECT 1", **request_})
    assert code == "ValidationException"
    assert message in found


def test_a_batch_has_1_to_40_statements(cloud: Cloud) -> None:
    code, message = failure(cloud.data.batch_execute_statement, Sqls=["SELECT 1"] * 41, **TARGET)
    assert (code, "between 1 and 40" in message) == ("ValidationException", True)
    assert cloud.batch(*["SELECT 1"] * 40)["Status"] == "FINISHED"


def test_several_statements_in_one_text_fail(cloud: Cloud) -> None:
    cloud.run("CREATE TABLE t (a INT)")
    described = cloud.run("INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)")
    assert (described["Status"], "more than one statement" in described["Error"]) == ("FAILED", True)
    assert cloud.rows("SELECT COUNT(*) FROM t") == [[0]]


def test_unknown_databases_and_ids(cloud: Cloud) -> None:
    described = cloud.run("SELECT 1", Database="nosuch")
    assert (described["Status"], described["Error"]) == ("FAILED", 'ERROR: database "nosuch" does not exist')
    unknown = "00000000-0000-4000-8000-000000000000"
    assert failure(cloud.data.describe_statement, Id=unknown) == ("ResourceNotFoundException", "Query does not exist.")
    ddl = cloud.run("CREATE TABLE t (a INT)")
    code, message = failure(cloud.data.get_statement_result, Id=ddl["Id"])
    assert (code, "does not have result" in message) == ("ResourceNotFoundException", True)


def test_clusters_take_database_users(cloud: Cloud) -> None:
    started = cloud.data.execute_statement(
        ClusterIdentifier="lakeshift", Database="dev", DbUser="loader", Sql="SELECT 1"
    )
    described = cloud.ended(started["Id"])
    assert (described["Status"], described["DbUser"]) == ("FINISHED", "loader")


def test_lists(cloud: Cloud) -> None:
    cloud.run("CREATE TABLE orders (a INT)")
    cloud.run("SELECT 1", StatementName="nightly-1")
    assert cloud.data.list_databases(Database="dev", WorkgroupName="lakeshift")["Databases"] == ["dev"]
    assert "public" in cloud.data.list_schemas(**TARGET)["Schemas"]
    tables = cloud.data.list_tables(TablePattern="ord%", **TARGET)["Tables"]
    assert tables == [{"schema": "public", "name": "orders", "type": "TABLE"}]
    found = cloud.data.list_statements(StatementName="nightly", Status="FINISHED")["Statements"]
    assert [statement["QueryString"] for statement in found] == ["SELECT 1"]


def test_a_fault_fails_the_nth_match(cloud: Cloud) -> None:
    cloud.run("CREATE TABLE t (a INT)")
    cloud.api.faults.add(Fault(pattern="^insert", nth=2, error="ERROR: 1023 Serializable isolation violation"))
    outcomes = [cloud.run("INSERT INTO t VALUES (1)") for _ in range(3)]
    assert [outcome["Status"] for outcome in outcomes] == ["FINISHED", "FAILED", "FINISHED"]
    assert outcomes[1]["Error"] == "ERROR: 1023 Serializable isolation violation"
    assert cloud.rows("SELECT COUNT(*) FROM t") == [[2]]


def test_a_fault_after_the_commit(cloud: Cloud) -> None:
    cloud.run("CREATE TABLE t (a INT)")
    cloud.api.faults.add(Fault(pattern="^insert", error="connection lost", after=True))
    assert cloud.run("INSERT INTO t VALUES (1)")["Error"] == "connection lost"
    assert cloud.rows("SELECT COUNT(*) FROM t") == [[1]]


def test_faults_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    faults = Faults(file)
    assert faults.due("COPY t") == []
    file.write_text(json.dumps([{"pattern": "COPY", "times": 2, "error": "no"}]))
    assert [len(faults.due("COPY t")) for _ in range(3)] == [1, 1, 0]
    file.unlink()
    assert faults.due("COPY t") == []


@pytest.fixture
def small(tmp_path: Path) -> Any:
    """An API in memory that takes two statements at a time, with a clock of its own."""
    clock = [0.0]
    api = DataApi(
        Warehouse(tmp_path / "small"), Faults(tmp_path / "f"), Settings(max_active=2, threads=1), lambda: clock[0]
    )
    yield api, clock
    api.close()


def test_too_many_active_statements(small: tuple[DataApi, list[float]]) -> None:
    api, _ = small
    api.faults.add(Fault(pattern="slow", delay=1, times=2))
    for _ in range(2):
        api.execute_statement({"Sql": "SELECT 1 AS slow", **TARGET})
    with pytest.raises(ApiError) as caught:
        api.execute_statement({"Sql": "SELECT 1", **TARGET})
    assert caught.value.code == "ActiveStatementsExceededException"


def test_tokens_are_forgotten_after_eight_hours(small: tuple[DataApi, list[float]]) -> None:
    api, clock = small
    request = {"Sql": "SELECT 1", "ClientToken": "t", "WaitTimeSeconds": 5, **TARGET}
    first = api.execute_statement(request)
    clock[0] = 8 * 3600 - 1
    assert api.execute_statement(request)["Id"] == first["Id"]
    clock[0] = 8 * 3600
    assert api.execute_statement(request)["Id"] != first["Id"]


def test_copies_into_one_table_wait_for_each_other(cloud: Cloud) -> None:
    content = parquet({"id": pa.array(range(50_000), pa.int64())})
    cloud.s3.put_object(Bucket=BUCKET, Key="many.parquet", Body=content)
    cloud.s3.put_object(Bucket=BUCKET, Key="many.json", Body=manifest([entry("many.parquet", len(content))]))
    cloud.run("CREATE TABLE t (id BIGINT)")
    started = [cloud.data.execute_statement(Sql=copy_sql("t", "many.json"), **TARGET)["Id"] for _ in range(6)]
    assert [cloud.ended(each)["Status"] for each in started] == ["FINISHED"] * 6
    assert cloud.rows("SELECT COUNT(*), COUNT(DISTINCT id) FROM t") == [[300_000, 50_000]]


def until_last(cloud: Cloud, batch: str) -> None:
    """Wait for the last statement of a batch to begin."""

    def begun() -> bool:
        return cloud.data.describe_statement(Id=batch)["SubStatements"][-1]["Status"] == "STARTED"

    eventually(begun)


def test_readers_wait_for_a_swap_and_lose_the_table_it_takes_away(cloud: Cloud) -> None:
    cloud.batch(
        "CREATE TABLE t (a INT)", "INSERT INTO t VALUES (1)", "CREATE TABLE n (a INT)", "INSERT INTO n VALUES (2)"
    )
    cloud.api.faults.add(Fault(pattern="last", delay=3))
    started = cloud.data.batch_execute_statement(
        Sqls=["ALTER TABLE t RENAME TO previous", "ALTER TABLE n RENAME TO t", "SELECT 1 AS last"], **TARGET
    )
    until_last(cloud, started["Id"])
    reader = cloud.data.execute_statement(Sql="SELECT a FROM t", **TARGET)["Id"]
    eventually(cloud.api.warehouse.traffic("dev").locks.waiting)
    assert cloud.data.describe_statement(Id=reader)["Status"] == "STARTED"
    assert cloud.ended(started["Id"])["Status"] == "FINISHED"
    lost = cloud.ended(reader)
    assert (lost["Status"], lost["Error"][:40]) == ("FAILED", "ERROR: could not open relation with OID ")
    assert cloud.rows("SELECT a FROM t") == [[2]]


def test_a_second_copy_waits_as_started(cloud: Cloud) -> None:
    content = parquet({"id": pa.array([1, 2], pa.int64())})
    cloud.s3.put_object(Bucket=BUCKET, Key="few.parquet", Body=content)
    cloud.s3.put_object(Bucket=BUCKET, Key="few.json", Body=manifest([entry("few.parquet", len(content))]))
    cloud.run("CREATE TABLE t (id BIGINT)")
    cloud.api.faults.add(Fault(pattern="last", delay=3))
    first = cloud.data.batch_execute_statement(Sqls=[copy_sql("t", "few.json"), "SELECT 1 AS last"], **TARGET)["Id"]
    until_last(cloud, first)
    second = cloud.data.execute_statement(Sql=copy_sql("t", "few.json"), **TARGET)["Id"]
    eventually(cloud.api.warehouse.traffic("dev").locks.waiting)
    assert [cloud.data.describe_statement(Id=each)["Status"] for each in (first, second)] == ["STARTED", "STARTED"]
    assert cloud.ended(second)["Status"] == "FINISHED"
    assert cloud.rows("SELECT COUNT(*) FROM t") == [[4]]
    assert cloud.data.describe_statement(Id=first)["Status"] == "FINISHED"
    assert cloud.rows("SELECT COUNT(*) FROM t") == [[4]]


def test_every_status_is_seen_when_asked_for(cloud: Cloud) -> None:
    settings = cloud.api.settings
    settings.submitted_seconds = settings.picked_seconds = 0.25
    cloud.api.faults.add(Fault(pattern="slow", delay=0.25))
    try:
        started = cloud.data.batch_execute_statement(Sqls=["SELECT 1", "SELECT 2 AS slow"], **TARGET)
        seen: list[tuple[str, list[str]]] = [(started["Status"], ["SUBMITTED", "SUBMITTED"])]
        while seen[-1][0] != "FINISHED":
            now = cloud.data.describe_statement(Id=started["Id"])
            seen.append((now["Status"], [part["Status"] for part in now["SubStatements"]]))
            time.sleep(0.02)
    finally:
        settings.submitted_seconds = settings.picked_seconds = 0
    assert list(dict.fromkeys(status for status, _ in seen)) == ["SUBMITTED", "PICKED", "STARTED", "FINISHED"]
    assert ("STARTED", ["FINISHED", "STARTED"]) in seen
    assert now["ExecutionMode"] == "TRANSACTION"
    assert [part["Id"] for part in now["SubStatements"]] == [f"{started['Id']}:1", f"{started['Id']}:2"]
    assert [part["ResultRows"] for part in now["SubStatements"]] == [1, 1]


def test_a_submitted_statement_can_be_cancelled(cloud: Cloud) -> None:
    cloud.run("CREATE TABLE t (a INT)")
    cloud.api.settings.submitted_seconds = 5
    try:
        started = cloud.data.execute_statement(Sql="INSERT INTO t VALUES (1)", **TARGET)["Id"]
        assert cloud.data.cancel_statement(Id=started)["Status"] is True
        assert cloud.ended(started)["Status"] == "ABORTED"
    finally:
        cloud.api.settings.submitted_seconds = 0
    assert cloud.rows("SELECT COUNT(*) FROM t") == [[0]]


@pytest.mark.parametrize(("after", "rows"), [(False, 0), (True, 1)])
def test_a_fault_at_the_commit_of_a_batch(cloud: Cloud, after: bool, rows: int) -> None:
    cloud.run("CREATE TABLE t (a INT)")
    cloud.api.faults.add(Fault(pattern="^COMMIT$", error="connection lost", after=after))
    failed = cloud.batch("INSERT INTO t VALUES (1)", "SELECT 1")
    assert (failed["Status"], failed["Error"]) == ("FAILED", "connection lost")
    assert cloud.rows("SELECT COUNT(*) FROM t") == [[rows]]


@pytest.mark.parametrize(("after", "rows"), [(False, 0), (True, 1)])
def test_a_session_that_is_cut(cloud: Cloud, after: bool, rows: int) -> None:
    cloud.run("CREATE TABLE t (a INT)")
    cloud.api.faults.add(Fault(pattern="^insert", cut=True, after=after))
    failed = cloud.run("INSERT INTO t VALUES (1)")
    assert (failed["Status"], failed["Error"]) == ("FAILED", LOST)
    assert cloud.rows("SELECT COUNT(*) FROM t") == [[rows]]
    cloud.api.faults.clear()
    cloud.api.faults.add(Fault(pattern="^insert", cut=True, after=True))
    assert cloud.batch("INSERT INTO t VALUES (2)", "INSERT INTO t VALUES (3)")["Status"] == "FAILED"
    assert cloud.rows("SELECT COUNT(*) FROM t") == [[rows]]
    assert cloud.run("INSERT INTO t VALUES (4)")["Status"] == "FINISHED"


def test_an_answer_of_500_after_the_statement_was_taken(cloud: Cloud) -> None:
    """The client tries again by itself, with the same token: the statement runs once."""
    cloud.run("CREATE TABLE t (a INT)")
    cloud.api.faults.add(Fault(pattern="^insert", call="ExecuteStatement", error="InternalServerException", after=True))
    assert cloud.run("INSERT INTO t VALUES (1)")["Status"] == "FINISHED"
    assert cloud.rows("SELECT COUNT(*) FROM t") == [[1]]


def test_calls_that_are_throttled_and_answers_that_come_late(cloud: Cloud) -> None:
    code = "ActiveStatementsExceededException"
    cloud.api.faults.add(Fault(pattern="", call="ExecuteStatement", error=code))
    assert failure(cloud.data.execute_statement, Sql="SELECT 1", **TARGET)[0] == code
    described = cloud.run("SELECT 1")
    cloud.api.faults.add(Fault(pattern="", call="GetStatementResult", delay=0.4))
    began = time.monotonic()
    assert cloud.data.get_statement_result(Id=described["Id"])["Records"] == [[{"longValue": 1}]]
    assert time.monotonic() - began >= 0.4
    cloud.api.faults.add(Fault(pattern="", call="DescribeStatement", error="ThrottlingException", times=9))
    assert failure(cloud.data.describe_statement, Id=described["Id"])[0] == "ThrottlingException"


def test_statements_and_results_are_kept_for_a_day(small: tuple[DataApi, list[float]]) -> None:
    api, clock = small
    made = api.execute_statement({"Sql": "SELECT 1", "WaitTimeSeconds": 5, **TARGET})["Id"]
    clock[0] = 24 * 3600 - 1
    assert api.get_statement_result({"Id": made})["TotalNumRows"] == 1
    clock[0] = 24 * 3600
    for call in (api.get_statement_result, api.describe_statement):
        with pytest.raises(ApiError, match="Query does not exist"):
            call({"Id": made})
    assert api.list_statements({"Status": "ALL"})["Statements"] == []


def test_lists_show_what_has_finished_unless_asked(cloud: Cloud) -> None:
    cloud.run("SELECT nosuch", StatementName="list-1")
    cloud.run("SELECT 1", StatementName="list-1")

    def listed(**request: Any) -> list[str]:
        found = cloud.data.list_statements(StatementName="list-", **request)["Statements"]
        return [statement["Status"] for statement in found]

    assert (listed(), listed(Status="FAILED"), listed(Status="ALL")) == (
        ["FINISHED"],
        ["FAILED"],
        ["FINISHED", "FAILED"],
    )
    assert listed(ClusterIdentifier="lakeshift") == []


def test_another_warehouse_has_its_own_limit(small: tuple[DataApi, list[float]]) -> None:
    api, _ = small
    api.faults.add(Fault(pattern="slow", delay=0.5, times=2))
    for _ in range(2):
        api.execute_statement({"Sql": "SELECT 1 AS slow", **TARGET})
    request = {"Sql": "SELECT 1", "Database": "dev", "ClusterIdentifier": "lakeshift", "WaitTimeSeconds": 5}
    assert api.execute_statement(request)["Status"] == "FINISHED"


KILLED = """
import sys
from pathlib import Path
from localcloud.redshift.engine import Warehouse
from localcloud.redshift.faults import Fault, Faults
from localcloud.redshift.service import DataApi, Settings
home = Path(sys.argv[1])
api = DataApi(Warehouse(home), Faults(home / "faults.json"), Settings())
where = {"WorkgroupName": "lakeshift", "Database": "dev", "WaitTimeSeconds": 30}
api.execute_statement({"Sql": "CREATE TABLE t (a INT)", **where})
api.execute_statement({"Sql": "INSERT INTO t VALUES (1)", "ClientToken": "kept", **where})
api.faults.add(Fault(pattern=sys.argv[2], kill=True, after=sys.argv[3] == "after"))
batch = ["INSERT INTO t VALUES (2)", "ALTER TABLE t RENAME TO u"]
api.batch_execute_statement({"Sqls": batch, "ClientToken": "b", **where})
"""


@pytest.mark.parametrize(
    ("at", "when", "rows"),
    [
        ("VALUES .2", "after", "t 1"),
        ("^ALTER", "after", "t 1"),
        ("COMMIT", "before", "t 1"),
        ("COMMIT", "after", "u 2"),
    ],
)
def test_a_process_that_is_killed_keeps_what_was_committed(tmp_path: Path, at: str, when: str, rows: str) -> None:
    died = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), at, when], check=False, timeout=120)
    assert died.returncode == -signal.SIGKILL
    api = DataApi(Warehouse(tmp_path), Faults(tmp_path / "f"), Settings())
    table, count = rows.split()
    where: dict[str, Any] = {**TARGET, "WaitTimeSeconds": 30}
    counted = api.execute_statement({"Sql": f"SELECT COUNT(*) FROM {table}", **where})["Id"]
    assert api.get_statement_result({"Id": counted})["Records"] == [[{"longValue": int(count)}]]
    batch = {"Sqls": ["INSERT INTO t VALUES (2)", "ALTER TABLE t RENAME TO u"], "ClientToken": "b", **where}
    again = api.describe_statement({"Id": api.batch_execute_statement(batch)["Id"]})
    assert (again["Status"], again["Error"]) == ("FAILED", LOST)
    kept = api.execute_statement({"Sql": "INSERT INTO t VALUES (1)", "ClientToken": "kept", **where})
    assert api.describe_statement({"Id": kept["Id"]})["ResultRows"] == 1
    assert api.get_statement_result({"Id": counted})["Records"] == [[{"longValue": int(count)}]]
    api.close()
