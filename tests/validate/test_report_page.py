"""The report as a real browser shows it: on a phone, on a desk, in the dark, on paper."""

from __future__ import annotations

import pytest

from lakeshift.model import CheckStatus, Failure, Rows, TableState
from lakeshift.report import rows_page
from lakeshift.report.document import document
from lakeshift.report.evidence import Evidence
from lakeshift.report.page import page
from tests.validate.browser import CHROMIUM, POPPLER, Browser, drawn, pages_of, words_outside
from tests.validate.reported import ORDERS, RUN, check, report, spans, table

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium: `make setup` installs it where apt-get works")
on_paper = pytest.mark.skipif(not POPPLER, reason="needs poppler-utils: `make setup` installs it where apt-get works")

BLUE, GREEN, VERMILION, ORANGE = "0072b2", "009e73", "d55e00", "e69f00"
LONG = "x" * 127


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    return Browser(tmp_path_factory.mktemp("chromium"))


@pytest.fixture(scope="module")
def shown() -> str:
    return page(report())


def worst() -> str:
    """Names and values as long as they can be, without a place to break them."""
    failed = table(
        LONG, TableState.FAILED, rows=Rows(source=10**15, lake=10**15, target=10**15 + 1, quarantined=0),
        spans=spans(extract=1e6, load=1e-3), failure=Failure(code="ValidationFailed", message=LONG * 3),
        verdict=ORDERS.verdict and ORDERS.verdict.model_copy(update={"columns": (LONG,), "files": (LONG * 2,)}),
        notes=(LONG * 2,),
    )  # fmt: skip
    results = [check(LONG, "checksum", CheckStatus.FAILED, LONG * 2, LONG, LONG, LONG)]
    return page(document(RUN, [failed], [], {failed.table: Evidence(results)}, LONG[:63]))


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
@pytest.mark.parametrize("kind", ["usual", "worst"])
def test_nothing_reaches_over_the_edge_of_the_screen(browser: Browser, shown: str, width: int, kind: str) -> None:
    found = browser.measures(shown if kind == "usual" else worst(), width)
    assert found.viewport == width
    assert found.outside == []
    assert found.scroll <= width
    assert found.smallest >= 12


def test_a_phone_shows_what_differs_and_where(browser: Browser, shown: str) -> None:
    found = browser.measures(shown, 360)
    text = " ".join(found.text.split())
    for said in (
        "complete with problems", "3 of 5 tables published", "12,494,479 rows published",
        "Gate ✗ failed at depth checksum: 61 ok, 2 failed, 1 equal by value, 1 not checked; 48 s, 2.3 GB scanned",
        "Columns that differ amount", "Segments that differ 17, 2040 of 4,096", "Rows that differ 2",
        "ab/rows.html", "ab/rows.parquet", "segments 17 and 2040 of 4,096 differ", "target -1", "1,200 in quarantine",
        "5,996,215 rows where 3,700,000 are usual", "2 % → 15.5 %", "19 min 8 s",
    ):  # fmt: skip
        assert said in text, said
    assert "Lambda: 18 MB in one chunk." not in text, "a section of a good table is closed"
    assert len(found.bars) == 12 + 15
    assert min(found.bars) > 0


def test_bars_are_as_long_as_their_numbers(browser: Browser) -> None:
    half = table("shop.half", TableState.FAILED, rows=Rows(source=1000, lake=500, target=1))
    source, lake, target = browser.measures(page(document(RUN, [half])), 1280).bars
    assert lake / source == pytest.approx(0.5, abs=0.005)
    assert 0 < target / source < 0.01


def test_the_charts_are_drawn_in_light_and_in_dark(browser: Browser, shown: str) -> None:
    light = browser.colours(browser.picture(shown, 1280, 2400))
    dark = browser.colours(browser.picture(shown, 1280, 2400, dark=True))
    for colours in (light, dark):
        assert all(colours.get(colour, 0) > 0.001 for colour in (BLUE, GREEN, VERMILION, ORANGE))
        assert len(colours) > 100, "letters have many shades"
    assert light["ffffff"] > 0.5
    assert dark["11151a"] > 0.5
    assert "ffffff" not in dark


