"""MMSA pickles in and out: what becomes of each key, the rules, and round trips."""

import numpy as np
import pytest

from mmfeat import (
    DatasetReader,
    InputError,
    OutputExistsError,
    Split,
    StreamStatus,
    export_mmsa,
    import_mmsa,
    load_pickle,
    validate,
)

from .conftest import make_mmsa
from .mmsa_loader import MmsaPart

NOT_FEATURES = {"text_bert"}


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.h5"


def imported(save, out, content, **options):
    report = import_mmsa(save(content), out, **options)
    assert validate(out, level="content").findings == ()
    return report


def assert_equal_pickles(first, second):
    for part, fields in first.items():
        assert set(second[part]) >= set(fields) - NOT_FEATURES
        for key in set(fields) - NOT_FEATURES:
            np.testing.assert_array_equal(
                np.asarray(second[part][key]), np.asarray(fields[key]), err_msg=f"{part} {key}"
            )


def test_every_key_goes_where_the_table_says(save, out, mmsa):
    report = imported(save, out, mmsa)
    assert report.n_clip == 18
    assert report.parts == {"train": 9, "valid": 4, "test": 5}
    assert report.n_frame["audio"] == sum(sum(part["audio_lengths"]) for part in mmsa.values())
    with DatasetReader(out) as reader:
        assert reader.clip_ids[9] == "validvideo$_$0"
        assert reader.recording_ids[9] == "validvideo"
        assert reader.texts[9] == "text 0 of valid"
        assert reader.members("default", Split.VALID).tolist() == [9, 10, 11, 12]
        assert set(reader.label_names) == {"sentiment", "sentiment_text", "annotation"}
        assert reader.labels("annotation").class_names == ("Negative", "Neutral", "Positive")
        np.testing.assert_array_equal(reader.labels("sentiment").values[9:13], mmsa["valid"]["regression_labels"])
        length = mmsa["valid"]["vision_lengths"][1]
        np.testing.assert_array_equal(reader.read("vision", 10).values, mmsa["valid"]["vision"][1, :length])
        assert reader.info("audio").feature_names == ("VUV", "QOQ", "MDQ", "MCEP_14", "HMPDM_24")
        assert reader.info("audio").extractor == "COVAREP"
        assert reader.info("vision").feature_names[:2] == ("facet41_0_Frametime", "facet41_2_Face Y")
        assert reader.info("text").feature_names[-1] == "text_767"
        assert reader.info("audio").clock == "unknown"
        (event,) = reader.events()
    assert event["format"] == "mmsa"
    assert event["sources"][0]["name"] == "data.pkl"
    assert len(event["sources"][0]["sha256"]) == 64
    assert any("text_bert: not imported" in note for note in report.notes)


@pytest.mark.parametrize("aligned", [False, True])
def test_a_round_trip_gives_equal_arrays_ids_and_lengths(save, out, tmp_path, aligned):
    content = make_mmsa(aligned=aligned)
    imported(save, out, content)
    with DatasetReader(out) as reader:
        assert reader.info("audio").clock == ("words" if aligned else "unknown")
    rows = {"audio": 20, "vision": 20 if aligned else 30, "text": 20}
    report = export_mmsa(out, tmp_path / "back.pkl", n_rows=rows)
    assert report.n_clip == 18
    back = load_pickle(tmp_path / "back.pkl")
    assert_equal_pickles(content, back)
    assert [back["test"][key].dtype.name for key in ("audio", "regression_labels")] == ["float32", "float32"]


@pytest.mark.parametrize("aligned", [False, True])
def test_an_exported_pickle_loads_where_mmsa_files_load(save, out, tmp_path, aligned):
    content = make_mmsa(aligned=aligned)
    imported(save, out, content)
    export_mmsa(out, tmp_path / "back.pkl")
    for mode, fields in content.items():
        ours = MmsaPart(tmp_path / "back.pkl", mode, aligned=aligned)
        theirs = MmsaPart(save(content), mode, aligned=aligned)
        assert len(ours) == len(theirs) == len(fields["id"])
        for index in range(len(ours)):
            one, other = ours[index], theirs[index]
            assert set(one) == set(other)
            assert (one["id"], one["raw_text"], one["label"]) == (other["id"], other["raw_text"], other["label"])
            height = len(one["audio"])
            np.testing.assert_array_equal(one["audio"], other["audio"][:height])


