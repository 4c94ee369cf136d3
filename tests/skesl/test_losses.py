import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import chisquare, pearsonr

from skesl.losses import (
    Candidates,
    contrastive_loss,
    distilled_cross_entropy,
    hard_negatives,
    matching_loss,
    pearson_loss,
)


def unit(*shape, seed=0):
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), dim=1)


def candidates(video, audio, *, excluded=None):
    n_clip, n_found = (len(video) if excluded is None else len(excluded)), len(video)
    return Candidates(
        video=video,
        audio=audio,
        own=torch.arange(n_clip),
        excluded=torch.zeros(n_clip, n_found, dtype=torch.bool) if excluded is None else excluded,
    )


def test_without_momentum_and_queue_the_contrast_is_infonce():
    video, audio, temperature = unit(5, 8), unit(5, 8, seed=1), 0.3
    logits = (video @ audio.T / temperature).numpy()

    loss = contrastive_loss(video, audio, video, audio, candidates(video, audio), temperature=temperature)

    by_video = np.mean([np.log(np.exp(row).sum()) - row[clip] for clip, row in enumerate(logits)])
    by_audio = np.mean([np.log(np.exp(row).sum()) - row[clip] for clip, row in enumerate(logits.T)])
    assert loss.item() == pytest.approx((by_video + by_audio) / 2, abs=1e-6)  # float32


def test_the_contrast_is_the_same_with_the_modalities_swapped():
    video, audio, momentum_video, momentum_audio = (unit(6, 4, seed=seed) for seed in range(4))

    one = contrastive_loss(
        video, audio, momentum_video, momentum_audio, candidates(video, audio), temperature=0.1, alpha=0.4
    )
    other = contrastive_loss(
        audio, video, momentum_audio, momentum_video, candidates(audio, video), temperature=0.1, alpha=0.4
    )

    assert one.item() == pytest.approx(other.item(), rel=1e-6)


def test_with_the_momentum_model_s_answer_alone_the_contrast_ends_at_its_entropy():
    video, audio, temperature = unit(5, 8), unit(5, 8, seed=1), 0.5
    asked = video.clone().requires_grad_()

    loss = contrastive_loss(asked, audio, video, audio, candidates(video, audio), temperature=temperature, alpha=1.0)
    loss.backward()

    found = [(left @ right.T / temperature).softmax(dim=1) for left, right in ((video, audio), (audio, video))]
    entropy = sum(-(p * p.log()).sum(dim=1).mean().item() for p in found) / 2
    elsewhere = contrastive_loss(
        unit(5, 8, seed=7),
        unit(5, 8, seed=8),
        video,
        audio,
        candidates(video, audio),
        temperature=temperature,
        alpha=1.0,
    )
    assert loss.item() == pytest.approx(entropy, abs=1e-6)
    assert asked.grad.abs().max() < 1e-6
    assert elsewhere.item() > entropy


def test_excluded_candidates_count_for_nothing():
    video, audio = unit(3, 4), unit(3, 4, seed=1)
    queue = unit(2, 4, seed=2)
    longer = candidates(
        torch.cat([video, queue]), torch.cat([audio, queue]), excluded=torch.arange(5).expand(3, 5) >= 3
    )

    with_excluded = contrastive_loss(video, audio, video, audio, longer, temperature=0.01, alpha=0.4)
    without = contrastive_loss(video, audio, video, audio, candidates(video, audio), temperature=0.01, alpha=0.4)

    assert with_excluded.item() == pytest.approx(without.item(), rel=1e-6)


def test_a_clip_alone_has_nothing_to_be_told_from():
    video, audio = unit(1, 4).requires_grad_(), unit(1, 4, seed=1)

    loss = contrastive_loss(video, audio, video.detach(), audio, candidates(video.detach(), audio), temperature=0.07)
    loss.backward()

    assert loss.item() == 0.0
    assert torch.equal(video.grad, torch.zeros(1, 4, dtype=torch.float64))


