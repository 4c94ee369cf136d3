"""An output that is there already is refused with what it is, and how it differs from what would be built."""

from dataclasses import replace

import pytest
import soundfile

import mmfeat.versions
from mmfeat import (
    BuildConfig,
    ClipEntry,
    InputError,
    OpenFaceConfig,
    OutputExistsError,
    build_dataset,
    resolve_build_config,
)
from mmfeat.config import changed_values, listed
from mmfeat.testing import tone, write_openface_csv


@pytest.fixture(scope="module")
def entries(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    made = []
    for index in range(3):
        sound = folder / f"{index}.wav"
        soundfile.write(sound, tone(100.0 + index, duration_s=0.3).samples[: 0 if index == 1 else None], 16_000)
        made.append(ClipEntry(clip_id=f"{index}", audio=sound, openface=write_openface_csv(folder / f"{index}.csv")))
    return made


@pytest.fixture(scope="module")
def config():
    return resolve_build_config(overrides=['audio.features=["zero_crossing_rate"]', 'openface.groups=["au"]'])


@pytest.fixture(scope="module")
def out(entries, config, tmp_path_factory):
    return build_dataset(entries, tmp_path_factory.mktemp("out") / "a.h5", config).path


def found(entries, out, config):
    """Return what the refusal says of the file."""
    with pytest.raises(OutputExistsError) as refused:
        build_dataset(entries, out, config)
    head, _, rest = str(refused.value).partition(": expected a new output, but it exists, ")
    assert head == str(out)
    text, _, way_out = rest.rpartition("; ")
    assert way_out == "choose another name or pass --overwrite"
    return text


def test_the_same_build_is_named_as_such_with_its_failures(entries, out, config):
    expected = "built with the same settings from these 3 clips, of which 1 failed (--retry-failed tries them again)"
    assert found(entries, out, config) == expected


def test_other_clips_are_counted(entries, out, config):
    assert found(entries[:2], out, config) == "built with the same settings from other clips: it has 3, the build 2"


def test_another_setting_is_named_with_both_values(entries, out, config):
    other = BuildConfig(audio=config.audio, openface=OpenFaceConfig(groups=("pose",)))
    expected = 'built with other settings or versions: vision.groups was ["au"], is ["pose"]'
    assert found(entries, out, other) == expected


def test_a_stream_that_is_not_there_counts(entries, out, config):
    only_sound = [replace(entry, openface=None) for entry in entries]
    assert 'vision.groups was ["au"], is not set' in found(only_sound, out, config)


@pytest.mark.parametrize("name", ["numpy", "librosa", "soxr", "soundfile", "av", "numba"])
def test_another_version_is_named_and_failed_clips_are_not_tried_again_with_it(entries, out, config, monkeypatch, name):
    version = mmfeat.versions.version
    monkeypatch.setattr("mmfeat.versions.version", lambda asked: "9.9" if asked == name else version(asked))
    assert found(entries, out, config) == (
        f'built with other settings or versions: version.{name} was "{version(name)}", is "9.9"'
    )
    with pytest.raises(InputError, match=rf'got others: version.{name} was ".+", is "9.9"; take the same, or build it'):
        build_dataset(entries, out, config, retry_failed=True)


def test_changed_values_are_told_by_their_names():
    before = {"pitch": {"low": 50.0, "high": 600.0}, "frames": None, "gone": 1}
    now = {"pitch": {"low": 60.0, "high": 600.0}, "frames": {"size": 112}}
    assert changed_values(before, now) == [
        "pitch.low was 50.0, is 60.0",
        "frames was null, is not set",
        "gone was 1, is not set",
        "frames.size was not set, is 112",
    ]
    assert changed_values(before, before) == []
    assert listed(["a", "b", "c", "d", "e"]) == "a; b; c; and 2 more"
    (long,) = changed_values({"a": list(range(900))}, {})
    assert len(long) < 120
