"""Waveforms and frame features hold what they promise or refuse to exist."""

import numpy as np
import pytest

from mmfeat import FrameFeatures, InputError, Split, StreamStatus, Waveform, untracked
from mmfeat.dataset.schema import find_rule


def features(**changes):
    fields = {
        "values": np.zeros((3, 2), dtype=np.float32),
        "times_s": np.arange(3) / 25,
        "names": ("a", "b"),
        "units": ("1", "1"),
        "valid": np.ones(3, dtype=bool),
    }
    return FrameFeatures(**{**fields, **changes})


def test_a_waveform_knows_its_length_in_seconds():
    assert Waveform(samples=np.zeros(8_000, dtype=np.float32), sample_rate=16_000).duration_s == 0.5


@pytest.mark.parametrize(
    ("samples", "sample_rate", "message"),
    [
        (np.zeros((2, 4)), 16_000, r"expected one dimension, got shape \(2, 4\)"),
        (np.zeros(0), 16_000, r"expected at least one sample, got 0"),
        (np.zeros(4), 0, r"expected a positive sample rate in Hz, got 0"),
        (np.array([0.0, np.nan, np.inf]), 16_000, r"expected finite samples, got 2 NaN or infinite of 3"),
    ],
)
def test_a_waveform_refuses_what_is_no_mono_sound(samples, sample_rate, message):
    with pytest.raises(InputError, match=message):
        Waveform(samples=samples.astype(np.float32), sample_rate=sample_rate)


def test_frame_features_count_their_frames():
    assert features().n_frame == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": ("a",)}, r"expected shape \(frame, 1\), got \(3, 2\)"),
        ({"units": ("1",)}, r"2 names but 1 units"),
        ({"times_s": np.zeros(4)}, r"times_s has shape \(4,\), expected \(3,\)"),
        ({"valid": np.ones((3, 1), dtype=bool)}, r"valid has shape \(3, 1\)"),
        ({"voiced": np.ones(2, dtype=bool)}, r"voiced has shape \(2,\)"),
        ({"confidence": np.ones(2)}, r"confidence has shape \(2,\)"),
        ({"values": np.full((3, 2), np.nan, dtype=np.float32)}, r"expected finite values, got NaN"),
    ],
)
def test_frame_features_refuse_columns_that_do_not_fit(changes, message):
    with pytest.raises(InputError, match=message):
        features(**changes)


@pytest.mark.parametrize(("enumeration", "path"), [(Split, "/splits/default"), (StreamStatus, "/streams/audio/status")])
def test_the_numbers_in_memory_are_those_of_the_specification(enumeration, path):
    rule, _ = find_rule(path)
    assert {member.name.lower(): member.value for member in enumeration} == rule.members


def test_tracking_nothing_yields_the_same_items():
    assert list(untracked([1, 2, 3], 3, "clips")) == [1, 2, 3]
