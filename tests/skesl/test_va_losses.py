"""UniVA's losses, against plain loops in float64 and against algebra."""

import math

import numpy as np
import pytest
import torch

from skesl.emotion_points import emotion_points, label_similarity
from skesl.va_losses import (
    label_prior_loss,
    released_label_loss,
    released_label_prior_loss,
    released_va_contrast,
    soft_label_loss,
    va_contrast,
)

DOUBLE = {"dtype": torch.float64}


def released_contrast_by_loops(features, points, temperature, radius):
    """The published loss, written out: anchors of the first view, keys of both, log-likelihoods of positives."""
    n = len(features)
    total = 0.0
    for i in range(n):
        keys = [(j, view) for view in range(2) for j in range(n) if (j, view) != (i, 0)]
        products = {key: float(np.dot(features[i], features[key[0]])) / temperature for key in keys}
        top = max(float(np.dot(features[i], features[j])) / temperature for j in range(n))
        partition = sum(math.exp(value - top) for value in products.values())
        positives = [key for key in keys if key[0] == i or math.dist(points[i], points[key[0]]) < radius]
        share = [products[key] - top - math.log(partition + 1e-10) for key in positives]
        total -= sum(share) / (len(positives) + 1e-10)
    return total / n


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), **DOUBLE)


@pytest.mark.parametrize(("temperature", "radius"), [(0.4, 0.1), (0.7, 0.5), (5.0, 1.5)])
@pytest.mark.parametrize("n_clip", [1, 2, 7])
def test_the_released_contrast_is_that_of_plain_loops(n_clip, temperature, radius):
    features, points = noise(n_clip, 5), noise(n_clip, 2, seed=1)
    expected = released_contrast_by_loops(features.numpy(), points.numpy(), temperature, radius)
    found = released_va_contrast(features, points, temperature=temperature, radius=radius)
    assert found.item() == pytest.approx(expected, abs=1e-10)


def test_the_released_contrast_is_near_nothing_without_neighbours_and_huge_with_them():
    features = torch.nn.functional.layer_norm(noise(16, 768), (768,))
    apart = torch.arange(32, **DOUBLE).reshape(16, 2)
    near = apart.clone()
    near[1] = near[0]
    losses = [released_va_contrast(features, points, temperature=0.4, radius=0.1) for points in (apart, near)]
    assert losses[0] < 1e-6
    assert losses[1] > 100


def test_contrast_is_that_of_plain_loops_over_the_other_clips():
    features, points = noise(6, 4), noise(6, 2, seed=1)
    unit = (features / features.norm(dim=1, keepdim=True)).numpy()
    of_clips = []
    for i in range(6):
        others = [j for j in range(6) if j != i]
        positives = [j for j in others if math.dist(points[i], points[j]) < 1.2]
        if positives:
            partition = sum(math.exp(unit[i] @ unit[j] / 0.4) for j in others)
            of_clips.append(-np.mean([unit[i] @ unit[j] / 0.4 - math.log(partition) for j in positives]))
    assert 0 < len(of_clips) <= 6
    found = va_contrast(features, points, temperature=0.4, radius=1.2)
    assert found.item() == pytest.approx(np.mean(of_clips), abs=1e-10)


@pytest.mark.parametrize("temperature", [0.05, 0.4, 2.0])
def test_contrast_is_bounded(temperature):
    opposite = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [1.0, 1e-9]], **DOUBLE)
    points = torch.tensor([[0.0, 0.0], [0.0, 0.0], [9.0, 9.0]], **DOUBLE)
    loss = va_contrast(opposite * 1e4, points, temperature=temperature, radius=0.1)
    assert loss <= math.log(2 * 3 - 1) + 2 / temperature
    assert loss > 2 / temperature * 0.49  # the two neighbours lie opposite, one of two others lies as the anchor


def test_a_positive_is_near_on_both_axes():
    features = noise(3, 4)
    for axis in range(2):
        points = torch.zeros(3, 2, **DOUBLE)
        points[1, axis] = 5.0
        points[2] = 9.0
        assert va_contrast(features, points, temperature=0.4, radius=1.0) == 0
        assert released_va_contrast(features, points, temperature=0.4, radius=1.0) == pytest.approx(
            released_contrast_by_loops(features.numpy(), np.eye(3)[:, :2] * 99, 0.4, 1.0)
        )


def test_contrast_leaves_out_clips_without_points_or_frames():
    features, points = noise(6, 4), noise(6, 2, seed=1) * 0.3
    expected = va_contrast(features[[0, 2, 5]], points[[0, 2, 5]], temperature=0.4, radius=1.0)
    unknown = points.clone()
    unknown[1, 0], unknown[4] = float("nan"), float("nan")
    mask = torch.tensor([True, True, True, False, True, True])
    features.requires_grad_()
    found = va_contrast(features, unknown, temperature=0.4, radius=1.0, mask=mask)
    found.backward()
    assert found.item() == pytest.approx(expected.item(), abs=1e-12)
    assert features.grad.isfinite().all()
    assert not features.grad[[1, 3, 4]].any()


