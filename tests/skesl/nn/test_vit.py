import pytest
import torch
from transformers import ASTConfig, ASTModel, ViTConfig, ViTModel

from mmfeat import InputError
from skesl.nn.pretrained import load_frame_weights, load_spectrogram_weights
from skesl.nn.transformer import CrossAttentionStack, StackConfig
from skesl.nn.vit import FrameEncoder, SpectrogramEncoder

WIDTH = 16
STACK = StackConfig(n_layers=2, n_heads=2, n_inner=32)


def frame_encoder(*, n_frames=3):
    torch.manual_seed(0)
    return FrameEncoder(WIDTH, size=32, patch_size=16, n_frames=n_frames, stack=STACK).eval()


def spectrogram_encoder(*, n_frames=64, stride=10, **settings):
    torch.manual_seed(0)
    return SpectrogramEncoder(
        WIDTH, n_bands=32, n_frames=n_frames, patch_size=16, stride=stride, stack=STACK, **settings
    ).eval()


def first(n_real, n_frame):
    return torch.arange(n_frame)[None] < torch.tensor(n_real)[:, None]


@pytest.fixture
def vit(tmp_path):
    torch.manual_seed(1)
    config = ViTConfig(
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=32,
        patch_size=16,
        initializer_range=0.3,
    )
    model = ViTModel(config).eval()
    model.save_pretrained(tmp_path / "vit")
    return model, tmp_path / "vit"


@pytest.fixture
def ast(tmp_path):
    torch.manual_seed(2)
    config = ASTConfig(
        hidden_size=WIDTH,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=32,
        num_mel_bins=32,
        max_length=64,
        initializer_range=0.3,
    )
    model = ASTModel(config).eval()
    for parameter in (model.embeddings.cls_token, model.embeddings.position_embeddings):
        torch.nn.init.normal_(parameter)
    model.save_pretrained(tmp_path / "ast")
    return model, tmp_path / "ast"


def test_a_checkpoint_of_vit_gives_the_hidden_states_of_transformers(vit):
    model, folder = vit
    ours = frame_encoder()
    load_frame_weights(ours, folder)
    images = torch.randn(4, 3, 32, 32)

    with torch.no_grad():
        states, _ = ours(images[:, None], torch.ones(4, 1, dtype=torch.bool))
        expected = model(images).last_hidden_state

    assert torch.allclose(states, expected, atol=1e-5)


def test_a_checkpoint_of_ast_gives_the_states_of_its_first_layers_without_the_distillation_token(ast):
    model, folder = ast
    ours = spectrogram_encoder()
    load_spectrogram_weights(ours, folder)
    sounds = torch.randn(4, 64, 32)

    with torch.no_grad():
        states, is_real = ours(sounds, torch.ones(4, 64, dtype=torch.bool))
        expected = model.embeddings(sounds)[:, [0, *range(2, 2 + 5 * 2)]]
        for layer in model.layers[:2]:
            output = layer(expected)
            expected = output[0] if isinstance(output, tuple) else output
        expected = model.layernorm(expected)

    assert is_real.all()
    assert torch.allclose(states, expected, atol=1e-5)


def test_a_checkpoint_of_another_shape_is_refused_by_the_weight_s_name(ast):
    with pytest.raises(InputError, match=r"expected shape \(1, 15, 16\) for positions, got"):
        load_spectrogram_weights(spectrogram_encoder(n_frames=80), ast[1])


def test_a_folder_without_a_checkpoint_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"nothing: expected a folder with a transformers ViT"):
        load_frame_weights(frame_encoder(), tmp_path / "nothing")


def test_frames_differ_by_their_temporal_position_alone():
    encoder = frame_encoder()
    frames = torch.randn(2, 3, 3, 32, 32)
    mask = torch.ones(2, 3, dtype=torch.bool)

    with torch.no_grad():
        as_they_are, turned = (encoder(given, mask)[0][:, 0] for given in (frames, frames.flip(1)))
        encoder.temporal_positions.normal_()
        with_positions, turned_with_positions = (encoder(given, mask)[0][:, 0] for given in (frames, frames.flip(1)))

    assert torch.allclose(as_they_are, turned, atol=1e-5)
    assert not torch.allclose(with_positions, turned_with_positions, atol=1e-2)


