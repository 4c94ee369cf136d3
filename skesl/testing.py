"""Test material, and the contract that every method keeps.

``check_method`` is for authors of methods as much as for our own tests: it holds a method to what the trainer and
the reports take for granted.
"""

from __future__ import annotations

import functools
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from torch import Tensor, nn
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from skesl.config import Stage, TrainConfig
from skesl.data import Batch
from skesl.errors import MethodError
from skesl.methods import Method
from skesl.normalise import FeatureNormaliser, ImageNormaliser
from skesl.task import Task
from skesl.text import TextEncoder

STREAMS = {"audio": 5, "vision": 7}
IMAGE_STREAMS = ("frames",)
_IMAGE_SIZE = 32
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_WORDS = ("it", "was", "terrible", "ordinary", "wonderful", "take", "a", "film", "good", "bad")


def tiny_text_encoder(*, seed: int = 0) -> TextEncoder:
    """Return a random BERT of width 16 with one layer, and a tokenizer of a few words and all letters."""
    vocabulary = list(dict.fromkeys((*_SPECIAL, *_WORDS, *_characters())))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BertModel(
            BertConfig(
                vocab_size=len(vocabulary),
                hidden_size=16,
                num_hidden_layers=1,
                num_attention_heads=2,
                intermediate_size=32,
                max_position_embeddings=64,
            )
        )
    return TextEncoder(model=model, tokenizer=_tokenizer(vocabulary), source="tiny")


def write_tiny_text_encoder(folder: Path) -> Path:
    """Store ``tiny_text_encoder`` as a folder that ``--text-encoder`` takes; returns the folder."""
    encoder = tiny_text_encoder()
    encoder.model.save_pretrained(folder)
    encoder.tokenizer.save_pretrained(folder)
    return folder


def random_batch(
    *, n_clip: int = 4, seed: int = 0, n_padding: int = 0, task: Task | None = None, images: bool = False
) -> Batch:
    """Return a batch of noise with ragged lengths and labels of a task, a regression where None.

    ``n_padding`` more steps of garbage stand behind each sequence. With ``images`` there is a stream of frames.
    """
    generator = torch.Generator().manual_seed(seed)
    text_lengths = torch.arange(n_clip) % 4 + 4
    input_ids, text_mask = _ragged(torch.randint(5, 60, (n_clip, 7), generator=generator), text_lengths, n_padding)
    streams, masks = {}, {}
    for name, n_feature in STREAMS.items():
        values = torch.randn((n_clip, 9, n_feature), generator=generator)
        lengths = torch.arange(n_clip) % 5 + 5
        streams[name], masks[name] = _ragged(values, lengths, n_padding)
    for name in IMAGE_STREAMS if images else ():
        values = torch.randint(0, 256, (n_clip, 3, _IMAGE_SIZE, _IMAGE_SIZE, 3), generator=generator).byte()
        streams[name], masks[name] = _ragged(values, torch.arange(n_clip) % 3 + 1, n_padding)
    return Batch(
        clip_ids=tuple(f"clip_{index}" for index in range(n_clip)),
        input_ids=input_ids.clamp(min=0, max=59).long(),
        text_mask=text_mask,
        streams=streams,
        stream_masks=masks,
        labels=_random_labels(task or Task(), n_clip, generator),
        mask_positions=torch.arange(n_clip) % 3 + 1,
        rows=torch.arange(n_clip),
        recordings=torch.arange(n_clip) // 2,
    )


def _random_labels(task: Task, n_clip: int, generator: torch.Generator) -> Tensor:
    values = torch.randn((n_clip, len(task.labels)), generator=generator)
    if task.problem == "multilabel":
        return (values > 0).float()
    if task.class_names:
        values[:, 0] = torch.arange(n_clip) % len(task.class_names)
    return values


def make_method(method_type: type[Method], *, seed: int = 0, config: Any = None, task: Task | None = None) -> Method:
    """Return a method on the tiny text encoder and the streams of ``random_batch``.

    Args:
        method_type: its class.
        seed: of the weights.
        config: its settings; the defaults where None.
        task: what it is to predict; its own example where None.
    """
    torch.manual_seed(seed)
    config = config or method_type.config_type()
    encoder = tiny_text_encoder(seed=seed) if method_type.needs_text_encoder else None
    used = method_type.used_streams(config)
    normalisers = {
        name: FeatureNormaliser(f"{name}_{index}" for index in range(n_feature))
        for name, n_feature in STREAMS.items()
        if name in used
    } | {name: ImageNormaliser() for name in IMAGE_STREAMS if name in used}
    return method_type(
        config,
        text_encoder=nn.Module() if encoder is None else encoder.model,
        text_width=0 if encoder is None else encoder.width,
        normalisers=normalisers,
        task=task or method_type.example_task(),
    )


def check_method(method_type: type[Method], config: Any = None) -> None:
    """Hold a method to the contract, with its default settings if ``config`` is None.

    It is held to it for every problem that it says it can learn.

    Every declared stage has a finite loss that reaches every parameter it trains, works on a single clip, and is
    lowered by a step along its gradient; an undeclared stage raises. Predictions depend neither on padding nor on
    the order or number of clips. The weights survive a round trip.

    Raises:
        MethodError: a promise is broken; the message says which.
    """
    for problem in method_type.problems:
        _check_problem(method_type, config, Task() if problem == "regression" else Task.example(problem))


