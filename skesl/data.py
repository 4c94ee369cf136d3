"""Clips as model input: tokenised once, frames read on demand, padded with masks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from mmfeat import BoolArray, DatasetReader, Float32Array
from skesl.batches import group_numbers
from skesl.buffers import Buffers
from skesl.config import Stage
from skesl.context import DialogueBatch, DialogueText, dialogue_batch
from skesl.dialogue_table import RecordingTexts
from skesl.inputs import Cut, DialogueInputConfig, InputConfig, frames_cut
from skesl.masking import MaskingConfig, TextMasker
from skesl.text import TextEncoder
from skesl.text_table import TextTable

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """One clip: ids with special tokens, frames of each stream that are valid, and what a batch holds of it."""

    clip_id: str
    ids: tuple[int, ...]
    streams: Mapping[str, npt.NDArray[Any]]
    labels: tuple[float, ...]
    mask_position: int = 0
    row: int = 0
    recording: int = 0
    side_labels: Mapping[str, float] = field(default_factory=dict)
    dialogue: DialogueText | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Clips padded to common lengths; in every mask True marks what is real.

    Args:
        clip_ids: names of the clips.
        input_ids: int64, shape (clip, token).
        text_mask: bool, shape (clip, token).
        streams: float32, shape (clip, frame, feature), for each stream; of encoded images uint8, shape (clip, frame,
            row, column, 3), red, green, blue.
        stream_masks: bool, shape (clip, frame), for each stream; a missing stream is all False.
        labels: float32, shape (clip, label): the labels of the task, or the masked word's target in pretraining.
        mask_positions: int64, shape (clip,): where the mask token stands; 0 outside pretraining.
        rows: int64, shape (clip,): place of each clip in its ``ClipSet``.
        recordings: int64, shape (clip,): number of each clip's recording in its ``ClipSet``.
        side_labels: float32, shape (clip,), of further labels by name, NaN where a clip has none.
        dialogues: the texts among those of their recordings, where they are read so.
    """

    clip_ids: tuple[str, ...]
    input_ids: Tensor
    text_mask: Tensor
    streams: dict[str, Tensor]
    stream_masks: dict[str, Tensor]
    labels: Tensor
    mask_positions: Tensor
    rows: Tensor
    recordings: Tensor
    side_labels: dict[str, Tensor] = field(default_factory=dict)
    dialogues: DialogueBatch | None = None

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Batch:
        """Return the batch on another device."""

        def move(value: Any) -> Any:
            if isinstance(value, Tensor | DialogueBatch):
                return value.to(device, non_blocking=non_blocking)
            return {name: move(item) for name, item in value.items()} if isinstance(value, dict) else value

        return replace(self, **{own.name: move(getattr(self, own.name)) for own in fields(self)})

    def tensors(self) -> list[Tensor]:
        """Return every tensor of the batch."""
        single = [self.input_ids, self.text_mask, self.labels, self.mask_positions, self.rows, self.recordings]
        several = [*self.streams.values(), *self.stream_masks.values(), *self.side_labels.values()]
        return [*single, *several, *([] if self.dialogues is None else self.dialogues.tensors())]

    def __len__(self) -> int:
        return len(self.clip_ids)


