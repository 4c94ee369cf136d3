"""The back end faster-whisper, against a stand-in with the interface of the package."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from mmfeat import ConfigError, InputError, MissingExtraError, TranscriberOptions, open_transcriber
from mmfeat.testing import tone

SOUND = tone(200.0, duration_s=2.0)


def segment(text, *words):
    rows = [SimpleNamespace(word=w, start=np.float64(a), end=np.float64(b), probability=p) for w, a, b, p in words]
    return SimpleNamespace(text=text, words=rows or None)


class Package(ModuleType):
    """Stands in for ``faster_whisper``: remembers its calls and answers what it is told to."""

    __version__ = "1.2.1"

    def __init__(self):
        super().__init__("faster_whisper")
        self.calls = []
        self.segments = [segment(" One two.", (" One", 0.0, 0.5, 0.5), (" two.", 0.5, 0.9, 1.0))]
        self.language = ("de", 0.9)

    def WhisperModel(self, model, *, device, compute_type, cpu_threads, num_workers):  # noqa: N802 - the package's name
        self.calls.append((model, device, compute_type, num_workers))
        if model == "broken":
            raise RuntimeError("Unable to open file 'model.bin'\nin model 'broken'")
        return SimpleNamespace(transcribe=self.transcribe, supported_languages=["en", "de", "jw"])

    def transcribe(self, samples, **options):
        self.calls.append((samples, options))
        language, probability = self.language
        info = SimpleNamespace(language=options["language"] or language, language_probability=np.float64(probability))
        return iter(self.segments), info


@pytest.fixture
def package(monkeypatch):
    stand_in = Package()
    monkeypatch.setitem(sys.modules, "faster_whisper", stand_in)
    return stand_in


def opened(**options):
    return open_transcriber("faster-whisper", TranscriberOptions(**{"model": "base", **options}))


def test_text_times_language_and_confidence_come_from_the_model(package):
    found = opened().transcribe(SOUND)
    assert (found.text, found.language, found.language_probability, found.confidence) == ("One two.", "de", 0.9, 0.75)
    rows = [(word.text, word.start_s, word.stop_s, word.confidence) for word in found.words]
    assert rows == [("One", 0.0, 0.5, 0.5), ("two.", 0.5, 0.9, 1.0)]


def test_the_model_is_asked_for_what_does_not_vary(package):
    transcriber = opened(n_jobs=2, device="cuda", compute_type="int8", only_speech=False)
    transcriber.transcribe(SOUND)
    (model, device, compute_type, num_workers), (samples, options) = package.calls
    assert (model, device, compute_type, num_workers) == ("base", "cuda", "int8", 2)
    assert (samples.dtype, samples.shape) == (np.float32, (32_000,))
    assert options == {
        "language": None,
        "beam_size": 5,
        "temperature": 0.0,
        "condition_on_previous_text": False,
        "word_timestamps": True,
        "vad_filter": False,
    }
    assert transcriber.settings == {
        "backend": "faster-whisper",
        "model": "base",
        "version": "1.2.1",
        "language": "",
        "only_speech": False,
        "compute_type": "int8",
    }


def test_a_given_language_has_no_probability(package):
    found = opened(language="de-AT").transcribe(SOUND)
    assert package.calls[-1][1]["language"] == "de"
    assert (found.language, found.language_probability) == ("de", None)


def test_javanese_is_called_by_its_tag(package):
    package.language = ("jw", 0.5)
    assert opened().transcribe(SOUND).language == "jv"
    opened(language="jv").transcribe(SOUND)
    assert package.calls[-1][1]["language"] == "jw"


def test_silence_has_no_language(package):
    package.segments = []
    found = opened().transcribe(SOUND)
    assert (found.text, found.language, found.language_probability, found.confidence) == ("", None, None, None)


def test_times_stay_inside_the_sound_and_in_order(package):
    package.segments = [
        segment(" a b", (" a", 0.5, 1.0, 0.5), (" b", 0.4, 0.3, 1.2), (" ", 1.0, 1.1, 0.5)),
        segment(" c", (" c", 1.9, 2.4, -0.1)),
    ]
    found = opened().transcribe(SOUND)
    rows = [(word.text, word.start_s, word.stop_s, word.confidence) for word in found.words]
    assert rows == [("a", 0.5, 1.0, 0.5), ("b", 0.5, 0.5, 1.0), ("c", 1.9, 2.0, 0.0)]
    assert found.text == "a b c"


def test_the_size_of_a_model_in_a_folder_is_part_of_its_name(package, tmp_path):
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "model.bin").write_bytes(b"12345")
    settings = opened(model=str(tmp_path / "small")).settings
    assert (settings["model"], settings["model_n_byte"]) == ("small", 5)


def test_what_is_wrong_is_said_before_the_first_clip(package, monkeypatch):
    with pytest.raises(ConfigError, match="expected a model, got none; give its folder or its name"):
        opened(model="")
    with pytest.raises(ConfigError, match="language 'tlh': expected one that base knows: en, de, jw"):
        opened(language="tlh")
    with pytest.raises(
        InputError, match=r"broken: expected a model that can be loaded: Unable to open file .model\.bin.; "
    ):
        opened(model="broken")
    with pytest.raises(ConfigError, match="a command line is for the back end 'command'"):
        opened(command=["x"])
    with pytest.raises(ConfigError, match="unknown back end 'whisper'; known: faster-whisper, transformers, pocket"):
        open_transcriber("whisper")
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(MissingExtraError, match=r"needs the package 'faster_whisper'.*pip install 'mmfeat\[asr\]'"):
        opened()