def test_a_stream_that_a_clip_lacks_stays_missing_on_the_way_through(save, out, tmp_path):
    content = make_mmsa(aligned=True)
    del content["train"]["text"]
    content["test"]["audio"][0, 2:] = content["test"]["vision"][0, 2:] = content["test"]["text"][0, 2:] = 0
    n_frame = imported(save, out, content).n_frame
    export_mmsa(out, tmp_path / "back.pkl")
    again = import_mmsa(tmp_path / "back.pkl", tmp_path / "again.h5")
    assert again.n_frame == n_frame
    assert {(clip_id[:5], failure.stream) for clip_id, failure in again.failures} == {("train", "text")}
    with DatasetReader(tmp_path / "again.h5") as reader:
        assert reader.info("audio").clock == "words"


def test_aligned_streams_keep_rows_that_are_zero_in_one_of_them(save, out):
    content = make_mmsa(aligned=True)
    rows = np.flatnonzero(content["train"]["audio"][0].any(axis=1))
    content["train"]["vision"][0, rows[-1]] = 0
    imported(save, out, content)
    with DatasetReader(out) as reader:
        assert reader.read("vision", 0).n_frame == reader.read("audio", 0).n_frame == len(rows)
        assert reader.read("vision", 0).valid.tolist() == [True] * (len(rows) - 1) + [False]


def test_without_lengths_zero_rows_at_the_end_are_padding_and_counted(save, out, mmsa):
    lengths = {name: part.pop("audio_lengths") for name, part in mmsa.items()}
    report = imported(save, out, mmsa)
    with DatasetReader(out) as reader:
        assert np.diff(reader.offsets("audio")).tolist() == [*lengths["train"], *lengths["valid"], *lengths["test"]]
    assert "audio: lengths of 18 clips are not stored; all-zero rows are their padding" in report.notes
    n_row = sum(map(sum, lengths.values()))
    assert f"audio: {18 * 20 - n_row} rows of padding left out, {n_row} kept" in report.notes


def test_stored_lengths_win_over_zero_rows(save, out, mmsa):
    mmsa["train"]["audio"][0] = 0
    mmsa["train"]["audio_lengths"][0] = 7
    report = imported(save, out, mmsa)
    with DatasetReader(out) as reader:
        frames = reader.read("audio", 0)
    assert frames.n_frame == 7
    assert not frames.valid.any()
    assert any("rows are all 0 and not valid" in note for note in report.notes)


def test_a_length_beyond_the_array_is_told(save, out, mmsa):
    mmsa["train"]["audio_lengths"][2] = 400
    report = imported(save, out, mmsa)
    assert any("1 clips have another length than stored, first ['trainvideo$_$2: 400" in note for note in report.notes)


def test_infinities_become_invalid_frames(save, out, mmsa):
    mmsa["test"]["audio"][1, 0, 3] = -np.inf
    mmsa["test"]["audio"][1, 1, 0] = np.nan
    report = imported(save, out, mmsa)
    with DatasetReader(out) as reader:
        frames = reader.read("audio", 14)
    assert not frames.valid[:2].any()
    assert not frames.values[:2].any()
    assert any(note.startswith("audio: 2 of ") and "NaN or an infinity" in note for note in report.notes)


def test_a_clip_of_zeros_alone_is_a_failure_with_its_reason(save, out, mmsa):
    for part in mmsa.values():
        del part["vision_lengths"]
    mmsa["valid"]["vision"][3] = 0
    report = imported(save, out, mmsa)
    ((clip_id, failure),) = report.failures
    assert (clip_id, failure.stream, failure.status) == ("validvideo$_$3", "vision", StreamStatus.EMPTY)


def test_classes_that_say_something_else_are_a_label_of_their_own(save, out, tmp_path, mmsa):
    mmsa["train"]["classification_labels"] = np.arange(9.0) % 4
    imported(save, out, mmsa)
    with DatasetReader(out) as reader:
        np.testing.assert_array_equal(reader.labels("classification").values[:9], np.arange(9) % 4)
    export_mmsa(out, tmp_path / "back.pkl")
    back = load_pickle(tmp_path / "back.pkl")
    np.testing.assert_array_equal(back["train"]["classification_labels"], np.arange(9) % 4)
    np.testing.assert_array_equal(back["train"]["annotations"], mmsa["train"]["annotations"])


