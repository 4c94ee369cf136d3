"""The back end ``command``: any recogniser that runs on a command line."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mmfeat.errors import ClipError, ConfigError, InputError, MissingToolError
from mmfeat.tool_process import ToolProcesses
from mmfeat.transcripts.transcriber import SAMPLE_RATE, TranscriberOptions
from mmfeat.transcripts.transcript import Transcript
from mmfeat.types import StreamStatus, Waveform

_AUDIO, _OUTPUT = "{audio}", "{output}"


class CommandTranscriber:
    """Runs a program for each clip.

    The program gets the path of a mono wav file (16 kHz, 16 bit) in place of ``{audio}`` and answers on its standard
    output, or in the file ``{output}`` where the command line names it. The answer is the text alone, or an object of
    JSON with ``text`` and what else it knows: ``language``, ``language_probability``, ``confidence``, ``words`` with
    ``text``, ``start_s``, ``stop_s`` and ``confidence``. It ends with code 0, or the clip has failed.

    Args:
        options: ``command`` is the program with its arguments.

    Raises:
        ConfigError: no command line, one without ``{audio}``, or a time limit that is none.
        MissingToolError: there is no such program.
    """

    sample_rate = SAMPLE_RATE

    def __init__(self, options: TranscriberOptions) -> None:
        self._command = tuple(options.command)
        if not any(_AUDIO in part for part in self._command):
            raise ConfigError(f"back end 'command': expected a command line with {_AUDIO}, got {list(self._command)}")
        if shutil.which(self._command[0]) is None:
            raise MissingToolError(f"{self._command[0]}: expected a program, found none; correct the command line")
        if not options.timeout_s > 0:
            raise ConfigError(f"timeout_s must be more than 0, got {options.timeout_s}")
        self._timeout_s = options.timeout_s
        self._language = options.language
        self._processes = ToolProcesses()
        self.settings = {
            "backend": "command",
            "model": options.model or Path(self._command[0]).name,
            "command": list(self._command),
            "language": options.language,
        }

    def transcribe(self, waveform: Waveform) -> Transcript:
        """Return what the program answers."""
        import soundfile

        with tempfile.TemporaryDirectory(prefix="mmfeat-") as name:
            work = Path(name)
            audio, output = work / "audio.wav", work / "output"
            soundfile.write(audio, waveform.samples, waveform.sample_rate, subtype="PCM_16")
            paths = {_AUDIO: str(audio), _OUTPUT: str(output)}
            command = [_filled(part, paths) for part in self._command]
            self._run(command, work, output)
            return self._answer(output)

    def close(self) -> None:
        """End every program that runs, and start no more."""
        self._processes.stop()

    def _run(self, command: Sequence[str], work: Path, output: Path) -> None:
        named = any(_OUTPUT in part for part in self._command)
        answer = None if named else output
        end = self._processes.run(command, work, timeout_s=self._timeout_s, environment={}, output=answer)
        if not end.ended_well:
            raise ClipError(f"{Path(command[0]).name} {end.describe()}", StreamStatus.TOOL_FAILED)

    def _answer(self, output: Path) -> Transcript:
        """Return what stands in the output file.

        Raises:
            ClipError: it is missing, no text, or JSON with other values.
        """
        try:
            text = output.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = f"expected its answer as text in utf-8: {getattr(error, 'strerror', None) or error}"
            raise ClipError(f"{self.settings['model']}: {reason}", StreamStatus.TOOL_FAILED) from error
        try:
            record = json.loads(text) if text.startswith("{") else {"text": text}
            return Transcript.from_record({"language": self._language or None, **record})
        except (ValueError, InputError) as error:
            message = f"{self.settings['model']}: expected a text, or an object of JSON with text and words: {error}"
            raise ClipError(message, StreamStatus.TOOL_FAILED) from error


def _filled(part: str, paths: dict[str, str]) -> str:
    for name, path in paths.items():
        part = part.replace(name, path)
    return part
