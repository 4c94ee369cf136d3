"""Raw trees in miniature of the corpora with recordings, dialogues and speakers: CMU-MOSEI, M3ED, VoxCeleb.

Layouts and ids are the real ones, the content is invented. With ``faults`` each holds what goes wrong in practice; the
docstrings say what, and at which clip.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mmfeat.corpora.facts import fact_rows, published_recordings, published_split
from mmfeat.testing.raw_corpora import first_recordings
from mmfeat.testing.raw_tree import RawTree
from mmfeat.types import Split

_STEP_S = 0.75  # from the start of a clip to the start of the next one
_LENGTH_S = 0.5  # of a clip
_EMOTIONS = ("Happy", "Neutral", "Sad", "Disgust", "Anger", "Fear", "Surprise")


def make_raw_mosei(
    root: Path,
    *,
    n_clip: int = 3,
    sound: bool = True,
    video: bool = False,
    openface: bool = False,
    transcripts: bool = True,
    words: bool = False,
    faults: bool = False,
) -> Path:
    """Write CMU-MOSEI's raw tree: two recordings of the train part, one of each other part.

    Clip ``k`` of a recording lies from ``0.25 + 0.75 k`` s to 0.5 s later; the rows of the labels go from last to
    first, as the SDK's stand in no order. Faults: of the first recording the first row is labelled 9 for sentiment and
    stands twice, the last row has the times of no sentence, the sound ends in ``.WAV``; the second recording has no
    sound; hidden files and ``__MACOSX``.

    Args:
        root: the folder to make.
        n_clip: clips of each recording, the first ones of the published split.
        sound: write one sound for each recording.
        video: write one video for each recording.
        openface: write one OpenFace file for each recording, into the folder ``openface`` of the root.
        transcripts: write the segmented transcripts, which hold the numbers of the clips.
        words: write a sequence of word times.
        faults: plant faults.

    Returns:
        The root.
    """
    tree = RawTree(root)
    rows: dict[str, tuple[list[list[float]], list[list[float]]]] = {}
    spoken: dict[str, tuple[list[list[str]], list[list[float]]]] = {}
    published = list(published_split("mosei"))
    recordings = [name for name, _ in first_recordings("mosei", n_train=2, n_clip=n_clip)]
    for place, recording in enumerate(recordings):
        clips = [clip_id.removeprefix(f"{recording}_") for clip_id in published if clip_id.startswith(f"{recording}_")]
        starts = [0.25 + _STEP_S * index for index in range(len(clips[:n_clip]))]
        values = [_labels(4 * place + index) for index in range(len(starts))]
        times = [[start, start + _LENGTH_S] for start in starts]
        rows[recording] = (values[::-1], times[::-1])
        spoken[recording] = ([["sp"], *([f"word{i}"] for i in range(len(starts)))], [[0.0, 0.25], *times])
        duration_s = 0.5 + _STEP_S * len(starts)
        if transcripts:
            lines = [
                f"{recording}___{clip}___{start:.2f}___{start + _LENGTH_S:.2f}___I said sentence {clip}."
                for clip, start in zip(clips, starts, strict=False)
            ]
            tree.text(f"Transcript/Segmented/Combined/{recording}.txt", *lines)
        if sound:
            tree.sound(f"Audio/Full/WAV_16000/{recording}.wav", duration_s=duration_s)
        if video:
            tree.video(f"Videos/Full/Combined/{recording}.mp4", n_frame=round(25 * duration_s))
        if openface:
            tree.openface(f"openface/{recording}.csv", n_frame=round(25 * duration_s))
    if faults:
        values, times = rows[recordings[0]]
        values[0][0] = 9.0
        times[-1] = [40.0, 41.0]
        values.append(values[0])
        times.append(times[0])
        if sound:
            tree.remove(f"Audio/Full/WAV_16000/{recordings[1]}.wav")
            tree.rename(f"Audio/Full/WAV_16000/{recordings[0]}.wav", f"{recordings[0]}.WAV")
            tree.litter("Audio/Full/WAV_16000", f"{recordings[0]}.wav")
    root.mkdir(parents=True, exist_ok=True)
    write_sequence(root / "CMU_MOSEI_Labels.csd", "All Labels", rows)
    if words:
        write_sequence(root / "CMU_MOSEI_TimestampedWords.csd", "words", spoken)
    return root


def _labels(index: int) -> list[float]:
    """Return sentiment and the six emotions of a clip."""
    emotions = [0.0] * 6
    emotions[index % 6] = 1.0 + index % 3 / 3
    return [index % 7 - 3.0, *emotions]


def write_sequence(path: Path, root: str, entries: Mapping[str, tuple[Sequence[Any], Sequence[Any]]]) -> Path:
    """Write a computational sequence: features and intervals by key; features are numbers or texts."""
    with h5py.File(path, "w") as file:
        file.create_group(f"{root}/metadata")
        for key, (features, intervals_s) in entries.items():
            is_text = bool(features) and isinstance(features[0][0], str)
            values = np.asarray(features, dtype="S16" if is_text else np.float32)
            file[f"{root}/data/{key}/features"] = values
            file[f"{root}/data/{key}/intervals"] = np.asarray(intervals_s, dtype=np.float64)
    return path


def make_raw_m3ed(root: Path, *, n_utterance: int = 3, whole_dialogues: bool = False, faults: bool = False) -> Path:
    """Write M3ED's raw tree: a dialogue of each of two series of the train part and of one of each other part.

    Utterance ``k`` lies from ``0.75 k`` s to 0.5 s later. Faults: the first utterance has no sound; the second has the
    emotions ``"Happy, Sad "`` with blanks, its sound ends in ``.WAV``; the third has an emotion that nobody knows; a
    series ``nowhere`` is in no part; hidden files and ``__MACOSX``.

    Args:
        root: the folder to make.
        n_utterance: of each dialogue.
        whole_dialogues: write one sound for each dialogue in place of one for each utterance.
        faults: plant faults.

    Returns:
        The root.
    """
    tree = RawTree(root)
    parts = published_recordings("m3ed")
    by_part = [[name for name, own in parts.items() if own == part] for part in (Split.TRAIN, Split.VALID, Split.TEST)]
    chosen = [*by_part[0][:2], by_part[1][0], by_part[2][0]]
    annotation: dict[str, Any] = {}
    n_clip = 0
    for series in [*chosen, *(["nowhere"] if faults else [])]:
        dialogue, utterances = f"{series}_1", {}
        for number in range(1, n_utterance + 1):
            speaker = "AB"[number % 2]
            start_s = _STEP_S * (number - 1)
            emotion = _EMOTIONS[n_clip % len(_EMOTIONS)]
            utterances[f"{dialogue}_{number}"] = {
                "StartTime": _time(start_s),
                "EndTime": _time(start_s + 0.48),
                "Text": f"第{number}句",
                "Speaker": speaker,
                "EmoAnnotation": {"final_mul_emo": emotion, "final_main_emo": emotion},
            }
            n_clip += 1
            if not whole_dialogues:
                tree.sound(f"audio/{speaker}_{dialogue}_{number}.wav")
        if whole_dialogues:
            tree.sound(f"audio/{dialogue}.wav", duration_s=_STEP_S * n_utterance)
        speakers = {name: {"Name": f"{series} {name}", "Age": "mid", "Gender": "female"} for name in "AB"}
        annotation[series] = {dialogue: {"SpeakerInfo": speakers, "Dialog": utterances}}
    if faults:
        dialogue = f"{chosen[0]}_1"
        dialog = annotation[chosen[0]][dialogue]["Dialog"]
        dialog[f"{dialogue}_2"]["EmoAnnotation"]["final_mul_emo"] = "Happy, Sad "
        dialog[f"{dialogue}_3"]["EmoAnnotation"]["final_mul_emo"] = "Bored"
        tree.remove(f"audio/B_{dialogue}_1.wav")
        tree.rename(f"audio/A_{dialogue}_2.wav", f"A_{dialogue}_2.WAV")
        tree.litter("audio", f"B_{dialogue}_1.wav")
    tree.text("annotation.json", json.dumps(annotation, ensure_ascii=False, indent=1))
    return root


def _time(seconds: float) -> str:
    """Return a time as HH:MM:SS:FF at 25 frames a second."""
    frames = round(25 * seconds)
    return f"00:00:{frames // 25:02d}:{frames % 25:02d}"


def make_raw_voxceleb(
    root: Path, *, n_speaker: int = 4, n_clip: int = 2, emo: bool = True, openface: bool = False, faults: bool = False
) -> Path:
    """Write the raw tree of EmoVoxCeleb, or of VoxCeleb1: the first speakers of the list of VoxCeleb1.

    The first ones are from Ireland, India, India, the USA. Faults: ``Katie_Aselton`` has one clip of the list that
    SKESL leaves out and one other; ``Nobody_Known`` is in no list; ``Aaron_Tveit`` has a text without sound, a sound
    that ends in ``.WAV`` and the same clip once more as ``.flac``; hidden files and ``__MACOSX``.

    Args:
        root: the folder to make.
        n_speaker: number of speakers.
        n_clip: clips of each.
        emo: the layout of EmoVoxCeleb, else that of VoxCeleb1.
        openface: write OpenFace files, into the folder ``openface`` of the root.
        faults: plant faults; only in the layout of EmoVoxCeleb.

    Returns:
        The root.
    """
    tree = RawTree(root)
    speakers = [(row["speaker_id"], row["name"]) for row in fact_rows("voxceleb1")[:n_speaker]]
    for index, (speaker_id, name) in enumerate(speakers):
        video = f"video{index:06d}"
        for clip in range(1, n_clip + 1):
            if emo:
                _emo_clip(tree, name, video, f"{clip:07d}", openface=openface)
            else:
                tree.sound(f"wav/{speaker_id}/{video}/{clip:05d}.wav")
                if openface:
                    tree.openface(f"openface/{speaker_id}/{video}/{clip:05d}.csv")
    if faults:
        _emo_clip(tree, "Katie_Aselton", "7_ZlkxpOTsY", "0000001", openface=openface)
        _emo_clip(tree, "Katie_Aselton", "otherVideo1", "0000001", openface=openface)
        _emo_clip(tree, "Nobody_Known", "otherVideo2", "0000001", openface=openface)
        tree.text("text/Aaron_Tveit/video000003_0000099.txt", "nobody heard this")
        tree.rename("audio/Aaron_Tveit/video000003_0000001.wav", "video000003_0000001.WAV")
        tree.sound("audio/Aaron_Tveit/video000003_0000001.flac")
        tree.litter("audio/Aaron_Tveit", "video000003_0000001.wav")
    return root


def _emo_clip(tree: RawTree, name: str, video: str, clip: str, *, openface: bool) -> None:
    tree.sound(f"audio/{name}/{video}_{clip}.wav")
    tree.text(f"text/{name}/{video}_{clip}.txt", f"{name} says clip {int(clip)}")
    tree.text(f"video/{name}/1.6/{video}/{int(clip)}/0000001.jpg", "stands for a picture")
    if openface:
        file = f"{name}_{video}_{clip}".replace(".", "_")  # as SKESL's script names it
        tree.openface(f"openface/{file}.csv")
