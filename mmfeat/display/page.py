"""One HTML page that needs nothing else: figures are inside as images, there is no script and no address."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from mmfeat.display.table import Table
from mmfeat.errors import InputError, OutputExistsError

_CSS = """
body { font-family: system-ui, sans-serif; line-height: 1.45; color: #111; background: #fff;
  max-width: 56rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2rem; border-bottom: 1px solid #bbb; }
figure { margin: 1rem 0; break-inside: avoid; } figcaption { font-size: 0.9rem; color: #333; }
img { display: block; width: 100%; max-width: 38rem; height: auto; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.15rem 0.6rem; text-align: right; border-bottom: 1px solid #ddd;
  vertical-align: top; white-space: nowrap; }
th:first-child, td:first-child, .text { text-align: left; }
td.long { white-space: normal; min-width: 12rem; overflow-wrap: anywhere; }
li { margin: 0.2rem 0; overflow-wrap: anywhere; }
summary { cursor: pointer; padding: 0.3rem 0; color: #00527f; }
.note { color: #333; font-size: 0.9rem; overflow-wrap: anywhere; }
@media print { body { max-width: none; padding: 0; font-size: 10pt; }
  h2 { break-after: avoid; } tr { break-inside: avoid; } }
"""

_LONG = 24  # letters: a text of more is broken into lines, of 12 rem at least


@dataclass(frozen=True, kw_only=True)
class PageSection:
    """A part of the page.

    Args:
        title: its heading.
        blocks: HTML, see the functions below.
    """

    title: str
    blocks: tuple[str, ...]


def html_page(title: str, lead: str, sections: Sequence[PageSection]) -> str:
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
            f"<h1>{escape(title)}</h1>\n{html_paragraph(lead)}",
            *parts,
            "</body>\n</html>\n",
        ]
    )


def html_paragraph(text: str) -> str:
    """Return a paragraph of plain text."""
    return f'<p class="note">{escape(text)}</p>'


def html_list(items: Sequence[str]) -> str:
    """Return a list of plain texts."""
    return "<ul>\n" + "\n".join(f"<li>{escape(item)}</li>" for item in items) + "\n</ul>"


def html_figure(name: str, svg: str, caption: str) -> str:
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


def html_table(content: Table, *, text_columns: Sequence[int] = ()) -> str:
    """Return a table; cells of ``text_columns`` are aligned to the left."""
    head = _row(content.header, "th", text_columns)
    body = "\n".join(_row(row, "td", text_columns) for row in content.shown_rows())
    return f'<div class="wide" tabindex="0"><table>\n<thead>{head}</thead>\n<tbody>\n{body}\n</tbody>\n</table></div>'


def html_details(summary: str, block: str) -> str:
    """Return a block that is shown when its summary is chosen; it is not printed."""
    return f"<details>\n<summary>{escape(summary)}</summary>\n{block}\n</details>"


def check_page_path(output: Path, *, overwrite: bool) -> None:
    """Refuse a page that exists, unless it may be replaced.

    Raises:
        OutputExistsError: it exists and ``overwrite`` is false.
    """
    if output.exists() and not overwrite:
        raise OutputExistsError(output)


def write_page(output: Path, text: str) -> Path:
    """Write a page whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    unfinished = output.with_name(output.name + ".part")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(output)
    except OSError as error:
        message = f"{output}: expected a place to write a report, got {error.strerror!r}; choose another name"
        raise InputError(message) from error
    return output


def _row(cells: Sequence[str], tag: str, text_columns: Sequence[int]) -> str:
    kinds = [_kind(cell, is_text=column in text_columns) for column, cell in enumerate(cells)]
    scope = ' scope="col"' if tag == "th" else ""
    shown = (f"<{tag}{scope}{kind}>{escape(cell)}</{tag}>" for cell, kind in zip(cells, kinds, strict=True))
    return f"<tr>{''.join(shown)}</tr>"


def _kind(cell: str, *, is_text: bool) -> str:
    if not is_text:
        return ""
    return ' class="text long"' if len(cell) > _LONG else ' class="text"'
