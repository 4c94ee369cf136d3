"""What the tests of skesl share: one thread, and datasets of labels without streams."""

import csv

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
