"""What every object store promises, over the one in memory and the one on S3."""

from __future__ import annotations

import hashlib
import logging
from array import array
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import boto3
import numpy as np
import pyarrow as pa
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from lakeshift.adapters import uploads
from lakeshift.adapters.s3 import S3Objects
from lakeshift.adapters.uploads import PART_BYTES
from lakeshift.errors import StoreBusy, StoreRefused
from lakeshift.lake.memory import MemoryObjects
from lakeshift.ports import ObjectStore

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "lake-bucket"
KEY = "raw/orders/a b+c=1/part-00000.parquet"


def noise(size: int, seed: int = 1) -> bytes:
    return np.random.default_rng(seed).bytes(size)


class Interrupted(Exception):
    """The writer of an object gives up."""


def write_parts(objects: ObjectStore, parts: int) -> None:
    with objects.upload(BUCKET, KEY) as upload:
        for _ in range(parts):
            upload.write(noise(PART_BYTES))


@dataclass(frozen=True)
class Store:
    """A store under test, and what its bucket holds, unfinished uploads included."""

    objects: ObjectStore
    keys: Callable[[], list[str]]
    open_uploads: Callable[[], list[str]]
    content_type: Callable[[str], str]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def s3(endpoint: str) -> Iterator[S3Client]:
    session = boto3.Session(region_name="eu-central-1")
    client = session.client("s3", endpoint_url=endpoint, config=Config(s3={"addressing_style": "path"}))
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    yield client
    for version in client.list_object_versions(Bucket=BUCKET).get("Versions", []):
        client.delete_object(Bucket=BUCKET, Key=version["Key"], VersionId=version["VersionId"])
    client.delete_bucket(Bucket=BUCKET)


def begin_and_give_up(store: Store, size: int) -> None:
    with store.objects.upload(BUCKET, KEY) as upload:
        upload.write(noise(size))
        raise Interrupted


def on_s3(client: S3Client) -> Store:
    return Store(
        S3Objects(client),
        lambda: sorted(found["Key"] for found in client.list_objects_v2(Bucket=BUCKET).get("Contents", [])),
        lambda: [found["Key"] for found in client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])],
        lambda key: client.head_object(Bucket=BUCKET, Key=key)["ContentType"],
    )


def in_memory() -> Store:
    objects = MemoryObjects()
    return Store(objects, lambda: objects.keys(BUCKET), list, lambda key: objects.content_type(BUCKET, key))


@pytest.fixture(params=["memory", "s3"])
def store(request: pytest.FixtureRequest) -> Store:
    return in_memory() if request.param == "memory" else on_s3(request.getfixturevalue("s3"))


def test_what_was_put_is_read_with_its_content_type(store: Store) -> None:
    store.objects.put(BUCKET, KEY, b"rows", "text/plain")
    assert store.objects.get(BUCKET, KEY) == b"rows"
    assert store.content_type(KEY) == "text/plain"


def test_each_version_of_an_object_stays_readable(store: Store) -> None:
    first = store.objects.put(BUCKET, KEY, b"first")
    second = store.objects.put(BUCKET, KEY, b"second")
    assert first != second
    assert store.objects.get(BUCKET, KEY, first) == b"first"
    assert store.objects.get(BUCKET, KEY, second) == store.objects.get(BUCKET, KEY) == b"second"


def test_a_range_begins_and_ends_where_it_says(store: Store) -> None:
    store.objects.put(BUCKET, KEY, b"0123456789")
    assert store.objects.read_range(BUCKET, KEY, 3, 4) == b"3456"
    assert store.objects.read_range(BUCKET, KEY, 8, 2) == b"89"
    assert store.objects.size(BUCKET, KEY) == 10


def test_an_absent_object_is_a_key_error(store: Store) -> None:
    with pytest.raises(KeyError):
        store.objects.get(BUCKET, "raw/absent")
    with pytest.raises(KeyError):
        store.objects.read_range(BUCKET, "raw/absent", 0, 1)
    with pytest.raises(KeyError):
        store.objects.size(BUCKET, "raw/absent")
    store.objects.put(BUCKET, KEY, b"rows")
    with pytest.raises(KeyError):
        store.objects.get(BUCKET, KEY, "2b21b2f5-90b4-4d19-8a1c-9b7e8d6a0001")


