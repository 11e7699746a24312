"""Every type of every engine, against golden files; write them anew by running this file."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakeshift.load.ddl import TargetColumn, create_table
from lakeshift.model import Kind
from lakeshift.types import parquet
from lakeshift.types.capability import ENGINES as CAPABILITIES
from lakeshift.types.redshift import MAX_COLUMNS, MAX_IDENTIFIER_BYTES, MAX_VARCHAR_BYTES
from lakeshift.types.reserved import WORDS
from localcloud.redshift.engine import Warehouse
from localcloud.redshift.reserved import RESERVED
from tests.convert.golden_types import ENGINES, golden

GOLDEN = Path(__file__).parent / "golden"
NAMES = ["bigquery", *ENGINES]


@pytest.mark.parametrize("name", NAMES)
def test_every_type_is_as_its_golden_file_says(name: str) -> None:
    assert golden(name) == (GOLDEN / f"types_{name}.txt").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_the_warehouse_takes_every_target_type(name: str, tmp_path: Path) -> None:
    lines = [line.split(" | ") for line in golden(name).splitlines()[1:]]
    types = sorted({part for line in lines if "REFUSED" not in line[1] for part in (line[3], line[4])})
    assert len(types) > 5
    columns = [TargetColumn(f"c{number}", kind, "") for number, kind in enumerate(types)]
    warehouse = Warehouse(tmp_path)
    warehouse.session("dev").execute(create_table("t", columns))
    warehouse.close()


def test_the_lake_has_a_form_for_every_kind() -> None:
    assert set(parquet.FORMS) == set(Kind)


def test_capabilities_are_the_limits_that_the_core_uses() -> None:
    redshift = CAPABILITIES[0]
    assert (redshift.identifier, redshift.text_bytes, redshift.columns) == (
        MAX_IDENTIFIER_BYTES,
        MAX_VARCHAR_BYTES,
        MAX_COLUMNS,
    )
    assert all(link.startswith("https://") for one in CAPABILITIES for link in one.links)


def test_the_core_and_the_twin_know_the_same_reserved_words() -> None:
    assert WORDS == RESERVED


if __name__ == "__main__":
    for one in NAMES:
        (GOLDEN / f"types_{one}.txt").write_text(golden(one))
