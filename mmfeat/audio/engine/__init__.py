"""The fast audio engine: librosa's pitch, MFCC and chroma at a hundred times its speed.

Pure functions on numpy arrays; kernels are compiled by numba on first use, cached, and run without the GIL. Nothing
here is imported before it is used, so that importing the package costs no compiler.

The clip is always float32 of one dimension; every result has ``1 + n_samples // hop_length`` frames.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mmfeat.audio.engine.settings import FEATURES, Settings, reason_unsupported, supports

if TYPE_CHECKING:
    from mmfeat.audio.engine.cepstrum import mfcc
    from mmfeat.audio.engine.chroma import chroma_cqt
    from mmfeat.audio.engine.extraction import compile_kernels, extract
    from mmfeat.audio.engine.mel import logmel
    from mmfeat.audio.engine.pitch import pyin
    from mmfeat.audio.engine.tuning import estimate_tuning
    from mmfeat.audio.engine.zero_crossings import zero_crossing_rate

__all__ = [
    "FEATURES",
    "Settings",
    "chroma_cqt",
    "compile_kernels",
    "estimate_tuning",
    "extract",
    "logmel",
    "mfcc",
    "pyin",
    "reason_unsupported",
    "supports",
    "zero_crossing_rate",
]

_MODULES = {
    "chroma_cqt": "chroma",
    "compile_kernels": "extraction",
    "estimate_tuning": "tuning",
    "extract": "extraction",
    "logmel": "mel",
    "mfcc": "cepstrum",
    "pyin": "pitch",
    "zero_crossing_rate": "zero_crossings",
}


def __getattr__(name: str) -> Any:
    """Return a function of the engine, importing its module."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
