"""Generated reference pages are what the code says, and every command and error is documented."""

from __future__ import annotations

import inspect
import re
import runpy
from pathlib import Path

import pytest

from lakeshift import errors

DOCS = Path(__file__).parents[2] / "docs"
PAGES = runpy.run_path(str(DOCS / "generate.py"))["pages"]()


@pytest.mark.parametrize("name", PAGES)
def test_generated_pages_are_current(name: str) -> None:
    assert (DOCS / "reference" / name).read_text() == PAGES[name], "run: python docs/generate.py"


def test_the_error_tree_is_drawn_whole() -> None:
    classes = {name for name, found in vars(errors).items() if inspect.isclass(found) and issubclass(found, Exception)}
    drawn = set(re.findall(r"[├└]── (\w+)|^(\w+Error)$", errors.__doc__ or "", re.M))
    assert {one or other for one, other in drawn} == classes


def test_links_between_pages_lead_somewhere() -> None:
    for page in [*DOCS.rglob("*.md"), *DOCS.parent.glob("*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"
