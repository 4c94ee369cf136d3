"""The banded Viterbi decoder against librosa's dense one."""

import librosa
import numpy as np
import pytest

from mmfeat.audio.engine import viterbi
from mmfeat.audio.engine.viterbi import Observations, decode, transitions


def random_observations(rng, n_frames, n_bins, *, share_certain):
    """Return candidates of random frames, as lists and as librosa's dense matrix."""
    dense = np.zeros((2 * n_bins, n_frames))
    for frame in range(n_frames):
        candidates = rng.choice(n_bins, rng.integers(0, 8), replace=False)
        weights = rng.random(candidates.size) ** 3
        total = 1.0 if rng.random() < share_certain else rng.random()
        if candidates.size:
            dense[candidates, frame] = total * weights / weights.sum()
        voiced = min(dense[:n_bins, frame].sum(), 1.0)
        dense[n_bins:, frame] = (1.0 - voiced if voiced < 1.0 - 1e-12 else 0.0) / n_bins
    tiny = np.finfo(float).tiny
    frames, bins = np.nonzero(dense[:n_bins].T)
    starts = np.searchsorted(frames, np.arange(n_frames + 1))
    observations = Observations(
        starts,
        bins,
        np.log(dense[bins, frames] + tiny).astype(np.float32),
        np.log(dense[n_bins] + tiny).astype(np.float32),
    )
    return observations, dense


def librosa_model(n_bins, half_width):
    """Return the transition matrix and the initial distribution that librosa decodes with."""
    local = librosa.sequence.transition_local(n_bins, 2 * half_width + 1, window="triangle", wrap=False)
    transition = np.kron(librosa.sequence.transition_loop(2, 0.99), local)
    return transition, np.full(2 * n_bins, 0.5 / n_bins)


def log_probability(states, dense, transition, initial):
    """Return how probable a path is."""
    tiny = np.finfo(float).tiny
    observed = np.log(dense[states, np.arange(states.size)] + tiny).sum()
    return np.log(initial[0]) + observed + np.log(transition[states[:-1], states[1:]] + tiny).sum()


@pytest.mark.parametrize("share_certain", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("n_bins", "half_width"), [(100, 30), (150, 5), (64, 10)])
def test_no_path_is_more_probable(n_bins, half_width, share_certain):
    rng = np.random.default_rng(0)
    transition, initial = librosa_model(n_bins, half_width)
    for _ in range(10):
        observations, dense = random_observations(rng, 60, n_bins, share_certain=share_certain)
        states = decode(observations, transitions(n_bins, half_width))
        best = librosa.sequence.viterbi(dense, transition, p_init=initial).astype(int)
        # Paths tie where two frames in a row are impossible, so they are compared by their probability.
        assert log_probability(states, dense, transition, initial) == pytest.approx(
            log_probability(best, dense, transition, initial), abs=1e-3
        )


def test_voicing_and_pitch_are_those_of_the_dense_decoder():
    rng = np.random.default_rng(0)
    transition, initial = librosa_model(100, 30)
    for _ in range(30):
        observations, dense = random_observations(rng, 60, 100, share_certain=0.1)
        states = decode(observations, transitions(100, 30))
        expected = librosa.sequence.viterbi(dense, transition, p_init=initial)
        # Only the pitch of unvoiced frames, which nobody sees, may differ: their paths tie.
        assert np.array_equal(states < 100, expected < 100)
        assert np.array_equal(states[states < 100], expected[states < 100])


def test_a_clip_of_several_segments_is_decoded_as_one():
    rng = np.random.default_rng(1)
    observations, dense = random_observations(rng, 2 * viterbi.SEGMENT + 100, 20, share_certain=0.0)
    states = decode(observations, transitions(20, 4))
    transition, initial = librosa_model(20, 4)
    expected = librosa.sequence.viterbi(dense, transition, p_init=initial)
    assert np.array_equal(states < 20, expected < 20)
    assert np.array_equal(states[states < 20], expected[states < 20])
