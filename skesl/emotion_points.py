"""Where emotions lie in valence and arousal, and how similar that makes them.

Source: the points of UniVA (ACM MM 2024), NUSTM/UniVA at ce59bbc, utils/generate_label_similar_matrix.py, which are
those of the words in the NRC-VAD lexicon (Mohammad, ACL 2018), in [0, 1]. Other names of the same emotions are the
corpora's: MELD's joy, MER23's angry and worried, RAVDESS' calm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from mmfeat.errors import ConfigError

Point = tuple[float, float]

EMOTION_POINTS: Mapping[str, Point] = {
    "happy": (1.0, 0.735),
    "sad": (0.225, 0.333),
    "anger": (0.167, 0.865),
    "surprise": (0.875, 0.875),
    "disgust": (0.052, 0.775),
    "fear": (0.073, 0.840),
    "neutral": (0.5, 0.5),
}
_SAME_AS = {
    "happiness": "happy", "joy": "happy", "sadness": "sad", "angry": "anger", "surprised": "surprise",
    "disgusted": "disgust", "fearful": "fear", "worried": "fear", "calm": "neutral",
}  # fmt: skip


def emotion_points(names: Sequence[str], own: Mapping[str, Sequence[float]] | None = None) -> npt.NDArray[np.float64]:
    """Return valence and arousal of emotions, float64 in [0, 1], shape (emotion, 2).

    Args:
        names: of the emotions, in any case; what stands before the last ``_``, ``.`` or ``:`` is left out where the
            whole name is not known ("emotion_happy").
        own: points that win over the table.

    Raises:
        ConfigError: emotions without a point, or a point that is none; all at once.
    """
    own = own or {}
    wrong = [name for name, point in own.items() if len(point) != 2 or not all(0.0 <= axis <= 1.0 for axis in point)]
    if wrong:
        raise ConfigError(
            f"emotion points: expected valence and arousal in [0, 1], got {own[wrong[0]]} for {wrong[0]!r}"
        )
    found = {name: _point(name, own) for name in names}
    unknown = [name for name, point in found.items() if point is None]
    if unknown:
        raise ConfigError(
            f"emotion points: no valence and arousal known for {', '.join(map(repr, unknown))}; known: "
            f"{', '.join((*EMOTION_POINTS, *_SAME_AS))}; name others with emotion_points.NAME=[valence, arousal]"
        )
    return np.asarray(list(found.values()), dtype=np.float64).reshape(-1, 2)


def label_similarity(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return how similar emotions are: cosines of their points, each axis scaled to [-1, 1] by its extremes.

    Args:
        points: shape (emotion, 2).

    Returns:
        float64, shape (emotion, emotion), in [-1, 1]; 0 beside a point in the middle of both axes.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    scaled = 2.0 * (points - low) / np.where(high > low, high - low, 1.0) - 1.0
    norms = np.linalg.norm(scaled, axis=1, keepdims=True)
    unit = scaled / np.where(norms > 0, norms, 1.0)
    return np.clip(unit @ unit.T, -1.0, 1.0)


def _point(name: str, own: Mapping[str, Sequence[float]]) -> Point | None:
    last = name.lower().replace(".", "_").replace(":", "_").rpartition("_")[2]
    for key in (name, name.lower(), last):
        if key in own:
            valence, arousal = own[key]
            return float(valence), float(arousal)
        known = _SAME_AS.get(key, key)
        if known in EMOTION_POINTS:
            return EMOTION_POINTS[known]
    return None
