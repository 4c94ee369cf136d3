"""A text among the others of its dialogue, and the dialogues of a batch, each of which is encoded once.

How a dialogue becomes one sequence stands in ``skesl.dialogue_table``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class DialogueText:
    """One utterance in its dialogue.

    Args:
        ids: int64, shape (token,), of the whole sequence with its special tokens.
        first: where the utterance begins.
        n_token: how many of the tokens are its own; 0 for an empty text.
    """

    ids: IntArray
    first: int
    n_token: int

    def kept(self, tokens: npt.NDArray[np.bool_]) -> DialogueText:
        """Return the utterance with some of its own tokens, bool of shape (n_token,), and all others around it."""
        stop = self.first + self.n_token
        ids = np.concatenate([self.ids[: self.first], self.ids[self.first : stop][tokens], self.ids[stop:]])
        return DialogueText(ids=ids, first=self.first, n_token=int(tokens.sum()))


@dataclass(frozen=True, kw_only=True, eq=False)
class DialogueBatch:
    """The dialogues of a batch, each once.

    Args:
        ids: int64, shape (dialogue, token), padded with 0.
        mask: bool, shape (dialogue, token), True for real tokens.
        rows: int64, shape (clip,): the dialogue of each clip.
        firsts: int64, shape (clip,): where its utterance begins.
        n_tokens: int64, shape (clip,): how many tokens are the utterance's own.
    """

    ids: Tensor
    mask: Tensor
    rows: Tensor
    firsts: Tensor
    n_tokens: Tensor

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Self:
        """Return the batch on another device."""
        moved = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{name: value.to(device, non_blocking=non_blocking) for name, value in moved.items()})

    def tensors(self) -> list[Tensor]:
        """Return every tensor of the batch."""
        return [getattr(self, field.name) for field in fields(self)]

    @property
    def utterance_mask(self) -> Tensor:
        """Which tokens of its dialogue are a clip's own: bool, shape (clip, token)."""
        places = torch.arange(self.ids.shape[1], device=self.ids.device)
        return (places >= self.firsts[:, None]) & (places < (self.firsts + self.n_tokens)[:, None])

    def utterances(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Return each clip's own part of its dialogue.

        Args:
            states: shape (dialogue, token, width), what the encoder made of ``ids``.

        Returns:
            Shape (clip, step, width), 0 where there is no token, and bool (clip, step), True for real ones.
        """
        steps = torch.arange(max(1, int(self.n_tokens.max())), device=states.device)
        mask = steps < self.n_tokens[:, None]
        places = (self.firsts[:, None] + steps).clamp(max=states.shape[1] - 1)
        return states[self.rows[:, None], places] * mask.unsqueeze(-1), mask


def lone_text(ids: Sequence[int]) -> DialogueText:
    """Return a text with its special tokens as a dialogue of its own."""
    return DialogueText(ids=np.asarray(ids, dtype=np.int64), first=1, n_token=len(ids) - 2)


def dialogue_batch(texts: Sequence[DialogueText]) -> DialogueBatch | None:
    """Return utterances that were read one by one; equal sequences become one. None where there are none."""
    if not texts:
        return None
    rows: dict[bytes, int] = {}
    numbers = [rows.setdefault(text.ids.tobytes(), len(rows)) for text in texts]
    ids, mask = padded([np.frombuffer(key, dtype=np.int64) for key in rows])
    return DialogueBatch(
        ids=ids,
        mask=mask,
        rows=torch.tensor(numbers, dtype=torch.int64),
        firsts=torch.tensor([text.first for text in texts], dtype=torch.int64),
        n_tokens=torch.tensor([text.n_token for text in texts], dtype=torch.int64),
    )


def padded(sequences: Sequence[IntArray]) -> tuple[Tensor, Tensor]:
    """Return sequences padded with 0 to one length, and the mask of what is real."""
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    rows = [torch.from_numpy(np.array(sequence)) for sequence in sequences]
    return (
        torch.nn.utils.rnn.pad_sequence(rows, batch_first=True),
        torch.arange(int(lengths.max())) < lengths[:, None],
    )
