"""Which frames a method attends to, whatever the method is: softmaxes over frames are noted while it predicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from mmfeat import FrameFeatures
from skesl.data import Batch
from skesl.inputs import InputConfig
from skesl.measures import Values
from skesl.methods import Method

_SOFTMAXES = (torch.softmax, Tensor.softmax, torch.nn.functional.softmax)


class _Softmaxes(TorchFunctionMode):
    """Notes what every softmax returns."""

    def __init__(self) -> None:
        self.found: list[Tensor] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in _SOFTMAXES:
            self.found.append(result)
        return result


def attention_over_frames(method: Method, batch: Batch) -> dict[str, Values]:
    """Return for each stream how much a clip's text attends to each frame, on average over tokens, heads and layers.

    Every stream is padded to a length of its own, which changes no prediction, so that a softmax over so many places
    is known to be one over this stream. Softmaxes inside fused kernels are not seen.

    Args:
        method: in evaluation mode.
        batch: one clip.

    Returns:
        float64, shape (frame,), sums to 1, for each stream that was attended to; empty where nothing was seen.
    """
    n_frames = {name: int(mask.sum()) for name, mask in batch.stream_masks.items()}
    padded, lengths = _with_own_lengths(batch)
    with torch.inference_mode(), _Softmaxes() as softmaxes:
        method.predict(padded)
    attention = {}
    for name, length in lengths.items():
        # a method may add one place of its own, for what is not there
        seen = [found for found in softmaxes.found if found.ndim >= 2 and found.shape[-1] in (length, length + 1)]
        if seen and n_frames[name]:
            weights = torch.stack([found.double().flatten(0, -2).mean(dim=0)[: n_frames[name]] for found in seen])
            mean = weights.mean(dim=0).cpu().numpy()
            attention[name] = mean / mean.sum()
    return attention


def _with_own_lengths(batch: Batch) -> tuple[Batch, dict[str, int]]:
    """Return the batch with padding behind the frames, and the length of each stream, unlike any other by 2 or more."""
    taken = {batch.input_ids.shape[1]}
    streams, masks, lengths = {}, {}, {}
    for name, values in batch.streams.items():
        length = values.shape[1]
        while any(abs(length - other) <= 1 for other in taken):
            length += 1
        n_padding = length - values.shape[1]
        streams[name] = torch.nn.functional.pad(values, (0, 0, 0, n_padding))
        masks[name] = torch.nn.functional.pad(batch.stream_masks[name], (0, n_padding))
        lengths[name] = length
        taken.add(length)
    return replace(batch, streams=streams, stream_masks=masks), lengths


def attention_over_time(
    streams: Mapping[str, FrameFeatures], inputs: InputConfig, weights: Mapping[str, Values]
) -> dict[str, tuple[Values, Values]]:
    """Return the times of the frames that a method reads, and their weights, for each stream.

    Args:
        streams: the frames of one clip; streams that are not here are left out.
        inputs: which frames of a clip the method reads.
        weights: weight of each of these frames, for each stream.
    """
    return {
        name: (streams[name].times_s[inputs.kept(name, streams[name])], values)
        for name, values in weights.items()
        if name in streams
    }
