"""Models of pocketsphinx: the English one in its package, or a folder; and one decoder for each thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import local
from typing import Any

import numpy as np

from mmfeat.errors import InputError
from mmfeat.transcripts.transcriber import import_package, load_model
from mmfeat.types import Waveform

_FRAME_RATE = 100  # frames per second of its features
_PURPOSE = "transcribing or aligning with pocketsphinx"
_BUNDLED, _BUNDLED_LANGUAGE = "en-us", "en-US"
_LM_SUFFIXES = (".lm.bin", ".lm.dmp", ".lm.gz", ".lm")


@dataclass(frozen=True, kw_only=True)
class SphinxModel:
    """The files of one model.

    Args:
        name: how the file of transcripts calls it.
        acoustic: folder with ``mdef``.
        dictionary: file of pronunciations.
        language_model: file of word sequences; None where there is none, which alignment does not need.
        language: BCP 47 tag; None where it is not known.
    """

    name: str
    acoustic: Path
    dictionary: Path
    language_model: Path | None
    language: str | None

    @property
    def facts(self) -> dict[str, Any]:
        """What a file of transcripts says of the model."""
        files = (self.dictionary, self.acoustic / "mdef", *([self.language_model] if self.language_model else []))
        return {"model": self.name, "model_n_byte": sum(path.stat().st_size for path in files)}

    @property
    def is_english(self) -> bool:
        """Whether rules of English spelling are of use."""
        return (self.language or "").partition("-")[0].lower() == "en"


def find_model(model: str, language: str) -> SphinxModel:
    """Return a model.

    Args:
        model: a folder with one folder that holds ``mdef``, one ``.dict`` file and perhaps a ``.lm`` or ``.lm.bin``;
            empty for the English one of the package.
        language: BCP 47 tag of the model, empty where it is not known.

    Raises:
        MissingExtraError: pocketsphinx is not installed.
        InputError: the folder is not such a one, or the bundled model is of another language.
    """
    package = import_package("pocketsphinx", extra="asr", purpose=_PURPOSE)
    folder = Path(model or package.get_model_path(_BUNDLED))
    if not model and language.partition("-")[0].lower() not in ("", "en"):
        raise InputError(
            f"language {language!r}: expected a model of it, the one that comes with pocketsphinx is English; "
            "give the folder of another one"
        )
    acoustic = sorted(path.parent for path in (*folder.glob("mdef"), *folder.glob("*/mdef")))
    dictionaries = sorted(folder.glob("*.dict"))
    if len(acoustic) != 1 or len(dictionaries) != 1:
        raise InputError(
            f"{folder}: expected one folder with mdef and one .dict file, got {len(acoustic)} and {len(dictionaries)}; "
            "put the files of one pocketsphinx model there"
        )
    language_models = [path for suffix in _LM_SUFFIXES for path in sorted(folder.glob(f"*{suffix}"))]
    preferred = [path for path in language_models if "phone" not in path.name]
    return SphinxModel(
        name=folder.name,
        acoustic=acoustic[0],
        dictionary=dictionaries[0],
        language_model=preferred[0] if preferred else None,
        language=language or (None if model else _BUNDLED_LANGUAGE),
    )


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One stretch of a decoded sound.

    Args:
        word: in the spelling of the dictionary; empty for silence and noise.
        start_s: in seconds.
        stop_s: in seconds, the end of its last frame.
    """

    word: str
    start_s: float
    stop_s: float


class SphinxDecoder:
    """One decoder; not for two threads at once.

    Args:
        decoder: pocketsphinx' own.
    """

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder
        self._learnt: dict[str, str] = {}

    def phones(self, word: str) -> str | None:
        """Return the phones of a word, None where the dictionary does not have it, whatever was learnt."""
        found: str | None = None if word in self._learnt else self._decoder.lookup_word(word)
        return found

    def learn(self, phones: Mapping[str, str]) -> None:
        """Add words with their phones."""
        for word in phones.keys() - self._learnt.keys():
            self._decoder.add_word(word, phones[word])
            self._learnt[word] = phones[word]

    def align_to(self, words: Sequence[str]) -> None:
        """Expect these words, all of which it knows, and nothing else."""
        self._decoder.set_align_text(" ".join(words))

    def decode(self, waveform: Waveform) -> list[Segment]:
        """Return what is found in a sound at 16 kHz, in order; nothing where nothing fits."""
        samples = (np.clip(waveform.samples, -1.0, 1.0) * 32767.0).astype("<i2")
        self._decoder.reinit_feat()  # or the noise of the sound before is subtracted from this one
        self._decoder.start_utt()
        try:
            self._decoder.process_raw(samples.tobytes(), full_utt=True)
        finally:
            self._decoder.end_utt()
        if self._decoder.hyp() is None:  # there may be segments all the same, which end somewhere in the middle
            return []
        return [
            Segment(
                word=_word(str(found.word)),
                start_s=found.start_frame / _FRAME_RATE,
                stop_s=(found.end_frame + 1) / _FRAME_RATE,
            )
            for found in self._decoder.seg() or ()
        ]


class SphinxDecoders:
    """Decoders of one model, one for each thread.

    Args:
        model: the files.
        options: more of pocketsphinx' settings.
    """

    def __init__(self, model: SphinxModel, options: Mapping[str, Any]) -> None:
        package = import_package("pocketsphinx", extra="asr", purpose=_PURPOSE)
        self._decoder, self._model, self._options, self._own = package.Decoder, model, dict(options), local()

    def get(self) -> SphinxDecoder:
        """Return the decoder of this thread.

        Raises:
            InputError: pocketsphinx cannot load the model.
        """
        if not hasattr(self._own, "decoder"):
            decoder = load_model(self._load, self._model.name, "give the folder of a pocketsphinx model for 16 kHz")
            self._own.decoder = SphinxDecoder(decoder)
        found: SphinxDecoder = self._own.decoder
        return found

    def _load(self) -> Any:
        return self._decoder(
            hmm=str(self._model.acoustic),
            dict=str(self._model.dictionary),
            cmn="batch",  # means over the clip alone: what was decoded before must not change it
            loglevel="FATAL",
            **self._options,
        )


def _word(found: str) -> str:
    """Return a word without the number of its pronunciation; empty for silence and noise."""
    return "" if found.startswith(("<", "[", "(", "+")) else found.partition("(")[0]
