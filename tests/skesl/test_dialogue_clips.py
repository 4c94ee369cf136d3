"""Clips that are read in their dialogues: the same whatever is read with them, changed by the controls."""

import numpy as np
import pytest
import torch

from mmfeat import ClipEntry, ClipFeatures, ConfigError, DatasetInfo, DatasetReader, DatasetWriter, LabelInfo, Split
from skesl import ClipSet, collate
from skesl.batches import epoch_batches
from skesl.controls import missing_frames, shuffled, without
from skesl.inputs import DialogueInputConfig
from skesl.testing import tiny_text_encoder

ENCODER = tiny_text_encoder()
TEXTS = {"one": ["it was good", "bad", "a film"], "two": ["wonderful", "take it"]}
ORDER = [("two", 1), ("one", 2), ("one", 0), ("two", 0), ("one", 1)]  # of the rows of the file


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    path = tmp_path_factory.mktemp("dialogues") / "dialogues.h5"
    label = LabelInfo(name="happy", problem="multilabel", value_range=(0.0, 1.0))
    info = DatasetInfo(name="dialogues", language="en")
    with DatasetWriter(path, info=info, streams=[], labels=[label], schemes=["default"]) as writer:
        for name, place in ORDER:
            entry = ClipEntry(
                clip_id=f"{name}_{place}",
                recording_id=name,
                position=10 * place,
                splits={"default": Split.TRAIN},
                text=TEXTS[name][place],
                labels={"happy": 1.0},
            )
            writer.write(ClipFeatures(entry=entry))
    with DatasetReader(path) as reader:
        yield reader


def clip_set(reader, indices=range(5), **inputs):
    return ClipSet(
        reader,
        np.asarray(indices, dtype=np.int64),
        ENCODER,
        stage="finetune",
        streams=(),
        labels=reader.labels("happy").values[:, None],
        lexicon={},
        max_text_tokens=64,
        inputs=DialogueInputConfig(**{"modalities": ("text",), "max_dialogue_tokens": 64, **inputs}),
    )


def words(batch):
    """Return for each clip the words of its dialogue, and its own between brackets."""
    said = []
    for row, mask in zip(batch.dialogues.rows, batch.dialogues.utterance_mask, strict=True):
        tokens = ENCODER.tokenizer.convert_ids_to_tokens(batch.dialogues.ids[row].tolist())
        shown = [f"<{token}>" if own else token for token, own in zip(tokens, mask, strict=True)]
        said.append(" ".join(token for token in shown if token not in ("[CLS]", "[SEP]", "[PAD]")))
    return said


EXPECTED = [
    "wonderful <take> <it>",
    "it was good bad <a> <film>",
    "<it> <was> <good> bad a film",
    "<wonderful> take it",
    "it was good <bad> a film",
]


def test_a_clip_is_read_among_the_texts_of_its_recording_in_the_order_of_their_positions(reader):
    batch = clip_set(reader).batch(np.arange(5))
    assert words(batch) == EXPECTED
    assert len(batch.dialogues.ids) == 2
    assert batch.dialogues.rows.tolist() == [1, 0, 0, 1, 0]


@pytest.mark.parametrize("indices", [[1], [4, 0], [0, 1, 2, 3, 4]])
def test_the_texts_around_a_clip_are_read_whichever_clips_belong_to_the_part(reader, indices):
    clips = clip_set(reader, indices)
    assert words(clips.batch(np.arange(len(indices)))) == [EXPECTED[index] for index in indices]


def test_clips_read_together_are_those_read_one_by_one(reader):
    clips = clip_set(reader)
    together, collated = clips.batch(np.array([3, 1, 2])), collate([clips[3], clips[1], clips[2]])
    assert words(collated) == words(together)
    assert len(collated.dialogues.ids) == len(together.dialogues.ids) == 2


def test_a_batch_takes_its_dialogues_to_a_device(reader):
    batch = clip_set(reader).batch(np.arange(2))
    moved = batch.to("cpu")
    assert torch.equal(moved.dialogues.ids, batch.dialogues.ids)
    assert len(batch.tensors()) == len(clip_set(reader, max_dialogue_tokens=None).batch(np.arange(2)).tensors()) + 5


def test_without_a_limit_texts_stand_alone(reader):
    assert clip_set(reader, max_dialogue_tokens=None).batch(np.arange(2)).dialogues is None
    assert clip_set(reader, max_dialogue_tokens=None)[0].dialogue is None


def test_what_the_limit_leaves_out_of_own_texts_is_told(reader):
    assert clip_set(reader).cuts() == []
    (cut,) = clip_set(reader, max_dialogue_tokens=8).cuts()
    assert str(cut) == "text: 1 clip(s) cut to 8 tokens, 2 tokens left out"
    assert words(clip_set(reader, max_dialogue_tokens=8).batch(np.array([2]))) == ["<it> bad a film"]
    assert clip_set(reader, [3], max_dialogue_tokens=8).cuts() == []


def test_limits_that_no_text_fits_are_refused(reader):
    with pytest.raises(ConfigError, match="max_dialogue_tokens must be at least 6, got 5"):
        DialogueInputConfig(max_dialogue_tokens=5, min_utterance_tokens=4)


def batch_of(clips, items):
    return clips.batch(np.asarray(items, dtype=np.int64))


def test_a_removed_text_leaves_nothing_of_its_dialogue(reader):
    batch = batch_of(without("text")(clip_set(reader)), range(5))
    assert words(batch) == [""] * 5
    assert batch.dialogues.n_tokens.tolist() == [0] * 5


def test_a_shuffled_text_comes_with_its_dialogue(reader):
    said = words(batch_of(shuffled("text", seed=1)(clip_set(reader)), range(5)))
    assert sorted(said) == sorted(EXPECTED)
    assert all(one != other for one, other in zip(said, EXPECTED, strict=True))


@pytest.mark.parametrize(("rate", "own"), [(0.0, 2), (1.0, 0)])
def test_missing_tokens_are_the_clips_own(reader, rate, own):
    (said,) = words(batch_of(missing_frames(rate)(clip_set(reader)), [1]))
    assert said.count("<") == own
    assert said.startswith("it was good bad")


def test_batches_hold_whole_recordings():
    recordings = np.repeat(np.arange(20), 5)[np.random.default_rng(0).permutation(100)]
    batches = epoch_batches(100, 10, seed=1, epoch=1, recordings=recordings)
    assert sorted(np.concatenate(batches).tolist()) == list(range(100))
    assert all(len(set(recordings[batch])) == 2 for batch in batches)
    other = epoch_batches(100, 10, seed=1, epoch=2, recordings=recordings)
    assert any(not np.array_equal(one, two) for one, two in zip(batches, other, strict=True))


def test_a_recording_stands_in_as_few_batches_as_it_can():
    recordings = np.random.default_rng(0).integers(0, 9, 50)
    batches = epoch_batches(50, 8, seed=0, epoch=1, recordings=recordings)
    in_order = recordings[np.concatenate(batches)]
    assert (np.diff(in_order) != 0).sum() == 8  # every recording begins once
