"""Real schemas: every row and every leaf of them through the Source port."""

from __future__ import annotations

import pytest

from lakeshift.adapters.bigquery import BigQuerySource
from lakeshift.model import Column, Kind
from localcloud.bigquery.seed import client
from localcloud.bigquery.server import Twin
from tests.source import corpora, forms, planned
from tests.source.tables import PROJECT, load

pytestmark = [pytest.mark.corpora, corpora.needed]


def test_every_row_of_every_schema_is_read_as_it_was_loaded(source: BigQuerySource, twin: Twin) -> None:
    found = corpora.corpora()
    assert len(found) == 18
    with client(twin.endpoint, twin.credentials, PROJECT) as bq:
        bq.create_dataset(corpora.DATASET)
        for table in found:
            load(bq, table)
            plan = planned.plan_of(source, source.describe(table.ref))
            assert planned.read_all(source, plan) == table.expected(), table.name
            assert source.count(plan) == len(table.rows)


def test_generated_rows_leave_no_leaf_out() -> None:
    for table in corpora.corpora():
        leaves = forms.leaves(table.columns)
        assert len(leaves) == len(set(leaves)) == len(corpora.paths(table.fields))
        rows = table.rows[-len(leaves) - 4 :]
        for column in table.columns:
            values = [row.get(column.name) for row in rows]
            assert all(_values(column, values, leaf) for leaf in forms.leaves([column])), (table.name, column.name)


def _values(column: Column, values: list[object], leaf: str) -> list[object]:
    """Values of a leaf in rows as they were generated, NULLs left out."""
    present = [value for value in values if value is not None]
    if column.kind is Kind.ARRAY:
        element = column.fields[0].model_copy(update={"name": f"{column.name}[]"})
        inner = [item for value in present if isinstance(value, list) for item in value]
        return _values(element, inner, leaf)
    rest = leaf.removeprefix(column.name).removeprefix(".")
    if column.kind is not Kind.STRUCT or not rest:
        return present
    child = next(one for one in column.fields if rest == one.name or rest.startswith((f"{one.name}.", f"{one.name}[]")))
    return _values(child, [value.get(child.name) for value in present if isinstance(value, dict)], rest)
