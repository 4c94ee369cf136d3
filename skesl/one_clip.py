"""The whole line on one clip: its sound, its faces and its text, as the run's own data were made, to a prediction."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from mmfeat import (
    AudioFeatureConfig,
    BuildConfig,
    ClipEntry,
    ConfigError,
    EncodedFrames,
    FrameConfig,
    FrameFeatures,
    InputError,
    OpenFaceConfig,
    OpenFaceRunConfig,
    OpenFaceTool,
    config_from_mapping,
    config_to_dict,
    extract_clip,
    run_openface,
)
from skesl.checkpoint import Run, check_finetuned, load_run
from skesl.config import TrainConfig
from skesl.context import lone_text
from skesl.data import Sample, collate
from skesl.errors import CheckpointError
from skesl.masking import TextMasker
from skesl.processes import choose_device

_CONFIGS: dict[str, tuple[str, type[Any]]] = {
    "audio": ("audio", AudioFeatureConfig),
    "vision": ("openface", OpenFaceConfig),
    "frames": ("frames", FrameConfig),
}
_GIVEN_BY = {
    "audio": "--wav or --video",
    "vision": "--openface, or --openface-bin with --video",
    "frames": "--video",
}


@dataclass(frozen=True, kw_only=True)
class ClipPrediction:
    """What a run says of one clip.

    Args:
        clip_id: name of the clip.
        answers: what is said of each label by its name: a value, the name of a class, a score of yes.
        scores: every column of the prediction by its name, among them the probabilities of classes.
        notes: what a person should know of it, such as streams that the clip did not have.
    """

    clip_id: str
    answers: Mapping[str, float | str]
    scores: Mapping[str, float]
    notes: tuple[str, ...] = ()

    def summary(self) -> str:
        """Return what is said of each label."""
        said = (f"{name} {word if isinstance(word, str) else f'{word:.4f}'}" for name, word in self.answers.items())
        return ", ".join(said)


def predict_clip(
    run: Path,
    *,
    text: str = "",
    video: Path | None = None,
    wav: Path | None = None,
    openface: Path | None = None,
    tool: OpenFaceTool | None = None,
    frame_rate_hz: float | None = None,
    device: str = "auto",
) -> ClipPrediction:
    """Extract one clip with the settings of a run's own data, and return the run's prediction.

    Args:
        run: a fine-tuned run.
        text: what is said.
        video: a video; its sound is read where there is no ``wav``.
        wav: a sound file.
        openface: the CSV of OpenFace for the clip.
        tool: OpenFace itself, to make that file from the video where there is none.
        frame_rate_hz: rate of an OpenFace file without times.
        device: auto, cpu, cuda or mps.

    Raises:
        CheckpointError: the run is no fine-tuned run, or its features cannot be extracted from sound and faces.
        InputError: nothing was given, a file cannot be read, or nothing is left of the clip that the run reads.
    """
    loaded = load_run(run)
    check_finetuned(run, loaded.settings)
    entry = ClipEntry(clip_id=str(video or wav or openface or "text"), text=text, video=video, audio=wav)
    with tempfile.TemporaryDirectory() as folder:
        if openface is None and tool is not None and _reads_faces(loaded):
            openface = _faces_of(video, tool, Path(folder))
        entry = replace(entry, openface=openface)
        streams, notes = _streams(loaded, entry, frame_rate_hz)
    reads_text = loaded.encoder is not None and loaded.method.inputs.reads_text
    has_text = bool(text.strip())
    if not (has_text and reads_text) and all(len(values) == 0 for values in streams.values()):
        read = ", ".join([*(["text"] if reads_text else []), *streams])
        got = "a text, which is not read" if has_text else "none"
        raise InputError(
            f"{entry.clip_id}: {run} reads {read}; expected one of these that can be read, got {got}; "
            + "; ".join(notes)
        )
    ids = _ids(loaded, text)
    sample = Sample(
        clip_id=entry.clip_id,
        ids=ids,
        streams=streams,
        labels=(0.0,) * len(loaded.method.task.labels),
        dialogue=lone_text(ids) if loaded.method.inputs.reads_dialogues else None,
    )
    chosen = choose_device(device)
    with torch.inference_mode():
        scores = loaded.method.to(chosen).predict(collate([sample]).to(chosen)).cpu().double().numpy()
    if reads_text and not has_text:
        notes = ("text: none was given (--text); predicted without", *notes)
    elif has_text and not reads_text:
        notes = (f"text: {run} reads none; predicted without", *notes)
    task = loaded.method.task
    return ClipPrediction(
        clip_id=entry.clip_id,
        answers=dict(zip(task.labels, task.words(task.answers(scores)[0]), strict=True)),
        scores=dict(zip(task.columns, scores[0].tolist(), strict=True)),
        notes=notes,
    )


def _streams(
    run: Run, entry: ClipEntry, frame_rate_hz: float | None
) -> tuple[dict[str, npt.NDArray[Any]], tuple[str, ...]]:
    """Return the valid frames of each stream that the run uses, and a note for each that the clip does not have."""
    stored = run.settings["data"]["streams"]
    clip = extract_clip(entry, _build_config(run, stored, frame_rate_hz))
    reasons = {failure.stream: failure.message for failure in clip.failures}
    streams: dict[str, npt.NDArray[Any]] = {}
    notes = list(clip.notes)
    for name, stream in stored.items():
        features = clip.streams.get(name)
        if isinstance(features, FrameFeatures):
            _check_columns(run, name, features, stream["feature_names"])
            streams[name] = run.method.inputs.frames(name, features)
        elif isinstance(features, EncodedFrames):
            streams[name] = run.method.inputs.images(features).decode()
        else:
            streams[name] = _nothing_of(stream)
            notes.append(f"{name}: {reasons.get(name, f'none was given ({_GIVEN_BY[name]})')}; predicted without")
    return streams, tuple(notes)


def _nothing_of(stream: Mapping[str, Any]) -> npt.NDArray[Any]:
    """Return no frames of a stream."""
    if "codec" in stream:
        size = stream["config"]["size"]
        return np.zeros((0, size, size, 3), dtype=np.uint8)
    return np.zeros((0, len(stream["feature_names"])), dtype=np.float32)


def _reads_faces(run: Run) -> bool:
    """Return whether a run's streams are made of OpenFace's files: its own, or crops of the face."""
    stored = run.settings["data"]["streams"]
    return "vision" in stored or any(stream["config"].get("crop") == "face" for stream in stored.values())


def _build_config(run: Run, stored: Mapping[str, Any], frame_rate_hz: float | None) -> BuildConfig:
    """Return the settings by which the run's own streams were made."""
    configs: dict[str, Any] = {}
    for name, stream in stored.items():
        if name not in _CONFIGS:
            raise CheckpointError(f"{run.folder.path}: stream {name!r} cannot be made of one clip; predict a dataset")
        section, config_type = _CONFIGS[name]
        configs[section] = _config(config_type, stream["config"])
        if configs[section] is None:
            raise CheckpointError(
                f"{run.folder.path}: the stream {name!r} of its data was not made by mmfeat from sound or OpenFace "
                "files, so it cannot be made of one clip; predict a dataset of the same origin"
            )
    if frame_rate_hz is not None and "openface" in configs:
        configs["openface"] = replace(configs["openface"], frame_rate_hz=frame_rate_hz)
    return BuildConfig(**configs, streams=tuple(stored))


