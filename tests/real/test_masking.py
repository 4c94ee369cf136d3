"""Real sentences, MOSI's 2,199: every one can be masked, by our rules and by the released ones."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from skesl import MaskingConfig, load_lexicon, load_text_encoder
from skesl.masking import TextMasker

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif("MMFEAT_REAL_DATA" not in os.environ, reason="MMFEAT_REAL_DATA names no folder of real clips"),
]
RELEASED = MaskingConfig(matching="word_piece", hidden_occurrences="all", attend_as_unmasked=True)


@pytest.fixture(scope="module")
def encoder():
    return load_text_encoder("minilm-l6")  # its tokenizer is that of bert-base-uncased


@pytest.fixture(scope="module")
def texts():
    with (Path(os.environ["MMFEAT_REAL_DATA"]) / "mosi" / "MOSI-label.csv").open(encoding="utf-8") as file:
        return [row["text"] for row in csv.DictReader(file)]


@pytest.mark.parametrize(
    ("config", "n_beside"), [(MaskingConfig(), 0), (MaskingConfig(hidden_occurrences="all"), 0), (RELEASED, 1)]
)
def test_every_sentence_is_masked_within_the_released_limit(encoder, texts, config, n_beside):
    masker = TextMasker(encoder, load_lexicon(), config, max_tokens=39)
    prepared = masker.prepare(texts)
    masked = [masker.mask(text, np.random.default_rng(row)) for row, text in enumerate(prepared)]

    assert len(texts) == 2_199
    assert max(len(text.ids) for text in masked) == 39
    # as released, one sentence becomes other pieces on its way through text, and its mask moves by one
    assert sum(text.ids[text.position] != encoder.tokenizer.mask_token_id for text in masked) == n_beside
    neutral = np.mean([not text.words for text in prepared])
    assert neutral == pytest.approx(0.218, abs=0.001)
    assert all(-2.925 <= text.target <= 2.55 for text in masked)