def test_padded_frames_change_nothing():
    encoder = frame_encoder()
    frames = torch.randn(2, 3, 3, 32, 32)
    mask = first([2, 3], 3)
    garbage = torch.where(mask[:, :, None, None, None], frames, 50.0)

    with torch.no_grad():
        states, is_real = encoder(frames, mask)
        padded, _ = encoder(garbage, mask)
        alone, _ = encoder(frames[:1, :2], mask[:1, :2])

    assert is_real.sum(dim=1).tolist() == [1 + 2 * 4, 1 + 3 * 4]
    assert torch.allclose(states[is_real], padded[is_real], atol=1e-5)
    assert torch.allclose(states[:1, : alone.shape[1]], alone, atol=1e-5)


@pytest.mark.parametrize(("n_real", "n_wide"), [(0, 0), (1, 1), (16, 1), (17, 2), (26, 2), (27, 3), (64, 5)])
def test_a_clip_has_the_patches_that_its_frames_reach(n_real, n_wide):
    encoder = spectrogram_encoder()

    assert encoder.real_patches(first([n_real], 64)).sum().item() == 2 * n_wide
    assert encoder.real_patches(first([n_real], max(1, n_real))).sum().item() == 2 * n_wide


@pytest.mark.parametrize("n_real", [0, 3, 16, 20, 41])
def test_padded_sound_changes_nothing(n_real):
    encoder = spectrogram_encoder()
    sounds = torch.randn(2, 64, 32)
    mask = first([n_real, 64], 64)
    garbage = torch.where(mask[:, :, None], sounds, 50.0)

    with torch.no_grad():
        cls, padded = (encoder(given, mask)[0][:, 0] for given in (sounds, garbage))
        alone = encoder(sounds[:1, : max(1, n_real)], mask[:1, : max(1, n_real)])[0][:, 0]

    assert torch.allclose(cls, padded, atol=1e-5)
    assert torch.allclose(cls[:1], alone, atol=1e-5)
    assert cls.isfinite().all()


def test_what_lies_behind_the_most_frames_is_not_read():
    encoder = spectrogram_encoder()
    sounds = torch.randn(1, 200, 32)
    whole = torch.ones(1, 200, dtype=torch.bool)

    with torch.no_grad():
        states, _ = encoder(sounds, whole)
        cut, _ = encoder(sounds[:, :64], whole[:, :64])

    assert torch.equal(states, cut)


def test_a_hidden_patch_does_not_show_its_content():
    encoder = spectrogram_encoder(stride=16, hides_patches=True)
    sounds = torch.randn(1, 64, 32)
    changed = sounds.clone()
    changed[:, 16:32, :16] = 5.0  # the second patch of the lower band
    mask, hidden = torch.ones(1, 64, dtype=torch.bool), torch.zeros(1, 8, dtype=torch.bool)
    hidden[:, 1] = True

    with torch.no_grad():
        assert torch.equal(encoder(sounds, mask, hidden)[0], encoder(changed, mask, hidden)[0])
        assert not torch.allclose(encoder(sounds, mask)[0], encoder(changed, mask)[0])


def test_fusion_reads_neither_its_own_padding_nor_that_of_the_other_side():
    torch.manual_seed(0)
    fusion = CrossAttentionStack(WIDTH, STACK).eval()
    tokens, context = torch.randn(2, 5, WIDTH), torch.randn(2, 7, WIDTH)
    mask, context_mask = first([3, 5], 5), first([4, 7], 7)

    with torch.no_grad():
        states = fusion(tokens, mask, context, context_mask)
        garbage = fusion(
            torch.where(mask[:, :, None], tokens, 9.0),
            mask,
            torch.where(context_mask[:, :, None], context, 9.0),
            context_mask,
        )
        alone = fusion(tokens[:1, :3], mask[:1, :3], context[:1, :4], context_mask[:1, :4])
        other = fusion(tokens, mask, context.flip(0), context_mask)

    assert torch.allclose(states[mask], garbage[mask], atol=1e-5)
    assert torch.allclose(states[:1, :3], alone, atol=1e-5)
    assert not torch.allclose(states[:, 0], other[:, 0], atol=1e-2)


def test_training_and_evaluation_compute_the_same_without_dropout():
    encoder = spectrogram_encoder()
    sounds, mask = torch.randn(2, 64, 32), first([30, 64], 64)

    with torch.no_grad():
        states, is_real = encoder(sounds, mask)  # torch's fused kernel
    trained, _ = encoder.train()(sounds, mask)

    assert torch.allclose(states[is_real], trained[is_real], atol=1e-5)
