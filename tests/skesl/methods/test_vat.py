import dataclasses
import itertools

import pytest
import torch
import torch.nn.functional as F
from transformers import ViTConfig, ViTModel

from mmfeat import ConfigError
from skesl import MethodError, TrainConfig, estimate, find_preset
from skesl.augmentation import AugmentationConfig
from skesl.methods.vat import Vat
from skesl.methods.vat_config import VatConfig
from skesl.normalise import FeatureNormaliser, ImageNormaliser
from skesl.task import Task
from skesl.testing import check_method, chosen_clips, make_method, random_batch

# For the streams of ``random_batch``: 5 bands, 9 frames of sound, 3 images of 32.
SMALL = {"n_layers": 1, "n_heads": 2, "n_inner": 16}
TINY = dataclasses.replace(
    find_preset("vat", "vat-tiny").config,
    width=16,
    n_projected=8,
    n_frames=6,
    frame_patch=16,
    max_audio_frames=16,
    audio_patch=4,
    audio_stride=1,
    frame_values="colour",
    video=dataclasses.replace(find_preset("vat", "vat-tiny").config.video, **SMALL),
    audio=dataclasses.replace(find_preset("vat", "vat-tiny").config.audio, **SMALL),
    fusion=dataclasses.replace(find_preset("vat", "vat-tiny").config.fusion, **SMALL),
)


def vat(task=None, *, stage=None, n_clip=8, seed=0, **settings):
    method = make_method(Vat, config=dataclasses.replace(TINY, **settings), task=task, seed=seed)
    if stage is not None:
        method.start_stage(stage)
        method.meet_clips(range(n_clip))
    return method


def batch(**options):
    return random_batch(images=True, **options)


@pytest.mark.parametrize(
    "settings",
    [
        {"video_weight": 0.5, "audio_weight": 0.3, "frame_values": "change", "hidden_fraction": 0.4},
        {"alpha": 0.0, "regression_loss": "pearson", "queue_size": 0, "exclude_same_recording": False},
    ],
)
def test_vat_keeps_the_contract(settings):
    check_method(Vat, dataclasses.replace(TINY, **settings))


def test_the_full_shape_has_the_size_of_the_specification():
    found = estimate("vat", VatConfig())

    image, audio, fusion, projections, matching = 85_798_656, 43_658_496, 56_710_656, 393_728, 1_538
    temporal, temperature = 8 * 768, 1
    online = image + audio + fusion + projections + matching
    assert online == 186_563_074  # 186.56 M
    assert found.trainable_parameters["pretrain"] == online + temporal + temperature
    head = 768 * 768 + 768 + 768 + 1  # of one value
    assert found.parameters == online + temporal + temperature + head
    queue = 2 * 65_536 * 256
    assert found.memory_bytes["pretrain"]["weights"] >= 4 * (2 * online + queue)


def test_the_encoders_have_the_sizes_of_the_specification():
    method = estimate_parts()

    assert method == {
        "video_encoder": 85_798_656 + 8 * 768,
        "audio_encoder": 43_658_496,
        "fusion": 56_710_656,
        "video_projection": 196_864,
        "audio_projection": 196_864,
    }


def estimate_parts():
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        normalisers = {"frames": ImageNormaliser(), "audio": FeatureNormaliser(map(str, range(128)))}
        method = Vat(
            VatConfig(), text_encoder=torch.nn.Module(), text_width=0, normalisers=normalisers, task=Vat.example_task()
        )
    return {name: sum(p.numel() for p in part.parameters()) for name, part in method.encoders.items()}


@pytest.mark.parametrize("preset", ["mer23", "muse-mimic"])
def test_the_presets_of_the_challenges_blend_three_heads_on_the_full_shape(preset):
    config = find_preset("vat", preset).config

    assert config.shape(128) == VatConfig().shape(128)
    assert config.video_weight > 0
    assert config.audio_weight > 0
    assert config.regression_output == ("sigmoid" if preset == "muse-mimic" else "linear")


