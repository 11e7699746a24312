"""Errors of AWS and Google as ours: what is tried again, what is not, and what passes to the caller."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import requests
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
    ResponseStreamingError,
)
from botocore.exceptions import ReadTimeoutError as SdkReadTimeout
from botocore.response import StreamingBody
from botocore.stub import Stubber
from google.api_core import exceptions
from google.cloud import bigquery

from lakeshift.adapters import redshift
from lakeshift.adapters.aws import store_errors
from lakeshift.adapters.bigquery import BigQuerySource
from lakeshift.adapters.bigquery_storage import StorageReader
from lakeshift.adapters.redshift import RedshiftData
from lakeshift.adapters.s3 import S3Objects
from lakeshift.adapters.secrets import ManagedSecrets
from lakeshift.check.probe import probe
from lakeshift.errors import (
    ConfigInvalid,
    LakeshiftError,
    QueryFailed,
    SecretMissing,
    SessionLost,
    SourceBusy,
    SourceForbidden,
    SourceNotFound,
    StatementFailed,
    StoreBusy,
    StoreRefused,
    TargetBusy,
    TargetMissing,
    TerminalError,
    TypeUnsupported,
)
from lakeshift.lake import keys
from lakeshift.model import TableRef
from lakeshift.spec import Migration

URL = "https://aws.test"
# Google's library carries no types.
google: Any = exceptions


def failure(code: str, status: int = 400) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Call")  # type: ignore[typeddict-item]


def sdk(service: str) -> Any:
    session = boto3.Session(aws_access_key_id="k", aws_secret_access_key="s", region_name="us-east-1")  # noqa: S106
    return session.client(service)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (failure("SlowDown", 503), StoreBusy),
        (failure("Unheard", 500), StoreBusy),
        (failure("ThrottlingException"), StoreBusy),
        (EndpointConnectionError(endpoint_url=URL), StoreBusy),
        (SdkReadTimeout(endpoint_url=URL), StoreBusy),
        (ResponseStreamingError(error="broken"), StoreBusy),
        (IncompleteReadError(actual_bytes=1, expected_bytes=2), StoreBusy),
        (failure("AccessDenied", 403), StoreRefused),
        (NoCredentialsError(), StoreRefused),
    ],
)
def test_every_error_of_a_store_is_one_of_ours(error: Exception, ours: type[Exception]) -> None:
    with pytest.raises(ours) as caught, store_errors("place"):
        raise error
    assert type(caught.value) is ours


def test_an_expected_code_passes_as_it_is() -> None:
    with (
        pytest.raises(ClientError, match="ConditionalCheckFailed"),
        store_errors("t", frozenset({"ConditionalCheckFailed"})),
    ):
        raise failure("ConditionalCheckFailed")


def test_objects_are_absent_or_refused_or_cut() -> None:
    client = sdk("s3")
    objects = S3Objects(client)
    with Stubber(client) as stub:
        stub.add_client_error("get_object", "NoSuchKey", http_status_code=404)
        stub.add_client_error("get_object", "AccessDenied", http_status_code=403)
        stub.add_response("get_object", {"Body": StreamingBody(io.BytesIO(b"ab"), 3)})
        for expected in (KeyError, StoreRefused, StoreBusy):
            with pytest.raises(expected):
                objects.get("bucket", "key")


def test_a_secret_is_missing_or_busy() -> None:
    client = sdk("secretsmanager")
    with Stubber(client) as stub:
        stub.add_client_error("get_secret_value", "ResourceNotFoundException")
        stub.add_response("get_secret_value", {"SecretBinary": b"x"})
        stub.add_client_error("get_secret_value", "InternalServiceError", http_status_code=500)
        stub.add_client_error("get_secret_value", "DecryptionFailure")
        for expected in (SecretMissing, SecretMissing, StoreBusy, StoreRefused):
            with pytest.raises(expected):
                ManagedSecrets(client).get("name")


@pytest.fixture
def data() -> Iterator[tuple[RedshiftData, Stubber]]:
    client = sdk("redshift-data")
    with Stubber(client) as stub:
        yield RedshiftData(client, "dev", "wg-one", None), stub


Data = tuple[RedshiftData, Stubber]


@pytest.mark.parametrize(
    ("code", "message", "ours"),
    [
        ("ValidationException", "Redshift endpoint doesn't exist in this region", TargetMissing),
        ("AccessDeniedException", "no", StatementFailed),
    ],
)
def test_a_statement_that_cannot_start(data: Data, code: str, message: str, ours: type[Exception]) -> None:
    data[1].add_client_error("execute_statement", code, message)
    with pytest.raises(ours):
        data[0].submit(["SELECT 1"], "token")


@pytest.mark.parametrize(
    ("code", "ours"), [("ThrottlingException", TargetBusy), ("ResourceNotFoundException", StatementFailed)]
)
def test_a_statement_that_cannot_be_asked_about(data: Data, code: str, ours: type[Exception]) -> None:
    data[1].add_client_error("describe_statement", code)
    with pytest.raises(ours, match="s-1"):
        data[0].poll("s-1", 1)


@pytest.mark.parametrize(("code", "ours"), [("ThrottlingException", TargetBusy), ("AccessDenied", StatementFailed)])
def test_rows_that_cannot_be_fetched(data: Data, code: str, ours: type[Exception]) -> None:
    data[1].add_response("execute_statement", {"Id": "s"})
    data[1].add_response("describe_statement", {"Id": "s", "Status": "FINISHED", "HasResultSet": True})
    data[1].add_client_error("get_statement_result", code)
    with pytest.raises(ours):
        data[0].query("SELECT 1")


def test_a_query_without_end_is_busy(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redshift, "_QUERY_SECONDS", 0.0)
    data[1].add_response("execute_statement", {"Id": "s"})
    data[1].add_response("describe_statement", {"Id": "s", "Status": "STARTED"})
    with pytest.raises(TargetBusy, match="not ended"):
        data[0].query("SELECT 1")


@pytest.mark.parametrize(
    ("text", "transient"),
    [
        ("ERROR: 1023 DETAIL: Serializable isolation violation on table - 100", True),
        ("ERROR: conflict with concurrent transaction", True),
        ("ERROR: could not open relation with OID 108465", True),
        ("ERROR: deadlock detected", True),
        ('ERROR: relation "shop.connections" does not exist', False),
        ("ERROR: COPY failed Table: 1020", False),
        ("ERROR: division by zero", False),
    ],
)
def test_only_transactions_that_met_are_transient(data: Data, text: str, transient: bool) -> None:
    data[1].add_response("describe_statement", {"Id": "s", "Status": "FAILED", "Error": text})
    state = data[0].poll("s", 1)
    assert (state.error, state.transient) == (text, transient)


def source(**clients: Any) -> BigQuerySource:
    """A source over stub clients: no credentials, no connection."""
    found = BigQuerySource.__new__(BigQuerySource)
    vars(found).update(_project="p", **clients)
    return found


def raising(error: Exception) -> Callable[..., Any]:
    def call(*_: object, **__: object) -> Any:
        raise error

    return call


def refused(reason: str) -> Any:
    return google.Forbidden("no", errors=[{"reason": reason}])


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (refused("rateLimitExceeded"), SourceBusy),
        (refused("quotaExceeded"), SourceBusy),
        (refused("accessDenied"), SourceForbidden),
        (google.Forbidden("no"), SourceForbidden),
        (google.PermissionDenied("no", errors=[object()]), SourceForbidden),
        (requests.ConnectionError("reset"), SourceBusy),
        (requests.Timeout("late"), SourceBusy),
        (google.Cancelled("gone"), SourceBusy),
        (google.ServiceUnavailable("later"), SourceBusy),
        (google.InternalServerError("later"), SourceBusy),
        (google.MethodNotImplemented("never"), TerminalError),
        (google.NotFound("no"), SourceNotFound),
        (google.FailedPrecondition("no"), TerminalError),
        (google.BadRequest("no"), TerminalError),
    ],
)
def test_every_error_of_the_source_is_one_of_ours(error: Exception, ours: type[Exception]) -> None:
    with pytest.raises(ours) as caught:
        source(_rest=SimpleNamespace(list_datasets=raising(error))).datasets()
    assert type(caught.value) is ours


AROUND = "POST https://bigquery.googleapis.com/bigquery/v2/projects/p/queries?prettyPrint=false: {}"
FOOTER = "\n\nLocation: None\nJob ID: 0a1b2c\n"


@pytest.mark.parametrize("errors", [(), [{"reason": "x", "message": "Not done here: ST_X"}]])
@pytest.mark.parametrize(
    ("kind", "ours"),
    [
        (google.MethodNotImplemented, QueryFailed),
        (google.BadRequest, QueryFailed),
        (google.Forbidden, SourceForbidden),
        (google.ServiceUnavailable, SourceBusy),
    ],
)
def test_a_refused_question_has_bigquery_s_own_words(
    kind: type[google.GoogleAPICallError], ours: type[LakeshiftError], errors: list[dict[str, str]]
) -> None:
    error = kind(AROUND.format("Not done here: ST_X") + FOOTER, errors=errors)
    made = source(_rest=SimpleNamespace(query=raising(error), query_and_wait=raising(error)))
    for ask in (lambda: made.estimate("SELECT 1"), lambda: made.ask("SELECT 1", 1)):
        with pytest.raises(ours) as caught:
            ask()
        assert type(caught.value) is ours
        assert caught.value.what == "Not done here: ST_X"


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (google.FailedPrecondition("expired"), SessionLost),
        (google.OutOfRange("expired"), SessionLost),
        (google.NotFound("expired"), SessionLost),
        (google.PermissionDenied("no"), SourceForbidden),
        (google.Unknown("?"), SourceBusy),
    ],
)
def test_only_reading_loses_a_session(error: Exception, ours: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakeshift.adapters.bigquery_storage.FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr("lakeshift.adapters.bigquery_storage.MAX_PAUSE_SECONDS", 0.002)
    reader = StorageReader.__new__(StorageReader)
    reader._client = SimpleNamespace(transport=SimpleNamespace(read_rows=raising(error)))  # type: ignore[assignment]
    with pytest.raises(ours):
        list(reader.read("stream", 0, 1.0))


def test_a_column_finer_than_microseconds_is_refused() -> None:
    def described(precision: str) -> Any:
        fields = [{"name": "at", "type": "TIMESTAMP", "timestampPrecision": precision}]
        nested = {"fields": [{"name": "s", "type": "RECORD", "mode": "REPEATED", "fields": fields}]}
        place = {"projectId": "p", "datasetId": "d", "tableId": "t"}
        table = bigquery.Table.from_api_repr({"tableReference": place, "type": "TABLE", "schema": nested})
        rest = SimpleNamespace(get_table=lambda _: table)
        return source(_rest=rest).describe(TableRef(project="p", dataset="d", table="t"))

    assert described("6").columns[0].source_type == "ARRAY<STRUCT<at TIMESTAMP>>"
    with pytest.raises(TypeUnsupported, match=r"TIMESTAMP\(12\).*\[s\.at\]"):
        described("12")


def asked(source: Callable[..., Any], query: Callable[..., Any]) -> list[tuple[str, str]]:
    """(pointer, message) of the problems a probe finds with two sources and one target."""
    spec = {"type": "bigquery", "project": "p", "datasets": [{"name": "d"}], "credentials": "c"}
    target = {"workgroup": "wg-one", "database": "dev"}
    migration = Migration.model_validate({"sources": [spec, spec], "target": target})
    ports: Any = SimpleNamespace(
        source=lambda _: SimpleNamespace(datasets=source),
        warehouse=lambda _: SimpleNamespace(query=query),
        defaults=SimpleNamespace(copy_role="arn"),
    )
    with pytest.raises(ConfigInvalid) as caught:
        probe(ports, migration)
    return [(problem.pointer, problem.message) for problem in caught.value.problems]


def test_a_probe_asks_every_place_whatever_the_first_one_says() -> None:
    found = asked(raising(TerminalError("odd")), raising(StatementFailed("the database refuses")))
    assert found == [
        ("/sources/0/project", "odd"),
        ("/sources/1/project", "odd"),
        ("/target", "the database refuses"),
    ]
    found = asked(raising(StoreRefused("no")), raising(TargetMissing("no such database")))
    assert [place for place, _ in found] == ["/sources/0/credentials", "/sources/1/credentials", "/target/database"]


def test_a_probe_that_cannot_ask_is_asked_again() -> None:
    with pytest.raises(SourceBusy):
        asked(raising(SourceBusy("later")), lambda _: [])


@pytest.mark.parametrize(
    ("file", "start"), [("_shop", "shop-"), ("été", "t-"), ("___", "run-"), ("", "run-"), ("a b", "a-b-")]
)
def test_a_run_begins_with_a_letter_of_its_file(file: str, start: str) -> None:
    found = keys.run_id("bucket", f"configs/{file}.json", "v")
    assert found.startswith(start)
    assert len(found) == len(start) + 12
