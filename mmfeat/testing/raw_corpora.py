"""Raw trees of the corpora in miniature: their layouts, real ids of their published splits, invented content.

With ``faults`` each holds what goes wrong in practice; the docstrings say what, and at which clip.
"""

from __future__ import annotations

from pathlib import Path

from mmfeat.corpora.facts import published_split
from mmfeat.testing.material import WORDS
from mmfeat.testing.raw_tree import RawTree
from mmfeat.types import Split

_LABELS = (-2.0, 1.5, 0.0, 2.5, -1.0, 3.0, -3.0, 0.5)


def make_raw_mosi(
    root: Path,
    *,
    n_clip: int = 3,
    sound: bool = True,
    video: bool = False,
    openface: bool = False,
    faults: bool = False,
) -> Path:
    """Write CMU-MOSI's raw tree with two recordings of the train part and one of each other part.

    Faults: ``03bSnISJMiM_2`` has no sound, ``_3`` is labelled 7.5 and its sound ends in ``.WAV``; ``_1`` stands twice
    among the labels; the transcripts speak of a clip ``_99`` that nothing else knows; hidden files and ``__MACOSX``.

    Args:
        root: the folder to make.
        n_clip: clips of each recording, the first ones of the published split.
        sound: write the sound of the clips.
        video: write videos of the clips.
        openface: write OpenFace files, into the folder ``openface`` of the root.
        faults: plant faults.

    Returns:
        The root.
    """
    tree = RawTree(root)
    rows: list[list[object]] = []
    for recording, part in _recordings("mosi", n_train=2):
        lines = []
        for clip in range(1, n_clip + 1):
            label = _LABELS[len(rows) % len(_LABELS)]
            text = f"IT WAS {WORDS[(label > 0) - (label < 0)].upper()} TAKE {clip}"
            rows.append([recording, clip, text, label, "", part.name.lower(), 0])
            lines.append(f"{clip}_DELIM_{text}")
            if sound:
                tree.sound(f"Audio/WAV_16000/Segmented/{recording}_{clip}.wav")
            if video:
                tree.video(f"Video/Segmented/{recording}_{clip}.mp4")
            if openface:
                tree.openface(f"openface/{recording}_{clip}.csv")
        tree.text(f"Transcript/Segmented/{recording}.annotprocessed", *lines)
    if faults:
        _spoil_mosi(tree, rows, sound=sound)
    tree.table("MOSI-label.csv", ["video_id", "clip_id", "text", "label", "annotation", "mode", "label_by"], rows)
    return root


def _spoil_mosi(tree: RawTree, rows: list[list[object]], *, sound: bool) -> None:
    first = rows[0][0]
    rows[2][3] = 7.5
    rows.append(rows[0])
    transcript = tree.root / f"Transcript/Segmented/{first}.annotprocessed"
    transcript.write_text(f"{transcript.read_text()}99_DELIM_NOBODY SAID THIS\n")
    tree.litter("Transcript/Segmented", f"{first}.annotprocessed")
    if sound:
        tree.remove(f"Audio/WAV_16000/Segmented/{first}_2.wav")
        tree.rename(f"Audio/WAV_16000/Segmented/{first}_3.wav", f"{first}_3.WAV")
        tree.litter("Audio/WAV_16000/Segmented", f"{first}_1.wav")


def _recordings(name: str, *, n_train: int) -> list[tuple[str, Split]]:
    """Return the first recordings of each part of a published split."""
    wanted = {Split.TRAIN: n_train, Split.VALID: 1, Split.TEST: 1}
    found: dict[str, Split] = {}
    for clip_id, part in published_split(name).items():
        recording = clip_id.rpartition("_")[0]
        if list(found.values()).count(part) < wanted[part]:
            found.setdefault(recording, part)
    return list(found.items())
