"""Datasets of the real clips that MMFEAT_REAL_DATA names: RAVDESS, GRID, MOSI's texts, and sentences without labels."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from mmfeat import CORPORA, BuildReport, build_corpus, build_dataset, read_manifest, resolve_build_config

ACTORS = (1, 2, 3, 4, 5)


def grid_manifest(data: Path, folder: Path) -> Path:
    """Write a manifest of the GRID clips; the texts come from the word alignments."""
    rows = []
    for video in sorted((data / "grid" / "video").glob("*.mpg")):
        alignment = (data / "grid" / "align" / f"{video.stem}.align").read_text().split()[2::3]
        rows.append(
            {
                "clip_id": video.stem,
                "recording_id": video.stem,
                "video": video.resolve(),
                "openface": (data / "grid" / "openface" / f"{video.stem}.csv").resolve(),
                "text": " ".join(word for word in alignment if word not in ("sil", "sp")),
            }
        )
    return write_rows(folder / "grid.csv", rows)


def ravdess_manifest(data: Path, folder: Path) -> Path:
    """Write a manifest of the RAVDESS clips with one leave-one-actor-out scheme for each actor.

    In scheme ``actor-k`` actor k is the test part, the next actor validation, the other three training.
    """
    root = (data / "ravdess").resolve()
    rows = []
    with (root / "clips.csv").open(newline="") as handle:
        for clip in csv.DictReader(handle):
            actor = int(clip["actor"])
            parts = {f"split:actor-{k}": _part(actor, k) for k in ACTORS}
            rows.append(
                {
                    "clip_id": clip["clip_id"],
                    "recording_id": f"actor-{actor}",
                    "speaker_id": f"actor-{actor}",
                    "audio": root / "audio" / f"{clip['clip_id']}.flac",
                    "openface": root / "openface_au" / f"{clip['clip_id']}.csv",
                    "text": clip["text"],
                    "label:valence": clip["valence"],
                    **parts,
                }
            )
    return write_rows(folder / "ravdess.csv", rows)


def _part(actor: int, held_out: int) -> str:
    if actor == held_out:
        return "test"
    return "valid" if actor == held_out % len(ACTORS) + 1 else "train"


def sentences_manifest(data: Path, folder: Path) -> Path:
    """Write a manifest of sentences without labels: the film reviews of VADER's corpus, and MELD's dialogues."""
    reviews = (data / "text" / "vader" / "movieReviewSnippets_GroundTruth.txt").read_text(encoding="utf-8")
    texts = [line.split("\t")[2] for line in reviews.splitlines()]
    with (data / "labels" / "meld" / "transcription-engchi-polish.csv").open(encoding="utf-8") as handle:
        texts += [row["english"] for row in csv.DictReader(handle)]
    rows = (
        {"clip_id": f"sentence_{number}", "recording_id": f"sentence_{number}", "text": text.strip()}
        for number, text in enumerate(texts)
        if text.strip()
    )
    return write_rows(folder / "sentences.csv", rows)


def write_rows(path: Path, rows: Iterable[Mapping[str, object]]) -> Path:
    """Write rows of equal keys as a csv file."""
    rows = list(rows)
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def build_au(manifest: Path, output: Path, *overrides: str) -> BuildReport:
    """Build a dataset file with the 33 audio features and the 35 action units."""
    config = resolve_build_config(overrides=['openface.groups=["au"]', *overrides])
    return build_dataset(read_manifest(manifest), output, config, n_jobs=2, overwrite=True)


def build_ravdess(data: Path, folder: Path) -> Path:
    """Build RAVDESS as ``ravdess.h5``; its OpenFace files have no times."""
    manifest = ravdess_manifest(data, folder)
    return build_au(manifest, folder / "ravdess.h5", "openface.frame_rate_hz=29.97").path


def build_grid(data: Path, folder: Path) -> Path:
    """Build GRID as ``grid.h5``."""
    return build_au(grid_manifest(data, folder), folder / "grid.h5").path


def build_mosi(data: Path, folder: Path) -> Path:
    """Build MOSI's texts and labels with their standard split as ``mosi.h5``."""
    return build_corpus(CORPORA["mosi"], data / "mosi", folder / "mosi.h5").build.path


def build_sentences(data: Path, folder: Path) -> Path:
    """Build the sentences without labels as ``sentences.h5``."""
    output = folder / "sentences.h5"
    return build_dataset(read_manifest(sentences_manifest(data, folder)), output, overwrite=True).path
