"""SKESL pickles: no ids, no lengths."""

import numpy as np
import pytest

from mmfeat import DatasetReader, InputError, StreamStatus, import_skesl_pkl, validate

from .conftest import padded


def part(rng, n_clip, labels=True):
    fields = {
        "raw_text": [f"text {index}" for index in range(n_clip)],
        "audio": padded(rng, range(3, 3 + n_clip), 400, 33).astype(np.float64),
        "video": padded(rng, range(2, 2 + n_clip), 55, 709).astype(np.float64),
    }
    return fields | ({"labels": list(rng.uniform(-3, 3, n_clip))} if labels else {})


@pytest.fixture
def parts():
    rng = np.random.default_rng(0)
    return {name: part(rng, n_clip) for name, n_clip in (("train", 4), ("valid", 2), ("test", 2))}


@pytest.mark.parametrize("protocol", [2, 4])
def test_three_parts_become_a_dataset_with_made_ids(save, tmp_path, parts, protocol):
    out = tmp_path / "out.h5"
    report = import_skesl_pkl(save(parts, protocol=protocol), out)
    assert validate(out, level="content").findings == ()
    assert "the source has no ids; they are made of the part and the place in it" in report.notes
    with DatasetReader(out) as reader:
        assert reader.clip_ids[3:5] == ("train_00003", "valid_00000")
        assert reader.stream_names == ("audio", "vision")
        assert reader.info("audio").feature_names[0] == "zero_crossing_rate"
        assert reader.info("vision").extractor == "OpenFace 2"
        audio = reader.read("audio", 1)
        assert audio.n_frame == 4
        np.testing.assert_allclose(audio.times_s, np.arange(4) * 512 / 22_050)
        assert np.isnan(reader.read("vision", 1).times_s).all()
        np.testing.assert_allclose(reader.labels("sentiment").values[:4], parts["train"]["labels"], rtol=1e-6)


def test_one_file_without_parts_has_no_split_and_no_labels(save, tmp_path):
    out = tmp_path / "out.h5"
    report = import_skesl_pkl(save(part(np.random.default_rng(0), 3, labels=False)), out)
    with DatasetReader(out) as reader:
        assert (reader.clip_ids[0], reader.scheme_names, reader.label_names) == ("clip_00000", (), ())
    assert report.parts == {}


def test_clips_that_fill_their_array_are_told_and_empty_ones_fail(save, tmp_path, parts):
    parts["train"]["video"][0] = 1
    parts["train"]["video"][1] = 0
    report = import_skesl_pkl(save(parts), tmp_path / "out.h5")
    assert "vision: 1 clips fill all 55 rows; the source has cut them there" in report.notes
    ((clip_id, failure),) = report.failures
    assert (clip_id, failure.status) == ("train_00001", StreamStatus.EMPTY)


def test_a_pickle_of_mmsa_is_sent_to_its_own_command(save, tmp_path, mmsa):
    for fields in mmsa.values():
        del fields["raw_text"]
    with pytest.raises(InputError, match=r"expected the keys raw_text, audio, video and labels, .*; try import-mmsa"):
        import_skesl_pkl(save(mmsa), tmp_path / "out.h5")
