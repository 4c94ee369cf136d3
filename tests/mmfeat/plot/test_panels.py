"""What is drawn is what was read: the numbers on the axes are those of the file."""

import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure

from mmfeat import FrameFeatures
from mmfeat.plot import panels
from mmfeat.testing import tone


@pytest.fixture
def axes():
    """The axes of a panel and of its scale of colours."""
    return Figure().subplots(1, 2)


def frames(values, names, *, valid=None, voiced=None, hop_s=0.1):
    values = np.asarray(values, dtype=np.float32)
    n_frame = len(values)
    return FrameFeatures(
        values=values,
        times_s=np.arange(n_frame) * hop_s,
        names=names,
        units=("1",) * len(names),
        valid=np.ones(n_frame, dtype=bool) if valid is None else np.asarray(valid, dtype=bool),
        voiced=None if voiced is None else np.asarray(voiced, dtype=bool),
        hop_s=hop_s,
    )


@pytest.mark.parametrize("sound", [None, tone(200.0, duration_s=0.4)])
def test_the_pitch_stands_in_hz_at_its_times_where_there_is_one(axes, sound):
    pitch = frames(np.log([[100.0], [200.0], [1.0], [400.0]]), ("log_f0",), voiced=[1, 1, 0, 1], valid=[1, 0, 1, 1])
    panels.draw_pitch(*axes, sound=sound, frames=pitch)

    times_s, hz = axes[0].lines[-1].get_data()
    assert times_s.tolist() == pytest.approx([0.0, 0.3])
    assert hz.tolist() == pytest.approx([100.0, 400.0])
    assert axes[0].get_yscale() == "log"


def test_a_pitch_outside_of_the_usual_range_is_on_the_axis(axes):
    panels.draw_pitch(*axes, sound=None, frames=frames(np.log([[30.0], [900.0]]), ("log_f0",)))

    low_hz, high_hz = axes[0].get_ylim()
    assert low_hz < 30
    assert high_hz > 900


def picture(axes, features, *, as_deviations, columns=(0, 1)):
    panels.draw_picture(*axes, frames=features, columns=columns, title="x", ticks={0: "a"}, as_deviations=as_deviations)
    return axes[0].collections[0]


def test_a_picture_shows_values_and_leaves_frames_that_are_not_valid_out(axes):
    drawn = picture(axes, frames([[0.1, 0.2], [0.3, 0.4], [0, 0]], "ab", valid=[1, 1, 0]), as_deviations=False)

    assert drawn.get_array().filled(-1).tolist() == [pytest.approx([0.1, 0.3, -1]), pytest.approx([0.2, 0.4, -1])]
    assert drawn.get_coordinates()[0, :, 0].tolist() == pytest.approx([-0.05, 0.05, 0.15, 0.25])


def test_deviations_have_the_mean_0_and_the_spread_1_of_valid_frames(axes):
    rng = np.random.default_rng(0)
    values = rng.normal([5, -100], [0.1, 30], size=(50, 2))
    valid = np.arange(50) < 40
    drawn = picture(axes, frames(np.where(valid[:, None], values, 0), "ab", valid=valid), as_deviations=True)

    shown = drawn.get_array().filled(np.nan)[:, :40]
    assert shown.mean(axis=1) == pytest.approx([0, 0], abs=1e-5)
    assert shown.std(axis=1) == pytest.approx([1, 1], abs=1e-5)


@pytest.mark.parametrize("valid", [[0, 0], [1, 1]])
def test_columns_that_never_change_and_clips_without_a_valid_frame_are_drawn(axes, valid):
    for as_deviations in (False, True):
        picture(axes, frames([[0, 0], [0, 0]], "ab", valid=valid), as_deviations=as_deviations)


def test_of_more_frames_than_a_picture_shows_neighbours_are_averaged(axes):
    values = np.arange(6_000, dtype=np.float64)
    drawn = picture(axes, frames(np.stack([values, values], axis=1) / 6_000, "ab"), as_deviations=False)

    assert drawn.get_array().shape == (2, 1_500)
    assert drawn.get_array().filled(np.nan)[0] == pytest.approx((np.arange(1_500) * 4 + 1.5) / 6_000, abs=1e-4)


def test_valid_stretches_have_the_length_of_their_frames(axes):
    shown = frames(np.zeros((6, 1)), "a", valid=[1, 1, 0, 0, 1, 0])
    panels.draw_validity(*axes, rows={"faces": (shown, shown.valid)})

    _, green = axes[0].collections
    spans = [sorted({float(x) for x in path.vertices[:, 0]}) for path in green.get_paths()]
    assert spans == [pytest.approx([0, 0.15]), pytest.approx([0.35, 0.45])]
    assert [text.get_text() for text in axes[0].texts] == ["50%"]


def test_action_units_are_named_and_leave_gaps(axes):
    values = [[1.0, 0.5], [0.0, 0.0], [2.0, 0.5]]
    panels.draw_units(
        *axes, frames=frames(values, ("AU12_r", "AU45_r"), valid=[1, 0, 1]), columns=(0, 1), title="action units"
    )

    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["AU45", "AU12"]
    assert {text.get_text() for text in axes[0].texts} == {"blink", "lip corner puller"}
    upper = axes[0].lines[-1].get_ydata()
    assert upper - 2.0 == pytest.approx([1.0, np.nan, 2.0], nan_ok=True)  # on the line of the second row


def test_the_columns_that_move_most_are_chosen_among_valid_frames():
    values = np.array([[0, 0, 9], [1, 3, 9], [0, 0, 9], [100, 0, 0]], dtype=np.float32)
    valid = np.array([True, True, True, False])

    assert panels.most_moving(values, valid, [0, 1, 2], 2) == [0, 1]
    assert panels.most_moving(values, valid, [2, 1], 1) == [1]
    assert panels.most_moving(values, ~valid & False, [0, 1, 2], 2) == [0, 1]


def test_words_of_one_row_never_meet_and_those_without_room_are_counted_out():
    rng = np.random.default_rng(0)
    starts_s = np.sort(rng.uniform(0, 10, 200))
    words = [("w" * int(rng.integers(1, 9)), float(start), float(start) + 0.1) for start in starts_s]
    rows = panels.word_rows(words, 0.5, 4)

    assert None in rows
    assert set(rows) - {None} == {0, 1, 2, 3}
    for row in range(4):
        own = [word for word, at in zip(words, rows, strict=True) if at == row]
        for (word, start_s, _), (_, next_s, _) in itertools.pairwise(own):
            assert next_s >= start_s + len(word) * 0.065 / 0.5
    assert panels.word_rows(words[:1], 0.5, 4) == [0]
