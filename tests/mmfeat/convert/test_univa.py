"""UniVA's pickles and tables: joined by id, equal arrays, and refused where two files differ."""

import csv
import json
import pickle
import shutil

import h5py
import numpy as np
import pytest

from mmfeat import DatasetReader, InputError, Split, StreamStatus, import_univa, validate
from mmfeat.testing import make_raw_univa

EMOTIONS = {
    "MOSEI": ("happy", "sad", "anger", "surprise", "disgust", "fear"),
    "M3ED": ("happy", "surprise", "sad", "disgust", "anger", "fear", "neutral"),
}
PARTS = {"train": Split.TRAIN, "valid": Split.VALID, "test": Split.TEST}


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.h5"


@pytest.fixture
def mosei(tmp_path):
    return make_raw_univa(tmp_path / "raw")


@pytest.fixture
def m3ed(tmp_path):
    return make_raw_univa(tmp_path / "raw", dataset="M3ED")


def pickle_of(root, part, modality):
    return next(root.rglob(f"*_{part}_{modality}_*.pkl"))


def loaded(root, part, modality):
    """Return the arrays of a pickle; of text there is no level for the part."""
    content = pickle.loads(pickle_of(root, part, modality).read_bytes())
    return content if modality == "text" else content[part]


def change(root, part, modality, edit):
    """Change the fields of a pickle in place."""
    path = pickle_of(root, part, modality)
    content = pickle.loads(path.read_bytes())
    edit(content if modality == "text" else content[part])
    path.write_bytes(pickle.dumps(content))


def change_json(root, name, edit):
    path = root / "preprocess_data" / name
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def table_ids(root, part):
    """Return the ids of a part in the order of the table of labels."""
    if (path := root / "final_multi_labels.csv").exists():
        with path.open() as handle:
            return [f"{row['video_id']}_{row['clip_id']}" for row in csv.DictReader(handle) if row["mode"] == part]
    return list(json.loads((root / "preprocess_data/utt_annot.json").read_text())[part])


def stored_positions(path):
    with h5py.File(path) as file:
        return file["clips/position"][:]


@pytest.mark.parametrize("dataset", ["MOSEI", "M3ED"])
def test_a_round_trip_gives_equal_arrays_ids_and_lengths(tmp_path, out, dataset):
    root = make_raw_univa(tmp_path / "raw", dataset=dataset)
    report = import_univa(root, out)
    assert validate(out, level="content").findings == ()
    assert report.parts == {"train": 9, "valid": 3, "test": 6}
    assert not report.failures
    structure = json.loads((root / "preprocess_data/videos_structure.json").read_text())
    positions = stored_positions(out)
    with DatasetReader(out) as reader:
        assert reader.clip_ids == tuple(clip_id for part in PARTS for clip_id in table_ids(root, part))
        assert reader.stream_names == ("audio", "text", "vision")
        for part, split in PARTS.items():
            members = reader.members("default", split).tolist()
            content = {modality: loaded(root, part, modality) for modality in reader.stream_names}
            for modality, fields in content.items():
                lengths = fields[f"{modality}_utt_mask"].sum(axis=1).astype(int)
                assert [reader.read(modality, index).n_frame for index in members] == lengths.tolist()
                for index, values, length in zip(members, fields[modality], lengths, strict=True):
                    np.testing.assert_array_equal(reader.read(modality, index).values, values[:length])
                for axis, place in (("valence", 0), ("arousal", 1)):
                    expected = np.asarray(fields[f"{modality}_VA_values"], dtype=np.float32)[:, place]
                    np.testing.assert_array_equal(reader.labels(f"{modality}_{axis}").values[members], expected)
            stored = np.stack([reader.labels(name).values[members] for name in EMOTIONS[dataset]], axis=1)
            np.testing.assert_array_equal(stored, content["audio"]["labels_class"])
            for index in members:
                clip_id = reader.clip_ids[index]
                assert reader.texts[index] == f"{clip_id} says hello"
                assert reader.recording_ids[index] == clip_id.rpartition("_")[0]
                place = structure[part][reader.recording_ids[index]].index(clip_id)
                assert positions[index] == place
        label = reader.labels("fear")
        assert (label.problem, label.class_names) == ("multilabel", EMOTIONS[dataset])
        assert reader.labels("audio_valence").problem == "regression"
        (event,) = reader.events()
    assert event["format"] == "univa"
    assert len(event["sources"]) == 12


