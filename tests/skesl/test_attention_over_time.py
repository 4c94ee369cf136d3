"""Attention is drawn at the times of the frames that the method has read."""

import numpy as np
import pytest

from mmfeat import DatasetReader, view_clip
from mmfeat.testing import write_example_dataset
from skesl import InputConfig
from skesl.attention_record import attention_over_time


@pytest.mark.parametrize("inputs", [{}, {"keep_failed_frames": True}, {"max_vision_frames": 4}])
def test_attention_stands_at_the_times_of_the_frames_that_are_read(tmp_path, inputs):
    chosen = InputConfig(**inputs)
    with DatasetReader(write_example_dataset(tmp_path / "example.h5")) as reader:
        view = view_clip(reader, reader.clip_ids[0])
    faces = view.streams["vision"]
    weights = np.arange(len(chosen.frames("vision", faces)), dtype=np.float64)

    attention = attention_over_time(view.streams, chosen, {"vision": weights, "without_clock": weights})

    times_s, drawn = attention["vision"]
    is_read = np.ones(faces.n_frame, dtype=bool) if chosen.keep_failed_frames else faces.valid
    assert drawn is weights
    assert times_s.tolist() == faces.times_s[is_read][: chosen.max_vision_frames].tolist()
    assert not faces.valid.all()
    assert set(attention) == {"vision"}
