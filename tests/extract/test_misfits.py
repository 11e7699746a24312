"""extract over the wire where values do not fit: every row is loaded or held, once, whatever happens in between."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakeshift.errors import ValueUnsupported
from lakeshift.extract.session import counted
from lakeshift.lake import keys
from lakeshift.model import MisfitPolicy, Rows, TableRef, TableState
from localcloud.bigquery.seed import seed
from tests.extract.test_extract import After
from tests.extract.wire import Job, Wire, until

Plans = Callable[..., Job]
ODD = TableRef(project="p", dataset="d", table="odd")
ROWS = 12_000
WIDTH = 3
KILLS = 10
CHUNK_BYTES = 60_000
SCHEMA = [{"name": "id", "type": "INT64"}, {"name": "note", "type": "STRING"}]


def note(number: int) -> str:
    """One in seven is too long for its column."""
    return "ö" * (2 + number % 3) if number % 7 == 0 else "abc"


NOTES = {number: note(number) for number in range(ROWS)}
BAD = {number: text for number, text in NOTES.items() if len(text.encode()) > WIDTH}


@pytest.fixture(scope="module", autouse=True)
def _odd(wire: Wire, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = Path(tmp_path_factory.mktemp("odd")) / "rows.jsonl"
    file.write_text("\n".join(json.dumps({"id": number, "note": text}) for number, text in NOTES.items()))
    twin = wire.twin
    place = (ODD.project, ODD.dataset, ODD.table)
    assert seed(twin.endpoint, twin.credentials, *place, file, SCHEMA, None) == ROWS


@pytest.fixture
def odd(job: Plans) -> Plans:
    """Plans the table for a target whose column is narrow."""

    def planned(**changes: Any) -> Job:
        given = {"widths": {"note": WIDTH}, "quarantine_key": ("id",), "chunk_bytes": CHUNK_BYTES, **changes}
        return job(ODD, **given)

    return planned


def table(it: Job, key: str) -> pa.Table:
    return pq.read_table(pa.BufferReader(it.ports.objects.get("lake", key)))


def records(it: Job) -> list[dict[str, Any]]:
    """The records that COPY would load into quarantine."""
    body = it.ports.objects.get("lake", keys.quarantine_manifest(it.plan.lake_prefix, it.record.cut))
    urls = [entry["url"] for entry in json.loads(body)["entries"]]
    assert len(set(urls)) == len(urls)
    return [row for url in urls for row in table(it, url.removeprefix("s3://lake/")).to_pylist()]


def held(it: Job) -> dict[tuple[str, int], dict[str, Any]]:
    """The rows of all held files, by the places that records name."""
    files = [file.held.file.key for file in it.extracted.files if file.held]
    rows = {f"s3://lake/{key}": table(it, key).to_pylist() for key in files}
    return {(file, place): row for file, found in rows.items() for place, row in enumerate(found)}


def check_complete(it: Job, loaded: dict[int, str | None], *, mended: int = 0) -> None:
    """All rows of the source are loaded or held, once and by value; ledger, manifest and statistics say the same."""
    lake = it.lake().to_pylist()
    assert len(lake) == len(loaded)
    assert {row["id"]: row["note"] for row in lake} == loaded
    left = len(BAD) - mended
    assert it.record.rows == Rows(source=ROWS, lake=ROWS - left, quarantined=left, mended=mended)
    extracted = it.extracted
    assert (extracted.read, extracted.rows) == (ROWS, ROWS - left)
    assert extracted.statistics
    assert extracted.statistics.rows == len(loaded)
    rows = held(it)
    assert sorted((row["id"], row["note"]) for row in rows.values()) == sorted(BAD.items())
    found = records(it)
    assert len(found) == len(BAD) == extracted.records
    assert {one["id"]: rows[one["__ls_file"], one["__ls_row"]]["note"] for one in found} == BAD
    assert {one["id"]: one["__ls_bytes"] for one in found} == {
        number: len(text.encode()) for number, text in BAD.items()
    }
    assert sum(one.count for one in it.record.misfits) == len(BAD)
    assert sum(chunk.held for chunk in counted(it.ports, it.record)) == len(BAD)


def fitting() -> dict[int, str | None]:
    return {number: text for number, text in NOTES.items() if number not in BAD}


def test_rows_that_do_not_fit_are_held_whole(odd: Plans) -> None:
    it = odd()
    it.to_the_end()
    check_complete(it, fitting())


@pytest.mark.parametrize("policy", [MisfitPolicy.TRUNCATE, MisfitPolicy.NULL])
def test_mended_rows_are_loaded_and_held_whole(odd: Plans, policy: MisfitPolicy) -> None:
    it = odd(misfits=policy)
    it.to_the_end()
    mended = dict.fromkeys(BAD, "ö" if policy is MisfitPolicy.TRUNCATE else None)
    check_complete(it, {**fitting(), **mended}, mended=len(BAD))


def test_an_extract_that_is_short_of_time_goes_on_where_it_stopped(odd: Plans) -> None:
    it = odd()
    assert it.to_the_end(After(5)) > 5
    check_complete(it, fitting())


def test_processes_killed_at_ten_moments_double_nothing(odd: Plans, wire: Wire) -> None:
    it = odd(file_bytes=1_000, rows_per_group=50, streams=1)
    moments = random.Random(20260101)  # noqa: S311 - moments, not secrets
    for _ in range(KILLS):
        sent = wire.rows_sent(ODD)
        process = it.start()
        until(lambda: wire.rows_sent(ODD) > sent or not process.is_alive(), 60)  # noqa: B023
        time.sleep(moments.uniform(0.0, 0.2))
        assert it.kill(process), "too few moments: the extract has ended"
    it.wait(it.start())
    check_complete(it, fitting())


def test_broken_streams_double_nothing(odd: Plans, wire: Wire) -> None:
    it = odd()
    wire.fault("unavailable", table=ODD.id, after_rows=300, times=5)
    it.to_the_end()
    check_complete(it, fitting())


def test_all_rows_may_be_held(odd: Plans) -> None:
    it = odd(widths={"note": 1})
    it.to_the_end()
    assert it.lake().num_rows == 0
    assert it.record.rows == Rows(source=ROWS, lake=0, quarantined=ROWS)
    assert sorted(row["id"] for row in held(it).values()) == list(range(ROWS))
    # Held rows count for the size of files too, so that commits do not grow without end.
    assert len(it.extracted.files) > len({file.key.rsplit("-", 2)[0] for file in it.extracted.files})


def test_a_sample_holds_what_it_takes(odd: Plans) -> None:
    it = odd(sample=20.0)
    it.to_the_end()
    rows = it.record.rows
    assert rows.source == it.extracted.read == ROWS
    assert 0 < rows.quarantined < len(BAD)
    assert {row["id"] for row in held(it).values()} <= set(BAD)
    assert len(held(it)) == rows.quarantined


def test_fail_counts_everything_and_leaves_no_list_for_copy(odd: Plans) -> None:
    it = odd(misfits=MisfitPolicy.FAIL)
    with pytest.raises(ValueUnsupported) as raised:
        it.once()
    assert f"note: {len(BAD):,} too long, the largest 8 bytes of 3" in str(raised.value)
    assert "ö" not in str(raised.value)
    assert it.record.state is TableState.EXTRACTING
    assert it.record.rows.quarantined == len(BAD)
    with pytest.raises(KeyError):
        it.ports.objects.get("lake", keys.copy_manifest(it.plan.lake_prefix, it.record.cut))


def test_files_beside_the_table_have_names_that_readers_of_the_lake_pass_over(odd: Plans) -> None:
    it = odd()
    it.to_the_end()
    for file in it.extracted.files:
        assert file.held
        for key in (file.held.file.key, file.held.records.key):
            assert key.removeprefix(it.plan.lake_prefix).startswith("_")
        assert not file.key.removeprefix(it.plan.lake_prefix).startswith("_")
