"""What a trained method does when something is taken from it: the controls of ``skesl evaluate --ablate, --missing``.

- A modality is removed: no frame of a stream is real, of a text only its first and last token stay, and nothing of
  the texts around it.
- A modality is shuffled: every clip gets that of another clip of the part, so that it is well formed but says nothing
  of the clip. What a method gains from a modality is what it loses here.
- A share of frames and tokens is missing at random, or whole modalities of clips are; the texts around a clip's own
  stay as they are.

Of a method that does not read the words there is no text to take; its lone mask stays.

Nothing is trained again: removed and shuffled inputs tell what this run uses, not what could be learned without them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt

from mmfeat import Float32Array
from skesl.buffers import Buffers
from skesl.context import lone_text
from skesl.data import Batch, ClipSet, Sample, collate

TEXT = "text"

Indices = npt.NDArray[np.int64]


class ChangedClips:
    """Clips, each changed on its way.

    Args:
        clips: the clips.
        change: gets the sample and its place, returns the changed sample.
    """

    def __init__(self, clips: ClipSet, change: Callable[[Sample, int], Sample]) -> None:
        self._clips = clips
        self._change = change

    def __len__(self) -> int:
        return len(self._clips)

    def __getitem__(self, item: int) -> Sample:
        return self._change(self._clips[item], item)

    @property
    def clip_ids(self) -> tuple[str, ...]:
        """Names of the clips."""
        return self._clips.clip_ids

    @property
    def labels(self) -> Float32Array:
        """Labels of each clip, shape (clip, label)."""
        return self._clips.labels

    def batch(self, items: Indices, buffers: Buffers | None = None) -> Batch:
        """Return some of the changed clips, padded."""
        return collate([self[item] for item in items.tolist()])


def without(modality: str) -> Callable[[ClipSet], ChangedClips]:
    """Return a change that removes a modality: ``text`` or the name of a stream."""
    return lambda clips: ChangedClips(clips, lambda sample, _: _emptied(sample, modality))


def shuffled(modality: str, *, seed: int = 0) -> Callable[[ClipSet], ChangedClips]:
    """Return a change that gives every clip the modality of another clip."""

    def change(clips: ClipSet) -> ChangedClips:
        others = derangement(len(clips), seed=seed)

        def swap(sample: Sample, item: int) -> Sample:
            other = clips[int(others[item])]
            if modality == TEXT:
                return replace(sample, ids=other.ids, dialogue=other.dialogue)
            return replace(sample, streams={**sample.streams, modality: other.streams[modality]})

        return ChangedClips(clips, swap)

    return change


def missing_frames(rate: float, *, seed: int = 0) -> Callable[[ClipSet], ChangedClips]:
    """Return a change that drops each frame and each token but the first and last with probability ``rate``."""

    def drop(sample: Sample, item: int, *, reads_text: bool) -> Sample:
        rng = np.random.default_rng((seed, item))
        inner = np.asarray(sample.ids[1:-1], dtype=np.int64)
        kept = inner[(rng.random(inner.size) >= rate) | (not reads_text)].tolist()
        streams = {name: values[rng.random(len(values)) >= rate] for name, values in sample.streams.items()}
        dialogue = sample.dialogue and sample.dialogue.kept(rng.random(sample.dialogue.n_token) >= rate)
        return replace(sample, ids=(sample.ids[0], *kept, sample.ids[-1]), streams=streams, dialogue=dialogue)

    return lambda clips: ChangedClips(clips, partial(drop, reads_text=TEXT in clips.modalities))


def missing_modalities(rate: float, *, seed: int = 0) -> Callable[[ClipSet], ChangedClips]:
    """Return a change that removes each modality of each clip with probability ``rate``."""

    def drop(sample: Sample, item: int, *, modalities: Sequence[str]) -> Sample:
        rng = np.random.default_rng((seed, item))
        for modality in modalities:
            if rng.random() < rate:
                sample = _emptied(sample, modality)
        return sample

    return lambda clips: ChangedClips(clips, partial(drop, modalities=clips.modalities))


def derangement(n: int, *, seed: int) -> Indices:
    """Return for each of ``n`` places another one, every place once: a cycle through all in random order."""
    order = np.random.default_rng(seed).permutation(n)
    others = np.empty(n, dtype=np.int64)
    others[order] = np.roll(order, 1)
    return others


def _emptied(sample: Sample, modality: str) -> Sample:
    if modality == TEXT:
        ids = (sample.ids[0], sample.ids[-1])
        return replace(sample, ids=ids, dialogue=sample.dialogue and lone_text(ids))
    return replace(sample, streams={**sample.streams, modality: sample.streams[modality][:0]})
