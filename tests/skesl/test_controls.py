import numpy as np
import pytest
import torch

from mmfeat import DatasetReader
from mmfeat.testing import write_example_dataset
from skesl import ClipSet, InputConfig, collate
from skesl.controls import derangement, missing_frames, missing_modalities, shuffled, without
from skesl.testing import tiny_text_encoder

STREAMS = ("audio", "vision")


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    with DatasetReader(write_example_dataset(tmp_path_factory.mktemp("data") / "example.h5")) as reader:
        yield reader


@pytest.fixture(scope="module")
def clips(reader):
    return clip_set(reader)


def clip_set(reader, **inputs):
    return ClipSet(
        reader,
        np.arange(reader.n_clip),
        tiny_text_encoder(),
        stage="finetune",
        streams=STREAMS,
        labels=reader.labels("sentiment").values[:, None],
        lexicon={},
        max_text_tokens=64,
        inputs=InputConfig(**inputs),
    )


def test_a_removed_text_keeps_its_special_tokens_and_nothing_else_changes(clips):
    for before, after in zip(list(clips), without("text")(clips), strict=True):
        assert after.ids == (before.ids[0], before.ids[-1])
        assert (after.clip_id, after.labels) == (before.clip_id, before.labels)
        assert all(np.array_equal(after.streams[name], before.streams[name]) for name in STREAMS)


@pytest.mark.parametrize("name", STREAMS)
def test_a_removed_stream_has_no_frames_and_nothing_else_changes(clips, name):
    (other,) = set(STREAMS) - {name}
    for before, after in zip(list(clips), without(name)(clips), strict=True):
        assert after.streams[name].shape == (0, before.streams[name].shape[1])
        assert np.array_equal(after.streams[other], before.streams[other])
        assert after.ids == before.ids


@pytest.mark.parametrize("name", STREAMS)
def test_a_shuffled_stream_is_that_of_another_clip_each_once(clips, name):
    befores, afters = list(clips), list(shuffled(name)(clips))

    found = [
        next(i for i, before in enumerate(befores) if np.array_equal(after.streams[name], before.streams[name]))
        for after in afters
    ]
    assert sorted(found) == list(range(len(befores)))
    assert all(i != j for i, j in enumerate(found))
    assert [after.ids for after in afters] == [before.ids for before in befores]


def test_a_shuffled_text_is_that_of_another_clip(clips):
    befores, afters = list(clips), list(shuffled("text")(clips))

    assert sorted(after.ids for after in afters) == sorted(before.ids for before in befores)
    assert all(after.ids != before.ids for after, before in zip(afters, befores, strict=True))
    assert all(np.array_equal(a.streams["audio"], b.streams["audio"]) for a, b in zip(afters, befores, strict=True))


@pytest.mark.parametrize("n", [2, 3, 50])
def test_a_derangement_leaves_no_place_and_comes_from_its_seed(n):
    others = derangement(n, seed=3)

    assert sorted(others) == list(range(n))
    assert (others != np.arange(n)).all()
    assert others.tolist() == derangement(n, seed=3).tolist()


def test_one_clip_cannot_be_shuffled_and_stays():
    assert derangement(1, seed=0).tolist() == [0]


def lengths(samples):
    return sum(len(sample.ids) - 2 + sum(map(len, sample.streams.values())) for sample in samples)


def test_about_the_asked_share_of_frames_and_tokens_is_missing(clips):
    whole = lengths(clips)

    for rate in (0.0, 0.3, 0.9, 1.0):
        # about 350 frames and tokens: two standard errors are below 0.06
        assert 1 - lengths(missing_frames(rate)(clips)) / whole == pytest.approx(rate, abs=0.06)


def test_what_is_missing_at_a_smaller_rate_is_missing_at_a_larger_one(clips):
    for few, many in zip(missing_frames(0.3)(clips), missing_frames(0.6)(clips), strict=True):
        rows = {row.tobytes() for row in few.streams["audio"]}
        assert all(row.tobytes() in rows for row in many.streams["audio"])


def test_whole_modalities_of_clips_are_missing(clips):
    befores, afters = list(clips), list(missing_modalities(0.5)(clips))

    n_missing = 0
    for before, after in zip(befores, afters, strict=True):
        for name in STREAMS:
            assert len(after.streams[name]) in (0, len(before.streams[name]))
            n_missing += len(after.streams[name]) < len(before.streams[name])
        assert after.ids in (before.ids, (before.ids[0], before.ids[-1]))
        n_missing += after.ids != before.ids
    assert 9 <= n_missing <= 27  # of 36, half; three standard errors
    assert lengths(missing_modalities(1.0)(clips)) == 0


@pytest.mark.parametrize("change", [without("audio"), shuffled("text"), missing_frames(0.5), missing_modalities(0.5)])
def test_a_batch_of_changed_clips_is_that_of_its_clips(clips, change):
    changed, items = change(clips), [3, 0, 7]

    batch, expected = changed.batch(np.array(items)), collate([changed[item] for item in items])
    assert (len(changed), changed.clip_ids) == (len(clips), clips.clip_ids)
    assert batch.clip_ids == tuple(clips.clip_ids[item] for item in items)
    assert batch.labels.tolist() == changed.labels[items].tolist() == clips.labels[items].tolist()
    for own, other in zip(batch.tensors(), expected.tensors(), strict=True):
        assert torch.equal(own, other)


@pytest.mark.parametrize("change", [missing_frames(1.0), missing_modalities(1.0)])
def test_the_mask_that_stands_for_words_that_are_not_read_is_never_missing(reader, change):
    wordless = clip_set(reader, modalities=STREAMS)

    assert wordless.modalities == STREAMS
    for before, after in zip(list(wordless), list(change(wordless)), strict=True):
        assert after.ids == before.ids
        assert not any(map(len, after.streams.values()))
