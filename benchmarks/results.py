"""Methods on real data that we can hold: MOSI's texts, RAVDESS with each actor left out, MELD's dialogues.

    MMFEAT_REAL_DATA=FOLDER python benchmarks/results.py [--seeds N] [--only TABLE] [--row NAME ...] [--write]

Trains every method with every seed, which takes hours on a CPU. The runs stay in ``--out``; the same call again goes on
where a killed one stopped and takes finished runs as they are. ``--write`` puts the tables into RESULTS.md.
"""

from __future__ import annotations

import os

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import argparse
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from contrast_results import contrast_rows, gain_over_actors
from dialogue_results import MELD_SHARE, MER23_SHARE, dialogue_rows
from real_data import ACTORS, build_grid, build_mosi, build_ravdess, build_sentences
from report import conditions, publish

from mmfeat import Split
from skesl import (
    EvaluationConfig,
    ExperimentConfig,
    TrainConfig,
    compare,
    evaluate_runs,
    finetune,
    predict_run,
    pretrain,
)
from skesl.metrics import sentiment_metrics

PACKAGES = ("mmfeat", "torch", "transformers")
TEXT_ENCODER = "minilm-l6"
MOSI_METRICS = ("mae", "corr", "acc2_non0", "acc2_has0", "f1_non0", "acc7_round")
MOSI_TRAIN = TrainConfig(
    n_epochs=5, learning_rate=1e-3, text_encoder_learning_rate=5e-5, length_buckets=True, patience=0, device="cpu"
)
SKESL_TRAIN = replace(MOSI_TRAIN, learning_rate=1e-4)  # of everything but the text encoder, as the paper has it
RAVDESS_TRAIN = TrainConfig(
    n_epochs=6, batch_size=16, learning_rate=5e-4, text_encoder_learning_rate=2e-5, patience=0, device="cpu"
)
WORDS_ALONE: Mapping[str, Any] = {"inputs": {"modalities": ["text"]}}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One row of a table.

    Args:
        name: what the row is called.
        method: name of the method.
        settings: of the method.
        train: of training.
        pretrained_on: what it is pretrained on first, by the name of a builder; None: not at all.
        pretraining: of training in pretraining.
    """

    name: str
    method: str
    train: TrainConfig
    settings: Mapping[str, Any] = field(default_factory=dict)
    pretrained_on: str | None = None
    pretraining: TrainConfig | None = None


MOSI = (
    Entry(name="text_only", method="text_only", train=MOSI_TRAIN),
    Entry(name="skesl, words alone", method="skesl", settings=WORDS_ALONE, train=SKESL_TRAIN),
    Entry(
        name="skesl, words alone, pretrained on sentences",
        method="skesl",
        settings={**WORDS_ALONE, "freeze_text_encoder_in_pretraining": False, "masking": {"max_neutral_fraction": 0.2}},
        train=SKESL_TRAIN,
        pretrained_on="sentences",
        pretraining=replace(SKESL_TRAIN, n_epochs=1),
    ),
    Entry(name="self_mm, words alone", method="self_mm", settings=WORDS_ALONE, train=MOSI_TRAIN),
    Entry(name="tam_ulag, words alone", method="tam_ulag", settings=WORDS_ALONE, train=MOSI_TRAIN),
)
RECURRENT_TRAIN = replace(RAVDESS_TRAIN, learning_rate=1e-3)
RAVDESS = (
    Entry(name="text_only", method="text_only", train=RAVDESS_TRAIN),
    Entry(name="skesl", method="skesl", train=RAVDESS_TRAIN),
    Entry(
        name="skesl, pretrained on GRID",
        method="skesl",
        train=RAVDESS_TRAIN,
        pretrained_on="grid",
        pretraining=replace(RAVDESS_TRAIN, n_epochs=3),
    ),
    Entry(name="self_mm", method="self_mm", train=RECURRENT_TRAIN),
    Entry(name="tam_ulag", method="tam_ulag", train=RECURRENT_TRAIN),
    Entry(name="tam_ulag, words alone", method="tam_ulag", settings=WORDS_ALONE, train=RECURRENT_TRAIN),
    Entry(name="tam_ulag, as released", method="tam_ulag", settings={"variant": "released"}, train=RECURRENT_TRAIN),
)
_BUILDERS = {"mosi": build_mosi, "ravdess": build_ravdess, "grid": build_grid, "sentences": build_sentences}


@dataclass(frozen=True, kw_only=True)
class Book:
    """Where the data and the runs lie, and which seeds of which rows are trained; of all where none is named."""

    data: Path
    out: Path
    seeds: tuple[int, ...]
    rows: tuple[str, ...] = ()

    def chosen(self, entries: Sequence[Entry]) -> list[Entry]:
        """Return the first entry, with which the others are compared, and those that were asked for."""
        return [entry for entry in entries if entry is entries[0] or not self.rows or entry.name in self.rows]

    def dataset(self, name: str) -> Path:
        """Return a dataset file, built where it is not there."""
        path = self.out / f"{name}.h5"
        if not path.exists():
            self.out.mkdir(parents=True, exist_ok=True)
            _BUILDERS[name](self.data, self.out)
        return path

    def runs(self, protocol: str, entry: Entry, *, scheme: str = "default", part: str = "") -> list[Path]:
        """Return the run folders of all seeds, trained where they are not there."""
        folder = self.out / "runs" / protocol / entry.name.replace(", ", "-").replace(" ", "_")
        found = []
        for seed in self.seeds:
            run = folder / part / f"seed-{seed}"
            before = self._pretrained(entry, folder)
            settings = {} if before else dict(entry.settings)
            config = ExperimentConfig(
                method=entry.method,
                text_encoder=None if before else TEXT_ENCODER,
                from_run=before,
                train=replace(entry.train, seed=seed),
                method_settings=settings,
                scheme=scheme,
                reuse_finished=True,
            )
            report = finetune(self.dataset(protocol), run, config)
            print(report.summary(), file=sys.stderr)
            found.append(run)
        return found

    def _pretrained(self, entry: Entry, folder: Path) -> Path | None:
        """Return the pretrained run that all seeds start from."""
        if entry.pretrained_on is None or entry.pretraining is None:
            return None
        run = folder.with_name(f"{folder.name}-pretraining")  # beside the seeds: a folder of runs holds nothing else
        config = ExperimentConfig(
            method=entry.method,
            text_encoder=TEXT_ENCODER,
            train=entry.pretraining,
            method_settings=dict(entry.settings),
            reuse_finished=True,
        )
        pretrain(self.dataset(entry.pretrained_on), run, config)
        return run


def mosi_rows(book: Book) -> Iterator[str]:
    """Yield a row for each method: metrics of the test part with intervals, and what it gains over the text alone."""
    baseline = book.runs("mosi", MOSI[0])
    for entry in book.chosen(MOSI):
        runs = book.runs("mosi", entry)
        report = evaluate_runs(runs, book.dataset("mosi"), EvaluationConfig(device="cpu", text_only=baseline[0].parent))
        cells = [_cell(report.metrics[name], report.sd.get(name), report.intervals[name]) for name in MOSI_METRICS]
        gain = report.gains["text_only"]["mae"]
        low, high = gain.interval
        compared = "" if entry is MOSI[0] else f"{gain.difference:+.3f} ({low:+.3f} to {high:+.3f})"
        yield f"| {entry.name} | {' | '.join(cells)} | {compared} |"
    yield from _gains_of_pretraining(book)


def _gains_of_pretraining(book: Book) -> Iterator[str]:
    """Yield a sentence on each method that was pretrained, held against itself without."""
    for entry in book.chosen(MOSI):
        if entry.pretrained_on is None:
            continue
        plain = next(one for one in MOSI if one.pretrained_on is None and one.method == entry.method)
        with tempfile.TemporaryDirectory() as name:  # with the seeds that are asked for, whatever else was trained
            folders = [Path(name, run.parent.name) for run in (book.runs("mosi", one)[0] for one in (plain, entry))]
            for folder, one in zip(folders, (plain, entry), strict=True):
                folder.mkdir()
                for run in book.runs("mosi", one):
                    (folder / run.name).symlink_to(run.resolve())
            found = compare(folders[0], folders[1], book.dataset("mosi"), metric="mae", device="cpu")
        yield ""
        yield textwrap.fill(f"Pretraining on {entry.pretrained_on}: {found.sentence()}.", 120)


def _cell(value: float, deviation: float | None, interval: tuple[float, float]) -> str:
    spread = "" if deviation is None else f" ± {deviation:.3f}"
    return f"**{value:.3f}**{spread} ({interval[0]:.3f} to {interval[1]:.3f})"


def ravdess_rows(book: Book) -> Iterator[str]:
    """Yield a row for each method: mean r, r on each actor who was left out, and what it gains over the text alone."""
    by_entry = {entry.name: _rs_by_actor(book, entry) for entry in book.chosen(RAVDESS)}
    alone = by_entry["text_only"]
    for entry in book.chosen(RAVDESS):
        rs = by_entry[entry.name]
        means = rs.mean(axis=1)  # of each seed
        spread = f" ± {means.std(ddof=1):.3f}" if len(means) > 1 else ""
        compared = "" if entry is RAVDESS[0] else gain_over_actors((rs - alone).mean(axis=0))
        actors = " | ".join(f"{value:.3f}" for value in rs.mean(axis=0))
        yield f"| {entry.name} | **{means.mean():.3f}**{spread} | {actors} | {compared} |"


def _rs_by_actor(book: Book, entry: Entry) -> np.ndarray:
    """Return Pearson's r on the clips of the actor who was left out, shape (seed, actor); 0 of a constant answer."""
    columns = []
    for actor in ACTORS:
        runs = book.runs("ravdess", entry, scheme=f"actor-{actor}", part=f"actor-{actor}")
        found = [predict_run(run, book.dataset("ravdess"), part=Split.TEST, device="cpu") for run in runs]
        columns.append([sentiment_metrics(said.labels[:, 0], said.answers[:, 0])["corr"] for said in found])
    rs: np.ndarray = np.nan_to_num(np.array(columns).T)
    return rs


