"""Batches that are read whole and ahead are those of their clips one by one, in memory that is used again."""

import itertools
import threading

import numpy as np
import pytest
import torch

from mmfeat import DatasetReader
from mmfeat.testing import write_example_dataset
from skesl import ClipSet, InputConfig, collate
from skesl.batches import epoch_batches, parts_of
from skesl.buffers import Buffers
from skesl.loading import read_ahead
from skesl.testing import tiny_text_encoder

N_CLIP = 23


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    path = write_example_dataset(tmp_path_factory.mktemp("data") / "example.h5", n_clip=N_CLIP)
    with DatasetReader(path) as reader:
        yield make_clips(reader, stage="finetune")


def make_clips(reader, *, stage, lexicon=None, seed=0, inputs=None):
    return ClipSet(
        reader,
        np.arange(N_CLIP),
        tiny_text_encoder(),
        stage=stage,
        streams=("audio", "vision"),
        labels=reader.labels("sentiment").values[:, None],
        lexicon=lexicon or {},
        max_text_tokens=64,
        seed=seed,
        inputs=inputs,
    )


def assert_equal(batch, expected):
    assert batch.clip_ids == expected.clip_ids
    for own, other in zip(batch.tensors(), expected.tensors(), strict=True):
        assert own.dtype == other.dtype
        assert torch.equal(own, other)


@pytest.mark.parametrize("n_thread", [0, 1, 3])
@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_batches_are_those_of_their_clips_in_order(clips, stage, n_thread):
    clips = make_clips(clips._reader, stage=stage)
    clips.set_epoch(2)
    items = epoch_batches(N_CLIP, 4, seed=1, epoch=2)

    n_seen = 0
    for chosen, batch in zip(items, read_ahead(clips, items, n_thread=n_thread), strict=True):
        assert_equal(batch, collate([clips[int(item)] for item in chosen]))  # clip 1 has no face
        n_seen += len(batch)
    assert n_seen == N_CLIP


def test_memory_is_used_again_and_does_not_grow_with_the_batches(clips):
    buffers = Buffers()
    longest = clips.batch(np.arange(N_CLIP), buffers).streams["audio"].data_ptr()

    assert {clips.batch(np.array([item]), buffers).streams["audio"].data_ptr() for item in range(N_CLIP)} == {longest}

    items = [np.array([item % N_CLIP]) for item in range(200)]
    places = [batch.streams["vision"].data_ptr() for batch in read_ahead(clips, items, n_thread=2)]
    assert len(set(places[100:])) == 3  # by then each block is as large as any batch


def test_what_stood_in_the_memory_before_does_not_show(clips):
    buffers = Buffers()
    clips.batch(np.arange(N_CLIP), buffers).streams["audio"].fill_(torch.nan)

    assert_equal(clips.batch(np.array([0, 22]), buffers), collate([clips[0], clips[22]]))


@pytest.mark.parametrize("inputs", [{"keep_failed_frames": True}, {"max_audio_frames": 13, "max_vision_frames": 12}])
@pytest.mark.parametrize("keep_failed_frames", [False, True])
def test_frames_that_a_method_does_not_read_are_in_no_batch(clips, inputs, keep_failed_frames):
    inputs = InputConfig(**{"keep_failed_frames": keep_failed_frames, **inputs})
    clips, buffers = make_clips(clips._reader, stage="finetune", inputs=inputs), Buffers()

    for items in (np.arange(N_CLIP), np.array([1]), np.array([22, 3, 3])):
        assert_equal(clips.batch(items, buffers), collate([clips[int(item)] for item in items]))


def test_no_more_than_a_few_batches_are_read_ahead(clips):
    asked = []

    def items():
        for item in range(100):
            asked.append(item)
            yield np.array([item % N_CLIP])

    batches = read_ahead(clips, items(), n_thread=2)
    next(batches)

    assert len(asked) == 3
    batches.close()


def test_an_error_of_a_reading_thread_comes_out_and_ends_the_threads(clips):
    before = threading.active_count()

    with pytest.raises(IndexError):
        list(read_ahead(clips, [np.array([0]), np.array([N_CLIP]), np.array([1])], n_thread=2))
    assert threading.active_count() == before


@pytest.mark.parametrize("lengths", [None, np.arange(N_CLIP) % 7])
def test_an_epoch_has_every_clip_once_and_depends_on_seed_and_epoch_alone(lengths):
    def order(seed, epoch):
        return np.concatenate(epoch_batches(N_CLIP, 4, seed=seed, epoch=epoch, lengths=lengths)).tolist()

    assert sorted(order(0, 1)) == list(range(N_CLIP))
    assert order(0, 1) == order(0, 1)
    assert len({tuple(order(seed, epoch)) for seed, epoch in itertools.product((0, 1), (1, 2))}) == 4


def test_length_buckets_put_similar_lengths_together():
    lengths = np.random.default_rng(0).integers(3, 60, 960)
    plain, bucketed = (epoch_batches(960, 32, seed=0, epoch=1, lengths=chosen) for chosen in (None, lengths))

    def padded(batches):
        return sum(len(batch) * lengths[batch].max() for batch in batches)

    assert padded(bucketed) < 1.1 * lengths.sum() < 1.5 * lengths.sum() < padded(plain)
    means = [lengths[batch].mean() for batch in bucketed]
    assert means != sorted(means)  # the batches come in another order than that of their lengths


def test_length_buckets_leave_no_small_batch_inside_an_epoch():
    sizes = sorted(len(batch) for batch in epoch_batches(1000, 8, seed=0, epoch=1, lengths=np.zeros(1000, dtype=int)))

    assert sizes == [8] * 125


@pytest.mark.parametrize(("n_accumulated", "n_step"), [(1, 41), (4, 11), (41, 1), (100, 1)])
def test_no_batch_of_a_step_that_is_left_over_is_lost(n_accumulated, n_step):
    parts = parts_of(epoch_batches(41, 1, seed=0, epoch=1), n_accumulated)

    assert sum(part.ends_step for part in parts) == n_step
    assert parts[-1].ends_step
    assert sum(part.weight for part in parts) == pytest.approx(n_step)


def test_a_process_without_a_clip_reads_one_that_does_not_count():
    (part,) = parts_of([np.array([7])], 1, process=1, n_process=2)

    assert (part.items.tolist(), part.n_clip, part.weight) == ([7], 0, 0.0)


def test_texts_take_a_few_bytes_a_clip(clips):
    n_token = int(clips.n_tokens.sum())

    assert clips.n_byte <= 4 * n_token + 32 * (N_CLIP + 1)
