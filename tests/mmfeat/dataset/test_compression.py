"""A compressed file is smaller, and says the same; whatever is made of it, is that as well."""

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from mmfeat import (
    DatasetReader,
    SplitConfig,
    build_dataset,
    describe,
    export_npz,
    join_datasets,
    merge_datasets,
    read_manifest,
    resolve_build_config,
    split_dataset,
    subset_dataset,
    validate,
)
from mmfeat.testing import write_example_dataset, write_example_manifest
from mmfeat_cli.main import mmfeat as mmfeat_command

PACKED = ("gzip", "blosc2", "decimal")
N_CLIP = 12
WITHOUT_THE_PACKAGE = "import sys; sys.modules['hdf5plugin'] = None; "


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return write_example_manifest(tmp_path_factory.mktemp("clips"), n_clip=N_CLIP)


@pytest.fixture(scope="module")
def files(manifest, tmp_path_factory):
    """Return files of the same clips by their compression."""
    folder = tmp_path_factory.mktemp("files")
    config = resolve_build_config(overrides=['audio.features=["mfcc"]'])
    paths = {compression: folder / f"{compression}.h5" for compression in ("none", *PACKED)}
    for compression, path in paths.items():
        build_dataset(read_manifest(manifest), path, config, compression=compression)
    return paths


def content(path):
    with DatasetReader(path) as reader:
        return reader.attributes["content_sha256"]


def storage(path):
    return {name: stream["compression"] for name, stream in describe(path)["streams"].items()}


@pytest.mark.parametrize("compression", PACKED)
def test_the_content_is_the_same_and_the_file_smaller(files, compression):
    plain, packed = files["none"], files[compression]
    with DatasetReader(plain) as one, DatasetReader(packed) as other:
        assert one.attributes["content_sha256"] == other.attributes["content_sha256"]
        for stream in one.stream_names:
            for index in range(one.n_clip):
                np.testing.assert_array_equal(one.read(stream, index).values, other.read(stream, index).values)
            padded = [reader.read_padded(stream, [7, 3, 3], drop_invalid=True) for reader in (one, other)]
            np.testing.assert_array_equal(padded[0].values, padded[1].values)
            batches = [reader.read_batch(stream, [7, 3, 3]) for reader in (one, other)]
            np.testing.assert_array_equal(batches[0].values, batches[1].values)
            np.testing.assert_array_equal(batches[0].times_s, batches[1].times_s)
            assert one.info(stream) == other.info(stream)
    assert validate(packed, level="content").ok
    assert packed.stat().st_size < 0.7 * plain.stat().st_size


def test_describe_names_the_storage_of_every_stream(files):
    names = {compression: storage(path) for compression, path in files.items()}
    assert names == {
        "none": {"audio": "none", "vision": "none"},
        "gzip": {"audio": "gzip", "vision": "gzip"},
        "blosc2": {"audio": "blosc2", "vision": "blosc2"},
        "decimal": {"audio": "gzip", "vision": "decimal"},  # MFCC are no decimals
    }
    shown = CliRunner().invoke(mmfeat_command, ["describe", str(files["decimal"])]).output
    assert "(openface-709), stored with decimal\n" in shown


def test_frames_lie_in_shuffled_chunks_of_64_rows(files):
    with h5py.File(files["gzip"]) as file:
        values = file["streams/vision/values"]
        assert (values.chunks, values.compression, values.shuffle) == ((64, 709), "gzip", True)
        assert file["streams/audio/valid"].compression == "gzip"
    with h5py.File(files["blosc2"]) as file:
        assert file["streams/vision/values"].chunks == (64, 709)
    with h5py.File(files["decimal"]) as file:
        steps = file["streams/vision/decimal/steps"]
        assert (steps.chunks, steps.compression, steps.shuffle, steps.dtype) == ((64, 709), "gzip", True, np.uint16)


@pytest.mark.parametrize("command", ["build", "extract-audio", "parse-openface", "merge", "join", "subset"])
def test_the_commands_offer_it(command):
    help_text = CliRunner().invoke(mmfeat_command, [command, "--help"]).output
    assert "--compression [none|gzip|blosc2|decimal]" in help_text


@pytest.mark.parametrize("compression", ["gzip", "decimal"])
def test_an_interrupted_build_may_be_continued_with_another_compression(manifest, files, tmp_path, compression):
    config = resolve_build_config(overrides=['audio.features=["mfcc"]'])
    entries = read_manifest(manifest)

    def track(items, _total, _description):
        for index, clip in enumerate(items):
            if index == 5:
                raise KeyboardInterrupt
            yield clip

    with pytest.raises(KeyboardInterrupt):
        build_dataset(entries, tmp_path / "a.h5", config, track=track)
    assert build_dataset(entries, tmp_path / "a.h5", config, compression=compression).n_continued == 5
    assert content(tmp_path / "a.h5") == content(files["none"])


@pytest.mark.parametrize("compression", PACKED)
def test_a_finished_file_gets_into_an_archive_and_out_of_it(files, tmp_path, compression):
    packed, plain = tmp_path / "packed.h5", tmp_path / "plain.h5"
    command = ["subset", str(files["none"]), "--out", str(packed), "--compression", compression]
    assert CliRunner().invoke(mmfeat_command, command).exit_code == 0
    assert storage(packed) == storage(files[compression])
    assert abs(packed.stat().st_size - files[compression].stat().st_size) < 10_000  # of provenance
    subset_dataset(packed, plain)
    assert storage(plain) == storage(files["none"])
    assert content(plain) == content(packed) == content(files["none"])
    assert validate(packed, level="content").ok
    assert validate(plain, level="content").ok
    assert sorted(path.name for path in tmp_path.iterdir()) == ["packed.h5", "plain.h5"]