def test_the_momentum_model_is_not_trained_follows_and_stays_in_evaluation_mode():
    method = vat(stage="pretrain", momentum=0.75).train()
    before = {name: value.clone() for name, value in method.teacher.state_dict().items()}
    assert all(torch.equal(value, method.encoders.state_dict()[name[9:]]) for name, value in before.items())
    with torch.no_grad():
        for parameter in method.encoders.parameters():
            parameter.add_(1.0)

    for _ in range(3):
        method.on_step_end()

    assert not any(parameter.requires_grad for parameter in method.teacher.parameters())
    assert not any(module.training for module in method.teacher.modules())
    for name, parameter in method.teacher.named_parameters():
        expected = 0.75**3 * before[name] + (1 - 0.75**3) * (before[name] + 1.0)
        assert torch.allclose(parameter, expected, atol=1e-5)


def test_after_a_step_the_temperature_is_in_its_range():
    method = vat(stage="pretrain")
    with torch.no_grad():
        method.temperature.value.fill_(-3.0)

    method.on_step_end()

    assert method.temperature().item() == pytest.approx(0.001)


def test_the_momentum_model_s_share_rises_over_the_first_epoch():
    method = vat(stage="pretrain", n_clip=8, alpha=0.4).train()
    shares = []
    for _ in range(4):
        shares.append(float(method._alpha()))
        method(batch(), "pretrain")

    assert shares == pytest.approx([0.0, 0.2, 0.4, 0.4])


def test_the_queue_is_no_longer_than_there_are_clips_and_fills_in_training_alone():
    method = vat(stage="pretrain", n_clip=7).train()
    for size in (4, 1, 3):
        method(batch(n_clip=size), "pretrain")
    method.eval()(batch(n_clip=2), "pretrain")

    assert method.queue.size == 7
    assert int(method.queue.n_put) == 8
    assert int(method.queue.is_filled().sum()) == 7


def seen_candidates(method, of):
    features = F.normalize(torch.randn(len(of), 8, generator=torch.Generator().manual_seed(1)), dim=1)
    return method._candidates(features, features, of)


def test_earlier_features_of_a_clip_and_of_its_recording_are_no_negatives():
    one, other = (vat(stage="pretrain", exclude_same_recording=chosen).train() for chosen in (True, False))
    for method in (one, other):
        seen_candidates(method, chosen_clips(batch(), [0, 2]))  # recordings 0 and 1

    strict, loose = (seen_candidates(method, chosen_clips(batch(), [1, 2])) for method in (one, other))

    # columns: clips 1 and 2, then of the queue clips 0 and 2, and six places that were never filled
    assert strict.own.tolist() == loose.own.tolist() == [0, 1]
    assert (~strict.excluded[:, :4]).int().tolist() == [[1, 1, 0, 1], [1, 1, 1, 0]]
    assert (~loose.excluded[:, :4]).int().tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    assert strict.excluded[:, 4:].all()


def test_the_head_of_matching_sees_every_pair_and_two_negatives_of_each():
    method = vat(stage="pretrain", exclude_same_recording=False).train()
    seen = []
    method.matching_head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))

    method(batch(), "pretrain")

    assert seen == [(12, 16)]


def test_clips_of_one_recording_alone_have_no_negatives_to_match():
    method = vat(stage="pretrain")
    with torch.no_grad():
        method.matching_head.weight.zero_()
        method.matching_head.bias.copy_(torch.tensor([5.0, -5.0]))  # says no to everything
    pair = chosen_clips(batch(), [0, 1])
    frames, sound = method.read(pair)
    video, audio = method.encoders.encode_video(*frames), method.encoders.encode_audio(*sound)
    features = method.embed(pair)

    of_one_recording = method._matching(video, audio, *features, pair)
    apart = dataclasses.replace(pair, recordings=torch.tensor([0, 1]))
    of_two = method._matching(video, audio, *features, apart)

    assert of_one_recording.item() == pytest.approx(10.0, abs=1e-3)
    assert of_two.item() == pytest.approx(10.0 / 3, abs=1e-3)  # the negatives are right


