"""Sentiment Word Masking: hide the most sentimental word, predict its score.

Source: SKESL (ACL 2023 Findings), section 3.2: the target is the word's VADER score, scaled from [-4, 4] to the
labels' [-3, 3]. By default words are matched whole and replaced by one mask token; what the released code does is
in ``word_piece_masking``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mmfeat.errors import ConfigError
from skesl.inputs import InputConfig
from skesl.lexicon import SentimentWord, find_sentiment_words
from skesl.text import TextEncoder, TokenisedText, tokenise
from skesl.word_piece_masking import Draws, find_sentiment_pieces, mask_sentiment_piece

SCORE_SCALE = 0.75  # [-4, 4] to [-3, 3]


@dataclass(frozen=True, kw_only=True)
class MaskingConfig:
    """Which words are hidden in pretraining, and how."""

    # word_piece: as released (data_loader.py:67), a single piece of the tokenizer must be a key of the lexicon
    matching: Literal["word", "word_piece"] = "word"
    # all: as released (data_loader.py:81), every occurrence of the word is hidden, the loss still reads the first
    hidden_occurrences: Literal["supervised", "all"] = "supervised"
    # Released (data_loader.py:64-66): the attention mask is that of the text before it was masked and cut; tokens
    # beyond it would be padding that is attended.
    attend_as_unmasked: bool = False
    max_neutral_fraction: float = 1.0  # of the clips that are trained on, at most so many without a sentiment word

    def __post_init__(self) -> None:
        if not 0.0 <= self.max_neutral_fraction <= 1.0:
            raise ConfigError(f"max_neutral_fraction must lie in [0, 1], got {self.max_neutral_fraction}")
        if self.matching == "word_piece" and self.hidden_occurrences != "all":
            raise ConfigError('matching "word_piece" hides every occurrence; set hidden_occurrences to "all"')


@dataclass(frozen=True, kw_only=True)
class SpecialTokens:
    """Ids of the tokens that stand around a text, in place of a hidden word and behind a text."""

    start: int
    end: int
    mask: int
    padding: int = 0


@dataclass(frozen=True, kw_only=True)
class MaskedText:
    """Ids with special tokens, the position of the mask among them, and its target in [-3, 3]."""

    ids: tuple[int, ...]
    position: int
    target: float


@dataclass(frozen=True, kw_only=True)
class SpokenText:
    """A text and the sentiment words in it, ready to be masked again and again."""

    pieces: TokenisedText
    words: tuple[SentimentWord, ...]


class TextMasker:
    """Makes pretraining texts: special tokens, one hidden word, its position and its target.

    Args:
        encoder: its tokenizer cuts the texts.
        lexicon: score of each entry.
        config: which words are hidden.
        max_tokens: length limit, special tokens included; the encoder's and that of ``inputs`` where they are lower.
        inputs: how much of a clip is read; without text nothing is left of it but the mask.
    """

    def __init__(
        self,
        encoder: TextEncoder,
        lexicon: Mapping[str, float],
        config: MaskingConfig,
        *,
        max_tokens: int,
        inputs: InputConfig | None = None,
    ) -> None:
        inputs = inputs or InputConfig()
        self._encoder = encoder
        self._lexicon = lexicon
        self._config = config
        self._max_tokens = min(max_tokens, encoder.max_tokens, inputs.max_text_tokens or max_tokens)
        self._reads_text = inputs.reads_text
        self._special = special_tokens(encoder)

    def prepare(self, texts: Sequence[str]) -> list[SpokenText]:
        """Return texts with their sentiment words; those of which no piece is left do not count."""
        return [
            SpokenText(pieces=pieces, words=tuple(self._words(text, pieces)))
            for text, pieces in zip(texts, tokenise(self._encoder, list(texts)), strict=True)
        ]

    @property
    def max_tokens(self) -> int:
        """Length limit, special tokens included."""
        return self._max_tokens

    def plain(self, text: SpokenText) -> tuple[int, ...]:
        """Return the ids of a text in which nothing is hidden; a lone mask where texts are not read."""
        return plain_ids(text.pieces, self._special, max_tokens=self._max_tokens) if self._reads_text else self._lone()

    def mask(self, text: SpokenText, rng: Draws) -> MaskedText:
        """Return a text with one word hidden; ``rng`` chooses where there is no sentiment word."""
        masked = self._masked(text, rng)
        if not self._reads_text:
            return MaskedText(ids=self._lone(), position=1, target=masked.target)
        if not self._config.attend_as_unmasked:
            return masked
        n_attended = min(len(text.pieces.ids) + 2, self._max_tokens)
        missing = (self._special.padding,) * (n_attended - len(masked.ids))
        return MaskedText(ids=(*masked.ids, *missing), position=masked.position, target=masked.target)

    def _lone(self) -> tuple[int, ...]:
        return (self._special.start, self._special.mask, self._special.end)

    def _words(self, text: str, pieces: TokenisedText) -> list[SentimentWord]:
        if self._config.matching == "word_piece":
            return find_sentiment_pieces(pieces, self._encoder.tokenizer, self._lexicon)
        return [word for word in find_sentiment_words(text, self._lexicon) if _pieces(pieces, word) is not None]

    def _masked(self, text: SpokenText, rng: Draws) -> MaskedText:
        if self._config.matching == "word":
            return mask_sentiment_word(
                text.pieces,
                text.words,
                self._special,
                max_tokens=self._max_tokens,
                rng=rng,
                hide_all=self._config.hidden_occurrences == "all",
            )
        ids, position, score = mask_sentiment_piece(
            text.pieces, text.words, self._encoder.tokenizer, max_tokens=self._max_tokens, rng=rng
        )
        return MaskedText(ids=ids, position=position, target=SCORE_SCALE * score)


def mask_sentiment_word(
    text: TokenisedText,
    words: Sequence[SentimentWord],
    special: SpecialTokens,
    *,
    max_tokens: int,
    rng: Draws,
    hide_all: bool = False,
) -> MaskedText:
    """Return the text with its most sentimental word hidden.

    The strongest absolute score wins, ties go to the first. Without a sentiment word a random word piece is
    hidden and the target is 0; an empty text becomes a lone mask with target 0. A text that is too long is cut to
    a window that holds the mask.

    Args:
        text: word pieces without special tokens.
        words: the lexicon entries in the text.
        special: ids of start, end and mask.
        max_tokens: length limit, special tokens included.
        rng: draws the random word piece.
        hide_all: hide the word wherever it stands; the first occurrence is the supervised one.
    """
    spans = [(word, span) for word in words if (span := _pieces(text, word)) is not None]
    if spans:
        strongest, first = max(spans, key=lambda pair: abs(pair[0].score))
        hidden = [first]
        if hide_all:
            hidden += [span for word, span in spans if span != first and word.entry == strongest.entry]
        target = SCORE_SCALE * strongest.score
    else:
        piece = int(rng.integers(len(text.ids))) if text.ids else 0
        hidden, target = [(piece, piece + 1 if text.ids else 0)], 0.0
    ids, position = _with_masks(text.ids, hidden, special.mask)
    window = _window(len(ids), position, max_tokens - 2)
    return MaskedText(
        ids=(special.start, *ids[window], special.end), position=position - window.start + 1, target=target
    )


def plain_ids(text: TokenisedText, special: SpecialTokens, *, max_tokens: int) -> tuple[int, ...]:
    """Return the text's ids between the special tokens, cut at the right."""
    return (special.start, *text.ids[: max_tokens - 2], special.end)