def _config(config_type: type[Any], stored: Mapping[str, Any]) -> Any:
    """Return the stored settings of a stream, None where they are not all of those that make it."""
    try:
        config = config_from_mapping(config_type, stored)
    except ConfigError:
        return None
    return config if config_to_dict(config) == dict(stored) else None


def _check_columns(run: Run, name: str, features: FrameFeatures, expected: list[str]) -> None:
    if list(features.names) != expected:
        raise CheckpointError(
            f"{run.folder.path}: stream {name!r}: expected the run's {len(expected)} columns, got "
            f"{len(features.names)} others; its data were made by other columns of the same settings"
        )


def _ids(run: Run, text: str) -> tuple[int, ...]:
    if run.encoder is None:
        return ()
    train, method = TrainConfig(**run.settings["train"]), run.method
    masker = TextMasker(run.encoder, {}, method.masking, max_tokens=train.max_text_tokens, inputs=method.inputs)
    return masker.plain(masker.prepare([text])[0])


def _faces_of(video: Path | None, tool: OpenFaceTool, folder: Path) -> Path:
    """Return the CSV that OpenFace makes of a video.

    Raises:
        InputError: there is no video, or OpenFace made no file; with its reason.
    """
    if video is None:
        raise InputError("OpenFace needs a video; pass --video")
    entry = ClipEntry(clip_id="clip", video=video)
    report = run_openface([entry], folder, tool, OpenFaceRunConfig(), self_test=False)
    path = folder / "clip.csv"
    if not path.exists():
        raise InputError(f"{video}: expected OpenFace to find a face; {report.summary()}")
    return path
