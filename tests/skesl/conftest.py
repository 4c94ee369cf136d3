"""What the tests of skesl share: one thread, and datasets of labels without streams."""

import csv

import numpy as np
import pytest

from mmfeat import ClipEntry, ClipFeatures, DatasetInfo, DatasetWriter, LabelInfo, Split


@pytest.fixture(scope="module", autouse=True)
def _quick(one_thread):
    """All tests of skesl compute on one thread."""


@pytest.fixture(scope="module")
def encoder(encoder):
    """The same as settings name it."""
    return str(encoder)


@pytest.fixture
def write_labels(tmp_path):
    """Write a dataset: for each part the rows of labels, None where a clip has none; two clips a recording."""

    def write(labels, parts, *, name="labels.h5", clips_per_recording=2):
        with DatasetWriter(
            tmp_path / name,
            info=DatasetInfo(name="labels", language="en"),
            streams=[],
            labels=[label if isinstance(label, LabelInfo) else LabelInfo(name=label) for label in labels],
            schemes=["default"],
        ) as writer:
            names = [label.name if isinstance(label, LabelInfo) else label for label in labels]
            for part, rows in parts.items():
                for index, row in enumerate(rows):
                    values = row if isinstance(row, (tuple, list)) else (row,)
                    known = {key: value for key, value in zip(names, values, strict=True) if value is not None}
                    entry = ClipEntry(
                        clip_id=f"{part}_{index}",
                        recording_id=f"{part}_{index // clips_per_recording}",
                        splits={"default": Split[part.upper()]},
                        text="it was good",
                        labels=known,
                    )
                    writer.write(ClipFeatures(entry=entry))
        return tmp_path / name

    return write


@pytest.fixture
def write_csv(tmp_path):
    """Write rows as a csv file."""

    def write(rows, *, name="predictions.csv"):
        with (tmp_path / name).open("w", newline="", encoding="utf-8") as handle:
            csv.writer(handle).writerows(rows)
        return tmp_path / name

    return write


EMOTIONS = ("happy", "sad", "neutral")


@pytest.fixture(scope="session")
def write_dialogues():
    """Write dialogues of four texts: the first says how all of them are, happy where it is wonderful, else sad."""

    def write(path, *, n_dialogue=12, side_labels=()):
        rng = np.random.default_rng(0)
        labels = [LabelInfo(name=name, problem="multilabel", value_range=(0.0, 1.0)) for name in EMOTIONS]
        labels += [LabelInfo(name=name, value_range=(0.0, 1.0)) for name in side_labels]
        info = DatasetInfo(name="dialogues", language="en")
        with DatasetWriter(path, info=info, streams=[], labels=labels, schemes=["default"], overwrite=True) as writer:
            for dialogue in range(n_dialogue):
                part = (Split.TRAIN, Split.TRAIN, Split.VALID, Split.TEST)[dialogue % 4]
                is_happy = bool(rng.integers(2))
                for place in range(4):
                    values = {"happy": float(is_happy), "sad": float(not is_happy), "neutral": 0.0}
                    first = "it was wonderful" if is_happy else "it was terrible"
                    entry = ClipEntry(
                        clip_id=f"{dialogue}_{place}",
                        recording_id=f"dialogue_{dialogue}",
                        position=place,
                        splits={"default": part},
                        text="it was ordinary" if place else first,
                        labels={**values, **{name: float(rng.random()) for name in side_labels}},
                    )
                    writer.write(ClipFeatures(entry=entry))
        return path

    return write
