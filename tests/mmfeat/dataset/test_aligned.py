"""The mean of the frames inside each word, held to a plain loop, and where it cannot be had."""

import math

import numpy as np
import pytest

from mmfeat import (
    ClipEntry,
    ClipFeatures,
    DatasetInfo,
    DatasetReader,
    DatasetWriter,
    FrameFeatures,
    InputError,
    StreamInfo,
    Words,
)

NAN = float("nan")


def info(name, **more):
    return StreamInfo(
        name=name,
        feature_names=("a", "b"),
        feature_units=("1", "1"),
        extractor="test",
        extractor_version="1",
        preset="",
        config={},
        **more,
    )


def frames(values, times_s, valid=None, **more):
    values = np.asarray(values, dtype=np.float32).reshape(-1, 2)
    valid = np.ones(len(values), dtype=np.bool_) if valid is None else np.asarray(valid)
    times = np.asarray(times_s, dtype=np.float64)
    return FrameFeatures(values=values, times_s=times, names=("a", "b"), units=("1", "1"), valid=valid, **more)


def words(*rows):
    intervals = np.array([row[1:] for row in rows], dtype=np.float64).reshape(-1, 2)
    return Words(tokens=tuple(row[0] for row in rows), intervals_s=intervals)


def write(path, clips, streams, *, with_words=True, starts_s=()):
    """Write a file of (streams, words) for each clip."""
    origin = {"made_by": []} if with_words else None
    with DatasetWriter(path, info=DatasetInfo(name="x"), streams=streams, words=origin) as writer:
        for index, (features, spoken) in enumerate(clips):
            start_s = starts_s[index] if starts_s else NAN
            entry = ClipEntry(clip_id=f"c{index}", start_s=start_s, end_s=start_s + 9)
            writer.write(ClipFeatures(entry=entry, streams=features, words=spoken))
    return DatasetReader(path)


def plain_loop(features, intervals_s):
    """Return what read_aligned must give, frame by frame in float64."""
    rows, counts = [], []
    for start_s, stop_s in intervals_s:
        total, n = np.zeros(2), 0
        for value, time_s, valid in zip(features.values, features.times_s, features.valid, strict=True):
            if valid and start_s <= time_s < stop_s:
                total += value.astype(np.float64)
                n += 1
        rows.append(total / n if n else total)
        counts.append(n)
    return np.array(rows).reshape(-1, 2).astype(np.float32), counts


def test_a_frame_belongs_to_the_word_that_begins_at_its_centre(tmp_path):
    features = frames([[1, 10], [2, 20], [4, 40], [8, 80]], [0.0, 0.5, 1.0, 1.5])
    spoken = words(("x", 0.0, 0.5), ("y", 0.5, 1.5), ("z", 1.5, 1.5), ("late", 1.6, 9.0))
    with write(tmp_path / "a.h5", [({"s": features}, spoken)], [info("s")]) as reader:
        aligned = reader.read_aligned("s", [0])
    np.testing.assert_array_equal(aligned.values, [[1, 10], [3, 30], [0, 0], [0, 0]])
    assert aligned.n_frame.tolist() == [1, 2, 0, 0]
    assert aligned.valid.tolist() == [True, True, False, False]
    assert (aligned.values.dtype, aligned.offsets.tolist()) == (np.float32, [0, 4])


def random_clip(rng):
    n_frame, n_word = int(rng.integers(0, 40)), int(rng.integers(0, 12))
    values = rng.normal(size=(n_frame, 2)) * 10.0 ** rng.integers(-3, 4, size=(n_frame, 1))
    valid = rng.random(n_frame) > 0.3
    values[~valid] = 0.0
    times = np.sort(rng.integers(0, 50, size=n_frame)) / 25.0
    edges = rng.integers(0, 55, size=(n_word, 2)) / 25.0  # on the frames' times, unordered, overlapping
    edges.sort(axis=1)
    return frames(values, times, valid), words(*(("w", start, stop) for start, stop in edges))


@pytest.mark.parametrize("starts_s", [(), [0.0, 5.0, 31.25, 7.5, 1.0, 2.0]])
def test_the_view_equals_a_plain_loop_exactly(tmp_path, starts_s):
    rng = np.random.default_rng(0)
    clips = [random_clip(rng) for _ in range(6)]
    shifted = [
        (features, Words(tokens=spoken.tokens, intervals_s=spoken.intervals_s + start_s))
        for (features, spoken), start_s in zip(clips, starts_s or [0.0] * 6, strict=True)
    ]
    reader = write(tmp_path / "a.h5", [({"s": f}, w) for f, w in shifted], [info("s")], starts_s=starts_s)
    order = [3, 0, 0, 5, 1, 2, 4]
    with reader:
        batch = reader.read_aligned("s", order)
        alone = [reader.read_aligned("s", np.array([index])) for index in order]
    expected = [plain_loop(clips[index][0], clips[index][1].intervals_s) for index in order]
    np.testing.assert_array_equal(batch.values, np.concatenate([values for values, _ in expected]))
    assert batch.n_frame.tolist() == [n for _, counts in expected for n in counts]
    assert batch.offsets.tolist() == np.cumsum([0, *(len(counts) for _, counts in expected)]).tolist()
    np.testing.assert_array_equal(batch.values, np.concatenate([one.values for one in alone]))
    assert sum(batch.n_frame) > 20


