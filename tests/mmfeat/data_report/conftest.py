"""Datasets with planted faults."""

import numpy as np
import pytest

from mmfeat import (
    ClipEntry,
    ClipFeatures,
    DatasetInfo,
    DatasetWriter,
    FrameFeatures,
    LabelInfo,
    Split,
    StreamFailure,
    StreamInfo,
    StreamStatus,
)

NAMES = ("log_f0", "still", "moving", "drifting")
INFO = StreamInfo(
    name="voice", feature_names=NAMES, feature_units=("ln(Hz)", "1", "1", "dB"), extractor="made",
    extractor_version="1", preset="custom", config={}, hop_s=0.1, has_voiced=True,
)  # fmt: skip


def frames_of(values, valid, voiced):
    values = np.where(np.asarray(valid)[:, None], values, 0).astype(np.float32)
    values[~np.asarray(voiced), 0] = 0
    return FrameFeatures(
        values=values, times_s=np.arange(len(values)) * 0.1, names=NAMES, units=INFO.feature_units, valid=valid,
        voiced=voiced, hop_s=0.1,
    )  # fmt: skip


@pytest.fixture(scope="session")
def faulty(tmp_path_factory):
    """A dataset of 24 clips, and what each of its streams holds by clip.

    Parts go round through train, train, valid and test. The column ``still`` is 7 everywhere, ``drifting`` is 5 higher
    in test. Clip 3 (test) has the frames of clip 0 (train) and clip 5 those of clip 4; clips 8 and 9 say the same in
    other letters. Recording r1 has clips in train, valid and test. Clips 10, 11 and 14 failed for two reasons.
    """
    path = tmp_path_factory.mktemp("faulty") / "faulty.h5"
    rng = np.random.default_rng(0)
    held = {}
    with DatasetWriter(
        path,
        info=DatasetInfo(name="faulty", language="en"),
        streams=[INFO],
        labels=[
            LabelInfo(name="mood"),
            LabelInfo(name="emotion", problem="class", class_names=("sad", "happy", "calm")),
        ],
        schemes=["default", "other"],
    ) as writer:
        for index in range(24):
            part = (Split.TRAIN, Split.TRAIN, Split.VALID, Split.TEST)[index % 4]
            n_frame = 5 + index
            values = rng.normal(size=(n_frame, 4))
            values[:, 0], values[:, 1] = 5.0 + index / 100, 7.0
            values[:, 3] += 5.0 * (part is Split.TEST)
            valid, voiced = np.arange(n_frame) % 5 < 4, np.arange(n_frame) % 2 < 1
            frames = frames_of(values, valid, valid & voiced)
            frames = {3: held.get(0), 5: held.get(4)}.get(index, frames)
            failures = ()
            if index in (10, 11, 14):
                reason = "expected sound, got 0 samples" if index != 14 else f"lasts 0.{index} s; leave it out"
                failures = (
                    StreamFailure(stream="voice", status=StreamStatus.EMPTY, message=f"/data/a{index}.wav: {reason}"),
                )
            else:
                held[index] = frames
            text = {8: "It was, well, GOOD!", 9: "it was well good", 12: ""}.get(index, f"this is clip {index}")
            writer.write(
                ClipFeatures(
                    entry=ClipEntry(
                        clip_id=f"c{index:02d}",
                        recording_id="r1" if index in (0, 2, 7) else f"own{index}",
                        speaker_id="ada" if index in (1, 3) else "",
                        splits={"default": part, "other": Split.TRAIN if index < 20 else Split.NONE},
                        text=text,
                        labels={"mood": index / 4 - 3, "emotion": index % 3} if index != 6 else {"emotion": 0},
                    ),
                    streams={} if failures else {"voice": frames},
                    failures=failures,
                    duration_s=n_frame / 10 if index != 20 else float("nan"),
                )
            )
    return path, held
