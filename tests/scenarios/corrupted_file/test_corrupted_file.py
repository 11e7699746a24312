"""Lake files altered between extract and load: their tables alone are not published, and the report says why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from lakeshift.lake.parquet import write
from lakeshift.model import LakeFile, RunRecord, RunState, TableState
from lakeshift.validate import results
from tests.scenarios.cloud import Cloud, config
from tests.scenarios.scheduled_load.test_scheduled_load import schedule

ROWS = (
    "SELECT i AS id, CONCAT('row ', CAST(i AS STRING)) AS note, i * 7 AS amount "
    "FROM UNNEST(GENERATE_ARRAY(1, 500)) AS i"
)
TABLES = ("longer", "quiet", "sound")


def altered(cloud: Cloud, run: str, table: str, change: Callable[[pa.Table, bytes], bytes]) -> LakeFile:
    """Put other bytes in the place of a table's only lake file, under its key."""
    ports = cloud.console.ports
    (file,) = (file for chunk in cloud.chunks(run, f"demo.damaged.{table}").values() for file in chunk.files)
    body = ports.objects.get(ports.places.lake, file.key)
    ports.objects.put(ports.places.lake, file.key, change(pq.read_table(pa.BufferReader(body)), body))
    return file


def with_other(table: pa.Table, column: str, values: Any) -> bytes:
    """The file with another column, written as any file of the lake is."""
    changed = table.set_column(table.schema.get_field_index(column), table.schema.field(column), values)
    return write([changed], changed.schema)


def longer(table: pa.Table, body: bytes) -> bytes:
    """Texts in capitals and longer: COPY refuses a file that has not the size of the manifest."""
    made = with_other(table, "note", pc.binary_join_element_wise(pc.utf8_upper(table["note"]), "!", ""))
    assert len(made) != len(body)
    return made


def quiet(table: pa.Table, body: bytes) -> bytes:
    """One other number in a file of the very same size, which COPY loads without a word."""
    amounts = table["amount"].to_pylist()
    for value in range(1, 4_000):
        made = with_other(table, "amount", pa.array([*amounts[:99], value, *amounts[100:]], pa.int64()))
        if len(made) == len(body) and value != amounts[99]:
            return made
    raise AssertionError("no other number gives a file of the same size")


def ended(cloud: Cloud, run: str) -> RunRecord | None:
    """The run, once its tables were loaded or have failed."""
    record = cloud.find(run)
    return record if record and record.state is not RunState.AWAITING_LOAD else None


@pytest.mark.timeout(400)
def test_a_file_that_was_altered_stops_its_table_alone(cloud: Cloud) -> None:
    cloud.bigquery("CREATE SCHEMA IF NOT EXISTS demo.damaged")
    for name in TABLES:
        cloud.bigquery(f"CREATE OR REPLACE TABLE demo.damaged.{name} AS {ROWS}")
    run = cloud.wait(cloud.submit("damaged", config("damaged", load={"mode": "scheduled"}))).run
    files = {"longer": altered(cloud, run, "longer", longer), "quiet": altered(cloud, run, "quiet", quiet)}

    cloud.admin(f"schedules/{schedule(cloud)}/fire", {})
    record = cloud.until(lambda: ended(cloud, run))

    tables = cloud.tables(run)
    assert record.state is RunState.PROBLEMS
    assert {name: table.state for name, table in tables.items()} == {
        "longer": TableState.FAILED,
        "quiet": TableState.FAILED,
        "sound": TableState.PUBLISHED,
    }
    told = {str(table["source"]).rpartition(".")[2]: table["failure"] for table in cloud.report(run)["tables"]}
    for name, column in (("longer", "note"), ("quiet", "amount")):
        assert told[name]["code"] == "ValidationFailed"
        assert f"{column}: the lake does not hold what was read of the source" in told[name]["message"]
        assert files[name].key in told[name]["message"]
        others = {"id", "note", "amount"} - {column}
        assert not any(f"{other}: " in told[name]["message"] for other in others)
    published = cloud.redshift("SELECT table_name FROM svv_tables WHERE table_schema = 'damaged' ORDER BY 1")
    staging = [row["table_name"] for row in published if row["table_name"] != "sound"]
    assert len(staging) == 1
    assert staging[0].startswith("quiet__ls_")
    assert cloud.redshift(f"SELECT COUNT(*) AS n FROM damaged.{staging[0]}") == [{"n": 500}]
    verdict = tables["quiet"].verdict
    assert verdict
    assert (verdict.passed, verdict.columns, verdict.files) == (False, ("amount",), (files["quiet"].key,))
    found = results.read(cloud.console.ports, verdict.results)
    assert {one.check for one in found if one.status == "failed"} == {"source_checksum", "file"}
    sound = tables["sound"].verdict
    assert sound
    assert sound.passed
    assert {one.status.value for one in results.read(cloud.console.ports, sound.results)} == {"ok"}
