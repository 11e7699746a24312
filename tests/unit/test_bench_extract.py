"""The bench's own arithmetic, its generated rows, and the store that drops what it gets."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import boto3
import numpy as np
import pyarrow as pa
import pytest

from bench import extract, null_s3, tables
from bench.processes import ROOT, Measured, measure
from lakeshift.adapters.s3 import S3Objects


def ran(seconds: float, rows: int = 1_000, cpu: float = 1.0, **said: Any) -> Measured:
    return Measured(seconds, cpu, 100.0, {"rows": rows, **said})


ROUND = {
    "ours": ran(2.0),
    "ours_nostats": ran(1.0),
    "to_arrow": ran(3.0),
    "stream": ran(8.0),
    "decode": ran(0.5, cpu=1.0),
    "encode": ran(9.0, encode_cpu_seconds=2.0),
}


def test_the_limit_is_the_larger_of_receiving_and_of_all_cpu_work_over_the_cores() -> None:
    assert extract.limit_seconds(ROUND, 2) == pytest.approx(1.5)
    assert extract.limit_seconds(ROUND, 8) == pytest.approx(0.5)


def test_ratios_say_how_much_faster_we_are_and_how_far_from_the_limit() -> None:
    assert extract.ratios_of(ROUND, 2) == pytest.approx(
        {
            "vs_official_to_arrow": 1.5,
            "vs_official_stream": 4.0,
            "vs_limit": 2.0 / 1.5,
            "vs_official_to_arrow_nostats": 3.0,
            "vs_official_stream_nostats": 8.0,
            "vs_limit_nostats": 1.0 / 1.5,
        }
    )
    assert extract.ratios_of({**ROUND, "dlt": ran(10.0, rows=500)}, 2)["vs_dlt"] == pytest.approx(10.0)


def test_a_headline_is_the_median_of_the_rounds_and_the_worse_of_the_tables() -> None:
    rounds = [{"vs_limit": value, "vs_official_stream": value} for value in (1.0, 9.0, 2.0)]
    one, other = extract.medians(rounds), {"vs_limit": 3.0, "vs_official_stream": 3.0}
    assert one == {"vs_limit": 2.0, "vs_official_stream": 2.0}
    assert extract.worse({"lineitem": one, "nested": other}) == {
        "vs_dlt": None,
        "vs_limit": 3.0,
        "vs_official_stream": 2.0,
    }


def test_a_contender_that_loses_rows_has_no_time() -> None:
    with pytest.raises(RuntimeError, match="stream moved 999 rows of 1000 of nested"):
        extract.check_rows("nested", 1_000, [{**ROUND, "stream": ran(1.0, rows=999)}])


def test_a_process_is_measured_by_what_it_says_last_and_by_its_own_memory() -> None:
    program = "from bench.processes import report; held = bytes(range(256)) * 200_000; report(rows=7)"
    measured = measure([sys.executable, "-c", program])
    assert measured.said == {"rows": 7}
    assert 48 < measured.peak_mib < 120
    assert measured.seconds > 0
    with pytest.raises(RuntimeError, match="no such thing"):
        measure([sys.executable, "-c", "raise SystemExit('no such thing')"])


def test_nested_rows_are_the_same_each_time_and_hold_nulls_and_arrays_of_structs() -> None:
    first, again = (tables.batch(np.random.Generator(np.random.PCG64(1)), 10, 500) for _ in range(2))
    assert first.equals(again)
    assert first.column("id").to_pylist() == list(range(10, 510))
    assert first.column("address").null_count
    assert first.schema.field("items").type.value_type == pa.struct(
        [("sku", pa.string()), ("count", pa.int64()), ("price", pa.decimal128(19, 2))]
    )
    price = first.column("items").flatten().field("price")
    assert 0 < float(price[0].as_py()) < 10_000


def test_the_null_store_takes_objects_whole_and_in_parts_and_gives_small_ones_back() -> None:
    session = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x", region_name="us-east-1")  # noqa: S106
    with null_s3.running() as (address, store):
        objects = S3Objects(session.client("s3", endpoint_url=address), session)
        objects.put("lake", "small", b"abc")
        assert objects.get("lake", "small") == b"abc"
        with pytest.raises(KeyError):
            objects.get("lake", "other")
        before = store.received
        with objects.upload("lake", "large") as upload:
            for _ in range(3):
                upload.write(bytes(9 * 2**20))
        assert store.received - before >= 27 * 2**20


@pytest.mark.timeout(120)
def test_planning_reports_every_table() -> None:
    command = [sys.executable, "-m", "bench.plan_100k", "40"]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    said = json.loads(output.strip().splitlines()[-1])
    assert said["tables"] == 40
    assert said["seconds"] > 0
