"""One HTML page that needs nothing else: figures are inside as images, there is no script and no address."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from skesl.tables import Table

_CSS = """
body { font-family: system-ui, sans-serif; line-height: 1.45; color: #111; background: #fff;
  max-width: 56rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2rem; border-bottom: 1px solid #bbb; }
figure { margin: 1rem 0; break-inside: avoid; } figcaption { font-size: 0.9rem; color: #333; }
img { display: block; width: 100%; max-width: 40rem; height: auto; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.15rem 0.6rem; text-align: right; border-bottom: 1px solid #ddd; vertical-align: top; }
td { white-space: nowrap; }
th:first-child, td:first-child, .text { text-align: left; }
td.text { white-space: normal; min-width: 12rem; overflow-wrap: anywhere; }
.note { color: #333; font-size: 0.9rem; overflow-wrap: anywhere; }
@media print { body { max-width: none; padding: 0; font-size: 10pt; }
  h2 { break-after: avoid; } tr { break-inside: avoid; } }
"""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page.

    Args:
        title: its heading.
        blocks: HTML, see the functions below.
    """

    title: str
    blocks: tuple[str, ...]


def page(title: str, lead: str, sections: Sequence[Section]) -> str:
    """Return the whole page as text.

    Args:
        title: heading and name of the page.
        lead: a sentence below it.
        sections: in order; those without blocks are left out.
    """
    parts = [
        f"<section>\n<h2>{escape(section.title)}</h2>\n" + "\n".join(section.blocks) + "\n</section>"
        for section in sections
        if section.blocks
    ]
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>\n<style>{_CSS}</style>\n</head>\n<body>",
            f"<h1>{escape(title)}</h1>\n{paragraph(lead)}",
            *parts,
            "</body>\n</html>\n",
        ]
    )


def paragraph(text: str) -> str:
    """Return a paragraph of plain text."""
    return f'<p class="note">{escape(text)}</p>'


def figure(name: str, svg: str, caption: str) -> str:
    """Return a figure as an image inside the page.

    Args:
        name: id of the figure.
        svg: the picture.
        caption: what it shows; also read out in its place.
    """
    data = base64.b64encode(svg.encode("utf-8")).decode("ascii")
    words = escape(caption)
    return (
        f'<figure id="{escape(name)}">\n<img src="data:image/svg+xml;base64,{data}" alt="{words}">\n'
        f"<figcaption>{words}</figcaption>\n</figure>"
    )


def table(content: Table, *, text_columns: Sequence[int] = ()) -> str:
    """Return a table; cells of ``text_columns`` are aligned to the left."""
    head = _row(content.header, "th", text_columns)
    body = "\n".join(_row(row, "td", text_columns) for row in content.shown_rows())
    return f'<div class="wide"><table>\n<thead>{head}</thead>\n<tbody>\n{body}\n</tbody>\n</table></div>'


def _row(cells: Sequence[str], tag: str, text_columns: Sequence[int]) -> str:
    kinds = [' class="text"' if column in text_columns else "" for column in range(len(cells))]
    shown = (f"<{tag}{kind}>{escape(cell)}</{tag}>" for cell, kind in zip(cells, kinds, strict=True))
    return f"<tr>{''.join(shown)}</tr>"
