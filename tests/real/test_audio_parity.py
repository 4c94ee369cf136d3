"""The fast engine gives librosa's values on real clips: speech of several collections, acted emotions, sound of videos.

The default preset and the estimate of the tuning go over every clip; ``skesl-33`` with that tuning over every fourth,
librosa's own range of pitch over every tenth, and over all of them in the test marked ``slow``. librosa takes nearly
all of the time, so it gets two workers.
"""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import joblib
import librosa
import numpy as np
import pytest

from mmfeat import AUDIO_PRESETS, AUDIO_SUFFIXES, ClipError, extract_audio, read_audio
from mmfeat.audio import engine, engine_for
from mmfeat.audio.config import ChromaConfig, PitchConfig

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif("MMFEAT_REAL_DATA" not in os.environ, reason="MMFEAT_REAL_DATA names no folder of real clips"),
]

FOLDERS = ("audio", "ravdess/audio", "grid/video", "talking/wav")
DEFAULT = AUDIO_PRESETS["default"]
ESTIMATED = replace(AUDIO_PRESETS["skesl-33"], chroma=ChromaConfig(tuning=None))
WIDE = replace(DEFAULT, pitch=PitchConfig(f0_min_hz=65.0, f0_max_hz=2093.0))
NO_CLIPS = {"awful.wav", "bad.wav", "evil.wav"}  # pocketsphinx's broken headers
MEL, CHROMA = slice(1, 21), slice(21, 33)


@dataclass
class Tally:
    """What was found on the clips of one configuration."""

    n_clip: int = 0
    n_frame: int = 0
    n_both_voiced: int = 0
    n_voicing: int = 0  # frames whose voicing differs
    n_pitch: int = 0  # frames voiced by both whose log-F0 differs by more than 1e-3 of it
    mfcc: float = 0.0  # largest difference
    chroma: float = 0.0
    differing: list[str] = field(default_factory=list)  # clips with another voicing or pitch
    other_tuning: list[str] = field(default_factory=list)

    def add(self, name, expected, found, audible):
        """Count the differences of one clip; its chroma is not compared in frames that are not audible."""
        assert found.values.shape == expected.values.shape, name
        both = expected.voiced & found.voiced
        n_voicing = int(np.sum(expected.voiced != found.voiced))
        n_pitch = int(np.sum(np.abs(found.values[both, 0] / expected.values[both, 0] - 1) > 1e-3))
        difference = np.abs(found.values - expected.values)
        self.n_clip += 1
        self.n_frame += both.size
        self.n_both_voiced += int(both.sum())
        self.n_voicing += n_voicing
        self.n_pitch += n_pitch
        self.mfcc = max(self.mfcc, float(difference[:, MEL].max()))
        self.chroma = max(self.chroma, float(difference[audible, CHROMA].max(initial=0.0)))
        if n_voicing or n_pitch:
            self.differing.append(f"{name} ({n_voicing} voicing, {n_pitch} pitch)")


def clips(sample_rate, *, every=1):
    """Return every ``every``-th clip of the folders by name."""
    data = Path(os.environ["MMFEAT_REAL_DATA"])
    files = [path for folder in FOLDERS for path in sorted((data / folder).rglob("*")) if path.suffix in AUDIO_SUFFIXES]
    found = {}
    for path in files[::every]:
        try:
            found[f"{path.parent.name}/{path.name}"] = read_audio(path, sample_rate)
        except ClipError:
            assert path.name in NO_CLIPS
    assert len(found) >= 400 // every
    return found


def same_tuning(clip):
    """Return whether both estimate the same tuning."""
    tuning = librosa.estimate_tuning(y=clip.samples, sr=clip.sample_rate, bins_per_octave=36)
    return engine.estimate_tuning(clip.samples, clip.sample_rate, bins_per_octave=36) == tuning


def audible_frames(clip, hop_length):
    """Return which frames are not below 1e-4 of the loudest; librosa's chroma of the others is scaled rounding."""
    padded = np.pad(clip.samples.astype(np.float64), 1024)
    levels = np.sqrt(np.mean(librosa.util.frame(padded, frame_length=2048, hop_length=hop_length) ** 2, axis=0))
    return levels >= 1e-4 * levels.max()


def compare(config, capsys, *, every=1):
    """Hold the fast engine to what is promised, and print what was found."""
    assert engine_for(config) == "fast"
    tally, sounds = Tally(), clips(config.sample_rate, every=every)
    parallel = joblib.Parallel(n_jobs=2, return_as="generator", max_nbytes=None)
    references = parallel(joblib.delayed(extract_audio)(clip, config, engine="librosa") for clip in sounds.values())
    for (name, clip), expected in zip(sounds.items(), references, strict=True):
        audible = audible_frames(clip, config.hop_length)
        if config.chroma.tuning is None and not same_tuning(clip):
            tally.other_tuning.append(name)
            audible[:] = False
        tally.add(name, expected, extract_audio(clip, config), audible)
    with capsys.disabled():
        print(f"\n{tally}")
    assert tally.n_voicing <= 1e-4 * tally.n_frame
    assert tally.n_pitch <= 1e-4 * tally.n_both_voiced
    assert tally.mfcc <= 1e-3
    assert tally.chroma <= 1e-3
    assert len(tally.other_tuning) <= 0.01 * tally.n_clip


def test_the_default_preset_has_librosas_values_on_every_clip(capsys):
    compare(DEFAULT, capsys)


def test_the_estimated_tuning_is_librosas_on_every_clip(capsys):
    sounds = clips(ESTIMATED.sample_rate)
    other = [name for name, clip in sounds.items() if not same_tuning(clip)]
    with capsys.disabled():
        print(f"\ntuning: {len(sounds)} clips, another one in {other}")
    assert len(other) <= 0.01 * len(sounds)


@pytest.mark.parametrize(("config", "every"), [(ESTIMATED, 4), (WIDE, 10)], ids=["skesl-33, tuning none", "65-2093 Hz"])
def test_other_settings_have_librosas_values_on_some_clips(config, every, capsys):
    compare(config, capsys, every=every)


@pytest.mark.slow
@pytest.mark.parametrize("config", [ESTIMATED, WIDE], ids=["skesl-33, tuning none", "65-2093 Hz"])
def test_other_settings_have_librosas_values_on_every_clip(config, capsys):
    compare(config, capsys)