def main() -> int:
    """Train, evaluate and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="seeds of every method")
    parser.add_argument("--only", choices=tuple(_tables()), default=None, help="one table")
    parser.add_argument("--row", action="append", default=[], help="a row of the tables by its name; default all")
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder of datasets and runs")
    parser.add_argument("--write", action="store_true", help="put the tables into RESULTS.md")
    choices = parser.parse_args()
    data = os.environ.get("MMFEAT_REAL_DATA")
    if not data:
        print("results: expected MMFEAT_REAL_DATA to name the folder of real clips, got nothing", file=sys.stderr)
        return 3
    book = Book(data=Path(data), out=choices.out, seeds=tuple(range(choices.seeds)), rows=tuple(choices.row))
    measured = conditions(PACKAGES)
    made_by = f"{choices.seeds} seeds each. Made by `make results`: {measured}."
    for protocol, (title, about, header, rows) in _tables().items():
        if choices.only not in (None, protocol):
            continue
        lines = [*header, *rows(book)]
        print("\n".join([title, *lines, ""]))
        if choices.write:
            publish(title, f"results-{protocol}", about, lines, made_by)
    return 0


def _tables() -> dict[str, tuple[str, str, Sequence[str], Any]]:
    mosi_columns = ["method", *MOSI_METRICS, "mae - that of text_only"]
    ravdess_columns = ["method", "mean r", *(f"actor {actor}" for actor in ACTORS), "mean r - that of text_only"]
    return {
        "mosi": (
            "## Methods on real data: MOSI's texts",
            "CMU-MOSI's transcripts and labels, standard split, 1,284 / 229 / 686 clips, text encoder all-MiniLM-L6 "
            "(22 M parameters, fine-tuned); the epoch is chosen by mae on the validation part. Test part: mean ± "
            "standard deviation over the seeds (95 % interval, recordings resampled). Its sound and faces are not ours "
            "to hold, so every method reads words alone here. Seeds share "
            "one pretraining.",
            _header(mosi_columns),
            mosi_rows,
        ),
        "ravdess": (
            "## Methods on real data: RAVDESS",
            "Valence of 300 clips of five actors who say two sentences, so that the words tell nothing: log-F0, MFCC, "
            "chroma and action units decide. Each actor is left out once, another one chooses the epoch, three are "
            "trained on. Pearson's r on the actor who was left out, 0 for a constant answer; mean ± standard deviation "
            "over the seeds, then each actor's mean. The last column has the 95 % interval over the actors (Student's "
            "t, five draws). Seeds share one pretraining.",
            _header(ravdess_columns),
            ravdess_rows,
        ),
        "contrast": (
            "## Methods on real data: contrast by valence and arousal",
            "UniVA on RAVDESS, voice and face: which of eight emotions 300 clips of five actors show, each actor left "
            "out once; models of valence and arousal (`skesl va-fit`) are fitted on the three actors that are trained "
            "on. Without the contrastive term, and with it at its default weight of 0.2: mean over the actors ± "
            "standard deviation over the seeds; the difference with its 95 % interval over the actors (Student's t, "
            "five draws).",
            _header(["metric", "without", "with", "with - without"]),
            lambda book: contrast_rows(book.data, book.out / "contrast", book.seeds),
        ),
        "dialogues": (
            "## Methods on real data: texts in their dialogues",
            "UniVA without voice and face, all-MiniLM-L6 fine-tuned for three epochs: micro-F1 of the emotions of each "
            "text of the test part, read alone (batches of texts of like length) and read in its dialogue (batches of "
            "whole dialogues); the epoch is chosen on the validation part. "
            f"MELD: {MELD_SHARE:.0%} of the dialogues. MER23 has none: ten clips with neighbouring numbers stand in "
            f"for one, which are of different scenes, so that nothing is to be gained; {MER23_SHARE:.0%} of them. "
            "Means over the seeds, 95 % interval of the difference with dialogues resampled, permutation test.",
            _header(["corpus", "texts", "alone", "in the dialogue", "dialogue - alone", "p"]),
            lambda book: dialogue_rows(book.data, book.out / "dialogues", book.seeds),
        ),
    }


def _header(columns: Sequence[str]) -> list[str]:
    return [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]


if __name__ == "__main__":
    sys.exit(main())
