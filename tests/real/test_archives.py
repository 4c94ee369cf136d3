"""Real OpenFace files as decimals: much smaller, and bit by bit the same."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from mmfeat import DatasetReader, build_dataset, entries_from_paths, resolve_build_config, subset_dataset, validate

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif("MMFEAT_REAL_DATA" not in os.environ, reason="MMFEAT_REAL_DATA names no folder of real clips"),
]
# In OpenFace's normalised gaze and in its translations in pixels of the model the digits outnumber 16 bits.
WIDE = {f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz"} | {"p_tx", "p_ty"}
LEAST_RATIO = 2.5


@pytest.mark.parametrize(("corpus", "n_clip"), [("grid", 46), ("talking", 13)])
def test_real_openface_files_become_much_smaller_and_stay_the_same(tmp_path, corpus, n_clip):
    folder = Path(os.environ["MMFEAT_REAL_DATA"]) / corpus / "openface"
    entries = entries_from_paths([folder], [".csv"], column="openface")
    config = resolve_build_config(overrides=['streams=["vision"]'])
    paths = {way: tmp_path / f"{way}.h5" for way in ("none", "gzip", "decimal")}
    for way, path in paths.items():
        assert build_dataset(entries, path, config, compression=way).n_clip == n_clip
    sizes = {way: path.stat().st_size for way, path in paths.items()}
    assert sizes["none"] > LEAST_RATIO * sizes["decimal"]
    assert sizes["gzip"] > 2 * sizes["decimal"]
    with DatasetReader(paths["none"]) as plain, DatasetReader(paths["decimal"]) as packed:
        assert plain.attributes["content_sha256"] == packed.attributes["content_sha256"]
        for index in np.random.default_rng(0).permutation(n_clip):
            one, other = (reader.read("vision", index) for reader in (plain, packed))
            np.testing.assert_array_equal(one.values.view(np.uint32), other.values.view(np.uint32))
            np.testing.assert_array_equal(one.times_s, other.times_s)
        names = np.array(plain.info("vision").feature_names)
    assert validate(paths["decimal"], level="content").ok
    with h5py.File(paths["decimal"]) as file:
        places = file["streams/vision/decimal/places"][:]
        assert set(names[places < 0]) >= WIDE
        assert np.count_nonzero(places < 0) <= 12
        assert file["streams/vision/decimal/exception_frame"].shape[0] < 100
    subset_dataset(paths["decimal"], tmp_path / "again.h5")
    assert abs((tmp_path / "again.h5").stat().st_size - sizes["none"]) < 20_000  # of provenance
