"""Sentiment words in a text, by the VADER lexicon or one of the user's own.

Source: Hutto and Gilbert, "VADER", ICWSM 2014: words, emoticons and phrases with a mean human rating in [-4, 4];
7,506 of them in vaderSentiment 3.3.2, 7,502 in the copy that SKESL was released with.

Chinese and Japanese are written without spaces: there the longest entry is taken at each character.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from mmfeat.errors import InputError

# Han characters with their extensions, kana, and the marks that repeat a character.
_UNSPACED = "\u3005\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_UNSPACED}]+|[^\s{_UNSPACED}]+")
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_EDGE_PUNCTUATION = (
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\u201c\u201d\u2018\u2019\u2026\u2014\u2013"
    "\u3001\u3002\u300a\u300b\u300c\u300d\u300e\u300f\u3010\u3011\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f\uff5e"
)
_MAX_SCORE = 4.0  # VADER's raters used -4 to 4; three quarters of it are the labels' -3 to 3


@dataclass(frozen=True, kw_only=True)
class SentimentWord:
    """A lexicon entry found in a text: characters ``start`` to ``end``, its score in [-4, 4], and the entry."""

    start: int
    end: int
    score: float
    entry: str = ""


def load_lexicon(path: Path | None = None) -> dict[str, float]:
    """Return the score of every entry; the VADER lexicon where ``path`` is None.

    The file has one entry a line: the word, a tab, the score in [-4, 4]; further columns are ignored. Entries may
    hold spaces ("fed up").

    Raises:
        InputError: the file cannot be read, or a line has no score in [-4, 4].
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
            score = float(rest.split("\t")[0])
        except ValueError as error:
            raise InputError(f"{where}, line {number}: expected WORD<tab>SCORE, got {line!r}") from error
        if not abs(score) <= _MAX_SCORE:
            raise InputError(
                f"{where}, line {number}: expected a score in [-4, 4] for {word!r}, got {score}; scale the lexicon"
            )
        scores[word] = score
    return scores


def find_sentiment_words(text: str, lexicon: Mapping[str, float]) -> list[SentimentWord]:
    """Return the lexicon entries in ``text`` from left to right; they do not overlap.

    Words are matched as written, then in lower case, then without the punctuation around them. Longer entries
    ("fed up", three words at most) win over shorter ones. Where a script has no spaces the longest entry that
    begins at a character is taken, from left to right.

    Example:
        >>> find_sentiment_words("Great cast :) but fed up.", {"great": 3.1, ":)": 2.0, "fed up": -1.8})
        [SentimentWord(start=0, end=5, score=3.1, entry='great'), \
SentimentWord(start=11, end=13, score=2.0, entry=':)'), \
SentimentWord(start=18, end=24, score=-1.8, entry='fed up')]
        >>> find_sentiment_words("演员很好看", {"好": 1.5, "好看": 2.0})
        [SentimentWord(start=3, end=5, score=2.0, entry='好看')]
    """
    spans = [match.span() for match in _WORD.finditer(text)]
    found: list[SentimentWord] = []
    first = 0
    while first < len(spans):
        if _IS_UNSPACED.match(text[spans[first][0]]):
            found += _unspaced_words(text, spans[first], lexicon)
            first += 1
            continue
        for n_word in (3, 2, 1):
            span = (spans[first][0], spans[min(first + n_word, len(spans)) - 1][1])
            word = _look_up(text, span, lexicon) if first + n_word <= len(spans) else None
            if word is not None:
                found.append(word)
                break
        first += n_word if word is not None else 1
    return found


def _unspaced_words(text: str, span: tuple[int, int], lexicon: Mapping[str, float]) -> Iterator[SentimentWord]:
    """Yield the entries in a run of characters without spaces, the longest first at each character."""
    start, stop = span
    longest = max(map(len, lexicon), default=0)
    while start < stop:
        ends = range(min(stop, start + longest), start, -1)
        end = next((end for end in ends if text[start:end] in lexicon), None)
        if end is not None:
            entry = text[start:end]
            yield SentimentWord(start=start, end=end, score=lexicon[entry], entry=entry)
        start = end or start + 1


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
                return SentimentWord(start=at, end=at + len(candidate), score=lexicon[key], entry=key)
    return None
