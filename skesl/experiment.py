"""An experiment: a method, its text encoder and its run folder, made ready for one stage."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmfeat import (
    DatasetReader,
    Float32Array,
    Track,
    config_to_dict,
    defined,
    merge_mappings,
    untracked,
)
from skesl.checkpoint import RunFolder, save_settings
from skesl.config import RunOptions, Stage, TrainConfig
from skesl.data import Batch, ClipSet
from skesl.errors import CheckpointError
from skesl.methods import Method
from skesl.processes import is_first, start_processes, wait
from skesl.selection import Indices, known_values
from skesl.streams import setting_differences
from skesl.text import TextEncoder
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
            side_labels={
                name: known_values(self.reader, name)
                for name in self.method.side_labels(self.method.config)
                if name in self.reader.label_names
            },
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