def test_a_regular_grid_counts_from_the_clips_start(tmp_path):
    features = frames([[1, 1], [2, 2], [3, 3]], [0.0, 0.1, 0.2], hop_s=0.1)
    clips = [({"s": features}, words(("x", 10.1, 10.2), ("y", 10.2, 10.3)))]
    assert 10.2 - 10.0 != 0.2  # and yet the last frame is the one of y
    with write(tmp_path / "a.h5", clips, [info("s", hop_s=0.1)], starts_s=[10.0]) as reader:
        aligned = reader.read_aligned("s", [0])
    assert aligned.values[:, 0].tolist() == [2.0, 3.0]


def test_intervals_count_by_their_centres(tmp_path):
    intervals = np.array([[10.0, 10.5], [10.5, 11.0], [11.0, 12.0]])
    features = frames([[1, 1], [2, 2], [6, 6]], intervals.mean(axis=1), intervals_s=intervals)
    clips = [({"s": features}, words(("x", 10.25, 11.5), ("y", 11.5, 12.0)))]
    with write(tmp_path / "a.h5", clips, [info("s", has_intervals=True)], starts_s=[10.0]) as reader:
        aligned = reader.read_aligned("s", [0])
    assert aligned.values[:, 0].tolist() == [1.5, 6.0]


def test_a_stream_of_words_is_its_own_view(tmp_path):
    features = frames([[1, 1], [0, 0]], [NAN, NAN], [True, False])
    with write(tmp_path / "a.h5", [({"s": features}, None)], [info("s", clock="words")], with_words=False) as reader:
        aligned = reader.read_aligned("s", [0])
    assert (aligned.values[:, 0].tolist(), aligned.valid.tolist()) == ([1.0, 0.0], [True, False])


def test_clips_without_frames_or_words_have_rows_for_their_words_alone(tmp_path):
    clips = [({}, words(("x", 0.0, 1.0))), ({"s": frames([[1, 1]], [0.0])}, None), ({}, None)]
    with write(tmp_path / "a.h5", clips, [info("s")]) as reader:
        aligned = reader.read_aligned("s", [0, 1, 2])
        nothing = reader.read_aligned("s", [])
    assert (aligned.offsets.tolist(), aligned.n_frame.tolist(), aligned.values.tolist()) == (
        [0, 1, 1, 1],
        [0],
        [[0, 0]],
    )
    assert (nothing.values.shape, nothing.offsets.tolist()) == ((0, 2), [0])


def test_what_cannot_be_aligned_is_refused(tmp_path):
    features = frames([[1, 1]], [NAN])
    with write(tmp_path / "a.h5", [({"s": features}, words())], [info("s", clock="unknown")]) as reader:
        with pytest.raises(InputError, match=r"expected frames with times, none is known \(clock='unknown'\)"):
            reader.read_aligned("s", [0])
        with pytest.raises(InputError, match="no stream 'x'"):
            reader.read_aligned("x", [0])
    with (
        write(tmp_path / "b.h5", [({"s": frames([[1, 1]], [0.0])}, None)], [info("s")], with_words=False) as reader,
        pytest.raises(InputError, match="expected words, the file has none; make them with mmfeat align"),
    ):
        reader.read_aligned("s", [0])


def test_words_of_a_clip_whose_place_in_its_recording_is_not_known_are_refused(tmp_path):
    path = tmp_path / "a.h5"
    with DatasetWriter(path, info=DatasetInfo(name="x"), streams=[info("s")], words={"made_by": []}) as writer:
        for clip_id, start_s in (("known", 20.0), ("unknown", NAN)):
            features = frames([[1, 1]], [0.5])
            entry = ClipEntry(clip_id=clip_id, recording_id="film", start_s=start_s, end_s=start_s + 1)
            spoken = words(("hi", 20.0, 21.0))
            writer.write(ClipFeatures(entry=entry, streams={"s": features}, words=spoken, duration_s=1.0))
    with DatasetReader(path) as reader:
        assert reader.read_aligned("s", [0]).n_frame.tolist() == [1]
        with pytest.raises(InputError, match=r"clip 'unknown': expected start_s, .* got none, and words until 21.0 s"):
            reader.read_aligned("s", [1])


def test_sums_are_exact_where_float32_is_not(tmp_path):
    values = np.array([1e8, 1.0, -1e8, 1.0] * 100, dtype=np.float32)
    features = frames(np.stack([values, values], axis=1), np.arange(400) / 100)
    with write(tmp_path / "a.h5", [({"s": features}, words(("x", 0.0, 4.0)))], [info("s")]) as reader:
        aligned = reader.read_aligned("s", [0])
    assert aligned.values[0, 0] == np.float32(math.fsum(values) / 400) == 0.5
