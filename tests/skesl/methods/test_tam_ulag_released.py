"""TAM-ULAG's released variant: its equations written out by hand in float64, and its faults, asserted.

Lines are those of wsy981101/TAM-ULAG at 5d1cb37: ``model`` is models/multiTask/SELF_MM.py, ``training``
trains/multiTask/SELF_MM.py.
"""

from types import SimpleNamespace

import pytest
import torch

from skesl import TrainConfig, method_config
from skesl.methods.tam_ulag import TamUlag
from skesl.testing import chosen_clips, make_method, random_batch

NO_DROPOUT = {f"{name}_head": {"dropout": 0.0} for name in ("fusion", "text", "audio", "vision")}
MODALITIES = ("text", "audio", "vision")


def released(*, cross=None, seed=0):
    settings = {"variant": "released", "label_bound": 3.0, **NO_DROPOUT, **({"cross": cross} if cross else {})}
    method = make_method(TamUlag, seed=seed, config=method_config("tam_ulag", settings=settings)).double()
    method.start_stage("finetune")
    return method


def batch_in_float64(**options):
    batch = random_batch(**options)
    batch.streams.update({name: values.double() for name, values in batch.streams.items()})
    object.__setattr__(batch, "labels", batch.labels.double())
    return batch


def weights(linear):
    return linear.weight.detach(), linear.bias.detach()


def applied(linear, states):
    weight, bias = weights(linear)
    return states @ weight.T + bias


def lstm(layer, values):
    """Return the states of one clip, step by step."""
    hidden = cell = torch.zeros(layer.hidden_size, dtype=torch.float64)
    states = []
    for step in values:
        gates = layer.weight_ih_l0 @ step + layer.bias_ih_l0 + layer.weight_hh_l0 @ hidden + layer.bias_hh_l0
        i, f, g, o = gates.detach().chunk(4)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        states.append(hidden)
    return torch.stack(states)


def gated(gates, states):
    beta = applied(gates.beta, states)
    return states * applied(gates.alpha, states).tanh() * (beta - beta.tanh())


def vector_by_hand(encoder, values, mask):
    """model:317-329, of padded sequences: only a clip that lasts as long as the batch has anything in the last step."""
    lengths = mask.sum(dim=1)
    read = torch.zeros(len(values), encoder.rnn.hidden_size, dtype=torch.float64)
    for clip, length in enumerate(lengths):
        if length == lengths.max():
            read[clip] = gated(encoder.reader.gates, lstm(encoder.rnn, values[clip, :length]))[-1]
    return applied(encoder.output, read)


def forward_by_hand(method, batch, *, cross):
    """model:82-167."""
    with torch.no_grad():
        words = method.encode_text(batch.input_ids, batch.text_mask)
    t = gated(method.text_reader.gates, words)[:, 0]
    a, v = (
        vector_by_hand(method.encoders[name], batch.streams[name], batch.stream_masks[name])
        for name in ("audio", "vision")
    )
    parts = [t, a, v]
    if cross:
        for one, other in ((t, a), (t, v), (a, v)):
            parts += [one * other.sum(dim=1, keepdim=True), other * one.sum(dim=1, keepdim=True)]
    inputs = {"fusion": torch.cat(parts, dim=1), "text": t, "audio": a, "vision": v}
    features, said, experts = {}, {}, {}
    for name, states in inputs.items():
        head = method.heads[name]
        features[name] = applied(head.hidden, states).relu()
        said[name] = applied(head.output, applied(head.middle, features[name]).relu())[:, 0]
        experts[name] = applied(method.similarity["experts"][name], features[name]).relu()
    return features, said, experts


def loss_by_hand(method, said, experts, labels, truth):
    """training:190-214, 315-329."""
    every = torch.stack(list(experts.values()), dim=1)
    loss = (said["fusion"] - truth).abs().mean()
    for name in MODALITIES:
        scores = (every * experts[name][:, None]).sum(dim=2)
        seen = (scores[:, :, None] * every).sum(dim=1)
        first, second = method.similarity["confidence"][name]
        confidence = applied(second, applied(first, seen))[:, 0]
        fake = 2 * truth / (1 + (-confidence).exp()) - truth
        target = 0.5 * labels[name] + 0.5 * fake
        loss = loss + ((labels[name] - truth).abs().tanh() * (said[name] - target).abs()).mean()
    return loss


