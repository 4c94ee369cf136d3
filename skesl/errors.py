"""Errors of the training half; they hang in the tree of ``mmfeat.errors``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mmfeat.errors import MissingExtraError, MmfeatError

_TRAIN_PACKAGES = ("accelerate", "safetensors", "sklearn", "torch", "transformers", "vaderSentiment")


class MethodError(MmfeatError):
    """A method was asked for a stage, a stream or a label that it does not have."""


class CheckpointError(MmfeatError):
    """A run folder is incomplete, or does not fit the data or the method."""


@contextmanager
def check_train_extra() -> Iterator[None]:
    """Turn the ImportError of a package of the extra ``train`` into a ``MissingExtraError``."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _TRAIN_PACKAGES:
            raise
        raise MissingExtraError(package, extra="train", purpose="training and evaluating with skesl") from error
