"""Transcribe or align many clips: several at a time, into one file of transcripts, and again only where needed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from mmfeat.audio import read_audio
from mmfeat.clip_jobs import JobResult, RunPlan, RunReport, run_jobs
from mmfeat.errors import InputError
from mmfeat.run_file import RunFile
from mmfeat.transcripts import SphinxAligner, Transcriber, Transcript
from mmfeat.types import ClipEntry, StreamStatus, Track, Waveform, untracked

Recognise = Callable[[ClipEntry, Waveform], Transcript]


def transcribe_clips(
    entries: Sequence[ClipEntry],
    output: Path | str,
    transcriber: Transcriber,
    *,
    n_jobs: int = 1,
    overwrite: bool = False,
    track: Track[str] = untracked,
) -> RunReport:
    """Write what is said in each clip into a file of one JSON object a line.

    The same call again does only the clips that failed, whose source changed or that other settings transcribed; a
    killed run goes on where it was. A clip that cannot be transcribed has a line with its reason; the others go on. The
    lines have the order of the clips; ``schemas/transcripts.md`` says what they hold.

    Args:
        entries: the clips, with ``audio`` or ``video``.
        output: the file to make; it appears whole or not at all.
        transcriber: from ``open_transcriber``; it is closed at the end.
        n_jobs: clips at a time.
        overwrite: transcribe every clip again, and replace whatever file is there.
        track: shows progress.

    Raises:
        InputError: no clips, another process writes the file, or it is a file of something else.
    """

    def recognise(_entry: ClipEntry, waveform: Waveform) -> Transcript:
        return transcriber.transcribe(waveform)

    plan = RunPlan(
        journal="transcripts",
        suffixes=(),
        settings=transcriber.settings,
        n_jobs=n_jobs,
        overwrite=overwrite,
        stop=transcriber.close,
        keeper=partial(RunFile, anew=overwrite),
    )
    with closing(transcriber):
        job = _job(recognise, transcriber.sample_rate, plan)
        return run_jobs(_heard(entries), Path(output), job, plan, track=track)


def align_clips(
    entries: Sequence[ClipEntry],
    output: Path | str,
    aligner: SphinxAligner | None = None,
    *,
    n_jobs: int = 1,
    overwrite: bool = False,
    track: Track[str] = untracked,
) -> RunReport:
    """Write when each word of each clip's known text is said, into a file as ``transcribe_clips`` makes it.

    A clip is aligned again where its text changed. Clips without a text fail.

    Args:
        entries: the clips, with ``text`` and with ``audio`` or ``video``.
        output: the file to make; it appears whole or not at all.
        aligner: the English model of pocketsphinx where None.
        n_jobs: clips at a time.
        overwrite: align every clip again, and replace whatever file is there.
        track: shows progress.

    Raises:
        MissingExtraError: pocketsphinx is not installed.
        InputError: no clips, another process writes the file, or it is a file of something else.
    """
    aligner = aligner or SphinxAligner()

    def recognise(entry: ClipEntry, waveform: Waveform) -> Transcript:
        return aligner.align(waveform, entry.text)

    plan = RunPlan(
        journal="transcripts",
        suffixes=(),
        settings=aligner.settings,
        n_jobs=n_jobs,
        overwrite=overwrite,
        settings_of=_text_settings,
        keeper=partial(RunFile, anew=overwrite),
    )
    report = run_jobs(_heard(entries), Path(output), _job(recognise, aligner.sample_rate, plan), plan, track=track)
    guessed = sum(1 for record in report.records if record.get("notes"))
    return replace(report, notes=(f"{guessed} with words pronounced by their letters",) if guessed else ())


def _heard(entries: Sequence[ClipEntry]) -> list[ClipEntry]:
    """Return the clips with their sound file in front of the video."""
    return [replace(entry, video=None) if entry.audio is not None else entry for entry in entries]


def _text_settings(entry: ClipEntry) -> dict[str, str]:
    return {"text_sha256": hashlib.sha256(entry.text.encode()).hexdigest()}


def _job(recognise: Recognise, sample_rate: int, plan: RunPlan) -> Callable[[ClipEntry, Path, Path], JobResult]:
    """Return what reads the sound of a clip and recognises it."""
    made_by = {name: plan.settings[name] for name in ("backend", "model")}

    def job(entry: ClipEntry, source: Path, _work: Path) -> JobResult:
        try:
            transcript = recognise(entry, read_audio(source, sample_rate))
        except InputError as error:
            status = getattr(error, "status", StreamStatus.DECODE_ERROR)
            message = str(error) if str(source) in str(error) else f"{source}: {error}"
            return JobResult(status=status, reason=message, facts=made_by)
        except Exception as error:  # noqa: BLE001 - whatever one clip does to a recogniser, the others go on
            reason = f"{source}: {type(error).__name__}: {error}"
            return JobResult(status=StreamStatus.TOOL_FAILED, reason=reason, facts=made_by)
        return JobResult(status=StreamStatus.OK, facts={**transcript.to_record(), **made_by})

    return job
