"""Chunks read side by side by the threads of one process."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from threading import Condition

import structlog

from lakeshift.errors import LedgerConflict, SessionLost
from lakeshift.extract.chunk import Reading, extract_chunk
from lakeshift.extract.progress import Reporter
from lakeshift.extract.session import lose
from lakeshift.model import ChunkRecord

log = structlog.get_logger()


class _Work:
    """Chunks that wait for a reader, and readers that wait for a chunk."""

    def __init__(self, chunks: Sequence[ChunkRecord]) -> None:
        self._chunks = deque(chunks)
        self._change = Condition()
        self._busy = 0
        self._waiting = 0
        self.stopped = False

    def add(self, chunk: ChunkRecord) -> None:
        with self._change:
            self._chunks.append(chunk)
            self._change.notify_all()

    def stop(self) -> None:
        with self._change:
            self.stopped = True
            self._change.notify_all()

    def idle(self) -> bool:
        """True when more readers wait than there are chunks."""
        with self._change:
            return self._waiting > len(self._chunks)

    @contextmanager
    def next(self) -> Iterator[ChunkRecord | None]:
        """The next chunk; None when there is none and nobody is left who could add one."""
        chunk = self._take()
        try:
            yield chunk
        finally:
            if chunk is not None:
                self._leave()

    def _take(self) -> ChunkRecord | None:
        with self._change:
            self._waiting += 1
            self._change.wait_for(lambda: self.stopped or self._chunks or not self._busy)
            self._waiting -= 1
            if self.stopped or not self._chunks:
                return None
            self._busy += 1
            return self._chunks.popleft()

    def _leave(self) -> None:
        with self._change:
            self._busy -= 1
            self._change.notify_all()


def prepare_process() -> None:
    """Make a process one that reads for long; nothing changes when it is called again."""
    # Clients and their models are half a million objects; the cyclic collector would walk through them every second.
    gc.freeze()


def read_chunks(reading: Reading, chunks: Sequence[ChunkRecord], readers: int, progress: Reporter) -> None:
    """Read chunks with at most `readers` threads until all are done, lost, or it is time to stop.

    The first error of a reader stops the others at their next commit and is raised.
    """
    prepare_process()
    work = _Work(chunks)
    outer = reading.stop
    reading = replace(reading, stop=lambda: work.stopped or outer(), idle=work.idle, give=work.add)
    with ThreadPoolExecutor(readers, thread_name_prefix="reader") as threads:
        futures = [threads.submit(_reader, reading, work) for _ in range(readers)]
        _follow(futures, work, progress)
    for future in futures:
        future.result()


def _follow(futures: Sequence[Future[None]], work: _Work, progress: Reporter) -> None:
    """Write down the progress until all readers have ended; whatever goes wrong stops them."""
    try:
        running = set(futures)
        while running:
            done, running = wait(running, progress.seconds, FIRST_EXCEPTION)
            if any(future.exception() for future in done):
                work.stop()
            elif running:
                progress.report()
    except BaseException:
        work.stop()
        raise


def _reader(reading: Reading, work: _Work) -> None:
    while not reading.stop():
        with work.next() as chunk:
            if chunk is None:
                return
            try:
                extract_chunk(reading, chunk)
            except SessionLost as error:
                lose(reading.ports, chunk, str(error))
            except LedgerConflict as error:
                # Another worker reads it; what is left of it after that is listed again.
                log.info("extract.conflict", run=chunk.run, table=chunk.table, chunk=chunk.chunk, reason=str(error))
