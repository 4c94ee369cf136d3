"""Colours that the colour-blind tell apart and that stand out from white paper."""

from __future__ import annotations

from enum import StrEnum


class Colour(StrEnum):
    """Colours of lines and areas: those of Okabe and Ito, with orange and sky darkened.

    On white every one has a contrast of at least 3 to 1, which WCAG 2.1 asks of graphics (success criterion 1.4.11);
    orange and sky as Okabe and Ito give them have 2.3.
    """

    BLUE = "#0072B2"
    ORANGE = "#B87A00"
    GREEN = "#009E73"
    RED = "#D55E00"
    PURPLE = "#CC79A7"
    SKY = "#2A92CE"
    BLACK = "#000000"


COLOURS = tuple(Colour)
"""All colours, in the order in which the lines of a figure take them."""