@pytest.mark.parametrize("n_clip", [1, 4, 7])
@pytest.mark.parametrize("cross", [None, "rank_one"])
def test_forward_and_loss_are_those_of_the_released_equations(cross, n_clip):
    method, batch = released(cross=cross).eval(), batch_in_float64(n_clip=n_clip)
    truth = batch.labels[:, 0]
    method.meet_clips(SimpleNamespace(labels=batch.labels.numpy()))
    moved = torch.randn(n_clip, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    method.memory.of_modalities.add_(moved)

    features, said, experts = forward_by_hand(method, batch, cross=cross)
    outputs = method.read(batch)

    for name, values in said.items():  # float64: only the order of sums differs
        torch.testing.assert_close(outputs.features[name], features[name], rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(outputs.predictions[name], values, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(method.predict(batch)[:, 0], said["fusion"], rtol=1e-10, atol=1e-12)
    labels = dict(zip(MODALITIES, method.memory.of_modalities.T, strict=True))
    expected = loss_by_hand(method, said, experts, labels, truth)
    torch.testing.assert_close(method.finetune_loss(batch), expected, rtol=1e-10, atol=1e-12)


def test_labels_move_after_each_batch_as_the_released_training_has_it():
    """Two epochs of two batches with training-mode features: training:216-227, 331-385."""
    method, batch = released(), batch_in_float64(n_clip=6)
    method.train()
    method.text_encoder.eval()  # whose dropout would differ from call to call
    truth = batch.labels[:, 0]
    method.meet_clips(SimpleNamespace(labels=batch.labels.numpy()))
    labels = {name: truth.clone() for name in MODALITIES}
    stored = {name: torch.zeros(6, width, dtype=torch.float64) for name, width in method.heads.feature_widths.items()}
    means = {}
    for epoch in (1, 2):
        for rows in ([0, 2, 4], [5, 3, 1]):
            method.finetune_loss(chosen_clips(batch, rows))

            features, _, _ = forward_by_hand(method, chosen_clips(batch, rows), cross=None)
            if epoch > 1:
                delta = {}
                for name, (positive, negative) in means.items():
                    near, far = (features[name] - positive).norm(dim=1), (features[name] - negative).norm(dim=1)
                    delta[name] = (far - near) / (near + 1e-8)
                for name in MODALITIES:
                    alpha = delta[name] / (delta["fusion"] + 1e-8)
                    new = 0.5 * alpha * truth[rows] + 0.5 * (truth[rows] + delta[name] - delta["fusion"])
                    labels[name][rows] = (epoch - 1) / (epoch + 1) * labels[name][rows] + 2 / (epoch + 1) * new.clamp(
                        -3, 3
                    )
            for name, values in features.items():
                stored[name][rows] = values
                side = truth if name == "fusion" else labels[name]
                means[name] = (stored[name][side >= 0].mean(dim=0), stored[name][side < 0].mean(dim=0))
        method.on_epoch_end(epoch)

    for name, values in zip(MODALITIES, method.memory.of_modalities.T, strict=True):
        torch.testing.assert_close(values, labels[name], rtol=1e-9, atol=1e-10)
        assert (values != truth).any()


def test_the_recurrent_encoders_get_no_gradient():
    """model:324-326: ``output.data`` cuts the graph; 8 tensors stay as they were drawn."""
    method = released()

    method.finetune_loss(batch_in_float64()).backward()

    untrained = [name for name, parameter in method.named_parameters() if ".rnn." in name and parameter.grad is None]
    assert len(untrained) == 8
    assert all(parameter.grad is not None for name, parameter in method.named_parameters() if ".reader." in name)


def test_every_clip_that_is_shorter_than_the_longest_is_read_as_a_constant():
    """model:323, 327: the last step of the padded batch."""
    method, batch = released().eval(), batch_in_float64(n_clip=9)

    for name in ("audio", "vision"):
        vectors = method.encoders[name](batch.streams[name], batch.stream_masks[name])
        lengths = batch.stream_masks[name].sum(dim=1)
        constant = (vectors == method.encoders[name].output.bias).all(dim=1)
        assert torch.equal(constant, lengths < lengths.max())
        assert constant.sum() == 8


def test_a_prediction_depends_on_the_other_clips_of_its_batch():
    method, batch = released().eval(), batch_in_float64()

    together = method.predict(batch)
    alone = torch.cat([method.predict(chosen_clips(batch, [clip])) for clip in range(4)])

    assert (together - alone).abs().max() > 1e-8  # rounding is 1e-16; the gates let little through


def test_the_loss_moves_its_own_targets():
    """training:198-211: the label by similarity is not detached, and the experts learn through nothing else."""
    method, batch = released(), batch_in_float64()
    method.meet_clips(SimpleNamespace(labels=batch.labels.numpy()))
    method.memory.of_modalities.add_(0.5)

    method.finetune_loss(batch).backward()

    experts = [parameter.grad.abs().sum() for parameter in method.similarity["experts"].parameters()]
    assert sum(experts) > 0


def test_the_confidence_heads_stay_as_they_were_drawn():
    """training:72-81: they are no part of the model and of no optimiser."""
    method, batch = released(), batch_in_float64()
    before = [parameter.clone() for parameter in method.similarity["confidence"].parameters()]
    optimiser = torch.optim.AdamW(method.parameter_groups(TrainConfig()), lr=0.1)

    for _ in range(2):
        method.finetune_loss(batch).backward()
        optimiser.step()

    assert all(
        torch.equal(one, other) for one, other in zip(before, method.similarity["confidence"].parameters(), strict=True)
    )


def test_only_the_class_token_is_read_and_it_is_nearly_nothing():
    method, batch = released().eval(), batch_in_float64()
    states = method.read_text(batch)

    read = method.text_reader(states, batch.text_mask)
    other = states.clone()
    other[:, 1:] = 7.0

    assert torch.equal(read, method.text_reader(other, batch.text_mask))
    assert read.norm() < 0.2 * states[:, 0].norm()


def test_no_interaction_terms_are_in_the_shipped_run():
    assert released().heads["fusion"].hidden.in_features == 16 + 16 + 32
    assert released(cross="rank_one").heads["fusion"].hidden.in_features == 3 * (16 + 16 + 32)
    assert "interactions" not in released().heads


def test_raw_features_are_read():
    method, batch = released().eval(), batch_in_float64()
    before = method.predict(batch)
    for normaliser in method.normalisers.values():
        normaliser.mean.fill_(3.0)

    assert torch.equal(method.predict(batch), before)