@pytest.mark.parametrize("compression", PACKED)
def test_parts_that_are_stored_in_different_ways_become_one_file(files, tmp_path, compression):
    ids = [f"clip_{index}" for index in range(N_CLIP)]
    halves = [tmp_path / "first.h5", tmp_path / "rest.h5"]
    subset_dataset(files["none"], halves[0], ids=ids[:5])
    subset_dataset(files[compression], halves[1], ids=ids[5:], compression=compression)
    for order in (halves, halves[::-1]):  # the first file says which datasets a stream has
        merge_datasets(order, tmp_path / "all.h5", overwrite=True)
        assert validate(tmp_path / "all.h5", level="content").ok
        assert set(storage(tmp_path / "all.h5").values()) == {"none"}
    merge_datasets(halves, tmp_path / "packed.h5", compression=compression)
    assert content(tmp_path / "packed.h5") == content(files["none"])


def test_streams_of_one_name_are_the_same_however_they_are_stored(files, tmp_path):
    sound = tmp_path / "sound.h5"
    subset_dataset(files["gzip"], sound, streams=["audio"])
    join_datasets([sound, files["decimal"]], tmp_path / "joined.h5", compression="decimal")
    assert content(tmp_path / "joined.h5") == content(files["none"])
    assert storage(tmp_path / "joined.h5") == storage(files["decimal"])


@pytest.mark.parametrize("compression", PACKED)
def test_a_new_split_scheme_leaves_the_storage_as_it_is(files, tmp_path, compression):
    made = {name: tmp_path / f"{name}.h5" for name in ("none", compression)}
    for name, path in made.items():
        split_dataset(files[name], "again", SplitConfig(seed=3), output=path)
    assert storage(made[compression]) == storage(files[compression])
    assert content(made[compression]) == content(made["none"])
    assert validate(made[compression], level="content").ok


@pytest.mark.parametrize("compression", PACKED)
def test_an_export_is_that_of_the_plain_file(files, tmp_path, compression):
    exported = []
    for name in ("none", compression):
        export_npz(files[name], tmp_path / f"{name}.npz")
        with np.load(tmp_path / f"{name}.npz") as arrays:
            exported.append({key: arrays[key] for key in arrays.files if not key.startswith(("prov", "attr"))})
    assert list(exported[0]) == list(exported[1])
    for key, values in exported[0].items():
        np.testing.assert_array_equal(values, exported[1][key])


def test_images_are_stored_as_they_are(tmp_path):
    example = write_example_dataset(tmp_path / "plain.h5", with_frames=True)
    subset_dataset(example, tmp_path / "packed.h5", compression="decimal")
    assert storage(tmp_path / "packed.h5")["frames"] == "none"
    assert content(tmp_path / "packed.h5") == content(example)
    with DatasetReader(tmp_path / "packed.h5") as reader:
        assert reader.read_frames("frames", 2).decode().shape == (3, 32, 32, 3)


@pytest.mark.parametrize("compression", PACKED)
def test_threads_and_pickled_readers_read_it(files, compression):
    with DatasetReader(files["none"]) as plain, DatasetReader(files[compression]) as packed:
        expected = [plain.read("vision", index).values for index in range(N_CLIP)]
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda index: packed.read("vision", index % N_CLIP).values, range(3 * N_CLIP)))
        for index, values in enumerate(found):
            np.testing.assert_array_equal(values, expected[index % N_CLIP])
        with pickle.loads(pickle.dumps(packed)) as again:
            np.testing.assert_array_equal(again.read("vision", 3).values, expected[3])


def test_a_reader_that_is_handed_to_a_new_process_loads_the_filter_there(files, tmp_path):
    (tmp_path / "reader.pkl").write_bytes(pickle.dumps(DatasetReader(files["blosc2"])))
    program = "import pickle, sys; print(pickle.load(open(sys.argv[1], 'rb')).read('vision', 3).values.shape)"
    command = [sys.executable, "-W", "ignore::ResourceWarning", "-c", program, str(tmp_path / "reader.pkl")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "(10, 709)\n"


def without_the_package(*arguments):
    program = f"{WITHOUT_THE_PACKAGE}from mmfeat_cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_without_the_package_a_blosc2_file_is_refused_with_what_to_install(files):
    done = without_the_package("describe", files["blosc2"])
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "expected a filter that is installed, got number 32026" in done.stderr
    assert "pip install 'mmfeat[archive]' brings it" in done.stderr
    checked = without_the_package("validate", files["blosc2"])
    assert checked.returncode == 3
    assert "MF024" in checked.stdout


@pytest.mark.parametrize("command", ["build", "subset"])
def test_without_the_package_nothing_is_begun(manifest, files, tmp_path, command):
    given = manifest if command == "build" else files["none"]
    done = without_the_package(command, given, "--out", tmp_path / "a.h5", "--compression", "blosc2")
    assert done.returncode == 4
    assert done.stderr == (
        "error: compression with blosc2 needs the package 'hdf5plugin', which is not installed; "
        "pip install 'mmfeat[archive]'\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_the_other_compressions_need_no_package(files):
    for compression in ("gzip", "decimal"):
        assert without_the_package("validate", files[compression], "--level", "content").returncode == 0
