"""What is drawn of a clip is what the method has read of it."""

import numpy as np
import pytest

from mmfeat import DatasetReader
from mmfeat.testing import write_example_dataset
from skesl import InputConfig
from skesl.clip_view import view_clip


@pytest.mark.parametrize("inputs", [{}, {"keep_failed_frames": True}, {"max_vision_frames": 4}])
def test_attention_stands_at_the_times_of_the_frames_that_are_read(tmp_path, inputs):
    chosen = InputConfig(**inputs)
    with DatasetReader(write_example_dataset(tmp_path / "example.h5")) as reader:
        faces = reader.read("vision", 0)
        weights = np.arange(len(chosen.frames("vision", faces)), dtype=np.float64)
        view = view_clip(reader, reader.clip_ids[0], inputs=chosen, attention={"vision": weights})

    times_s, drawn = view.attention["vision"]
    is_read = np.ones(faces.n_frame, dtype=bool) if chosen.keep_failed_frames else faces.valid
    assert drawn is weights
    assert times_s.tolist() == faces.times_s[is_read][: chosen.max_vision_frames].tolist()
    assert not faces.valid.all()
