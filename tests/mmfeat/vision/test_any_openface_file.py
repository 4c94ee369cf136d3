"""Whatever a file holds: the right column under each name, or one clear refusal."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from mmfeat import ClipError, FrameFeatures, OpenFaceConfig, read_openface_csv
from mmfeat.testing import write_openface_csv
from mmfeat.vision import GROUPS, select_columns

META = ("frame", "face_id", "timestamp", "confidence", "success")
LOADERS = ("compiled", "numpy")
# A few dozen columns: mutations hit every kind of cell, and an example takes a millisecond.
SOME = OpenFaceConfig(groups=("gaze", "pose", "p_scale", "AU01_r", "AU12_r", "AU12_c"))
EXTREMES = ("nan", "", "inf", "-inf", "-1", "0", "1e300", "-1e300", "1e9", "5e8", "0.5", "x", "-", "99999")
OTHERS = ("x_0", "p_3", "emotion", "AU99_r", "", "frame_rate", "X_0b", "gaze")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Return a path that every example writes anew."""
    return tmp_path_factory.mktemp("openface") / "a.csv"


def planted(rng, n):
    """Return texts of numbers that are all different, some with exponents or many digits."""
    numbers = rng.normal(size=n) * 10.0 ** rng.integers(-3, 5, n)
    return [f"{x:.3f}" if i % 3 else repr(x) for i, x in enumerate(numbers.tolist())]


