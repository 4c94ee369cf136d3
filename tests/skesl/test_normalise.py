import numpy as np
import pytest
import torch

from mmfeat import DatasetReader, FrameFeatures
from mmfeat.testing import write_example_dataset
from skesl import FeatureNormaliser


class FakeReader:
    """Clips of one stream, as ``DatasetReader.read`` gives them."""

    def __init__(self, clips, valid=None):
        self.clips = [np.asarray(clip, dtype=np.float32) for clip in clips]
        self.valid = valid or [np.ones(len(clip), dtype=bool) for clip in self.clips]

    def read(self, _stream, index):
        values = self.clips[index]
        names = tuple(f"column_{column}" for column in range(values.shape[1]))
        return FrameFeatures(
            values=values,
            times_s=np.arange(len(values), dtype=np.float64),
            names=names,
            units=("1",) * len(names),
            valid=self.valid[index],
        )


def fitted(clips, *, names=None, valid=None, indices=None):
    reader = FakeReader(clips, valid)
    normaliser = FeatureNormaliser(names or [f"column_{column}" for column in range(reader.clips[0].shape[1])])
    normaliser.fit(reader, "audio", range(len(clips)) if indices is None else indices)
    return normaliser


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_statistics_are_those_of_the_pooled_frames():
    clips = [noise(n, 3, seed=n) * [1, 20, 0.01] + [0, -50, 3] for n in (5, 1, 40)]
    normaliser = fitted(clips)

    pooled = np.concatenate([clip.astype(np.float32) for clip in clips]).astype(np.float64)
    # float32 keeps 7 digits
    np.testing.assert_allclose(normaliser.mean, pooled.mean(axis=0), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(normaliser.scale, 1 / pooled.std(axis=0), rtol=1e-6)


def test_normalised_training_frames_have_mean_0_and_deviation_1():
    clips = [noise(50, 4, seed=seed) * [3, 0.1, 1, 100] + [7, 0, -2, 1000] for seed in range(3)]
    pooled = torch.from_numpy(np.concatenate(clips).astype(np.float32))

    normalised = fitted(clips)(pooled).double().numpy()

    # mean 1000 and deviation 100 in float32: rounding of about 1e-6 deviations
    np.testing.assert_allclose(normalised.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(normalised.std(axis=0), 1, atol=1e-5)


def test_landmarks_far_from_0_keep_their_deviation():
    clips = [noise(200, 1, seed=seed) + 20_000 for seed in range(5)]
    pooled = np.concatenate([clip.astype(np.float32) for clip in clips]).astype(np.float64)

    # float32 sums, or squares around 0, would lose the variance of 1 beside the mean square of 4e8
    assert float(fitted(clips).scale) == pytest.approx(1 / float(pooled.std()), rel=1e-6)


def test_frames_that_are_not_valid_do_not_count():
    clip = noise(10, 2)
    clip[7:] = 1e6
    valid = np.arange(10) < 7

    one, other = fitted([clip], valid=[valid]), fitted([clip[:7]])

    assert torch.equal(one.mean, other.mean)
    assert torch.equal(one.scale, other.scale)


def test_only_the_named_clips_count():
    clips = [noise(10, 2, seed=seed) for seed in range(4)]
    one, other = fitted(clips, indices=[0, 2]), fitted([clips[0], clips[2]])

    assert torch.equal(one.mean, other.mean)
    assert torch.equal(one.scale, other.scale)


def test_unvoiced_frames_are_neither_counted_nor_moved_away_from_the_mean():
    log_f0 = np.array([5.0, 0.0, 5.2, 0.0, 0.0, 4.8])
    other = np.array([5.0, 0.0, 5.2, 0.0, 0.0, 4.8])
    frames = np.stack([log_f0, other], axis=1)
    normaliser = fitted([frames], names=["log_f0", "mfcc_0"])

    voiced = log_f0[log_f0 != 0].astype(np.float32).astype(np.float64)
    assert float(normaliser.mean[0]) == pytest.approx(voiced.mean(), rel=1e-6)  # float32
    assert float(normaliser.scale[0]) == pytest.approx(1 / voiced.std(), rel=1e-6)
    assert float(normaliser.mean[1]) == pytest.approx(other.mean(), rel=1e-6)
    normalised = normaliser(torch.from_numpy(frames.astype(np.float32)))
    assert normalised[:, 0][log_f0 == 0].tolist() == [0, 0, 0]
    assert (normalised[:, 1][other == 0] < -0.9).all()


def test_a_voice_that_is_never_heard_becomes_0():
    normaliser = fitted([np.zeros((5, 1))], names=["log_f0"])

    assert normaliser(torch.tensor([[0.0], [5.0]])).tolist() == [[0.0], [0.0]]


@pytest.mark.parametrize("constant", [0.0, 0.1, -3.0, 12_345.678])
def test_a_constant_column_becomes_0(constant):
    frames = np.concatenate([np.full((20, 1), constant), noise(20, 1)], axis=1)
    normalised = fitted([frames, frames[:3]])(torch.from_numpy(frames.astype(np.float32)))

    assert torch.equal(normalised[:, 0].abs(), torch.zeros(20))
    assert normalised[:, 1].abs().max() > 1


def test_values_are_limited_to_10_deviations():
    normaliser = fitted([noise(100, 1)])

    assert normaliser(torch.tensor([[1e6], [-1e6]])).tolist() == [[10.0], [-10.0]]


def test_a_stream_without_any_frame_is_passed_on_unchanged():
    normaliser = fitted([np.zeros((0, 2)), np.zeros((0, 2))])

    values = torch.from_numpy(noise(4, 2).astype(np.float32))
    assert torch.equal(normaliser(values), values)


def test_statistics_travel_with_the_weights():
    clips = [noise(20, 3) * 5 + 2]
    stored, fresh = fitted(clips), FeatureNormaliser(["a", "b", "c"])

    assert set(stored.state_dict()) == {"mean", "scale"}
    fresh.load_state_dict(stored.state_dict())
    values = torch.from_numpy(clips[0].astype(np.float32))
    assert torch.equal(fresh(values), stored(values))


def test_a_dataset_file_is_read_clip_by_clip_with_its_masks(tmp_path):
    with DatasetReader(write_example_dataset(tmp_path / "example.h5")) as reader:
        names = reader.info("vision").feature_names
        normaliser = FeatureNormaliser(names)
        normaliser.fit(reader, "vision", [0, 1, 4, 5])  # clip 1 has no vision
        read = [reader.read("vision", index) for index in (0, 4, 5)]

    pooled = np.concatenate([features.values[features.valid] for features in read]).astype(np.float64)
    np.testing.assert_allclose(normaliser.mean, pooled.mean(axis=0), rtol=1e-5, atol=1e-6)  # stored as float32
    np.testing.assert_allclose(normaliser.scale, 1 / pooled.std(axis=0), rtol=1e-5)
