"""A text among the others of its dialogue: the whole dialogue in one sequence, and which of its tokens are whose.

BERT reads ``[CLS] u1 [SEP] u2 [SEP]``, RoBERTa ``<s> u1 </s></s> u2 </s>``. A dialogue that is too long loses its last
tokens where its utterances are longest, one at a time. One of so many utterances that not even their first tokens fit
is parted into stretches of equal numbers of utterances; every utterance stands in one stretch, whatever clips are read
with it, so that the encoder reads a stretch once for all of them.

Source: UniVA (ACM MM 2024), NUSTM/UniVA at ce59bbc, utils/ExtraTextDetail.py, whose sequences grow beyond the encoder's
limit where many short utterances and their separators do (:155-161, :195).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mmfeat.errors import ConfigError
from skesl.text import TextEncoder, tokenise
from skesl.text_table import chunks

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


@dataclass(frozen=True, kw_only=True, eq=False)
class DialogueTable:
    """Dialogues, tokenised once, in a few flat arrays.

    Args:
        ids: int32, shape (token,), of all sequences one behind the other.
        offsets: int64, shape (sequence + 1,).
        sequences: int64, shape (utterance,): the sequence of each utterance.
        firsts: int64, shape (utterance,): where it begins in its sequence.
        n_tokens: int64, shape (utterance,): how many tokens are its own.
        n_pieces: int64, shape (utterance,): how many it had before anything was cut.
        max_tokens: the longest that a sequence may be.
    """

    ids: npt.NDArray[np.int32]
    offsets: IntArray
    sequences: IntArray
    firsts: IntArray
    n_tokens: IntArray
    n_pieces: IntArray
    max_tokens: int

    @classmethod
    def build(
        cls,
        texts: Iterable[str],
        dialogues: IntArray,
        positions: IntArray,
        encoder: TextEncoder,
        *,
        max_tokens: int,
        min_utterance_tokens: int = 1,
    ) -> Self:
        """Return the table of some utterances; its rows are in their order.

        Args:
            texts: what is said.
            dialogues: shape (utterance,): number of the dialogue.
            positions: shape (utterance,): order inside the dialogue; equal ones stay in the order they came.
            encoder: its tokenizer cuts the texts.
            max_tokens: length limit of a sequence; the encoder's own where that is lower.
            min_utterance_tokens: tokens that every utterance may keep; a dialogue of too many is parted.

        Raises:
            ConfigError: not even one utterance fits.
        """
        limit, n_between = min(max_tokens, encoder.max_tokens), separators_between(encoder)
        pieces = [np.asarray(text.ids, dtype=np.int32) for chunk in chunks(texts) for text in tokenise(encoder, chunk)]
        n_pieces = np.asarray([len(ids) for ids in pieces], dtype=np.int64)
        order = np.lexsort((positions, dialogues))
        sequences = stretches(dialogues[order], limit, n_between, min_utterance_tokens)
        n_own = fitted(n_pieces[order], sequences, limit, n_between)
        sizes = n_own + n_between
        starts = np.flatnonzero(np.diff(sequences, prepend=-1))
        lengths = np.add.reduceat(sizes, starts) - n_between + 2 if order.size else np.zeros(0, dtype=np.int64)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        before = np.cumsum(sizes) - sizes
        firsts = before - before[starts][sequences] + 1
        ids = np.full(offsets[-1], encoder.tokenizer.sep_token_id, dtype=np.int32)
        ids[offsets[:-1]] = encoder.tokenizer.cls_token_id
        kept = [pieces[utterance][:n] for utterance, n in zip(order, n_own, strict=True)]
        ids[_ranges(offsets[sequences] + firsts, n_own)] = np.concatenate([*kept, np.zeros(0, dtype=np.int32)])
        place = np.argsort(order)
        return cls(
            ids=ids,
            offsets=offsets,
            sequences=sequences[place],
            firsts=firsts[place],
            n_tokens=n_own[place],
            n_pieces=n_pieces,
            max_tokens=limit,
        )

    @property
    def n_byte(self) -> int:
        """Bytes of all arrays."""
        return sum(value.nbytes for value in vars(self).values() if isinstance(value, np.ndarray))

    def text(self, utterance: int) -> DialogueText:
        """Return one utterance in its dialogue."""
        return DialogueText(
            ids=self._sequence(int(self.sequences[utterance])),
            first=int(self.firsts[utterance]),
            n_token=int(self.n_tokens[utterance]),
        )

    def batch(self, utterances: IntArray) -> DialogueBatch:
        """Return some utterances, each of their dialogues once."""
        different, rows = np.unique(self.sequences[utterances], return_inverse=True)
        ids, mask = _padded([self._sequence(int(sequence)) for sequence in different])
        return DialogueBatch(
            ids=ids,
            mask=mask,
            rows=torch.from_numpy(rows.astype(np.int64)),
            firsts=torch.from_numpy(self.firsts[utterances]),
            n_tokens=torch.from_numpy(self.n_tokens[utterances]),
        )

    def _sequence(self, sequence: int) -> IntArray:
        return self.ids[self.offsets[sequence] : self.offsets[sequence + 1]].astype(np.int64)


def dialogue_batch(texts: Sequence[DialogueText]) -> DialogueBatch:
    """Return utterances that were read one by one; equal sequences become one."""
    rows: dict[bytes, int] = {}
    numbers = [rows.setdefault(text.ids.tobytes(), len(rows)) for text in texts]
    ids, mask = _padded([np.frombuffer(key, dtype=np.int64) for key in rows])
    return DialogueBatch(
        ids=ids,
        mask=mask,
        rows=torch.tensor(numbers, dtype=torch.int64),
        firsts=torch.tensor([text.first for text in texts], dtype=torch.int64),
        n_tokens=torch.tensor([text.n_token for text in texts], dtype=torch.int64),
    )


def separators_between(encoder: TextEncoder) -> int:
    """Return how many separators stand between two texts: two where the tokenizer puts them, as RoBERTa's does."""
    return 2 if encoder.tokenizer.num_special_tokens_to_add(pair=True) == 4 else 1


