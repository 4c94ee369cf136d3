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


def emotion_points(names: Sequence[str], own: Sequence[str] = ()) -> npt.NDArray[np.float64]:
    """Return valence and arousal of emotions, float64 in [0, 1], shape (emotion, 2).

    Args:
        names: of the emotions, in any case; what stands before the last ``_``, ``.`` or ``:`` is left out where the
            whole name is not known ("emotion_happy").
        own: points that win over the table, ``NAME=VALENCE,AROUSAL`` each.

    Raises:
        ConfigError: emotions without a point, or a point that is none; all at once.
    """
    table = {**EMOTION_POINTS, **dict(map(_parsed, own))}
    found = {name: _point(name, table) for name in names}
    unknown = [name for name, point in found.items() if point is None]
    if unknown:
        raise ConfigError(
            f"emotion points: no valence and arousal known for {', '.join(map(repr, unknown))}; known: "
            f"{', '.join((*table, *_SAME_AS))}; say where others lie with NAME=VALENCE,AROUSAL, both in [0, 1]"
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
    similarity: npt.NDArray[np.float64] = np.clip(unit @ unit.T, -1.0, 1.0)
    return similarity


def _parsed(entry: str) -> tuple[str, Point]:
    name, _, values = entry.partition("=")
    try:
        valence, arousal = map(float, values.split(","))
    except ValueError as error:
        raise ConfigError(f"emotion points: expected NAME=VALENCE,AROUSAL, got {entry!r}") from error
    if not (0.0 <= valence <= 1.0 and 0.0 <= arousal <= 1.0):
        raise ConfigError(f"emotion points: expected valence and arousal in [0, 1], got {entry!r}")
    return name.strip(), (valence, arousal)


def _point(name: str, table: Mapping[str, Point]) -> Point | None:
    last = name.lower().replace(".", "_").replace(":", "_").rpartition("_")[2]
    for key in (name, name.lower(), last):
        known = key if key in table else _SAME_AS.get(key, "")
        if known in table:
            return table[known]
    return None
