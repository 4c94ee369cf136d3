import numpy as np
import pytest
import torch

from mmfeat import DatasetReader
from mmfeat.testing import write_example_dataset
from skesl import ClipSet, Sample, collate
from skesl.inputs import InputConfig
from skesl.lexicon import load_lexicon
from skesl.testing import tiny_text_encoder

N_CLIP = 12
ENCODER = tiny_text_encoder()


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    path = write_example_dataset(tmp_path_factory.mktemp("data") / "example.h5", n_clip=N_CLIP)
    with DatasetReader(path) as reader:
        yield reader


def clip_set(reader, indices=range(N_CLIP), *, stage="finetune", lexicon=None, max_text_tokens=64, seed=0):
    return ClipSet(
        reader,
        np.asarray(indices, dtype=np.int64),
        ENCODER,
        stage=stage,
        streams=("audio", "vision"),
        labels=reader.labels("sentiment").values[:, None],
        lexicon=load_lexicon() if lexicon is None else lexicon,
        max_text_tokens=max_text_tokens,
        seed=seed,
    )


def sample(clip_id, n_token, n_frame, *, label=0.0, mask_position=0):
    frames = np.full((n_frame, 2), 7, dtype=np.float32)
    return Sample(
        clip_id=clip_id,
        ids=tuple(range(5, 5 + n_token)),
        streams={"audio": frames},
        labels=(label,),
        mask_position=mask_position,
    )


def test_masks_mark_what_is_real_and_padding_is_0():
    batch = collate([sample("a", 4, 3), sample("b", 2, 5)])

    assert batch.text_mask.tolist() == [[True] * 4, [True] * 2 + [False] * 2]
    assert batch.stream_masks["audio"].tolist() == [[True] * 3 + [False] * 2, [True] * 5]
    assert batch.input_ids.tolist() == [[5, 6, 7, 8], [5, 6, 0, 0]]
    assert batch.streams["audio"][0].tolist() == [[7, 7]] * 3 + [[0, 0]] * 2


def test_a_batch_keeps_order_labels_and_types():
    batch = collate([sample("b", 3, 1, label=1.5, mask_position=2), sample("a", 3, 1, label=-0.5, mask_position=1)])

    assert batch.clip_ids == ("b", "a")
    assert len(batch) == 2
    assert batch.labels.tolist() == [[1.5], [-0.5]]
    assert batch.mask_positions.tolist() == [2, 1]
    assert batch.labels.dtype == batch.streams["audio"].dtype == torch.float32
    assert batch.input_ids.dtype == batch.mask_positions.dtype == torch.int64
    assert batch.text_mask.dtype == batch.stream_masks["audio"].dtype == torch.bool


def test_a_missing_stream_is_all_false_and_has_one_empty_step():
    beside = collate([sample("a", 2, 0), sample("b", 2, 3)])
    alone = collate([sample("a", 2, 0)])

    assert beside.stream_masks["audio"].tolist() == [[False] * 3, [True] * 3]
    assert alone.stream_masks["audio"].tolist() == [[False]]
    assert alone.streams["audio"].tolist() == [[[0, 0]]]


def test_a_batch_of_one_keeps_its_dimensions():
    batch = collate([sample("a", 4, 3)])

    assert batch.input_ids.shape == (1, 4)
    assert batch.streams["audio"].shape == (1, 3, 2)
    assert batch.labels.shape == (1, 1)
    assert batch.mask_positions.shape == batch.rows.shape == batch.recordings.shape == (1,)


def test_moving_a_batch_moves_every_tensor():
    moved = collate([sample("a", 4, 3)]).to("meta")

    tensors = [moved.input_ids, moved.text_mask, moved.labels, moved.mask_positions]
    tensors += [*moved.streams.values(), *moved.stream_masks.values()]
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert moved.clip_ids == ("a",)


def test_only_valid_frames_reach_the_model(reader):
    clips = clip_set(reader)

    for index in range(N_CLIP):
        for stream in ("audio", "vision"):
            features = reader.read(stream, index)
            assert np.array_equal(clips[index].streams[stream], features.values[features.valid])
    assert len(clips[0].streams["vision"]) == reader.read("vision", 0).n_frame - 1  # the last frame has no face
    assert clips[1].streams["vision"].shape[0] == 0  # clip 1 has no face at all


def test_clips_carry_their_own_id_text_and_label_in_any_order(reader):
    forwards = {clip.clip_id: clip for clip in map(clip_set(reader).__getitem__, range(N_CLIP))}
    clips = clip_set(reader, [7, 2, 5])

    assert [clips[item].clip_id for item in range(len(clips))] == [reader.clip_ids[index] for index in (7, 2, 5)]
    for item in range(len(clips)):
        expected = forwards[clips[item].clip_id]
        assert clips[item].ids == expected.ids
        assert clips[item].labels == expected.labels
        assert np.array_equal(clips[item].streams["audio"], expected.streams["audio"])


