"""Of several faces the one that is meant comes back, and whatever does not name a face is refused."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from mmfeat import ClipError, ConfigError, OpenFaceConfig, StreamStatus, read_openface_csv
from mmfeat.vision import GROUPS
from mmfeat.vision.faces import check_policy

AU = GROUPS["au-intensity"].columns
LANDMARKS = GROUPS["face-2d"].columns
POLICIES = ("most-confident", "largest", "longest")


def write_faces(path, faces, *, n_frame=6, absent=(), extra=()):
    """Write interleaved rows: every AU of a face is its number / 10.

    ``faces`` gives for each number what its rows say, one cell or one for each frame; ``absent`` are (number, frame)
    without a row.
    """
    header = ["frame", "face_id", "timestamp", "confidence", "success", *extra, *AU]
    lines = [", ".join(header)]
    for frame in range(n_frame):
        for index, (number, says) in enumerate(faces.items()):
            if (number, frame) in absent:
                continue
            cells = {"frame": frame + 1, "face_id": number, "timestamp": frame / 25, "confidence": 0.9, "success": 1}
            cells.update({name: cell[frame] if isinstance(cell, list) else cell for name, cell in says.items()})
            cells.update(dict.fromkeys(AU, (index + 1) / 10))
            lines.append(", ".join(str(cells[name]) for name in header))
    path.write_text("\n".join(lines) + "\n")
    return path


def chosen(path, face):
    """Return which face was kept, counted from 0 as they were written."""
    features = read_openface_csv(path, OpenFaceConfig(groups=("au-intensity",), face=face))
    (level,) = np.unique(features.values[features.valid])
    return round(float(level) * 10) - 1


def refusal(path, face):
    with pytest.raises(ClipError, match=r"expected .*") as caught:
        chosen(path, face)
    assert str(caught.value).startswith(f"{path}: ")
    return caught.value


def landmarks(width, height):
    """Return cells of a face of this size in the image."""
    cells = dict.fromkeys(LANDMARKS, 100.0)
    return {**cells, "x_16": 100.0 + width, "y_8": 100.0 + height}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.csv"


def test_the_most_confident_face_has_the_largest_sum_and_not_the_best_frame(path):
    write_faces(path, {0: {"confidence": 0.6}, 1: {"confidence": 0.7}, 2: {"confidence": [1.0, 0, 0, 0, 0, 0]}})
    assert chosen(path, "most-confident") == 1


def test_a_face_that_is_there_longer_is_more_confident_in_sum(path):
    write_faces(path, {0: {"confidence": 1.0}, 1: {"confidence": 0.7}}, absent={(0, frame) for frame in range(3)})
    assert chosen(path, "most-confident") == 1


@pytest.mark.parametrize("cell", ["nan", "-nan(ind)", "", "-1", "inf", "1e300", "-inf"])
def test_a_damaged_confidence_does_not_decide(path, cell):
    write_faces(path, {0: {"confidence": [cell, 0.1, 0.1, 0.1, 0.1, 0.1]}, 1: {"confidence": 0.8}})
    assert chosen(path, "most-confident") == 1
    features = read_openface_csv(path, OpenFaceConfig(groups=("au-intensity",), face="id=0"))
    assert 0 <= features.confidence[0] <= 1
    np.testing.assert_array_equal(features.confidence[1:], np.float32(0.1))


def test_the_longest_face_is_tracked_in_most_frames_whatever_its_confidence(path):
    faces = {0: {"confidence": 0.99}, 1: {"success": [1, 1, 1, 0, 0, 0]}, 2: {"confidence": 0.3}}
    write_faces(path, faces, absent={(0, 2), (0, 3)})
    assert chosen(path, "longest") == 2


SIZES = {  # how large, middle-sized and small faces tell it
    "landmarks": (LANDMARKS, [landmarks(60, 40), landmarks(70, 50), landmarks(200, 5)]),
    "p_scale": (("p_scale",), [{"p_scale": 1.5}, {"p_scale": 2.0}, {"p_scale": 0.4}]),
    "pose_Tz": (("pose_Tz",), [{"pose_Tz": 700}, {"pose_Tz": 400}, {"pose_Tz": 2000}]),
}


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 0, 1)])
@pytest.mark.parametrize("kind", SIZES)
def test_the_largest_face_fills_most_of_the_image(path, kind, order):
    extra, sizes = SIZES[kind]
    write_faces(path, {number: sizes[i] for number, i in enumerate(order)}, extra=extra)
    assert chosen(path, "largest") == order.index(1)


def test_landmarks_tell_a_size_better_than_distance(path):
    extra = (*LANDMARKS, "p_scale", "pose_Tz")
    near = {"p_scale": 9, "pose_Tz": 100}
    far = {"p_scale": 1, "pose_Tz": 900}
    write_faces(path, {0: {**landmarks(10, 10), **near}, 1: {**landmarks(90, 90), **far}}, extra=extra)
    assert chosen(path, "largest") == 1


def test_frames_in_which_a_face_is_not_tracked_do_not_make_it_large(path):
    write_faces(path, {0: {"p_scale": 9, "success": [1, 0, 0, 0, 0, 0]}, 1: {"p_scale": 4}}, extra=("p_scale",))
    assert chosen(path, "largest") == 1


@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize("cell", ["nan", "inf", "-inf", "1e300", "-1e300", "0"])
def test_a_damaged_size_gives_a_face_and_no_warning(path, kind, cell):
    extra, sizes = SIZES[kind]
    damaged = {**sizes[0], extra[0]: [cell, *[sizes[0][extra[0]]] * 5]}
    write_faces(path, {0: damaged, 1: sizes[1]}, extra=extra)
    assert chosen(path, "largest") in (0, 1)


@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize("cell", ["nan", "inf", "-inf"])
def test_a_size_that_is_no_number_does_not_decide(path, kind, cell):
    extra, sizes = SIZES[kind]
    write_faces(path, {0: {**sizes[2], extra[0]: [cell, *[sizes[2][extra[0]]] * 5]}, 1: sizes[1]}, extra=extra)
    assert chosen(path, "largest") == 1


def test_without_any_size_the_largest_of_several_faces_is_refused(path):
    error = refusal(write_faces(path, {0: {}, 1: {}}), "largest")
    assert error.status is StreamStatus.DECODE_ERROR
    assert "expected landmarks, p_scale or pose_Tz to find the largest of several faces, got none; " in str(error)
    assert "run FeatureExtraction with -2Dfp, or choose another policy (--face)" in str(error)


def test_a_single_face_is_the_largest_without_any_size(path):
    assert chosen(write_faces(path, {3: {}}), "largest") == 0


@pytest.mark.parametrize("number", [0, 2, 7])
def test_a_face_is_kept_by_its_number(path, number):
    write_faces(path, {7: {"confidence": 0.1}, 0: {}, 2: {"success": [0, 1, 0, 0, 0, 0]}})
    assert chosen(path, f"id={number}") == [7, 0, 2].index(number)


def test_a_number_that_no_face_has_is_refused_with_those_there_are(path):
    error = refusal(write_faces(path, {0: {}, 4: {}, 11: {}}), "id=2")
    assert error.status is StreamStatus.NO_FACE
    assert "expected the face 2, got 0, 4, 11; choose one of them (--face id=N)" in str(error)


def test_a_file_without_face_numbers_has_the_face_0(path):
    write_faces(path, {0: {}})
    path.write_text(path.read_text().replace("face_id", "other"))
    assert [chosen(path, face) for face in (*POLICIES, "id=0")] == [0] * 4
    assert "expected the face 1, got 0; choose" in str(refusal(path, "id=1"))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("numbers", [(0, 1), (2, 1, 0), (5, 9, 3, 4)])
def test_of_equal_faces_the_lowest_number_is_kept(path, policy, numbers):
    write_faces(path, {number: {"p_scale": 2} for number in numbers}, extra=("p_scale",))
    assert chosen(path, policy) == numbers.index(min(numbers))


@pytest.mark.parametrize("cell", ["nan", "", "-1", "0.5", "inf", "-nan(ind)"])
@pytest.mark.parametrize("policy", [*POLICIES, "id=0"])
def test_a_face_number_that_is_none_is_refused(path, policy, cell):
    write_faces(path, {0: {"face_id": [0, 0, cell, 0, 0, 0], "p_scale": 1}}, extra=("p_scale",))
    error = refusal(path, policy)
    assert error.status is StreamStatus.DECODE_ERROR
    assert "expected face numbers 0, 1, 2 … in face_id, got " in str(error)
    assert "; run FeatureExtraction again" in str(error)


@pytest.mark.parametrize("policy", ["biggest", "", "id=", "id=-1", "id=1.5", "id=one", "id=N", " largest", "id=1\n"])
def test_an_unknown_policy_is_refused_with_the_known_ones(policy):
    with pytest.raises(ConfigError, match=r"unknown face policy .*; known: most-confident, largest, longest, id=N"):
        check_policy(policy)
    with pytest.raises(ConfigError, match=r"unknown face policy"):
        OpenFaceConfig(face=policy)


@settings(max_examples=60, deadline=None)  # the kernels are compiled in the first example
@given(
    confidences=st.lists(st.lists(st.integers(0, 64), min_size=4, max_size=4), min_size=2, max_size=4),
    order=st.randoms(use_true_random=False),
)
def test_the_order_of_the_rows_of_a_frame_changes_nothing(tmp_path_factory, confidences, order):
    path = tmp_path_factory.mktemp("faces") / "a.csv"
    faces = {i: {"confidence": [n / 64 for n in row]} for i, row in enumerate(confidences)}
    write_faces(path, faces, n_frame=4)
    header, *rows = path.read_text().splitlines()
    by_frame = [rows[i : i + len(faces)] for i in range(0, len(rows), len(faces))]
    for group in by_frame:
        order.shuffle(group)
    path.write_text("\n".join([header, *(row for group in by_frame for row in group)]) + "\n")
    sums = [sum(row) for row in confidences]
    assert chosen(path, "most-confident") == sums.index(max(sums))
