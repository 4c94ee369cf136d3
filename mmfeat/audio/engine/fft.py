"""The fast Fourier transform of sixteen real frames at once.

The frames lie side by side (see ``lanes``): ``rows[n * 16 + lane]`` is sample ``n`` of the frame in ``lane``. A real
frame of ``n`` samples is read as ``n / 2`` complex numbers ``z[m] = x[2m] + i x[2m + 1]``, transformed in place by
radix-4 decimation in frequency (Gentleman and Sande 1966), and taken apart again with the symmetry of real signals:

    E[k] = (Z[k] + conj Z[n/2 - k]) / 2        the spectrum of the even samples
    O[k] = (Z[k] - conj Z[n/2 - k]) / (2i)     the spectrum of the odd samples
    X[k] = E[k] + exp(-2 pi i k / n) O[k],     X[n/2 - k] = conj(E[k] - exp(-2 pi i k / n) O[k])

Each frame is transformed on its own. (Two real frames packed into one complex transform cost the same, but the rounding
of a loud frame then leaks into a silent neighbour, and silence must stay exactly zero.) Results stay where decimation
leaves them; ``plan.positions[k]`` says where ``Z[k]`` is, because moving whole rows around would cost more than looking
it up.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mmfeat.audio.engine.lanes import FloatArray, Lanes, fused_multiply_add, load, splat, store
from mmfeat.compile import kernel

_ROW = 16  # floats from one row to the next: one per lane
_COMPLEX = 32  # floats from one complex number to the next: a row of real parts, a row of imaginary parts
_CACHED_POINTS = (
    256  # 256 complex numbers in 16 lanes are 32 KiB: a transform of this size stays in the first-level cache
)


class RealFftPlan(NamedTuple):
    """Tables of the real transform of ``n`` points; ``n`` is a power of two."""

    n: int
    cosines: FloatArray  # (n,): cos(2 pi k / n)
    sines: FloatArray  # (n,): -sin(2 pi k / n), so that both together are exp(-2 pi i k / n)
    positions: npt.NDArray[np.int64]  # (n / 2 + 1,): complex number that holds Z[k]; Z[n / 2] is Z[0] again


@lru_cache(maxsize=32)
def real_fft_plan(n: int) -> RealFftPlan:
    """Return the tables for real frames of ``n`` samples, a power of two of at least 8.

    Raises:
        ValueError: ``n`` is something else.
    """
    if n < 8 or n & (n - 1):
        raise ValueError(f"a frame must have a power of two of samples, at least 8, got {n}")
    angles = 2.0 * np.pi * np.arange(n) / n
    positions = np.append(_positions(n // 2), 0)
    return RealFftPlan(n, np.cos(angles).astype(np.float32), -np.sin(angles).astype(np.float32), positions)


def _positions(n: int) -> npt.NDArray[np.int64]:
    """Return where radix-4 decimation in frequency leaves each of ``n`` complex outputs."""
    radix = min(n, 4)
    if n == radix:
        return np.arange(n)
    k = np.arange(n)
    return (k % radix) * (n // radix) + _positions(n // radix)[k // radix]


@kernel
def transform(rows: FloatArray, plan: RealFftPlan) -> None:
    """Replace the ``n / 2`` complex numbers in ``rows`` by their transform, in the order of ``plan.positions``."""
    n = plan.n // 2
    span = n
    while span > _CACHED_POINTS:
        _radix4_pass(rows, 0, n, span, plan)
        span //= 4
    for start in range(0, n, span):
        _finish(rows, start, span, plan)


@kernel
def _finish(rows: FloatArray, start: int, n: int, plan: RealFftPlan) -> None:
    """Transform ``n`` complex numbers from ``start`` on, pass after pass, while they stay in the cache."""
    span = n
    while span > 4:
        _radix4_pass(rows, start, n, span, plan)
        span //= 4
    if span == 4:
        _last_radix4_pass(rows, start, n)
    else:
        _last_radix2_pass(rows, start, n)


@kernel
def _radix4_pass(rows: FloatArray, start: int, n: int, span: int, plan: RealFftPlan) -> None:
    """Split each transform of ``span`` points into four of a quarter of the size."""
    quarter = span // 4
    stride = plan.n // span
    for first in range(start, start + n, span):
        for j in range(quarter):
            at = (first + j) * _COMPLEX
            y = _butterfly(rows, at, quarter * _COMPLEX)
            _store_complex(rows, at, y[0], y[1])
            for r in range(1, 4):
                w_re, w_im = splat(plan.cosines[r * j * stride]), splat(plan.sines[r * j * stride])
                _store_product(rows, at + r * quarter * _COMPLEX, y[2 * r], y[2 * r + 1], w_re, w_im)


@kernel
def _butterfly(rows: FloatArray, at: int, step: int) -> tuple[Lanes, ...]:
    """Return the transform of the four complex numbers at ``at``, ``at + step``, …: real and imaginary in turn."""
    a_re, a_im = load(rows, at), load(rows, at + _ROW)
    b_re, b_im = load(rows, at + step), load(rows, at + step + _ROW)
    c_re, c_im = load(rows, at + 2 * step), load(rows, at + 2 * step + _ROW)
    d_re, d_im = load(rows, at + 3 * step), load(rows, at + 3 * step + _ROW)
    sum_ac_re, sum_ac_im, difference_ac_re, difference_ac_im = a_re + c_re, a_im + c_im, a_re - c_re, a_im - c_im
    sum_bd_re, sum_bd_im, difference_bd_re, difference_bd_im = b_re + d_re, b_im + d_im, b_re - d_re, b_im - d_im
    return (
        sum_ac_re + sum_bd_re,
        sum_ac_im + sum_bd_im,
        difference_ac_re + difference_bd_im,
        difference_ac_im - difference_bd_re,
        sum_ac_re - sum_bd_re,
        sum_ac_im - sum_bd_im,
        difference_ac_re - difference_bd_im,
        difference_ac_im + difference_bd_re,
    )


@kernel
def _last_radix4_pass(rows: FloatArray, start: int, n: int) -> None:
    """Transform each four neighbours; all factors are 1."""
    for at in range(start * _COMPLEX, (start + n) * _COMPLEX, 4 * _COMPLEX):
        y = _butterfly(rows, at, _COMPLEX)
        for r in range(4):
            _store_complex(rows, at + r * _COMPLEX, y[2 * r], y[2 * r + 1])


@kernel
def _last_radix2_pass(rows: FloatArray, start: int, n: int) -> None:
    """Transform each two neighbours, where the size is no power of four."""
    for at in range(start * _COMPLEX, (start + n) * _COMPLEX, 2 * _COMPLEX):
        a_re, a_im = load(rows, at), load(rows, at + _ROW)
        b_re, b_im = load(rows, at + _COMPLEX), load(rows, at + _COMPLEX + _ROW)
        _store_complex(rows, at, a_re + b_re, a_im + b_im)
        _store_complex(rows, at + _COMPLEX, a_re - b_re, a_im - b_im)


@kernel
def _store_complex(rows: FloatArray, at: int, re: Lanes, im: Lanes) -> None:
    """Write one complex number per lane."""
    store(rows, at, re)
    store(rows, at + _ROW, im)


@kernel
def _store_product(rows: FloatArray, at: int, re: Lanes, im: Lanes, w_re: Lanes, w_im: Lanes) -> None:
    """Write ``(re + i im) (w_re + i w_im)``."""
    _store_complex(rows, at, re * w_re - im * w_im, fused_multiply_add(re, w_im, im * w_re))


@kernel
def unpack(rows: FloatArray, plan: RealFftPlan, k: int) -> tuple[Lanes, Lanes, Lanes, Lanes]:
    """Return the spectrum at ``k`` and at ``n / 2 - k``, for 0 <= k <= n / 4: real, imaginary, real, imaginary.

    ``rows`` is what ``transform`` left. At ``k = 0`` the second pair is the Nyquist frequency.
    """
    half = splat(np.float32(0.5))
    here, there = plan.positions[k] * _COMPLEX, plan.positions[plan.n // 2 - k] * _COMPLEX
    z_re, z_im = load(rows, here), load(rows, here + _ROW)
    m_re, m_im = load(rows, there), load(rows, there + _ROW)
    even_re, even_im = half * (z_re + m_re), half * (z_im - m_im)
    odd_re, odd_im = half * (z_im + m_im), half * (m_re - z_re)
    w_re, w_im = splat(plan.cosines[k]), splat(plan.sines[k])
    turned_re = odd_re * w_re - odd_im * w_im
    turned_im = fused_multiply_add(odd_re, w_im, odd_im * w_re)
    return even_re + turned_re, even_im + turned_im, even_re - turned_re, turned_im - even_im


@kernel
def pack(re: Lanes, im: Lanes, mirror_re: Lanes, mirror_im: Lanes, k: int, plan: RealFftPlan, rows: FloatArray) -> None:
    """Write what ``transform`` turns into the real frame of a spectrum, for k and ``n / 2 - k``; 0 <= k <= n / 4.

    The inverse transform is a forward one with real and imaginary parts exchanged before and after.
    """
    n = plan.n // 2
    half = splat(np.float32(0.5 / n))
    even_re, even_im = half * (re + mirror_re), half * (im - mirror_im)
    turned_re, turned_im = half * (re - mirror_re), half * (im + mirror_im)
    w_re, w_im = splat(plan.cosines[k]), splat(plan.sines[k])
    odd_re = fused_multiply_add(turned_re, w_re, turned_im * w_im)
    odd_im = turned_im * w_re - turned_re * w_im
    if k > 0:
        _store_complex(rows, (n - k) * _COMPLEX, odd_re - even_im, even_re + odd_im)
    _store_complex(rows, k * _COMPLEX, even_im + odd_re, even_re - odd_im)


@kernel
def inverse_row(plan: RealFftPlan, n: int) -> int:
    """Return where sample ``n`` of the frame is after ``pack`` and ``transform``."""
    return int(plan.positions[n // 2]) * _COMPLEX + (1 - n % 2) * _ROW
