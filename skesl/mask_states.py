"""States of a frozen text encoder at the hidden words, computed once for a whole pretraining.

The sentiment word of a clip is the same in every epoch, and so is what a frozen text encoder without dropout says
in its place. Clips without a sentiment word hide another word in each epoch; their states are computed anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mmfeat.errors import InputError
from skesl.masking import MaskedText, TextMasker
from skesl.text import TextEncoder

_N_CLIP = 64  # in one pass of the text encoder


@dataclass(frozen=True, kw_only=True, eq=False)
class MaskStates:
    """States by clip id: float32, shape (clip, text_width)."""

    states: Tensor
    rows: Mapping[str, int]

    @classmethod
    def none(cls) -> Self:
        """Return states of no clip."""
        return cls(states=torch.zeros((0, 1)), rows={})

    def read(self, clip_ids: Sequence[str], *, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return the states of some clips, and which clips have none: their rows are to be filled in."""
        rows = torch.tensor([self.rows.get(clip_id, -1) for clip_id in clip_ids])
        return self.states[rows].to(device), torch.nonzero(rows < 0)[:, 0].to(device)


def load_mask_states(
    folder: Path,
    texts: Mapping[str, str],
    encoder: TextEncoder,
    masker: TextMasker,
    encode: Callable[[Tensor, Tensor], Tensor],
    *,
    key: Mapping[str, Any],
    device: torch.device,
) -> MaskStates:
    """Return the states of all clips with a sentiment word, from a file of the folder or computed and stored there.

    Args:
        folder: made where it is not there; files of other datasets, encoders and settings may lie in it.
        texts: by clip id.
        encoder: its weights and its tokenizer are part of the file's name.
        masker: hides the words.
        encode: maps ids and mask to states, shape (clip, token, text_width).
        key: whatever else the states depend on: the dataset, the lexicon, the settings.
        device: where to compute.

    Raises:
        InputError: the folder cannot be written to, or a file in it cannot be read.
    """
    file = folder / f"{_digest(texts, encoder, key)}.safetensors"
    if file.exists():
        return _read(file)
    masked = {
        clip_id: masker.mask(text, np.random.default_rng(0))  # nothing is drawn where there is a sentiment word
        for clip_id, text in zip(texts, masker.prepare(list(texts.values())), strict=True)
        if text.words
    }
    states = MaskStates(states=_compute(list(masked.values()), encode, device), rows=_rows(masked))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(f".{os.getpid()}.part")  # several processes may compute the same
        unfinished.write_bytes(save({"states": states.states}, metadata={"clip_ids": json.dumps(list(masked))}))
        unfinished.replace(file)
    except OSError as error:
        raise InputError(f"{folder}: expected a folder for the states of hidden words: {error.strerror}") from error
    return states


def _rows(clip_ids: Mapping[str, Any] | Sequence[str]) -> dict[str, int]:
    return {clip_id: row for row, clip_id in enumerate(clip_ids)}


def _read(file: Path) -> MaskStates:
    try:
        with safe_open(file, framework="pt") as stored:
            return MaskStates(states=stored.get_tensor("states"), rows=_rows(json.loads(stored.metadata()["clip_ids"])))
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file}: expected the states of hidden words: {error}; delete the file") from error


def _compute(masked: Sequence[MaskedText], encode: Callable[[Tensor, Tensor], Tensor], device: torch.device) -> Tensor:
    """Return the states in the order of ``masked``; texts of like length go through the encoder together."""
    order = sorted(range(len(masked)), key=lambda item: len(masked[item].ids))
    found: list[Tensor] = []
    with torch.inference_mode():
        for start in range(0, len(order), _N_CLIP):
            some = [masked[item] for item in order[start : start + _N_CLIP]]
            ids = pad_sequence([torch.tensor(text.ids) for text in some], batch_first=True)
            lengths = torch.tensor([len(text.ids) for text in some])
            mask = torch.arange(ids.shape[1])[None, :] < lengths[:, None]
            states = encode(ids.to(device), mask.to(device))
            found.append(states[torch.arange(len(some)), [text.position for text in some]].float().cpu())
    if not found:
        return MaskStates.none().states
    states = torch.cat(found)
    sorted_back = torch.empty_like(states)
    sorted_back[order] = states
    return sorted_back


def _digest(texts: Mapping[str, str], encoder: TextEncoder, key: Mapping[str, Any]) -> str:
    """Return a name for everything that the states depend on."""
    digest = hashlib.sha256(json.dumps([dict(key), dict(texts)], sort_keys=True).encode())
    digest.update(encoder.tokenizer.backend_tokenizer.to_str().encode())
    for name, weight in sorted(encoder.model.state_dict().items()):
        digest.update(name.encode())
        digest.update(weight.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