def test_fine_tuning_hides_nothing(reader):
    clips = clip_set(reader)

    for index in range(N_CLIP):
        assert ENCODER.tokenizer.mask_token_id not in clips[index].ids
        assert clips[index].mask_position == 0
        assert clips[index].labels == (reader.labels("sentiment").values[index],)


def test_pretraining_hides_the_sentiment_word_and_not_the_label(reader):
    clips, lexicon = clip_set(reader, stage="pretrain"), load_lexicon()

    targets = {"terrible": 0.75 * lexicon["terrible"], "wonderful": 0.75 * lexicon["wonderful"], "ordinary": 0.0}
    for index in range(N_CLIP):
        word = reader.texts[index].split()[2].strip(",")
        assert clips[index].ids[clips[index].mask_position] == ENCODER.tokenizer.mask_token_id
        assert clips[index].labels == (np.float32(targets[word]),)


def random_words(reader, *, epoch, seed=0, indices=range(N_CLIP)):
    """Return which word is hidden in each clip when none is in the lexicon."""
    clips = clip_set(reader, indices, stage="pretrain", lexicon={}, seed=seed)
    clips.set_epoch(epoch)
    return {clips[item].clip_id: clips[item].mask_position for item in range(len(clips))}


def test_random_words_are_the_same_for_equal_seed_and_epoch(reader):
    assert random_words(reader, epoch=3, seed=1) == random_words(reader, epoch=3, seed=1)


def test_random_words_differ_between_epochs_and_seeds(reader):
    drawn = [random_words(reader, epoch=epoch, seed=seed) for epoch in (1, 2, 3) for seed in (0, 1)]

    assert len({tuple(words.values()) for words in drawn}) == 6


def test_a_random_word_depends_on_its_clip_and_not_on_the_others(reader):
    chosen = [9, 4, 0]
    alone = random_words(reader, epoch=1, indices=chosen)

    everywhere = random_words(reader, epoch=1)
    assert alone == {reader.clip_ids[index]: everywhere[reader.clip_ids[index]] for index in chosen}


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
@pytest.mark.parametrize("max_text_tokens", [3, 5])
def test_texts_are_cut_to_the_limit(reader, stage, max_text_tokens):
    clips = clip_set(reader, stage=stage, max_text_tokens=max_text_tokens)

    assert {len(clips[index].ids) for index in range(N_CLIP)} == {max_text_tokens}


def test_texts_are_cut_to_what_the_encoder_can_read(reader, monkeypatch):
    monkeypatch.setattr(ENCODER.model.config, "max_position_embeddings", 4)
    clips = clip_set(reader, max_text_tokens=1000)

    assert {len(clips[index].ids) for index in range(N_CLIP)} == {4}


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
@pytest.mark.parametrize("items", [[0], [1], [1, 1], [5, 0, 11], list(range(N_CLIP))])
def test_a_batch_read_in_one_go_is_the_one_of_its_clips_one_by_one(reader, stage, items):
    clips = clip_set(reader, stage=stage)  # clip 1 has no face

    batch, expected = clips.batch(np.array(items)), collate([clips[item] for item in items])

    assert batch.clip_ids == expected.clip_ids
    for name in ("input_ids", "text_mask", "labels", "mask_positions"):
        torch.testing.assert_close(getattr(batch, name), getattr(expected, name), rtol=0, atol=0)
    for name in ("audio", "vision"):
        torch.testing.assert_close(batch.streams[name], expected.streams[name], rtol=0, atol=0)
        torch.testing.assert_close(batch.stream_masks[name], expected.stream_masks[name], rtol=0, atol=0)
        assert batch.streams[name].is_contiguous()


def test_clips_are_as_long_as_their_texts_or_where_none_is_read_as_their_frames(reader):
    with_text = clip_set(reader)
    of_sound = InputConfig(modalities=("audio",), max_audio_frames=12)
    sound, both = (
        ClipSet(
            reader,
            np.arange(N_CLIP),
            encoder,
            stage="finetune",
            streams=streams,
            labels=reader.labels("sentiment").values[:, None],
            lexicon={},
            max_text_tokens=64,
            inputs=inputs,
        )
        for encoder, streams, inputs in ((ENCODER, ("audio",), of_sound), (None, ("audio", "vision"), None))
    )

    assert with_text.lengths.tolist() == with_text.n_tokens.tolist()
    n_audio, n_vision = (np.diff(reader.offsets(stream)) for stream in ("audio", "vision"))
    assert sound.lengths.tolist() == n_audio.clip(max=12).tolist()
    assert both.lengths.tolist() == (n_audio + n_vision).tolist()
