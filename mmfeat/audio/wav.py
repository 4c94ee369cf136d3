"""Write the sound of any file as a mono wav file at one rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mmfeat.audio.read import SAMPLE_RATES_HZ, read_audio
from mmfeat.clip_jobs import JobResult, RunPlan, RunReport, run_jobs
from mmfeat.errors import ConfigError, InputError
from mmfeat.run_folder import written_files
from mmfeat.types import ClipEntry, StreamStatus, Track, untracked

JOURNAL, SUFFIX = "extract-wav.jsonl", ".wav"


def extract_wav(
    entries: Sequence[ClipEntry],
    output: Path | str,
    *,
    sample_rate: int = 16_000,
    floating: bool = False,
    n_jobs: int = 1,
    overwrite: bool = False,
    track: Track[str] = untracked,
) -> RunReport:
    """Write a mono wav file of each clip's sound, as ``read_audio`` gives it.

    The same call again does only the clips that failed, whose source changed or whose file is gone. A clip that cannot
    be read is recorded; the others go on.

    Args:
        entries: the clips, with ``video`` or ``audio``.
        output: the folder of ``ID.wav`` and the journal ``extract-wav.jsonl``.
        sample_rate: of the files, in Hz.
        floating: write 32-bit floats; else 16-bit integers, samples beyond [-1, 1] clipped and counted.
        n_jobs: files at a time.
        overwrite: write every file again, and replace files of other programs.
        track: shows progress.

    Raises:
        ConfigError: the rate is not one that sound has.
        InputError: no clips, the folder is in use, or it holds files of other programs.
    """
    low, high = SAMPLE_RATES_HZ
    if not low <= sample_rate <= high:
        raise ConfigError(f"sample_rate must be from {low} to {high} Hz, got {sample_rate}")

    def job(_entry: ClipEntry, source: Path, work: Path) -> JobResult:
        return _convert(source, work / "sound.wav", sample_rate, floating=floating)

    plan = RunPlan(
        journal=JOURNAL,
        suffixes=(SUFFIX,),
        settings={"sample_rate": sample_rate, "floating": floating},
        n_jobs=n_jobs,
        overwrite=overwrite,
    )
    report = run_jobs(entries, Path(output), job, plan, track=track)
    return replace(report, notes=_clipping(report))


def written_wavs(output: Path) -> set[Path]:
    """Return the files that ``extract_wav`` wrote into a folder, absolute: they are no sources of the next call."""
    return written_files(output, JOURNAL)


def _convert(source: Path, target: Path, sample_rate: int, *, floating: bool) -> JobResult:
    """Return the wav file of one source, or why there is none."""
    import soundfile

    try:
        waveform = read_audio(source, sample_rate)
        n_clipped = 0 if floating else int((np.abs(waveform.samples) > 1.0).sum())
        soundfile.write(target, waveform.samples, sample_rate, subtype="FLOAT" if floating else "PCM_16")
    except InputError as error:
        return JobResult(status=getattr(error, "status", StreamStatus.DECODE_ERROR), reason=str(error))
    except Exception as error:  # noqa: BLE001 - whatever one file does to a decoder, the others go on
        return JobResult(status=StreamStatus.TOOL_FAILED, reason=f"{source}: {type(error).__name__}: {error}")
    facts = {"n_sample": waveform.samples.size, "n_clipped": n_clipped}
    return JobResult(status=StreamStatus.OK, files={SUFFIX: target}, facts=facts)


def _clipping(report: RunReport) -> tuple[str, ...]:
    clipped = [int(record["n_clipped"]) for record in report.records if record.get("n_clipped")]
    return (f"{sum(clipped)} samples of {len(clipped)} clip(s) beyond [-1, 1] clipped",) if clipped else ()
