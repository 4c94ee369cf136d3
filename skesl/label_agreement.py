"""What an evaluation says of generated labels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LabelAgreement:
    """Generated labels of one modality beside those of people.

    Args:
        n_clip: clips that have both.
        corr: Pearson's r of generated and human labels; NaN where one of them does not vary.
        mae: mean absolute difference of the two.
        own_corr: Pearson's r of the clips' own labels and the human ones; what generating has to exceed.
        own_mae: mean absolute difference of these two.
    """

    n_clip: int
    corr: float
    mae: float
    own_corr: float
    own_mae: float