class ClipSet(Dataset[Sample]):
    """The clips of one part of a dataset, for one stage.

    In pretraining the label is the hidden word's target, and the words that are hidden at random are drawn anew in
    each epoch (``set_epoch``), from the seed, the epoch and the clip alone.

    Args:
        reader: the dataset file.
        indices: which clips.
        encoder: its tokenizer cuts the texts; None where no text is read.
        stage: pretrain hides a word, finetune does not.
        streams: names of the streams to read.
        labels: float32, shape (clip of the file, label); zeros where there are none. Pretraining reads none.
        lexicon: scores of sentiment words, for pretraining.
        max_text_tokens: length limit, special tokens included; the encoder's own limit where that is lower.
        seed: of the random words.
        inputs: how much of a clip is read.
        masking: which words are hidden in pretraining.
        side_labels: float32, shape (clip of the file,), of further labels by name, NaN where a clip has none.
    """

    def __init__(
        self,
        reader: DatasetReader,
        indices: IntArray,
        encoder: TextEncoder | None,
        *,
        stage: Stage,
        streams: Sequence[str],
        labels: Float32Array,
        lexicon: Mapping[str, float],
        max_text_tokens: int,
        seed: int = 0,
        inputs: InputConfig | None = None,
        masking: MaskingConfig | None = None,
        side_labels: Mapping[str, Float32Array] | None = None,
    ) -> None:
        self._reader = reader
        self._indices = indices
        self._streams = tuple(streams)
        self._image_streams = frozenset(name for name in self._streams if reader.info(name).codec)
        self._epoch = 0
        self._seed = seed
        self._inputs = inputs or InputConfig()
        self._table: TextTable | None = None
        if encoder is not None:
            masker = TextMasker(
                encoder,
                lexicon if stage == "pretrain" else {},
                masking or MaskingConfig(),
                max_tokens=max_text_tokens,
                inputs=self._inputs,
            )
            self._table = TextTable.build(
                (reader.texts[index] for index in indices), masker, hides_words=stage == "pretrain"
            )
        self._labels = labels[indices].astype(np.float32)
        if stage == "pretrain" and self._table is not None:
            self._labels = self._table.targets[:, None]
        self._side_labels = {name: values[indices] for name, values in (side_labels or {}).items()}
        self._recordings = group_numbers([reader.recording_ids[index] for index in indices])
        self._dialogues: RecordingTexts | None = None
        if encoder is not None and isinstance(self._inputs, DialogueInputConfig) and self._inputs.reads_dialogues:
            self._dialogues = RecordingTexts.build(reader, indices, encoder, self._inputs)

    def __len__(self) -> int:
        return int(self._indices.size)

    @property
    def reader(self) -> DatasetReader:
        """The dataset that the clips are of."""
        return self._reader

    @property
    def indices(self) -> npt.NDArray[np.int64]:
        """Place of each clip in the dataset, shape (clip,)."""
        return self._indices

    @property
    def texts(self) -> list[str]:
        """What is said in each clip."""
        return [self._reader.texts[index] for index in self._indices]

    @property
    def clip_ids(self) -> tuple[str, ...]:
        """Names of the clips."""
        return self._ids(range(len(self)))

    @property
    def modalities(self) -> tuple[str, ...]:
        """What is read of a clip: ``text``, unless its words are not read, and the names of the streams."""
        return (*(["text"] if self._inputs.reads_text else []), *self._streams)

    @property
    def labels(self) -> Float32Array:
        """Labels or target of each clip, shape (clip, label)."""
        return self._labels

    @property
    def side_labels(self) -> Mapping[str, Float32Array]:
        """Further labels by name, shape (clip,) each, NaN where a clip has none."""
        return self._side_labels

    @property
    def recordings(self) -> IntArray:
        """Number of each clip's recording, shape (clip,)."""
        return self._recordings

    @property
    def n_tokens(self) -> IntArray:
        """Length of each text with its special tokens, shape (clip,); 0 where no text is read."""
        return np.zeros(len(self), dtype=np.int64) if self._table is None else self._table.lengths

    @property
    def lengths(self) -> IntArray:
        """What makes clips similar in length, shape (clip,): tokens; where no words are read, frames of all streams."""
        if self._table is not None and self._inputs.reads_text:
            return self.n_tokens
        n_frames = [self._n_frames(name) for name in self._streams]
        return np.sum(n_frames, axis=0, dtype=np.int64) if n_frames else self.n_tokens

    @property
    def n_byte(self) -> int:
        """Bytes that the texts take in memory."""
        return sum(table.n_byte for table in (self._table, self._dialogues) if table is not None)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose random words are drawn."""
        self._epoch = epoch

    def __getitem__(self, item: int) -> Sample:
        index = int(self._indices[item])
        ids, position = self._text(item)
        return Sample(
            clip_id=self._reader.clip_ids[index],
            ids=tuple(ids.tolist()),
            streams={name: self._frames(name, index) for name in self._streams},
            labels=tuple(self._labels[item].tolist()),
            mask_position=position,
            row=item,
            recording=int(self._recordings[item]),
            side_labels={name: float(values[item]) for name, values in self._side_labels.items()},
            dialogue=None if self._dialogues is None else self._dialogues.text(item),
        )

    def batch(self, items: IntArray, buffers: Buffers | None = None) -> Batch:
        """Return clips as ``collate`` would, read together; several threads may read at once.

        Args:
            items: which clips of this set.
            buffers: memory for the frames, which the next batch read with it overwrites; new memory where None.
        """
        input_ids, text_mask, positions = self._texts(items)
        frames = {name: self._padded(name, self._indices[items], buffers) for name in self._streams}
        return Batch(
            clip_ids=self._ids(items.tolist()),
            input_ids=torch.from_numpy(input_ids),
            text_mask=torch.from_numpy(text_mask),
            streams={name: values for name, (values, _) in frames.items()},
            stream_masks={name: mask for name, (_, mask) in frames.items()},
            labels=torch.from_numpy(self._labels[items]),
            mask_positions=torch.from_numpy(positions),
            rows=torch.from_numpy(np.asarray(items, dtype=np.int64)),
            recordings=torch.from_numpy(self._recordings[items]),
            side_labels={name: torch.from_numpy(values[items]) for name, values in self._side_labels.items()},
            dialogues=None if self._dialogues is None else self._dialogues.batch(items),
        )

    def cuts(self) -> list[Cut]:
        """Return what the limits leave out, of texts and of each stream; nothing where nothing is cut."""
        frames = [frames_cut(self._reader, self._indices.tolist(), name, self._inputs) for name in self._streams]
        return [cut for cut in (self._text_cut(), *frames) if cut is not None]

    def _text_cut(self) -> Cut | None:
        if self._dialogues is not None:
            return self._dialogues.cut()
        if self._table is None:
            return None
        limit = self._table.max_tokens
        beyond = self._table.n_pieces + 2 - limit
        beyond = beyond[beyond > 0]
        if not beyond.size or not self._inputs.reads_text:
            return None
        return Cut(name="text", unit="tokens", limit=limit, n_clip=beyond.size, n_left_out=int(beyond.sum()))

    def _text(self, item: int) -> tuple[IntArray, int]:
        if self._table is None:
            return np.zeros(0, dtype=np.int64), 0
        return self._table.text(item, draw=self._draw(item))

    def _texts(self, items: IntArray) -> tuple[IntArray, BoolArray, IntArray]:
        """Return ids, shape (clip, token), where they are real, and where the masks stand."""
        if self._table is None:
            nothing = np.zeros((len(items), 1), dtype=np.int64)
            return nothing, nothing.astype(np.bool_), nothing[:, 0].copy()
        return self._table.padded(items, draw_of=lambda row: self._draw(int(items[row])))

    def _draw(self, item: int) -> tuple[int, ...]:
        """Return the numbers from which the random word of a clip is drawn."""
        return self._seed, self._epoch, int(self._indices[item])

    def _ids(self, items: Iterable[int]) -> tuple[str, ...]:
        names = self._reader.clip_ids
        return tuple(names[self._indices[item]] for item in items)

    def _padded(self, stream: str, indices: IntArray, buffers: Buffers | None) -> tuple[Tensor, Tensor]:
        """Return the frames of a stream that are read, shape (clip, frame, …), and the mask of what is real."""
        if stream in self._image_streams:
            return _pad([self._frames(stream, int(index)) for index in indices])
        batch = self._reader.read_padded(
            stream,
            indices,
            drop_invalid=not self._inputs.keep_failed_frames,
            max_frames=self._inputs.max_frames(stream),
            memory=None if buffers is None else partial(buffers.take, stream),
        )
        is_real = np.arange(batch.values.shape[1]) < batch.lengths[:, None]
        return torch.from_numpy(batch.values), torch.from_numpy(is_real)

    def _n_frames(self, stream: str) -> IntArray:
        """Return how many frames of each clip are read at most, shape (clip,)."""
        n_frames = np.diff(self._reader.offsets(stream))[self._indices]
        limit = self._inputs.image_limit if stream in self._image_streams else self._inputs.max_frames(stream)
        return n_frames if limit is None else n_frames.clip(max=limit)

    def _frames(self, stream: str, index: int) -> npt.NDArray[Any]:
        if stream in self._image_streams:
            return self._inputs.images(self._reader.read_frames(stream, index)).decode()
        return self._inputs.frames(stream, self._reader.read(stream, index))


def collate(samples: Sequence[Sample]) -> Batch:
    """Pad samples to a batch; padding is 0 and every mask is False there."""
    input_ids, text_mask = _pad([np.asarray(sample.ids, dtype=np.int64) for sample in samples])
    streams, stream_masks = {}, {}
    for name in samples[0].streams:
        streams[name], stream_masks[name] = _pad([sample.streams[name] for sample in samples])
    return Batch(
        clip_ids=tuple(sample.clip_id for sample in samples),
        input_ids=input_ids,
        text_mask=text_mask,
        streams=streams,
        stream_masks=stream_masks,
        labels=torch.tensor([sample.labels for sample in samples], dtype=torch.float32),
        mask_positions=torch.tensor([sample.mask_position for sample in samples], dtype=torch.int64),
        rows=torch.tensor([sample.row for sample in samples], dtype=torch.int64),
        recordings=torch.tensor([sample.recording for sample in samples], dtype=torch.int64),
        side_labels={
            name: torch.tensor([sample.side_labels[name] for sample in samples], dtype=torch.float32)
            for name in samples[0].side_labels
        },
        dialogues=dialogue_batch([sample.dialogue for sample in samples if sample.dialogue is not None]),
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
