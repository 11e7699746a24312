"""Chromium without a window, and what it makes of a page: measures, a picture, a print. Nothing is installed."""

from __future__ import annotations

import base64
import html
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in _NAMES if (path := shutil.which(name))), "")
POPPLER = shutil.which("pdftotext") or ""
_SECONDS = 120

# What a page in a frame of a device's width measures. A window cannot be as narrow as a phone, a frame can.
_MEASURE = """
const page = document.querySelector("iframe").contentDocument, wide = page.documentElement.clientWidth;
const all = [...page.body.querySelectorAll("*")];
const outside = all.filter(one => {
  const box = one.getBoundingClientRect();
  return box.width && (box.right > wide + .5 || box.left < -.5) && !one.closest("svg");
});
show({
  viewport: wide, scroll: page.documentElement.scrollWidth, text: page.body.innerText,
  outside: outside.map(one => one.outerHTML.slice(0, 200)),
  bars: [...page.querySelectorAll("figure .rows rect")].map(one => one.getBoundingClientRect().width),
  smallest: Math.min(...all.map(one => parseFloat(getComputedStyle(one).fontSize))),
});
"""
# How many pixels of a picture have which colour.
_COUNT = """
const image = document.querySelector("img"), canvas = document.createElement("canvas"), found = {};
canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
const brush = canvas.getContext("2d");
brush.drawImage(image, 0, 0);
const data = new Uint32Array(brush.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
for (const pixel of data) found[pixel] = (found[pixel] || 0) + 1;
const name = pixel => [pixel, pixel >> 8, pixel >> 16].map(one => (one & 255).toString(16).padStart(2, "0")).join("");
show(Object.fromEntries(Object.entries(found).map(([pixel, count]) => [name(pixel), count / data.length])));
"""


@dataclass(frozen=True)
class Measures:
    """A page on a screen of some width (CSS pixels).

    Attributes:
        scroll: width of what the page would have to show.
        outside: elements that reach over the screen's edge.
        text: what a reader sees of it.
        bars: widths of what is drawn.
        smallest: size of its smallest letters.
    """

    viewport: int
    scroll: int
    text: str
    outside: list[str]
    bars: list[float]
    smallest: float


class Browser:
    """Shows pages; its profiles and its files are below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._runs = folder, count(1)

    def measures(self, page: str, width: int) -> Measures:
        """The page on a screen of `width` pixels."""
        return Measures(**self._answer(_frame(page, width, 800), _MEASURE))

    def picture(self, page: str, width: int, height: int, *, dark: bool = False) -> Path:
        """A screenshot (PNG) of the first `height` pixels of the page on a screen of `width`."""
        path = self.folder / f"{width}{'-dark' if dark else ''}.png"
        # No window is narrower than some 500 pixels, so the frame of a phone stands in a larger one.
        options = [f"--screenshot={path}", f"--window-size={max(width, 500)},{height}"]
        self._run(*options, *_scheme(dark), page=_document(_frame(page, width, height), ""))
        return path

    def printed(self, page: str, *, dark: bool = False) -> Path:
        """The page as it is printed (PDF)."""
        path = self.folder / "page.pdf"
        self._run(f"--print-to-pdf={path}", "--no-pdf-header-footer", *_scheme(dark), page=page)
        return path

    def colours(self, picture: Path) -> dict[str, float]:
        """Share of the pixels of a PNG that have each colour (rrggbb)."""
        data = base64.b64encode(picture.read_bytes()).decode()
        return self._answer(f'<img src="data:image/png;base64,{data}">', _COUNT)

    def _answer(self, body: str, script: str) -> dict[str, Any]:
        dom = self._run("--dump-dom", "--virtual-time-budget=5000", page=_document(body, script))
        found = re.search(r'<pre id="found"[^>]*>(.+?)</pre>', dom, re.DOTALL)
        assert found, f"the script did not come to its end: {dom[-500:]}"
        answer: dict[str, Any] = json.loads(html.unescape(found[1]))
        return answer

    def _run(self, *options: str, page: str) -> str:
        file = self.folder / "page.html"
        file.write_text(page, encoding="utf-8")
        # Root, as in a container, cannot have Chromium's sandbox; the page is ours, and its network leads nowhere.
        still = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
        alone = ["--proxy-server=127.0.0.1:1", f"--user-data-dir={self.folder / f'profile-{next(self._runs)}'}"]
        done = subprocess.run(
            [CHROMIUM, *still, *alone, *options, file.as_uri()],
            capture_output=True, text=True, check=True, timeout=_SECONDS,
        )  # fmt: skip
        return done.stdout


def _scheme(dark: bool) -> list[str]:
    return [f"--blink-settings=preferredColorScheme={0 if dark else 1}"]


def _frame(page: str, width: int, height: int) -> str:
    style = f"display:block;width:{width}px;height:{height}px;border:0"
    return f'<iframe srcdoc="{html.escape(page)}" style="{style}"></iframe>'


def _document(body: str, script: str) -> str:
    show = 'const show = found => document.querySelector("#found").textContent = JSON.stringify(found);'
    return (
        f'<!doctype html><meta charset="utf-8"><body style="margin:0">{body}<pre id="found" hidden></pre>'
        f'<script>addEventListener("load", () => {{ {show} {script} }})</script>'
    )


def words_outside(pdf: Path) -> list[str]:
    """Words that stand, wholly or in part, beside the paper."""
    text = subprocess.run([POPPLER, "-bbox", pdf, "-"], capture_output=True, text=True, check=True).stdout
    outside: list[str] = []
    for sheet in text.split("<page ")[1:]:
        width = _number("width", sheet)
        words = re.findall(r"<word [^>]*>[^<]*", sheet)
        outside += [word for word in words if _number("xMin", word) < 0 or _number("xMax", word) > width]
    return outside


def _number(name: str, text: str) -> float:
    found = re.search(rf'{name}="([-\d.]+)"', text)
    assert found
    return float(found[1])


def pages_of(pdf: Path) -> list[str]:
    """Text of each page, without blanks: a name may be broken anywhere."""
    text = subprocess.run([POPPLER, "-raw", pdf, "-"], capture_output=True, text=True, check=True).stdout
    return ["".join(page.split()) for page in text.split("\f")[:-1]]


def drawn(pdf: Path) -> Path:
    """The first page as a picture (PNG)."""
    draw = Path(POPPLER).with_name("pdftoppm")
    subprocess.run([draw, "-png", "-r", "50", "-f", "1", "-singlefile", pdf, pdf.with_suffix("")], check=True)
    return pdf.with_suffix(".png")
