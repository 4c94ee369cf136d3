"""Colours that the colour-blind tell apart and that stand out from white paper."""

from __future__ import annotations

from enum import StrEnum


class Colour(StrEnum):
    """Colours of lines and areas: those of Okabe and Ito, with orange, red and sky darkened.

    On white every one has a contrast of at least 3 to 1, which WCAG 2.1 asks of graphics (success criterion 1.4.11);
    orange and sky as Okabe and Ito give them have 2.3, and a darker orange needs a darker red beside it. Any two are
    told apart with protanopia and deuteranopia too; the tests hold both.
    """

    BLUE = "#0072B2"
    ORANGE = "#C07F00"
    GREEN = "#009E73"
    RED = "#A83C00"
    PURPLE = "#CC79A7"
    SKY = "#299ED4"
    BLACK = "#000000"


COLOURS = tuple(Colour)
"""All colours, in the order in which the lines of a figure take them."""
