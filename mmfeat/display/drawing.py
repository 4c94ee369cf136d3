"""Figures of one style, drawn by matplotlib without a window, as SVG inside a page or as a file."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmfeat.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

PAGE_WIDTH = 4.4  # inches: at the 340 pixels of a phone letters of 7 points are 8 pixels high
_DPI = 200  # of pictures, and of what stands as pixels inside drawings
_LETTERS = ("DejaVu Sans", "Noto Sans CJK SC", "Noto Sans SC", "Microsoft YaHei", "PingFang SC", "WenQuanYi Zen Hei")
_STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "svg.fonttype": "none",
    "svg.hashsalt": "mmfeat",
    "pdf.fonttype": 42,  # letters stay letters
    "legend.frameon": False,
    "text.parse_math": False,  # a dollar is a dollar
    "savefig.dpi": _DPI,
    "figure.dpi": _DPI,
}
_NO_DATE: dict[str, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}  # the same data give the same bytes


def check_drawing() -> None:
    """Refuse at once what could not be drawn later.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401 - what is asked is whether it imports
    except ModuleNotFoundError as error:
        raise MissingExtraError("matplotlib", extra="report", purpose="a figure") from error


@contextmanager
def drawn(
    target: Path | io.StringIO, file_format: str, height: float, *, width: float = PAGE_WIDTH, **options: Any
) -> Iterator[tuple[Figure, Any]]:
    """Give a figure with its axes, and write it afterwards; nothing is written where an error comes.

    Args:
        target: file, or text in memory.
        file_format: svg, png or pdf.
        height: of the figure, in inches.
        width: of the figure, in inches.
        options: of matplotlib's ``Figure.subplots``: ``nrows``, ``ncols``, ``sharex``, ….

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    check_drawing()
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with rc_context({**_STYLE, "font.family": _installed_fonts()}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # shown as a box
        engine = ConstrainedLayoutEngine()
        figure = Figure(figsize=(width, height), layout=engine)
        yield figure, figure.subplots(**options)
        _fix_layout(figure, engine)
        figure.savefig(target, format=file_format, metadata=_NO_DATE[file_format])


@contextmanager
def drawn_svg(height: float, *, width: float = PAGE_WIDTH, **options: Any) -> Iterator[tuple[Figure, Any, io.StringIO]]:
    """Give a figure with its axes, and a text that holds it as SVG afterwards; arguments and errors as in ``drawn``."""
    text = io.StringIO()
    with drawn(text, "svg", height, width=width, **options) as (figure, axes):
        yield figure, axes, text


def _fix_layout(figure: Figure, engine: ConstrainedLayoutEngine) -> None:
    """Lay a figure out, and round where its axes stand: the solver's last bits differ from run to run."""
    engine.execute(figure)
    figure.set_layout_engine("none")
    for axes in figure.axes:
        left, bottom, width, height = axes.get_position().bounds
        axes.set_position((round(left, 5), round(bottom, 5), round(width, 5), round(height, 5)))


def _installed_fonts() -> list[str]:
    """Return the fonts of texts, so that Chinese words are letters wherever there is a font for them."""
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # it tells when it makes its list of fonts
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    return [name for name in _LETTERS if name in installed] or ["sans-serif"]
