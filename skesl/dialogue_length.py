"""How much of each utterance stands in the one sequence of its dialogue.

Lengths alone, for many dialogues at once; see ``skesl.dialogue_table`` for the rules.
"""

from __future__ import annotations

import numpy as np

from mmfeat.errors import ConfigError
from skesl.context import IntArray


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
    parts: IntArray = places * np.repeat(n_parts, sizes) // np.repeat(sizes, sizes)
    parts += np.repeat(first_parts, sizes)
    return parts


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
    kept: IntArray = np.minimum(n_pieces, low[sequences])
    left = budgets - np.add.reduceat(kept, starts)
    cut = kept < n_pieces
    # Of equally long ones the first loses its token first, so the last ones keep what is left.
    n_cut = np.add.reduceat(cut.astype(np.int64), starts)
    rank = np.cumsum(cut) - (np.cumsum(n_cut) - n_cut)[sequences]
    kept += cut & (rank > (n_cut - left)[sequences])
    return kept
