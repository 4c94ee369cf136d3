"""Settings of training that do nothing in a stage: refused where somebody asked for them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from mmfeat.errors import ConfigError, list_faults
from skesl.config import Stage
from skesl.methods import Method

_OF_VALIDATION = ("patience", "selection_metric")


def refuse_idle_settings(method: Method, stage: Stage, chosen: Collection[str], *, lexicon: Path | None = None) -> None:
    """Refuse settings that would change nothing.

    Args:
        method: ready to be trained.
        stage: pretrain or finetune.
        chosen: names of the settings of training that somebody asked for.
        lexicon: file of sentiment words, where somebody asked for one.

    Raises:
        ConfigError: some of them do nothing; each is named with the reason.
    """
    idle = {}
    if stage == "pretrain":
        idle = dict.fromkeys(_OF_VALIDATION, "there is no validation part, the last epoch is kept")
    method.start_stage(stage)
    if not any(parameter.requires_grad for parameter in method.text_encoder.parameters()):
        idle["text_encoder_learning_rate"] = f"{method.name} does not train the text encoder with these settings"
    if not method.needs_text_encoder:
        idle["max_text_tokens"] = f"{method.name} reads no text"
    faults = [f"train.{name}: {reason}" for name, reason in idle.items() if name in chosen]
    if lexicon is not None and not method.needs_text_encoder:
        faults.append(f"lexicon {lexicon}: {method.name} reads no text")
    if faults:
        raise ConfigError(list_faults(f"{stage}: settings that would do nothing; leave them out", faults))
