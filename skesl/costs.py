"""What a training will cost, before anything is trained: parameters, multiplications, memory, steps.

The method runs on tensors that have a shape and no values; no weights are read and no memory is taken.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import AutoModel

from mmfeat import DatasetReader, InputError, Split, StreamInfo
from mmfeat.errors import ConfigError
from skesl.config import Stage, TrainConfig
from skesl.data import Batch
from skesl.inputs import InputConfig
from skesl.methods import Method, find_method
from skesl.normalise import normaliser_of
from skesl.parts import parameters_by_part
from skesl.selection import choose_labels, labelled_clips, pretraining_clips, task_of
from skesl.task import Task
from skesl.text import text_encoder_config

# What SKESL was published with (ACL 2023 Findings, section 4.1; the lengths are the released code's).
N_FEATURE = {"audio": 33, "vision": 709}
N_FRAME = {"audio": 400, "vision": 55}
_BYTES = 4  # float32
FrameShapes = Mapping[str, tuple[int, ...]]  # of one frame of each stream: (feature,), or (row, column, 3) of images


@dataclass(frozen=True, kw_only=True)
class InputShape:
    """Lengths of one clip; of streams that are not named, what the method's settings say, or SKESL's released code."""

    n_tokens: int = 39  # special tokens included
    n_frames: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class DataEstimate:
    """What one dataset means for training.

    Args:
        file_bytes: size of the file.
        clips: for each stage, the clips that are trained on.
        steps_per_epoch: for each stage.
        bytes_per_epoch: for each stage, what is read of the streams within their limits of frames, as if no frame had
            failed; of encoded images all are read.
        unusable: for each other stage, why it cannot be trained on these data.
    """

    file_bytes: int
    clips: dict[str, int]
    steps_per_epoch: dict[str, int]
    bytes_per_epoch: dict[str, int]
    unusable: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Costs of a method.

    Args:
        method: its name.
        text_encoder: its text encoder's name.
        parameters: of the whole method, the text encoder with its pooler included; not of what only training needs.
        parameters_by_part: the same for each part; see ``skesl.parts``.
        trainable_parameters: for each stage.
        linear_macs: multiplications of the linear maps for one prediction, as the equations have them.
        memory_bytes: for each stage, of weights, gradients, Adam's state and what is kept of a batch for its gradients;
            float32, without what the framework takes for itself.
        batch_size: clips, for ``memory_bytes`` and steps; for each stage.
        shape: lengths, for ``linear_macs`` and ``memory_bytes``.
        data: about the dataset, where one was given.
    """

    method: str
    text_encoder: str
    parameters: int
    parameters_by_part: dict[str, int]
    trainable_parameters: dict[str, int]
    linear_macs: int
    memory_bytes: dict[str, dict[str, int]]
    batch_size: dict[str, int]
    shape: InputShape
    data: DataEstimate | None

    def to_json(self) -> str:
        """Return all numbers as JSON."""
        return json.dumps(asdict(self), indent=2)

    def summary(self) -> str:
        """Return lines to read."""
        frames = ", ".join(f"{n_frame} {name} frames" for name, n_frame in self.shape.n_frames.items())
        lines = [
            f"{self.method} on {self.text_encoder}: {self.parameters:,} parameters, {self.linear_macs / 1e9:.3f} G "
            f"multiplications in linear maps for one clip ({self.shape.n_tokens} tokens, {frames})"
        ]
        for stage, n_trained in self.trainable_parameters.items():
            memory = sum(self.memory_bytes[stage].values()) / 2**30
            lines.append(
                f"{stage:<9} {n_trained:,} parameters are trained; about {memory:.2f} GiB with "
                f"{self.batch_size[stage]} clips a batch"
            )
        if self.data is not None:
            lines.append(f"data      {self.data.file_bytes / 2**20:,.1f} MiB")
            lines += [
                f"{stage:<9} {self.data.clips[stage]:,} clips, {n_step:,} steps an epoch, "
                f"{self.data.bytes_per_epoch[stage] / 2**20:,.1f} MiB read"
                for stage, n_step in self.data.steps_per_epoch.items()
            ]
            lines += [f"{stage:<9} {reason}" for stage, reason in self.data.unusable.items()]
        return "\n".join(lines)