def test_the_rows_of_the_table_stand_in_another_order_than_the_videos(mosei):
    structure = json.loads((mosei / "preprocess_data/videos_structure.json").read_text())["train"]
    in_order = [clip_id for clip_ids in structure.values() for clip_id in clip_ids]
    assert sorted(in_order) == sorted(table_ids(mosei, "train"))
    assert in_order != table_ids(mosei, "train")


def test_pickles_alone_get_made_ids(mosei, out):
    for name in ("final_multi_labels.csv", "preprocess_data/videos_structure.json"):
        (mosei / name).unlink()
    (mosei / "preprocess_data/raw_utt_text_textVA.json").unlink()
    report = import_univa(mosei, out)
    assert "the source has no ids; they are made of the part and the place in it" in report.notes
    with DatasetReader(out) as reader:
        assert reader.clip_ids[8:10] == ("train_00008", "valid_00000")
        np.testing.assert_array_equal(
            reader.labels("sad").values[:9], loaded(mosei, "train", "audio")["labels_class"][:, 1]
        )


def test_tables_alone_have_texts_labels_and_scores(m3ed, out):
    shutil.copytree(m3ed, copy := m3ed.with_name("copy"))
    shutil.rmtree(m3ed / "preprocess_data/final_feat")
    assert import_univa(m3ed, out).n_clip == 18
    with DatasetReader(out) as reader:
        assert reader.stream_names == ()
        stored = np.stack([reader.labels(name).values[:9] for name in EMOTIONS["M3ED"]], axis=1)
        np.testing.assert_array_equal(stored, loaded(copy, "train", "audio")["labels_class"])
        np.testing.assert_array_equal(
            reader.labels("text_arousal").values[:9], loaded(copy, "train", "text")["text_VA_values"][:, 1]
        )


def test_what_is_missing_is_told(mosei, out):
    for path in mosei.rglob("*_text_*.pkl"):
        path.unlink()
    pickle_of(mosei, "test", "vision").unlink()
    report = import_univa(mosei, out)
    assert "test has no vision" in report.notes
    with DatasetReader(out) as reader:
        assert reader.stream_names == ("audio", "vision")
        assert report.n_ok == {"audio": 18, "vision": 12}
        assert np.isfinite(reader.labels("text_valence").values).all()  # of the json


def test_other_numbers_of_labels_have_no_names(mosei, out):
    (mosei / "final_multi_labels.csv").unlink()
    for path in mosei.rglob("*_utt_VA.pkl"):
        content = pickle.loads(path.read_bytes())
        part = next(part for part in PARTS if part in content)
        content[part]["labels_class"] = content[part]["labels_class"][:, :2]
        path.write_bytes(pickle.dumps(content | {"num_labels": 2}))
    (mosei / "preprocess_data/raw_utt_text_textVA.json").unlink()
    import_univa(mosei, out)
    with DatasetReader(out) as reader:
        assert reader.labels("label_1").class_names == ("label_0", "label_1")
        assert "happy" not in reader.label_names


def test_rows_that_a_mask_hides_are_no_frames(mosei, out):
    def hide(fields):
        fields["audio"][0, :4] = [[1] * 5, [2] * 5, [3] * 5, [4] * 5]
        fields["audio_utt_mask"][0] = [1, 0, 1, 0, 0, 0, 0, 0, 0]
        fields["audio_utt_mask"][1] = 0

    change(mosei, "train", "audio", hide)
    report = import_univa(mosei, out)
    assert "MOSEI_train_audio_utt_VA.pkl: the masks of 1 clips have gaps; the rows in them are left out" in report.notes
    ((clip_id, failure),) = report.failures
    assert (clip_id, failure.status) == (table_ids(mosei, "train")[1], StreamStatus.EMPTY)
    with DatasetReader(out) as reader:
        np.testing.assert_array_equal(reader.read("audio", 0).values, [[1] * 5, [3] * 5])


def test_rows_that_are_not_zero_behind_a_mask_are_counted_and_left_out(mosei, out):
    change(mosei, "valid", "vision", lambda fields: fields["vision"].__setitem__((slice(None), slice(None)), 1.0))
    lengths = loaded(mosei, "valid", "vision")["vision_utt_mask"].sum(axis=1)
    report = import_univa(mosei, out)
    n_behind = int((lengths < 7).sum())
    assert any(note.startswith(f"vision: {n_behind} clips have another length than stored") for note in report.notes)
    with DatasetReader(out) as reader:
        assert [reader.read("vision", 9 + place).n_frame for place in range(3)] == lengths.tolist()


