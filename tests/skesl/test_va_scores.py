"""Where valence and arousal come from, and how they are scaled."""

import numpy as np
import pytest
import torch

from skesl.va_scores import points_of_labels, scaled, side_label_names


def test_each_axis_is_scaled_by_its_own_mean_and_deviation():
    points = np.random.default_rng(0).normal([3.0, -1.0], [0.5, 4.0], (50, 2))
    points[7] = np.nan
    found = scaled(torch.from_numpy(points)).numpy()
    assert np.nanmean(found, axis=0) == pytest.approx(np.zeros(2), abs=1e-12)
    assert np.nanstd(found, axis=0) == pytest.approx(np.ones(2))
    assert np.isnan(found[7]).all()


def test_as_released_both_axes_are_scaled_by_valence():
    points = np.random.default_rng(0).random((9, 2))
    valence = points[:, 0]
    assert scaled(torch.from_numpy(points), by_valence=True).numpy() == pytest.approx(
        (points - valence.mean()) / valence.std(ddof=1)
    )


@pytest.mark.parametrize("points", [np.full((3, 2), 0.5), np.full((3, 2), np.nan), np.zeros((1, 2))])
def test_points_that_do_not_differ_have_no_scale(points):
    for by_valence in (False, True):
        found = scaled(torch.from_numpy(points), by_valence=by_valence).numpy()
        assert np.array_equal(np.isnan(found), np.isnan(points))
        assert not np.nan_to_num(found).any()


def test_a_clip_lies_in_the_middle_of_its_emotions():
    points = torch.tensor([[1.0, 0.8], [0.2, 0.4]], dtype=torch.float64)
    labels = torch.tensor([[1, 0], [1, 1], [0, 0]], dtype=torch.float32)
    assert points_of_labels(labels, points).tolist() == [[1.0, 0.8], [0.6, pytest.approx(0.6)], [0.5, 0.5]]


def test_labels_that_score_a_modality_are_called_by_it():
    assert side_label_names(["text", "vision"]) == (
        "text_valence",
        "text_arousal",
        "vision_valence",
        "vision_arousal",
    )