def estimate(
    method: str,
    config: Any,
    *,
    text_encoder: str = "bert-base",
    data: Path | None = None,
    train: TrainConfig | Mapping[Stage, TrainConfig] | None = None,
    shape: InputShape | None = None,
    labels: Sequence[str] = (),
    scheme: str = "default",
    n_features: Mapping[str, int] | None = None,
) -> Estimate:
    """Return what a method costs.

    Args:
        method: its name.
        config: its settings, an instance of its ``config_type``.
        text_encoder: ``bert-base``, ``bert-large`` (as published), or as ``load_text_encoder`` takes it; its weights
            are not read.
        data: a dataset file, whose features are taken.
        train: batch size and accumulated batches are taken from it; of all stages, or of each.
        shape: lengths of a clip; those of SKESL's released code where None.
        labels: to be learned; may be empty where the file has exactly one.
        scheme: split scheme.
        n_features: of each stream, where there is no dataset file; SKESL's 33 and 709 where None.

    Raises:
        InputError: no such text encoder, or the file cannot be read.
        ConfigError: the method uses streams whose features are only known from a dataset.
        MethodError: no such method, or it cannot be made.
    """
    method_type, shape = find_method(method), shape or InputShape()
    given: Mapping[Stage, TrainConfig] = (
        dict.fromkeys(method_type.stages, train) if isinstance(train, TrainConfig) else train or {}
    )
    trains = {stage: given.get(stage, TrainConfig()) for stage in method_type.stages}
    if data is None:
        return _estimate(
            method_type,
            config,
            text_encoder,
            _published(method_type, config, n_features or N_FEATURE),
            trains,
            shape,
            None,
            method_type.example_task(),
        )
    with DatasetReader(data) as reader:
        streams = [name for name in method_type.used_streams(config) if name in reader.stream_names]
        n_feature = {name: _frame_shape(reader.info(name)) for name in streams}
        task = _task_of_data(reader, method_type, labels)
        of_data = partial(_of_data, reader, method_type, n_feature, trains, labels, scheme)
        return _estimate(method_type, config, text_encoder, n_feature, trains, shape, of_data, task)


def _task_of_data(reader: DatasetReader, method_type: type[Method], labels: Sequence[str]) -> Task:
    """Return what the labels of a dataset ask for; an example where it does not have them."""
    try:
        return task_of(reader, choose_labels(reader, labels))
    except InputError:
        return method_type.example_task()


def _frame_shape(info: StreamInfo) -> tuple[int, ...]:
    """Return the shape of one frame: its features, or rows, columns and colours of an image."""
    return (info.height, info.width, 3) if info.codec else (len(info.feature_names),)


def _published(method_type: type[Method], config: Any, known: Mapping[str, int]) -> FrameShapes:
    streams, own = method_type.used_streams(config), method_type.usual_shapes(config)
    unknown = [name for name in streams if name not in own and name not in known]
    if unknown:
        raise ConfigError(
            f"method {method_type.name!r}: the features of {unknown[0]!r} are unknown; pass a dataset file"
        )
    return {name: own[name][1:] if name in own else (known[name],) for name in streams}


def _estimate(
    method_type: type[Method],
    config: Any,
    text_encoder: str,
    n_feature: FrameShapes,
    trains: Mapping[Stage, TrainConfig],
    shape: InputShape,
    of_data: Callable[[InputConfig], DataEstimate] | None,
    task: Task,
) -> Estimate:
    own = {name: sizes[0] for name, sizes in method_type.usual_shapes(config).items()}
    n_frames = {**N_FRAME, **own, **shape.n_frames}
    shape = InputShape(n_tokens=shape.n_tokens, n_frames={name: n_frames[name] for name in n_feature})
    encoder_config = text_encoder_config(text_encoder) if method_type.needs_text_encoder else None
    with FakeTensorMode():
        method = method_type(
            config,
            text_encoder=nn.Module() if encoder_config is None else AutoModel.from_config(encoder_config),
            text_width=0 if encoder_config is None else encoder_config.hidden_size,
            normalisers={
                name: normaliser_of(map(str, range(sizes[0])), codec="jpeg" if len(sizes) > 1 else "")
                for name, sizes in n_feature.items()
            },
            task=task,
        )
        trainable: dict[str, int] = {}
        memory: dict[str, dict[str, int]] = {}
        for stage in method_type.stages:
            method.start_stage(stage)
            trainable[stage] = _n_parameter(method, trained_only=True)
            n_label = len(task.labels) if stage == "finetune" else 1
            memory[stage] = _memory(method, stage, _batch(trains[stage].batch_size, shape, n_feature, n_label=n_label))
        found = Estimate(
            method=method.name,
            text_encoder=text_encoder if method_type.needs_text_encoder else "no text encoder",
            parameters=_n_parameter(method) - _n_parameter(_only_trained_with(method)),
            parameters_by_part={
                name: n
                for name, n in parameters_by_part(method).items()
                if name.partition(".")[0] not in method.training_only
            },
            trainable_parameters=trainable,
            linear_macs=count_linear_macs(method, _batch(1, shape, n_feature, n_label=len(task.labels))),
            memory_bytes=memory,
            batch_size={stage: train.batch_size for stage, train in trains.items()},
            shape=shape,
            data=None,
        )
    return found if of_data is None else replace(found, data=of_data(method.inputs))


def count_linear_macs(method: Method, batch: Batch) -> int:
    """Return the multiplications of all linear maps in one prediction.

    A module whose ``linear_macs`` takes what its ``forward`` takes counts for itself and for what is inside it.
    """
    counting = [module for module in method.modules() if hasattr(module, "linear_macs")]
    inner = {id(part) for module in counting for part in module.modules() if part is not module}
    n_mac = 0

    def add(module: nn.Module, inputs: tuple[Any, ...], _output: Any) -> None:
        nonlocal n_mac
        if isinstance(module, nn.Linear):
            n_mac += inputs[0].numel() * module.out_features
        else:
            n_mac += module.linear_macs(*inputs)  # type: ignore[operator]

    counted = [*counting, *(module for module in method.modules() if isinstance(module, nn.Linear))]
    handles = [module.register_forward_hook(add) for module in counted if id(module) not in inner]
    try:
        with torch.no_grad():
            method.eval().predict(batch)
    finally:
        for handle in handles:
            handle.remove()
    return n_mac


