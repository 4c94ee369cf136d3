"""The spool of the words: tokens and times go to flat files while clips arrive, as frames do."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mmfeat.dataset.flat_file import FlatFile
from mmfeat.errors import SchemaError
from mmfeat.types import Words

_WORDS_PER_COPY = 65_536


class WordSpool:
    """Collects the words clip by clip.

    Args:
        folder: where the flat files are kept until ``store``.
        origin: where the words come from, as JSON values.
        counts: number of words of each clip that an interrupted run committed; what lies behind them is cut off.
    """

    def __init__(self, folder: Path, origin: Mapping[str, Any], counts: Iterable[int] = ()) -> None:
        self._origin = origin
        self._offsets = array("q", accumulate(counts, initial=0))
        self._files: list[FlatFile] = []
        try:
            self._sizes = self._open(folder / "words.sizes", np.int64, self._offsets[-1])
            # The journal counts words; how many bytes they have stands in the file of their sizes alone.
            n_byte = sum(int(block.sum()) for block in self._sizes.blocks())
            self._bytes = self._open(folder / "words.bytes", np.uint8, n_byte)
            self._intervals = self._open(folder / "words.intervals_s", np.float64, self._offsets[-1], 2)
        except SchemaError:
            self.close()
            raise

    def append(self, words: Words | None) -> int:
        """Add the words of the next clip, None where it has none; return how many bytes they have."""
        tokens = [] if words is None else [token.encode("utf-8") for token in words.tokens]
        self._offsets.append(self._offsets[-1] + len(tokens))
        if words is None:
            return 0
        n_byte = self._bytes.append(np.frombuffer(b"".join(tokens), dtype=np.uint8))
        n_byte += self._sizes.append([len(token) for token in tokens])
        return n_byte + self._intervals.append(words.intervals_s)

    def flush(self) -> None:
        """Hand all words to the operating system."""
        for file in self._files:
            file.flush()

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
        for file in self._files:
            file.close()

    def _open(self, path: Path, dtype: Any, n_row: int, width: int | None = None) -> FlatFile:
        self._files.append(FlatFile(path, dtype, n_row, width))
        return self._files[-1]

    def _tokens(self) -> Iterator[tuple[int, list[bytes]]]:
        """Yield (number of the first word, words) in blocks."""
        content = np.concatenate([np.empty(0, np.uint8), *self._bytes.blocks()]).tobytes()
        ends = np.cumsum(np.concatenate([[0], *self._sizes.blocks()]), dtype=np.int64)
        for start in range(0, len(ends) - 1, _WORDS_PER_COPY):
            places = ends[start : start + _WORDS_PER_COPY + 1].tolist()
            yield start, [content[first:last] for first, last in pairwise(places)]
