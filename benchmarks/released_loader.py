"""The way in which SKESL's released code loads clips, written plainly: the reference of ``loading.py``.

All frames lie padded in memory, as float64: the released scripts pad with ``np.zeros`` and store what comes of it. Each
clip is tokenised whenever it is asked for (three times in pretraining), its frames become float32 tensors then, and
torch's loader stacks the clips in the process that trains.
Source: qianfan1996/SKESL at 4a415b1, data_loader.py (39 tokens), data/*/get_*_embedding.py (400 and 55 frames, as
float64), main.py:60 and pretrain.py:51 (``DataLoader(dataset, batch_size, shuffle=True)``: no workers, nothing pinned).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from mmfeat import Float32Array, Float64Array

N_TOKEN, N_AUDIO_FRAME, N_VISION_FRAME = 39, 400, 55
_LAST_PLACE = 36  # beyond it the text is cut to a window around the mask


class ReleasedDataset(Dataset[tuple[Any, ...]]):
    """Padded arrays and texts; see ``released_loader`` for the arguments."""

    def __init__(
        self,
        texts: Sequence[str],
        audio: Float64Array,
        vision: Float64Array,
        labels: Sequence[float],
        tokenizer: Any,
        lexicon: Mapping[str, float] | None,
    ) -> None:
        self.texts, self.audio, self.vision, self.labels = texts, audio, vision, labels
        self.tokenizer, self.lexicon, self.device = tokenizer, lexicon, torch.device("cpu")

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        text, audio, vision, label = self.texts[index], self.audio[index], self.vision[index], self.labels[index]
        coded = self._coded(text)
        if self.lexicon is None:
            return self._tensors(coded["input_ids"], coded, audio, vision, label)
        ids, label, place = self._masked(text, self.lexicon)
        return (*self._tensors(ids, coded, audio, vision, label), place)

    def _tensors(self, ids: Any, coded: Any, audio: Any, vision: Any, label: float) -> tuple[Any, ...]:
        own = (ids, coded["token_type_ids"], coded["attention_mask"])
        made = (torch.FloatTensor(audio), torch.FloatTensor(vision), torch.FloatTensor([label]))
        return tuple(tensor.to(self.device) for tensor in (*own, *made))

    def _coded(self, text: str) -> Any:
        return self.tokenizer(text, padding="max_length", truncation=True, max_length=N_TOKEN, return_tensors="pt")

    def _masked(self, text: str, lexicon: Mapping[str, float]) -> tuple[Any, float, int]:
        """Return the ids with the most sentimental piece hidden, its target, and its place."""
        pieces = self.tokenizer.tokenize(text)
        words = [piece for piece in pieces if piece in lexicon]
        if words:
            word = max(words, key=lambda piece: abs(lexicon[piece]))
            target = round(lexicon[word] * 0.75, 3)
            pieces = ["[MASK]" if piece == word else piece for piece in pieces]
            place = pieces.index("[MASK]")
            if place > _LAST_PLACE:
                pieces, place = pieces[place - 20 : place + 19], 20
        else:
            target, place = 0.0, random.randint(0, min(len(pieces) - 1, _LAST_PLACE))
            pieces[place] = "[MASK]"
        masked = self.tokenizer.convert_tokens_to_string(pieces)
        ids = self.tokenizer.encode(
            masked, padding="max_length", truncation=True, max_length=N_TOKEN, return_tensors="pt"
        )
        return ids, target, place + 1


def released_loader(dataset: ReleasedDataset, batch_size: int, *, shuffle: bool = True) -> DataLoader[Any]:
    """Return the loader as the released scripts make it.

    Args:
        dataset: texts, padded arrays (clip, frame, feature), labels, tokenizer, and in pretraining the lexicon.
        batch_size: clips.
        shuffle: off for a comparison clip by clip.
    """
    return DataLoader(dataset, batch_size=batch_size, shuffle=shuffle)


def padded(clips: Sequence[Float32Array], n_frame: int) -> Float64Array:
    """Return clips of one length: zeros behind short ones, the end of long ones cut off."""
    block = np.zeros((len(clips), n_frame, clips[0].shape[1]))
    for row, values in zip(block, clips, strict=True):
        row[: len(values)] = values[:n_frame]
    return block
