"""Every planted fault is found by name, and every number is that of the frames."""

import json
import shutil

import h5py
import numpy as np
import pytest

import mmfeat.dataset.open_stream
from mmfeat import (
    ClipEntry,
    ClipFeatures,
    DatasetInfo,
    DatasetWriter,
    EncodedFrames,
    FrameConfig,
    InputError,
    survey_dataset,
)
from mmfeat.data_report.duplicates import equal_digests, text_key
from mmfeat.data_report.failures import grouped
from mmfeat.images import encode_image
from mmfeat.testing import numbered_image
from mmfeat.vision import frame_stream_info

PART = ("train", "train", "valid", "test")


@pytest.fixture(scope="module")
def survey(faulty):
    return survey_dataset(faulty[0])


def column(survey, name):
    (found,) = [column for column in survey.streams[0].columns if column.name == name]
    return found


def counted(faulty, name, part=None):
    """Return all values of a column that count, in float64."""
    values = []
    for index, frames in faulty[1].items():
        if part in (None, PART[index % 4]):
            used = frames.voiced & frames.valid if name == "log_f0" else frames.valid
            values.append(frames.values[used, frames.names.index(name)])
    return np.concatenate(values).astype(np.float64)


@pytest.mark.parametrize("name", ["log_f0", "moving", "drifting"])
def test_statistics_are_those_of_the_valid_frames_and_of_the_voiced_ones_for_the_pitch(survey, faulty, name):
    found, values = column(survey, name), counted(faulty, name)

    assert found.count == values.size
    assert found.mean == pytest.approx(values.mean(), rel=1e-12, abs=1e-12)
    assert found.sd == pytest.approx(values.std(), rel=1e-9)
    assert (found.low, found.high) == (values.min(), values.max())
    shift = counted(faulty, name, "test").mean() - counted(faulty, name, "train").mean()
    assert found.shift == pytest.approx(shift / values.std(), rel=1e-9)


@pytest.mark.parametrize("block_bytes", [1, 16, 100, 1 << 20])
def test_blocks_of_any_size_say_the_same(survey, faulty, monkeypatch, block_bytes):
    monkeypatch.setattr(mmfeat.dataset.open_stream, "_BLOCK_BYTES", block_bytes)

    again = json.loads(survey_dataset(faulty[0]).to_json())
    expected = json.loads(survey.to_json())
    for one, other in zip(again["streams"][0].pop("columns"), expected["streams"][0].pop("columns"), strict=True):
        for name in ("mean", "sd", "shift"):
            found, whole = one.pop(name), other.pop(name)
            assert found is whole is None or found == pytest.approx(whole, rel=1e-9, abs=1e-12)
        assert one == other
    assert again == expected


def test_columns_that_never_change_are_named(survey):
    assert survey.streams[0].constant == ("still",)
    assert "stream voice: 1 column(s) never change: still" in survey.findings()


def test_columns_with_nan_or_infinity_are_named_and_counted(faulty, tmp_path):
    path = shutil.copy(faulty[0], tmp_path / "damaged.h5")
    with h5py.File(path, "r+") as file:
        file["streams/voice/values"][0, 2] = np.nan
        file["streams/voice/values"][1, 2] = np.inf
        file["streams/voice/values"][4, 2] = np.inf  # not valid: nobody reads it
    found = survey_dataset(path)

    assert found.streams[0].not_finite == {"moving": 2}
    assert column(found, "moving").count == counted(faulty, "moving").size - 2
    assert np.isfinite(column(found, "moving").mean)
    assert "stream voice: NaN or infinity in moving" in found.findings()


def test_validity_and_voicing_are_shares_of_frames(survey, faulty):
    valid = np.concatenate([frames.valid for frames in faulty[1].values()])
    voiced = np.concatenate([frames.valid & frames.voiced for frames in faulty[1].values()])
    (stream,) = survey.streams

    assert stream.valid_share == pytest.approx(valid.mean())
    assert stream.voiced_share == pytest.approx(voiced.sum() / valid.sum())
    assert stream.n_frame == valid.size
    assert sum(stream.clips_by_valid_share) == stream.n_clip == 21
    assert stream.frames_per_clip == (5, 17.0, 28)
    assert stream.status == {"ok": 21, "empty": 3}


def test_clips_with_equal_frames_are_found_and_those_across_parts_come_first(survey):
    assert [(found.equal, found.clip_ids, found.parts) for found in survey.duplicates] == [
        (("voice",), ("c00", "c03"), ("train", "test")),
        (("voice",), ("c04", "c05"), ("train", "train")),
    ]
    assert "1 group(s) of clips with equal frames stand in several parts: c00 = c03" in survey.findings()
    assert "1 group(s) of clips with equal frames stand within one part" in survey.findings()


def test_frames_that_differ_by_the_last_bit_are_not_equal(faulty, tmp_path):
    path = shutil.copy(faulty[0], tmp_path / "other.h5")
    with h5py.File(path, "r+") as file:
        values = file["streams/voice/values"]
        values[0, 2] = np.nextafter(values[0, 2], np.float32(np.inf))

    assert [found.clip_ids for found in survey_dataset(path).duplicates] == [("c04", "c05")]


def test_clips_that_say_the_same_are_found_whatever_their_letters(survey):
    assert [found.clip_ids for found in survey.same_texts] == [("c08", "c09")]
    assert text_key("It was, well, GOOD!") == text_key(" it was well good")
    assert text_key("…") == "…"
    assert text_key("好的。") == text_key("好的")
    assert text_key("  ") == ""


