"""A table of too many columns becomes several, each with columns of its own types: equal value by value."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lakeshift.model import Rows, RunState
from lakeshift.plan.written import plan_of
from tests.scenarios.cloud import Cloud, config
from tests.scenarios.nested_data import test_nested_data
from tests.scenarios.nested_data.test_nested_data import expected, target
from tests.scenarios.shell import Shell

HERE = Path(test_nested_data.__file__).parent
# The scalars of the nested table, each often; what is nested stands last, once.
BASE = [field for field in json.loads((HERE / "schema.json").read_text()) if field["name"] != "id"]
SCALARS = [field for field in BASE if field["type"] != "RECORD" and field.get("mode") != "REPEATED"]
NESTED = [field for field in BASE if field not in SCALARS]
ROWS = [json.loads(line) for line in (HERE / "orders.jsonl").read_text().splitlines() if line.strip()]
SELECTED = {"GEOGRAPHY": 'ST_AsText(c."{}")', "BYTES": 'TO_HEX(c."{}")', "JSON": 'JSON_SERIALIZE(c."{}")'}
COUNT = 6
COUNTED = {"depth": "count"}
NOTHING = {"match": "nothing", "wide": "split", "nested": {"key": ["id"]}, "validation": COUNTED}
# What statements have no room for is split as well, and the gate looks at few columns then.
LONG = [{"name": f"long_{n}", "type": "STRING", "defaultValueExpression": f"'{'y' * 8_000}'"} for n in range(14)]
# Columns of one answer, and seconds that the local Redshift takes to plan statements about thousands of them.
AT_ONCE, PATIENCE = 150, 600.0


@dataclass(frozen=True)
class Wide:
    """A data set with a wide table, and the rows of it as Google's client reads them from BigQuery."""

    name: str
    fields: list[dict[str, Any]]
    rows: dict[int, dict[str, Any]]

    def run(self, cloud: Cloud, *rules: dict[str, Any], **settings: Any) -> str:
        """Move it; returns the run."""
        given = config(self.name, **settings)
        given["sources"][0]["datasets"][0]["tables"] = [*rules, {"match": "*", "wide": "split"}]
        record = cloud.wait(cloud.submit(self.name, given), PATIENCE)
        assert record.state is RunState.SUCCEEDED, [table.failure for table in cloud.tables(record.run).values()]
        return record.run

    def columns(self, cloud: Cloud, table: str) -> dict[str, str]:
        """Names and types of a table's columns in Redshift."""
        found = cloud.redshift(
            "SELECT column_name AS c, data_type AS t FROM svv_columns "
            f"WHERE table_schema = '{self.name}' AND table_name = '{table}' ORDER BY ordinal_position"
        )
        return {row["c"]: row["t"] for row in found}

    def equals(self, cloud: Cloud, *tables: str) -> bool:
        """Whether the tables hold every column, and these the values of BigQuery."""
        by_name = {field["name"].lower(): field for field in self.fields}
        seen = []
        for table in tables:
            names = [name for name in self.columns(cloud, table) if name != "__ls_row"]
            assert len(names) < 1_600
            for start in range(0, len(names), AT_ONCE):
                assert self._differing(cloud, table, [by_name[one] for one in names[start : start + AT_ONCE]]) == []
            seen += names
        return sorted(seen) == sorted(by_name)

    def _differing(self, cloud: Cloud, table: str, fields: list[dict[str, Any]]) -> list[tuple[int, str]]:
        values = [
            f"{SELECTED.get(field['type'], 'c.{}').format(field['name'].lower())} AS c{at}"
            for at, field in enumerate(fields)
        ]
        found = cloud.redshift(
            f"SELECT p.id AS key, {', '.join(values)} FROM {self.name}.{table} c "
            f"JOIN {self.name}.features p ON p.__ls_row = c.__ls_row"
        )
        assert sorted(one["key"] for one in found) == sorted(self.rows)
        return [
            (one["key"], field["name"])
            for one in found
            for at, field in enumerate(fields)
            if target(one[f"c{at}"], field) != expected(self.rows[one["key"]], field)
        ]


