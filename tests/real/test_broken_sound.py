"""The three broken RIFF files of PocketSphinx are refused, each by its own sentence."""

import os
from pathlib import Path

import pytest

from mmfeat import ClipError, StreamStatus, read_audio

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif("MMFEAT_REAL_DATA" not in os.environ, reason="MMFEAT_REAL_DATA names no folder of real clips"),
]


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("awful.wav", "expected a sample rate from 1000 to 768000 Hz, got 1092676; the header is damaged"),
        ("bad.wav", "expected a readable sound or video file, got 44 bytes that neither soundfile ("),
        ("evil.wav", "expected a readable sound or video file, got 5044 bytes that neither soundfile ("),
    ],
)
def test_a_broken_riff_file_is_refused(name, start):
    path = Path(os.environ["MMFEAT_REAL_DATA"]) / "audio" / "pocketsphinx" / name
    with pytest.raises(ClipError, match=r"expected .*; ") as caught:
        read_audio(path)
    assert caught.value.status is StreamStatus.DECODE_ERROR
    assert str(caught.value).startswith(f"{path}: {start}")