@settings(max_examples=80, deadline=None)  # the kernels are compiled in the first example
@given(
    groups=st.sets(st.sampled_from([*GROUPS, "AU17_r", "Z_67", "gaze_angle_y"]), min_size=1),
    beside=st.sets(st.sampled_from(sorted(GROUPS))),
    others=st.sets(st.sampled_from(OTHERS)),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_planted_value_comes_back_under_its_own_name(file, groups, beside, others, seed):
    rng = np.random.default_rng(seed)
    config = OpenFaceConfig(groups=tuple(groups))
    columns = {*config.feature_names, *(name for group in beside for name in GROUPS[group].columns), *META, *others}
    header = rng.permutation(sorted(columns)).tolist()
    rows = [dict(zip(header, planted(rng, len(header)), strict=True)) for _ in range(3)]
    for i, row in enumerate(rows):
        row.update(frame=str(i + 1), face_id="0", timestamp=f"{i / 25}", confidence=f"{(i + 1) / 4}", success="1")
    rows[2][""] = "1"  # an empty last cell would be an interrupted run
    separator = rng.choice([",", ", ", ";", "\t"])
    lines = [separator.join(header), *(separator.join(row[name] for name in header) for row in rows)]
    file.write_text("\n".join(lines) + "\n")
    for loader in LOADERS:
        features = read_openface_csv(file, config, loader=loader)
        assert features.names == select_columns(groups)
        expected = np.array([[float(row[name]) for name in features.names] for row in rows])
        np.testing.assert_array_equal(features.values, expected.astype(np.float32))
        assert features.times_s.tolist() == [0, 0.04, 0.08]
        assert features.confidence.tolist() == [0.25, 0.5, 0.75]
        assert features.valid.all()


def outcome(path, config, loader):
    """Return what came of a file, in a form that can be compared."""
    try:
        features = read_openface_csv(path, config, loader=loader)
    except ClipError as error:
        return str(error), error.status
    assert isinstance(features, FrameFeatures)
    assert features.valid.any()
    assert not features.values[~features.valid].any()
    assert np.isfinite(features.times_s).all()
    assert (np.diff(features.times_s) >= 0).all()
    assert ((features.confidence >= 0) & (features.confidence <= 1)).all()
    arrays = (features.values, features.times_s, features.valid, features.confidence)
    return tuple(array.tobytes() for array in arrays), features.names, features.notes


def write_crowd(path):
    """Write a file of two faces, one of which is skipped in two frames."""
    header, *rows = write_openface_csv(path, SOME, n_frame=6).read_text().splitlines()
    crowd = [line for row in rows for line in (row, row.replace(", 0, ", ", 1, ", 1))]
    crowd = [row for row in crowd if not row.startswith(("3, 1, ", "4, 1, "))]
    path.write_text("\n".join([header, *crowd, ""]))
    return path


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("originals")
    one = write_openface_csv(folder / "one.csv", SOME, n_frame=6).read_bytes()
    crowd = write_crowd(folder / "crowd.csv").read_bytes()
    return one, crowd, one.replace(b", ", b";").replace(b"\n", b"\r\n")


changes = st.lists(
    st.tuples(
        st.sampled_from(["flip", "replace", "insert", "delete", "cut", "swap"]),
        st.floats(0, 1, exclude_max=True),
        st.sampled_from(b"0123456789.-+eE,; \t\r\n\x00\xff_naif#(\"'") | st.integers(0, 255),
        st.integers(1, 40),
    ),
    min_size=1,
    max_size=6,
)


def mutated(content, steps):
    content = bytearray(content)
    for kind, place, byte, length in steps:
        at = int(place * len(content))
        if kind == "flip" and content:
            content[at] ^= 1 << byte % 8
        elif kind == "replace" and content:
            content[at] = byte
        elif kind == "insert":
            content[at:at] = bytes([byte]) * (1 + length % 3)
        elif kind == "delete":
            del content[at : at + length]
        elif kind == "cut":
            del content[len(content) - min(length, len(content)) :]
        else:
            content[at:at] = content[: length * 7][-40:]
    return bytes(content)


@settings(max_examples=1000, deadline=None)
@given(
    which=st.integers(0, 2),
    steps=changes,
    face=st.sampled_from(["most-confident", "largest", "longest", "id=1"]),
    frame_rate_hz=st.sampled_from([None, 25.0]),
)
def test_a_damaged_file_gives_features_or_one_refusal(file, originals, which, steps, face, frame_rate_hz):
    file.write_bytes(mutated(originals[which], steps))
    config = OpenFaceConfig(groups=SOME.groups, face=face, frame_rate_hz=frame_rate_hz)
    assert outcome(file, config, "compiled") == outcome(file, config, "numpy")


@settings(max_examples=500, deadline=None)
@given(
    cells=st.lists(
        st.tuples(
            st.integers(0, 6),
            st.integers(0, 23),
            st.sampled_from(EXTREMES),
        ),
        min_size=1,
        max_size=5,
    ),
    which=st.integers(0, 1),
    face=st.sampled_from(["most-confident", "largest", "longest", "id=0"]),
)
def test_a_file_of_extreme_cells_gives_features_or_one_refusal(file, originals, cells, which, face):
    lines = [line.split(", ") for line in originals[which].decode().splitlines()]
    for row, column, cell in cells:
        lines[row + 1 if row + 1 < len(lines) else -1][column % len(lines[0])] = cell
    file.write_text("\n".join(", ".join(line) for line in lines) + "\n")
    config = OpenFaceConfig(groups=SOME.groups, face=face)
    assert outcome(file, config, "compiled") == outcome(file, config, "numpy")


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=300) | st.binary(max_size=200).map(b"frame,AU01_r,success\n1,1,1\n".__add__))
def test_random_bytes_give_features_or_one_refusal(file, content):
    file.write_bytes(content)
    config = OpenFaceConfig(groups=("AU01_r",), frame_rate_hz=25.0)
    assert outcome(file, config, "compiled") == outcome(file, config, "numpy")


def test_the_crowd_has_two_faces_and_skipped_frames(tmp_path):
    """What the damaged files are made from is itself a file of two faces."""
    path = write_crowd(tmp_path / "a.csv")
    second = read_openface_csv(path, OpenFaceConfig(groups=SOME.groups, face="id=1"))
    assert second.valid.tolist() == [True, True, False, False, True, False]
    assert read_openface_csv(path, SOME).valid.tolist() == [True] * 5 + [False]