@pytest.mark.parametrize("size", [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES, 20_000_001])
def test_an_upload_of_any_size_has_all_bytes_in_their_order(store: Store, size: int) -> None:
    content, written = noise(size), 0
    with store.objects.upload(BUCKET, KEY, "application/vnd.apache.parquet") as upload:
        for start in range(0, size, 3_000_001):
            written += upload.write(memoryview(content)[start : start + 3_000_001])
    assert written == size
    assert hashlib.sha256(store.objects.get(BUCKET, KEY)).digest() == hashlib.sha256(content).digest()
    assert store.content_type(KEY) == "application/vnd.apache.parquet"
    assert store.open_uploads() == []


def test_an_upload_takes_every_kind_of_buffer(store: Store) -> None:
    numbers = array("I", [1, 2])
    with store.objects.upload(BUCKET, KEY) as upload:
        buffers = (b"ab", bytearray(b"cd"), memoryview(b"ef"), b"", pa.py_buffer(b"gh"), memoryview(numbers))
        assert [upload.write(data) for data in buffers] == [2, 2, 2, 0, 2, 8]
    assert store.objects.get(BUCKET, KEY) == b"abcdefgh" + numbers.tobytes()


def test_a_buffer_may_be_used_again_once_it_was_written(store: Store) -> None:
    buffer = bytearray(100_000)
    with store.objects.upload(BUCKET, KEY) as upload:
        for number in range(100):
            buffer[:] = bytes([number]) * len(buffer)
            upload.write(buffer)
    assert store.objects.get(BUCKET, KEY) == b"".join(bytes([number]) * len(buffer) for number in range(100))


def test_nothing_is_to_be_seen_before_the_upload_is_complete(store: Store) -> None:
    with store.objects.upload(BUCKET, KEY) as upload:
        upload.write(noise(2 * PART_BYTES))
        assert store.keys() == []
    assert store.keys() == [KEY]


@pytest.mark.parametrize("size", [0, 1000, 3 * PART_BYTES], ids=["nothing", "less than a part", "three parts"])
def test_an_upload_left_by_an_exception_leaves_nothing_behind(store: Store, size: int) -> None:
    with pytest.raises(Interrupted):
        begin_and_give_up(store, size)
    assert store.keys() == []
    assert store.open_uploads() == []


def test_a_broken_upload_leaves_the_object_that_stood_there(store: Store) -> None:
    store.objects.put(BUCKET, KEY, b"before")
    with pytest.raises(Interrupted):
        begin_and_give_up(store, 2 * PART_BYTES)
    assert store.objects.get(BUCKET, KEY) == b"before"


def test_an_operating_system_error_of_the_writer_passes_as_it_is(store: Store) -> None:
    with pytest.raises(IsADirectoryError), store.objects.upload(BUCKET, KEY):
        raise IsADirectoryError