def test_places_and_texts_that_differ_are_told_with_the_table_that_counts(mosei, out):
    video = "train_video_0"
    change_json(mosei, "videos_structure.json", lambda content: content["train"][video].reverse())
    first = table_ids(mosei, "train")[0]
    change_json(
        mosei, "raw_utt_text_textVA.json", lambda content: content["train"][first].__setitem__(0, "something else")
    )
    report = import_univa(mosei, out)
    assert any(
        note.startswith("position: final_multi_labels.csv differs from videos_structure.json, which was taken, in 2 ")
        for note in report.notes
    )
    assert (
        "text: raw_utt_text_textVA.json differs from final_multi_labels.csv, which was taken, in 1 utterances: "
        f"'{first}'" in report.notes
    )
    with DatasetReader(out) as reader:
        assert stored_positions(out)[reader.clip_ids.index(f"{video}_12")] == 0
        assert reader.texts[0] == f"{first} says hello"


def drop_row(root):
    path = root / "final_multi_labels.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def swap_rows(root):
    lines = (path := root / "final_multi_labels.csv").read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], lines[2], lines[1], *lines[3:]]))


def swap_scores(root):
    change(root, "train", "text", lambda fields: fields.update(text_VA_values=fields["text_VA_values"][::-1]))


def flip_label(root):
    def flip(fields):
        fields["labels_class"][2, 3] = 1 - fields["labels_class"][2, 3]

    change(root, "valid", "vision", flip)


def only_json(root):
    (root / "final_multi_labels.csv").unlink()
    change_json(root, "videos_structure.json", lambda content: content["train"]["train_video_0"].reverse())


def double_key(root):
    path = root / "preprocess_data/raw_utt_text_textVA.json"
    path.write_text('{"train": {"a_1": ["a", "0.1", "0.2"], "a_1": ["b", "0.1", "0.2"]}}')


def second_dataset(root):
    path = pickle_of(root, "test", "audio")
    path.rename(path.with_name("M3ED_test_audio_utt_VA.pkl"))


def second_file(root):
    path = pickle_of(root, "test", "audio")
    shutil.copy(path, root / path.name)


def drop_utterances(root):
    def drop(fields):
        for name in fields:
            fields[name] = fields[name][:4]

    change(root, "test", "audio", drop)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            drop_row,
            r"raw: expected tables of the same utterances; .*:\n  test: final_multi_labels.csv has 5 utterances, "
            r"raw_utt_text_textVA.json has 6; only in raw_utt_text_textVA.json: 'test_video_[01]_1.'\n"
            r"  test: final_multi_labels.csv has 5 utterances, videos_structure.json has 6; only in videos_structure",
        ),
        (
            drop_utterances,
            r"raw: expected sources with the same number .*\n  test: final_multi_labels.csv has 6 utterances, "
            r"MOSEI_test_audio_utt_VA.pkl has 4$",
        ),
        (
            flip_label,
            r"MOSEI_valid_audio_utt_VA.pkl and .*MOSEI_valid_vision_utt_VA.pkl: valid: labels_class: expected the same "
            r"for each utterance, got others for 1 of 3, first 'valid_video_0_1.'",
        ),
        (
            swap_rows,
            r"MOSEI_train_audio_utt_VA.pkl and .*final_multi_labels.csv: train: labels_class: .* others for 2 of 9",
        ),
        (swap_scores, r"glove300_VA.pkl and .*raw_utt_text_textVA.json: train: text_VA_values: .* others for 8 of 9"),
        (
            only_json,
            r"train: expected utterances in one order, got 'train_video_0_10' and 'train_video_0_12'; add final",
        ),
        (double_key, r"raw_utt_text_textVA.json: expected each key once, got 'a_1' 2 times"),
        (second_dataset, r"raw: expected the pickles of one dataset, got M3ED, MOSEI"),
        (
            second_file,
            r"expected one file of a kind, got .*/raw/MOSEI_test_audio_utt_VA.pkl and .*/raw/preprocess_data",
        ),
    ],
)
def test_files_that_differ_are_refused_by_name(mosei, out, fault, message):
    fault(mosei)
    with pytest.raises(InputError, match=message):
        import_univa(mosei, out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("audio_utt_mask", np.full((9, 9), 0.5), "audio_utt_mask: expected 0 and 1, got others"),
        ("audio_utt_mask", np.ones((9, 8)), "expected a mask of 9 clips .*, got 9 of which 0 fit"),
        ("audio_utt_mask", 1, "expected a mask of 9 clips .*, got 0 of which 0 fit"),
        ("audio_VA_values", [[0.1, 0.2, 0.3]] * 9, r"VA_values: expected shape \(9, 2\), got \(9, 3\)"),
        ("audio_VA_values", [["a", "b"]] * 9, "VA_values: expected numbers, got others"),
        ("labels_class", np.full((9, 6), 2), "labels_class: expected 0 and 1, got 2"),
        ("labels_class", np.zeros((9, 5)), "labels_class: expected as many columns as num_labels = 6, got 5"),
        ("labels_class", np.zeros(9), r"labels_class: expected numbers \(clip, label\) of 9 clips, got float64 \(9,\)"),
        ("audio", "none", r"audio: expected numbers, got str|expected an array"),
    ],
)
def test_another_layout_of_a_pickle_is_one_error_that_says_where(mosei, out, key, value, message):
    change(mosei, "train", "audio", lambda fields: fields.update({key: value}))
    with pytest.raises(InputError, match=message) as caught:
        import_univa(mosei, out)
    assert "MOSEI_train_audio_utt_VA.pkl" in str(caught.value)