def _only_trained_with(method: Method) -> nn.Module:
    """Return the modules that only training needs, such as a momentum model."""
    return nn.ModuleList(module for name, module in method.named_children() if name in method.training_only)


def _n_parameter(module: nn.Module, *, trained_only: bool = False) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trained_only)


def _batch(n_clip: int, shape: InputShape, n_feature: FrameShapes, *, n_label: int) -> Batch:
    """Return a batch that is full of zeros."""
    sizes = {name: (n_clip, shape.n_frames[name]) for name in n_feature}
    return Batch(
        clip_ids=tuple(map(str, range(n_clip))),
        input_ids=torch.zeros((n_clip, shape.n_tokens), dtype=torch.int64),
        text_mask=torch.ones((n_clip, shape.n_tokens), dtype=torch.bool),
        streams={
            name: torch.zeros((*sizes[name], *frame), dtype=torch.uint8 if len(frame) > 1 else torch.float32)
            for name, frame in n_feature.items()
        },
        stream_masks={name: torch.ones(size, dtype=torch.bool) for name, size in sizes.items()},
        labels=torch.zeros((n_clip, n_label)),
        mask_positions=torch.ones(n_clip, dtype=torch.int64),
        rows=torch.arange(n_clip),
        recordings=torch.arange(n_clip),
    )


def _memory(method: Method, stage: Stage, batch: Batch) -> dict[str, int]:
    n_trained = _n_parameter(method, trained_only=True)
    buffers = sum(buffer.numel() * buffer.element_size() for buffer in method.buffers())
    with _kept_for_gradients(method) as kept:
        method.train()(batch, stage)
    return {
        "weights": _BYTES * _n_parameter(method) + buffers,
        "gradients": _BYTES * n_trained,
        "optimiser": 2 * _BYTES * n_trained,
        "batch": sum(map(_n_byte, (batch.input_ids, *batch.streams.values()))),
        "activations": sum(kept.values()),
    }


@contextmanager
def _kept_for_gradients(method: nn.Module) -> Iterator[dict[int, int]]:
    """Collect the bytes of every tensor that a forward pass keeps for the gradients, weights left out."""
    own = {parameter.untyped_storage()._cdata for parameter in method.parameters()}
    kept: dict[int, int] = {}
    alive: list[Tensor] = []  # a storage that is freed would lend its number to another

    def keep(tensor: Tensor) -> Tensor:
        number = tensor.untyped_storage()._cdata
        if number not in own and number not in kept:
            kept[number] = tensor.untyped_storage().nbytes()
            alive.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield kept


def _n_byte(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _stored_bytes(reader: DatasetReader, stream: str, sizes: tuple[int, ...]) -> float:
    """Return what a frame takes in the file; of images the mean."""
    return reader.n_byte(stream) / max(1, int(reader.offsets(stream)[-1])) if len(sizes) > 1 else _BYTES * sizes[0]


def _n_step(n_clip: int, train: TrainConfig) -> int:
    """Return the steps of an epoch; the last one takes what is left."""
    return math.ceil(math.ceil(n_clip / train.batch_size) / train.n_accumulated)


def _of_data(
    reader: DatasetReader,
    method_type: type[Method],
    n_feature: FrameShapes,
    trains: Mapping[Stage, TrainConfig],
    labels: Sequence[str],
    scheme: str,
    inputs: InputConfig,
) -> DataEstimate:
    clips: dict[Stage, Sequence[int]] = {}
    unusable: dict[str, str] = {}
    for stage in method_type.stages:
        try:
            if stage == "pretrain":
                streams = () if method_type.needs_text_encoder else tuple(n_feature)
                clips[stage] = pretraining_clips(reader, scheme, streams=streams).tolist()
            else:
                clips[stage] = labelled_clips(reader, choose_labels(reader, labels), scheme, Split.TRAIN).tolist()
        except InputError as error:
            unusable[stage] = str(error)
    n_frame = {name: np.diff(reader.offsets(name)) for name in n_feature}
    for name, sizes in n_feature.items():
        limit = inputs.max_frames(name)
        if limit is not None and len(sizes) == 1:
            n_frame[name] = n_frame[name].clip(max=limit)
    return DataEstimate(
        file_bytes=reader.path.stat().st_size,
        clips={stage: len(indices) for stage, indices in clips.items()},
        steps_per_epoch={stage: _n_step(len(indices), trains[stage]) for stage, indices in clips.items()},
        bytes_per_epoch={
            stage: sum(
                round(_stored_bytes(reader, name, sizes) * int(n_frame[name][indices].sum()))
                for name, sizes in n_feature.items()
            )
            for stage, indices in clips.items()
        },
        unusable=unusable,
    )
