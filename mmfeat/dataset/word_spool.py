"""The spool of the words: tokens and times go to flat files while clips arrive, as frames do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mmfeat.dataset.spool import FlatFile
from mmfeat.types import Words

_WORDS_PER_COPY = 65_536


class WordSpool:
    """Collects the words clip by clip.

    Args:
        folder: where the flat files are kept until ``store``.
        origin: where the words come from, as JSON values.
    """

    def __init__(self, folder: Path, origin: Mapping[str, Any]) -> None:
        self._origin = origin
        self._offsets = [0]
        self._bytes = FlatFile(folder / "words.bytes", np.uint8, 0)
        self._sizes = FlatFile(folder / "words.sizes", np.int64, 0)
        self._intervals = FlatFile(folder / "words.intervals_s", np.float64, 0, 2)

    def append(self, words: Words | None) -> None:
        """Add the words of the next clip, None where it has none."""
        tokens = [] if words is None else [token.encode("utf-8") for token in words.tokens]
        self._offsets.append(self._offsets[-1] + len(tokens))
        if words is not None:
            self._bytes.append(np.frombuffer(b"".join(tokens), dtype=np.uint8))
            self._sizes.append([len(token) for token in tokens])
            self._intervals.append(words.intervals_s)

    def store(self, group: h5py.Group) -> None:
        """Copy the words into datasets of ``group``."""
        n_word = self._offsets[-1]
        group.attrs["config"] = json.dumps(self._origin, sort_keys=True)
        tokens = group.create_dataset("token", shape=(n_word,), dtype=h5py.string_dtype("utf-8"))
        for start, block in self._tokens():
            tokens[start : start + len(block)] = block
        for column, name in enumerate(("start_s", "end_s")):
            blocks = [block[:, column] for block in self._intervals.blocks()]
            group[name] = np.concatenate([np.empty(0), *blocks])
        group["offsets"] = np.asarray(self._offsets, dtype=np.int64)

    def close(self) -> None:
        """Close the flat files."""
        for file in (self._bytes, self._sizes, self._intervals):
            file.close()

    def _tokens(self) -> Iterator[tuple[int, list[bytes]]]:
        """Yield (number of the first word, words) in blocks."""
        content = np.concatenate([np.empty(0, np.uint8), *self._bytes.blocks()]).tobytes()
        ends = np.cumsum(np.concatenate([[0], *self._sizes.blocks()]), dtype=np.int64)
        for start in range(0, len(ends) - 1, _WORDS_PER_COPY):
            places = ends[start : start + _WORDS_PER_COPY + 1].tolist()
            yield start, [content[first:last] for first, last in pairwise(places)]
