"""The same clips as other packages keep them; none is a dependency, and what is not installed is not measured."""

from __future__ import annotations

from contextlib import nullcontext
from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar

from file_layouts import BLOCK, STREAMS, Corpus, Indices, Layout, features_of

from mmfeat import Float32Array

_IN_BUFFER = 512  # clips among which webdataset shuffles


class ArrowTables(Layout):
    """Hugging Face ``datasets``: one Arrow file, one typed array of (frame, feature) a clip and stream."""

    name = "Arrow (`datasets`, `Array2D`)"
    packages: ClassVar[tuple[str, ...]] = ("datasets", "pyarrow")

    def write(self, corpus: Corpus) -> None:
        """Write all clips."""
        datasets = import_module("datasets")
        columns = {f"{stream}_times_s": datasets.List(datasets.Value("float64")) for stream in STREAMS}
        columns |= {info.name: self._column(datasets, len(info.feature_names)) for info in corpus.streams}
        path, features = str(self.folder / "clips.arrow"), datasets.Features(columns)
        writer = import_module("datasets.arrow_writer").ArrowWriter(
            path=path, features=features, writer_batch_size=BLOCK
        )
        for clip in corpus:
            rows: dict[str, Any] = {}
            for stream, frames in features_of(clip).items():
                rows |= {stream: self._rows(frames.values), f"{stream}_times_s": frames.times_s}
            writer.write(rows)
        writer.finalize()

    def open(self) -> Any:
        """Return the table, memory-mapped."""
        table = import_module("datasets").Dataset.from_file(str(self.folder / "clips.arrow"))
        return nullcontext(table.with_format("numpy"))

    def batch(self, handle: Any, indices: Indices) -> list[list[Float32Array]]:
        """Return some clips; the values are still in the file where Arrow can show them there."""
        rows = handle[indices]
        return [list(rows[stream]) for stream in STREAMS]

    def _column(self, datasets: Any, n_feature: int) -> Any:
        return datasets.Array2D((None, n_feature), "float32")

    def _rows(self, values: Float32Array) -> Float32Array:
        return values


class ArrowLists(ArrowTables):
    """The same with flat lists of values, to which a reader that knows the numbers of columns gives their shape."""

    name = "Arrow (`datasets`, flat lists, shaped by hand)"

    def batch(self, handle: Any, indices: Indices) -> list[list[Float32Array]]:
        """Return some clips; the values are still in the file."""
        rows = handle[indices]
        return [
            [
                values.reshape(len(times_s), -1)
                for values, times_s in zip(rows[name], rows[f"{name}_times_s"], strict=True)
            ]
            for name in STREAMS
        ]

    def _column(self, datasets: Any, n_feature: int) -> Any:
        return datasets.List(datasets.Value("float32"))

    def _rows(self, values: Float32Array) -> Float32Array:
        return values.reshape(-1)


class TarShards(Layout):
    """webdataset: tar files of ``BLOCK`` clips with one npy file a stream, shuffled in memory as they are read."""

    name = "webdataset"
    packages: ClassVar[tuple[str, ...]] = ("webdataset",)

    def write(self, corpus: Corpus) -> None:
        """Write all clips."""
        shards = str(self.folder / "clips-%05d.tar")
        with import_module("webdataset").ShardWriter(shards, maxcount=BLOCK, verbose=0) as sink:
            for index, clip in enumerate(corpus):
                files: dict[str, Any] = {"__key__": f"{index:08d}"}
                for stream, frames in features_of(clip).items():
                    files |= {f"{stream}.npy": frames.values, f"{stream}_times_s.npy": frames.times_s}
                sink.write(files)

    def open(self) -> Any:
        """Return an endless row of shuffled clips."""
        shards = sorted(map(str, self.folder.glob("*.tar")))
        clips = import_module("webdataset").WebDataset(shards, shardshuffle=len(shards), seed=0)
        return nullcontext(iter(clips.shuffle(_IN_BUFFER).decode().repeat()))

    def batch(self, handle: Any, indices: Indices) -> list[list[Float32Array]]:
        """Return as many clips as are asked for, whichever come next."""
        clips = [next(handle) for _ in indices]
        return [[clip[f"{stream}.npy"] for clip in clips] for stream in STREAMS]


PEERS: tuple[type[ArrowTables] | type[TarShards], ...] = (ArrowTables, ArrowLists, TarShards)


def is_installed(peer: type[ArrowTables] | type[TarShards]) -> bool:
    """Return whether the packages of a layout are there."""
    return all(find_spec(package) for package in peer.packages)


def installed_packages() -> tuple[str, ...]:
    """Return the packages whose layouts are measured."""
    return tuple(sorted({package for peer in PEERS if is_installed(peer) for package in peer.packages}))


def absent() -> str:
    """Return a sentence about what is not installed; empty where all is."""
    names = ", ".join(peer.name for peer in PEERS if not is_installed(peer))
    return names and f"Not installed, so not measured: {names}. "
