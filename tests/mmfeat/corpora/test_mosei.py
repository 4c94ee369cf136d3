"""CMU-MOSEI: clips cut out of recordings by time, known to the published split by the numbers of the transcripts."""

import numpy as np
import pytest

from mmfeat import (
    CORPORA,
    BuildConfig,
    CorpusChoice,
    DatasetReader,
    InputError,
    OpenFaceConfig,
    build_corpus,
    extract_audio,
    find_openface,
    read_audio,
    read_corpus,
    read_openface_csv,
    resolve_build_config,
    run_openface_over,
    validate,
)
from mmfeat.testing import make_raw_mosei, write_sequence

MOSEI = CORPORA["mosei"]
SMALL = BuildConfig(openface=OpenFaceConfig(groups=("au",)))
FIRST, SECOND = "-3g5yACwYnA", "-3nNcZdcdvU"


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mosei") / "CMU-MOSEI"
    return make_raw_mosei(folder, openface=True, words=True, faults=True)


@pytest.fixture(scope="module")
def report(raw, tmp_path_factory):
    output = tmp_path_factory.mktemp("built") / "mosei.h5"
    return build_corpus(MOSEI, raw, output, SMALL, CorpusChoice(openface=raw / "openface"))


def row_of(reader, clip_id):
    return reader.clip_ids.index(clip_id)


def test_the_file_is_sound_and_has_seven_labels_and_words(report):
    assert validate(report.build.path, level="content").findings == ()
    with DatasetReader(report.build.path) as reader:
        assert set(reader.label_names) == {"sentiment", "happy", "sad", "anger", "surprise", "disgust", "fear"}
        row = row_of(reader, f"{FIRST}_3")
        assert reader.words(row).tokens == ("word1",)
        assert reader.words(row).intervals_s.tolist() == [[1.0, 1.5]]
        assert reader.texts[row] == "I said sentence 3."


def test_a_clip_is_the_part_of_its_recording_that_the_labels_say(raw, report):
    with DatasetReader(report.build.path) as reader:
        row = row_of(reader, f"{FIRST}_3")
        sound = raw / f"Audio/Full/WAV_16000/{FIRST}.WAV"
        heard = extract_audio(read_audio(sound, 16_000, start_s=1.0, end_s=1.5))
        np.testing.assert_array_equal(reader.read("audio", row).values, heard.values)
        assert reader.durations_s[row] == 0.5
        seen = read_openface_csv(raw / "openface" / f"{FIRST}.csv", SMALL.openface)
        part = (seen.times_s >= 1.0) & (seen.times_s < 1.5)
        np.testing.assert_array_equal(reader.read("vision", row).values, seen.values[part])
        np.testing.assert_allclose(reader.read("vision", row).times_s, seen.times_s[part] - 1.0)


def test_positions_are_the_order_in_time_though_the_rows_go_backwards(report):
    with DatasetReader(report.build.path) as reader:
        rows = [row_of(reader, f"{SECOND}_{clip}") for clip in (0, 2, 5)]
        assert rows == sorted(rows, reverse=True)
        assert np.all(np.diff(reader.starts_s[rows]) > 0)


def test_every_planted_fault_is_in_the_table(report):
    found = report.table.differences
    assert found.ids("label without transcript") == (f"{FIRST}[2]",)
    assert found.ids("label out of range") == (f"{FIRST}[0]", f"{FIRST}[3]")
    assert found.ids("id stands twice") == (f"{FIRST}_4",)
    assert found.ids("recording without sound") == (SECOND,)
    assert found.ids("in the raw tree, not in the published split") == (f"{FIRST}[2]",)
    assert len(found.ids("in the published split, not in the raw tree")) == 22_856 - 11
    assert len(found.kinds) == 6


def test_a_clip_beyond_the_end_of_its_recording_fails_and_the_rest_is_built(report):
    failed = {(clip_id, failure.stream) for clip_id, failure in report.build.failures}
    assert (f"{FIRST}[2]", "audio") in failed
    assert (f"{FIRST}[2]", "vision") in failed
    assert report.build.n_ok == {"audio": 8, "vision": 11}


def test_the_validation_part_is_explained(report):
    assert any("1,871" in note and "1,861" in note for note in report.build.notes)
    assert report.table.to_dict()["splits"]["default"]["valid"]["expected"] == 1_871


def test_without_transcripts_the_split_is_that_of_the_videos_and_ids_are_not_compared(tmp_path):
    raw = make_raw_mosei(tmp_path / "raw", sound=False, transcripts=False)
    report = build_corpus(MOSEI, raw, tmp_path / "a.h5")
    assert len(report.table.differences) == 0
    with DatasetReader(report.build.path) as reader:
        assert f"{FIRST}[0]" in reader.clip_ids
        assert np.bincount(reader.parts("default")).tolist() == [6, 3, 3]


