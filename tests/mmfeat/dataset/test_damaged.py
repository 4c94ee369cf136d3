"""Damaged and foreign files: every flipped byte is found, and whatever the damage, the answer is a sentence."""

import shutil

import h5py
import numpy as np
import pytest

from mmfeat import DatasetReader, InputError, MmfeatError, describe, validate
from mmfeat.testing import write_example_dataset

N_FLIP = 100
N_CUT = 50


@pytest.fixture(scope="module")
def sound_file(tmp_path_factory):
    return write_example_dataset(tmp_path_factory.mktemp("damaged") / "a.h5", with_frames=True)


def extents(path):
    """Return first byte and number of bytes of every dataset that is stored in one piece."""
    found = {}
    with h5py.File(path) as file:

        def visit(name, item):
            if isinstance(item, h5py.Dataset) and item.id.get_offset() is not None and item.nbytes:
                found[name] = item.id.get_offset(), item.id.get_storage_size()

        file.visititems(visit)
    return found


def flip(path, place, bit):
    with path.open("r+b") as handle:
        handle.seek(place)
        byte = handle.read(1)[0]
        handle.seek(place)
        handle.write(bytes([byte ^ (1 << bit)]))


FLIPPED = (
    "values",
    "valid",
    "voiced",
    "confidence",
    "times_s",
    "offsets",
    "status",
    "bytes",
    "frame_offsets",
    "present",
)


def answers(path):
    """Return what each way into a file says: a report, a value or an error of the project; anything else is a bug."""
    found = []
    for way in (lambda: validate(path), lambda: validate(path, level="content"), lambda: describe(path)):
        try:
            found.append(way())
        except MmfeatError as error:
            found.append(error)
    try:
        with DatasetReader(path) as reader:
            for stream in reader.stream_names:
                for index in range(reader.n_clip):
                    (reader.read_frames if reader.info(stream).codec else reader.read)(stream, index)
            found.append((reader.clip_ids, reader.texts, reader.failures(), reader.events()))
    except MmfeatError as error:
        found.append(error)
    return found


def is_sentence(error):
    text = str(error)
    return "Traceback" not in text and "\n" not in text.strip() and ": " in text


