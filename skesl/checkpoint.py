"""The run folder: everything needed to use a trained method again, and nothing that is unpickled.

``config.json`` what was trained, on what, how · ``weights.safetensors`` the weights · ``text_encoder/``
configuration and tokenizer · ``metrics.jsonl`` one line an epoch · ``steps.jsonl`` lines of single steps ·
``predictions.csv`` the last predictions · ``checkpoints/`` only while the run is trained, see ``skesl.resume``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from mmfeat import OutputExistsError, config_from_mapping, defined, lock_folder
from skesl.errors import CheckpointError
from skesl.methods import Method, find_method
from skesl.normalise import normaliser_of
from skesl.task import task_from_json
from skesl.text import TextEncoder, restore_text_encoder, save_text_encoder

FORMAT = "skesl-run"
FORMAT_VERSION = 1
CHECKPOINT_NAMES = "epoch-*[0-9]"
_LOCK_FILES = ("lock", "owner")
_SECTIONS = ("data", "method", "method_config", "stage", "text_encoder", "train")


@dataclass(frozen=True, kw_only=True)
class RunFolder:
    """Paths inside a run folder."""

    path: Path

    @property
    def weights(self) -> Path:
        """The weights."""
        return self.path / "weights.safetensors"

    @property
    def config(self) -> Path:
        """What was trained, on what, how."""
        return self.path / "config.json"

    @property
    def metrics(self) -> Path:
        """One line for each epoch."""
        return self.path / "metrics.jsonl"

    @property
    def steps(self) -> Path:
        """Lines of single steps."""
        return self.path / "steps.jsonl"

    @property
    def checkpoints(self) -> Path:
        """What a killed training needs to go on, and its lock."""
        return self.path / "checkpoints"

    @property
    def predictions(self) -> Path:
        """The last predictions."""
        return self.path / "predictions.csv"

    @property
    def text_encoder(self) -> Path:
        """Configuration and tokenizer of the text encoder."""
        return self.path / "text_encoder"

    def check_free(self, *, overwrite: bool, reuse_finished: bool = False) -> None:
        """Check that the folder can be made, or holds a training that did not end, or a finished one that may be used.

        Raises:
            OutputExistsError: it holds something else and ``overwrite`` is false.
            CheckpointError: it is not a run folder, and so will not be replaced.
        """
        if self.path.exists() and (not self.path.is_dir() or self._content()):
            usable = self.finished() if reuse_finished else None
            if not overwrite and usable is None and self.unfinished() is None:
                raise OutputExistsError(self.path)
            load_settings_of_run(self.path)

    def has_checkpoint(self) -> bool:
        """Return whether a training that did not end has left a checkpoint."""
        return any(self.checkpoints.glob(CHECKPOINT_NAMES)) and self.unfinished() is not None

    def remove_checkpoints(self) -> None:
        """Remove what only a training under way needs."""
        shutil.rmtree(self.checkpoints, ignore_errors=True)

    def unfinished(self) -> dict[str, Any] | None:
        """Return the settings of a training here that did not end, None where there is none."""
        settings = self._settings()
        return None if settings is None or "result" in settings else settings

    def finished(self) -> dict[str, Any] | None:
        """Return the settings of a training here that ended, None where there is none."""
        settings = self._settings()
        return settings if settings is not None and "result" in settings else None

    def _settings(self) -> dict[str, Any] | None:
        try:
            return load_settings_of_run(self.path)
        except CheckpointError:
            return None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other trainings out of the folder.

        Raises:
            InputError: another process trains into it, or nothing can be written there.
        """
        is_new = not self.path.exists()
        lock = lock_folder(self.checkpoints, self.path)
        try:
            yield
        finally:
            if is_new and not self._content():  # nothing came of it
                shutil.rmtree(self.path, ignore_errors=True)
            lock.release()

    def create(self) -> None:
        """Make the folder, in place of an older run; what holds its lock stays."""
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        # Without its config.json nobody would know the rest of an older run as ours.
        last_of_all = [self.config] if self.config.exists() else []
        for item in [*self.checkpoints.iterdir(), *(set(self._content()) - set(last_of_all)), *last_of_all]:
            if item.name not in _LOCK_FILES:
                shutil.rmtree(item) if item.is_dir() else item.unlink()

    def _content(self) -> list[Path]:
        """Return what is in the folder, without the place of checkpoints and a file of ours that was not finished."""
        ours = (self.checkpoints, self.config.with_name(self.config.name + ".part"))
        return [item for item in self.path.iterdir() if item not in ours]


@dataclass(frozen=True, kw_only=True)
class Run:
    """A trained method as it is read from its folder."""

    folder: RunFolder
    settings: Mapping[str, Any]
    method: Method
    encoder: TextEncoder | None


