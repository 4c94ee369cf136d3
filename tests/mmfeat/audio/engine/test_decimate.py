"""Half the sample rate, by spectra and by soxr."""

import numpy as np
import pytest

from mmfeat.audio.engine.decimate import decimate, halve, octaves


@pytest.mark.parametrize("n_samples", [1, 2, 3, 20, 300, 5001, 9000, 64001, 128000])
def test_halving_is_what_soxr_does(n_samples):
    samples = np.random.default_rng(0).standard_normal(n_samples).astype(np.float32)
    result, expected = halve(samples), decimate(samples, 2)
    assert result.shape == expected.shape == ((n_samples + 1) // 2,)
    assert result == pytest.approx(expected, abs=3e-6)  # float32 on both sides


def test_a_constant_stays_a_constant():
    result = halve(np.full(64000, 0.5, np.float32))[200:-200]
    assert result == pytest.approx(0.5 * np.sqrt(2.0), abs=1e-6)


def test_a_tone_above_the_new_nyquist_frequency_is_gone():
    time = np.arange(32000)
    samples = np.sin(2.0 * np.pi * 0.3 * time).astype(np.float32)
    assert np.abs(halve(samples)[200:-200]).max() < 1e-4


def test_silence_stays_exactly_zero():
    samples = np.zeros(60000, np.float32)
    samples[:2000] = 1.0
    assert not halve(samples)[4000:].any()


def test_octaves_have_half_the_samples_each():
    assert [level.size for level in octaves(np.ones(1000, np.float32), 4)] == [1000, 500, 250, 125]
