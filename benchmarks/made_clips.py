"""Clips of the released lengths in a dataset file: what ``loading.py`` and ``gpu_training.py`` read.

The texts are MOSI's where ``MMFEAT_REAL_DATA`` names them, else random words of as many letters and words.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import numpy as np
from released_loader import N_AUDIO_FRAME, N_VISION_FRAME

from mmfeat import (
    AudioFeatureConfig,
    ClipEntry,
    ClipFeatures,
    DatasetInfo,
    DatasetWriter,
    FrameFeatures,
    LabelInfo,
    OpenFaceConfig,
    StreamInfo,
)
from mmfeat.audio import audio_stream_info
from mmfeat.vision import openface_stream_info
from skesl import load_lexicon

STREAMS = ("audio", "vision")


def sentences(n_clip: int) -> list[str]:
    """Return what is said in the clips."""
    table = Path(os.environ.get("MMFEAT_REAL_DATA", "/nowhere"), "mosi", "MOSI-label.csv")
    if table.exists():
        with table.open(encoding="utf-8", newline="") as handle:
            texts = [row["text"].lower() for row in csv.DictReader(handle)]
        return [texts[index % len(texts)] for index in range(n_clip)]
    rng = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnoprstuvwy"))
    words = ["".join(rng.choice(letters, rng.integers(2, 7))) for _ in range(2_000)] + list(load_lexicon())[1000:1500]
    return [" ".join(rng.choice(words, max(1, round(rng.lognormal(2.2, 0.6))))) for _ in range(n_clip)]


def write_clips(path: Path, n_clip: int) -> Path:
    """Write clips of the released lengths: sound of 1 to 9.3 s, 55 frames of faces."""
    infos = [audio_stream_info(AudioFeatureConfig()), openface_stream_info(OpenFaceConfig())]
    rng = np.random.default_rng(1)
    noise = {info.name: rng.normal(size=(600, len(info.feature_names))).astype(np.float32) for info in infos}
    labels = [LabelInfo(name="sentiment", value_range=(-3.0, 3.0))]
    with DatasetWriter(
        path, info=DatasetInfo(name="loading", language="en"), streams=infos, labels=labels, schemes=["default"]
    ) as writer:
        for index, text in enumerate(sentences(n_clip)):
            n_frame = {"audio": min(N_AUDIO_FRAME, 40 + int(rng.lognormal(4.9, 0.6))), "vision": N_VISION_FRAME}
            streams = {info.name: _frames(info, noise[info.name], index, n_frame[info.name]) for info in infos}
            label = float(rng.uniform(-3, 3))
            entry = ClipEntry(clip_id=f"{index}", recording_id=f"{index}", text=text, labels={"sentiment": label})
            writer.write(ClipFeatures(entry=entry, streams=streams, duration_s=n_frame["audio"] * 0.032))
    return path


def _frames(info: StreamInfo, noise: Any, index: int, n_frame: int) -> FrameFeatures:
    start = index % (len(noise) - n_frame)
    return FrameFeatures(
        values=noise[start : start + n_frame],
        times_s=np.arange(n_frame, dtype=np.float64) * (info.hop_s or 0.033),
        names=info.feature_names,
        units=info.feature_units,
        valid=np.ones(n_frame, dtype=np.bool_),
        voiced=np.ones(n_frame, dtype=np.bool_) if info.has_voiced else None,
        confidence=np.ones(n_frame, dtype=np.float32) if info.has_confidence else None,
        hop_s=info.hop_s,
    )