def _check_problem(method_type: type[Method], config: Any, task: Task) -> None:
    make = functools.partial(make_method, method_type, config=config, task=task)
    stages: tuple[Stage, ...] = ("pretrain", "finetune")
    for stage in [stage for stage in stages if stage not in method_type.stages]:
        _check_refusal(make(), stage)
    for stage in method_type.stages:
        _check_gradients(make(), stage)
        _check_descent(make(), stage)
        _promise(_loss(make(), _batch_of(make(), stage, n_clip=1), stage).isfinite(), "a loss on one clip")
    if "finetune" in method_type.stages:
        _check_predictions(make().eval())
    _check_round_trip(make, method_type.stages[0])


def _promise(kept: Tensor | bool, what: str) -> None:  # noqa: FBT001 - what was promised stands behind it
    if not kept:
        raise MethodError(f"the method breaks the contract: expected {what}")


def _batch_of(method: Method, stage: Stage, **options: Any) -> Batch:
    """Return noise as a method gets it in a stage: pretraining has one target, whatever the task."""
    return _noise(method, task=method.task if stage == "finetune" else None, **options)


def _noise(method: Method, **options: Any) -> Batch:
    """Return noise with images where the method reads some."""
    return random_batch(images=any(isinstance(own, ImageNormaliser) for own in method.normalisers.values()), **options)


def _loss(method: Method, batch: Batch, stage: Stage) -> Tensor:
    method.start_stage(stage)
    return method.eval()(batch, stage)  # type: ignore[no-any-return]


def _check_refusal(method: Method, stage: Stage) -> None:
    for call in (lambda: method.start_stage(stage), lambda: method(random_batch(), stage)):
        try:
            call()
        except MethodError:
            continue
        _promise(kept=False, what=f"a MethodError for the undeclared stage {stage!r}")


def _check_gradients(method: Method, stage: Stage) -> None:
    loss = _loss(method, _batch_of(method, stage), stage)
    _promise(loss.ndim == 0 and loss.isfinite(), f"a finite scalar loss in stage {stage!r}")
    loss.backward()  # type: ignore[no-untyped-call]
    trained = [(name, parameter) for name, parameter in method.named_parameters() if parameter.requires_grad]
    missing = [name for name, parameter in trained if parameter.grad is None or not parameter.grad.isfinite().all()]
    _promise(not missing, f"a finite gradient for every parameter in stage {stage!r}, none for {missing[:3]}")


def _check_descent(method: Method, stage: Stage) -> None:
    batch = _batch_of(method, stage)
    before = _loss(method, batch, stage)
    optimiser = torch.optim.SGD([{**group, "lr": 1e-3} for group in method.parameter_groups(TrainConfig())], lr=1e-3)
    before.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    _promise(_loss(method, batch, stage) < before, f"a lower loss after one step in stage {stage!r}")


def _check_predictions(method: Method) -> None:
    with torch.inference_mode():
        expected = method.predict(_noise(method))
        padded = method.predict(_noise(method, n_padding=3))
        turned = method.predict(chosen_clips(_noise(method), [3, 2, 1, 0]))
        alone = torch.cat([method.predict(chosen_clips(_noise(method), [clip])) for clip in range(4)])
    n_column = method.task.n_column
    _promise(
        expected.shape == (4, n_column),
        f"a prediction of {n_column} column(s) for each clip, got shape {tuple(expected.shape)}",
    )
    _promise(torch.allclose(padded, expected, atol=1e-5), "predictions that do not depend on padding")
    _promise(
        torch.allclose(turned.flip(0), expected, atol=1e-5),
        "predictions that do not depend on the order of clips",
    )
    _promise(torch.allclose(alone, expected, atol=1e-5), "predictions that do not depend on the number of clips")


def _check_round_trip(make: Callable[..., Method], stage: Stage) -> None:
    one, other = make(seed=1), make(seed=2)
    other.load_state_dict(one.state_dict())
    batch = _batch_of(one, stage)
    same = torch.equal(_loss(one, batch, stage), _loss(other, batch, stage))
    _promise(same, "equal losses after a round trip of the weights")


def chosen_clips(batch: Batch, rows: list[int]) -> Batch:
    """Return some clips of a batch, in the order of ``rows``."""
    return Batch(
        clip_ids=tuple(batch.clip_ids[row] for row in rows),
        input_ids=batch.input_ids[rows],
        text_mask=batch.text_mask[rows],
        streams={name: values[rows] for name, values in batch.streams.items()},
        stream_masks={name: mask[rows] for name, mask in batch.stream_masks.items()},
        labels=batch.labels[rows],
        mask_positions=batch.mask_positions[rows],
        rows=batch.rows[rows],
        recordings=batch.recordings[rows],
        side_labels={name: values[rows] for name, values in batch.side_labels.items()},
    )


def _ragged(values: Tensor, lengths: Tensor, n_padding: int) -> tuple[Tensor, Tensor]:
    """Return sequences with garbage behind their real steps, and the mask of what is real."""
    padding = torch.full((values.shape[0], n_padding, *values.shape[2:]), 50, dtype=values.dtype)
    padded = torch.cat([values, padding], dim=1)
    mask = torch.arange(padded.shape[1])[None, :] < lengths[:, None]
    return padded, mask


def _characters() -> list[str]:
    characters = [character for character in string.printable.lower() if not character.isspace()]
    return [*characters, *(f"##{character}" for character in characters)]


def _tokenizer(vocabulary: list[str]) -> PreTrainedTokenizerFast:
    ids = {token: index for index, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **dict(zip(names, _SPECIAL, strict=True)))