def test_a_phone_has_a_picture_too(browser: Browser, shown: str) -> None:
    colours = browser.colours(browser.picture(shown, 360, 5000))
    assert all(colours.get(colour, 0) > 0.001 for colour in (BLUE, GREEN, VERMILION))


def differing_rows() -> str:
    """The page of rows that differ, with a short row, one without a key and one that is as long as can be."""
    places = [
        {"table": "p.d.orders", "number": 1, "kind": "changed", "likely": False, "key": '{"id": 4711}',
         "path": "items[2].price", "lake_value": "1.50", "target_value": "1.5000000001"},
        {"table": "p.d.orders", "number": 2, "kind": "missing", "likely": False, "key": "{}", "path": "",
         "lake_value": '{"id": 1, "note": "<hidden 7f>"}', "target_value": None},
        {"table": "p.d.orders", "number": 3, "kind": "changed", "likely": True, "key": "{}", "path": LONG * 2,
         "lake_value": LONG * 30, "target_value": LONG * 9},
    ]  # fmt: skip
    table = {"table": "p.d.orders", "rows": 3, "missing": 2, "extra": 1, "named": 3, "compared": 1_234_567,
             "equal_by_value": 12, "complete": False}  # fmt: skip
    return rows_page.page("nightly-shop-0123456789ab", [{**table, "records": places}])


@pytest.mark.parametrize("width", [320, 768, 1280])
def test_differing_rows_are_readable_on_any_screen(browser: Browser, width: int) -> None:
    found = browser.measures(differing_rows(), width)
    assert found.outside == []
    assert found.scroll <= width
    text = " ".join(found.text.split())
    for said in ("1,234,567", "items[2].price", "1.5000000001", '{"id": 4711}', '"note": "<hidden 7f>"', "likely"):
        assert said in text, said


@on_paper
def test_differing_rows_are_readable_on_paper(browser: Browser) -> None:
    pdf = browser.printed(differing_rows())
    assert words_outside(pdf) == []
    assert LONG * 2 in "".join(pages_of(pdf))


@on_paper
@pytest.mark.parametrize("dark", [False, True])
def test_paper_has_all_of_it_black_on_white(browser: Browser, shown: str, dark: bool) -> None:
    pdf = browser.printed(shown, dark=dark)
    pages = pages_of(pdf)
    assert 3 <= len(pages) <= 5
    assert words_outside(pdf) == []
    text = "".join(pages)
    for one in report()["tables"]:
        assert one["source"] in text
    for said in (
        "Lambda:18MBinonechunk.", "TypeUnsupported:valid:RANGE<INTERVAL>hasnotargettype",
        "segments17and2040of4,096differ",
        "s3://acme-lakeshift-dev-lake/validation/acme-analytics-production/shop/orders/"
        "run=nightly-shop-0123456789ab/rows.html",
        "2%→15.5%", "SourceTargetStatusGate",
    ):  # fmt: skip
        assert said in text, said
    colours = browser.colours(drawn(pdf))
    assert colours["ffffff"] > 0.7
    assert colours["000000"] > 0.001


@on_paper
def test_a_long_table_goes_on_over_pages_with_its_head(browser: Browser) -> None:
    tables = [table(f"shop.t{place:03}", rows=Rows(source=place, lake=place, target=place)) for place in range(200)]
    pdf = browser.printed(page(document(RUN, tables)))
    pages = pages_of(pdf)
    assert words_outside(pdf) == []
    for place in range(200):
        name = f"shop.t{place:03}"
        assert any(name in one for one in pages)
    listed = [one for one in pages if "shop.t100" in one or "shop.t199" in one]
    assert all("SourceTargetStatusGate" in one for one in listed)


@on_paper
def test_the_worst_names_stay_on_the_paper(browser: Browser) -> None:
    pdf = browser.printed(worst())
    assert words_outside(pdf) == []
    assert LONG in "".join(pages_of(pdf))
