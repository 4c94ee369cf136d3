"""Valence and arousal of texts, by any lexicon that the user has.

Recognised are the columns of the NRC-VAD lexicon (word or term, valence, arousal; [0, 1], in its second version
[-1, 1]; Mohammad, ACL 2018 and 2025) and those of Warriner, Kuperman and Brysbaert's norms (Word, V.Mean.Sum,
A.Mean.Sum; [1, 9]; Behavior Research Methods 2013). Neither comes with this project.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mmfeat import Float32Array
from mmfeat.errors import InputError
from skesl.lexicon import find_sentiment_words

_WORD = ("word", "term", "words", "lemma")
_VALENCE = ("valence", "v.mean.sum", "v", "val")
_AROUSAL = ("arousal", "a.mean.sum", "a", "aro")
_SCALES = ((0.0, 1.0), (-1.0, 1.0), (1.0, 9.0))  # the first that holds all values


def load_va_lexicon(path: Path) -> dict[str, tuple[float, float]]:
    """Return valence and arousal of each word, scaled to [0, 1].

    Args:
        path: comma- or tab-separated, utf-8, with a line of column names.

    Raises:
        InputError: the file cannot be read, a column is missing, or a value is no number or beyond all known scales.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected a lexicon of valence and arousal in utf-8: {error}") from error
    lines = text.splitlines()
    delimiter = "\t" if lines and "\t" in lines[0] else ","
    header, *rows = list(csv.reader(lines, delimiter=delimiter)) or [[]]
    columns = [_column(path, header, names) for names in (_WORD, _VALENCE, _AROUSAL)]
    words, values = [], []
    for number, row in enumerate(rows, start=2):
        if row:
            words.append(_cell(path, number, row, columns[0]))
            values.append([_number(path, number, row, column) for column in columns[1:]])
    if not words:
        raise InputError(f"{path}: expected a lexicon of valence and arousal, got no word")
    points = np.asarray(values, dtype=np.float64)
    low, high = _scale(path, points)
    return {
        word: (float(valence), float(arousal))
        for word, (valence, arousal) in zip(words, (points - low) / (high - low), strict=True)
    }


def score_texts(texts: Sequence[str], lexicon: Mapping[str, tuple[float, float]]) -> Float32Array:
    """Return valence and arousal of each text: the mean over its words that the lexicon knows.

    Args:
        texts: what is said; words are found as ``find_sentiment_words`` finds them.
        lexicon: valence and arousal of each word.

    Returns:
        float32, shape (text, 2), in [0, 1]; NaN for a text without such a word.

    Example:
        >>> score_texts(["A happy, calm day", "hm"], {"happy": (1.0, 0.75), "calm": (0.875, 0.25)}).tolist()
        [[0.9375, 0.5], [nan, nan]]
    """
    valence = {word: point[0] for word, point in lexicon.items()}
    scores = np.full((len(texts), 2), np.nan, dtype=np.float32)
    for row, text in enumerate(texts):
        found = [lexicon[word.entry] for word in find_sentiment_words(text, valence)]
        if found:
            scores[row] = np.mean(found, axis=0)
    return scores


def _column(path: Path, header: Sequence[str], names: Sequence[str]) -> int:
    lower = [name.strip().lower() for name in header]
    for name in names:
        if name in lower:
            return lower.index(name)
    raise InputError(
        f"{path}, line 1: expected a column named {' or '.join(names[:2])}, got {', '.join(header) or 'nothing'}; "
        "give the columns of NRC-VAD (Word, Valence, Arousal) or of Warriner's norms (Word, V.Mean.Sum, A.Mean.Sum)"
    )


def _cell(path: Path, number: int, row: Sequence[str], column: int) -> str:
    if column >= len(row):
        raise InputError(f"{path}, line {number}: expected at least {column + 1} columns, got {len(row)}")
    return row[column].strip().lower()


def _number(path: Path, number: int, row: Sequence[str], column: int) -> float:
    cell = _cell(path, number, row, column)
    try:
        return float(cell)
    except ValueError as error:
        raise InputError(f"{path}, line {number}: expected a number in column {column + 1}, got {cell!r}") from error


def _scale(path: Path, points: np.ndarray) -> tuple[float, float]:
    for low, high in _SCALES:
        if points.min() >= low and points.max() <= high:
            return low, high
    raise InputError(
        f"{path}: expected values in [0, 1], [-1, 1] or [1, 9], got {points.min():g} to {points.max():g}; "
        "scale the lexicon"
    )
