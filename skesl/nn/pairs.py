"""What two modalities say together: interaction terms of each pair."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import torch
from torch import Tensor, nn


def rank_one_pairs(states: Mapping[str, Tensor]) -> list[Tensor]:
    """Return for each ordered pair of modalities ``(sum_i a_i) t``: one modality scaled by the sum of the other.

    Args:
        states: for each modality, shape (clip, width).

    Returns:
        For each pair (m, n), in the mapping's order: m scaled by the sum of n, and n by the sum of m.

    Source: TAM-ULAG's released code (models/multiTask/SELF_MM.py:106-115): its products of tiled matrices are these.
    """
    return [
        other * one.sum(dim=-1, keepdim=True)
        for pair in combinations(states.values(), 2)
        for one, other in (pair[::-1], pair)
    ]


class PairInteractions(nn.Module):
    """Products of two modalities, dimension by dimension in a common space, as an addition to the fusion.

    Each modality is mapped linearly to ``n_common`` dimensions; each pair gives the products of equal dimensions, and
    one linear map of all of them is added to the fusion's hidden layer. Every dimension of one modality can so change
    what every dimension of the other one means.

    Source: our choice for TAM-ULAG's "fine-grained fusion per semantic dimension" (JEIT 2024, abstract), a low-rank
    bilinear form as in Kim et al., "Hadamard product for low-rank bilinear pooling", ICLR 2017.

    Args:
        widths: of each modality, at least two.
        n_common: dimensions of the common space.
        n_output: width of what is added.
        dropout: of the products.
    """

    def __init__(self, widths: Mapping[str, int], *, n_common: int, n_output: int, dropout: float) -> None:
        super().__init__()
        self.maps = nn.ModuleDict({name: nn.Linear(width, n_common) for name, width in widths.items()})
        self.pairs = list(combinations(widths, 2))
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(len(self.pairs) * n_common, n_output, bias=False)

    def forward(self, states: Mapping[str, Tensor]) -> Tensor:
        """Return what is added, shape (clip, n_output), of states of each modality, shape (clip, width)."""
        common = {name: linear(states[name]) for name, linear in self.maps.items()}
        products = [common[one] * common[other] for one, other in self.pairs]
        return self.output(self.dropout(torch.cat(products, dim=-1)))  # type: ignore[no-any-return]
