import dataclasses
import re

import pytest
import torch
from torch import nn

from skesl import Method, MethodError, find_method, find_preset, method_names
from skesl.nn.frames import StackConfig
from skesl.nn.pooling import masked_mean
from skesl.testing import check_method, random_batch

# VAT's default is a model of 186 million parameters; test_vat.py holds it to the contract in a small shape.
NAMES = [name for name in method_names() if name != "vat"]


def narrow(config):
    """Return settings with thinner layers where they have Transformer layers of their own, which take long."""
    return dataclasses.replace(config, width=12, n_heads=3, n_inner=24) if isinstance(config, StackConfig) else config


@pytest.mark.parametrize("name", NAMES)
def test_every_registered_method_keeps_the_contract(name):
    check_method(find_method(name), narrow(find_method(name).config_type()))


@pytest.mark.parametrize(("name", "preset"), [(name, preset) for name in NAMES for preset in find_method(name).presets])
def test_every_preset_keeps_the_contract(name, preset):
    check_method(find_method(name), narrow(find_preset(name, preset).config))


@pytest.mark.parametrize("name", method_names())
def test_the_first_preset_is_the_default(name):
    presets = find_method(name).presets
    assert next((preset.config for preset in presets.values()), None) in (None, find_method(name).config_type())


@pytest.mark.parametrize("name", method_names())
def test_every_registered_method_goes_by_its_own_name(name):
    assert find_method(name).name == name


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlainConfig:
    """No settings."""


class Plain(Method):
    """A small method that keeps the contract; the broken ones change one thing each."""

    name = "plain"
    config_type = PlainConfig
    stages = ("finetune",)
    stream_names = ("audio",)

    def __init__(self, config, *, text_encoder, text_width, normalisers, task):
        super().__init__(config, text_encoder=text_encoder, text_width=text_width, normalisers=normalisers, task=task)
        self.linear = nn.Linear(text_width + 5, 1)

    def features(self, batch):
        heard = masked_mean(self.normalisers["audio"](batch.streams["audio"]), batch.stream_masks["audio"])
        return torch.cat([masked_mean(self.read_text(batch), batch.text_mask), heard], dim=-1)

    def predict(self, batch):
        return self.linear(self.features(batch))

    def finetune_loss(self, batch):
        return (self.predict(batch) - batch.labels).abs().mean()


class ReadsPaddedFrames(Plain):
    def features(self, batch):
        heard = batch.streams["audio"].mean(dim=1)
        return torch.cat([masked_mean(self.read_text(batch), batch.text_mask), heard], dim=-1)


class ReadsPaddedTokens(Plain):
    def features(self, batch):
        heard = masked_mean(batch.streams["audio"], batch.stream_masks["audio"])
        return torch.cat([self.read_text(batch).mean(dim=1), heard], dim=-1)


class DropsAGradient(Plain):
    def features(self, batch):
        return super().features(batch).detach()


class HasAnIdleParameter(Plain):
    def __init__(self, config, **parts):
        super().__init__(config, **parts)
        self.forgotten = nn.Parameter(torch.zeros(1))


class RunsAnUndeclaredStage(Plain):
    def pretrain_loss(self, batch):
        return self.finetune_loss(batch)


class StartsAnUndeclaredStage(Plain):
    def start_stage(self, stage):
        self.requires_grad_(requires_grad=True)


class LosesItsNumbers(Plain):
    def finetune_loss(self, batch):
        return super().finetune_loss(batch) * torch.nan


class LossPerClip(Plain):
    def finetune_loss(self, batch):
        return (self.predict(batch) - batch.labels).abs()


class NeedsTwoClips(Plain):
    def finetune_loss(self, batch):
        return super().finetune_loss(batch) / self.predict(batch).std()


class LooksAtItsNeighbour(Plain):
    def predict(self, batch):
        predictions = super().predict(batch)
        return predictions + 0.1 * predictions.roll(1)


class CentresOnTheBatch(Plain):
    def predict(self, batch):
        predictions = super().predict(batch)
        return predictions - 0.5 * predictions.mean()


class PredictsNoColumn(Plain):
    def predict(self, batch):
        return super().predict(batch).squeeze(-1)

    def finetune_loss(self, batch):
        return (super().predict(batch) - batch.labels).abs().mean()


class ClimbsUp(Plain):
    def finetune_loss(self, batch):
        loss = super().finetune_loss(batch)
        return 2 * loss.detach() - loss


class HidesAWeight(Plain):
    def __init__(self, config, **parts):
        super().__init__(config, **parts)
        self.hidden = torch.randn(1)

    def predict(self, batch):
        return super().predict(batch) + self.hidden


def test_a_plain_method_keeps_the_contract():
    check_method(Plain)


@pytest.mark.filterwarnings("ignore:std\\(\\). degrees of freedom is <= 0")  # what NeedsTwoClips is broken by
@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (ReadsPaddedFrames, "predictions that do not depend on padding"),
        (ReadsPaddedTokens, "predictions that do not depend on padding"),
        (DropsAGradient, "a finite gradient for every parameter in stage 'finetune', none for ['text_encoder."),
        (HasAnIdleParameter, "a finite gradient for every parameter in stage 'finetune', none for ['forgotten']"),
        (RunsAnUndeclaredStage, "a MethodError for the undeclared stage 'pretrain'"),
        (StartsAnUndeclaredStage, "a MethodError for the undeclared stage 'pretrain'"),
        (LosesItsNumbers, "a finite scalar loss in stage 'finetune'"),
        (LossPerClip, "a finite scalar loss in stage 'finetune'"),
        (NeedsTwoClips, "a loss on one clip"),
        (LooksAtItsNeighbour, "predictions that do not depend on the order of clips"),
        (CentresOnTheBatch, "predictions that do not depend on the number of clips"),
        (PredictsNoColumn, "a prediction of 1 column(s) for each clip, got shape (4,)"),
        (ClimbsUp, "a lower loss after one step in stage 'finetune'"),
        (HidesAWeight, "equal losses after a round trip of the weights"),
    ],
)
def test_a_broken_method_is_refused_with_the_promise_it_breaks(broken, promise):
    with pytest.raises(MethodError, match=re.escape(f"the method breaks the contract: expected {promise}")):
        check_method(broken)


def test_the_material_of_the_contract_is_ragged_and_its_padding_is_garbage():
    batch = random_batch(n_padding=3)

    assert len(set(batch.text_mask.sum(dim=1).tolist())) > 1
    for name, mask in batch.stream_masks.items():
        assert len(set(mask.sum(dim=1).tolist())) > 1
        assert (batch.streams[name][~mask].abs() > 0).all()
