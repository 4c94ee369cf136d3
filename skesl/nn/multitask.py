"""One network with a task for each modality and one for their fusion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn

from skesl.label_generator import FUSION
from skesl.nn.heads import FeatureHead, HeadConfig
from skesl.nn.pairs import PairInteractions, rank_one_pairs

CrossTerms = Literal["none", "rank_one", "per_dimension"]


@dataclass(frozen=True, kw_only=True, eq=False)
class TaskOutputs:
    """What the network says of a batch.

    Args:
        features: of each modality and of the fusion, shape (clip, width).
        predictions: of each, shape (clip,).
    """

    features: dict[str, Tensor]
    predictions: dict[str, Tensor]


class MultitaskHeads(nn.ModuleDict):
    """A head for each modality, and one for all of them with interaction terms of pairs.

    Source: Self-MM (AAAI 2021) and TAM-ULAG (JEIT 2024); the interaction terms are the latter's.

    Args:
        widths: of the vector of each modality.
        heads: settings of each modality's head, and of the fusion's.
        cross: ``none``; ``rank_one``: ``rank_one_pairs`` stand beside the vectors; ``per_dimension``: what
            ``PairInteractions`` says is added to the fusion's hidden layer. One modality alone has no pairs.
        n_common: width of the common space of ``per_dimension``.
    """

    def __init__(
        self, widths: Mapping[str, int], heads: Mapping[str, HeadConfig], *, cross: CrossTerms, n_common: int
    ) -> None:
        super().__init__()
        fusion, n_other = heads[FUSION], len(widths) - 1
        # As rank_one_pairs has it each modality stands there once more for each of the others.
        n_input = sum(widths.values()) * (1 + (n_other if cross == "rank_one" else 0))
        self.cross = cross
        self.modalities = tuple(widths)
        self[FUSION] = FeatureHead(n_input, fusion)
        for name, width in widths.items():
            self[name] = FeatureHead(width, heads[name])
        if cross == "per_dimension" and n_other:
            self["interactions"] = PairInteractions(
                widths, n_common=n_common, n_output=fusion.n_hidden, dropout=fusion.dropout
            )

    @property
    def feature_widths(self) -> dict[str, int]:
        """Width of the features of the fusion and of each modality."""
        return {name: self._head(name).n_hidden for name in (FUSION, *self.modalities)}

    def forward(self, states: Mapping[str, Tensor]) -> TaskOutputs:
        """Return features and predictions of the fusion and of each modality.

        Args:
            states: the vector of each modality, shape (clip, width), in the order of ``widths``.
        """
        features = {FUSION: self._fused(states)}
        features |= {name: self._head(name).features(vector) for name, vector in states.items()}
        predictions = {name: self._head(name)(values) for name, values in features.items()}
        return TaskOutputs(features=features, predictions=predictions)

    def _fused(self, states: Mapping[str, Tensor]) -> Tensor:
        vectors = list(states.values())
        if self.cross == "rank_one":
            vectors += rank_one_pairs(states)
        added = self["interactions"](states) if "interactions" in self else None
        return self._head(FUSION).features(torch.cat(vectors, dim=-1), added)

    def _head(self, name: str) -> FeatureHead:
        return cast("FeatureHead", self[name])
