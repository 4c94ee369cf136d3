"""Times of the words of a known text, by forced alignment with pocketsphinx."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version

import numpy as np

from mmfeat.errors import ClipError
from mmfeat.transcripts.spelling import phones_of, spoken_words
from mmfeat.transcripts.sphinx_model import Segment, SphinxDecoder, SphinxDecoders, find_model
from mmfeat.transcripts.transcriber import SAMPLE_RATE
from mmfeat.transcripts.transcript import TimedWord, Transcript
from mmfeat.types import StreamStatus, Waveform

_WIDE = {"beam": 1e-120, "pbeam": 1e-120, "wbeam": 1e-100}  # pocketsphinx' own: 1e-48, 1e-48, 7e-29
_NOISE = 1e-3  # standard deviation, of samples in [-1, 1]
_MOST_NAMED = 5  # words in a message
_MOST_SHOWN = 60  # characters in a message


class SphinxAligner:
    """Finds where the words of a known text are spoken.

    One Viterbi pass over the sequence of words, with silence and noise between them where they fit. Pocketsphinx has
    a second pass that aligns phones; it fails on many clips and is not used. Where the first
    pass does not come to the end of the text it is done once more with wide beams.

    Words that the dictionary does not have are spoken out (numbers, signs, compounds, abbreviations) or get a rough
    pronunciation by their letters; a note names them. These rules are for English.

    Args:
        model: a folder, see ``find_model``; empty for the English one that comes with pocketsphinx.
        language: BCP 47 tag of a model in a folder.

    Raises:
        MissingExtraError: pocketsphinx is not installed.
        InputError: the folder holds no model.

    Source: Huggins-Daines et al., "PocketSphinx", ICASSP 2006. Against the word times of GRID the median error of a
    boundary is 20 ms (``tests/real/test_transcripts.py``); the resolution is 10 ms.
    """

    sample_rate = SAMPLE_RATE

    def __init__(self, model: str = "", language: str = "") -> None:
        self._model = find_model(model, language)
        self._narrow = SphinxDecoders(self._model, {"lm": None})
        self._wide = SphinxDecoders(self._model, {"lm": None, **_WIDE})
        self._narrow.get()
        self.settings = {
            "backend": "pocketsphinx-align",
            **self._model.facts,
            "version": version("pocketsphinx"),
            "language": language,
        }

    def align(self, waveform: Waveform, text: str) -> Transcript:
        """Return the words of a text with their times; those without a sound, such as a dash, are left out.

        Args:
            waveform: sound at 16 kHz.
            text: what is said, words separated by spaces.

        Raises:
            ClipError: there are no words, some cannot be pronounced, or the text does not fit the sound.
        """
        decoder = self._narrow.get()
        tokens = [(token, self._spoken(decoder, token)) for token in text.split()]
        words = [word for _, spelt in tokens for word in spelt]
        if not words:
            raise ClipError(f"expected a text with words to align, got {text!r}; correct it", StreamStatus.EMPTY)
        phones = self._phones(decoder, words)
        segments = self._segments(waveform, words, phones)
        if segments is None:
            raise ClipError(
                f"expected sound with the {len(words)} words of the text, could not find all of them in its "
                f"{waveform.duration_s:.2f} s; compare the text with the sound: {text[:_MOST_SHOWN]!r}",
                StreamStatus.TOOL_FAILED,
            )
        note = f"pronounced by their letters: {', '.join(phones)}"
        return Transcript(
            text=text,
            language=self._model.language,
            words=_timed(tokens, segments, waveform.duration_s),
            notes=(note,) if phones else (),
        )

    def close(self) -> None:
        """Nothing runs on."""

    def _segments(self, waveform: Waveform, words: Sequence[str], phones: Mapping[str, str]) -> list[Segment] | None:
        """Return one segment for each word; None where no attempt finds them all."""
        return (
            _aligned(self._narrow.get(), waveform, words, phones)
            or _aligned(self._wide.get(), waveform, words, phones)
            or _aligned(self._wide.get(), _with_noise(waveform), words, phones)
        )

    def _spoken(self, decoder: SphinxDecoder, token: str) -> list[str]:
        return spoken_words(token, decoder.phones, english=self._model.is_english)

    def _phones(self, decoder: SphinxDecoder, words: Sequence[str]) -> dict[str, str]:
        """Return a pronunciation of each word that the dictionary does not have.

        Raises:
            ClipError: words that cannot be pronounced.
        """
        unknown = [word for word in dict.fromkeys(words) if decoder.phones(word) is None]
        guessed = {word: phones_of(word, decoder.phones) if self._model.is_english else None for word in unknown}
        silent = [word for word, phones in guessed.items() if phones is None]
        if silent:
            shown = ", ".join(map(repr, silent[:_MOST_NAMED]))
            raise ClipError(
                f"expected words that the model {self._model.name} can pronounce, {len(silent)} it cannot: {shown}; "
                "add them to its .dict file, or take a model of their language",
                StreamStatus.TOOL_FAILED,
            )
        return {word: phones for word, phones in guessed.items() if phones is not None}


def _aligned(
    decoder: SphinxDecoder, waveform: Waveform, words: Sequence[str], phones: Mapping[str, str]
) -> list[Segment] | None:
    """Return one segment for each word, None where the pass does not come to the end of the text."""
    decoder.learn(phones)
    decoder.align_to(words)
    segments = [segment for segment in decoder.decode(waveform) if segment.word]
    return segments if [segment.word for segment in segments] == list(words) else None


def _with_noise(waveform: Waveform) -> Waveform:
    """Return a sound whose silence is not digital: such silence is unlike any that the model was trained on."""
    noise = np.random.default_rng(0).normal(scale=_NOISE, size=waveform.samples.size)
    return Waveform(samples=waveform.samples + noise.astype(np.float32), sample_rate=waveform.sample_rate)


def _timed(
    tokens: Sequence[tuple[str, Sequence[str]]], segments: Sequence[Segment], duration_s: float
) -> tuple[TimedWord, ...]:
    """Return the words of the text, each from the start of its first spoken word to the end of its last."""
    timed, first = [], 0
    for token, spelt in tokens:
        own = segments[first : first + len(spelt)]
        first += len(spelt)
        if own:
            stop_s = min(own[-1].stop_s, duration_s)
            timed.append(TimedWord(text=token, start_s=min(own[0].start_s, stop_s), stop_s=stop_s))
    return tuple(timed)
