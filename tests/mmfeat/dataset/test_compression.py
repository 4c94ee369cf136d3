"""A compressed file is smaller, and says the same."""

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from mmfeat import DatasetReader, build_dataset, read_manifest, resolve_build_config, validate
from mmfeat.testing import write_example_manifest
from mmfeat_cli.main import mmfeat as mmfeat_command


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return write_example_manifest(tmp_path_factory.mktemp("clips"), n_clip=12)


@pytest.fixture(scope="module")
def files(manifest, tmp_path_factory):
    """Return a plain file and a compressed one of the same clips."""
    folder = tmp_path_factory.mktemp("files")
    config = resolve_build_config(overrides=['audio.features=["mfcc"]'])
    for compression in ("none", "gzip"):
        build_dataset(read_manifest(manifest), folder / f"{compression}.h5", config, compression=compression)
    return folder / "none.h5", folder / "gzip.h5"


def test_the_content_is_the_same_and_the_file_smaller(files):
    plain, packed = files
    with DatasetReader(plain) as one, DatasetReader(packed) as other:
        assert one.attributes["content_sha256"] == other.attributes["content_sha256"]
        for stream in one.stream_names:
            for index in range(one.n_clip):
                np.testing.assert_array_equal(one.read(stream, index).values, other.read(stream, index).values)
            batches = [reader.read_batch(stream, [7, 3, 3]) for reader in (one, other)]
            np.testing.assert_array_equal(batches[0].values, batches[1].values)
            np.testing.assert_array_equal(batches[0].times_s, batches[1].times_s)
    assert validate(packed, level="content").ok
    assert packed.stat().st_size < 0.7 * plain.stat().st_size


def test_frames_lie_in_shuffled_chunks_of_64_rows(files):
    with h5py.File(files[1]) as file:
        values = file["streams/vision/values"]
        assert (values.chunks, values.compression, values.shuffle) == ((64, 709), "gzip", True)
        assert file["streams/audio/valid"].compression == "gzip"


@pytest.mark.parametrize("command", ["build", "extract-audio", "parse-openface"])
def test_the_commands_offer_it(command):
    assert "--compression [none|gzip]" in CliRunner().invoke(mmfeat_command, [command, "--help"]).output


def test_an_interrupted_build_may_be_continued_with_another_compression(manifest, files, tmp_path):
    config = resolve_build_config(overrides=['audio.features=["mfcc"]'])
    entries = read_manifest(manifest)

    def track(items, _total, _description):
        for index, clip in enumerate(items):
            if index == 5:
                raise KeyboardInterrupt
            yield clip

    with pytest.raises(KeyboardInterrupt):
        build_dataset(entries, tmp_path / "a.h5", config, track=track)
    assert build_dataset(entries, tmp_path / "a.h5", config, compression="gzip").n_continued == 5
    with DatasetReader(tmp_path / "a.h5") as one, DatasetReader(files[0]) as other:
        assert one.attributes["content_sha256"] == other.attributes["content_sha256"]
