"""Weights of ViT and of the Audio Spectrogram Transformer, from a checkpoint of transformers.

Sources: Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021; Gong et al., "AST: Audio Spectrogram
Transformer", Interspeech 2021.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoModel

from mmfeat.errors import InputError
from skesl.nn.vit import FrameEncoder, SpectrogramEncoder
from skesl.text import no_progress_bar

# The modules of a layer as transformers 4 and 5 name them.
_NAMES = (
    ("encoder.layer.", "layers."),
    ("attention.attention.query", "attention.q_proj"),
    ("attention.attention.key", "attention.k_proj"),
    ("attention.attention.value", "attention.v_proj"),
    ("attention.output.dense", "attention.o_proj"),
    ("intermediate.dense", "mlp.fc1"),
    ("output.dense", "mlp.fc2"),
)
_OF_LAYER = {
    "self_attn.out_proj": "attention.o_proj",
    "linear1": "mlp.fc1",
    "linear2": "mlp.fc2",
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
}


def load_frame_weights(encoder: FrameEncoder, folder: Path) -> None:
    """Take the weights of a ViT; temporal positions stay as they are.

    Raises:
        InputError: the folder holds no ViT, or one of another shape.
    """
    stored = _stored(folder, "ViT")
    _put(encoder, {**_of_stack(encoder, stored), "positions": _entry(stored, "position_embeddings", folder)}, folder)


def load_spectrogram_weights(encoder: SpectrogramEncoder, folder: Path) -> None:
    """Take the weights of an AST's first layers; its distillation token is left out, for VAT has one CLS token.

    Raises:
        InputError: the folder holds no AST, or one of another shape.
    """
    stored = _stored(folder, "AST")
    positions = _entry(stored, "position_embeddings", folder)
    weights = _of_stack(encoder, stored)
    _put(encoder, {**weights, "positions": torch.cat([positions[:, :1], positions[:, 2:]], dim=1)}, folder)


def _stored(folder: Path, kind: str) -> dict[str, Tensor]:
    """Return the weights of a checkpoint under the names that transformers 5 gives them."""
    try:
        with no_progress_bar():
            model = AutoModel.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(
            f"{folder}: expected a folder with a transformers {kind} (config.json and weights): "
            f"{str(error).splitlines()[0]}"
        ) from error
    stored = {}
    for name, tensor in model.state_dict().items():
        for old, new in _NAMES:
            name = name.replace(old, new)
        stored[name] = tensor.float()
    return stored


def _entry(stored: Mapping[str, Tensor], name: str, folder: Path) -> Tensor:
    try:
        return stored[f"embeddings.{name}"]
    except KeyError as error:
        raise InputError(f"{folder}: expected a ViT or AST, its checkpoint has no embeddings.{name}") from error


def _of_stack(encoder: nn.Module, stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of patches, CLS, layers and the last norm, as far as the checkpoint has them."""
    found = {"cls": "embeddings.cls_token", "patches.bias": "embeddings.patch_embeddings.projection.bias"}
    weights = {own: stored[name] for own, name in found.items() if name in stored}
    if (patches := stored.get("embeddings.patch_embeddings.projection.weight")) is not None:
        weights["patches.weight"] = patches.flatten(1)
    for kind in ("weight", "bias"):
        weights |= {f"stack.norm.{kind}": stored[f"layernorm.{kind}"]} if f"layernorm.{kind}" in stored else {}
        for index in range(len(encoder.stack.layers)):  # type: ignore[arg-type, union-attr]
            own, other = f"stack.layers.{index}.", f"layers.{index}."
            thirds = [stored.get(f"{other}attention.{name}_proj.{kind}") for name in "qkv"]
            given = [third for third in thirds if third is not None]
            weights |= {f"{own}self_attn.in_proj_{kind}": torch.cat(given)} if len(given) == len(thirds) else {}
            pairs = ((f"{own}{name}.{kind}", f"{other}{source}.{kind}") for name, source in _OF_LAYER.items())
            weights |= {name: stored[source] for name, source in pairs if source in stored}
    return weights


def _put(encoder: nn.Module, weights: Mapping[str, Tensor], folder: Path) -> None:
    """Copy weights into an encoder, all of them or none."""
    own = encoder.state_dict()
    for name in own:
        if name in ("temporal_positions", "hidden.weight"):  # what a ViT or AST does not have
            continue
        if name not in weights or weights[name].shape != own[name].shape:
            got = tuple(weights[name].shape) if name in weights else "nothing"
            raise InputError(
                f"{folder}: expected shape {tuple(own[name].shape)} for {name}, got {got}; set the method's width, "
                "layers, heads and sizes as the checkpoint's, or take another one"
            )
    encoder.load_state_dict({**own, **weights})
