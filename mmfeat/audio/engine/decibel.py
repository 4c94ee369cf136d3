"""Decibels, sixteen at a time.

``10 log10(x)`` with the exponent of x taken from its bits, and for the mantissa m in [sqrt(1/2), sqrt(2))

    ln m = 2 (s + s^3 / 3 + s^5 / 5 + …),  s = (m - 1) / (m + 1),  |s| < 0.172

five terms of which are good to 1e-9, below the resolution of float32.
"""

from __future__ import annotations

import math

import numpy as np

from mmfeat.audio.engine.lanes import Lanes, fused_multiply_add, larger, splat, split_exponent
from mmfeat.compile import kernel

_AMIN = np.float32(1e-10)  # power below which everything is -100 dB, as librosa.power_to_db
_DB_PER_OCTAVE = np.float32(10.0 * math.log10(2.0))
_DB_PER_NEPER = 20.0 / math.log(10.0)
_C1, _C3, _C5, _C7, _C9 = (np.float32(_DB_PER_NEPER / n) for n in (1, 3, 5, 7, 9))


@kernel
def decibel(power: Lanes) -> Lanes:
    """Return ``10 log10(max(power, 1e-10))``."""
    mantissa, exponent = split_exponent(larger(power, splat(_AMIN)))
    one = splat(np.float32(1.0))
    s = (mantissa - one) / (mantissa + one)
    square = s * s
    series = fused_multiply_add(square, splat(_C9), splat(_C7))
    series = fused_multiply_add(square, series, splat(_C5))
    series = fused_multiply_add(square, series, splat(_C3))
    series = fused_multiply_add(square, series, splat(_C1))
    return fused_multiply_add(exponent, splat(_DB_PER_OCTAVE), s * series)
