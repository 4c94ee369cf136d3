"""A file with frames beside features: methods that use no frames never see them, and nobody mistakes them."""

import numpy as np
import pytest

from mmfeat import DatasetReader, InputError
from mmfeat.testing import write_example_dataset
from skesl import ExperimentConfig, TrainConfig, finetune, predict_run
from skesl.normalise import FeatureNormaliser
from skesl.testing import write_tiny_text_encoder

TRAIN = TrainConfig(n_epochs=1, batch_size=4, device="cpu", patience=0)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_example_dataset(tmp_path_factory.mktemp("frames") / "a.h5", with_frames=True)


def test_a_method_that_uses_no_frames_does_not_see_them(dataset, tmp_path):
    config = ExperimentConfig(text_encoder=str(write_tiny_text_encoder(tmp_path / "encoder")), train=TRAIN)
    finetune(dataset, tmp_path / "run", config)
    with_frames = predict_run(tmp_path / "run", dataset, device="cpu")
    without = predict_run(tmp_path / "run", write_example_dataset(tmp_path / "b.h5"), device="cpu")
    assert np.array_equal(with_frames.answers, without.answers)


def test_statistics_of_images_are_refused_by_name(dataset):
    with (
        DatasetReader(dataset) as reader,
        pytest.raises(InputError, match=r"'frames' holds images, not features"),
    ):
        FeatureNormaliser(reader.info("frames").feature_names).fit(reader, "frames", [0])