@pytest.mark.parametrize("column", FLIPPED)
def test_every_flipped_byte_in_a_column_is_found_by_level_content(sound_file, tmp_path, column):
    places = {name: extent for name, extent in extents(sound_file).items() if name.endswith(f"/{column}")}
    assert places
    chance = np.random.default_rng(len(column))
    for _ in range(max(10, N_FLIP // len(FLIPPED))):
        path = shutil.copy(sound_file, tmp_path / "flipped.h5")
        start, n_byte = places[chance.choice(sorted(places))]
        flip(path, start + int(chance.integers(n_byte)), int(chance.integers(8)))
        report = validate(path, level="content")
        assert not report.ok
        assert all(is_sentence(finding) for finding in report.findings)


def test_a_hundred_flipped_bytes_of_the_values_are_all_found(sound_file, tmp_path):
    places = extents(sound_file)
    chance = np.random.default_rng(0)
    for _ in range(N_FLIP):
        path = shutil.copy(sound_file, tmp_path / "flipped.h5")
        start, n_byte = places[f"streams/{chance.choice(['audio', 'vision'])}/values"]
        flip(path, start + int(chance.integers(n_byte)), int(chance.integers(8)))
        assert not validate(path, level="content").ok


def test_flipped_bytes_anywhere_in_the_file_are_answered_with_sentences(sound_file, tmp_path):
    chance = np.random.default_rng(1)
    size = sound_file.stat().st_size
    heads = [int(place) for place in chance.integers(0, 4096, 40)] + [int(p) for p in chance.integers(0, size, 40)]
    for place in heads:
        path = shutil.copy(sound_file, tmp_path / "flipped.h5")
        flip(path, place, int(chance.integers(8)))
        for answer in answers(path):
            if isinstance(answer, Exception):
                assert is_sentence(answer)


def test_a_file_that_is_cut_off_anywhere_is_answered_with_sentences(sound_file, tmp_path):
    content = sound_file.read_bytes()
    sizes = np.random.default_rng(2).integers(0, len(content), N_CUT - 4).tolist()
    for size in [0, 1, len(content) - 1, len(content) - 8, *sizes]:
        path = tmp_path / "cut.h5"
        path.write_bytes(content[:size])
        structure, full, described, read = answers(path)
        assert not structure.ok
        assert not full.ok
        assert [finding.rule for finding in full.findings] == ["MF001"]
        assert isinstance(described, InputError)
        assert isinstance(read, InputError)
        for sentence in (*full.findings, described, read):
            assert is_sentence(sentence)


def external_storage(path, folder):
    (folder / "outside.bin").write_bytes(bytes(48))
    del path["clips/position"]
    path.create_dataset("clips/position", shape=(12,), dtype="i4", external=[(str(folder / "outside.bin"), 0, 48)])


def virtual(file, folder):
    with h5py.File(folder / "outside.h5", "w") as other:
        other["x"] = np.zeros(12, dtype="i4")
    layout = h5py.VirtualLayout(shape=(12,), dtype="i4")
    layout[:] = h5py.VirtualSource(str(folder / "outside.h5"), "x", shape=(12,))
    del file["clips/position"]
    file.create_virtual_dataset("clips/position", layout)


def unknown_filter(file, _folder):
    values = file["streams/audio/values"][:]
    attributes = dict(file["streams/audio/values"].attrs)
    del file["streams/audio/values"]
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((64, 33))
    properties.set_filter(32_001, h5py.h5z.FLAG_OPTIONAL, (1, 2))  # blosc, which h5py does not bring
    space, kind = h5py.h5s.create_simple(values.shape), h5py.h5t.IEEE_F32LE
    dataset = h5py.Dataset(h5py.h5d.create(file["streams/audio"].id, b"values", kind, space, properties))
    dataset.id.write_direct_chunk((0, 0), bytes(64 * 33 * 4))
    dataset.attrs.update(attributes)


def external_link(file, folder):
    with h5py.File(folder / "outside.h5", "w") as other:
        other["text"] = ["secret"] * 12
    del file["clips/text"]
    file["clips/text"] = h5py.ExternalLink(str(folder / "outside.h5"), "/text")


def external_stream(file, folder):
    shutil.copy(file.filename, folder / "outside.h5")
    del file["streams/audio"]
    file["streams/audio"] = h5py.ExternalLink(str(folder / "outside.h5"), "/streams/audio")


def soft_link(file, _folder):
    del file["clips/text"]
    file["clips/text"] = h5py.SoftLink("/clips/id")


def loop(file, _folder):
    file["streams/again"] = file["streams"]


def dangling(file, _folder):
    del file["clips/text"]
    file["clips/text"] = h5py.SoftLink("/nowhere")


ODD = [external_storage, virtual, unknown_filter, external_link, external_stream, soft_link, loop, dangling]


@pytest.mark.parametrize("change", ODD)
def test_what_lies_elsewhere_or_cannot_be_decoded_is_refused_with_a_sentence(example_copy, tmp_path, change):
    with h5py.File(example_copy, "r+") as file:
        change(file, tmp_path)
    structure, full, described, read = answers(example_copy)
    assert not structure.ok
    for finding in (*structure.findings, *full.findings):
        assert is_sentence(finding)
    for answer in (described, read):
        assert not isinstance(answer, Exception) or is_sentence(answer)
    if change is not loop:
        assert isinstance(read, MmfeatError)


def plain(file):
    file["data"] = np.arange(10)


def wrong_root(file):
    file.attrs["format"] = np.arange(3)


def only_a_header(file):
    file.attrs["format"], file.attrs["format_version"] = "mmfeat", "1.0"


def csd(file):
    file["audio/data/clip/features"] = np.zeros((4, 2))
    file["audio/data/clip/intervals"] = np.zeros((4, 2))


def groups_for_tables(file):
    only_a_header(file)
    for name in ("clips/id", "labels/joy/values", "splits/default", "streams/audio/values", "failures/code"):
        file.create_group(name)


def tables_for_groups(file):
    only_a_header(file)
    for name in ("clips", "labels", "splits", "streams", "failures", "provenance"):
        file[name] = 1


@pytest.mark.parametrize("fill", [plain, wrong_root, only_a_header, csd, groups_for_tables, tables_for_groups])
def test_a_foreign_file_is_answered_with_sentences(tmp_path, fill):
    path = tmp_path / "foreign.h5"
    with h5py.File(path, "w") as file:
        fill(file)
    structure, _, described, read = answers(path)
    assert not structure.ok
    assert all(is_sentence(finding) for finding in structure.findings)
    assert isinstance(described, MmfeatError)
    assert is_sentence(described)
    assert isinstance(read, MmfeatError)
    assert is_sentence(read)


@pytest.mark.parametrize(
    "content", [b"", b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" + bytes(1000), b"PK\x03\x04", b"x" * 9999]
)
def test_a_file_that_is_no_hdf5_is_answered_with_sentences(tmp_path, content):
    path = tmp_path / "other.h5"
    path.write_bytes(content)
    structure, _, described, read = answers(path)
    assert [finding.rule for finding in structure.findings] == ["MF001"]
    assert isinstance(described, InputError)
    assert isinstance(read, InputError)
