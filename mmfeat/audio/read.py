"""Read the sound of any file as mono samples at a chosen rate."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from mmfeat.audio.decode import open_sound
from mmfeat.errors import ClipError, InputError
from mmfeat.types import Float32Array, StreamStatus, Waveform

AUDIO_SUFFIXES = frozenset(
    ".wav .flac .ogg .opus .mp3 .m4a .aac .aiff .wma .mp4 .mkv .avi .mpg .mpeg .wmv .webm .mov".split()  # noqa: SIM905
)
SAMPLE_RATES_HZ = (1_000, 768_000)  # outside, the header is damaged
_LARGEST_SAMPLE = 1e10  # 32-bit integers written as floats reach 2e9; squares of more leave the range of float32


def read_audio(
    path: Path | str, sample_rate: int | None = None, *, start_s: float = 0.0, end_s: float | None = None
) -> Waveform:
    """Return the sound of a file as mono samples.

    The first audio stream is read, its channels are averaged. Where ``sample_rate`` differs from the file's rate
    the samples are resampled with soxr in its HQ quality, as ``librosa.load`` does. The file is decoded in blocks:
    no more is held in memory than the samples that are returned.

    Args:
        path: wav, flac, ogg, mp3, or any container that FFmpeg reads (mp4, mkv, avi, mpg, wmv, webm).
        sample_rate: wanted rate in Hz; None keeps the file's own.
        start_s: where to begin, in seconds from the start of the file.
        end_s: where to end, in seconds; the end of the file where None.

    Returns:
        float32 samples in [-1, 1], shape (n_samples,).

    Raises:
        ClipError: the file is missing, unreadable, holds no sound or no samples, is cut off, or cannot be decoded.
        InputError: the times are negative, not finite or in the wrong order.
    """
    path = Path(path)
    _check_times(start_s, end_s)
    _check_file(path)
    try:
        samples, rate = _read(path, sample_rate, start_s, end_s)
    except OSError as error:
        raise ClipError(
            f"{path}: expected a file that stays readable, got {error.strerror!r}; look what became of it",
            StreamStatus.DECODE_ERROR,
        ) from error
    if not samples.size:
        span = "" if start_s == 0.0 and end_s is None else f" from {start_s:g} s to {end_s or math.inf:g} s"
        raise ClipError(f"{path}: expected sound, got 0 samples{span}; remove the clip", StreamStatus.EMPTY)
    return Waveform(samples=samples, sample_rate=rate)


def _read(path: Path, sample_rate: int | None, start_s: float, end_s: float | None) -> tuple[Float32Array, int]:
    """Return the samples and their rate."""
    with open_sound(path, start_s=start_s) as sound:
        _check_rate(path, sound.sample_rate)
        blocks = sound.blocks
        if end_s is not None:
            blocks = _limited(blocks, round(end_s * sound.sample_rate) - round(start_s * sound.sample_rate))
        blocks = _checked(path, blocks)
        rate = sample_rate or sound.sample_rate
        if rate != sound.sample_rate:
            blocks = _resampled(blocks, sound.sample_rate, rate)
        return _joined(blocks), rate


def _check_times(start_s: float, end_s: float | None) -> None:
    end = math.inf if end_s is None else end_s
    if not (0.0 <= start_s < end and math.isfinite(start_s)):
        raise InputError(f"expected 0 <= start_s < end_s in seconds, got {start_s!r} and {end_s!r}")


def _check_file(path: Path) -> None:
    try:
        if not path.is_file():
            raise ClipError(f"{path}: expected a sound file, found none; correct the path", StreamStatus.MISSING_SOURCE)
        with path.open("rb") as handle:
            first = handle.read(1)
    except OSError as error:
        raise ClipError(
            f"{path}: expected a file that may be read, got {error.strerror!r}; change its permissions",
            StreamStatus.DECODE_ERROR,
        ) from error
    if not first:
        raise ClipError(f"{path}: expected sound, got a file of 0 bytes; copy it again", StreamStatus.EMPTY)


def _check_rate(path: Path, sample_rate: int) -> None:
    low, high = SAMPLE_RATES_HZ
    if not low <= sample_rate <= high:
        raise ClipError(
            f"{path}: expected a sample rate from {low} to {high} Hz, got {sample_rate}; the header is damaged",
            StreamStatus.DECODE_ERROR,
        )


def _limited(blocks: Iterator[Float32Array], n_sample: int) -> Iterator[Float32Array]:
    """Yield the first ``n_sample`` samples."""
    for block in blocks:
        yield block[:n_sample]
        n_sample -= block.size
        if n_sample <= 0:
            return


def _checked(path: Path, blocks: Iterator[Float32Array]) -> Iterator[Float32Array]:
    """Yield the blocks; the first one with values that are no sound ends the reading."""
    n_sample = 0
    for block in blocks:
        n_sample += block.size
        n_bad = int(block.size - (np.abs(block) <= _LARGEST_SAMPLE).sum())  # NaN compares false
        if n_bad:
            raise ClipError(
                f"{path}: expected samples in [-1, 1], got {n_bad} NaN, infinite or beyond {_LARGEST_SAMPLE:g} among "
                f"the first {n_sample}; repair the file",
                StreamStatus.DECODE_ERROR,
            )
        yield block


def _joined(blocks: Iterable[Float32Array]) -> Float32Array:
    """Return the blocks as one array that grows by an eighth at a time: a long file is never held twice."""
    samples, n_sample = np.empty(0, dtype=np.float32), 0
    for block in blocks:
        end = n_sample + block.size
        if end > samples.size:
            samples.resize(end + end // 8, refcheck=False)
        samples[n_sample:end] = block
        n_sample = end
    samples.resize(n_sample, refcheck=False)
    return samples


def _resampled(blocks: Iterator[Float32Array], rate: int, wanted_rate: int) -> Iterator[Float32Array]:
    """Yield the blocks at another rate; the same samples as resampling the whole at once."""
    import soxr

    stream = soxr.ResampleStream(rate, wanted_rate, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield stream.resample_chunk(np.ascontiguousarray(block, dtype=np.float32))
    yield stream.resample_chunk(np.zeros(0, dtype=np.float32), last=True)
