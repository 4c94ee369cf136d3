"""Settings of training, and how settings are read: TOML file, then single overrides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mmfeat import config_from_mapping, merge_mappings, merge_overrides, read_toml
from mmfeat.errors import ConfigError

Stage = Literal["pretrain", "finetune"]
Schedule = Literal["constant", "linear", "cosine", "released-cosine"]


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a method is trained; the same for every method."""

    n_epochs: int = 40
    batch_size: int = 32  # clips, shared among the processes that train together
    n_accumulated: int = 1  # batches whose gradients make one step; the last step of an epoch takes what is left
    length_buckets: bool = False  # clips of similar length share a batch: less padding, a coarser shuffle
    recording_batches: bool = False  # clips of one recording share a batch: a dialogue is encoded once for all of them
    learning_rate: float = 1e-4  # everything but the text encoder
    text_encoder_learning_rate: float = 5e-6  # SKESL (ACL 2023 Findings), section 4.3
    schedule: Schedule = "constant"  # of the learning rates, see skesl.schedules
    warmup_fraction: float = 0.0  # of all steps, with the schedules "linear" and "cosine"
    final_rate_fraction: float = 0.0  # of the learning rates, at the end of the schedule "cosine"
    optimiser: Literal["adamw", "adam"] = "adamw"  # adam: the weight decay is added to the gradients
    weight_decay: float = 0.0
    max_gradient_norm: float = 1.0  # 0 switches clipping off
    patience: int = 8  # epochs without a better validation value before training ends; 0 never ends early
    selection_metric: str | None = None  # on the validation part, never on test; the problem's own where None
    max_text_tokens: int = 128  # longer texts are cut, special tokens included
    seed: int = 0
    device: str = "auto"  # auto, cpu, cuda, mps
    precision: Literal["no", "bf16", "fp16"] = "no"  # mixed precision
    compile: bool = False  # torch.compile; the first batches take minutes

    def __post_init__(self) -> None:
        for name in ("n_epochs", "batch_size", "n_accumulated"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in (
            "learning_rate",
            "text_encoder_learning_rate",
            "weight_decay",
            "max_gradient_norm",
            "patience",
        ):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.length_buckets and self.recording_batches:
            raise ConfigError("length_buckets and recording_batches: expected one of them, a batch is formed one way")
        if not 0 <= self.seed < 2**32:
            raise ConfigError(f"seed must lie in 0 … {2**32 - 1}, got {self.seed}")
        if self.max_text_tokens < 3:
            raise ConfigError(f"max_text_tokens must be at least 3 (two special tokens), got {self.max_text_tokens}")
        if not 0.0 <= self.warmup_fraction < 1.0:
            raise ConfigError(f"warmup_fraction must lie in [0, 1), got {self.warmup_fraction}")
        if self.warmup_fraction and self.schedule not in ("linear", "cosine"):
            raise ConfigError(
                f"warmup_fraction does nothing with schedule {self.schedule!r}; take schedule 'linear' or 'cosine'"
            )
        if not 0.0 <= self.final_rate_fraction < 1.0:
            raise ConfigError(f"final_rate_fraction must lie in [0, 1), got {self.final_rate_fraction}")
        if self.final_rate_fraction and self.schedule != "cosine":
            raise ConfigError(
                f"final_rate_fraction does nothing with schedule {self.schedule!r}; take schedule 'cosine'"
            )


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a training is attended to; nothing here changes its numbers, and a continued run may have others."""

    checkpoint_steps: int = 0  # steps between two checkpoints; 0 leaves it to the clock
    checkpoint_seconds: float = 600.0  # between two checkpoints; 0 leaves it to the steps
    n_checkpoints: int = 2  # the last ones that are kept while training
    log_steps: int = 50  # steps between two lines of steps.jsonl; 0 writes none
    tensorboard: bool = False  # write event files for TensorBoard into the run folder
    n_reading_threads: int = 2  # threads that prepare the next batches; 0 prepares each when it is wanted

    def __post_init__(self) -> None:
        for name in ("checkpoint_steps", "checkpoint_seconds", "log_steps", "n_reading_threads"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.n_checkpoints < 1:
            raise ConfigError(f"n_checkpoints must be at least 1, got {self.n_checkpoints}")


def load_settings(
    *, file: Path | None = None, overrides: Iterable[str] = (), preset: Mapping[str, Any] | None = None
) -> tuple[TrainConfig, dict[str, Any]]:
    """Return the settings of training, and those settings of the method that differ from its defaults.

    Args:
        preset: what a preset asks of training; file and overrides win over it.
        file: a TOML file with the sections ``train`` and ``method``.
        overrides: ``train.n_epochs=10`` or ``method.n_layers=2``; they win over the file.

    Raises:
        ConfigError: an unknown section or key, or a value that is refused; all faults at once.
        InputError: the file cannot be read or is not TOML.
    """
    values: Mapping[str, Any] = {"train": dict(preset or {}), "method": {}}
    if file is not None:
        values = merge_mappings(values, read_toml(file))
    values = merge_overrides(values, overrides)
    unknown = sorted(set(values) - {"train", "method"})
    if unknown:
        raise ConfigError(f"{file or 'settings'}: unknown section {unknown[0]!r}; known: train, method")
    for section in ("train", "method"):
        if not isinstance(values[section], Mapping):
            raise ConfigError(f"{file or 'settings'}: {section}: expected a section, got {values[section]!r}")
    train = config_from_mapping(TrainConfig, values["train"], where=str(file or "settings of training"))
    return train, values["method"]
