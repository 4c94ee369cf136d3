"""Every rule of the format has a test that breaks this rule alone."""

import re

import h5py
import numpy as np
import pytest

from mmfeat import InputError, validate
from mmfeat.dataset import validate as validate_function
from mmfeat.dataset.content_hash import content_sha256

RULES = {f"MF{number:03d}" for number in range(1, 25)}
IMAGE_RULES = {"MF021", "MF022", "MF023"}  # test_image_stream.py breaks these
CONTENT_RULES = {"MF011", "MF014", "MF017", "MF019", "MF020"}


def rules_of(path, level="structure"):
    return {finding.rule for finding in validate(path, level=level).findings}


def replace(file, path, values, **options):
    """Put another dataset in the place of one, with the same attributes and type."""
    old = file[path]
    attributes = dict(old.attrs)
    options = {"dtype": old.dtype, **options}
    del file[path]
    file.create_dataset(path, data=values, **options).attrs.update(attributes)


def set_row(file, path, row, value):
    rows = file[path][:]
    rows[row] = value
    file[path][:] = rows


def set_offsets(file, change):
    offsets = file["/streams/audio/offsets"][:]
    change(offsets)
    file["/streams/audio/offsets"][:] = offsets


def soft_link(file):
    file["/clips/start_s"] = h5py.SoftLink("/clips/duration_s")


def external_link(file):
    file["/streams/elsewhere"] = h5py.ExternalLink("none.h5", "/streams/audio")


def dangling_link(file):
    file["/labels/lost"] = h5py.SoftLink("/nowhere")


def other_file(file):
    del file["/clips/position"]
    file.create_dataset("/clips/position", shape=(12,), dtype="i4", external=[("none.bin", 0, 48)])


def share_a_recording(file):
    recordings = file["/clips/recording_id"][:]
    recordings[3] = recordings[0]
    file["/clips/recording_id"][:] = recordings


def drop_time_base(file):
    del file["/streams/audio"].attrs["hop_s"]


def step_back(file):
    times_s = file["/streams/vision/times_s"][:]
    times_s[[3, 4]] = times_s[[4, 3]]
    file["/streams/vision/times_s"][:] = times_s


STRUCTURE = [
    ("MF001", lambda file: file.attrs.__setitem__("format", "other")),
    ("MF001", lambda file: file.attrs.__delitem__("format")),
    ("MF002", lambda file: file.attrs.__setitem__("format_version", "2.0")),
    ("MF002", lambda file: file.attrs.__delitem__("format_version")),
    ("MF003", lambda file: file.attrs.__delitem__("content_sha256")),
    ("MF003", lambda file: file["/labels/sentiment"].attrs.__delitem__("problem")),
    ("MF003", lambda file: file["/streams/audio"].attrs.__setitem__("hop_s", "fast")),
    ("MF003", lambda file: file["/splits/default"].attrs.__setitem__("recording_disjoint", 1.0)),
    ("MF003", drop_time_base),
    ("MF004", lambda file: file.__delitem__("/clips/text")),
    ("MF004", lambda file: file.__delitem__("/failures")),
    ("MF004", lambda file: file.__delitem__("/streams/vision/valid")),
    ("MF004", lambda file: file.__delitem__("/labels/sentiment/present")),
    ("MF005", lambda file: replace(file, "/clips/position", np.zeros(12), dtype=np.int64)),
    ("MF005", lambda file: replace(file, "/streams/audio/values", np.zeros((186, 33)), dtype=np.float64)),
    ("MF005", lambda file: file.create_dataset("/labels/joy", data=np.zeros(12, dtype=np.float32))),
    ("MF006", lambda file: replace(file, "/clips/position", np.zeros(11))),
    ("MF006", lambda file: replace(file, "/streams/audio/voiced", np.zeros(5, dtype=bool))),
    ("MF006", lambda file: replace(file, "/labels/sentiment/values", np.zeros((12, 2)))),
    ("MF007", lambda file: file.create_group("/extra")),
    ("MF007", lambda file: file.create_dataset("/clips/colour", data=np.zeros(12))),
    ("MF008", soft_link),
    ("MF008", external_link),
    ("MF008", dangling_link),
    ("MF024", other_file),
    ("MF009", lambda file: set_row(file, "/clips/id", 3, "")),
    ("MF009", lambda file: set_row(file, "/clips/id", 3, "clip_04")),
    ("MF010", lambda file: set_offsets(file, lambda offsets: offsets.__setitem__(0, 1))),
    ("MF010", lambda file: set_offsets(file, lambda offsets: offsets.__setitem__(-1, 999))),
    ("MF010", lambda file: set_offsets(file, lambda offsets: offsets.__setitem__(3, 0))),
    ("MF012", lambda file: set_row(file, "/streams/vision/status", 1, 9)),
    ("MF012", lambda file: set_row(file, "/splits/default", 0, 7)),
    ("MF013", lambda file: set_row(file, "/streams/vision/status", 1, 0)),
    ("MF013", lambda file: set_row(file, "/streams/vision/status", 0, 2)),
    ("MF015", lambda file: set_row(file, "/streams/audio/feature_names", 1, "log_f0")),
    ("MF016", lambda file: set_row(file, "/failures/clip_id", 0, "clip_99")),
    ("MF016", lambda file: set_row(file, "/failures/stage", 0, "touch")),
    ("MF016", lambda file: set_row(file, "/failures/code", 0, "empty")),
    ("MF018", share_a_recording),
    ("MF018", lambda file: file["/splits/default"].attrs.__setitem__("recording_disjoint", np.False_)),
]
CONTENT = [
    ("MF011", lambda file: file["/streams/audio/values"].__setitem__((5, 3), np.nan)),
    ("MF011", lambda file: file["/streams/vision/values"].__setitem__((5, 3), -np.inf)),
    ("MF011", lambda file: file["/labels/sentiment/values"].__setitem__(2, np.nan)),
    ("MF011", lambda file: file["/clips/duration_s"].__setitem__(2, np.inf)),
    ("MF012", lambda file: file["/streams/vision/confidence"].__setitem__(2, 1.5)),
    ("MF012", lambda file: file["/clips/duration_s"].__setitem__(2, -1.0)),
    ("MF014", lambda file: file["/streams/audio/valid"].__setitem__(4, False)),
    ("MF017", step_back),
    ("MF020", lambda file: file["/streams/audio/values"].__setitem__((0, 0), 5.0)),
]
ids = [f"{rule}-{i}" for i, (rule, _) in enumerate([*STRUCTURE, *CONTENT])]


