"""An S3 that takes everything and keeps next to nothing, so that no store is the bottleneck of a measurement.

PutObject and multipart uploads are counted and dropped; small objects (plans, manifests) are kept for GetObject.
Signatures are not checked. `python -m bench.null_s3 READY_FILE` runs it on a free port, written to READY_FILE.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

KEPT_BYTES = 1024 * 1024
BUFFER_BYTES = 1024 * 1024
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html
_STARTED = (
    "<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key>"
    "<UploadId>1</UploadId></InitiateMultipartUploadResult>"
)
_COMPLETED = (
    "<CompleteMultipartUploadResult><Location>l</Location><Bucket>b</Bucket><Key>k</Key>"
    '<ETag>"0"</ETag></CompleteMultipartUploadResult>'
)
_ABSENT = "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"


@dataclass
class Store:
    """What was written: bytes and requests in all, and small objects by path."""

    received: int = 0
    requests: int = 0
    kept: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """One request without its body."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]

    @property
    def length(self) -> int:
        """Bytes of the body."""
        return int(self.headers.get("content-length", "0"))


class Connection:
    """One client's connection: requests one after another until it closes."""

    def __init__(self, peer: socket.socket, store: Store) -> None:
        self._peer = peer
        self._store = store
        self._held = b""
        self._buffer = memoryview(bytearray(BUFFER_BYTES))

    def serve(self) -> None:
        """Answer until the client goes."""
        with self._peer:
            while call := self._call():
                self._store.requests += 1
                self._answer(call, self._body(call))

    def _call(self) -> Call | None:
        while b"\r\n\r\n" not in self._held:
            data = self._peer.recv(65_536)
            if not data:
                return None
            self._held += data
        head, self._held = self._held.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        parts = urlsplit(target)
        return Call(method, parts.path, parse_qs(parts.query, keep_blank_values=True), headers)

    def _body(self, call: Call) -> bytes:
        """The body where it is small, else b""; all of it is read."""
        if call.headers.get("expect", "").lower() == "100-continue":
            self._peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        small = call.length <= KEPT_BYTES
        kept, self._held = self._held[: call.length], self._held[call.length :]
        missing = call.length - len(kept)
        while missing:
            count = self._peer.recv_into(self._buffer, min(missing, BUFFER_BYTES))
            if not count:
                raise ConnectionResetError("the client closed inside a body")
            kept = kept + bytes(self._buffer[:count]) if small else b""
            missing -= count
        self._store.received += call.length
        return kept if small else b""

    def _answer(self, call: Call, body: bytes) -> None:
        if call.method == "PUT":
            if "uploadId" not in call.query and "x-amz-decoded-content-length" not in call.headers:
                self._store.kept[call.path] = body
            self._send(200, b"")
        elif call.method == "POST":
            self._send(200, (_STARTED if "uploads" in call.query else _COMPLETED).encode())
        elif call.method == "DELETE":
            self._send(204, b"")
        else:
            self._get(call)

    def _get(self, call: Call) -> None:
        body = self._store.kept.get(call.path)
        if body is None:
            self._send(404, _ABSENT.encode())
        else:
            self._send(200, body, without_body=call.method == "HEAD")

    def _send(self, status: int, body: bytes, *, without_body: bool = False) -> None:
        head = (
            f'HTTP/1.1 {status} -\r\nETag: "0"\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n'
            "Last-Modified: Wed, 01 Jan 2025 00:00:00 GMT\r\nConnection: keep-alive\r\n\r\n"
        )
        self._peer.sendall(head.encode() + (b"" if without_body else body))


def serve(listener: socket.socket, store: Store) -> None:
    """Take connections until the listener closes, a thread for each."""
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=Connection(peer, store).serve, daemon=True).start()


@contextmanager
def running() -> Iterator[tuple[str, Store]]:
    """A server in this process, for tests: its address and what it has seen."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        store = Store()
        threading.Thread(target=serve, args=(listener, store), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", store
        listener.shutdown(socket.SHUT_RDWR)


def main(ready: str) -> None:
    """A process of its own, until it is terminated."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        temporary = Path(ready).with_suffix(".tmp")
        temporary.write_text(f"http://127.0.0.1:{listener.getsockname()[1]}")
        os.replace(temporary, ready)
        serve(listener, Store())


if __name__ == "__main__":
    main(*sys.argv[1:])
