"""Generated labels, against numbers worked out by hand."""

import math

import pytest
import torch
from hypothesis import given, settings, strategies as st

from skesl.label_generator import (
    LabelCentres,
    LabelMemory,
    distance_labels,
    label_weights,
    moved_labels,
    relative_distance,
    similarity_labels,
)

number = st.floats(-50, 50)


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


def centres_of(*, exclude_zero=True, bound=3.0):
    return LabelCentres({"fusion": 2, "text": 2}, bound=bound, exclude_zero=exclude_zero).double()


# Centres (3, 0) and (0, 0) in the fusion, (0, 4) and (0, 0) in the text.
FEATURES = {"fusion": tensor([2, 0], [4, 0], [0, 0]), "text": tensor([0, 5], [0, 3], [0, 0])}
LABELS = {"fusion": tensor(1, 2, -2), "text": tensor(1, 2, -2)}


def test_a_label_worked_out_by_hand():
    centres = centres_of()
    centres.update(FEATURES, LABELS)

    # A clip at (1, 0) in the fusion and (0, 3) in the text, with the label 1.5:
    # D_p = 2, D_n = 1, delta_M = -1/2; D_p = 1, D_n = 3, delta_T = 2; alpha = -4
    # (-4 * 1.5) / 2 + (1.5 + 2 + 0.5) / 2 = -3 + 2 = -1
    generated = centres.labels({"fusion": tensor([1, 0]), "text": tensor([0, 3])}, tensor(1.5))

    assert set(generated) == {"text"}
    assert float(generated["text"]) == pytest.approx(-1.0, abs=1e-6)
    # in epoch 3: 2/4 of what was there and 2/4 of the new one
    assert float(moved_labels(tensor(1.5), generated["text"], epoch=3)) == pytest.approx(0.25, abs=1e-6)


def test_the_published_momentum_keeps_nothing_of_the_first_epoch_and_more_of_each_later_one():
    kept = [float(moved_labels(tensor(1.0), tensor(0.0), epoch=epoch)) for epoch in (1, 2, 3, 9)]

    assert kept == pytest.approx([0.0, 1 / 3, 1 / 2, 4 / 5])


@settings(deadline=None)  # the first example may have to wait for torch
@given(number, number, number, st.floats(0.1, 5))
def test_no_generated_label_is_larger_than_the_bound(truth, of_modality, of_fusion, bound):
    label = distance_labels(tensor(truth), tensor(of_modality), tensor(of_fusion), bound=bound)

    assert label.isfinite()
    assert label.abs() <= bound


@settings(deadline=None)  # the first example may have to wait for torch
@given(st.lists(number, min_size=2, max_size=2), st.integers(1, 40))
def test_moving_between_labels_within_the_bound_stays_within_it(labels, epoch):
    before, new = (max(-3.0, min(3.0, label)) for label in labels)

    assert abs(float(moved_labels(tensor(before), tensor(new), epoch=epoch))) <= 3.0 + 1e-12


@settings(deadline=None)  # the first example may have to wait for torch
@given(number, number)
def test_a_label_by_similarity_is_the_released_formula_and_never_exceeds_the_clip_s(truth, score):
    label = float(similarity_labels(tensor(truth), tensor(score)))

    assert label == pytest.approx(2 * truth / (1 + math.exp(-score)) - truth, abs=1e-12)
    assert abs(label) <= abs(truth)


def test_features_on_a_centre_have_a_finite_distance():
    at_positive = relative_distance(tensor([3, 0]), tensor([3, 0], [0, 0]))

    assert at_positive.isfinite()
    assert float(relative_distance(tensor([0, 0]), tensor([3, 0], [0, 0]))) == pytest.approx(-1.0)


def test_labels_that_equal_the_clip_s_own_weigh_nothing():
    assert label_weights(tensor(1, 2), tensor(1, 1)).tolist() == pytest.approx([0.0, math.tanh(1)])


@pytest.mark.parametrize("labels", [(1, 2, 3), (-1, -2, -3), (0, 0, 0), (0, 1, 2)])
def test_where_a_class_is_absent_labels_stay_as_they_are_and_nothing_is_nan(labels):
    memory = LabelMemory(tensor(*labels), ("text",))
    centres = centres_of()

    centres.update(FEATURES, memory.all_labels())
    generated = centres.labels(FEATURES, memory.truth)
    memory.move(torch.arange(3), generated, epoch=2)

    assert generated == {}
    assert memory.of_modalities[:, 0].tolist() == list(labels)


