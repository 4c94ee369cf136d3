"""VoxCeleb: speakers by nationality, clips by language, and memory that does not grow with the number of clips."""

import json
import tracemalloc

import pytest

from mmfeat import (
    CORPORA,
    BuildConfig,
    CorpusChoice,
    DatasetReader,
    InputError,
    OpenFaceConfig,
    SpeakerChoice,
    build_corpus,
    read_corpus,
    validate,
    voxceleb_corpus,
)
from mmfeat.corpora.facts import fact_rows
from mmfeat.corpora.packed_texts import PackedTexts
from mmfeat.lazy_entries import LazyEntries
from mmfeat.testing import make_raw_voxceleb
from mmfeat.types import ClipEntry

VOXCELEB = CORPORA["voxceleb"]
SKESL = voxceleb_corpus(SpeakerChoice(nationalities=("skesl",)))
SMALL = BuildConfig(openface=OpenFaceConfig(groups=("au",)))


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return make_raw_voxceleb(tmp_path_factory.mktemp("vox") / "EmoVoxCeleb", openface=True, faults=True)


def test_the_file_is_sound_and_has_texts_speakers_and_faces(raw, tmp_path):
    report = build_corpus(VOXCELEB, raw, tmp_path / "a.h5", SMALL, CorpusChoice(openface=raw / "openface"))
    assert validate(report.build.path, level="content").findings == ()
    with DatasetReader(report.build.path) as reader:
        assert reader.clip_ids[0] == "A.J._Buckley/video000000/0000001"
        assert reader.recording_ids[0] == "A.J._Buckley/video000000"
        assert reader.texts[0] == "A.J._Buckley says clip 1"
        assert reader.n_clip == 10
        assert set(reader.status("vision")) == {0}  # with points in the name as underscores, as SKESL writes it
        assert reader.label_names == ()
        assert reader.scheme_names == ()


def test_four_nationalities_keep_1105_of_1251_speakers(raw):
    rows = fact_rows("voxceleb1")
    assert len(rows) == 1_251
    assert sum(row["nationality"] in ("USA", "UK", "Canada", "Australia") for row in rows) == 1_105
    found = read_corpus(SKESL, raw, CorpusChoice())
    assert "of the 1,251 speakers of VoxCeleb1 1,105 are from USA, UK, Canada, Australia" in found.notes
    assert {entry.speaker_id for entry in found.entries} == {"Aaron_Tveit", "Katie_Aselton"}
    assert found.differences.ids("speaker without nationality") == ("Nobody_Known",)


def test_the_list_of_the_corpus_goes_before_the_one_of_this_package(raw, tmp_path):
    own = make_raw_voxceleb(tmp_path / "raw", n_speaker=2)
    header = "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet"
    (own / "EmoVoxCeleb_meta.csv").write_text(f"{header}\nid10002\tA.R._Rahman\tm\tUK\tdev\n")
    found = read_corpus(SKESL, own, CorpusChoice())
    assert {entry.speaker_id for entry in found.entries} == {"A.R._Rahman"}


def test_every_planted_fault_is_told(raw):
    found = read_corpus(VOXCELEB, raw, CorpusChoice())
    assert found.differences.ids("id stands twice") == ("Aaron_Tveit/video000003/0000001",)
    assert found.differences.ids("transcript without clip") == ("Aaron_Tveit/video000003_0000099.txt",)
    assert len(found.differences.kinds) == 2
    assert "1 clips are on SKESL's list of those to leave out" in found.notes
    assert [entry.clip_id for entry in found.entries if entry.speaker_id == "Katie_Aselton"] == [
        "Katie_Aselton/otherVideo1/0000001"
    ]


def test_the_layout_of_voxceleb1_and_2_has_ids_and_a_folder_for_each_video(tmp_path):
    raw = make_raw_voxceleb(tmp_path / "raw", emo=False, openface=True)
    entries = read_corpus(SKESL, raw, CorpusChoice(openface=raw / "openface")).entries
    assert [entry.clip_id for entry in entries] == ["id10004/video000003/00001", "id10004/video000003/00002"]
    assert entries[0].openface == raw / "openface/id10004/video000003/00001.csv"
    assert entries[0].audio == raw / "wav/id10004/video000003/00001.wav"


def test_a_recogniser_tells_the_language(raw, tmp_path):
    def heard(clip, language, probability):
        return json.dumps({"clip_id": clip, "text": "hello", "language": language, "language_probability": probability})

    clips = [f"A.J._Buckley/video000000/000000{number}" for number in (1, 2)]
    other = "A.R._Rahman/video000001/0000001"
    lines = [heard(clips[0], "en", 0.9), heard(clips[1], "en", 0.3), heard(other, "ta", 0.99)]
    (tmp_path / "t.jsonl").write_text("\n".join(lines) + "\n")
    english = voxceleb_corpus(SpeakerChoice(language="en", least_probability=0.5))
    found = read_corpus(english, raw, CorpusChoice(recognised=tmp_path / "t.jsonl"))
    assert [entry.clip_id for entry in found.entries] == clips[:1]
    assert found.entries[0].text == "hello"
    assert "9 clips are not in 'en' by the recogniser" in found.notes


def test_a_language_without_a_recogniser_is_refused(raw):
    with pytest.raises(InputError, match=r"needs the texts of a recogniser: --text-from asr"):
        read_corpus(voxceleb_corpus(SpeakerChoice(language="en")), raw, CorpusChoice())


def test_a_root_without_speakers_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"expected clips of VoxCeleb, found none"):
        read_corpus(VOXCELEB, tmp_path, CorpusChoice())


def test_openface_gets_the_folders_of_face_crops(raw):
    entries = read_corpus(VOXCELEB, raw, CorpusChoice()).entries
    assert VOXCELEB.face_source(entries[1]) == raw / "video/A.J._Buckley/1.6/video000000/2"


def test_the_names_of_20000_clips_are_held_in_little_memory():
    tracemalloc.start()
    packed = PackedTexts()
    for number in range(20_000):
        packed.add(f"id{number // 100:05d}\twav/id{number // 100:05d}/video{number // 10 % 10:06d}/{number:05d}.wav")
    entries = LazyEntries(len(packed), lambda index: ClipEntry(clip_id=packed[index]))
    n_seen = sum(1 for entry in entries[10:] if entry.clip_id.startswith("id"))
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert n_seen == 19_990
    assert held < 20_000 * 80
    assert peak < 20_000 * 120
    assert entries[-1].clip_id.endswith("19999.wav")
    assert [entry.clip_id[:7] for entry in entries[0:200:100]] == ["id00000", "id00001"]
