"""Names of columns: https://cloud.google.com/bigquery/docs/schemas#flexible-column-names."""

import pytest

from localcloud.bigquery.errors import BigQueryError
from localcloud.bigquery.schema import check_name


@pytest.mark.parametrize(
    "name", ["a", "_a", "1st", "n-1", "two words", "100%", "it's", "a&b=c+d:e<f>g#h|i", "größe", "列", "x" * 300]
)
def test_plain_and_flexible_names_are_taken(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "x" * 301, *(f"a{sign}b" for sign in '!"$()*,./;?@[\\]^`{}~\n')])
def test_other_signs_are_refused(name: str) -> None:
    with pytest.raises(BigQueryError, match="Invalid field name"):
        check_name(name)


@pytest.mark.parametrize("name", ["_TABLE_x", "_partitiontime", "_Change_Type", "__ROOT__a"])
def test_reserved_prefixes_are_refused_in_any_case(name: str) -> None:
    with pytest.raises(BigQueryError, match="Invalid field name"):
        check_name(name)
