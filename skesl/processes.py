"""The processes that train together: one, or several that ``torchrun`` or ``accelerate launch`` started.

Each process runs the same commands on its share of the clips. What is written, the first process writes.
"""

from __future__ import annotations

import atexit
import os

import numpy as np
import torch
import torch.distributed
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import TorchDynamoPlugin, set_seed

from mmfeat.errors import ConfigError
from skesl.config import TrainConfig


def start_processes(config: TrainConfig) -> Accelerator:
    """Join the other processes, if there are any, and return what knows device and precision.

    Raises:
        ConfigError: the device is unknown or not there.
    """
    device = choose_device(config.device)
    if not torch.distributed.is_initialized():
        # accelerate keeps device and precision of a process's first training; each of ours has its own.
        AcceleratorState._reset_state(reset_partial_state=True)
    return Accelerator(
        cpu=device.type == "cpu",
        mixed_precision=config.precision,
        dynamo_plugin=TorchDynamoPlugin(backend="inductor", dynamic=True) if config.compile else None,
    )


def join_processes(device: str) -> torch.device:
    """Join the processes that ``torchrun`` started, if there are any, and return the device of this one.

    Raises:
        ConfigError: the device is unknown or not there.
    """
    if torch.distributed.is_initialized() or "LOCAL_RANK" not in os.environ:
        return choose_device(device)
    own: torch.device = start_processes(TrainConfig(device=device)).device
    return own


def choose_device(name: str) -> torch.device:
    """Return the device that ``name`` means; ``auto`` takes a GPU where there is one.

    Raises:
        ConfigError: the name is unknown or the device is not there.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device("cuda" if there["cuda"] else "mps" if there["mps"] else "cpu")
    if not there.get(name, False):
        usable = ", ".join(device for device, usable in there.items() if usable)
        raise ConfigError(f"device: expected auto or one of {usable} on this machine, got {name!r}")
    return torch.device(name)


def n_process() -> int:
    """Return how many processes train together."""
    return torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1


def process_index() -> int:
    """Return which of them this one is, from 0."""
    return torch.distributed.get_rank() if torch.distributed.is_initialized() else 0


def is_first() -> bool:
    """Return whether this is the process that writes."""
    return process_index() == 0


def wait() -> None:
    """Wait until every process has come this far."""
    if torch.distributed.is_initialized():
        torch.distributed.barrier()


def summed(values: torch.Tensor) -> torch.Tensor:
    """Return the sum of a tensor over the processes; the tensor itself where there is one process."""
    if torch.distributed.is_initialized():
        values = values.clone()
        torch.distributed.all_reduce(values)
    return values


def agreed(value: bool, device: torch.device) -> bool:  # noqa: FBT001 - it is a value, not a flag
    """Return what the first process says."""
    if not torch.distributed.is_initialized():
        return value
    said = torch.tensor(int(value), device=device)
    torch.distributed.broadcast(said, src=0)
    return bool(said.item())


def seed_everything(seed: int, *place: int) -> None:
    """Seed Python, NumPy and PyTorch from the seed, the place in training and the process alone.

    Every batch is given its own random numbers: a run that was killed continues with those it would have had.
    """
    entropy = (seed, *place, process_index())
    set_seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))


def _leave() -> None:
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


atexit.register(_leave)
