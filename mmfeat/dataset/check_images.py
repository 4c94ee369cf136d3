"""The rules of streams of encoded images."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import h5py
import numpy as np

from mmfeat.dataset.findings import Finding
from mmfeat.images import jpeg_size

CODECS = ("jpeg",)


def image_table_findings(path: str, stream: h5py.Group) -> Iterator[Finding]:
    """MF021 and MF022: offsets of the frames, codec and size."""
    offsets, n_byte = stream["frame_offsets"][:], stream["bytes"].shape[0]
    if offsets[0] != 0 or offsets[-1] != n_byte or (np.diff(offsets) <= 0).any():
        message = f"expected 0 … {n_byte}, each above the one before, got {offsets[0]} … {offsets[-1]}"
        yield Finding(rule="MF021", where=f"{path}/frame_offsets", message=message)
    codec, height, width = (stream.attrs[name] for name in ("codec", "height", "width"))
    if codec not in CODECS or height < 1 or width < 1:
        message = f"expected the codec {' or '.join(CODECS)} and a size above 0, got {codec!r}, {height} x {width}"
        yield Finding(rule="MF022", where=path, message=message)


def image_findings(path: str, stream: h5py.Group) -> Iterator[Finding]:
    """MF023: the first frame that is no whole JPEG file of the stated size."""
    expected = (int(stream.attrs["height"]), int(stream.attrs["width"]))
    offsets = stream["frame_offsets"][:]
    for frame, (start, end) in enumerate(pairwise(offsets)):
        size = jpeg_size(stream["bytes"][start:end].tobytes())
        if size != expected:
            got = "no whole JPEG" if size is None else f"{size[0]} x {size[1]}"
            message = f"frame {frame}: expected a JPEG of {expected[0]} x {expected[1]}, got {got}"
            yield Finding(rule="MF023", where=f"{path}/bytes", message=message)
            return
