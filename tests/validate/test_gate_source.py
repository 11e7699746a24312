"""The gate where the source is asked for its own sums, inside BigQuery, at the snapshot of the run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pyarrow as pa
import pytest
from google.api_core import exceptions as google

from lakeshift.adapters.bigquery import BigQuerySource
from lakeshift.errors import QueryFailed, ValidationFailed
from lakeshift.extract import files
from lakeshift.lake.quarantine import Sorted, Sorter
from lakeshift.ledger.memory import MemoryLedger
from lakeshift.model import CheckResult, CheckStatus, TableState
from lakeshift.ports import Answer
from lakeshift.validate import results
from tests.validate.both import Both, both

QUERY = {"depth": "checksum", "source": "query"}


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with both(tmp_path_factory.mktemp("ends")) as found:
        yield found


def told(ends: Both, run: str, table: str) -> list[CheckResult]:
    verdict = ends.ports.ledger.table(run, table).verdict
    assert verdict
    return results.read(ends.ports, verdict.results)


def orders(ends: Both, name: str) -> None:
    ends.google(
        f"CREATE SCHEMA {name}",
        f"""CREATE TABLE {name}.orders AS SELECT id, CONCAT('note ', CAST(id AS STRING)) AS note, id / 7 AS ratio, """
        'JSON \'{"b": 1.50, "a": [1]}\' AS doc, [STRUCT(id AS n)] AS xs FROM UNNEST(GENERATE_ARRAY(1, 40)) AS id',
    )


@pytest.mark.parametrize("nested", ["super", "child_table"])
def test_source_lake_and_target_agree_each_by_its_own_sums(ends: Both, nested: str) -> None:
    name = f"asked_{nested}"
    orders(ends, name)
    rule = {"match": "orders", "nested": {"default": nested}}
    run = ends.migrate(ends.config(name, [rule], validation=QUERY))
    table = f"p.{name}.orders"
    assert ends.ports.ledger.table(run, table).state is TableState.PUBLISHED
    asked = [one for one in told(ends, run, table) if one.check == "source_sums"]
    assert {one.status for one in asked} <= {CheckStatus.OK, CheckStatus.EQUAL_BY_VALUE}
    assert {"id", "note", "ratio", "doc", ""} <= {one.column for one in asked}
    assert all(one.target_value is None and one.source_value for one in asked)
    assert sum(one.bytes_scanned for one in asked) > 0


def test_a_lake_that_is_not_what_the_source_has_is_found_without_statistics(
    ends: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders(ends, "twisted")
    real = files.ChunkFiles.write

    def twisted(self: files.ChunkFiles, found: Sorted) -> None:
        """A writer that makes another number of one."""
        place = found.kept.schema.get_field_index("id")
        values = [value if value != 9 else 8 for value in found.kept.column(place).to_pylist()]
        other = found.kept.set_column(place, found.kept.schema.field(place), pa.array(values, pa.int64()))
        real(self, replace(found, kept=other))

    monkeypatch.setattr(files.ChunkFiles, "write", twisted)
    config = ends.config("twisted", validation=QUERY, extract={"statistics": False})
    with pytest.raises(ValidationFailed) as failure:
        ends.migrate(config)
    assert "id: differs in segment" in failure.value.what
    assert "1 row is changed" in failure.value.what
    assert "note" not in failure.value.what


def test_rows_of_the_source_are_looked_for_in_their_band(ends: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """BigQuery bills what a question scans: a table that is partitioned or clustered by the column, a part of it."""
    monkeypatch.setattr("lakeshift.validate.sums.SEGMENT_ROWS", 1)
    orders(ends, "narrow")
    sort, ask, asked = Sorter.sort, BigQuerySource.ask, list[str]()

    def twisted(self: Sorter, batch: pa.RecordBatch) -> Sorted:
        """A reader that makes another text of one, before anything is measured of it."""
        place = batch.schema.get_field_index("note")
        values = [value if value != "note 9" else "other" for value in batch.column(place).to_pylist()]
        return sort(self, batch.set_column(place, batch.schema.field(place), pa.array(values)))

    def noted(self: BigQuerySource, text: str, max_bytes: int) -> Answer:
        asked.append(text)
        return ask(self, text, max_bytes)

    monkeypatch.setattr(Sorter, "sort", twisted)
    monkeypatch.setattr(BigQuerySource, "ask", noted)
    with pytest.raises(ValidationFailed) as failure:
        ends.migrate(ends.config("narrow", validation=QUERY))
    assert "1 row is changed" in failure.value.what
    first, second = asked
    assert "GROUP BY" in first
    # Of the numbers 1 to 40.
    assert "(__ls.`id` >= 9 AND __ls.`id` < 11)" in second


def test_other_spellings_pass_beside_rows_that_are_held_back(ends: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    ends.google(
        "CREATE SCHEMA beside",
        "CREATE TABLE beside.orders AS SELECT id, IF(id = 3, REPEAT('x', 70000), 'short') AS note, "
        """JSON '{"b": 1, "a": 2}' AS doc FROM UNNEST(GENERATE_ARRAY(1, 20)) AS id""",
    )
    real = files.ChunkFiles.write

    def respelled(self: files.ChunkFiles, found: Sorted) -> None:
        """A writer that puts the keys in another order."""
        place = found.kept.schema.get_field_index("doc")
        values = pa.array(['{"a":2,"b":1}'] * found.kept.num_rows)
        assert values[0] != found.kept.column(place)[0]
        real(self, replace(found, kept=found.kept.set_column(place, found.kept.schema.field(place), values)))

    monkeypatch.setattr(files.ChunkFiles, "write", respelled)
    config = ends.config("beside", misfits="quarantine", validation=QUERY, extract={"statistics": False})
    run, table = ends.migrate(config), "p.beside.orders"
    assert ends.ports.ledger.table(run, table).state is TableState.PUBLISHED
    asked = {one.column: one.status for one in told(ends, run, table) if one.check == "source_sums"}
    assert asked == {
        "id": CheckStatus.OK,
        "note": CheckStatus.OK,
        "doc": CheckStatus.EQUAL_BY_VALUE,
        "": CheckStatus.EQUAL_BY_VALUE,
    }


def test_a_question_that_the_source_refuses_keeps_the_gate_closed_and_is_written_down(
    ends: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders(ends, "shut")

    def refused(*_: object, **__: object) -> Any:
        said = "POST https://host/queries: not done here\n\nLocation: None\nJob ID: 1\n"
        raise google.MethodNotImplemented(said)  # type: ignore[no-untyped-call]

    real = ends.source._rest.query
    monkeypatch.setattr(
        ends.source._rest, "query", lambda text, **more: (refused if "GROUP BY" in text else real)(text, **more)
    )
    with pytest.raises(QueryFailed, match="not done here"):
        ends.migrate(ends.config("shut", validation=QUERY))
    (run,) = (run for run, table in cast("MemoryLedger", ends.ports.ledger)._tables if table == "p.shut.orders")
    found = [one for one in told(ends, run, "p.shut.orders") if one.check == "source_sums"]
    assert [(one.status, one.difference) for one in found] == [(CheckStatus.FAILED, "cannot be asked: not done here")]