def test_negatives_are_drawn_in_proportion_to_their_similarity():
    torch.manual_seed(0)
    logits = torch.tensor([3.0, 0.5, 1.0, -0.5, 0.0])
    excluded = torch.tensor([True, False, False, False, True])
    n_draw = 20_000

    drawn, exists = hard_negatives(logits.expand(n_draw, 5), excluded.expand(n_draw, 5), draw=True)

    counts = torch.bincount(drawn, minlength=5)
    expected = logits[1:4].double().softmax(dim=0) * n_draw
    assert exists.all()
    assert counts[0] == counts[4] == 0
    assert chisquare(counts[1:4].numpy(), expected.numpy()).pvalue > 0.01


def test_the_clip_itself_is_never_drawn_where_it_has_all_the_weight():
    torch.manual_seed(0)
    logits = torch.eye(8) * 2000 - 1000  # a softmax over all leaves 0 for the others
    own = torch.eye(8, dtype=torch.bool)

    for _ in range(50):
        drawn, exists = hard_negatives(logits, own, draw=True)
        assert exists.all()
        assert (drawn != torch.arange(8)).all()


def test_a_clip_without_any_other_has_no_negative():
    drawn, exists = hard_negatives(torch.zeros(1, 1), torch.ones(1, 1, dtype=torch.bool), draw=True)

    assert exists.tolist() == [False]
    assert drawn.shape == (1,)


def test_without_drawing_the_most_similar_one_is_taken():
    excluded = torch.eye(3, dtype=torch.bool)
    drawn, _ = hard_negatives(torch.tensor([[9.0, 1, 2], [5, 9, 2], [0, 1, 9]]), excluded, draw=False)

    assert drawn.tolist() == [2, 0, 1]


def test_matching_is_the_cross_entropy_over_positives_and_negatives():
    logits = torch.tensor([[0.0, 2.0], [1.0, 0.0], [0.0, 3.0]])
    expected = [math.log1p(math.exp(-2)), math.log1p(math.exp(-1)), math.log1p(math.exp(3))]

    found = matching_loss(logits, 1, torch.tensor([True, True, True]))
    without = matching_loss(logits, 1, torch.tensor([True, False, False]))

    assert found.item() == pytest.approx(sum(expected) / 3, rel=1e-6)
    assert without.item() == pytest.approx(expected[0], rel=1e-6)


def test_distillation_mixes_labels_with_what_the_momentum_model_says():
    logits, said = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[0.0, 0.0], [3.0, 0.0]])
    labels = torch.tensor([0, 1])
    log_p, q = logits.log_softmax(dim=1), said.softmax(dim=1)

    mixed = distilled_cross_entropy(logits, labels, said, alpha=0.4)

    of_labels = -(log_p[0, 0] + log_p[1, 1]) / 2
    of_momentum = -(q * log_p).sum() / 2
    assert mixed.item() == pytest.approx((0.6 * of_labels + 0.4 * of_momentum).item(), rel=1e-6)
    assert distilled_cross_entropy(logits, labels, None, alpha=0.4).item() == pytest.approx(of_labels.item())


def test_the_loss_of_correlation_is_one_minus_the_mean_of_scipy_s_r():
    generator = np.random.default_rng(0)
    values, truth = generator.normal(size=(20, 3)), generator.normal(size=(20, 3))

    loss = pearson_loss(torch.from_numpy(values), torch.from_numpy(truth))

    r = [pearsonr(p, y).statistic for p, y in zip(values.T, truth.T, strict=True)]
    assert loss.item() == pytest.approx(1 - np.mean(r), abs=1e-5)
    assert pearson_loss(3 * torch.from_numpy(truth) + 1, torch.from_numpy(truth)).item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("n_clip", [1, 3])
def test_the_loss_of_correlation_of_a_constant_column_is_one_without_a_gradient(n_clip):
    for values, truth in (
        (torch.randn(n_clip, 2), torch.ones(n_clip, 2)),
        (torch.ones(n_clip, 2), torch.randn(n_clip, 2)),
    ):
        values.requires_grad_()
        loss = pearson_loss(values, truth)
        loss.backward()

        assert loss.item() == 1.0
        assert torch.equal(values.grad, torch.zeros(n_clip, 2))
