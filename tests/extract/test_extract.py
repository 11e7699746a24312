"""extract over the wire: Google's own clients against the local BigQuery, DynamoDB and S3, faults in between.

In every case the lake holds each row of the source once, by value; no file is listed twice; and what was read again is
bounded.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest

from lakeshift.errors import LedgerConflict, QuotaExhausted, SessionLost, SourceBusy, SplitMismatch, StoreBusy
from lakeshift.extract import cut
from lakeshift.extract.session import counted, lose
from lakeshift.extract.step import extract_one, open_chunks
from lakeshift.lake import rows
from lakeshift.model import Order, Rows, TableState
from localcloud.bigquery.seed import client
from tests.extract.conftest import DAILY, PLAIN, ROWS, rows_of
from tests.extract.wire import Job, Wire, fingerprint, until

Plans = Callable[..., Job]
CHUNK_BYTES = 100_000
KILLS = 20


class After:
    """Time is up at every `count`-th question."""

    def __init__(self, count: int) -> None:
        self._count, self._asked = count, 0

    def __call__(self) -> bool:
        self._asked += 1
        return self._asked % self._count == 0


def expected(job: Job) -> tuple[int, int, int]:
    """Fingerprint of the source's rows, made without a read of them."""
    kinds = rows.schema(job.plan.columns)
    days = pa.array([row["day"] for row in rows_of(ROWS)], pa.string()).cast(pa.date32())
    ids = pa.array(range(ROWS), pa.int64())
    tags = pa.array([row["tags"] for row in rows_of(ROWS)], kinds.field("tags").type)
    return fingerprint(pa.Table.from_arrays([ids, days, tags], schema=kinds))


def check_complete(job: Job) -> None:
    """Every row of the source exactly once by value, and ledger, manifest and statistics say the same."""
    found = fingerprint(job.lake())
    assert found == expected(job)
    assert job.record.state is TableState.EXTRACTED
    assert job.record.rows == Rows(source=ROWS, lake=ROWS)
    statistics = job.extracted.statistics
    assert statistics is not None
    assert (statistics.rows, int(statistics.sum, 16), int(statistics.xor, 16)) == found


def read_again(job: Job) -> int:
    """Rows that were sent more than once."""
    return job.wire.rows_sent(job.plan.source) - ROWS


def largest_chunk(job: Job) -> int:
    return max(chunk.offset for chunk in counted(job.ports, job.record))


def test_a_table_without_partitions_is_read_by_streams(job: Plans) -> None:
    it = job(PLAIN, chunk_bytes=CHUNK_BYTES)
    assert it.to_the_end() == 1
    check_complete(it)
    assert read_again(it) == 0
    chunks = [chunk for chunk in counted(it.ports, it.record) if not cut.is_root(chunk)]
    assert len(chunks) > 4
    assert all(chunk.done and chunk.files for chunk in chunks)
    assert len({chunk.session for chunk in chunks}) == 1


def test_a_partitioned_table_is_read_by_sessions_of_partitions(job: Plans) -> None:
    it = job(DAILY, chunk_bytes=CHUNK_BYTES)
    assert it.to_the_end() == 1
    check_complete(it)
    chunks = counted(it.ports, it.record)
    roots = [chunk for chunk in chunks if cut.is_root(chunk)]
    assert len(roots) == len(it.plan.slices) > 3
    assert len({chunk.session for chunk in chunks}) == len(roots)


def test_few_streams_are_cut_in_two_for_idle_readers(job: Plans) -> None:
    it = job(PLAIN)
    assert [part.streams for part in it.plan.slices] == [1]
    it.to_the_end()
    check_complete(it)
    assert len(counted(it.ports, it.record)) > 1


def test_an_extract_that_is_short_of_time_goes_on_where_it_stopped(job: Plans) -> None:
    it = job(DAILY, chunk_bytes=CHUNK_BYTES)
    assert it.to_the_end(After(6)) > 5
    check_complete(it)


@pytest.mark.parametrize("kind", ["unavailable", "rst_stream"])
def test_a_broken_stream_costs_no_row(job: Plans, wire: Wire, kind: str) -> None:
    it = job(PLAIN, chunk_bytes=CHUNK_BYTES)
    wire.fault(kind, table=PLAIN.id, after_rows=300, times=5)
    assert it.to_the_end() == 1
    check_complete(it)
    assert read_again(it) == 0


def test_a_stalled_stream_is_cut_off_and_read_on(job: Plans, wire: Wire) -> None:
    it = job(PLAIN, chunk_bytes=CHUNK_BYTES, stall_seconds=0.5)
    wire.fault("stall", table=PLAIN.id, after_rows=300, times=2, seconds=60)
    started = time.monotonic()
    assert it.to_the_end() == 1
    assert time.monotonic() - started < 30
    check_complete(it)
    assert read_again(it) < 1_000  # pages that were on their way when the calls were cut off


