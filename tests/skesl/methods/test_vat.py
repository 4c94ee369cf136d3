import dataclasses
import itertools

import pytest
import torch
from torch import nn

from mmfeat import ConfigError
from skesl import MethodError, TrainConfig, find_preset
from skesl.methods.vat import Vat
from skesl.methods.vat_config import VatConfig
from skesl.task import Task
from skesl.testing import STREAMS, chosen_clips, check_method, make_method, random_batch

# Of the streams of ``random_batch``: 5 bands, 9 frames, 3 images of 32.
TINY = dataclasses.replace(
    find_preset("vat", "vat-tiny").config,
    width=16,
    n_projected=8,
    n_frames=6,
    max_audio_frames=16,
    audio_patch=4,
    audio_stride=1,
    frame_values="colour",
)
BATCH = {"images": True}


def vat(task=None, *, stage=None, n_clip=8, **settings):
    method = make_method(Vat, config=dataclasses.replace(TINY, **settings), task=task)
    if stage is not None:
        method.start_stage(stage)
        method.meet_clips(range(n_clip))
    return method


def batch(**options):
    return random_batch(images=True, **options)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"video_weight": 0.5, "audio_weight": 0.3, "frame_values": "change"},
        {"hidden_fraction": 0.4},
        {"alpha": 0.0, "regression_loss": "pearson"},
        {"exclude_same_recording": False, "regression_output": "sigmoid", "queue_size": 0},
    ],
)
def test_vat_keeps_the_contract(settings):
    check_method(Vat, dataclasses.replace(TINY, **settings))