def test_every_rule_is_documented_and_broken_by_a_test():
    documented = set(re.findall(r"^MF\d{3}", validate_function.__globals__["__doc__"], re.MULTILINE))
    assert documented == {rule for rule, _ in [*STRUCTURE, *CONTENT]} | {"MF019"} | IMAGE_RULES == RULES


@pytest.mark.parametrize("level", ["structure", "content"])
def test_a_sound_file_has_no_findings(example, level):
    report = validate(example, level=level)
    assert report.ok
    assert report.findings == ()
    assert report.summary() == f"{example}: valid ({level})"


@pytest.mark.parametrize(("rule", "damage"), STRUCTURE, ids=ids[: len(STRUCTURE)])
def test_a_broken_table_is_found_by_its_rule_alone(example_copy, rule, damage):
    with h5py.File(example_copy, "r+") as file:
        damage(file)
    assert rules_of(example_copy) == {rule}


@pytest.mark.parametrize(("rule", "damage"), CONTENT, ids=ids[len(STRUCTURE) :])
def test_a_broken_frame_is_found_by_its_rule_alone_at_level_content(example_copy, rule, damage):
    with h5py.File(example_copy, "r+") as file:
        damage(file)
        file.attrs["content_sha256"] = content_sha256(file)  # as a writer with this fault would have left it
    assert rules_of(example_copy) == set()
    assert rules_of(example_copy, "content") == {rule}


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file["/streams/audio/values"].__setitem__((5, 3), 0.125),
        lambda file: set_row(file, "/clips/text", 0, "Something else."),
        lambda file: file.attrs.__setitem__("content_sha256", "0" * 64),
    ],
)
def test_a_change_that_breaks_no_other_rule_is_found_by_the_hash(example_copy, change):
    with h5py.File(example_copy, "r+") as file:
        change(file)
    assert rules_of(example_copy, "content") == {"MF019"}


def test_a_finding_says_rule_place_expected_and_got(example_copy):
    with h5py.File(example_copy, "r+") as file:
        replace(file, "/clips/position", np.zeros(11))
    assert validate(example_copy).summary() == (
        f"{example_copy}: MF006 /clips/position: axis 'clip': expected length 12, got 11"
    )


def test_all_findings_of_one_kind_are_reported_at_once(example_copy):
    with h5py.File(example_copy, "r+") as file:
        del file["/clips/text"], file["/failures/code"]
        file.create_group("/extra")
    found = {(finding.rule, finding.where) for finding in validate(example_copy).findings}
    assert found == {("MF004", "/clips/text"), ("MF004", "/failures/code"), ("MF007", "/extra")}


def test_objects_of_a_newer_minor_version_are_no_findings(example_copy):
    with h5py.File(example_copy, "r+") as file:
        file.attrs["format_version"] = "1.7"
        file["/clips/new_column"] = np.zeros(12)
    assert rules_of(example_copy) == set()


def stream_bytes(path):
    """Return (first, last) byte of every contiguous column of numbers below /streams."""
    with h5py.File(path) as file:
        columns = [column for stream in file["streams"].values() for column in stream.values()]
        return [
            (column.id.get_offset(), column.id.get_offset() + column.id.get_storage_size())
            for column in columns
            if column.dtype.kind != "O"
        ]


@pytest.mark.parametrize("seed", range(20))
def test_a_flipped_byte_of_a_stream_is_found_at_level_content(example_copy, seed):
    rng = np.random.default_rng(seed)
    ranges = stream_bytes(example_copy)
    sizes = np.array([last - first for first, last in ranges])
    first, last = ranges[rng.choice(len(ranges), p=sizes / sizes.sum())]
    place = int(rng.integers(first, last))
    content = bytearray(example_copy.read_bytes())
    content[place] ^= 1 << int(rng.integers(8))
    example_copy.write_bytes(content)
    assert rules_of(example_copy, "content") & CONTENT_RULES


@pytest.mark.parametrize("content", [b"", b"text", b"\x89HDF\r\n\x1a\n"])
def test_what_is_not_hdf5_is_a_finding(tmp_path, content):
    (tmp_path / "a.h5").write_bytes(content)
    assert rules_of(tmp_path / "a.h5") == {"MF001"}


def test_a_file_that_was_cut_off_is_a_finding(example_copy):
    example_copy.write_bytes(example_copy.read_bytes()[:-1000])
    assert rules_of(example_copy) == {"MF001"}


def test_damaged_metadata_are_a_finding(example_copy):
    with h5py.File(example_copy) as file:
        address = h5py.h5o.get_info(file["/clips"].id).addr
    content = bytearray(example_copy.read_bytes())
    content[address : address + 8] = bytes(8)
    example_copy.write_bytes(content)
    (finding,) = validate(example_copy).findings
    assert (finding.rule, finding.where) == ("MF001", "/")
    assert finding.message.startswith("expected an HDF5 file that can be read: ")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"none.h5: expected a dataset file, found none; correct the path"):
        validate(tmp_path / "none.h5")
