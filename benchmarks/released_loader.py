"""The way in which SKESL's released code loads clips, written plainly: the reference of ``loading.py``.

All frames lie padded in memory; each clip is tokenised whenever it is asked for, and clips are stacked one by one.
Source: qianfan1996/SKESL, data_loader.py (39 tokens, 400 and 55 frames), main.py and pretrain.py (batches of 32).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from mmfeat import Float32Array

N_TOKEN, N_AUDIO_FRAME, N_VISION_FRAME = 39, 400, 55
_LAST_PLACE = 36  # beyond it the text is cut to a window around the mask


class ReleasedDataset(Dataset[tuple[Any, ...]]):
    """Padded arrays and texts; see ``released_loader`` for the arguments."""

    def __init__(
        self,
        texts: Sequence[str],
        audio: Float32Array,
        vision: Float32Array,
        labels: Sequence[float],
        tokenizer: Any,
        lexicon: Mapping[str, float] | None,
    ) -> None:
        self.texts, self.audio, self.vision, self.labels = texts, audio, vision, labels
        self.tokenizer, self.lexicon = tokenizer, lexicon

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        coded = self._coded(self.texts[index])
        ids, label, place = coded["input_ids"], self.labels[index], 0
        if self.lexicon is not None:
            ids, label, place = self._masked(self.texts[index], self.lexicon)
        return (
            ids,
            coded["token_type_ids"],
            coded["attention_mask"],
            torch.FloatTensor(self.audio[index]),
            torch.FloatTensor(self.vision[index]),
            torch.FloatTensor([label]),
            place,
        )

    def _coded(self, text: str) -> Any:
        return self.tokenizer(text, padding="max_length", truncation=True, max_length=N_TOKEN, return_tensors="pt")

    def _masked(self, text: str, lexicon: Mapping[str, float]) -> tuple[Any, float, int]:
        """Return the ids with the most sentimental piece hidden, its target, and its place."""
        pieces = self.tokenizer.tokenize(text)
        scores = [(abs(lexicon[piece]), piece) for piece in pieces if piece in lexicon]
        if scores:
            word = max(scores, key=lambda pair: pair[0])[1]
            target = round(lexicon[word] * 0.75, 3)
            pieces = ["[MASK]" if piece == word else piece for piece in pieces]
            place = pieces.index("[MASK]")
            if place > _LAST_PLACE:
                pieces, place = pieces[place - 20 : place + 19], 20
        else:
            target, place = 0.0, random.randint(0, min(len(pieces) - 1, _LAST_PLACE))
            pieces[place] = "[MASK]"
        masked = self.tokenizer.convert_tokens_to_string(pieces)
        return self._coded(masked)["input_ids"], target, place + 1


def released_loader(dataset: ReleasedDataset, batch_size: int, *, shuffle: bool = True) -> DataLoader[Any]:
    """Return the loader as the released scripts make it.

    Args:
        dataset: texts, padded arrays (clip, frame, feature), labels, tokenizer, and in pretraining the lexicon.
        batch_size: clips.
        shuffle: off for a comparison clip by clip.
    """
    return DataLoader(dataset, batch_size=batch_size, shuffle=shuffle)


def padded(clips: Sequence[Float32Array], n_frame: int) -> Float32Array:
    """Return clips of one length: zeros behind short ones, the end of long ones cut off."""
    block = np.zeros((len(clips), n_frame, clips[0].shape[1]), dtype=np.float32)
    for row, values in zip(block, clips, strict=True):
        row[: len(values)] = values[:n_frame]
    return block
