import math

import pytest
import torch

from skesl.nn.similarity import SimilarityScores

WIDTHS = {"fusion": 5, "text": 4, "audio": 3}


@pytest.mark.parametrize("similarity", ["dot", "softmax"])
def test_a_score_is_that_of_the_experts_seen_by_similarity(similarity):
    torch.manual_seed(0)
    scoring = SimilarityScores(WIDTHS, ("text", "audio"), n_expert=4, similarity=similarity).double()
    features = {name: torch.randn(2, width, dtype=torch.float64) for name, width in WIDTHS.items()}

    with torch.inference_mode():
        scores = scoring(features)

    scoring.requires_grad_(requires_grad=False)
    for clip in range(2):
        experts = {
            name: [
                max(0.0, float(row @ features[name][clip] + bias))
                for row, bias in zip(linear.weight, linear.bias, strict=True)
            ]
            for name, linear in scoring["experts"].items()
        }
        for name in ("text", "audio"):
            weights = [
                math.fsum(a * b for a, b in zip(experts[name], other, strict=True)) for other in experts.values()
            ]
            if similarity == "softmax":
                shares = [math.exp(weight / 2) for weight in weights]  # sqrt(4)
                weights = [share / sum(shares) for share in shares]
            seen = torch.tensor(
                [sum(w * e[i] for w, e in zip(weights, experts.values(), strict=True)) for i in range(4)],
                dtype=torch.float64,
            )
            first, second = scoring["confidence"][name]
            hidden = first.weight @ seen + first.bias  # and no ReLU
            assert float(scores[name][clip]) == pytest.approx(float(second.weight[0] @ hidden + second.bias), abs=1e-12)


def test_confidence_heads_have_the_published_size():
    widths = {"fusion": 128, "text": 64, "audio": 16, "vision": 32}
    scoring = SimilarityScores(widths, ("text", "audio", "vision"), n_expert=16, similarity="dot")

    assert sum(parameter.numel() for parameter in scoring["confidence"].parameters()) == 867
    assert sum(parameter.numel() for parameter in scoring["experts"].parameters()) == 16 * (128 + 64 + 16 + 32) + 4 * 16
