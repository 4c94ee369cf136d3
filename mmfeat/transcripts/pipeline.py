"""The back end ``transformers``: any speech recognition model of its library, CTC or sequence to sequence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Any

from mmfeat.errors import ConfigError
from mmfeat.transcripts.transcriber import SAMPLE_RATE, TranscriberOptions, import_package, load_model, model_facts
from mmfeat.transcripts.transcript import TimedWord, Transcript
from mmfeat.types import Waveform


class PipelineTranscriber:
    """Transcribes with the pipeline ``automatic-speech-recognition``.

    It gives no probabilities, so that there is neither a confidence nor one of the language. Clips are recognised one
    at a time; several jobs read sounds at the same time.

    Args:
        options: ``model`` is a folder, or a name on the model hub.

    Raises:
        ConfigError: no model is named.
        MissingExtraError: transformers is not installed.
        InputError: the model cannot be loaded.
    """

    sample_rate = SAMPLE_RATE

    def __init__(self, options: TranscriberOptions) -> None:
        if not options.model:
            raise ConfigError("back end 'transformers': expected a model, got none; give its folder or its name")
        package = import_package("transformers", extra="train", purpose="the back end 'transformers'")
        device = {} if options.device == "auto" else {"device": options.device}
        self._pipeline = load_model(
            lambda: package.pipeline("automatic-speech-recognition", model=options.model, **device),
            options.model,
            "give a folder or a hub name of a speech recognition model",
        )
        self._language = options.language
        self._lock = Lock()
        self._options = _options(str(self._pipeline.type), options.language)
        self.settings = {
            "backend": "transformers",
            **model_facts(options.model),
            "version": package.__version__,
            "language": options.language,
        }

    def transcribe(self, waveform: Waveform) -> Transcript:
        """Return what is said; times of words as the model's own timestamps give them."""
        sound = {"raw": waveform.samples, "sampling_rate": waveform.sample_rate}
        with self._lock:
            found = self._pipeline(sound, **self._options)
        return Transcript(
            text=str(found["text"]).strip(),
            language=self._language or None,
            words=tuple(_words(found.get("chunks", ()), waveform.duration_s)),
        )

    def close(self) -> None:
        """Nothing runs on."""


def _options(kind: str, language: str) -> dict[str, Any]:
    """Return the arguments of a call, by the kind of model that the pipeline found."""
    if kind == "seq2seq":  # other than Whisper: no times
        return {}
    if kind == "seq2seq_whisper" and language:
        return {"return_timestamps": "word", "generate_kwargs": {"language": language.partition("-")[0].lower()}}
    return {"return_timestamps": "word"}


def _words(chunks: Iterable[Mapping[str, Any]], duration_s: float) -> Iterable[TimedWord]:
    """Yield the words; the last one of a model that was cut off has no end."""
    last_s = 0.0
    for chunk in chunks:
        text = str(chunk["text"]).strip()
        start, stop = chunk["timestamp"]
        if not text or start is None:
            continue
        last_s = min(max(float(start), last_s), duration_s)
        stop_s = duration_s if stop is None else min(max(float(stop), last_s), duration_s)
        yield TimedWord(text=text, start_s=last_s, stop_s=stop_s)
