"""What tests read of a page of HTML: strictly, figure by figure, and in a browser where one is installed."""

import base64
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "chrome-headless-shell")
BROWSER_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# How many pictures are drawn, whether the page is wider than its window, and its height in pixels.
PROBE = """[
    [...document.images].filter(i => i.complete && i.naturalWidth > 0).length,
    document.documentElement.scrollWidth > document.documentElement.clientWidth,
    document.documentElement.scrollHeight,
].join(' ')"""
VOID = {"br", "hr", "img", "input", "link", "meta"}
ADDRESSES = ("src", "href", "srcset", "action", "data")
SMALL_TEXT, GRAPHICS = 4.5, 3.0  # least contrast, WCAG 2.1, success criteria 1.4.3 and 1.4.11


class Page(HTMLParser):
    """What is on a page, read strictly: tags that close, ids that are unique.

    Attributes: ``figures`` (the SVG tree by the id of its figure), ``captions``, ``headings``, ``tables`` (rows of
    cells), ``items`` of lists, ``addresses`` (every value that could name something outside), ``faults``.
    """

    def __init__(self, text):
        super().__init__()
        self.text = text
        self.figures, self.captions, self.headings, self.tables, self.items = {}, {}, [], [], []
        self.addresses, self.ids, self.faults = [], [], []
        self._open, self._figure = [], None
        self.feed(text)
        self.close()
        self.faults += [f"<{tag}> is never closed" for tag in self._open]
        self.faults += [f"id {name!r} stands twice" for name in set(self.ids) if self.ids.count(name) > 1]

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.ids += [values["id"]] if "id" in values else []
        self.addresses += [values[name] for name in ADDRESSES if name in values]
        if tag not in VOID:
            self._open.append(tag)
        if tag == "figure":
            self._figure = values["id"]
        elif tag == "img":
            kind, _, data = values["src"].partition(";base64,")
            if kind != "data:image/svg+xml":
                self.faults.append(f"image of kind {kind!r}")
            if not values.get("alt"):
                self.faults.append(f"image of {self._figure!r} without words in its place")
            self.figures[self._figure] = ElementTree.fromstring(base64.b64decode(data, validate=True))
        elif tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        elif tag == "li":
            self.items.append("")
        elif tag in ("script", "iframe", "link", "object", "embed"):
            self.faults.append(f"<{tag}> on a page that needs nothing else")

    def handle_endtag(self, tag):
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> closes what is not open")

    def handle_data(self, data):
        tag = self._open[-1] if self._open else ""
        if tag in ("td", "th"):
            self.tables[-1][-1][-1] += data
        elif tag == "figcaption":
            self.captions[self._figure] = data
        elif tag in ("h1", "h2"):
            self.headings.append(data)
        elif tag == "li":
            self.items[-1] += data

    def table(self, *header):
        """Return the rows of the one table that begins with these titles."""
        (rows,) = [table for table in self.tables if tuple(table[0][: len(header)]) == header]
        return rows[1:]


def read_page(path):
    """Return a page without faults."""
    page = Page(path.read_text(encoding="utf-8"))
    assert page.faults == []
    return page


def texts(figure):
    """Return what is written in an SVG."""
    return [element.text or "" for element in figure.iter() if element.tag.endswith("text")]


def n_drawn(figure):
    """Return how many lines, areas and texts an SVG draws."""
    return sum(element.tag.rpartition("}")[2] in ("path", "text", "use", "image") for element in figure.iter())


def check_needs_nothing_from_outside(page):
    """Hold a page, and every figure inside, to naming nothing that lies elsewhere."""
    assert all(address.startswith("data:") for address in page.addresses)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", re.sub(r"base64,[A-Za-z0-9+/=]+", "", page.text))
    assert '<meta name="viewport"' in page.text
    assert "@media print" in page.text
    for name, figure in page.figures.items():
        linked = [value for element in figure.iter() for key, value in element.items() if key.endswith("href")]
        assert [link for link in linked if not link.startswith(("#", "data:"))] == [], name


def check_figures_are_drawn(page):
    """Hold every figure to having a caption and something on it."""
    assert {name for name, figure in page.figures.items() if n_drawn(figure) < 10} == set()
    assert set(page.captions) == set(page.figures)


def check_contrast_of_texts(page):
    """Hold every colour of letters in the style of a page to standing out from white."""
    style = re.search(r"<style>(.*?)</style>", page.text, re.DOTALL)[1]
    colours = re.findall(r"(?<![-\w])color: (#[0-9a-f]{3,6})", style)
    assert len(colours) >= 3
    assert re.findall(r"background: (#\w+)", style) == ["#fff"]
    assert {colour for colour in colours if contrast(colour, "#fff") < SMALL_TEXT} == set()


def contrast(one, other):
    """Return the contrast of two colours by WCAG 2.1, from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour):
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear(colour), strict=True))


def linear(colour):
    """Return linear red, green and blue in [0, 1] of a colour such as #fff or #0072B2."""
    digits = colour.removeprefix("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def check_in_browser(path, folder):
    """Open a page in a headless Chromium, as wide as a phone and as a desk: all figures drawn, an empty console.

    Pictures of the whole page at both widths stay in the folder that ``REPORT_PICTURES`` names.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"no browser is installed; one of {', '.join(BROWSERS)} would do")
    pictures = Path(os.environ.get("REPORT_PICTURES", folder)).resolve()
    pictures.mkdir(parents=True, exist_ok=True)
    probe = folder / "probe.html"
    script = f"<script>addEventListener('load', () => {{ document.title = {PROBE} }})</script>"
    text = path.read_text(encoding="utf-8")
    probe.write_text(text.replace("</body>", f"{script}</body>"), encoding="utf-8")
    call = [browser, *BROWSER_FLAGS, f"--user-data-dir={folder / 'profile'}"]
    for name, width in (("phone", 360), ("desk", 1200)):
        opened = [*call, "--enable-logging=stderr", f"--window-size={width},800", "--dump-dom", probe.as_uri()]
        done = subprocess.run(opened, capture_output=True, text=True, timeout=120, check=True)
        drawn, is_too_wide, height = re.search(r"<title>(\S+) (\S+) (\S+)</title>", done.stdout).groups()
        assert int(drawn) == len(read_page(path).figures)
        assert is_too_wide == "false", f"at {width} pixels the page has to be moved sideways"
        assert "CONSOLE" not in done.stderr
        picture = pictures / f"{path.stem}-{name}.png"
        taken = [*call, f"--window-size={width},{height}", f"--screenshot={picture}", path.as_uri()]
        subprocess.run(taken, capture_output=True, timeout=120, check=True)
        assert picture.stat().st_size > 10_000
