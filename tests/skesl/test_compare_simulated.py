"""A hundred pairs of simulated models through `skesl compare`, files and all: does its sentence tell the truth?"""

import numpy as np
import pytest

from mmfeat import ClipEntry, ClipFeatures, DatasetInfo, DatasetWriter, LabelInfo, Split
from skesl import compare

N_PAIR = 100


def write_part(path, n_clip, n_recording, rng):
    """Write a test part with labels like those of MOSEI, and return the labels and the recording of each clip."""
    labels = (np.round(rng.normal(0.2, 1.1, n_clip) * 3) / 3).clip(-3, 3)
    recordings = np.sort(rng.integers(0, n_recording, n_clip))
    with DatasetWriter(
        path, info=DatasetInfo(name="made"), streams=[], labels=[LabelInfo(name="sentiment")], schemes=["default"]
    ) as writer:
        for index in range(n_clip):
            entry = ClipEntry(
                clip_id=f"{index}",
                recording_id=f"{recordings[index]}",
                splits={"default": Split.TEST},
                labels={"sentiment": float(labels[index])},
            )
            writer.write(ClipFeatures(entry=entry))
    return labels, recordings


def accuracy(labels, said):
    polar = labels != 0
    return float(((said > 0) == (labels > 0))[polar].mean())


@pytest.fixture
def sentences(tmp_path):
    """Return what is said of pairs of models, and their true difference of acc2_non0 in points."""

    def compared(n_clip, n_recording, noises):
        rng = np.random.default_rng(n_clip)
        labels, recordings = write_part(tmp_path / "made.h5", n_clip, n_recording, rng)
        said = []
        for _ in range(N_PAIR):
            # what is hard is hard for both: of clips and of recordings; the rest is each model's own
            hard = 0.7 * rng.normal(size=n_clip) + 0.3 * rng.normal(size=n_recording)[recordings]
            points = []
            for name, noise in zip("ab", noises, strict=True):
                values = labels + hard * noise + 0.5 * rng.normal(size=n_clip)
                points.append(100 * accuracy(labels, values))
                rows = "".join(f"{index},{value!r}\n" for index, value in enumerate(values.tolist()))
                (tmp_path / f"{name}.csv").write_text("clip_id,prediction\n" + rows)
            found = compare(tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "made.h5", n_resample=500)
            said.append((found.sentence(), points[1] - points[0]))
        return said

    return compared


@pytest.mark.slow
@pytest.mark.parametrize(("n_clip", "n_recording"), [(686, 31), (4_659, 676)])
def test_models_that_differ_by_their_seed_do_not_differ_in_nine_of_ten_pairs(sentences, n_clip, n_recording):
    found = sentences(n_clip, n_recording, (1.0, 1.0))

    assert sum(sentence.startswith("no difference: ") for sentence, _ in found) >= 90
    points = [points for _, points in found]
    assert np.mean(points) == pytest.approx(0, abs=4 * np.std(points) / np.sqrt(N_PAIR))  # four standard errors


@pytest.mark.slow
def test_a_planted_difference_of_three_points_on_the_size_of_mosei_is_found_in_nine_of_ten_pairs(sentences):
    found = sentences(4_659, 676, (1.0, 0.75))

    assert np.mean([points for _, points in found]) == pytest.approx(3.0, abs=0.3)
    assert sum(sentence.startswith("b.csv is better: acc2_non0 of b.csv is ") for sentence, _ in found) >= 90
