import numpy as np
import pytest

from skesl.measures import AveragePrecision, ClassF1, Combined, LabelF1, Mean, Pearson
from skesl.metrics import class_measures, multilabel_measures, sentiment_measures, several_regressions, sims_measures

N_CLIP = 40


def columns(seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(-6, 7, N_CLIP) / 2
    return y, y + rng.normal(size=N_CLIP).round(1)


def every_measure(y, p):
    """Return measures of every kind and family, of any rows of the same columns."""
    labels, scores = np.stack([y > 1, y < -1, y == 0], axis=1), np.stack([p, -p, np.abs(p) / 3], axis=1)
    several = several_regressions(
        np.stack([y, y**2, -y], axis=1), scores, ["Approval", "Disappointment", "Uncertainty"]
    )
    return {
        **sentiment_measures(y, p),
        **sims_measures(y, p),
        **multilabel_measures(labels, scores, ["happy", "sad", "none"]),
        **class_measures(np.round(y), np.round(p)),
        **several,
    }


@pytest.mark.parametrize("seed", range(8))
def test_a_resample_is_the_number_of_the_clips_that_were_drawn(seed):
    """The law between the two ways: sums of terms, and scikit-learn or scipy on the drawn clips themselves."""
    y, p = columns(seed)
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 12, N_CLIP)
    groups[:12] = np.arange(12)
    counts = rng.multinomial(12, np.full(12, 1 / 12), size=5).astype(np.float64)
    everything = every_measure(y, p)
    resampled = {name: measure.resampled(counts, groups) for name, measure in everything.items()}

    for row, drawn in enumerate(counts):
        clips = np.repeat(np.arange(N_CLIP), drawn[groups].astype(int))
        expected = every_measure(y[clips], p[clips])
        for name in everything:
            if name == "class_recall" and np.isnan(resampled[name][row]):
                continue  # a class that was not drawn has no recall
            # sums of squares lose a few digits against centred columns
            assert resampled[name][row] == pytest.approx(expected[name].number(), abs=1e-9, nan_ok=True), name


def test_every_clip_once_is_the_number_itself():
    y, p = columns(0)
    for name, measure in every_measure(y, p).items():
        once = measure.resampled(np.ones((1, N_CLIP)), np.arange(N_CLIP))
        assert once[0] == pytest.approx(measure.number(), abs=1e-10), name


def test_the_correlation_of_a_constant_is_undefined_in_every_resample():
    y = np.arange(10.0)
    measure = Pearson(y, np.full(10, 0.1))  # 0.1 is no binary fraction: sums of its squares are rounded

    assert np.isnan(measure.number())
    assert np.isnan(
        measure.resampled(np.random.default_rng(0).multinomial(10, [0.1] * 10, 50) * 1.0, np.arange(10))
    ).all()


def test_numbers_over_no_clip_are_undefined():
    y, nothing = np.zeros(3), np.zeros(3, dtype=bool)

    for measure in (Mean(y, nothing), ClassF1(y, y, nothing), Pearson(y, y, nothing), AveragePrecision(nothing, y)):
        assert np.isnan(measure.number())
        assert np.isnan(measure.resampled(np.ones((1, 3)), np.arange(3))).all()


def test_labels_that_are_never_true_nor_said_have_f1_0():
    nothing = np.zeros((4, 2), dtype=bool)

    assert LabelF1(nothing, nothing, average="macro").number() == 0.0
    assert LabelF1(nothing, nothing, average="micro").number() == 0.0


def test_a_combination_is_the_weighted_sum_of_its_parts():
    one, other = Mean(np.array([1.0, 3.0])), Mean(np.array([10.0, 20.0]))

    assert Combined([one, other], [1.0, -0.25]).number() == 2.0 - 0.25 * 15.0


def test_the_order_of_equal_scores_changes_nothing():
    truth, scores = np.array([True, False, True, False]), np.array([0.5, 0.5, 0.5, 0.1])
    turned = AveragePrecision(truth[::-1].copy(), scores[::-1].copy())

    for measure in (AveragePrecision(truth, scores), turned):
        assert measure.resampled(np.ones((1, 4)), np.arange(4))[0] == pytest.approx(2 / 3)
        assert measure.number() == pytest.approx(2 / 3)
