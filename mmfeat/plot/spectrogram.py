"""A narrow-band spectrogram on a logarithmic axis, on which the harmonics of a voice can be counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmfeat.types import Float64Array, Waveform

LOWEST_HZ, HIGHEST_HZ = 50.0, 8_000.0
_WINDOW_S = 0.04  # two periods of a deep voice of 50 Hz: its harmonics stand apart
_STEP_S = 0.005
_MOST_COLUMNS = 1_600
_N_ROW = 240
_PADDING = 4  # zeros behind a window, in windows: steps between the lowest rows are smooth
_FLOOR_DB = -70.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Spectrogram:
    """Levels of a sound.

    Args:
        levels_db: float64, shape (frequency, time), in dB below the loudest, from -70 to 0.
        frequencies_hz: float64, shape (frequency,), in equal steps of their logarithm.
        times_s: float64, shape (time,), the centres of the windows.
    """

    levels_db: Float64Array
    frequencies_hz: Float64Array
    times_s: Float64Array


def spectrogram(sound: Waveform) -> Spectrogram:
    """Return the levels of a sound in Hann windows of 40 ms, from 50 Hz to 8 kHz or half the sample rate.

    Of a sound of more than 8 s the windows are more than 5 ms apart, so that there are no more than 1,600.
    """
    n_window = max(round(_WINDOW_S * sound.sample_rate), 16)
    n_column = int(np.clip(np.ceil(sound.duration_s / _STEP_S), 2, _MOST_COLUMNS))
    centres = np.linspace(0, sound.samples.size - 1, n_column).round().astype(np.int64)
    padded = np.pad(sound.samples.astype(np.float64), n_window)
    windows = np.lib.stride_tricks.sliding_window_view(padded, n_window)[centres + n_window - n_window // 2]
    n_fft = n_window * _PADDING
    power = np.abs(np.fft.rfft(windows * np.hanning(n_window), n_fft, axis=1)) ** 2
    frequencies_hz = np.geomspace(LOWEST_HZ, min(HIGHEST_HZ, sound.sample_rate / 2), _N_ROW)
    places = frequencies_hz * n_fft / sound.sample_rate
    below = np.minimum(places.astype(np.int64), power.shape[1] - 2)
    share = places - below
    rows = power[:, below] * (1 - share) + power[:, below + 1] * share
    loudest = max(float(rows.max()), np.finfo(np.float64).tiny)
    levels_db = 10 * np.log10(np.maximum(rows / loudest, 10 ** (_FLOOR_DB / 10)))
    return Spectrogram(levels_db=levels_db.T, frequencies_hz=frequencies_hz, times_s=centres / sound.sample_rate)