def test_thirty_two_pairs_are_learned_by_heart():
    torch.manual_seed(0)
    n_clip = 32
    noise = batch(n_clip=n_clip)
    pairs = dataclasses.replace(
        noise,
        recordings=noise.rows,
        stream_masks={name: torch.ones_like(mask) for name, mask in noise.stream_masks.items()},
    )
    method = vat(
        stage="pretrain",
        n_clip=n_clip,
        queue_size=0,
        momentum=0.9,
        augmentation=type(TINY.augmentation)(),
        frame_patch=32,
        width=32,
        n_projected=32,
    )
    assert accuracy(method, pairs)[0] < 0.25  # a random model finds 1 in 32
    n_step = 160
    optimiser = torch.optim.AdamW(method.parameter_groups(TrainConfig(learning_rate=3e-3)), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, n_step)
    for _ in range(n_step):
        optimiser.zero_grad()
        method.train()(pairs, "pretrain").backward()
        optimiser.step()
        method.on_step_end()
        schedule.step()

    found, matched = accuracy(method, pairs)

    assert found == 1.0
    assert matched == 1.0


def accuracy(method, pairs):
    """Return R@1 of sounds by videos, and how many true pairs and hardest false ones are told apart."""
    with torch.no_grad():
        video, audio = method.eval().embed(pairs)
        likeness = (video @ audio.T).fill_diagonal_(-2.0)
        hardest = [likeness.argmax(dim=side) for side in (1, 0)]
        yes = method.match(pairs, pairs) > 0.5
        no = [
            method.match(pairs, chosen_clips(pairs, hardest[0].tolist())) <= 0.5,
            method.match(chosen_clips(pairs, hardest[1].tolist()), pairs) <= 0.5,
        ]
    found = (video @ audio.T).argmax(dim=1) == torch.arange(len(pairs))
    return found.float().mean().item(), torch.cat([yes, *no]).float().mean().item()


@pytest.mark.parametrize("problem", Vat.problems)
def test_predictions_are_probabilities_of_classes_and_then_values(problem):
    task = Task.example(problem)
    method = vat(task, regression_output="sigmoid").eval()

    with torch.no_grad():
        said = method.predict(batch(task=task))

    n_class = len(task.class_names)
    assert said.shape == (4, task.n_column)
    if n_class:
        assert torch.allclose(said[:, :n_class].sum(dim=1), torch.ones(4))
    assert ((said[:, n_class:] > 0) & (said[:, n_class:] < 1)).all()


def test_supervision_is_the_weighted_sum_of_the_heads():
    task = Task.example("mer23")
    labelled = batch(task=task)
    losses = {}
    for name in ("fused", "video", "audio"):
        weights = {f"{other}_weight": 1e-9 if other != name else 1.0 for other in ("fused", "video", "audio")}
        method = vat(task, stage="finetune", alpha=0.0, **weights).eval()
        losses[name] = method(labelled, "finetune").item()
    method = vat(task, stage="finetune", alpha=0.0, fused_weight=1.0, video_weight=0.5, audio_weight=0.25).eval()

    blended = method(labelled, "finetune").item()

    assert blended == pytest.approx(losses["fused"] + 0.5 * losses["video"] + 0.25 * losses["audio"], rel=1e-4)


def test_emotion_and_valence_add_up():
    task = Task.example("mer23")
    labelled = batch(task=task)
    method = vat(task, stage="finetune", alpha=0.0, valence_weight=3.0).eval()

    loss = method(labelled, "finetune").item()

    said = method.heads(method._states(method.encoders, *method.read(labelled)))["fused"]
    expected = F.cross_entropy(said[:, :6], labelled.labels[:, 0].long()) + 3 * F.mse_loss(
        said[:, 6], labelled.labels[:, 1]
    )
    assert loss == pytest.approx(expected.item(), rel=1e-5)


def test_a_momentum_model_that_says_the_same_adds_no_distance_to_values():
    task = Task.example("regressions")
    labelled = batch(task=task)
    alone, distilled = (vat(task, stage="finetune", alpha=alpha).eval() for alpha in (0.0, 0.4))

    with torch.no_grad():
        assert distilled(labelled, "finetune").item() == pytest.approx(
            0.6 * alone(labelled, "finetune").item(), rel=1e-4
        )


