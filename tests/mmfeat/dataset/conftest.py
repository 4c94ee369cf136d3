"""Small dataset files whose values follow from the ids of the clips, so that a clip is the same in every file."""

import zlib

import numpy as np
import pytest

from mmfeat import (
    ClipEntry,
    ClipFeatures,
    DatasetInfo,
    DatasetReader,
    DatasetWriter,
    FrameFeatures,
    LabelInfo,
    Split,
    StreamFailure,
    StreamInfo,
    StreamStatus,
    validate,
)


def sound(path):
    """Return the path of a file that keeps every rule."""
    report = validate(path, level="content")
    assert report.ok, report.summary()
    return path


def stream_info(name="signal", **changes):
    fields = {
        "name": name,
        "feature_names": ("a", "b"),
        "feature_units": ("1", "1"),
        "extractor": "test",
        "extractor_version": "1",
        "preset": "custom",
        "config": {"gain": 1, "window": {"length": 5}},
        "hop_s": 0.1,
    }
    return StreamInfo(**{**fields, **changes})


def number_of(clip_id):
    return zlib.crc32(clip_id.encode())


def entry_of(clip_id, **changes):
    number = number_of(clip_id)
    fields = {
        "recording_id": f"film {number % 5}",
        "speaker_id": f"speaker {number % 3}",
        "text": f"Say {clip_id}.",
        "labels": {} if number % 4 == 0 else {"joy": float(number % 7)},
        "splits": {"default": (Split.TRAIN, Split.VALID, Split.TEST, Split.NONE)[number % 4]},
    }
    return ClipEntry(clip_id=clip_id, **{**fields, **changes})


def clip_of(entry, infos):
    """Return a clip; one of six has failed in each stream, and has one to four frames otherwise."""
    streams, failures = {}, []
    for info in infos:
        number = number_of(entry.clip_id + info.name)
        if number % 6 == 0:
            message = f"{entry.clip_id}: expected a face"
            failures.append(StreamFailure(stream=info.name, status=StreamStatus.NO_FACE, message=message))
            continue
        values = np.random.default_rng(number).normal(size=(1 + number % 4, 2)).astype(np.float32)
        streams[info.name] = FrameFeatures(
            values=values,
            times_s=np.arange(len(values)) * 0.1,
            names=info.feature_names,
            units=info.feature_units,
            valid=np.ones(len(values), dtype=bool),
            hop_s=info.hop_s,
        )
    return ClipFeatures(
        entry=entry, streams=streams, failures=tuple(failures), duration_s=float(number_of(entry.clip_id) % 9)
    )


@pytest.fixture
def make(tmp_path):
    """Write a file of clips by their ids, or of entries."""

    def write(name, clips, *, streams=("signal",), labels=("joy",), schemes=("default",), licence="", **changes):
        infos = [stream if isinstance(stream, StreamInfo) else stream_info(stream, **changes) for stream in streams]
        entries = [clip if isinstance(clip, ClipEntry) else entry_of(clip) for clip in clips]
        with DatasetWriter(
            tmp_path / name,
            info=DatasetInfo(name="test", license=licence),
            streams=infos,
            labels=[label if isinstance(label, LabelInfo) else LabelInfo(name=label) for label in labels],
            schemes=schemes,
        ) as writer:
            for entry in entries:
                writer.write(clip_of(entry, infos))
            writer.add_event({"action": "write", "name": name})
        return tmp_path / name

    return write


@pytest.fixture
def ids():
    """Ids as they come: with slashes, spaces, and letters of several scripts."""
    odd = ["ein Gähnen", "映画/一", "a/b$c-d", "клип", "e\u0301", "👏"]
    return [*odd, *(f"clip_{index:02d}" for index in range(24))]


@pytest.fixture
def content():
    def read(path):
        with DatasetReader(path) as reader:
            return reader.attributes["content_sha256"]

    return read
