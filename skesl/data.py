"""Clips as model input: tokenised once, frames read on demand, a whole batch at a time, padded with masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from mmfeat import DatasetReader, Float32Array
from skesl.config import Stage
from skesl.lexicon import find_sentiment_words
from skesl.masking import SpecialTokens, mask_sentiment_word, plain_ids
from skesl.text import TextEncoder, tokenise


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """One clip: ids with special tokens, frames of each stream that are valid, target, mask position."""

    clip_id: str
    ids: tuple[int, ...]
    streams: Mapping[str, Float32Array]
    label: float
    mask_position: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Clips padded to common lengths; in every mask True marks what is real.

    Args:
        clip_ids: names of the clips.
        input_ids: int64, shape (clip, token).
        text_mask: bool, shape (clip, token).
        streams: float32, shape (clip, frame, feature), for each stream.
        stream_masks: bool, shape (clip, frame), for each stream; a missing stream is all False.
        labels: float32, shape (clip,): the clip's label, or the masked word's target in pretraining.
        mask_positions: int64, shape (clip,): where the mask token stands; 0 outside pretraining.
    """

    clip_ids: tuple[str, ...]
    input_ids: Tensor
    text_mask: Tensor
    streams: dict[str, Tensor]
    stream_masks: dict[str, Tensor]
    labels: Tensor
    mask_positions: Tensor

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Batch:
        """Return the batch on another device."""

        def move(value: Any) -> Any:
            if isinstance(value, Tensor):
                return value.to(device, non_blocking=non_blocking)
            return {name: move(item) for name, item in value.items()} if isinstance(value, dict) else value

        return replace(self, **{field.name: move(getattr(self, field.name)) for field in fields(self)})

    def __len__(self) -> int:
        return len(self.clip_ids)


class ClipSet(Dataset[Sample]):
    """The clips of one part of a dataset, for one stage.

    In pretraining the label is the hidden word's target, and the words that are hidden at random are drawn anew in
    each epoch (``set_epoch``), from the seed, the epoch and the clip alone.

    Args:
        reader: the dataset file.
        indices: which clips.
        encoder: its tokenizer cuts the texts.
        stage: pretrain hides a word, finetune does not.
        streams: names of the streams to read.
        labels: float32, shape (clip of the file,); zeros where there are none.
        lexicon: scores of sentiment words, for pretraining.
        max_text_tokens: length limit, special tokens included; the encoder's own limit where that is lower.
        seed: of the random words.
    """

    def __init__(
        self,
        reader: DatasetReader,
        indices: npt.NDArray[np.int64],
        encoder: TextEncoder,
        *,
        stage: Stage,
        streams: Sequence[str],
        labels: Float32Array,
        lexicon: Mapping[str, float],
        max_text_tokens: int,
        seed: int = 0,
    ) -> None:
        self._reader = reader
        self._indices = indices
        self._stage = stage
        self._streams = tuple(streams)
        self._labels = labels
        self._max_text_tokens = min(max_text_tokens, encoder.max_tokens)
        self._seed = seed
        self._epoch = 0
        self._special = special_tokens(encoder)
        texts = [reader.texts[index] for index in indices]
        self._texts = tokenise(encoder, texts)
        self._words = [find_sentiment_words(text, lexicon) if stage == "pretrain" else [] for text in texts]

    def __len__(self) -> int:
        return int(self._indices.size)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose random words are drawn."""
        self._epoch = epoch

    def __getitem__(self, item: int) -> Sample:
        index = int(self._indices[item])
        ids, position, label = self._masked(item, index)
        return Sample(
            clip_id=self._reader.clip_ids[index],
            ids=ids,
            streams={name: self._valid_frames(name, index) for name in self._streams},
            label=label,
            mask_position=position,
        )

    def __getitems__(self, items: Sequence[int]) -> Batch:
        """Return several clips as a batch: what torch's loader asks for, and ``collate`` then leaves as it is.

        The same as ``collate`` of the clips one by one, read several times faster.
        """
        indices = self._indices[np.asarray(items, dtype=np.int64)]
        texts = [self._masked(item, int(index)) for item, index in zip(items, indices, strict=True)]
        padded = {name: self._reader.read_padded(name, indices, drop_invalid=True) for name in self._streams}
        ids, positions, labels = zip(*texts, strict=True)
        return _batch(
            [self._reader.clip_ids[index] for index in indices],
            ids,
            labels,
            positions,
            {name: (torch.from_numpy(batch.values), torch.from_numpy(batch.mask)) for name, batch in padded.items()},
        )

    def _masked(self, item: int, index: int) -> tuple[tuple[int, ...], int, float]:
        text = self._texts[item]
        if self._stage == "finetune":
            return (
                plain_ids(text, self._special, max_tokens=self._max_text_tokens),
                0,
                float(self._labels[index]),
            )
        rng = np.random.default_rng((self._seed, self._epoch, index))
        masked = mask_sentiment_word(text, self._words[item], self._special, max_tokens=self._max_text_tokens, rng=rng)
        return masked.ids, masked.position, masked.target

    def _valid_frames(self, stream: str, index: int) -> Float32Array:
        features = self._reader.read(stream, index)
        return features.values[features.valid]


def special_tokens(encoder: TextEncoder) -> SpecialTokens:
    """Return the encoder's start, end and mask ids."""
    tokenizer = encoder.tokenizer
    return SpecialTokens(start=tokenizer.cls_token_id, end=tokenizer.sep_token_id, mask=tokenizer.mask_token_id)


def collate(samples: Sequence[Sample] | Batch) -> Batch:
    """Pad samples to a batch; padding is 0 and every mask is False there. A batch stays as it is."""
    if isinstance(samples, Batch):
        return samples
    return _batch(
        [sample.clip_id for sample in samples],
        [sample.ids for sample in samples],
        [sample.label for sample in samples],
        [sample.mask_position for sample in samples],
        {name: _pad([sample.streams[name] for sample in samples]) for name in samples[0].streams},
    )


def _batch(
    clip_ids: Sequence[str],
    ids: Sequence[Sequence[int]],
    labels: Sequence[float],
    mask_positions: Sequence[int],
    streams: Mapping[str, tuple[Tensor, Tensor]],
) -> Batch:
    """Return a batch of padded streams, each with its mask."""
    input_ids, text_mask = _pad([np.asarray(tokens, dtype=np.int64) for tokens in ids])
    return Batch(
        clip_ids=tuple(clip_ids),
        input_ids=input_ids,
        text_mask=text_mask,
        streams={name: values for name, (values, _) in streams.items()},
        stream_masks={name: mask for name, (_, mask) in streams.items()},
        labels=torch.tensor(labels, dtype=torch.float32),
        mask_positions=torch.tensor(mask_positions, dtype=torch.int64),
    )


def _pad(sequences: Sequence[npt.NDArray[Any]]) -> tuple[Tensor, Tensor]:
    """Return sequences padded at the end with 0 to one length (at least 1), and the mask of what is real."""
    lengths = [len(sequence) for sequence in sequences]
    shape = (len(sequences), max(1, *lengths), *sequences[0].shape[1:])
    padded = np.zeros(shape, dtype=sequences[0].dtype)
    for row, sequence in enumerate(sequences):
        padded[row, : len(sequence)] = sequence
    mask = np.arange(shape[1]) < np.asarray(lengths)[:, None]
    return torch.from_numpy(padded), torch.from_numpy(mask)
