"""Colours stand out from paper, and from each other for those who do not see red or green."""

import itertools

import numpy as np
import pytest
from html_pages import GRAPHICS, contrast, linear

from mmfeat import Colour

# What is seen of linear red, green and blue; severity 1.0 of Machado, Oliveira and Fernandes, "A physiologically-based
# model for simulation of color vision deficiency", IEEE TVCG 2009
SEEN = {
    "everything": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = TO_XYZ.sum(axis=1)


def lab(rgb):
    """Return CIELAB of linear red, green and blue."""
    ratio = TO_XYZ @ np.clip(rgb, 0, 1) / WHITE
    bent = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio * (29 / 6) ** 2 / 3 + 4 / 29)
    return np.array([116 * bent[1] - 16, 500 * (bent[0] - bent[1]), 200 * (bent[1] - bent[2])])


def test_the_contrast_is_that_of_the_standard():
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#fff") == pytest.approx(4.48, abs=0.01)  # the textbook's grey that just fails


@pytest.mark.parametrize("colour", Colour)
def test_every_colour_stands_out_from_white_paper(colour):
    assert contrast(colour, "#ffffff") >= GRAPHICS


@pytest.mark.parametrize("eyes", SEEN)
def test_any_two_colours_are_told_apart(eyes):
    seen = {colour: lab(np.asarray(SEEN[eyes]) @ linear(colour)) for colour in Colour}
    distances = {pair: np.linalg.norm(seen[pair[0]] - seen[pair[1]]) for pair in itertools.combinations(Colour, 2)}
    nearest = min(distances, key=distances.get)

    assert distances[nearest] > 15, f"{nearest} are {distances[nearest]:.1f} apart; 2.3 is just noticeable"
