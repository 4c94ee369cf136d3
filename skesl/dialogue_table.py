"""A text among the others of its dialogue: the whole dialogue in one sequence, and which of its tokens are whose.

BERT reads ``[CLS] u1 [SEP] u2 [SEP]``, RoBERTa ``<s> u1 </s></s> u2 </s>``. A dialogue that is too long loses its last
tokens where its utterances are longest, one at a time. One of so many utterances that not even their first tokens fit
is parted into stretches of equal numbers of utterances; every utterance stands in one stretch, whatever clips are read
with it, so that the encoder reads a stretch once for all of them.

Source: UniVA (ACM MM 2024), NUSTM/UniVA at ce59bbc, utils/ExtraTextDetail.py, whose sequences grow beyond the encoder's
limit where many short utterances and their separators do (:155-161, :195).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch

from mmfeat import DatasetReader
from skesl.context import DialogueBatch, DialogueText, IntArray, padded
from skesl.dialogue_length import fitted, stretches
from skesl.inputs import Cut, DialogueInputConfig
from skesl.text import TextEncoder, tokenise
from skesl.text_table import chunks


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
        ids, mask = padded([self._sequence(int(sequence)) for sequence in different])
        return DialogueBatch(
            ids=ids,
            mask=mask,
            rows=torch.from_numpy(rows.astype(np.int64)),
            firsts=torch.from_numpy(self.firsts[utterances]),
            n_tokens=torch.from_numpy(self.n_tokens[utterances]),
        )

    def _sequence(self, sequence: int) -> IntArray:
        return self.ids[self.offsets[sequence] : self.offsets[sequence + 1]].astype(np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class RecordingTexts:
    """Clips of a dataset in their recordings, of which every text is read, whoever of its clips is asked for.

    Args:
        table: the texts of all clips of these recordings.
        utterances: int64, shape (clip,): where each clip stands in the table.
    """

    table: DialogueTable
    utterances: IntArray

    @classmethod
    def build(cls, reader: DatasetReader, indices: IntArray, encoder: TextEncoder, inputs: DialogueInputConfig) -> Self:
        """Return clips with the others of their recordings; errors as in ``DialogueTable.build``."""
        recordings = np.unique(np.asarray(reader.recording_ids, dtype=np.str_), return_inverse=True)[1].reshape(-1)
        members = np.flatnonzero(np.isin(recordings, recordings[indices]))
        dialogues = np.unique(recordings[members], return_inverse=True)[1].reshape(-1).astype(np.int64)
        positions = np.asarray(reader.positions, dtype=np.int64)[members]
        table = DialogueTable.build(
            (reader.texts[index] for index in members),
            dialogues,
            positions,
            encoder,
            max_tokens=inputs.max_dialogue_tokens or encoder.max_tokens,
            min_utterance_tokens=inputs.min_utterance_tokens,
        )
        return cls(table=table, utterances=np.searchsorted(members, indices))

    @property
    def n_byte(self) -> int:
        """Bytes that the texts take in memory."""
        return self.table.n_byte + self.utterances.nbytes

    def text(self, item: int) -> DialogueText:
        """Return the text of a clip in its recording."""
        return self.table.text(int(self.utterances[item]))

    def batch(self, items: IntArray) -> DialogueBatch:
        """Return the texts of some clips, each of their recordings once."""
        return self.table.batch(self.utterances[items])

    def cut(self) -> Cut | None:
        """Return what the limit leaves out of these clips' own texts; None where that is nothing."""
        beyond = (self.table.n_pieces - self.table.n_tokens)[self.utterances]
        beyond = beyond[beyond > 0]
        if not beyond.size:
            return None
        limit = self.table.max_tokens
        return Cut(name="text", unit="tokens", limit=limit, n_clip=beyond.size, n_left_out=int(beyond.sum()))


def separators_between(encoder: TextEncoder) -> int:
    """Return how many separators stand between two texts: two where the tokenizer puts them, as RoBERTa's does."""
    return 2 if encoder.tokenizer.num_special_tokens_to_add(pair=True) == 4 else 1


def _ranges(starts: IntArray, lengths: IntArray) -> IntArray:
    """Return the numbers from each start, as many as its length, one behind the other."""
    return np.repeat(starts - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())
