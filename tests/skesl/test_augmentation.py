import numpy as np
import pytest
import torch

from mmfeat import AUDIO_PRESETS, ConfigError, Waveform, extract_audio
from skesl.augmentation import AugmentationConfig, augmented_frames, augmented_spectrogram, augmented_waveform


def frames(n_clip=6, n_frame=2, size=8):
    return torch.randn(n_clip, n_frame, 3, size, size, generator=torch.Generator().manual_seed(0))


def bands(samples):
    config = AUDIO_PRESETS["logmel128"]
    return torch.from_numpy(extract_audio(Waveform(samples=samples, sample_rate=16_000), config).values)


def test_nothing_is_changed_by_default():
    torch.manual_seed(0)
    config = AugmentationConfig()
    sounds, mask = torch.randn(2, 9, 4), torch.ones(2, 9, dtype=torch.bool)

    assert torch.equal(augmented_frames(frames(), config), frames())
    assert torch.equal(augmented_waveform(sounds, mask, config), sounds)
    assert torch.equal(augmented_spectrogram(sounds, mask, config), sounds)


def test_a_mirrored_clip_is_mirrored_in_all_its_frames():
    torch.manual_seed(0)
    found = augmented_frames(frames(), AugmentationConfig(flip=0.5))

    mirrored = [torch.allclose(got, given.flip(-1), atol=1e-5) for got, given in zip(found, frames(), strict=True)]
    same = [torch.allclose(got, given, atol=1e-5) for got, given in zip(found, frames(), strict=True)]
    assert any(mirrored)
    assert any(same)
    assert all(one != other for one, other in zip(mirrored, same, strict=True))


def test_a_crop_is_the_same_in_all_frames_and_shows_less():
    torch.manual_seed(0)
    ramp = torch.arange(8.0).expand(5, 3, 3, 8, 8)
    found = augmented_frames(ramp, AugmentationConfig(crop_scale=0.25))

    spread = found.amax(dim=(1, 2, 3, 4)) - found.amin(dim=(1, 2, 3, 4))
    assert torch.allclose(found[:, 0], found[:, 2])
    assert (spread < 7).all()
    assert (spread > 2.5).all()  # half of the columns at least
    assert spread.std() > 0  # each clip has its own


def test_brightness_and_contrast_are_one_number_a_clip():
    torch.manual_seed(0)
    found = augmented_frames(frames(), AugmentationConfig(brightness=0.3, contrast=0.2))

    for got, given in zip(found, frames(), strict=True):
        slope, offset = np.polyfit(given.flatten().numpy(), got.flatten().numpy(), 1)
        assert torch.allclose(slope * given + offset, got, atol=1e-5)
        assert abs(slope - 1) <= 0.2
        assert abs(offset) <= 0.3


def test_gain_is_what_a_louder_waveform_has():
    torch.manual_seed(3)
    generator = np.random.default_rng(0)
    samples = (0.1 * generator.standard_normal(16_000)).astype(np.float32)
    quiet, loud = bands(samples), bands(2 * samples)

    found = augmented_waveform(
        quiet[None], torch.ones(1, len(quiet), dtype=torch.bool), AugmentationConfig(gain_db=6.0)
    )

    gain = (found[0] - quiet).mean().item()
    assert (found[0] - quiet).std() < 1e-4
    assert 0 < abs(gain) <= 6
    assert torch.allclose(loud - quiet, torch.tensor(20 * np.log10(2.0), dtype=torch.float32), atol=1e-2)


def test_noise_is_what_white_noise_in_the_waveform_adds():
    generator = np.random.default_rng(0)
    tone = (0.3 * np.sin(2 * np.pi * 500 * np.arange(32_000) / 16_000)).astype(np.float32)
    noise = (0.03 * generator.standard_normal(32_000)).astype(np.float32)
    noisy, alone = bands(tone + noise), bands(tone)
    # the ratio of the mean powers of the bands, from which the draw of 0 to 20 dB is taken off
    snr_db = 10 * torch.log10((10 ** (alone / 10)).mean() / (10 ** (bands(noise) / 10)).mean())
    torch.manual_seed(0)
    drawn = 20 * torch.rand(1)
    torch.manual_seed(0)

    config = AugmentationConfig(noise_snr_db=(snr_db - drawn).item())
    found = augmented_waveform(alone[None], torch.ones(1, len(alone), dtype=torch.bool), config)[0]

    means = [10 * torch.log10((10 ** (values[10:-10] / 10)).mean(dim=0)) for values in (found, noisy)]
    assert torch.allclose(*means, atol=2.0)  # dB; narrow bands hold one or two spectral lines of 180 frames
    assert (means[0] - alone[10:-10].mean(dim=0))[60:].min() > 20  # the silence between the lines is filled


def test_masks_take_away_a_run_of_frames_and_of_bands_among_the_real_ones():
    torch.manual_seed(0)
    mask = torch.arange(40)[None] < torch.tensor([40, 12, 1, 0])[:, None]
    values = torch.ones(4, 40, 10)

    for _ in range(20):
        found = augmented_spectrogram(values, mask, AugmentationConfig(time_mask=8, frequency_mask=3))
        frames_hit = (found == 0).all(dim=2)
        bands_hit = (found == 0).all(dim=1)
        assert (frames_hit & ~mask).sum() == 0
        assert (frames_hit.sum(dim=1) <= torch.tensor([8, 6, 0, 0])).all()
        assert (bands_hit.sum(dim=1) <= 3).all()
        for row in (*frames_hit, *bands_hit):
            places = row.nonzero().flatten()
            assert places.numel() == 0 or places[-1] - places[0] + 1 == places.numel()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"crop_scale": 0.0}, "crop_scale must lie"),
        ({"flip": 1.5}, "flip must lie"),
        ({"gain_db": -1.0}, "gain_db must"),
    ],
)
def test_settings_that_mean_nothing_are_refused(setting, message):
    with pytest.raises(ConfigError, match=message):
        AugmentationConfig(**setting)