def test_a_pickle_of_something_else_is_named_with_what_it_has(mosei, out):
    pickle_of(mosei, "train", "audio").write_bytes(pickle.dumps({"other": 1}))
    with pytest.raises(InputError, match=r"expected 'audio', 'audio_utt_mask' and others of train, got 'other'"):
        import_univa(mosei, out)


@pytest.mark.parametrize(
    ("name", "edit", "message"),
    [
        ("utt_annot.json", lambda content: content.update(dev={}), "expected a part train, valid or test, got 'dev'"),
        (
            "utt_annot.json",
            lambda content: next(iter(content["test"].values())).update(Emotion="Happy,Bored"),
            "expected 'Emotion' with some of happy, .*, got 'Happy,Bored'",
        ),
        (
            "raw_utt_text_textVA.json",
            lambda content: next(iter(content["test"].values())).__setitem__(-1, "__import__('os')"),
            'test_video_0_10: arousal: expected a number, got "__import__',
        ),
        (
            "raw_utt_text_textVA.json",
            lambda content: next(iter(content["test"].values())).append("0.5"),
            "expected text, valence and arousal, got 5 fields",
        ),
        ("videos_structure.json", lambda content: content.update(test=[1]), "test: expected a dict, got list"),
        (
            "videos_structure.json",
            lambda content: content["test"]["test_video_1"].append("test_video_0_10"),
            "expected each utterance once; .*\n  'test_video_0_10' is there 2 times",
        ),
    ],
)
def test_faults_of_tables_are_one_error_that_says_where(m3ed, out, name, edit, message):
    change_json(m3ed, name, edit)
    with pytest.raises(InputError, match=message) as caught:
        import_univa(m3ed, out)
    assert name in str(caught.value)


def test_a_folder_of_nothing_and_no_folder_are_told(tmp_path, out):
    with pytest.raises(InputError, match=r"expected files such as MOSEI_train_audio_utt_VA.pkl"):
        import_univa(tmp_path, out)
    with pytest.raises(InputError, match="expected the folder of UniVA's data, found none"):
        import_univa(tmp_path / "none", out)


def test_two_tables_of_labels_are_refused(mosei, out, tmp_path):
    other = make_raw_univa(tmp_path / "other", dataset="M3ED")
    shutil.copy(other / "preprocess_data/utt_annot.json", mosei)
    with pytest.raises(InputError, match=r"final_multi_labels.csv and .*utt_annot.json; give one folder"):
        import_univa(mosei, out)


def test_what_archives_leave_behind_is_no_file(mosei, out):
    path = pickle_of(mosei, "test", "audio")
    path.with_name(f"._{path.name}").write_bytes(b"litter")
    (mosei / "__MACOSX").mkdir()
    (mosei / "__MACOSX" / path.name).write_bytes(b"litter")
    assert import_univa(mosei, out).n_clip == 18
