"""A table of numbers as aligned text, LaTeX or csv."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass

Cell = str | float | tuple[float, float] | None

_ESCAPED = {"_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$"}


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table whose first column holds names.

    Args:
        header: title of each column.
        rows: a name and then texts, numbers, intervals or nothing.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def shown_rows(self) -> list[list[str]]:
        """Return every cell as it is shown; numbers have four decimals."""
        return [[_shown(cell) for cell in row] for row in self.rows]

    def to_text(self) -> str:
        """Return aligned columns; numbers have four decimals."""
        lines = [self.header, *self.shown_rows()]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.header))]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if column else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )

    def to_latex(self) -> str:
        """Return a tabular of the package booktabs."""
        columns = "l" + "r" * (len(self.header) - 1)
        lines = [self.header, *self.shown_rows()]
        head, *body = [" & ".join(_escaped(cell) for cell in line) + r" \\" for line in lines]
        return "\n".join(
            [
                f"\\begin{{tabular}}{{{columns}}}",
                r"\toprule",
                head,
                r"\midrule",
                *body,
                r"\bottomrule",
                r"\end{tabular}",
            ]
        )

    def to_csv(self) -> str:
        """Return every digit; an interval takes the columns ``…_low`` and ``…_high``."""
        spans = {
            column for column in range(len(self.header)) if any(isinstance(row[column], tuple) for row in self.rows)
        }
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        titles = [[f"{title}_low", f"{title}_high"] if at in spans else [title] for at, title in enumerate(self.header)]
        writer.writerow([title for group in titles for title in group])
        for row in self.rows:
            groups = [_digits(cell, is_interval=at in spans) for at, cell in enumerate(row)]
            writer.writerow([text for group in groups for text in group])
        return out.getvalue().rstrip("\n")


def _shown(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, tuple):
        return "undefined" if math.isnan(cell[0]) else f"{cell[0]:.4f} … {cell[1]:.4f}"
    return "undefined" if math.isnan(cell) else f"{cell:.4f}"


def _escaped(cell: str) -> str:
    text = "".join(_ESCAPED.get(character, character) for character in cell)
    return text.replace("…", r"\dots{}").replace("±", r"$\pm$")


def _digits(cell: Cell, *, is_interval: bool) -> list[str]:
    parts: list[str | float | None] = list(cell) if isinstance(cell, tuple) else [cell] * (2 if is_interval else 1)
    return ["" if part is None or part != part else str(part) for part in parts]