def test_emotions_are_there_where_their_value_is_above_zero(tmp_path):
    raw = make_raw_mosei(tmp_path / "raw", sound=False)
    report = build_corpus(CORPORA["mosei-emotions"], raw, tmp_path / "a.h5")
    assert validate(report.build.path, level="content").findings == ()
    with DatasetReader(report.build.path) as reader:
        happy = reader.labels("happy")
        assert happy.problem == "multilabel"
        assert happy.class_names == ("happy", "sad", "anger", "surprise", "disgust", "fear")
        assert set(happy.values.tolist()) == {0.0, 1.0}
        table = np.stack([reader.labels(name).values for name in happy.class_names], axis=1)
        assert (table.sum(axis=1) == 1).all()
        assert "sentiment" not in reader.label_names


def test_a_table_of_labels_stands_in_for_the_sequence(tmp_path):
    (tmp_path / "label.csv").write_text(f"video_id,clip_id,text,label,mode\n{FIRST},2,Yes.,1.5,train\n")
    (entry,) = read_corpus(MOSEI, tmp_path, CorpusChoice()).entries
    assert (entry.clip_id, entry.labels, entry.text) == (f"{FIRST}_2", {"sentiment": 1.5}, "Yes.")
    header = "video_id,clip_id,text,happy,sad,anger,surprise,disgust,fear,mode"
    (tmp_path / "label.csv").unlink()
    (tmp_path / "final_multi_labels.csv").write_text(f"{header}\n{FIRST},2,Yes.,0.6,0,0,0,0,2,train\n")
    (entry,) = read_corpus(CORPORA["mosei-emotions"], tmp_path, CorpusChoice()).entries
    assert entry.labels == {"happy": 1.0, "sad": 0.0, "anger": 0.0, "surprise": 0.0, "disgust": 0.0, "fear": 1.0}


def test_frames_are_taken_from_the_part_of_the_video(tmp_path):
    raw = make_raw_mosei(tmp_path / "raw", n_clip=1, sound=False, video=True)
    config = resolve_build_config(overrides=['streams=["frames"]', "frames.n_frames=2", "frames.size=32"])
    report = build_corpus(MOSEI, raw, tmp_path / "a.h5", config)
    with DatasetReader(report.build.path) as reader:
        frames = reader.read_frames("frames", 0)
    assert frames.times_s.tolist() == pytest.approx([0.11, 0.35], abs=0.021)  # from 0.25 s to 0.75 s


def test_openface_runs_once_for_each_recording(tmp_path, stand_in):
    raw = make_raw_mosei(tmp_path / "raw", n_clip=2, sound=False)
    for recording in (path.stem for path in (raw / "Transcript/Segmented/Combined").iterdir()):
        folder = raw / "Videos/Full/Combined"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{recording}.mp4").write_text("ok")
    tool = find_openface(str(stand_in.program))
    choice = run_openface_over(MOSEI, raw, CorpusChoice(), tmp_path / "faces", tool)
    assert len(stand_in.sources()) == 4
    assert choice.openface == tmp_path / "faces"
    files = {entry.openface for entry in read_corpus(MOSEI, raw, choice).entries}
    assert files == set((tmp_path / "faces").glob("*.csv"))


def test_words_of_a_recognised_recording_go_to_its_clips(tmp_path):
    raw = make_raw_mosei(tmp_path / "raw", n_clip=2)
    words = ", ".join(f'{{"text": "w{i}", "start_s": {0.3 + 0.3 * i}, "stop_s": {0.4 + 0.3 * i}}}' for i in range(4))
    (raw / "transcripts.jsonl").write_text(f'{{"clip_id": "{FIRST}", "text": "all", "words": [{words}]}}\n')
    entries = read_corpus(MOSEI, raw, CorpusChoice(recognised=raw / "transcripts.jsonl")).entries
    texts = {entry.clip_id: entry.text for entry in entries if entry.recording_id == FIRST}
    assert texts == {f"{FIRST}_2": "w0 w1", f"{FIRST}_3": "w3"}


def test_words_of_a_recognised_clip_are_put_on_the_clock_of_its_recording(tmp_path):
    raw = make_raw_mosei(tmp_path / "raw", n_clip=2)
    words = '[{"text": "hi", "start_s": 0.1, "stop_s": 0.2}]'
    (raw / "transcripts.jsonl").write_text(f'{{"clip_id": "{FIRST}_3", "text": "hi", "words": {words}}}\n')
    entries = read_corpus(MOSEI, raw, CorpusChoice(recognised=raw / "transcripts.jsonl")).entries
    (entry,) = (entry for entry in entries if entry.clip_id == f"{FIRST}_3")
    assert entry.start_s == 1.0
    assert entry.words.intervals_s.tolist() == [[1.1, 1.2]]


def test_a_sequence_of_other_labels_is_refused(tmp_path):
    write_sequence(tmp_path / "CMU_MOSEI_Labels.csd", "labels", {FIRST: ([[1.0, 2.0]], [[0.0, 1.0]])})
    with pytest.raises(InputError, match=r"expected sentiment and six emotions in '-3g5yACwYnA', got 2 columns"):
        read_corpus(MOSEI, tmp_path, CorpusChoice())


def test_without_labels_it_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"expected CMU_MOSEI_Labels.csd, or label.csv, found neither"):
        read_corpus(MOSEI, tmp_path, CorpusChoice())
