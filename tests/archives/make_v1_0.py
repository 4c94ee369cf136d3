"""Make ``v1.0/small.h5``, a file of format 1.0 with everything in it; run once, when the format is released.

    python tests/archives/make_v1_0.py

Six clips: sound (8 columns), faces (17 columns), images, two labels, two split schemes, failures of several kinds.
"""

import json
from pathlib import Path

import numpy as np

from mmfeat import (
    ClipEntry,
    ClipFeatures,
    DatasetInfo,
    DatasetReader,
    DatasetWriter,
    EncodedFrames,
    FrameConfig,
    FrameFeatures,
    LabelInfo,
    OpenFaceConfig,
    Split,
    StreamFailure,
    StreamStatus,
)
from mmfeat.audio import AudioFeatureConfig, audio_stream_info
from mmfeat.images import encode_image
from mmfeat.testing import numbered_image
from mmfeat.vision import frame_stream_info, openface_stream_info

FOLDER = Path(__file__).parent / "v1.0"
SOUND = audio_stream_info(AudioFeatureConfig())
FACES = openface_stream_info(OpenFaceConfig(groups=("pose", "gaze")))
IMAGES = frame_stream_info(FrameConfig(size=16))
FAILURES = {
    1: StreamFailure(stream="vision", status=StreamStatus.NO_FACE, message="1.csv: expected a face, got none"),
    3: StreamFailure(stream="audio", status=StreamStatus.EMPTY, message="3.wav: expected sound, got 0 samples"),
    4: StreamFailure(stream="frames", status=StreamStatus.MISSING_SOURCE, message="4.mp4: expected a file, found none"),
}


def features(info, n_frame, rng):
    """Return frames with values that are whole eighths: equal everywhere, and small when they are stored."""
    values = rng.integers(-40, 40, size=(n_frame, len(info.feature_names))).astype(np.float32) / 8
    voiced = np.arange(n_frame) % 3 > 0
    valid = np.ones(n_frame, dtype=bool)
    if info.has_voiced:
        values[~voiced, 0] = 0
    else:
        valid[-1], values[-1] = False, 0
    return FrameFeatures(
        values=values,
        times_s=np.arange(n_frame) * (info.hop_s or 0.04),
        names=info.feature_names,
        units=info.feature_units,
        valid=valid,
        voiced=voiced if info.has_voiced else None,
        confidence=valid.astype(np.float32) if info.has_confidence else None,
        hop_s=info.hop_s,
    )


def images(index):
    """Return images that show their numbers."""
    return EncodedFrames(
        jpegs=tuple(encode_image(numbered_image(10 * index + frame, (16, 16))) for frame in range(1 + index % 2)),
        times_s=np.arange(1 + index % 2) / 4,
        valid=np.arange(1 + index % 2) == 0,
        height=16,
        width=16,
    )


def clip(index, rng):
    """Return one clip; what fails in it is in ``FAILURES``."""
    streams = {"audio": features(SOUND, 3 + index, rng), "vision": features(FACES, 2 + index, rng)}
    streams["frames"] = images(index)
    failure = FAILURES.get(index)
    if failure:
        del streams[failure.stream]
    labels = {"sentiment": index - 2.5, "arousal": index / 4}
    return ClipFeatures(
        entry=ClipEntry(
            clip_id=f"fürst/{index}$[0]",
            recording_id=f"film {index // 2}",
            speaker_id="ann" if index % 2 else "",
            position=index,
            splits={"default": Split(index // 2), "loso": Split.TRAIN if index % 2 else Split.NONE},
            text="" if index == 0 else f"Größe {index} — 好",
            labels=labels if index % 2 else {"sentiment": index - 2.5},
            audio=Path(f"{index}.wav"),
        ),
        streams=streams,
        failures=(failure,) if failure else (),
        duration_s=float("nan") if index == 3 else 0.1 * (1 + index),
        source_sha256=f"{index:064x}",
    )


def write(path):
    """Write the file."""
    rng = np.random.default_rng(0)
    info = DatasetInfo(name="archive", language="de", license="CC0-1.0", citation="none")
    labels = [
        LabelInfo(name="sentiment", value_range=(-3.0, 3.0), convention="negative to positive", source="made"),
        LabelInfo(name="arousal"),
    ]
    with DatasetWriter(
        path, info=info, streams=[SOUND, FACES, IMAGES], labels=labels, schemes=["default", "loso"], overwrite=True
    ) as writer:
        for index in range(6):
            writer.write(clip(index, rng))
        writer.add_event({"action": "build", "n_clip": 6})


def expected(path):
    """Return what a reader finds in the file, as JSON values."""
    with DatasetReader(path) as reader:
        streams = {
            name: {
                "offsets": reader.offsets(name).tolist(),
                "status": [status.name for status in reader.status(name)],
                "sums": [_sum(reader, name, index) for index in range(reader.n_clip)],
            }
            for name in reader.stream_names
        }
        return {
            "content_sha256": reader.attributes["content_sha256"],
            "clip_ids": reader.clip_ids,
            "recording_ids": reader.recording_ids,
            "texts": reader.texts,
            "labels": {name: reader.labels(name).values.tolist() for name in reader.label_names},
            "present": {name: reader.labels(name).present.tolist() for name in reader.label_names},
            "splits": {name: reader.parts(name).tolist() for name in reader.scheme_names},
            "failures": reader.failures(),
            "events": reader.events(),
            "streams": streams,
        }


def _sum(reader, name, index):
    if reader.info(name).codec:
        return sum(map(sum, reader.read_frames(name, index).jpegs))
    return float(reader.read(name, index).values.sum(dtype=np.float64))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    write(FOLDER / "small.h5")
    found = json.dumps(expected(FOLDER / "small.h5"), indent=1, ensure_ascii=False)
    (FOLDER / "small.json").write_text(found + "\n", encoding="utf-8")