@pytest.mark.parametrize("n_clip", [1, 4])
def test_contrast_without_neighbours_is_nothing_and_has_a_gradient(n_clip):
    features = noise(n_clip, 3).requires_grad_()
    loss = va_contrast(features, torch.arange(2 * n_clip, **DOUBLE).reshape(n_clip, 2), temperature=0.4, radius=0.1)
    loss.backward()
    assert loss == 0
    assert not features.grad.any()


def test_the_released_prior_is_that_of_plain_loops_and_its_matrix_can_only_fall():
    log_shares = noise(5, 4).log_softmax(dim=1)
    matrix = noise(4, 4, seed=2).requires_grad_()
    loss = released_label_prior_loss(log_shares, matrix)
    expected = sum(
        float(matrix.detach()[i, j]) * math.sqrt(sum(float(row[i] - row[j]) ** 2 for row in log_shares)) / 5
        for i in range(4)
        for j in range(4)
    )
    assert loss.item() == pytest.approx(expected, abs=1e-10)
    loss.backward()
    assert (matrix.grad >= 0).all()


def test_the_prior_is_bounded_and_counts_each_pair_of_labels_once():
    scores = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0]], **DOUBLE)
    similarity = torch.tensor([[1.0, 0.8, -1.0], [0.8, 1.0, -0.5], [-1.0, -0.5, 1.0]], **DOUBLE)
    assert label_prior_loss(scores, similarity).item() == pytest.approx((0.8 * 0 - 1.0 * 1 - 0.5 * 1) / 3)
    for seed in range(5):
        assert abs(label_prior_loss(noise(4, 3, seed=seed).sigmoid(), similarity)) <= 1
    assert label_prior_loss(scores[:, :1], similarity[:1, :1]) == 0


@pytest.mark.parametrize("loss", [label_prior_loss, released_label_prior_loss])
def test_labels_with_equal_scores_have_a_finite_gradient(loss):
    scores = torch.full((3, 4), 0.25, **DOUBLE).requires_grad_()
    loss(scores, torch.eye(4, **DOUBLE)).backward()
    assert scores.grad.isfinite().all()


@pytest.mark.parametrize(
    ("n_label", "n_true", "share", "other"),
    [
        (6, 0, None, 0.167), (6, 1, 0.352, 0.130), (6, 2, 0.288, 0.106), (6, 3, 0.244, 0.090), (6, 4, 0.211, 0.078),
        (6, 5, 0.186, 0.069), (6, 6, 0.167, None), (7, 1, 0.312, 0.115), (7, 4, 0.197, 0.072), (7, 5, 0.175, 0.064),
    ],
)  # fmt: skip
def test_the_released_targets_are_softmaxes_of_the_labels(n_label, n_true, share, other):
    labels = torch.zeros(1, n_label, **DOUBLE)
    labels[0, :n_true] = 1
    # the loss has its minimum, 0, at the target alone
    log_shares = labels.log_softmax(dim=1).requires_grad_()
    targets = log_shares.exp()[0]
    assert released_label_loss(log_shares, labels).item() == pytest.approx(0, abs=1e-9)
    if n_true:
        assert targets[0].item() == pytest.approx(share, abs=0.0011)
    if other is not None:
        assert targets[-1].item() == pytest.approx(other, abs=0.0011)
    # what is above the threshold of .18: the true labels, but none where all six or five of seven are true
    said = int((targets > 0.18).sum())
    assert said == (n_true if (share or 0) > 0.18 else 0)


def test_the_released_label_loss_is_that_of_plain_loops():
    log_shares = noise(4, 6).log_softmax(dim=1)
    labels = (noise(4, 6, seed=3) > 0).double()
    expected = 0.0
    for clip in range(4):
        exponentials = [math.exp(value) for value in labels[clip].tolist()]
        for label in range(6):
            target = exponentials[label] / sum(exponentials)
            expected += 1000 / 24 * target * (math.log(target) - float(log_shares[clip, label]))
    assert released_label_loss(log_shares, labels).item() == pytest.approx(expected, abs=1e-9)


def test_the_soft_target_has_a_place_for_none():
    labels = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]], **DOUBLE)
    ideal = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0]], **DOUBLE)
    assert soft_label_loss((ideal + 1e-12).log(), labels).item() == pytest.approx(0, abs=1e-9)
    assert soft_label_loss((ideal.roll(1, 0) + 1e-3).log(), labels) > 1


MOSEI = ["happy", "sad", "anger", "surprise", "disgust", "fear"]
M3ED = ["Happy", "Surprise", "Sad", "Disgust", "Anger", "Fear", "Neutral"]


def test_label_similarity_is_the_published_matrix():
    # The released *_label_similarity_matrix.npy, NUSTM/UniVA at ce59bbc, to five decimals: first rows and one inside.
    mosei = label_similarity(emotion_points(MOSEI))
    assert mosei[0].round(5).tolist() == [1.0, -0.85003, -0.21444, 0.88428, -0.52917, -0.37235]
    assert mosei[3, 1:].round(5).tolist() == [-0.99763, 0.26648, 1.0, -0.07171, 0.10412]
    m3ed = label_similarity(emotion_points(M3ED))
    assert m3ed[6].round(5).tolist() == [-0.55823, -0.88106, 0.91153, -0.40861, -0.69068, -0.56217, 1.0]
    for matrix in (mosei, m3ed):
        assert np.array_equal(matrix, matrix.T)
        assert np.abs(matrix).max() <= 1
