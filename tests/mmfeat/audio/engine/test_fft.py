"""The transform of sixteen real frames against numpy's."""

import numpy as np
import pytest

from mmfeat.audio.engine.fft import real_fft_plan, transform, unpack
from mmfeat.audio.engine.lanes import store
from mmfeat.compile import kernel


@kernel
def spectra(rows, plan, real, imaginary):
    """Write the spectra of sixteen frames."""
    transform(rows, plan)
    half = plan.n // 2
    for k in range(half // 2 + 1):
        re, im, mirror_re, mirror_im = unpack(rows, plan, k)
        store(real, k * 16, re)
        store(imaginary, k * 16, im)
        store(real, (half - k) * 16, mirror_re)
        store(imaginary, (half - k) * 16, mirror_im)


def transformed(frames):
    """Return the spectra of sixteen frames, (n / 2 + 1, 16)."""
    n = frames.shape[0]
    real, imaginary = np.empty((2, (n // 2 + 1) * 16), np.float32)
    spectra(frames.astype(np.float32).ravel(), real_fft_plan(n), real, imaginary)
    return (real + 1j * imaginary).reshape(-1, 16)


@pytest.mark.parametrize("n", [8, 16, 32, 64, 512, 1024, 2048, 4096])
def test_spectra_are_those_of_numpy(n):
    frames = np.random.default_rng(0).standard_normal((n, 16)).astype(np.float32)
    expected = np.fft.rfft(frames.astype(float), axis=0)
    error = np.abs(transformed(frames) - expected).max() / np.abs(expected).max()
    assert error < 3e-7  # a few roundings of float32


def test_a_loud_frame_does_not_reach_its_silent_neighbours():
    frames = np.zeros((1024, 16))
    frames[:, 7] = 1e6
    result = transformed(frames)
    assert result[:, 7].any()
    assert not np.delete(result, 7, axis=1).any()


@pytest.mark.parametrize("n", [4, 12, 1000])
def test_only_powers_of_two_have_a_plan(n):
    with pytest.raises(ValueError, match=f"power of two of samples, at least 8, got {n}"):
        real_fft_plan(n)
