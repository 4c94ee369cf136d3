"""The back end ``faster-whisper``: Whisper models by CTranslate2."""

from __future__ import annotations

from typing import Any

from mmfeat.errors import ConfigError
from mmfeat.transcripts.transcriber import (
    SAMPLE_RATE,
    TranscriberOptions,
    import_package,
    load_model,
    model_facts,
    threads_for,
)
from mmfeat.transcripts.transcript import TimedWord, Transcript, mean_confidence
from mmfeat.types import Waveform

_NOT_BCP_47 = {"jw": "jv"}  # Whisper's own code of Javanese
_WHISPERS = {tag: code for code, tag in _NOT_BCP_47.items()}


class WhisperTranscriber:
    """Transcribes with a Whisper model.

    Beams of five, temperature 0 and no memory of the window before: the same sound always gives the same text, and an
    error does not spread. Words have the mean probability of their tokens as confidence.

    Args:
        options: ``model`` is a folder with ``model.bin`` or a name such as ``large-v3``, which the package downloads.

    Raises:
        ConfigError: no model is named.
        MissingExtraError: faster-whisper is not installed.
        InputError: the model cannot be loaded, or does not know the language.

    Source: Radford et al., "Robust speech recognition via large-scale weak supervision", 2022.
    """

    sample_rate = SAMPLE_RATE

    def __init__(self, options: TranscriberOptions) -> None:
        if not options.model:
            raise ConfigError("back end 'faster-whisper': expected a model, got none; give its folder or its name")
        package = import_package("faster_whisper", extra="asr", purpose="the back end 'faster-whisper'")
        self._only_speech = options.only_speech
        self._language = _code(options.language)
        self._model = load_model(
            lambda: package.WhisperModel(
                options.model,
                device=options.device,
                compute_type=options.compute_type,
                cpu_threads=threads_for(options.n_jobs),
                num_workers=options.n_jobs,
            ),
            options.model,
            "give a folder with model.bin, or a name that faster-whisper knows",
        )
        self._check_language(options)
        self.settings = {
            "backend": "faster-whisper",
            **model_facts(options.model),
            "version": package.__version__,
            "language": options.language,
            "only_speech": options.only_speech,
            "compute_type": options.compute_type,
        }

    def transcribe(self, waveform: Waveform) -> Transcript:
        """Return what is said, with the language that the model heard."""
        segments, info = self._model.transcribe(
            waveform.samples,
            language=self._language,
            beam_size=5,
            temperature=0.0,
            condition_on_previous_text=False,
            word_timestamps=True,
            vad_filter=self._only_speech,
        )
        found = list(segments)  # the work is done here
        text = " ".join(segment.text.strip() for segment in found).strip()
        words = _words(found, waveform.duration_s)
        heard = bool(text) and self._language is None  # the language of silence is a guess
        language = _NOT_BCP_47.get(info.language, info.language) if heard else _tag(self._language)
        return Transcript(
            text=text,
            language=language,
            language_probability=float(info.language_probability) if heard else None,
            confidence=mean_confidence(words),
            words=words,
        )

    def close(self) -> None:
        """Nothing runs on."""

    def _check_language(self, options: TranscriberOptions) -> None:
        known = self._model.supported_languages
        if self._language is not None and self._language not in known:
            raise ConfigError(
                f"language {options.language!r}: expected one that {options.model} knows: {', '.join(known)}"
            )


def _code(language: str) -> str | None:
    """Return Whisper's code of a BCP 47 tag: its first part."""
    primary = language.partition("-")[0].lower()
    return _WHISPERS.get(primary, primary) or None


def _tag(code: str | None) -> str | None:
    return None if code is None else _NOT_BCP_47.get(code, code)


def _words(segments: list[Any], duration_s: float) -> tuple[TimedWord, ...]:
    """Return the words of all segments; the attention that times come from may reach beyond the end of the sound."""
    words: list[TimedWord] = []
    for found in (word for segment in segments for word in segment.words or ()):
        if not found.word.strip():
            continue
        start_s = min(max(float(found.start), words[-1].start_s if words else 0.0), duration_s)
        words.append(
            TimedWord(
                text=found.word.strip(),
                start_s=start_s,
                stop_s=min(max(float(found.end), start_s), duration_s),
                confidence=min(max(float(found.probability), 0.0), 1.0),
            )
        )
    return tuple(words)