def test_uploads_at_the_same_time_do_not_mix(store: Store) -> None:
    def write(number: int) -> None:
        with store.objects.upload(BUCKET, f"raw/{number}") as upload:
            for part in range(4):
                upload.write(noise(PART_BYTES // 2 + number, seed=10 * number + part))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    for number in range(4):
        wanted = b"".join(noise(PART_BYTES // 2 + number, seed=10 * number + part) for part in range(4))
        assert store.objects.get(BUCKET, f"raw/{number}") == wanted
    assert store.open_uploads() == []


def test_an_upload_into_a_bucket_that_does_not_exist_is_refused(s3: S3Client) -> None:
    objects = S3Objects(s3)
    with pytest.raises(StoreRefused, match="NoSuchBucket"), objects.upload("other-bucket", KEY) as upload:
        upload.write(b"rows")
    with pytest.raises(StoreRefused, match="NoSuchBucket"), objects.upload("other-bucket", KEY) as upload:
        upload.write(noise(2 * PART_BYTES))


class Scripted:
    """An S3 that answers each request as `answer(method, path)` says, and keeps what was asked of it."""

    def __init__(self, answer: Callable[[str, str], tuple[int, str]]) -> None:
        self.requests: list[tuple[str, str]] = []
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _reply(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                scripted.requests.append((self.command, self.path))
                status, code = answer(self.command, self.path)
                body = f"<Error><Code>{code}</Code><Message>so it is</Message></Error>" if status >= 300 else code
                self.send_response(status)
                self.send_header("ETag", '"e"')
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            do_PUT = do_POST = do_DELETE = _reply  # noqa: N815

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def objects(self) -> S3Objects:
        """A store on this S3 that gives up after a short time."""
        client = boto3.Session().client("s3", endpoint_url=self.url)
        return S3Objects(client, patience=timedelta(seconds=0.5))

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def scripted() -> Iterator[Callable[[Callable[[str, str], tuple[int, str]]], Scripted]]:
    servers: list[Scripted] = []

    def start(answer: Callable[[str, str], tuple[int, str]]) -> Scripted:
        servers.append(Scripted(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


Start = Callable[[Callable[[str, str], tuple[int, str]]], Scripted]


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (503, "SlowDown", StoreBusy),
        (500, "InternalError", StoreBusy),
        (400, "RequestTimeout", StoreBusy),
        (403, "AccessDenied", StoreRefused),
        (404, "NoSuchBucket", StoreRefused),
        (400, "KMS.DisabledException", StoreRefused),
        (401, "InvalidToken", StoreRefused),
    ],
)
@pytest.mark.parametrize("size", [10, PART_BYTES + 1], ids=["single put", "multipart"])
def test_an_error_of_s3_is_busy_or_refused(
    scripted: Start, status: int, code: str, error: type[Exception], size: int
) -> None:
    objects = scripted(lambda method, path: (status, code)).objects()  # noqa: ARG005
    with pytest.raises(error, match=code), objects.upload(BUCKET, KEY) as upload:
        upload.write(noise(size))


def test_a_network_without_s3_is_busy(scripted: Start) -> None:
    server = scripted(lambda method, path: (200, ""))  # noqa: ARG005
    objects = server.objects()
    server._server.server_close()
    with pytest.raises(StoreBusy), objects.upload(BUCKET, KEY) as upload:
        upload.write(b"rows")


STARTED = "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>"


@pytest.mark.parametrize("failing", ["part", "completion"])
def test_an_upload_that_fails_on_its_way_is_aborted(scripted: Start, failing: str) -> None:
    def answer(method: str, path: str) -> tuple[int, str]:
        if method == "POST" and path.endswith("?uploads="):
            return 200, STARTED
        if (method == "PUT" and failing == "part") or (method == "POST" and failing == "completion"):
            return 503, "SlowDown"
        return (204, "") if method == "DELETE" else (200, "")

    server = scripted(answer)
    with pytest.raises(StoreBusy, match="SlowDown"):
        write_parts(server.objects(), 6)
    assert [path.partition("?")[2] for method, path in server.requests if method == "DELETE"] == ["uploadId=u1"]


def test_a_part_that_failed_once_is_sent_again(scripted: Start) -> None:
    failed: list[str] = []

    def answer(method: str, path: str) -> tuple[int, str]:
        if method == "PUT" and not failed:
            failed.append(path)
            return 503, "SlowDown"
        return 200, "ok"

    server = scripted(answer)
    with server.objects().upload(BUCKET, KEY) as upload:
        upload.write(b"rows")
    assert [method for method, _ in server.requests] == ["PUT", "PUT"]


def test_the_memory_of_an_upload_is_a_few_parts_and_its_reach_far_above_a_file() -> None:
    assert (uploads.PARTS_UNDER_WAY + 1) * PART_BYTES <= 64 * 2**20
    assert 10_000 * PART_BYTES > 100 * 512 * 2**20
    assert PART_BYTES >= 5 * 2**20
