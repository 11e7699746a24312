"""What is written of differing rows: a fixed schema, a page, and no value that the policy hides."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow.parquet as pq
import pytest

from lakeshift.lake import keys
from lakeshift.model import Kind, Masking
from lakeshift.report.rows_page import MOST_LETTERS, MOST_ROWS, page
from lakeshift.validate.columns import Checked
from lakeshift.validate.exact import ABSENT, Leaf, Node
from lakeshift.validate.pairing import Pairing, Row
from lakeshift.validate.row_results import TableRows, records, schema, written
from lakeshift.validate.rows import Found
from lakeshift.validate.shown import Shown
from tests.unit.plans import ports
from tests.validate.tables import column

PREFIX = "validation/p/shop/orders/run=r/"
FIELDS = (column(Kind.STRING, name="sku"), column(Kind.DECIMAL, name="price", precision=9, scale=2))
COLUMNS = tuple(
    Checked(one.name, one, "x", one.name, (one.name,))
    for one in (
        column(Kind.INT64, name="id"),
        column(Kind.STRING, name="mail"),
        column(Kind.ARRAY, column(Kind.STRUCT, *FIELDS), name="items"),
        column(Kind.JSON, name="doc"),
    )
)
MAIL = "anna.secret@example.org"


def row(number: int, mail: str, price: str, name: str = "plain") -> Row:
    items: list[Node] = [{"sku": Leaf("string", "hidden-sku"), "price": Leaf("decimal", price)}]
    return Row(number, (Leaf("int64", str(number)), Leaf("string", mail), items, {name: Leaf("string", mail)}))


def found(key: tuple[str, ...] = ("id",)) -> Found:
    lake = [row(1, MAIL, "1.5"), row(2, MAIL, "2", "anna@x")]
    target = [row(1, "Other", "1.25", "anna@x"), row(3, MAIL, "2")]
    return Found(tuple(Pairing(COLUMNS, key).paired(lake, target)), 2, 2, compared=4)


def made(policy: Masking, key: tuple[str, ...] = ("id",)) -> list[dict[str, Any]]:
    return list(records("r", TableRows("p.shop.orders", COLUMNS, found(key)), Shown(policy)))


def test_values_are_shown_where_nothing_is_hidden() -> None:
    changed = {one["path"]: (one["lake_value"], one["target_value"]) for one in made(Masking.NONE) if one["path"]}
    assert changed == {
        "mail": (MAIL, "Other"),
        "items[0].price": ("1.5", "1.25"),
        "doc.plain": (MAIL, "absent"),
        'doc."anna@x"': ("absent", "Other"),
    }
    missing, extra = made(Masking.NONE)[-2:]
    assert (missing["kind"], missing["key"], missing["target_value"], missing["path"]) == (
        "missing",
        '{"id": "2"}',
        None,
        "",
    )
    assert json.loads(missing["lake_value"])["mail"] == MAIL
    assert (extra["kind"], extra["lake_value"], extra["target_row"], extra["lake_row"]) == ("extra", None, 3, None)


def test_texts_are_hidden_and_numbers_are_not() -> None:
    text = json.dumps(made(Masking.TEXT))
    assert not any(word in text for word in ("anna", "secret", "Other", "hidden"))
    changed = {one["path"]: (one["lake_value"], one["target_value"]) for one in made(Masking.TEXT) if one["path"]}
    assert changed["items[0].price"] == ("1.5", "1.25")
    assert changed["mail"][0].startswith("<string: 23 characters: letters, signs; #")
    assert changed["doc.plain"][1] == "absent"
    assert "doc.<6 characters: letters, signs>" in changed
    assert made(Masking.TEXT)[0]["key"] == '{"id": "1"}'


def test_all_values_are_hidden_and_those_of_keys_too() -> None:
    text = json.dumps(made(Masking.ALL))
    assert not any(word in text for word in ("anna", "secret", "Other", "hidden", "1.5", "1.25"))
    keys_shown = {json.loads(one["key"])["id"] for one in made(Masking.ALL)}
    assert all(one.startswith("<int64; #") for one in keys_shown)


def test_tags_tell_equal_values_within_one_report_only() -> None:
    mask, other = Shown(Masking.ALL), Shown(Masking.ALL)
    value = Leaf("string", MAIL)
    assert mask.value(value) == mask.value(Leaf("string", MAIL))
    assert mask.value(value) != mask.value(Leaf("string", MAIL[:-1] + "x"))
    assert mask.value(value) != other.value(value)
    assert "salt" not in repr(mask)


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (None, "NULL"),
        (ABSENT, "absent"),
        (Leaf("string", ""), "<string: 0 characters; #"),
        (Leaf("string", "a "), "<string: 2 characters: letters, blanks; #"),
        (Leaf("bytes", "00ff"), "<bytes: 2 bytes; #"),
        (Leaf("boolean", "true"), "<boolean; #"),
        (Leaf("float64", "-0.0"), "<float64; #"),
        ([Leaf("int64", "1")], "<elements: 1; #"),
        ({"a": None}, "<fields: 1; #"),
    ],
)
def test_what_is_said_of_a_hidden_value(node: Node, text: str) -> None:
    assert Shown(Masking.ALL).value(node).startswith(text)


def test_what_is_no_text_can_be_written() -> None:
    assert Shown(Masking.NONE).value(Leaf("string", "a\udcff")) == "a\\udcff"
    assert Shown(Masking.NONE).path('doc."\ud800"', COLUMNS[3]) == 'doc."\\ud800"'
    assert "\udcff" not in Shown(Masking.ALL).value(Leaf("string", "a\udcff"))


def test_all_is_hidden_by_default() -> None:
    assert "secret" not in Shown().value(Leaf("string", "secret"))


def test_the_file_has_one_schema_and_the_page_the_same_rows() -> None:
    ends = ports()
    tables = [TableRows("p.shop.orders", COLUMNS, found()), TableRows("orders__items", COLUMNS, Found())]
    written(ends, PREFIX, "r", tables, Shown(Masking.NONE))
    table = pq.read_table(io.BytesIO(ends.objects.get("lake", keys.differing_rows(PREFIX))))
    assert table.schema.remove_metadata() == schema()
    assert table.to_pylist() == made(Masking.NONE)
    html = ends.objects.get("lake", keys.differing_page(PREFIX)).decode()
    assert all(text in html for text in ("items[0].price", "1.25", MAIL, "p.shop.orders", "orders__items"))


def test_no_rows_are_a_file_too() -> None:
    ends = ports()
    written(ends, PREFIX, "r", [TableRows("t", COLUMNS, Found())], Shown())
    table = pq.read_table(io.BytesIO(ends.objects.get("lake", keys.differing_rows(PREFIX))))
    assert (table.num_rows, table.schema.names) == (0, schema().names)


def summary(*records: dict[str, Any], **changes: Any) -> dict[str, Any]:
    known = {"rows": 1, "missing": 1, "extra": 1, "named": 1, "compared": 2, "equal_by_value": 0, "complete": True}
    return {"table": "t", "records": records, **known, **changes}


def test_the_page_escapes_values_and_cuts_long_ones() -> None:
    record = made(Masking.NONE)[0] | {
        "table": "t",
        "lake_value": "<script>alert(1)</script>",
        "target_value": "x" * 10_000,
    }
    html = page("r", [summary(record)])
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "x" * MOST_LETTERS in html
    assert "x" * (MOST_LETTERS + 1) not in html


def test_the_page_says_what_is_not_on_it() -> None:
    record = made(Masking.NONE)[0] | {"table": "t"}
    many = [record | {"number": number, "path": f"at-{number}."} for number in range(1, MOST_ROWS + 10)]
    html = page("r", [summary(*many, named=MOST_ROWS + 9, rows=MOST_ROWS + 9)])
    assert f"at-{MOST_ROWS}." in html
    assert f"at-{MOST_ROWS + 1}." not in html
    assert f"The first {MOST_ROWS} are named here" in html
    assert "maxRowsCompared" in page("r", [summary(complete=False)])
    assert "maxRowsCompared" not in page("r", [summary()])
