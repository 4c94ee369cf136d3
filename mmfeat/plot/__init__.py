"""One clip of a dataset over time: its sound, features, validity and words on one axis."""

from mmfeat.plot.figure import clip_svg
from mmfeat.plot.view import ClipView, view_clip
from mmfeat.plot.write import PLOT_SUFFIXES, write_clip_plot

__all__ = ["PLOT_SUFFIXES", "ClipView", "clip_svg", "view_clip", "write_clip_plot"]
