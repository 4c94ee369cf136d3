"""Read the sound of any file: soundfile first, PyAV (FFmpeg in this process) for the rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from mmfeat.errors import ClipError
from mmfeat.types import Float32Array, StreamStatus, Waveform

AUDIO_SUFFIXES = frozenset(
    {".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aac", ".mp4", ".mkv", ".avi", ".mpg", ".wmv", ".webm", ".mov"}
)  # fmt: skip


def read_audio(path: Path | str, sample_rate: int | None = None) -> Waveform:
    """Return the sound of a file as mono samples.

    Channels are averaged. Where ``sample_rate`` differs from the file's rate the samples are resampled with
    soxr in its HQ quality, as ``librosa.load`` does.

    Args:
        path: wav, flac, ogg, mp3, or any container that FFmpeg reads (mp4, mkv, avi, mpg, wmv, webm).
        sample_rate: wanted rate in Hz; None keeps the file's own.

    Returns:
        float32 samples in [-1, 1], shape (n_samples,).

    Raises:
        ClipError: the file is missing, holds no sound, holds no samples or cannot be decoded.
    """
    path = Path(path)
    _check_file(path)
    samples, file_rate = _decode(path)
    if samples.size == 0:
        raise ClipError(f"{path}: expected sound, got a file of 0 samples; remove the clip", StreamStatus.EMPTY)
    n_bad = int(samples.size - np.isfinite(samples).sum())
    if n_bad:
        raise ClipError(
            f"{path}: expected finite samples, got {n_bad} NaN or infinite of {samples.size}; repair the file",
            StreamStatus.DECODE_ERROR,
        )
    if sample_rate is not None and sample_rate != file_rate:
        import soxr

        samples = soxr.resample(samples, file_rate, sample_rate, quality="HQ")
        file_rate = sample_rate
    return Waveform(samples=np.ascontiguousarray(samples, dtype=np.float32), sample_rate=file_rate)


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise ClipError(f"{path}: expected a sound file, found none; correct the path", StreamStatus.MISSING_SOURCE)
    if path.stat().st_size == 0:
        raise ClipError(f"{path}: expected sound, got a file of 0 bytes; copy it again", StreamStatus.EMPTY)


def _decode(path: Path) -> tuple[Float32Array, int]:
    """Return mono samples and their rate in Hz."""
    import soundfile

    try:
        samples, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
        return samples.mean(axis=1), int(sample_rate)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        return _decode_with_ffmpeg(path, first_reason=str(error))


def _decode_with_ffmpeg(path: Path, *, first_reason: str) -> tuple[Float32Array, int]:
    """Decode the first audio stream with PyAV."""
    import av

    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise ClipError(
                    f"{path}: expected an audio stream, got {len(container.streams)} stream(s) without sound; "
                    "leave the audio cell of this clip empty",
                    StreamStatus.MISSING_SOURCE,
                )
            stream = container.streams.audio[0]
            resampler = av.AudioResampler(format="fltp", layout=stream.layout.name, rate=stream.rate)
            blocks = [
                _mono(block) for frame in [*container.decode(stream), None] for block in resampler.resample(frame)
            ]
            sample_rate = int(stream.rate)
    except (av.FFmpegError, ValueError) as error:
        raise ClipError(
            f"{path}: expected a readable sound or video file, got {path.stat().st_size} bytes that neither "
            f"soundfile ({first_reason.rstrip('.')}) nor FFmpeg ({error}) decodes; convert or remove it",
            StreamStatus.DECODE_ERROR,
        ) from error
    samples = np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.float32)
    return samples, sample_rate


def _mono(block: object) -> Float32Array:
    """Return the mean over the channels of a planar float frame."""
    planes: npt.NDArray[np.float32] = block.to_ndarray()  # type: ignore[attr-defined]
    return np.asarray(planes.mean(axis=0), dtype=np.float32)