def wide(cloud: Cloud, folder: Path, name: str, copies: int, first: Sequence[dict[str, Any]] = ()) -> Wide:
    """A wide table in BigQuery, with some columns before the others."""
    id_ = {"name": "id", "type": "INT64", "mode": "REQUIRED"}
    scalars = [{**field, "name": f"{field['name']}_{copy}"} for copy in range(copies) for field in SCALARS]
    fields = [id_, *first, *scalars, *NESTED]
    rows = (row(number, copies) for number in range(COUNT))
    (folder / "schema.json").write_text(json.dumps(fields))
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in rows))
    (folder / "none.jsonl").write_text("")
    cloud.seed(f"demo.{name}.features", folder / "rows.jsonl", folder / "schema.json")
    found = {one["id"]: one for one in cloud.bigquery(f"SELECT * FROM demo.{name}.features")}
    return Wide(name, fields, found)


def row(number: int, copies: int) -> dict[str, Any]:
    """A row of values of the nested table's rows, those of another one in each copy of a column; NULL is left out."""
    made = {field["name"]: ROWS[number % len(ROWS)].get(field["name"]) for field in NESTED}
    for copy in range(copies):
        given = ROWS[(number + copy) % len(ROWS)]
        made |= {f"{field['name']}_{copy}": given.get(field["name"]) for field in SCALARS}
    return {"id": number, **{name: value for name, value in made.items() if value is not None}}


def parts(cloud: Cloud, run: str, table: str) -> list[str]:
    return [child.table for child in plan_of(cloud.console.ports, cloud.tables(run)[table]).children]


def test_a_table_is_split_validated_moved_again_and_taken_back(cloud: Cloud, tmp_path: Path) -> None:
    shell, given = Shell(tmp_path, cloud.home), wide(cloud, tmp_path, "wide_split", 3, first=LONG)
    cloud.seed("demo.wide_split.nothing", tmp_path / "none.jsonl", tmp_path / "schema.json")
    first = given.run(cloud, NOTHING)
    assert parts(cloud, first, "features") == ["features__part_2"]
    assert given.equals(cloud, "features", "features__part_2")
    types = given.columns(cloud, "features__part_2")
    last = [types[f"{name}_2"] for name in ("wei", "at", "raw")]
    assert (*last, types["legs"]) == ("character varying", "timestamp with time zone", "binary varying", "super")

    assert cloud.tables(first)["nothing"].rows == Rows(source=0, lake=0, target=0)
    empty = [given.columns(cloud, table) for table in ("nothing", "nothing__part_2")]
    assert sorted({name for one in empty for name in one} - {"parent__id"}) == sorted(
        field["name"].lower() for field in given.fields
    )
    assert next(iter(empty[1])) == "parent__id"

    again = given.run(cloud, NOTHING, validation=COUNTED)
    assert given.equals(cloud, "features", "features__part_2")
    cloud.redshift("UPDATE wide_split.features__part_2 SET note_2 = 'x'")
    code, found = shell.json("validate", again, "--table", "features")
    wrong = {one["column"] for one in found["checks"] if one["status"] == "failed" and one["check"] == "checksum"}
    assert (code, "features__part_2.note_2" in wrong) == (1, True)
    code, done = shell.json("rollback", again)
    assert (code, {one["outcome"] for one in done["tables"]}) == (0, {"rolled back"})
    assert given.equals(cloud, "features", "features__part_2")


@pytest.mark.exhaustive
def test_3000_columns_are_in_three_tables(cloud: Cloud, tmp_path: Path) -> None:
    given = wide(cloud, tmp_path, "wide_split_more", 260)
    run = given.run(cloud, validation=COUNTED)
    found = parts(cloud, run, "features")
    assert found == ["features__part_2", "features__part_3"]
    assert given.equals(cloud, "features", *found)
    assert len(given.fields) > 3_000
