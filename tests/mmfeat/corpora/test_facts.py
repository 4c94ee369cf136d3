"""The published splits have the published numbers, and every data file names its source."""

from importlib.resources import files

import pytest

from mmfeat import CORPORA, Split
from mmfeat.corpora.facts import published_recordings, published_split


@pytest.mark.parametrize(
    ("name", "clips", "recordings"),
    [
        ("mosi", (1_284, 229, 686), (52, 10, 31)),
        ("mosei", (16_326, 1_871, 4_659), (2_249, 300, 676)),
        ("sims", (1_368, 456, 457), None),
        ("simsv2", (2_722, 647, 1_034), None),
    ],
)
def test_a_published_split_has_the_published_numbers(name, clips, recordings):
    split = published_split(name)
    parts = (Split.TRAIN, Split.VALID, Split.TEST)
    assert tuple(list(split.values()).count(part) for part in parts) == clips
    assert tuple(CORPORA[name].expected["default"].values()) == clips
    if recordings:
        of = {part: {clip_id.rpartition("_")[0] for clip_id, own in split.items() if own == part} for part in parts}
        assert tuple(len(of[part]) for part in parts) == recordings


def test_m3ed_has_38_7_and_11_series():
    parts = list(published_recordings("m3ed").values())
    assert [parts.count(part) for part in (Split.TRAIN, Split.VALID, Split.TEST)] == [38, 7, 11]


def test_no_recording_of_mosi_and_mosei_is_in_two_parts():
    for name in ("mosi", "mosei"):
        pairs = {(clip_id.rpartition("_")[0], part) for clip_id, part in published_split(name).items()}
        assert len(pairs) == len({recording for recording, _ in pairs})


def test_every_data_file_names_its_source():
    folder = files("mmfeat.corpora") / "fact_tables"
    tables = [item for item in folder.iterdir() if item.name.endswith(".csv")]
    assert len(tables) == 7
    for table in tables:
        head = [line for line in table.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
        assert any(line.startswith("# Source: ") for line in head), table.name
