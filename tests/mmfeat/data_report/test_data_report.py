"""The page of a dataset: every figure, every planted fault, nothing from outside."""

import sys

import pytest
from html_pages import (
    check_contrast_of_texts,
    check_figures_are_drawn,
    check_in_browser,
    check_needs_nothing_from_outside,
    read_page,
    texts,
)

from mmfeat import (
    ClipEntry,
    ClipFeatures,
    DatasetInfo,
    DatasetWriter,
    LabelInfo,
    MissingExtraError,
    OutputExistsError,
    write_data_report,
)
from mmfeat.testing import write_example_dataset


@pytest.fixture(scope="module")
def path(faulty, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "data.html"
    write_data_report(faulty[0], path)
    return path


@pytest.fixture(scope="module")
def page(path):
    return read_page(path)


def test_every_figure_is_on_the_page_and_drawn(page):
    assert set(page.figures) == {"label-mood", "label-emotion", "durations", "validity", "columns-voice"}
    check_figures_are_drawn(page)


def test_the_page_needs_nothing_from_outside_and_its_letters_stand_out(page):
    check_needs_nothing_from_outside(page)
    check_contrast_of_texts(page)


def test_every_section_is_there_and_what_to_look_at_comes_first(page):
    assert page.headings == [
        "mmfeat report: faulty", "What to look at", "Overview", "Splits", "Labels", "Durations", "Streams", "Features",
        "Failures", "Duplicates",
    ]  # fmt: skip
    assert len(page.items) == 9


def test_tables_show_the_numbers_of_the_survey(page):
    assert page.table("part", "clips")[:3] == [
        ["default: train", "12", "12", "1", "11", "0.00"],
        ["default: valid", "6", "6", "0", "6", "0.00"],
        ["default: test", "6", "6", "1", "6", "0.00"],
    ]
    assert page.table("split", "kind") == [
        ["default", "recording", "r1", "1", "1", "1"],
        ["default", "speaker", "ada", "1", "0", "1"],
    ]
    assert page.table("stream", "status")[0][:3] == ["voice", "empty", "2"]
    assert page.table("stream", "is missing because") == [["voice", "empty", "3"]]
    assert page.table("longest", "seconds")[0] == ["c23", "2.80", "c00", "0.50"]
    shown = {row[0]: row[2:6] for row in page.table("column", "unit")}
    assert shown["still"] == ["7", "0", "7", "7"]
    frames, said = [table[1:] for table in page.tables if table[0][0] == "equal in"]
    assert frames[0] == ["voice", "2", "train 1, test 1", "c00, c03"]
    assert said == [["text", "2", "train 2", "c08, c09"]]


def test_histograms_name_their_parts_and_classes(page):
    shown = texts(page.figures["label-emotion"])

    assert {"sad", "happy", "calm", "train: 12 clips", "valid: 6 clips", "test: 6 clips"} <= set(shown)
    assert any(text.startswith("test: 6 clips, mean ") for text in texts(page.figures["label-mood"]))


def test_the_same_dataset_gives_the_same_page(path, faulty, tmp_path):
    write_data_report(faulty[0], tmp_path / "again.html")

    assert (tmp_path / "again.html").read_bytes() == path.read_bytes()


def test_a_sound_dataset_has_little_to_look_at(tmp_path):
    write_data_report(write_example_dataset(tmp_path / "example.h5", n_clip=40), tmp_path / "data.html")

    page = read_page(tmp_path / "data.html")
    assert "1 stream(s) of clips could not be read" in page.items
    assert not any("several parts" in item for item in page.items)
    assert "columns-vision" in page.figures


@pytest.mark.parametrize("n_clip", [0, 1])
def test_a_dataset_of_nothing_has_a_page(tmp_path, n_clip):
    with DatasetWriter(
        tmp_path / "few.h5", info=DatasetInfo(name="<few>"), streams=[], labels=[LabelInfo(name="m&m")], schemes=[]
    ) as writer:
        for index in range(n_clip):
            writer.write(ClipFeatures(entry=ClipEntry(clip_id=f"<{index}>", labels={"m&m": 1.0})))
    write_data_report(tmp_path / "few.h5", tmp_path / "data.html")

    page = read_page(tmp_path / "data.html")
    assert page.headings[0] == "mmfeat report: <few>"
    assert set(page.figures) == ({"label-m&m"} if n_clip else set())


def test_labels_whose_names_are_no_ids_have_figures_of_their_own(tmp_path):
    with DatasetWriter(
        tmp_path / "odd.h5",
        info=DatasetInfo(name="odd"),
        streams=[],
        labels=[LabelInfo(name="a b"), LabelInfo(name="a_b")],
        schemes=[],
    ) as writer:
        writer.write(ClipFeatures(entry=ClipEntry(clip_id="x", labels={"a b": 1.0, "a_b": 2.0})))
    write_data_report(tmp_path / "odd.h5", tmp_path / "data.html")

    assert len(read_page(tmp_path / "data.html").figures) == 2


def test_an_existing_page_is_replaced_only_when_asked(faulty, tmp_path):
    page = tmp_path / "data.html"
    page.write_text("mine")

    with pytest.raises(OutputExistsError):
        write_data_report(faulty[0], page)
    assert page.read_text() == "mine"
    write_data_report(faulty[0], page, overwrite=True)
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert [path.name for path in tmp_path.iterdir()] == ["data.html"]


def test_without_matplotlib_one_sentence_comes_before_the_reading(faulty, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    with pytest.raises(MissingExtraError, match=r"pip install 'mmfeat\[report\]'$"):
        write_data_report(faulty[0], tmp_path / "data.html", track=lambda *_: pytest.fail("frames were read"))


def test_a_headless_browser_draws_every_figure_without_an_error(path, tmp_path):
    check_in_browser(path, tmp_path)