def weights_of(method: Method, *, for_training: bool) -> dict[str, torch.Tensor]:
    """Return a method's weights as files hold them; what only training needs where it is ``for_training``."""
    left_out = () if for_training else method.training_only
    return {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in method.state_dict().items()
        if name.partition(".")[0] not in left_out
    }


def save_settings(settings: Mapping[str, Any], encoder: TextEncoder | None, folder: RunFolder) -> None:
    """Write ``config.json``, by which a folder is known as a run, then the text encoder's files."""
    document = {"format": FORMAT, "format_version": FORMAT_VERSION, **settings}
    unfinished = folder.config.with_name(folder.config.name + ".part")
    unfinished.write_text(json.dumps(defined(document), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    unfinished.replace(folder.config)
    if encoder is not None:
        save_text_encoder(encoder, folder.text_encoder)


def load_settings_of_run(path: Path) -> dict[str, Any]:
    """Return the content of a run's ``config.json``.

    Raises:
        CheckpointError: the folder is no run, or of a newer format.
    """
    config = RunFolder(path=path).config
    try:
        settings: Any = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path}: expected a run folder with config.json: {error}; make one with skesl pretrain or skesl finetune"
        ) from error
    if not isinstance(settings, dict) or settings.get("format") != FORMAT:
        raise CheckpointError(f"{config}: expected the settings of a run with format {FORMAT!r}; it is no run folder")
    if settings["format_version"] > FORMAT_VERSION:
        raise CheckpointError(
            f"{config}: expected version {FORMAT_VERSION} of the run format or older, got "
            f"{settings['format_version']!r}; update mmfeat"
        )
    missing = [name for name in _SECTIONS if name not in settings]
    if missing:
        raise CheckpointError(f"{config}: expected the settings of a run, {', '.join(missing)} are missing")
    return settings


def check_finetuned(path: Path, settings: Mapping[str, Any]) -> None:
    """Refuse a run that predicts nothing.

    Raises:
        CheckpointError: it was only pretrained.
    """
    if settings["stage"] != "finetune":
        raise CheckpointError(f"{path}: expected a fine-tuned run, got stage {settings['stage']!r}; use skesl finetune")


def load_run(path: Path) -> Run:
    """Return the trained method of a run folder, on the CPU and in evaluation mode.

    Raises:
        CheckpointError: the folder is no run, incomplete, or its weights do not fit its method.
    """
    folder = RunFolder(path=path)
    settings = load_settings_of_run(path)
    source = settings["text_encoder"]
    encoder = None if source is None else restore_text_encoder(folder.text_encoder, source=source)
    method_type = find_method(settings["method"])
    normalisers = {
        name: normaliser_of(stream["feature_names"], codec=stream.get("codec", ""))
        for name, stream in settings["data"]["streams"].items()
    }
    method = method_type(
        config_from_mapping(method_type.config_type, settings["method_config"], where=str(folder.config)),
        text_encoder=nn.Module() if encoder is None else encoder.model,
        text_width=0 if encoder is None else encoder.width,
        normalisers=normalisers,
        task=task_from_json(settings["data"]["task"]),
    )
    _load_weights(method, folder)
    return Run(folder=folder, settings=settings, method=method.eval(), encoder=encoder)


def transfer(method: Method, path: Path) -> None:
    """Copy what pretraining hands on, from the run at ``path`` into ``method``.

    Raises:
        CheckpointError: the run is of another method, another text encoder's size or other features.
    """
    settings = load_settings_of_run(path)
    if settings["method"] != method.name:
        raise CheckpointError(f"{path}: expected a run of method {method.name!r}, got {settings['method']!r}")
    stored = _read_weights(RunFolder(path=path))
    own = method.state_dict()
    wanted = [name for name in own if name.partition(".")[0] in method.transferred]
    for name in wanted:
        if name not in stored or stored[name].shape != own[name].shape:
            got = tuple(stored[name].shape) if name in stored else "nothing"
            raise CheckpointError(
                f"{path}: weight {name!r}: expected shape {tuple(own[name].shape)}, got {got}; the run has another "
                "text encoder, other features or other settings"
            )
    method.load_state_dict({**own, **{name: stored[name] for name in wanted}})


def _load_weights(method: Method, folder: RunFolder) -> None:
    stored, own = _read_weights(folder), method.state_dict()
    only_trained = {name: own[name] for name in own if name.partition(".")[0] in method.training_only}
    try:
        method.load_state_dict({**only_trained, **stored})
    except RuntimeError as error:
        raise CheckpointError(f"{folder.weights}: the weights do not fit the method: {error}") from error


def _read_weights(folder: RunFolder) -> dict[str, torch.Tensor]:
    try:
        return dict(load_file(folder.weights))
    except Exception as error:
        raise CheckpointError(f"{folder.weights}: expected the run's weights: {error}") from error
