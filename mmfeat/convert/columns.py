"""The names of columns that the field's files leave unnamed.

========  =======  =================================================================================================
stream    columns  what they are, and the source
========  =======  =================================================================================================
audio     74       COVAREP, in the order of its own output files (``names`` of a .mat file; SDK issue 208)
audio     5        of CMU-MOSI: COVAREP 1, 3, 6, 25, 60 (SDK issue 172)
audio     33       CH-SIMS and SKESL: librosa's zero-crossing rate, 20 MFCC, 12 CQT chroma (SKESL
                   get_audio_embedding.py; of CH-SIMS the maintainer says the same in MMSA-FET issue 2)
vision    47       FACET 4.1 without the frame's time (SDK issues 107 and 172)
vision    35       FACET 4.2 (SDK issue 239)
vision    20       of CMU-MOSI: 20 entries of the FACET 4.1 list (SDK issue 172)
vision    709      OpenFace 2, in the order of its csv files (SKESL get_video_embedding.py, MMSA-FET issue 2)
text      300      GloVe
========  =======  =================================================================================================

SDK is A2Zadeh/CMU-MultimodalSDK. The 20 numbers of MOSI are names as well (``facet41_0_…``), because the list that the
issue gives begins with the frame's time and the files of FACET 4.1 do not: read literally, number 0 is that time.
Everything else is called ``<stream>_<i>``.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmfeat.audio import AUDIO_PRESETS
from mmfeat.types import StreamInfo
from mmfeat.vision import GROUPS

LOG_F0 = "log_f0"  # has no value where it is unvoiced

COVAREP = (
    *("F0", "VUV", "NAQ", "QOQ", "H1H2", "PSP", "MDQ", "peakSlope", "Rd", "Rd_conf", "creak"),
    *(f"MCEP_{i}" for i in range(25)),
    *(f"HMPDM_{i}" for i in range(25)),
    *(f"HMPDD_{i}" for i in range(13)),
)
_FEELINGS = (
    *("anger", "contempt", "disgust", "joy", "fear", "negative", "neutral", "positive", "sadness", "surprise"),
    *("confusion", "frustration"),
)
_AUS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 18, 20, 23, 24, 25, 26, 28)
FACET_41 = (
    *("Frametime", "Face X", "Face Y", "Face Width", "Face Height"),
    *(f"{feeling}Evidence" for feeling in _FEELINGS),
    *(f"{feeling}Intensity" for feeling in _FEELINGS),
    *(f"AU{number}Evidence" for number in _AUS),
)
FACET_42 = (
    *("Anger", "Contempt", "Disgust", "Joy", "Fear", "Baseline", "Sadness", "Surprise", "Confusion", "Frustration"),
    *(f"AU{number}" for number in (*_AUS, 43)),
    *("Has_Glasses", "Is_Male", "Pitch", "Yaw", "Roll"),
)
MOSI_COVAREP = (1, 3, 6, 25, 60)
MOSI_FACET = (0, 2, 5, 10, 11, 12, 14, 17, 20, 21, 22, 24, 25, 29, 30, 31, 32, 36, 37, 40)
_MOSI_NOTE = (
    "named after the list of FACET 4.1 in SDK issue 172, which begins with Frametime; files of FACET 4.1 lack that "
    "entry, so a name may be one off"
)
_ZCR_NOTE = (
    "33 columns are taken for zero-crossing rate, 20 MFCC and 12 CQT chroma, as the released scripts compute them"
)


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Names and units of a stream's columns, the tool that made them, and what a person should know of that."""

    names: tuple[str, ...]
    units: tuple[str, ...]
    extractor: str = "unknown"
    preset: str = "unknown"
    note: str = ""

    def stream_info(self, name: str, **facts: Any) -> StreamInfo:
        """Return what a dataset file says of a stream of these columns; ``facts`` are further fields."""
        return StreamInfo(
            name=name,
            feature_names=self.names,
            feature_units=self.units,
            extractor=self.extractor,
            extractor_version="unknown",
            preset=self.preset,
            has_voiced=LOG_F0 in self.names,
            **facts,
        )


def columns_for(stream: str, n_feature: int) -> Columns:
    """Return what is known of the columns of an unnamed stream.

    Args:
        stream: ``audio``, ``vision`` or ``text``; another name has no known columns.
        n_feature: number of columns.

    Example:
        >>> columns_for("audio", 5).names
        ('VUV', 'QOQ', 'MDQ', 'MCEP_14', 'HMPDM_24')
        >>> columns_for("vision", 36).names[:2]
        ('vision_0', 'vision_1')
    """
    known = _KNOWN.get((stream, n_feature))
    return known or _named([f"{stream}_{i}" for i in range(n_feature)], "unknown", "unknown")


def named_columns(names: Sequence[str]) -> Columns:
    """Return the columns of a source that names them; a name that comes again gets a number.

    Example:
        >>> named_columns(["a", "a", "a#2"]).names
        ('a', 'a#2', 'a#2#2')
    """
    unique: dict[str, None] = {}
    for name in names:
        choices = (name if number == 1 else f"{name}#{number}" for number in itertools.count(1))
        unique[next(choice for choice in choices if choice not in unique)] = None
    return _named(list(unique), "unknown", "unknown")


def _named(names: Sequence[str], extractor: str, preset: str, note: str = "") -> Columns:
    units = ("unknown",) * len(names)
    return Columns(names=tuple(names), units=units, extractor=extractor, preset=preset, note=note)


def _librosa() -> Columns:
    preset = AUDIO_PRESETS["ch-sims-33"]
    return Columns(
        names=preset.feature_names,
        units=preset.feature_units,
        extractor="librosa",
        preset="ch-sims-33",
        note=_ZCR_NOTE,
    )


def _openface() -> Columns:
    return Columns(
        names=tuple(name for group in GROUPS.values() for name in group.columns),
        units=tuple(unit for group in GROUPS.values() for unit in group.units),
        extractor="OpenFace 2",
        preset="openface-709",
    )


_KNOWN = {
    ("audio", 74): _named(COVAREP, "COVAREP", "covarep-74"),
    ("audio", 5): _named([COVAREP[i] for i in MOSI_COVAREP], "COVAREP", "mosi-covarep-5"),
    ("audio", 33): _librosa(),
    ("vision", 47): _named(FACET_41[1:], "FACET 4.1", "facet41-47"),
    ("vision", 35): _named(FACET_42, "FACET 4.2", "facet42-35"),
    ("vision", 20): _named(
        [f"facet41_{i}_{FACET_41[i]}" for i in MOSI_FACET], "FACET 4.1", "mosi-facet41-20", _MOSI_NOTE
    ),
    ("vision", 709): _openface(),
    ("text", 300): _named([f"glove_{i}" for i in range(300)], "GloVe", "glove-300"),
}
