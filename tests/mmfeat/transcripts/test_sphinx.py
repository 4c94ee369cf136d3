"""pocketsphinx for real: forced alignment and recognition of made-up speech, and models in folders."""

import sys

import numpy as np
import pytest

from mmfeat import (
    ClipError,
    InputError,
    MissingExtraError,
    SphinxAligner,
    TranscriberOptions,
    Waveform,
    open_transcriber,
)

pocketsphinx = pytest.importorskip("pocketsphinx")
SEE_SO_S = ((0.5, 0.9), (1.3, 1.75))


@pytest.fixture(scope="module")
def aligner():
    return SphinxAligner()


def times_s(transcript):
    return np.array([(word.start_s, word.stop_s) for word in transcript.words])


@pytest.mark.parametrize("later_s", [0.0, 0.35])
def test_words_are_found_where_they_are_said(aligner, see_so, later_s):
    found = aligner.align(see_so(later_s=later_s), "See, so!")
    assert [word.text for word in found.words] == ["See,", "so!"]
    # Five frames: a hiss rises out of noise and a buzz dies away.
    np.testing.assert_allclose(times_s(found), np.add(SEE_SO_S, later_s), atol=0.05 + 1e-9)
    assert (found.text, found.language, found.confidence, found.notes) == ("See, so!", "en-US", None, ())


def test_a_clip_is_aligned_the_same_whatever_came_before(see_so):
    first = SphinxAligner().align(see_so(), "see so")
    aligner = SphinxAligner()
    aligner.align(see_so(later_s=0.2, noise=3e-2), "see so")
    assert aligner.align(see_so(), "see so") == first


def test_digital_silence_is_no_obstacle(aligner, see_so):
    found = aligner.align(see_so(noise=0.0), "see so")
    np.testing.assert_allclose(times_s(found), SEE_SO_S, atol=0.05 + 1e-9)


def test_a_word_that_no_dictionary_has_is_pronounced_by_its_letters(aligner, see_so):
    for _ in range(2):  # what was learnt of one clip is as new in the next
        found = aligner.align(see_so(), "Zeegh, so -")
        assert [word.text for word in found.words] == ["Zeegh,", "so"]
        assert found.notes == ("pronounced by their letters: zeegh",)
    np.testing.assert_allclose(times_s(found), SEE_SO_S, atol=0.08)


@pytest.mark.parametrize(
    ("text", "status", "message"),
    [
        ("", "EMPTY", "expected a text with words to align, got ''"),
        ("- !", "EMPTY", "expected a text with words to align, got '- !'"),
        (
            "see 你好",
            "TOOL_FAILED",
            "words that the model en-us can pronounce, 1 it cannot: '你好'; add",
        ),
        ("one two three four five six seven " * 20, "TOOL_FAILED", "expected sound with the 140 words of the text"),
    ],
)
def test_what_cannot_be_aligned_is_a_reason(aligner, see_so, text, status, message):
    with pytest.raises(ClipError, match=message) as caught:
        aligner.align(see_so(), text)
    assert caught.value.status.name == status


def test_a_sound_without_one_frame_is_a_reason(aligner):
    with pytest.raises(ClipError, match=r"could not find all of them in its 0\.00 s"):
        aligner.align(Waveform(samples=np.zeros(10, np.float32), sample_rate=16_000), "see")


def test_recognition_gives_words_with_times(see_so):
    transcriber = open_transcriber("pocketsphinx")
    found = transcriber.transcribe(see_so())
    assert found.text == " ".join(word.text for word in found.words) != ""
    assert found.words[0].start_s == pytest.approx(0.5, abs=0.05)
    assert found.words[-1].stop_s == pytest.approx(1.75, abs=0.05)
    assert (found.language, found.language_probability, found.confidence) == ("en-US", None, None)
    assert transcriber.settings["backend"] == "pocketsphinx"
    transcriber.close()


def test_a_quiet_room_has_no_words_and_no_language():
    noise = np.random.default_rng(0).normal(scale=1e-3, size=16_000)
    silence = Waveform(samples=noise.astype(np.float32), sample_rate=16_000)
    found = open_transcriber("pocketsphinx").transcribe(silence)
    assert (found.text, found.words, found.language) == ("", (), None)


@pytest.fixture
def model_folder(tmp_path):
    """Return a folder with the acoustic model of the package, three words and no language model."""
    bundled = pocketsphinx.get_model_path("en-us")
    folder = tmp_path / "three-words"
    folder.mkdir()
    (folder / "acoustic").symlink_to(f"{bundled}/en-us")
    (folder / "words.dict").write_text("see S IY\nso S OW\nsue S UW\n")
    return folder


def test_a_model_in_a_folder_is_used(model_folder, see_so):
    aligner = SphinxAligner(str(model_folder), "xx")
    found = aligner.align(see_so(), "see so")
    assert (found.language, aligner.settings["model"]) == ("xx", "three-words")
    np.testing.assert_allclose(times_s(found), SEE_SO_S, atol=0.05 + 1e-9)
    with pytest.raises(ClipError, match="1 it cannot: 'hello'"):  # the rules of spelling are for English
        aligner.align(see_so(), "see hello")
    assert SphinxAligner(str(model_folder)).align(see_so(), "see so").language is None


def test_a_folder_that_is_no_model_says_what_is_missing(model_folder):
    with pytest.raises(InputError, match=r"expected a language model \(.lm or .lm.bin\), found none"):
        open_transcriber("pocketsphinx", TranscriberOptions(model=str(model_folder)))
    (model_folder / "more.dict").touch()
    with pytest.raises(InputError, match=r"expected one folder with mdef and one \.dict file, got 1 and 2"):
        SphinxAligner(str(model_folder))


def test_a_model_that_lacks_files_is_one_sentence(model_folder):
    (model_folder / "acoustic").unlink()
    (model_folder / "acoustic").mkdir()
    (model_folder / "acoustic" / "mdef").symlink_to(f"{pocketsphinx.get_model_path('en-us')}/en-us/mdef")
    with pytest.raises(InputError, match="three-words: expected a model that can be loaded"):
        SphinxAligner(str(model_folder))


def test_another_language_needs_a_model():
    with pytest.raises(InputError, match="language 'de': expected a model of it, the one that comes with pocketsphinx"):
        SphinxAligner(language="de")


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(MissingExtraError, match=r"needs the package 'pocketsphinx'.*pip install 'mmfeat\[asr\]'"):
        SphinxAligner()
