"""How much an encoder saves that reads a dialogue once, and not once for each of its utterances.

Both ways give every clip the states of its own words within the same sequence; the difference between them is printed
beside the ratio. ``python benchmarks/dialogue_encoding.py [--write]``
"""

from __future__ import annotations

import argparse
import random
from dataclasses import replace

import numpy as np
import torch
from report import conditions, cpu_time_s, publish
from torch import Tensor

from skesl.context import DialogueBatch
from skesl.dialogue_table import DialogueTable
from skesl.text import TextEncoder, load_text_encoder

TITLE, NAME = "## Dialogues: the encoder once for each, or once for each utterance", "dialogue_encoding"
WORDS = ("it", "was", "good", "bad", "a", "film", "we", "saw", "what", "they", "did", "not", "know", "then", "why")
LENGTHS = (6, 10, 16)  # utterances of a dialogue; MELD's have 10 on average
N_WORD = (2, 18)  # words of an utterance


def table_of(encoder: TextEncoder, n_utterance: int, n_dialogue: int) -> DialogueTable:
    """Return dialogues of random words."""
    drawn = random.Random(0)
    texts = [
        " ".join(drawn.choices(WORDS, k=drawn.randint(*N_WORD))) for _ in range(n_dialogue) for _ in range(n_utterance)
    ]
    numbers = np.repeat(np.arange(n_dialogue), n_utterance)
    return DialogueTable.build(texts, numbers, np.arange(len(texts)), encoder, max_tokens=512)


def per_utterance(batch: DialogueBatch) -> DialogueBatch:
    """Return the same clips with a sequence of its own for each, as a row of the released data has it."""
    return replace(batch, ids=batch.ids[batch.rows], mask=batch.mask[batch.rows], rows=torch.arange(len(batch.rows)))


def states(encoder: TextEncoder, batch: DialogueBatch) -> Tensor:
    """Return the states of each clip's own words."""
    with torch.inference_mode():
        hidden = encoder.model(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state
    return batch.utterances(hidden)[0]


def row(encoder: TextEncoder, n_utterance: int, n_dialogue: int, n_repeat: int) -> str:
    """Return a line of the table."""
    batch = table_of(encoder, n_utterance, n_dialogue).batch(np.arange(n_utterance * n_dialogue))
    apart = per_utterance(batch)
    states(encoder, batch)  # warms up
    apart_s, expected = cpu_time_s(lambda: states(encoder, apart), n_repeat=n_repeat)
    once_s, found = cpu_time_s(lambda: states(encoder, batch), n_repeat=n_repeat)
    error = float((found - expected).abs().max())
    return (
        f"| {n_dialogue} x {n_utterance} | {int(batch.mask.sum())} | {int(apart.mask.sum())} | {1e3 * apart_s:.0f} | "
        f"{1e3 * once_s:.0f} | {apart_s / once_s:.1f} | {error:.1e} |"
    )


def main() -> None:
    """Measure and print; put the table into RESULTS.md where that is wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text-encoder", default="minilm-l6")
    parser.add_argument("--dialogues", type=int, default=3, help="in a batch")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    about = conditions(["torch", "transformers"])
    encoder = load_text_encoder(options.text_encoder)
    encoder.model.eval()
    lines = [
        "| dialogues x utterances | tokens once | tokens per utterance | per utterance, ms | once, ms | ratio "
        "| error |",
        "|---|---|---|---|---|---|---|",
        *(row(encoder, n_utterance, options.dialogues, options.repeat) for n_utterance in LENGTHS),
    ]
    print("\n".join(lines))
    if not options.write:
        return
    publish(
        TITLE,
        NAME,
        f"States of every utterance's own words within its dialogue, {options.text_encoder} on one thread: a batch "
        "that holds each dialogue once, against one that holds it once for each utterance. Error: the largest "
        "difference between the two, float32.",
        lines,
        f"`python benchmarks/dialogue_encoding.py --write`, {about}",
    )


if __name__ == "__main__":
    main()
