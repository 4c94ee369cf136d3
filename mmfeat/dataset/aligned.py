"""Frames word by word: the mean of the frames inside each word, computed when it is read and stored nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mmfeat.dataset.open_stream import FrameBatch
from mmfeat.errors import InputError
from mmfeat.types import BoolArray, Float32Array, Float64Array

if TYPE_CHECKING:
    from mmfeat.dataset.reader import DatasetReader

_DECIMALS = 6  # of seconds
_SLACK_S = 0.5  # of words that end behind their clip
Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class AlignedBatch:
    """One row for each word of several clips, one clip behind the other.

    Args:
        values: float32, shape (word, feature): mean of the valid frames inside the word; 0 where there is none.
        n_frame: int64, shape (word,): number of those frames.
        offsets: int64, shape (clip + 1,): clip ``i`` of the batch owns words ``offsets[i]`` to ``offsets[i + 1]``.
    """

    values: Float32Array
    n_frame: Int64Array
    offsets: Int64Array

    @property
    def valid(self) -> BoolArray:
        """Whether a word has a frame, shape (word,)."""
        return self.n_frame > 0


def read_aligned(reader: DatasetReader, stream: str, indices: Sequence[int] | npt.NDArray[np.int64]) -> AlignedBatch:
    """Return the rows of several clips; what ``DatasetReader.read_aligned`` does."""
    batch = reader.read_batch(stream, indices)
    clock = reader.info(stream).clock
    if clock == "words":
        return _one_row_a_word(batch)
    if clock:
        raise InputError(f"{reader.path}: stream {stream!r}: expected frames with times, none is known ({clock=})")
    if reader.words_origin is None:
        raise InputError(
            f"{reader.path}: expected words, the file has none; make them with mmfeat align or transcribe, and build "
            "with --transcripts"
        )
    return word_means(batch, [_on_the_clips_clock(reader, int(index)) for index in indices])


def _on_the_clips_clock(reader: DatasetReader, index: int) -> Float64Array:
    """Return start and end of the words of a clip from its own start; they are stored on its recording's clock."""
    intervals_s, start_s = reader.words(index).intervals_s, float(reader.starts_s[index])
    if not np.isnan(start_s):
        return intervals_s - start_s
    last_s = intervals_s.max(initial=0.0)
    if last_s > reader.durations_s[index] + _SLACK_S:
        raise InputError(
            f"{reader.path}: clip {reader.clip_ids[index]!r}: expected start_s, where the clip lies in the recording "
            f"on whose clock its words are, got none, and words until {last_s:.1f} s; store start_s with the clip"
        )
    return intervals_s


def _one_row_a_word(batch: FrameBatch) -> AlignedBatch:
    """Return the frames of a stream that has one for each word."""
    return AlignedBatch(values=batch.values, n_frame=batch.valid.astype(np.int64), offsets=batch.offsets)


def word_means(batch: FrameBatch, intervals_s: Sequence[Float64Array]) -> AlignedBatch:
    """Return the mean of the valid frames inside each word.

    A frame is inside a word where its centre is: ``start_s <= times_s < stop_s``, to the microsecond. A centre on the
    border of two words belongs to the later one; words that overlap share frames. Sums are float64.

    Args:
        batch: frames of several clips.
        intervals_s: of each clip start and end of its words, in seconds from the start of the clip, shape (word, 2).
    """
    # Sums and differences of decimal times are a little off: 5.16 - 5 is not 0.16, and both may be the same border.
    times_s = np.round(batch.times_s, _DECIMALS)
    rows, bounds, first = [], [], 0
    for (start, stop), words in zip(pairwise(batch.offsets.tolist()), intervals_s, strict=True):
        kept = start + np.flatnonzero(batch.valid[start:stop])
        kept = kept[np.argsort(times_s[kept], kind="stable")]
        bounds.append(first + np.searchsorted(times_s[kept], np.round(words, _DECIMALS), side="left"))
        rows.append(kept)
        first += kept.size
    edges = np.concatenate([np.empty((0, 2), dtype=np.int64), *bounds])
    n_frame = np.maximum(edges[:, 1] - edges[:, 0], 0)
    sums = _sums(batch.values[np.concatenate([np.empty(0, dtype=np.int64), *rows])], edges, n_frame)
    return AlignedBatch(
        values=(sums / np.maximum(n_frame, 1)[:, None]).astype(np.float32),
        n_frame=n_frame,
        offsets=np.cumsum([0, *(len(words) for words in intervals_s)], dtype=np.int64),
    )


def _sums(values: Float32Array, edges: Int64Array, n_frame: Int64Array) -> Float64Array:
    """Return the sum of ``values[first:stop]`` for each row of ``edges``, shape (word, feature).

    A product with a sparse matrix of ones adds row after row; ``np.add.reduceat`` gives the same sums, several times
    slower where there are many columns.
    """
    from scipy.sparse import csr_array

    ends = np.concatenate([[0], np.cumsum(n_frame)])
    frames = np.arange(ends[-1]) - np.repeat(ends[:-1] - edges[:, 0], n_frame)
    ones = csr_array((np.ones(frames.size), frames, ends), shape=(len(edges), len(values)))
    sums: Float64Array = ones @ values.astype(np.float64)
    return sums
