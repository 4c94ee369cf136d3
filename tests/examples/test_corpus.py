"""The demo corpus is what its page says: small, whole, and with no speaker in two parts."""

import csv
import importlib.util
import shutil
import sys
from collections import Counter
from pathlib import Path

import pytest
import soundfile

from mmfeat import OpenFaceConfig, Split, read_manifest, read_openface_csv

EXAMPLES = Path(__file__).parents[2] / "examples"
CORPUS = EXAMPLES / "opinions"
FACE = OpenFaceConfig(groups=("au", "pose"))


@pytest.fixture(scope="module")
def entries():
    return read_manifest(CORPUS / "manifest.csv")


def test_48_clips_are_split_30_to_6_to_12(entries):
    assert len(entries) == 48
    parts = Counter(entry.splits["default"] for entry in entries)
    assert parts == {Split.TRAIN: 30, Split.VALID: 6, Split.TEST: 12}


@pytest.mark.parametrize("unit", ["speaker_id", "recording_id"])
def test_no_speaker_and_no_recording_is_in_two_parts(entries, unit):
    pairs = {(getattr(entry, unit), entry.splits["default"]) for entry in entries}
    assert len(pairs) == len({name for name, _ in pairs}) == 8
    assert "" not in {name for name, _ in pairs}


def test_every_part_holds_positive_and_negative_labels_in_range(entries):
    for part in (Split.TRAIN, Split.VALID, Split.TEST):
        labels = [entry.labels["sentiment"] for entry in entries if entry.splits["default"] is part]
        assert -3 <= min(labels) < 0 < max(labels) <= 3


def test_every_clip_has_its_own_text(entries):
    assert len({entry.text for entry in entries if entry.text}) == 48


def test_every_file_of_the_manifest_exists_and_no_other(entries):
    named = {path.relative_to(CORPUS) for entry in entries for path in (entry.audio, entry.openface)}
    found = {path.relative_to(CORPUS) for path in CORPUS.rglob("*") if path.is_file()}
    assert found - named == {Path("manifest.csv")}
    assert named <= found


def test_the_corpus_is_below_3_megabytes():
    assert sum(path.stat().st_size for path in CORPUS.rglob("*")) < 3_000_000


def test_the_sound_is_16_khz_mono_of_a_few_seconds(entries):
    for entry in entries:
        info = soundfile.info(entry.audio)
        assert (info.samplerate, info.channels, info.format) == (16_000, 1, "FLAC"), entry.clip_id
        assert 1.0 < info.duration < 8.0, entry.clip_id


def test_the_faces_have_the_columns_of_openface_and_the_length_of_the_sound(entries):
    for entry in entries:
        header = entry.openface.read_text().partition("\n")[0].split(", ")
        assert header == ["frame", "face_id", "timestamp", "confidence", "success", *FACE.feature_names], entry.clip_id
        features = read_openface_csv(entry.openface, FACE)
        assert features.n_frame / 25 == pytest.approx(soundfile.info(entry.audio).duration, abs=0.04), entry.clip_id


def test_a_few_clips_lose_the_face_for_some_frames(entries):
    lost = [entry.clip_id for entry in entries if not read_openface_csv(entry.openface, FACE).valid.all()]
    assert len(lost) == 5


@pytest.fixture(scope="module")
def make_corpus():
    spec = importlib.util.spec_from_file_location("make_corpus", EXAMPLES / "make_corpus.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_the_manifest_is_that_of_the_sentences(make_corpus, entries):
    clips = list(make_corpus.read_clips(EXAMPLES / "sentences.csv"))
    assert [(c.clip_id, c.text, c.label) for c in clips] == [
        (e.clip_id, e.text, e.labels["sentiment"]) for e in entries
    ]


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="the speech comes from espeak-ng")
def test_the_script_gives_the_same_tables_every_time(make_corpus, tmp_path):
    with (EXAMPLES / "sentences.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with (tmp_path / "sentences.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows[::6])  # one sentence of each speaker
    tables = []
    for name in ("one", "two"):
        assert make_corpus.make_corpus(tmp_path / "sentences.csv", tmp_path / name) == 8
        files = sorted((tmp_path / name).rglob("*.csv"))
        tables.append({file.relative_to(tmp_path / name): file.read_bytes() for file in files})
    assert len(tables[0]) == 9
    assert tables[0] == tables[1]
