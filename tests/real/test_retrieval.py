"""VAT on real clips: a held-out video finds its own sound, and does not where every sound is another's."""

import os
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra 'train'")

import av_retrieval

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif("MMFEAT_REAL_DATA" not in os.environ, reason="MMFEAT_REAL_DATA names no folder of real clips"),
]


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grid")
    return av_retrieval.build_grid(Path(os.environ["MMFEAT_REAL_DATA"]), folder / "grid.h5", n_jobs=2)


def found(grid, folder, *, shift):
    """Return the places of the own sounds of one fold; 20 epochs take about three minutes."""
    windows = av_retrieval.write_windows(grid, folder / "windows.h5", shift=shift)
    run = av_retrieval.train(windows, folder / "run", fold=1, n_epochs=20)
    result = av_retrieval.retrieve(run, windows, fold=1)
    print(f"R@1 {result.first(1)}, R@5 {result.first(5)} of {result.n}; own nearer {result.nearer:.3f} (chance 0.5)")
    return result


def test_a_held_out_video_finds_its_own_sound(grid, tmp_path):
    result = found(grid, tmp_path, shift=0)

    assert result.n == 12
    assert result.first(1) >= 4  # by chance 1, and 4 or more once in seventy times
    assert result.first(5) >= 8  # by chance 5, and 8 or more once in fourteen times
    assert result.nearer > 0.7


def test_it_does_not_where_it_was_trained_with_the_sound_of_another_clip(grid, tmp_path):
    result = found(grid, tmp_path, shift=av_retrieval.SHIFT)

    assert result.first(5) <= 7
    assert result.nearer < 0.65