def test_clips_without_frames_equal_nothing():
    digests = np.zeros((5, 2), dtype=np.uint64)
    digests[[1, 4]] = (0, 7)
    digests[3] = (7, 0)

    assert [group.tolist() for group in equal_digests(digests)] == [[1, 4]]
    assert equal_digests(np.zeros((0, 2), dtype=np.uint64)) == []


def test_recordings_and_speakers_in_several_parts_are_named_with_their_clips(survey):
    assert [(found.scheme, found.kind, found.name, found.n_clip) for found in survey.overlaps] == [
        ("default", "recording", "r1", {"train": 1, "valid": 1, "test": 1}),
        ("default", "speaker", "ada", {"train": 1, "valid": 0, "test": 1}),
    ]
    assert "split default: 1 recording(s) have clips in several parts: r1" in survey.findings()
    assert "split default: 1 speaker(s) have clips in several parts: ada" in survey.findings()


def test_every_part_of_every_scheme_is_counted(survey):
    rows = {(part.scheme, part.part): part for part in survey.parts}

    assert [rows["default", name].n_clip for name in ("train", "valid", "test")] == [12, 6, 6]
    assert (rows["other", "train"].n_clip, rows["other", "none"].n_clip) == (20, 4)
    assert rows["default", "train"].n_recording == 12
    assert rows["default", "test"].n_recording == 6
    assert rows["default", "train"].n_speaker == 1
    assert rows["default", "train"].n_text == 11
    seconds = sum((5 + index) / 10 for index in range(24) if index % 4 < 2 and index != 20)
    assert rows["default", "train"].hours == pytest.approx(seconds / 3600)


def test_failures_are_grouped_by_their_reason(survey):
    assert [(group.n_clip, group.clip_ids, group.message) for group in survey.failures] == [
        (2, ("c10", "c11"), "/data/a10.wav: expected sound, got 0 samples"),
        (1, ("c14",), "/data/a14.wav: lasts 0.14 s; leave it out"),
    ]
    assert "3 stream(s) of clips could not be read" in survey.findings()


def test_reasons_differ_by_more_than_paths_clips_and_numbers():
    def message(clip_id):
        return f"{clip_id}.csv: expected a face in {len(clip_id)} frames"

    one = [(name, "vision", "no_face", message(name)) for name in ("a1", "bb2", "C:\\x\\y", "talk/3")]
    other = [("a1", "vision", "no_face", "expected a face"), ("a1", "audio", "no_face", message("a1"))]

    assert [group.n_clip for group in grouped([*one, *other])] == [4, 1, 1]
    assert grouped(one)[0].clip_ids == ("a1", "bb2", "C:\\x\\y")


def test_labels_are_counted_by_part_and_each_clip_once(survey):
    mood, emotion = survey.labels[::-1] if survey.labels[0].name == "emotion" else survey.labels

    assert mood.n_clip == 23
    assert "label mood: 1 clip(s) do not have it" in survey.findings()
    for label in (mood, emotion):
        assert {name: sum(part.counts) for name, part in label.parts.items()} == {
            name: part.n_clip for name, part in label.parts.items()
        }
    test = [index / 4 - 3 for index in range(24) if index % 4 == 3]
    assert mood.parts["test"].mean == pytest.approx(np.mean(test))
    assert mood.parts["test"].sd == pytest.approx(np.std(test))
    assert (mood.parts["test"].low, mood.parts["test"].high) == (min(test), max(test))
    assert emotion.centres == (0.0, 1.0, 2.0)
    assert emotion.parts["valid"].counts == tuple(
        sum(index % 3 == code for index in range(24) if index % 4 == 2) for code in range(3)
    )


def test_durations_have_extremes_and_unknown_ones_do_not_count(survey):
    assert sum(survey.durations) == 23
    assert survey.longest[0] == ("c23", 2.8)
    assert survey.shortest[:2] == (("c00", 0.5), ("c01", 0.6))


def test_json_has_no_nan(faulty):
    document = json.loads(survey_dataset(faulty[0], scheme="other").to_json())

    assert document["scheme"] == "other"
    assert document["streams"][0]["columns"][0]["shift"] is None  # nothing is in its test part
    assert set(document["labels"][0]["parts"]) == {"train", "none"}
    assert document["description"]["n_clip"] == 24


def test_an_unknown_scheme_is_refused(faulty):
    with pytest.raises(InputError, match="no split scheme 'folds'; known: default, other"):
        survey_dataset(faulty[0], scheme="folds")


def test_images_are_counted_and_compared_too(tmp_path):
    path = tmp_path / "images.h5"
    shown = [(1, 2), (3,), (1, 2), (1,)]
    with DatasetWriter(
        path, info=DatasetInfo(name="images"), streams=[frame_stream_info(FrameConfig(size=32))], labels=[], schemes=[]
    ) as writer:
        for index, numbers in enumerate(shown):
            images = EncodedFrames(
                jpegs=tuple(encode_image(numbered_image(number, (32, 32))) for number in numbers),
                times_s=np.arange(len(numbers)) / 5,
                valid=np.array(numbers) != 2,
                height=32,
                width=32,
            )
            writer.write(ClipFeatures(entry=ClipEntry(clip_id=str(index)), streams={"frames": images}))
    found = survey_dataset(path)

    (frames,) = found.streams
    assert frames.valid_share == 4 / 6
    assert frames.columns == ()
    assert [(group.equal, group.clip_ids) for group in found.duplicates] == [(("frames",), ("0", "2"))]