def test_an_exhausted_quota_with_a_time_to_come_back_is_waited_for(job: Plans, wire: Wire) -> None:
    it = job(PLAIN, chunk_bytes=CHUNK_BYTES)
    wire.fault("resource_exhausted", table=PLAIN.id, after_rows=300, times=2, retry_after_seconds=0.4)
    assert it.to_the_end() == 1
    check_complete(it)
    assert read_again(it) == 0


def test_an_exhausted_quota_without_one_is_reported_and_gone_on_with(job: Plans, wire: Wire) -> None:
    it = job(PLAIN, chunk_bytes=CHUNK_BYTES)
    wire.fault("resource_exhausted", table=PLAIN.id, after_rows=2_000, times=1)
    with pytest.raises(QuotaExhausted, match="readStreams"):
        it.once()
    it.to_the_end()
    check_complete(it)
    assert read_again(it) <= 2 * largest_chunk(it)  # two readers were at work, each at a chunk


def test_a_source_that_never_answers_is_busy_in_the_end(
    job: Plans, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakeshift.adapters.bigquery_storage.FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("lakeshift.adapters.bigquery_storage.MAX_PAUSE_SECONDS", 0.02)
    it = job(PLAIN, chunk_bytes=CHUNK_BYTES)
    wire.fault("unavailable", table=PLAIN.id, after_rows=0, times=1_000)
    with pytest.raises(SourceBusy, match="no progress after 8 attempts"):
        it.once()


def test_an_expired_session_costs_one_chunk_at_the_same_snapshot(job: Plans, wire: Wire) -> None:
    it = job(DAILY, chunk_bytes=CHUNK_BYTES, streams=1)
    with client(wire.twin.endpoint, wire.twin.credentials, "p") as bq:
        bq.query_and_wait("INSERT INTO p.d.daily (id, day, tags) VALUES (-1, '2026-01-03', ['x'])")
        try:
            wire.fault("expire_session", table=DAILY.id, after_rows=1_500)
            it.to_the_end()
            check_complete(it)
        finally:
            bq.query_and_wait("DELETE FROM p.d.daily WHERE id = -1")
    assert [chunk.attempt for chunk in counted(it.ports, it.record)].count(1) == 1
    assert 0 < read_again(it) <= largest_chunk(it)


def test_an_expired_session_of_a_table_without_partitions_costs_that_table(job: Plans, wire: Wire) -> None:
    it = job(PLAIN, chunk_bytes=CHUNK_BYTES)
    assert it.once(After(20)) == "extract"
    before = next(chunk for chunk in it.chunks if cut.is_root(chunk)).session
    wire.fault("expire_session", table=PLAIN.id)
    it.to_the_end()
    check_complete(it)
    root = next(chunk for chunk in it.chunks if cut.is_root(chunk))
    assert (root.attempt, root.session != before) == (1, True)
    assert read_again(it) <= ROWS


def test_a_busy_store_costs_no_row(job: Plans, wire: Wire) -> None:
    it = job(DAILY, chunk_bytes=CHUNK_BYTES, streams=1)
    wire.aws_fault(service="s3", operation="PutObject", status=503, times=3)
    it.to_the_end()
    check_complete(it)
    assert read_again(it) == 0  # the upload is tried again, not the read


def test_a_broken_part_of_a_large_upload_costs_no_row(job: Plans, wire: Wire) -> None:
    it = job(PLAIN, file_bytes=10**9, rows_per_group=100_000)
    wire.aws_fault(service="s3", operation="PutObject", status=500, times=2, key_contains=".parquet")
    it.to_the_end()
    check_complete(it)


def test_a_throttled_ledger_costs_no_row(job: Plans, wire: Wire) -> None:
    it = job(DAILY, chunk_bytes=CHUNK_BYTES, streams=1)
    wire.aws_fault(service="dynamodb", operation="PutItem", times=3)
    it.to_the_end()
    check_complete(it)
    assert read_again(it) <= largest_chunk(it)


def test_a_ledger_that_throttles_for_long_is_a_transient_error(job: Plans, wire: Wire) -> None:
    it = job(DAILY, chunk_bytes=CHUNK_BYTES)
    wire.aws_fault(service="dynamodb", operation="PutItem", times=1_000)
    with pytest.raises(StoreBusy):
        it.once()
    wire.heal()
    it.to_the_end()
    check_complete(it)


def test_a_process_killed_at_twenty_moments_loses_and_doubles_nothing(job: Plans, wire: Wire) -> None:
    """Each process is killed with SIGKILL at a random moment after it has begun to read; the next one goes on."""
    it = job(DAILY, chunk_bytes=CHUNK_BYTES, file_bytes=1_000, rows_per_group=50, streams=1)
    moments = random.Random(20260101)  # noqa: S311 - moments, not secrets
    lost = [0]
    while len(lost) <= KILLS:
        sent = wire.rows_sent(DAILY)
        process = it.start()
        until(lambda: wire.rows_sent(DAILY) > sent or not process.is_alive(), 60)  # noqa: B023
        time.sleep(moments.uniform(0.0, 0.2))
        assert it.kill(process), "too few moments: the extract has ended"
        committed = sum(chunk.offset for chunk in counted(it.ports, it.record))
        lost.append(wire.rows_sent(DAILY) - committed)
    it.wait(it.start())
    check_complete(it)
    assert max(after - before for before, after in pairwise(lost)) <= largest_chunk(it)


def test_one_kill_costs_at_most_the_chunks_at_hand(job: Plans, wire: Wire) -> None:
    it = job(DAILY, chunk_bytes=CHUNK_BYTES, streams=1)
    process = it.start()
    until(lambda: wire.rows_sent(DAILY) > ROWS // 3, 60)
    assert it.kill(process)
    it.wait(it.start())
    check_complete(it)
    assert 0 <= read_again(it) <= largest_chunk(it)


def test_two_processes_at_one_table_make_one_extract(job: Plans) -> None:
    it = job(DAILY, chunk_bytes=CHUNK_BYTES)
    both = [it.start(), it.start()]
    for process in both:
        it.wait(process)
    check_complete(it)


def test_two_workers_that_alternate_make_one_extract(job: Plans) -> None:
    """Between any two row groups of one worker another one runs as far as it gets."""
    it = job(PLAIN, chunk_bytes=400_000, streams=1)
    busy = [False]

    def interrupted() -> bool:
        if not busy[0]:
            busy[0] = True
            try:
                it.once(After(3))
            except LedgerConflict:
                pass
            finally:
                busy[0] = False
        return False

    it.to_the_end(interrupted)
    check_complete(it)


def test_a_pause_is_heard_between_files_and_the_rest_is_read_later(job: Plans, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakeshift.extract.step.ORDER_SECONDS", 0.0)
    it = job(DAILY, chunk_bytes=CHUNK_BYTES, streams=1)
    asked = iter(range(10_000))

    def pause_soon() -> bool:
        if next(asked) == 12:
            it.ports.ledger.give(it.plan.run, Order.PAUSE)
        return False

    assert it.once(pause_soon) == "paused"
    done = it.record.rows_done
    assert 0 <= done < ROWS
    assert it.once() == "paused"
    it.ports.ledger.give(it.plan.run, Order.GO)
    it.to_the_end()
    check_complete(it)
    assert read_again(it) <= largest_chunk(it)


def test_a_plan_that_is_another_one_is_refused(job: Plans) -> None:
    it = job(DAILY, chunk_bytes=CHUNK_BYTES)
    record = it.record
    it.ports.ledger.save_table(record.model_copy(update={"split": "0" * 64}))
    with pytest.raises(SplitMismatch):
        it.once()
    other = it.record.model_copy(update={"split": it.plan.split, "cut": "0" * 10})
    it.ports.ledger.save_table(other)
    with pytest.raises(SplitMismatch, match="the chunks are of 0000000000"):
        it.once()


def test_a_slice_of_several_streams_is_never_read_as_one(job: Plans) -> None:
    """Its root after a lost session is no chunk to read, whoever has seen it last."""
    it = job(PLAIN, chunk_bytes=CHUNK_BYTES)
    it.once(After(3))
    root = next(chunk for chunk in it.chunks if cut.is_root(chunk))
    lose(it.ports, root, "for the test")
    assert open_chunks(it.ports, it.plan.run, PLAIN.id) == []
    with pytest.raises(LedgerConflict, match="several streams"):
        extract_one(it.ports, it.plan.run, PLAIN.id, root.chunk)
    it.to_the_end()
    check_complete(it)


def test_sessions_that_are_always_lost_end_the_extract(job: Plans, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakeshift.extract.step.MAX_SESSIONS", 3)
    it = job(PLAIN, chunk_bytes=CHUNK_BYTES)
    wire.fault("expire_session", table=PLAIN.id, times=100)
    with pytest.raises(SessionLost, match="3 read sessions were lost"):
        it.once()


def test_an_extract_that_is_done_stays_as_it_is(job: Plans) -> None:
    it = job(PLAIN)
    it.to_the_end()
    before: Any = it.record
    assert it.once() == "done"
    assert it.record == before
