"""Everything that a report of a dataset shows, as plain values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mmfeat.data_report.duplicates import Duplicates, Overlap, equal_digests, equal_texts, overlaps, united
from mmfeat.data_report.failures import FailureGroup, grouped
from mmfeat.data_report.labels import LabelSurvey, survey_label
from mmfeat.data_report.streams import StreamSurvey, survey_stream
from mmfeat.dataset import DatasetReader, describe
from mmfeat.display import defined
from mmfeat.errors import InputError
from mmfeat.types import Split, Track, untracked

N_EXTREME = 10  # longest and shortest clips
_N_DURATION_BIN = 40
_LARGE_SHIFT = 0.5  # standard deviations
_LOW_VALIDITY = 0.9

ClipDuration = tuple[str, float]


@dataclass(frozen=True, kw_only=True)
class PartSurvey:
    """Clips, recordings, speakers, hours of sound and texts of one part of a scheme."""

    scheme: str
    part: str
    n_clip: int
    n_recording: int
    n_speaker: int
    hours: float
    n_text: int


@dataclass(frozen=True, kw_only=True)
class DatasetSurvey:
    """What is in a dataset.

    Args:
        description: what ``describe`` says.
        scheme: split scheme by which labels, shifts and duplicates are counted; None where the file has none.
        parts: of every scheme.
        overlaps: recordings and speakers in several parts, of every scheme.
        durations_edges_s: edges of the bins of ``durations``.
        durations: clips in each bin.
        longest: clips with the most sound, and its seconds.
        shortest: clips with the least.
        labels: by name.
        streams: by name.
        failures: by reason.
        duplicates: groups of clips with equal frames.
        same_texts: groups of clips that say the same and are not among ``duplicates``.
    """

    description: dict[str, Any]
    scheme: str | None
    parts: tuple[PartSurvey, ...]
    overlaps: tuple[Overlap, ...]
    durations_edges_s: tuple[float, ...]
    durations: tuple[int, ...]
    longest: tuple[ClipDuration, ...]
    shortest: tuple[ClipDuration, ...]
    labels: tuple[LabelSurvey, ...]
    streams: tuple[StreamSurvey, ...]
    failures: tuple[FailureGroup, ...]
    duplicates: tuple[Duplicates, ...]
    same_texts: tuple[Duplicates, ...]

    def findings(self) -> tuple[str, ...]:
        """Return a sentence for everything that should be looked at before the dataset is trained on."""
        return tuple(_findings(self))

    def to_json(self) -> str:
        """Return everything as JSON, with null for what is not defined."""
        return json.dumps(defined({**asdict(self), "findings": self.findings()}), indent=2, allow_nan=False)


def survey_dataset(path: Path | str, *, scheme: str | None = None, track: Track[Any] = untracked) -> DatasetSurvey:
    """Return what is in a dataset file; every frame is read once, in blocks, and no more than a block is held.

    Args:
        path: the file.
        scheme: split scheme; None: ``default`` where the file has it, else its first one.
        track: shows progress over the blocks.

    Raises:
        InputError: there is no such file or scheme, it is not HDF5, or it is damaged.
        SchemaError: it is not a dataset of this format.
    """
    description = describe(path)
    with DatasetReader(path) as reader:
        chosen = _scheme(reader, scheme)
        parts = reader.parts(chosen) if chosen else np.full(reader.n_clip, int(Split.NONE), dtype=np.uint8)
        surveys = {name: survey_stream(reader, name, parts, track) for name in reader.stream_names}
        groups = {name: equal_digests(digests) for name, (_, digests) in surveys.items()}
        texts = equal_texts(reader.texts)
        frames = united(groups, reader.clip_ids, parts)
        known = {found.clip_ids for found in frames}
        same_texts = united({"text": texts}, reader.clip_ids, parts)
        edges_s, durations = _histogram(reader.durations_s)
        return DatasetSurvey(
            description=description,
            scheme=chosen,
            parts=tuple(part for name in reader.scheme_names for part in _parts(reader, name)),
            overlaps=tuple(_overlaps(reader)),
            durations_edges_s=edges_s,
            durations=durations,
            longest=_extreme(reader, longest=True),
            shortest=_extreme(reader, longest=False),
            labels=tuple(survey_label(reader.labels(name), parts) for name in reader.label_names),
            streams=tuple(survey for survey, _ in surveys.values()),
            failures=grouped(reader.failures()),
            duplicates=frames,
            same_texts=tuple(found for found in same_texts if found.clip_ids not in known),
        )


def _scheme(reader: DatasetReader, wanted: str | None) -> str | None:
    known = reader.scheme_names
    if wanted is None:
        return "default" if "default" in known else next(iter(known), None)
    if wanted not in known:
        raise InputError(f"{reader.path}: no split scheme {wanted!r}; known: {', '.join(known) or 'none'}")
    return wanted


def _parts(reader: DatasetReader, scheme: str) -> Iterator[PartSurvey]:
    parts = reader.parts(scheme)
    for part in Split:
        there = np.flatnonzero(parts == part)
        if there.size or part is not Split.NONE:
            clips = there.tolist()
            yield PartSurvey(
                scheme=scheme,
                part=part.name.lower(),
                n_clip=len(clips),
                n_recording=len({reader.recording_ids[clip] for clip in clips}),
                n_speaker=len({reader.speaker_ids[clip] for clip in clips} - {""}),
                hours=float(np.nansum(reader.durations_s[there])) / 3600,
                n_text=sum(bool(reader.texts[clip]) for clip in clips),
            )


def _overlaps(reader: DatasetReader) -> Iterator[Overlap]:
    groups = {"recording": reader.recording_ids, "speaker": reader.speaker_ids}
    for scheme in reader.scheme_names:
        yield from overlaps(scheme, reader.parts(scheme), groups)


def _histogram(durations_s: npt.NDArray[np.float64]) -> tuple[tuple[float, ...], tuple[int, ...]]:
    known = durations_s[np.isfinite(durations_s)]
    if not known.size:
        return (0.0, 1.0), (0,)
    counts, edges = np.histogram(known, bins=_N_DURATION_BIN, range=(0.0, max(float(known.max()), 1e-3)))
    return tuple(edges.tolist()), tuple(counts.tolist())


def _extreme(reader: DatasetReader, *, longest: bool) -> tuple[ClipDuration, ...]:
    seconds = reader.durations_s
    known = np.flatnonzero(np.isfinite(seconds))
    order = known[np.argsort(-seconds[known] if longest else seconds[known], kind="stable")][:N_EXTREME]
    return tuple((reader.clip_ids[clip], float(seconds[clip])) for clip in order)


def _findings(survey: DatasetSurvey) -> Iterator[str]:
    for kind in ("recording", "speaker"):
        for scheme in dict.fromkeys(found.scheme for found in survey.overlaps if found.kind == kind):
            names = [found.name for found in survey.overlaps if (found.kind, found.scheme) == (kind, scheme)]
            yield f"split {scheme}: {len(names)} {kind}(s) have clips in several parts: {_some(names)}"
    crossing = [found for found in survey.duplicates if found.crosses_parts]
    if crossing:
        names = [" = ".join(found.clip_ids[:3]) for found in crossing]
        yield f"{len(crossing)} group(s) of clips with equal frames stand in several parts: {_some(names)}"
    if len(survey.duplicates) > len(crossing):
        yield f"{len(survey.duplicates) - len(crossing)} group(s) of clips with equal frames stand within one part"
    for stream in survey.streams:
        if stream.not_finite:
            yield f"stream {stream.name}: NaN or infinity in {_some(list(stream.not_finite))}"
        if stream.constant:
            yield f"stream {stream.name}: {len(stream.constant)} column(s) never change: {_some(stream.constant)}"
        if stream.valid_share < _LOW_VALIDITY:
            yield f"stream {stream.name}: {stream.valid_share:.1%} of the frames are valid"
        far = [column.name for column in stream.columns if abs(column.shift) > _LARGE_SHIFT]
        if far:
            yield (
                f"stream {stream.name}: the means of {len(far)} column(s) in train and test differ by more than "
                f"{_LARGE_SHIFT:g} standard deviations: {_some(far)}"
            )
    if survey.failures:
        yield f"{sum(group.n_clip for group in survey.failures)} stream(s) of clips could not be read"
    for label in survey.labels:
        if label.n_clip < survey.description["n_clip"]:
            yield f"label {label.name}: {survey.description['n_clip'] - label.n_clip} clip(s) do not have it"
        constant = [name for name, part in label.parts.items() if part.low == part.high and part.n_clip > 1]
        if constant:
            yield f"label {label.name}: one value only in {', '.join(constant)}"


def _some(names: tuple[str, ...] | list[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
