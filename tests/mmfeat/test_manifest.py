"""Manifests: every column arrives, and all faults are reported at once with their lines."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from mmfeat import (
    FRAME_SUFFIXES,
    InputError,
    ManifestError,
    Split,
    entries_from_frame_folders,
    entries_from_paths,
    read_manifest,
)
from mmfeat.manifest import COLUMNS


@pytest.fixture
def manifest(tmp_path):
    """Write a manifest of lines."""

    def write(*lines):
        path = tmp_path / "clips.csv"
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    return write


def faults(path):
    with pytest.raises(ManifestError, match=r"the manifest has \d+ fault\(s\); correct each") as caught:
        read_manifest(path)
    return caught.value.faults


def test_every_column_arrives(manifest, tmp_path):
    for name in ("a.wav", "a.mp4", "a.csv"):
        (tmp_path / name).touch()
    (entry,) = read_manifest(
        manifest(
            "clip_id,recording_id,speaker_id,position,split,split:loso,audio,video,openface,text,label:joy,note:who",
            'a/1$,film,ann,7,Valid,test,a.wav,a.mp4,a.csv,"Good, really.",-1.5,me',
        )
    )
    assert (entry.clip_id, entry.recording_id, entry.speaker_id, entry.position) == ("a/1$", "film", "ann", 7)
    assert entry.splits == {"default": Split.VALID, "loso": Split.TEST}
    assert (entry.audio, entry.video, entry.openface) == tuple(tmp_path / n for n in ("a.wav", "a.mp4", "a.csv"))
    assert (entry.text, entry.labels, entry.line) == ("Good, really.", {"joy": -1.5}, 2)


def test_only_the_clip_id_is_required_and_the_rest_has_defaults(manifest):
    (entry,) = read_manifest(manifest("clip_id", "a"))
    assert (entry.recording_id, entry.position, entry.splits, entry.labels, entry.text) == ("a", 0, {}, {}, "")
    assert (entry.audio, entry.video, entry.openface) == (None, None, None)


def test_an_empty_label_is_absent_and_an_empty_split_is_none(manifest):
    entries = read_manifest(manifest("clip_id,split,label:joy", "a,,", "b,train,0"))
    assert [entry.labels for entry in entries] == [{}, {"joy": 0.0}]
    assert [entry.splits["default"] for entry in entries] == [Split.NONE, Split.TRAIN]


def test_positions_count_the_rows_of_each_recording(manifest):
    entries = read_manifest(manifest("clip_id,recording_id", "a,x", "b,y", "c,x", "d,x"))
    assert [entry.position for entry in entries] == [0, 0, 1, 2]


def test_blank_rows_a_byte_order_mark_and_windows_lines_change_nothing(tmp_path):
    path = tmp_path / "clips.csv"
    path.write_bytes(b"\xef\xbb\xbfclip_id, text\r\na, hello \r\n\r\nb,\r\n")
    assert [(entry.clip_id, entry.text, entry.line) for entry in read_manifest(path)] == [
        ("a", "hello", 2),
        ("b", "", 4),
    ]


@given(st.lists(st.floats(min_value=-1e30, max_value=1e30), min_size=1, max_size=5))
def test_labels_are_read_as_the_numbers_that_were_written(values):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clips.csv"
        path.write_text("\n".join(["clip_id,label:x", *(f"{i},{value!r}" for i, value in enumerate(values))]))
        assert [entry.labels["x"] for entry in read_manifest(path)] == values


def test_a_missing_manifest_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match=r"none.csv: expected a manifest \(csv\), cannot read it: No such .*; correct"):
        read_manifest(tmp_path / "none.csv")


def test_an_empty_manifest_is_one_sentence(tmp_path):
    path = tmp_path / "empty.csv"
    path.touch()
    with pytest.raises(InputError, match=r"empty.csv: expected a header with clip_id, got an empty file; write"):
        read_manifest(path)


def test_a_manifest_without_rows_is_refused(manifest):
    assert faults(manifest("clip_id,text")) == (
        "line 2: expected at least one clip below the header, got none; add a row for each clip",
    )


@pytest.mark.parametrize("content", [b"clip_id,text\na,\xe9\n", b'clip_id,text\na,"open\n', b'clip_id,text\na,"x"y\n'])
def test_what_is_no_csv_in_utf8_is_refused(tmp_path, content):
    path = tmp_path / "clips.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"clips.csv: expected a manifest \(csv in utf-8\): .*; save it as such"):
        read_manifest(path)


@pytest.mark.parametrize(
    ("header", "row", "fault"),
    [
        ("text", "x", "line 1: expected the column 'clip_id', got 'text'"),
        ("clip_id,sound", "a,x", f"line 1: unknown column 'sound'; known: {', '.join(COLUMNS)}, split:NAME"),
        ("clip_id,text,text", "a,x,y", "line 1: the column 'text' stands there 2 times"),
        ("clip_id,label:", "a,1", "line 1: column 'label:': expected a name without '/' after 'label:'"),
        ("clip_id,label:.", "a,1", "line 1: column 'label:.': expected a name without '/' after 'label:'"),
        ("clip_id,split:a/b", "a,train", "line 1: column 'split:a/b': expected a name without '/' after 'split:'"),
        ("clip_id,split,split:default", "a,train,test", "line 1: 'split' and 'split:default' are the same scheme"),
        ("clip_id,text", ",x", "line 2: expected a clip id, got an empty cell"),
        ("clip_id,text", "a,x,y", "line 2: expected one cell for each column of the header; quote texts with commas"),
        ("clip_id,text", "a", "line 2: expected one cell for each column of the header; quote texts with commas"),
        ("clip_id,text", "a,x\0y", "line 2: text: expected text, got a NUL byte"),
        ("clip_id,position", "a,first", "line 2: position: expected a whole number, got 'first'"),
        ("clip_id,position", "a,3000000000", "line 2: position: expected at most 2147483647 in size, got '3000000000'"),
        ("clip_id,split", "a,dev", "line 2: split: expected train, valid, test or none, got 'dev'"),
        ("clip_id,split:loso", "a,dev", "line 2: split:loso: expected train, valid, test or none, got 'dev'"),
        ("clip_id,label:joy", "a,high", "line 2: label:joy: expected a number, got 'high'"),
        ("clip_id,label:joy", "a,nan", "line 2: label:joy: expected a number, got 'nan'"),
        ("clip_id,label:joy", "a,1e39", "line 2: label:joy: expected a number, got '1e39'"),
        ("clip_id,audio", "a,none.wav", "column 'audio': none of its 1 files exists, first '"),
    ],
)
def test_each_fault_is_named_with_its_line(manifest, header, row, fault):
    (found,) = [found for found in faults(manifest(header, row)) if "unknown column 'text'" not in found]
    assert found.startswith(fault)


def test_a_doubled_clip_id_names_both_lines(manifest):
    assert faults(manifest("clip_id", "a", "b", "a")) == ("line 4: expected a new clip id, got 'a' of line 2 again",)


def test_all_faults_of_header_and_rows_are_reported_at_once(manifest):
    found = faults(manifest("clip_id,split,label:joy,sound", "a,dev,x,", "a,train,1,"))
    assert [fault.partition(":")[0] for fault in found] == ["line 1", "line 3", "line 2", "line 2"]


def test_one_existing_file_is_enough_for_a_column(manifest, tmp_path):
    (tmp_path / "b.wav").touch()
    entries = read_manifest(manifest("clip_id,audio", "a,a.wav", "b,b.wav"))
    assert [entry.audio for entry in entries] == [tmp_path / "a.wav", tmp_path / "b.wav"]


def test_the_line_numbers_of_rows_count_line_breaks_inside_texts(manifest):
    assert faults(manifest("clip_id,text,label:joy", 'a,"one\ntwo",1', "b,x,high")) == (
        "line 4: label:joy: expected a number, got 'high'",
    )


def test_the_clips_of_folders_have_relative_paths_as_ids(tmp_path):
    (tmp_path / "day/one").mkdir(parents=True)
    for name in ("day/one/b.wav", "day/a.FLAC", "day/notes.txt", "lone.mp3"):
        (tmp_path / name).touch()
    entries = entries_from_paths([tmp_path / "day", tmp_path / "lone.mp3"], [".wav", ".flac"], column="audio")
    assert [entry.clip_id for entry in entries] == ["a", "one/b", "lone"]
    assert all(entry.audio.is_file() and entry.openface is None for entry in entries)


def test_two_files_with_one_id_are_refused_by_name(tmp_path):
    (tmp_path / "a.wav").touch()
    (tmp_path / "a.flac").touch()
    with pytest.raises(InputError, match=r"a.flac and .*a.wav would both be clip 'a'; give their common folder"):
        entries_from_paths([tmp_path], [".wav", ".flac"], column="audio")


def test_a_path_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"none: expected a file or a folder, found none; correct the path"):
        entries_from_paths([tmp_path / "none"], [".wav"], column="audio")


def test_a_folder_without_matching_files_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"expected files ending in .csv, found none"):
        entries_from_paths([tmp_path], [".csv"], column="openface")


def test_a_label_with_an_underscore_is_no_number(tmp_path):
    path = tmp_path / "manifest.csv"
    path.write_text("clip_id,label:mood\na,1_0\n")
    with pytest.raises(ManifestError, match="line 2: label:mood: expected a number, got '1_0'"):
        read_manifest(path)


def test_a_manifest_with_semicolons_is_told_about_commas(tmp_path):
    path = tmp_path / "manifest.csv"
    path.write_text("clip_id;text\na;good\n")
    with pytest.raises(ManifestError, match="separate columns with commas"):
        read_manifest(path)


def test_absent_videos_do_not_matter_where_sound_files_are_read(tmp_path):
    (tmp_path / "a.wav").touch()
    path = tmp_path / "manifest.csv"
    path.write_text("clip_id,audio,video\na,a.wav,a.mp4\n")
    assert read_manifest(path)[0].audio == tmp_path / "a.wav"


@pytest.fixture
def crops(tmp_path):
    """Return folders of frames: two below one name, one that holds frames and a folder of frames."""
    for name in (
        "id1/a/1.jpg",
        "id1/a/2.jpg",
        "id1/a/1.png",
        "id2/1.bmp",
        "id2/b/1.jpeg",
        "id3/notes.txt",
        "id3/1.JPG",
    ):
        (tmp_path / "crops" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "crops" / name).touch()
    return tmp_path / "crops"


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("", ["id1/a", "id2", "id2/b"]),
        ("id1", ["a"]),
        ("id1/a", ["a"]),
        ("*", ["id1/a", "id2", "id2/b"]),
        ("id*/*", ["id1/a", "id2/b"]),
    ],
)
def test_folders_of_frames_are_clips_under_their_relative_paths(crops, place, expected):
    entries = entries_from_frame_folders([crops / place], FRAME_SUFFIXES)
    assert [entry.clip_id for entry in entries] == expected
    assert all(any(entry.video.glob("1.*")) for entry in entries)


@pytest.mark.parametrize(
    ("places", "message"),
    [
        (["id3"], r"id3: expected folders of images \(.bmp, .jpeg, .jpg, .png\), found none"),
        (["id1/a/1.jpg"], "1.jpg: expected a folder of images, got a file; give its folder"),
        (["none"], "none: expected a file or a folder, found none; correct the path"),
        (["id1", "id1/a"], "id1/a and .*id1/a would both be clip 'a'; give their common folder, or rename one"),
    ],
)
def test_folders_without_frames_or_of_one_id_are_refused(crops, places, message):
    with pytest.raises(InputError, match=message):
        entries_from_frame_folders([crops / place for place in places], FRAME_SUFFIXES)
