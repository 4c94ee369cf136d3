"""Import the pickles of SKESL: one file with train, valid and test, or one file without parts for pretraining.

Each part has ``raw_text``, ``audio``, ``video`` and, where it is labelled, ``labels``; there are no ids and no lengths.
Ids are made of the part and the place in it. The arrays are cut at 400 (sound) and 55 (video) rows by the scripts that
made them, and shorter ones padded with zeros. Sound is 22,050 Hz with a hop of 512 samples, so its times are known; the
frame rate of the videos is not.

Source: qianfan1996/SKESL, data/CMU-MOSI/{construct_data_pkl,get_audio_embedding,get_video_embedding}.py and
data/EmoVoxCeleb/construct_data_pkl.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmfeat.convert.fields import mapping, numbers, sequences, texts
from mmfeat.convert.mmsa import read_parts
from mmfeat.convert.parts import Part, PartsSource
from mmfeat.convert.report import ImportReport, write_import
from mmfeat.convert.unpickle import load_pickle
from mmfeat.dataset import DatasetInfo, LabelInfo
from mmfeat.errors import InputError

_STREAMS = {"audio": "audio", "video": "vision"}
_ROWS_AT_MOST = {"audio": 400, "vision": 55}
_HOPS_S = {"audio": 512 / 22_050}


def import_skesl_pkl(
    path: Path | str,
    output: Path | str,
    *,
    info: DatasetInfo | None = None,
    overwrite: bool = False,
    origin: Mapping[str, Any] | None = None,
) -> ImportReport:
    """Turn a pickle of SKESL into a dataset file; all arrays are held in memory, twice while they load.

    Args:
        path: the pickle.
        output: the file to make; it appears whole or not at all.
        info: attributes of the dataset; named after the file where None.
        overwrite: replace an existing file.
        origin: what the provenance event says beside the source.

    Raises:
        InputError: the pickle is refused (see ``load_pickle``) or has another layout.
        OutputExistsError: the file exists and ``overwrite`` is false.
    """
    path = Path(path)
    content = mapping(load_pickle(path), str(path))
    raw = {"none": content} if "raw_text" in content else read_parts(content, str(path))
    parts = [_part(name, fields, f"{path}: {name}") for name, fields in raw.items()]
    labels = [LabelInfo(name="sentiment", source="SKESL pickle")] if any(part.labels for part in parts) else []
    source = PartsSource(parts, str(path), hops_s=_HOPS_S, paths=[path])
    return write_import(
        source.source("skesl-pkl", labels, _cut_notes(parts)), Path(output), info, overwrite=overwrite, origin=origin
    )


def _part(name: str, fields: Mapping[str, Any], where: str) -> Part:
    if "raw_text" not in fields:
        found = ", ".join(map(repr, list(fields)[:6])) or "none"
        raise InputError(f"{where}: expected the keys raw_text, audio, video and labels, got {found}; try import-mmsa")
    spoken = texts(fields["raw_text"], f"{where}: raw_text")
    streams = {stream: sequences(fields[key], f"{where}: {key}") for key, stream in _STREAMS.items() if key in fields}
    labels = {"sentiment": numbers(fields["labels"], len(spoken), f"{where}: labels")} if "labels" in fields else {}
    part = Part(name=name, texts=spoken, streams=streams, labels=labels)
    part.check_lengths(where)
    return part


def _cut_notes(parts: list[Part]) -> list[str]:
    """Say how many clips fill their whole array: the scripts that made it have cut them, or nearly."""
    notes = []
    for name, limit in _ROWS_AT_MOST.items():
        full = sum(len(clip) == limit and bool(clip[-1].any()) for part in parts for clip in part.streams.get(name, ()))
        if full:
            notes.append(f"{name}: {full:,} clips fill all {limit} rows; the source has cut them there")
    return notes
