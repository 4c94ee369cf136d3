"""Sentiment words in a text, by the VADER lexicon.

Source: Hutto and Gilbert, "VADER", ICWSM 2014: words, emoticons and phrases with a mean human rating in [-4, 4];
7,506 of them in vaderSentiment 3.3.2, 7,502 in the copy that SKESL was released with.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from mmfeat.errors import InputError

_WORD = re.compile(r"\S+")
_EDGE_PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\u201c\u201d\u2018\u2019\u2026\u2014\u2013"


@dataclass(frozen=True, kw_only=True)
class SentimentWord:
    """A lexicon entry found in a text: characters ``start`` to ``end`` and its score in [-4, 4]."""

    start: int
    end: int
    score: float


def load_lexicon(path: Path | None = None) -> dict[str, float]:
    """Return the score of every entry; the VADER lexicon where ``path`` is None.

    The file has one entry a line: the word, a tab, the score; further columns are ignored. Entries may hold
    spaces ("fed up").

    Raises:
        InputError: the file cannot be read, or a line has no score.
    """
    if path is None:
        return dict(_vader())
    try:
        return _parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected a lexicon in utf-8: {error}") from error


@functools.cache
def _vader() -> dict[str, float]:
    resource = files("vaderSentiment") / "vader_lexicon.txt"
    return _parse(resource.read_text(encoding="utf-8"), "vader_lexicon.txt")


def _parse(text: str, where: str) -> dict[str, float]:
    scores: dict[str, float] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        word, _, rest = line.partition("\t")
        try:
            scores[word] = float(rest.split("\t")[0])
        except ValueError as error:
            raise InputError(f"{where}, line {number}: expected WORD<tab>SCORE, got {line!r}") from error
    return scores


def find_sentiment_words(text: str, lexicon: Mapping[str, float]) -> list[SentimentWord]:
    """Return the lexicon entries in ``text`` from left to right; they do not overlap.

    Words are matched as written, then in lower case, then without the punctuation around them. Longer entries
    ("fed up", three words at most) win over shorter ones.

    Example:
        >>> find_sentiment_words("Great cast :) but I am fed up.", {"great": 3.1, ":)": 2.0, "fed up": -1.8})
        [SentimentWord(start=0, end=5, score=3.1), SentimentWord(start=11, end=13, score=2.0), \
SentimentWord(start=23, end=29, score=-1.8)]
    """
    spans = [match.span() for match in _WORD.finditer(text)]
    found = []
    first = 0
    while first < len(spans):
        for n_word in (3, 2, 1):
            span = (spans[first][0], spans[min(first + n_word, len(spans)) - 1][1])
            word = _look_up(text, span, lexicon) if first + n_word <= len(spans) else None
            if word is not None:
                found.append(word)
                break
        first += n_word if word is not None else 1
    return found


def _look_up(text: str, span: tuple[int, int], lexicon: Mapping[str, float]) -> SentimentWord | None:
    start, end = span
    raw = text[start:end]
    stripped = raw.strip(_EDGE_PUNCTUATION)
    candidates = [(raw, start)]
    # White space at the edge: a whole word was punctuation, and may be an emoticon of its own ("good :)").
    if stripped and stripped == stripped.strip():
        candidates.append((stripped, start + raw.find(stripped)))
    for candidate, at in candidates:
        for key in (candidate, " ".join(candidate.lower().split())):
            if key in lexicon:
                return SentimentWord(start=at, end=at + len(candidate), score=lexicon[key])
    return None