def stretches(dialogues: IntArray, limit: int, n_between: int, min_tokens: int) -> IntArray:
    """Return the number of each utterance's stretch, shape (utterance,); the dialogues come one behind the other.

    Raises:
        ConfigError: not even one utterance fits.
    """
    n_most = (limit - 2 + n_between) // (min_tokens + n_between)
    if limit < 2 + min_tokens:
        raise ConfigError(
            f"dialogues: expected room for {min_tokens} token(s) of an utterance and two special ones, "
            f"got a limit of {limit}"
        )
    starts = np.flatnonzero(np.diff(dialogues, prepend=-1))
    sizes = np.diff(starts, append=dialogues.size)
    n_parts = -(-sizes // n_most)
    places = np.arange(dialogues.size) - np.repeat(starts, sizes)
    first_parts = np.cumsum(n_parts) - n_parts
    parts = places * np.repeat(n_parts, sizes) // np.repeat(sizes, sizes)
    return (np.repeat(first_parts, sizes) + parts).astype(np.int64)


def fitted(n_pieces: IntArray, sequences: IntArray, limit: int, n_between: int) -> IntArray:
    """Return how many tokens each utterance keeps: the longest lose theirs first, until the sequence fits.

    Args:
        n_pieces: shape (utterance,): tokens of each.
        sequences: shape (utterance,): number of its sequence, ascending from 0.
        limit: of a sequence, special tokens included.
        n_between: separators between two utterances.
    """
    if not n_pieces.size:
        return n_pieces
    starts = np.flatnonzero(np.diff(sequences, prepend=-1))
    sizes = np.diff(starts, append=sequences.size)
    budgets = limit - 2 - (sizes - 1) * n_between
    low, high = np.zeros(starts.size, dtype=np.int64), np.full(starts.size, n_pieces.max(), dtype=np.int64)
    while (low < high).any():  # the largest length that fits if all utterances are cut to it
        middle = (low + high + 1) // 2
        fits = np.add.reduceat(np.minimum(n_pieces, middle[sequences]), starts) <= budgets
        low, high = np.where(fits, middle, low), np.where(fits, high, middle - 1)
    kept = np.minimum(n_pieces, low[sequences])
    left = budgets - np.add.reduceat(kept, starts)
    cut = kept < n_pieces
    # Of equally long ones the first loses its token first, so the last ones keep what is left.
    n_cut = np.add.reduceat(cut.astype(np.int64), starts)
    rank = np.cumsum(cut) - (np.cumsum(n_cut) - n_cut)[sequences]
    return kept + (cut & (rank > (n_cut - left)[sequences]))


def _ranges(starts: IntArray, lengths: IntArray) -> IntArray:
    """Return the numbers from each start, as many as its length, one behind the other."""
    return np.repeat(starts - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())


def _padded(sequences: Sequence[IntArray]) -> tuple[Tensor, Tensor]:
    """Return sequences padded with 0 to one length, and the mask of what is real."""
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    rows = [torch.from_numpy(np.array(sequence)) for sequence in sequences]
    return (
        torch.nn.utils.rnn.pad_sequence(rows, batch_first=True),
        torch.arange(int(lengths.max())) < lengths[:, None],
    )