def test_changes_are_what_a_clip_s_frames_do_not_have_in_common():
    method = vat(frame_values="change").eval()
    pictures = batch()
    brighter = dataclasses.replace(
        pictures, streams={**pictures.streams, "frames": (pictures.streams["frames"] // 2 + 90).byte()}
    )
    darker = dataclasses.replace(
        pictures, streams={**pictures.streams, "frames": (pictures.streams["frames"] // 2).byte()}
    )

    frames, mask = method.read.frames(brighter)

    assert torch.allclose(frames, method.read.frames(darker)[0], atol=1e-6)
    assert torch.allclose(frames.sum(dim=1), torch.zeros_like(frames[:, 0]), atol=1e-4)
    assert (frames[~mask] == 0).all()


def test_frames_of_another_size_are_scaled():
    method = vat().eval()
    pictures = batch()
    larger = dataclasses.replace(
        pictures,
        streams={
            **pictures.streams,
            "frames": pictures.streams["frames"].repeat_interleave(2, dim=2).repeat_interleave(2, dim=3),
        },
    )

    assert method.read.frames(larger)[0].shape == method.read.frames(pictures)[0].shape


def test_nothing_is_augmented_in_evaluation():
    method = vat(augmentation=find_preset("vat", "mer23").config.augmentation)

    read = [method.eval().read(batch()) for _ in range(2)]
    trained = method.train().read(batch())

    for (one, _), (other, _), (changed, _) in zip(*read, trained, strict=True):
        assert torch.equal(one, other)
        assert not torch.equal(one, changed)


def test_weights_of_a_vit_are_taken_where_a_folder_is_named(tmp_path):
    torch.manual_seed(0)
    vit = ViTModel(
        ViTConfig(
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            image_size=32,
            patch_size=16,
        )
    )
    vit.save_pretrained(tmp_path)
    method = vat(video_weights=str(tmp_path))

    method.read_pretrained()

    assert torch.equal(method.encoders.video_encoder.positions, vit.embeddings.position_embeddings)


def test_vectors_do_not_decay():
    method = vat(stage="pretrain")
    groups = method.parameter_groups(TrainConfig(weight_decay=0.02))

    assert {group.get("weight_decay", 0.02) for group in groups} == {0.0, 0.02}
    for group in groups:
        assert all((parameter.ndim > 1) is ("weight_decay" not in group) for parameter in group["params"])
    n_trained = sum(parameter.requires_grad for parameter in method.parameters())
    assert len(list(itertools.chain(*(group["params"] for group in groups)))) == n_trained


@pytest.mark.parametrize(
    ("streams", "message"),
    [
        ({"audio": 5}, "needs the stream 'frames' with encoded images, the dataset has none"),
        ({"frames": None}, "needs the stream 'audio' with log-mel bands, the dataset has none"),
        ({"frames": 5, "audio": 5}, "needs the stream 'frames' with encoded images, the dataset has another kind"),
        ({"frames": None, "audio": 3}, "needs at least audio_patch .4. bands in the stream 'audio'"),
    ],
)
def test_streams_that_cannot_be_read_are_refused(streams, message):
    normalisers = {
        name: ImageNormaliser() if n_feature is None else FeatureNormaliser(map(str, range(n_feature)))
        for name, n_feature in streams.items()
    }
    with pytest.raises(MethodError, match=message):
        Vat(TINY, text_encoder=torch.nn.Module(), text_width=0, normalisers=normalisers, task=Vat.example_task())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"frame_size": 100}, "frame_size must be a multiple of frame_patch .16., got 100"),
        ({"width": 100}, r"width must be a multiple of video.n_heads .12., got 100"),
        ({"temperature": 2.0}, r"temperature must lie in .0.001, 0.5., got 2.0"),
        ({"fused_weight": 0.0}, "fused_weight must be above 0"),
        ({"momentum": 1.5, "alpha": -1.0}, "momentum must lie in .0, 1., got 1.5; alpha must lie"),
        ({"frame_stream": "audio"}, "frame_stream and audio_stream must differ"),
        ({"max_audio_frames": 3}, "max_audio_frames must be at least audio_patch"),
        (
            {"frame_values": "change", "augmentation": AugmentationConfig(brightness=0.2)},
            "augmentation.brightness must be 0 where frame_values is change",
        ),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        VatConfig(**settings)
