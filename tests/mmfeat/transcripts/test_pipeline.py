"""The back end transformers: a stand-in of its interface, and a real model of random weights."""

import json
import sys
from types import ModuleType

import numpy as np
import pytest

from mmfeat import ConfigError, InputError, MissingExtraError, TranscriberOptions, open_transcriber
from mmfeat.testing import tone

SOUND = tone(200.0, duration_s=1.0)


class Package(ModuleType):
    """Stands in for ``transformers``: one pipeline, of the kind that it is told."""

    __version__ = "5.0.0"

    def __init__(self):
        super().__init__("transformers")
        self.type, self.calls = "ctc", []
        self.answer = {"text": " HI YOU", "chunks": [chunk(" HI", 0.1, 0.4), chunk("YOU", 0.5, None)]}

    def pipeline(self, task, *, model, **options):
        self.calls.append((task, model, options))
        if model == "broken":
            raise OSError("broken is not a local folder")
        return self

    def __call__(self, sound, **options):
        self.calls.append((sound, options))
        return self.answer


def chunk(text, start_s, stop_s):
    return {"text": text, "timestamp": (start_s, stop_s)}


@pytest.fixture
def package(monkeypatch):
    stand_in = Package()
    monkeypatch.setitem(sys.modules, "transformers", stand_in)
    return stand_in


def opened(**options):
    return open_transcriber("transformers", TranscriberOptions(**{"model": "m", **options}))


def test_words_and_times_come_from_the_chunks(package):
    found = opened(language="en-GB").transcribe(SOUND)
    assert (found.text, found.language, found.language_probability) == ("HI YOU", "en-GB", None)
    assert [(word.text, word.start_s, word.stop_s) for word in found.words] == [("HI", 0.1, 0.4), ("YOU", 0.5, 1.0)]
    sound, options = package.calls[-1]
    assert (sound["sampling_rate"], sound["raw"].shape, options) == (16_000, (16_000,), {"return_timestamps": "word"})


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("seq2seq_whisper", {"return_timestamps": "word", "generate_kwargs": {"language": "en"}}),
        ("seq2seq", {}),
        ("ctc_with_lm", {"return_timestamps": "word"}),
    ],
)
def test_each_kind_of_model_is_asked_for_what_it_can(package, kind, options):
    package.type = kind
    opened(language="en-GB").transcribe(SOUND)
    assert package.calls[-1][1] == options


def test_without_chunks_there_are_no_words(package):
    package.type, package.answer = "seq2seq", {"text": "hi"}
    found = opened().transcribe(SOUND)
    assert (found.text, found.words, found.language) == ("hi", (), None)


def test_a_device_is_passed_on(package):
    opened(device="cuda")
    opened()
    assert [call[2] for call in package.calls] == [{"device": "cuda"}, {}]


def test_what_is_wrong_is_said_before_the_first_clip(package, monkeypatch):
    with pytest.raises(ConfigError, match="expected a model, got none"):
        opened(model="")
    with pytest.raises(InputError, match="broken: expected a model that can be loaded: broken is not a local folder; "):
        opened(model="broken")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"needs the package 'transformers'.*pip install 'mmfeat\[train\]'"):
        opened()


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory):
    """Return a folder with a wav2vec 2.0 of random weights."""
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("wav2vec")
    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEFGH"]
    (folder / "vocab.json").write_text(json.dumps({letter: number for number, letter in enumerate(letters)}))
    tokenizer = transformers.Wav2Vec2CTCTokenizer(str(folder / "vocab.json"))
    extractor = transformers.Wav2Vec2FeatureExtractor(return_attention_mask=True)
    config = transformers.Wav2Vec2Config(
        vocab_size=len(letters),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=(16, 16),
        conv_stride=(10, 32),
        conv_kernel=(10, 32),
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        pad_token_id=0,
    )
    torch.manual_seed(0)
    model = transformers.Wav2Vec2ForCTC(config)
    for part in (tokenizer, extractor, model):
        part.save_pretrained(folder)
    return folder


def test_a_real_model_gives_the_same_words_each_time(tiny_model):
    rng = np.random.default_rng(0)
    sound = tone(200.0, duration_s=2.0)
    sound.samples[:] = rng.normal(scale=0.1, size=sound.samples.size)
    transcriber = opened(model=str(tiny_model))
    found = transcriber.transcribe(sound)
    assert found == transcriber.transcribe(sound)
    assert found.text.split() == [word.text for word in found.words] != []
    assert 0.0 <= found.words[0].start_s < found.words[-1].stop_s <= 2.0
