import numpy as np
import pytest

from mmfeat import ConfigError, DatasetReader
from mmfeat.testing import write_example_dataset
from skesl import ClipSet, InputConfig, load_lexicon
from skesl.testing import tiny_text_encoder

ENCODER = tiny_text_encoder()
N_CLIP = 8  # clip i has 10 + i frames of sound and of face; the last of face is not valid, clip 1 has no face


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    with DatasetReader(write_example_dataset(tmp_path_factory.mktemp("data") / "a.h5", n_clip=N_CLIP)) as reader:
        yield reader


def clip_set(reader, stage="finetune", *, limit=64, **inputs):
    return ClipSet(
        reader,
        np.arange(N_CLIP),
        ENCODER,
        stage=stage,
        streams=("audio", "vision"),
        labels=reader.labels("sentiment").values[:, None],
        lexicon=load_lexicon(),
        max_text_tokens=limit,
        inputs=InputConfig(**inputs),
    )


def test_nothing_is_cut_by_default(reader):
    clips = clip_set(reader)

    assert clips.cuts() == []
    assert [len(clips[item].streams["audio"]) for item in range(N_CLIP)] == [10 + item for item in range(N_CLIP)]


def test_the_first_frames_are_kept_and_what_is_left_out_is_counted(reader):
    clips = clip_set(reader, max_audio_frames=13, max_vision_frames=14)

    for item in range(N_CLIP):
        audio = reader.read("audio", item)
        np.testing.assert_array_equal(clips[item].streams["audio"], audio.values[:13])
    # sound: 14 to 17 frames in clips 4 to 7; face: 15 and 16 valid ones in clips 6 and 7
    assert [str(cut) for cut in clips.cuts()] == [
        "audio: 4 clip(s) cut to 13 frames, 10 frames left out",
        "vision: 2 clip(s) cut to 14 frames, 3 frames left out",
    ]


def test_failed_frames_can_be_kept_as_they_are_stored(reader):
    kept = clip_set(reader, keep_failed_frames=True, max_vision_frames=14)
    left_out = clip_set(reader)

    assert len(kept[0].streams["vision"]) == len(left_out[0].streams["vision"]) + 1 == 10
    assert [str(cut) for cut in kept.cuts()] == ["vision: 3 clip(s) cut to 14 frames, 6 frames left out"]


@pytest.mark.parametrize("limits", [{"limit": 8}, {"max_text_tokens": 8}, {"limit": 8, "max_text_tokens": 60}])
def test_texts_are_cut_to_the_lowest_limit_and_counted(reader, limits):
    clips = clip_set(reader, **limits)

    # it was WORD , take N . and two special tokens: 9
    assert {len(clip_set(reader)[item].ids) for item in range(N_CLIP)} == {9}
    assert {len(clips[item].ids) for item in range(N_CLIP)} == {8}
    assert [str(cut) for cut in clips.cuts()] == ["text: 8 clip(s) cut to 8 tokens, 8 tokens left out"]


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_without_text_every_text_is_one_mask(reader, stage):
    clips = clip_set(reader, stage, modalities=("audio", "vision"))
    with_text = clip_set(reader, stage)

    assert len({clips[item].ids for item in range(N_CLIP)}) == 1
    assert clips[0].ids[1] == ENCODER.tokenizer.mask_token_id
    assert clips[0].mask_position == (1 if stage == "pretrain" else 0)
    assert [clips[item].labels for item in range(N_CLIP)] == [with_text[item].labels for item in range(N_CLIP)]
    assert clips.cuts() == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"modalities": ()}, "modalities: expected one or more different names"),
        ({"modalities": ("text", "text")}, "modalities: expected one or more different names"),
        ({"max_text_tokens": 2}, "max_text_tokens must be at least 3, got 2"),
        ({"max_audio_frames": 0}, "max_audio_frames must be at least 1, got 0"),
    ],
)
def test_limits_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        InputConfig(**settings)
