"""What people look at: tables, figures and pages of HTML that need no network and no other file."""

from mmfeat.display.colours import COLOURS, Colour
from mmfeat.display.defined import defined
from mmfeat.display.drawing import PAGE_WIDTH, check_drawing, drawn, drawn_svg
from mmfeat.display.page import (
    PageSection,
    check_page_path,
    html_details,
    html_figure,
    html_list,
    html_page,
    html_paragraph,
    html_table,
    write_page,
)
from mmfeat.display.table import Cell, Table

__all__ = [
    "COLOURS",
    "PAGE_WIDTH",
    "Cell",
    "Colour",
    "PageSection",
    "Table",
    "check_drawing",
    "check_page_path",
    "defined",
    "drawn",
    "drawn_svg",
    "html_details",
    "html_figure",
    "html_list",
    "html_page",
    "html_paragraph",
    "html_table",
    "write_page",
]
