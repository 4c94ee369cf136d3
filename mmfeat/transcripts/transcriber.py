"""The one protocol of speech recognisers, and the back ends by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mmfeat.errors import ConfigError, InputError, MissingExtraError
from mmfeat.types import Waveform

if TYPE_CHECKING:
    from mmfeat.transcripts.transcript import Transcript

SAMPLE_RATE = 16_000  # what every recogniser here was trained on, in Hz


class Transcriber(Protocol):
    """A speech recogniser.

    Attributes:
        sample_rate: of the sound that it takes, in Hz.
        settings: everything that decides what it makes of a sound, as JSON can hold it: at least ``backend`` and
            ``model``. A clip is transcribed again where they change.
    """

    sample_rate: int
    settings: Mapping[str, Any]

    def transcribe(self, waveform: Waveform) -> Transcript:
        """Return what is said. Called from several threads at once.

        Raises:
            ClipError: this sound cannot be transcribed; the others go on.
        """

    def close(self) -> None:
        """End what still runs."""


@dataclass(frozen=True, kw_only=True)
class TranscriberOptions:
    """What a back end is told; what does not concern it is refused.

    Args:
        model: a folder, or a name that the back end knows; empty for its own.
        language: BCP 47 tag of all clips; empty: the recogniser finds out, where it can.
        device: auto, cpu or cuda.
        compute_type: of Whisper's arithmetic, as CTranslate2 calls it: default, int8, float16, float32, ….
        n_jobs: clips at a time.
        command: the command line of an external recogniser, with ``{audio}`` and perhaps ``{output}``.
        timeout_s: seconds that an external recogniser may take for one clip.
        only_speech: leave out what is no speech before recognising, or recognisers write words into noise.
    """

    model: str = ""
    language: str = ""
    device: str = "auto"
    compute_type: str = "default"
    n_jobs: int = 1
    command: Sequence[str] = ()
    timeout_s: float = 3600.0
    only_speech: bool = True


BACKENDS: Mapping[str, tuple[str, str]] = {
    "faster-whisper": ("mmfeat.transcripts.whisper", "WhisperTranscriber"),
    "transformers": ("mmfeat.transcripts.pipeline", "PipelineTranscriber"),
    "pocketsphinx": ("mmfeat.transcripts.sphinx", "SphinxTranscriber"),
    "command": ("mmfeat.transcripts.command", "CommandTranscriber"),
}
"""Module and class of each back end; they are imported when they are opened."""


def open_transcriber(backend: str, options: TranscriberOptions | None = None) -> Transcriber:
    """Return a recogniser.

    Args:
        backend: a name of ``BACKENDS``.
        options: what it is told.

    Raises:
        ConfigError: no such back end, or an option that it does not have or that it needs.
        MissingExtraError: its package is not installed.
        InputError: its model cannot be loaded.
    """
    if backend not in BACKENDS:
        raise ConfigError(f"unknown back end {backend!r}; known: {', '.join(BACKENDS)}")
    options = options or TranscriberOptions()
    if options.command and backend != "command":
        raise ConfigError(f"back end {backend!r}: a command line is for the back end 'command'; leave it out")
    module, name = BACKENDS[backend]
    transcriber: Transcriber = getattr(import_module(module), name)(options)
    return transcriber


def import_package(name: str, *, extra: str, purpose: str) -> Any:
    """Return an optional package.

    Raises:
        MissingExtraError: it, or a package that it needs, is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError(name, extra=extra, purpose=purpose) from error


def load_model(load: Callable[[], Any], model: str, advice: str) -> Any:
    """Return what ``load`` returns, or say plainly that a model cannot be loaded.

    Args:
        load: loads it.
        model: its folder or name, for the message.
        advice: what the user can do.

    Raises:
        InputError: whatever went wrong.
    """
    try:
        return load()
    except Exception as error:  # packages raise errors of their own for files, hubs and devices
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"{model}: expected a model that can be loaded: {reason}; {advice}") from error


def threads_for(n_jobs: int) -> int:
    """Return how many threads each of several recognisers should use; 0 leaves it to the library."""
    return 0 if n_jobs == 1 else max(1, (os.cpu_count() or 1) // n_jobs)


def model_facts(model: str) -> dict[str, Any]:
    """Return what a file of transcripts says of a model: its name, and of a folder how many bytes its files have."""
    folder = Path(model)
    if not folder.is_dir():
        return {"model": model}
    n_byte = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    return {"model": folder.resolve().name, "model_n_byte": n_byte}
