"""VAT on real clips: a held-out video finds its own sound, and not where the sounds were those of other clips.

All clips are one speaker's, so that what can be found is when the mouth moves: what a clip's frames have in common is
taken away (``frame_values = "change"``), and every clip gives many windows of a second.
"""

import os
from pathlib import Path

import pytest
from av_windows import build_grid, retrieve, train, write_windows
from scipy.stats import binom

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif("MMFEAT_REAL_DATA" not in os.environ, reason="MMFEAT_REAL_DATA names no folder of real clips"),
]
DATA = Path(os.environ.get("MMFEAT_REAL_DATA", ""))
N_EPOCHS = 20


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    return build_grid(DATA, tmp_path_factory.mktemp("grid") / "grid.h5")


def chance_of(found):
    """Return how likely so many hits in the first five are where everything is guessed."""
    return binom.sf(round(found.first_five * found.n_trial) - 1, found.n_trial, 5 / found.n)


@pytest.mark.parametrize("shift", [0, 7])
def test_a_held_out_video_finds_its_own_sound(grid, tmp_path, shift):
    windows = write_windows(grid, tmp_path / "windows.h5", step=3, shift=shift)

    found = retrieve(train(windows, tmp_path / "run", n_epochs=N_EPOCHS), windows)

    print("own sound" if shift == 0 else "sound of another clip", found)
    assert (found.n, found.n_trial) == (12, 36)
    if shift == 0:
        assert chance_of(found) < 1e-3
    else:
        assert chance_of(found) > 0.01