def test_zeros_are_positive_only_where_the_released_code_counts_them_so():
    for exclude_zero, positive in ((True, [2.0, 0.0]), (False, [1.0, 0.0])):
        centres = centres_of(exclude_zero=exclude_zero)
        centres.update(
            {"fusion": tensor([0, 0], [2, 0], [5, 5]), "text": tensor([0, 0], [2, 0], [5, 5])},
            {"fusion": tensor(0, 1, -1), "text": tensor(0, 1, -1)},
        )
        assert centres.of_text[0].tolist() == positive


def test_a_clip_that_lacks_a_modality_is_in_no_mean_and_keeps_its_label():
    memory = LabelMemory(tensor(1, 2, -2, 3), ("text",))
    present = {"text": torch.tensor([True, True, True, False])}
    far = {
        "fusion": torch.cat([FEATURES["fusion"], tensor([1, 1])]),
        "text": torch.cat([FEATURES["text"], tensor([99, 99])]),
    }
    centres = centres_of()

    centres.update(far, memory.all_labels(present))
    generated = centres.labels(far, memory.truth)
    generated["text"] = generated["text"].where(present["text"], torch.nan)
    memory.move(torch.arange(4), generated, epoch=2)

    assert centres.of_text[0].tolist() == [0.0, 4.0]
    assert memory.of_modalities[3].tolist() == [3.0]
    assert (memory.of_modalities[:3, 0] != memory.truth[:3]).any()


def test_after_a_batch_too_a_clip_that_lacks_a_modality_is_in_no_mean_and_keeps_its_label():
    memory = LabelMemory(tensor(1, 2, -2, 3), ("text",), feature_widths={"fusion": 2, "text": 2})
    present = {"text": torch.tensor([True, True, True, False])}
    far = {
        "fusion": torch.cat([FEATURES["fusion"], tensor([1, 1])]),
        "text": torch.cat([FEATURES["text"], tensor([99, 99])]),
    }
    centres = centres_of()

    for epoch in (1, 2):
        memory.epoch.fill_(epoch)
        memory.remember(torch.arange(4), far, centres, present)

    assert centres.of_text[0].tolist() == [0.0, 4.0]
    assert memory.of_modalities[3].tolist() == [3.0]
    assert (memory.of_modalities[:3, 0] != memory.truth[:3]).any()


def test_the_update_after_a_batch_is_that_of_the_released_code():
    """Worked out batch by batch: labels by the means before, then features, then means."""
    truth = tensor(2, -1, 1, -2)
    memory = LabelMemory(truth, ("text",), feature_widths={"fusion": 2, "text": 2})
    centres = centres_of(exclude_zero=False)
    generator = torch.Generator().manual_seed(0)
    labels = truth.clone()
    stored = {name: torch.zeros(4, 2, dtype=torch.float64) for name in ("fusion", "text")}
    means = None
    for epoch in (1, 2, 3):
        memory.epoch.fill_(epoch)
        for rows in (torch.tensor([0, 3]), torch.tensor([2, 1])):
            features = {
                name: torch.randn((2, 2), generator=generator, dtype=torch.float64) for name in ("fusion", "text")
            }
            memory.remember(rows, features, centres, {"text": torch.ones(2, dtype=torch.bool)})

            if epoch > 1:
                delta = {}
                for name in ("fusion", "text"):
                    to_p, to_n = ((features[name] - mean).norm(dim=1) for mean in means[name])
                    delta[name] = (to_n - to_p) / (to_p + 1e-8)
                alpha = delta["text"] / (delta["fusion"] + 1e-8)
                new = 0.5 * alpha * truth[rows] + 0.5 * (truth[rows] + delta["text"] - delta["fusion"])
                new = new.clamp(-3, 3)
                labels[rows] = (epoch - 1) / (epoch + 1) * labels[rows] + 2 / (epoch + 1) * new
            for name in stored:
                stored[name][rows] = features[name]
            sides = {"fusion": truth, "text": labels}
            means = {
                name: (stored[name][side >= 0].mean(dim=0), stored[name][side < 0].mean(dim=0))
                for name, side in sides.items()
            }
            torch.testing.assert_close(memory.of_modalities[:, 0], labels, rtol=1e-12, atol=1e-12)


def test_a_memory_survives_its_way_through_a_checkpoint():
    memory = LabelMemory(tensor(1, -1), ("text",))
    memory.move(torch.tensor([0]), {"text": tensor(0.5)}, epoch=2)
    memory.epoch.fill_(3)

    other = LabelMemory(tensor(1, -1), ("text",))
    other.load_state_dict(memory.state_dict())

    assert torch.equal(other.of_modalities, memory.of_modalities)
    assert int(other.epoch) == 3
