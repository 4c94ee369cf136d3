"""How much of a clip's label one modality carries, judged by the similarity of all modalities' features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast

import torch
from torch import Tensor, nn

Similarity = Literal["softmax", "dot"]


class SimilarityScores(nn.ModuleDict):
    """Experts, one for each modality and one for the fusion, and a confidence head for each modality.

    An expert is ``e = ReLU(W f)``. A modality's expert looks at all of them by similarity, and its confidence head
    makes a number of the mixture.

    Source: TAM-ULAG's released code (models/multiTask/SELF_MM.py:66-70, 147-151; trains/multiTask/SELF_MM.py:72-104).

    Args:
        widths: of the features, by name; the fusion and one or more modalities.
        modalities: those that get a score.
        n_expert: width of the experts.
        similarity: ``dot`` weighs the experts by their inner products as they are (trains/multiTask/SELF_MM.py:94-95);
            ``softmax`` by the softmax of ``e_m e_j / sqrt(n_expert)``.
    """

    def __init__(
        self, widths: Mapping[str, int], modalities: tuple[str, ...], *, n_expert: int, similarity: Similarity
    ) -> None:
        super().__init__()
        self.similarity = similarity
        self["experts"] = nn.ModuleDict({name: nn.Linear(width, n_expert) for name, width in widths.items()})
        self["confidence"] = nn.ModuleDict(
            {name: nn.Sequential(nn.Linear(n_expert, n_expert), nn.Linear(n_expert, 1)) for name in modalities}
        )

    def forward(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the score of each modality, shape (clip,), any real number.

        Args:
            features: by name, shape (clip, width).
        """
        experts = {name: linear(features[name]).relu() for name, linear in self._part("experts").items()}
        every = torch.stack(list(experts.values()), dim=1)
        return {
            name: head(self._mixture(experts[name], every)).squeeze(-1)
            for name, head in self._part("confidence").items()
        }

    def _part(self, name: str) -> nn.ModuleDict:
        return cast("nn.ModuleDict", self[name])

    def _mixture(self, expert: Tensor, every: Tensor) -> Tensor:
        """Return what one expert sees in all of them, shape (clip, n_expert)."""
        weights = (every @ expert.unsqueeze(-1)).squeeze(-1)
        if self.similarity == "softmax":
            weights = (weights * expert.shape[-1] ** -0.5).softmax(dim=-1)
        return (weights.unsqueeze(1) @ every).squeeze(1)