def special_tokens(encoder: TextEncoder) -> SpecialTokens:
    """Return the encoder's start, end, mask and padding ids."""
    tokenizer = encoder.tokenizer
    return SpecialTokens(
        start=tokenizer.cls_token_id,
        end=tokenizer.sep_token_id,
        mask=tokenizer.mask_token_id,
        padding=tokenizer.pad_token_id or 0,
    )


def _with_masks(ids: Sequence[int], hidden: Sequence[tuple[int, int]], mask: int) -> tuple[list[int], int]:
    """Return ids with one mask in place of each span, and where the mask of the first span stands."""
    masked: list[int] = []
    position = last = 0
    for start, stop in sorted(hidden):
        masked += ids[last:start]
        if (start, stop) == hidden[0]:
            position = len(masked)
        masked.append(mask)
        last = stop
    return [*masked, *ids[last:]], position


def _pieces(text: TokenisedText, word: SentimentWord) -> tuple[int, int] | None:
    """Return the first word piece that overlaps a word's characters and the one behind the last."""
    overlapping = [index for index, (start, end) in enumerate(text.spans) if start < word.end and end > word.start]
    return (overlapping[0], overlapping[-1] + 1) if overlapping else None


def _window(n_id: int, position: int, n_kept: int) -> slice:
    """Return a slice of at most ``n_kept`` ids with ``position`` near its middle."""
    start = max(0, min(position - n_kept // 2, n_id - n_kept))
    return slice(start, start + n_kept)