def test_labels_that_are_missing_stay_missing(save, out, tmp_path, mmsa):
    mmsa["train"]["regression_labels"][1] = np.nan
    imported(save, out, mmsa)
    report = export_mmsa(out, tmp_path / "back.pkl")
    assert np.isnan(load_pickle(tmp_path / "back.pkl")["train"]["regression_labels"][1])
    assert "1 clips have no label; NaN in regression_labels" in report.notes


def test_names_of_our_own_columns_survive(example, tmp_path):
    """33 columns of a foreign pickle are taken for CH-SIMS's; these are log-F0 and say so."""
    export_mmsa(example, tmp_path / "ours.pkl")
    import_mmsa(tmp_path / "ours.pkl", tmp_path / "again.h5")
    with DatasetReader(example) as first, DatasetReader(tmp_path / "again.h5") as second:
        for name in ("audio", "vision"):
            assert second.info(name).feature_names == first.info(name).feature_names
            np.testing.assert_array_equal(second.read(name, 0).values, first.read(name, 0).values)
        np.testing.assert_array_equal(second.read("audio", 0).voiced, first.read("audio", 0).voiced)


def test_a_cut_in_the_export_is_told(save, out, tmp_path, mmsa):
    imported(save, out, mmsa)
    report = export_mmsa(out, tmp_path / "back.pkl", n_rows={"audio": 2})
    n_long = sum(length > 2 for part in mmsa.values() for length in part["audio_lengths"])
    assert f"audio: {n_long} clips are cut at 2 rows" in report.notes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.clear(), "expected the keys train, valid and test, got none"),
        (lambda data: data["train"].update(id=["a"] * 9), "'a' is there 9 times"),
        (lambda data: data["train"].update(id=[f"{i}" for i in range(8)]), r"expected 8 numbers, got shape \(9,\)"),
        (
            lambda data: data["train"].update(raw_text=["x"]),
            "of one number of clips, got ids 9, texts 1",
        ),
        (lambda data: data["train"].update(audio=np.zeros((9, 4))[..., None, None]), r"\(clip, row, column\)"),
        (lambda data: data["train"].update(audio="none"), "expected numbers, got str"),
        (lambda data: data["valid"].update(vision=np.zeros((4, 30, 7))), "expected one number of columns"),
        (lambda data: data["train"].update(audio_lengths=[0.5] * 9), "expected whole numbers"),
        (lambda data: data["train"].update(audio_lengths=[-1] * 9), "expected a length from 0, got -1"),
        (lambda data: data["train"].update(annotations=["x"]), "annotations: expected 9 texts, got 1"),
        (lambda data: data.update(train=[1, 2]), "train: expected a dict, got list"),
        (lambda data: data["train"].update(raw_text=3), "raw_text: expected a list of texts, got int"),
        (lambda data: data["train"].update(regression_labels=np.zeros(3)), "expected 9 numbers"),
    ],
)
def test_another_layout_is_one_error_that_says_where(save, out, mmsa, change, message):
    change(mmsa)
    with pytest.raises(InputError, match=message) as caught:
        import_mmsa(save(mmsa), out)
    assert "data.pkl" in str(caught.value)
    assert not out.exists()
    assert not out.with_name("out.h5.part").exists()


def test_outputs_are_not_replaced_by_chance(save, out, tmp_path, mmsa):
    imported(save, out, mmsa)
    with pytest.raises(OutputExistsError):
        import_mmsa(save(mmsa), out)
    export_mmsa(out, tmp_path / "back.pkl")
    with pytest.raises(OutputExistsError):
        export_mmsa(out, tmp_path / "back.pkl")
    export_mmsa(out, tmp_path / "back.pkl", overwrite=True)


def test_an_export_names_what_the_dataset_has(save, out, tmp_path, mmsa, example):
    imported(save, out, mmsa)
    for options, message in (
        ({"label": "joy"}, "no label 'joy'; known: "),
        ({"scheme": "fold"}, "no split scheme 'fold'; known: default"),
        ({"n_rows": {"touch": 3}}, "expected numbers above 0 for text, audio, vision"),
    ):
        with pytest.raises(InputError, match=message):
            export_mmsa(out, tmp_path / "back.pkl", **options)
    assert "text: the dataset has no such stream" in export_mmsa(example, tmp_path / "example.pkl").notes
