"""A table whose columns are all arrays with child tables of their own: nothing tells its rows apart."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

from lakeshift.errors import ValidationFailed
from lakeshift.model import CheckStatus, Depth, TableState
from lakeshift.types.bigquery import columns
from lakeshift.validate import results
from lakeshift.validate.pairs import Asked, validate_config
from lakeshift.validate.runs import validate_run
from tests.validate.both import Both, both
from tests.validate.staged import Staged, Town, plan_of

FIELDS = [{"name": name, "type": "INT64", "mode": "REPEATED"} for name in ("xs", "ys")]
ROWS = pa.record_batch({"xs": pa.array([[], [1]], pa.list_(pa.int64())), "ys": [[2], [3]]})
VALUE = "value"
CHILDREN = {"default": "child_table"}


@pytest.fixture(scope="module")
def loaded(place: Town) -> Staged:
    return place.waiting(plan_of(columns(FIELDS), CHILDREN, "arrays"), ROWS)


@pytest.mark.parametrize("depth", [Depth.CHECKSUM, Depth.ROWS])
def test_the_gate_compares_every_element(loaded: Staged, depth: Depth) -> None:
    found = loaded.gate(depth)
    assert found.error is None
    said = results.read(loaded.place.ports(loaded.ledger), found.verdict.results)
    whole = [one.column for one in said if one.check == "checksum" and one.status is CheckStatus.OK]
    assert {"arrays__xs", "arrays__ys", f"arrays__xs.{VALUE}", f"arrays__ys.{VALUE}"} <= set(whole)
    try:
        loaded.place.redshift.run(f"UPDATE {loaded._of(loaded.tables[2])} SET {VALUE} = 4 WHERE {VALUE} = 3")
        found = loaded.gate(depth)
        assert isinstance(found.error, ValidationFailed)
        assert set(found.verdict.columns) == {"arrays__ys", f"arrays__ys.{VALUE}"}
        assert found.verdict.rows == 1
    finally:
        loaded.put_back()


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with both(tmp_path_factory.mktemp("both")) as found:
        yield found


def test_source_and_target_are_compared_inside_their_engines(ends: Both) -> None:
    ends.google(
        "CREATE SCHEMA alone",
        "CREATE TABLE alone.arrays AS SELECT ARRAY<INT64>[] AS xs, [2] AS ys UNION ALL SELECT [1], [3]",
    )
    config = ends.config(
        "alone", [{"match": "arrays", "nested": CHILDREN}], validation={"depth": "checksum", "source": "query"}
    )
    run = ends.migrate(config)
    record = ends.ports.ledger.table(run, "p.alone.arrays")
    assert record.state is TableState.PUBLISHED
    assert record.verdict
    said = results.read(ends.ports, record.verdict.results)
    summed = {one.column: (one.source_value, one.status) for one in said if one.check == "source_sums"}
    assert {"arrays__xs", "arrays__ys", f"arrays__xs.{VALUE}", f"arrays__ys.{VALUE}"} <= summed.keys()
    assert all(value and status is CheckStatus.OK for value, status in summed.values())

    def wrong() -> list[set[str]]:
        """What differs, between the lake and the target, and between the source and the target."""
        asked = Asked(depth=Depth.ROWS)
        found = (validate_run(ends.ports, run, asked), validate_config(ends.ports, config, asked))
        assert all(any(one.check == "checksum" for one in checks.results) for checks in found)
        return [
            {one.column for one in checks.results if one.check == "checksum" and one.status is not CheckStatus.OK}
            for checks in found
        ]

    assert wrong() == [set(), set()]
    ends.redshift.run(f'UPDATE "alone"."arrays__ys" SET {VALUE} = 4 WHERE {VALUE} = 3')
    assert wrong() == [{"arrays__ys", f"arrays__ys.{VALUE}"}] * 2
