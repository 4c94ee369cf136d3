"""What pretraining does before it trains: choose the clips, and compute what stays the same in every epoch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmfeat import ConfigError, InputError, config_to_dict
from skesl.experiment import Experiment
from skesl.lexicon import load_lexicon
from skesl.mask_states import MaskStates, load_mask_states
from skesl.masking import TextMasker
from skesl.processes import choose_device
from skesl.selection import Indices, limit_neutral
from skesl.text import TextEncoder


def without_surplus(experiment: Experiment, indices: Indices) -> tuple[Indices, tuple[str, ...]]:
    """Return the clips to pretrain on and what is said about the others.

    Of the clips without a sentiment word only as many are kept as ``max_neutral_fraction`` allows.

    Raises:
        InputError: none is left.
    """
    fraction = experiment.method.masking.max_neutral_fraction
    if fraction >= 1.0 or experiment.encoder is None:
        return indices, ()
    texts = _masker(experiment, experiment.encoder).prepare([experiment.reader.texts[index] for index in indices])
    neutral = np.array([not text.words for text in texts])
    kept = limit_neutral(indices, neutral, fraction, seed=experiment.config.train.seed)
    if not kept.size:
        raise InputError(
            f"{experiment.reader.path}: expected clips with a sentiment word, got none in {indices.size} clip(s); "
            "raise --max-neutral-fraction or choose another --lexicon"
        )
    n_left_out = indices.size - kept.size
    note = f"text: {n_left_out} of {int(neutral.sum())} clip(s) without a sentiment word left out"
    return kept, (note,) if n_left_out else ()


def use_mask_states(experiment: Experiment, indices: Indices, folder: Path) -> None:
    """Give the method the text encoder's states of the hidden words, from ``folder`` or computed into it.

    Raises:
        ConfigError: the text encoder is trained, or has dropout.
        MethodError: the method reads no such states.
        InputError: the folder cannot be written to, or a file in it cannot be read.
    """
    reader, method, train = experiment.reader, experiment.method, experiment.config.train
    method.use_mask_states(MaskStates.none())  # a refusal comes before the work
    if experiment.encoder is None:
        raise ConfigError(f"method {method.name!r} has no text encoder whose states could be stored")
    device = choose_device(train.device)
    method.to(device).eval()
    states = load_mask_states(
        folder,
        {reader.clip_ids[index]: reader.texts[index] for index in indices},
        experiment.encoder,
        _masker(experiment, experiment.encoder),
        method.encode_text,
        key={
            "content_sha256": reader.attributes["content_sha256"],
            "lexicon": load_lexicon(experiment.config.lexicon),
            "inputs": config_to_dict(method.inputs),
            "masking": config_to_dict(method.masking),
            "max_text_tokens": train.max_text_tokens,
        },
        device=device,
    )
    method.use_mask_states(states)


def _masker(experiment: Experiment, encoder: TextEncoder) -> TextMasker:
    """Return what hides the words, as the clips of the stage do it."""
    return TextMasker(
        encoder,
        load_lexicon(experiment.config.lexicon),
        experiment.method.masking,
        max_tokens=experiment.config.train.max_text_tokens,
        inputs=experiment.method.inputs,
    )
