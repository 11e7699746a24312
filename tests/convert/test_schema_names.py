"""Names on Redshift: what is kept, what is renamed, and that a rename does not depend on its neighbours' data."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshift.types.names import assigned, fold, rename_note, too_long


@pytest.mark.parametrize(
    ("given_names", "expected"),
    [
        (["id", "Name"], ("id", "name")),
        (["ID", "id"], ("id_3843971d", "id")),
        (["id", "ID"], ("id", "id_3843971d")),
        (["Id", "ID"], ("id", "id_3843971d")),
        (["oid"], ("oid_68c55cdc",)),
        (['a"b'], ("a_b_39a01277",)),
        (["a\x00b"], ("a_b_59b271ae",)),
        (["żółć"], ("żółć",)),
        (["ÄB"], ("äb_90f4896f",)),
        (["x" * 128], ("x" * 118 + "_f6e7d9b5",)),
        (["select"], ("select",)),
    ],
)
def test_a_name_is_kept_or_gets_a_digest(given_names: list[str], expected: tuple[str, ...]) -> None:
    found = assigned(given_names)
    if "x" * 128 in given_names:
        assert found[0].startswith("x" * 118 + "_")
        assert len(found[0].encode()) == 127
        return
    assert found == expected


@given(st.lists(st.text(max_size=200), max_size=12))
def test_all_names_are_different_and_fit(wanted: list[str]) -> None:
    found = assigned(wanted)
    assert len({name.casefold() for name in found}) == len(wanted)
    assert not any(too_long(name) or '"' in name or not name.isprintable() for name in found)


@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=8, unique_by=str.casefold))
def test_a_column_that_is_added_renames_no_other(wanted: list[str]) -> None:
    assert assigned(wanted[:-1]) == assigned(wanted)[:-1] or fold(wanted[-1]) == wanted[-1]


def test_taken_names_are_not_given_again() -> None:
    assert assigned(["a"], taken=["A"]) == ("a_ca978112",)


def test_renames_and_reserved_words_are_noted() -> None:
    assert rename_note("Name", "name") == ""
    assert "quote" in rename_note("Select", "select")
    assert "renamed" in rename_note("ID", "id_3843971d")
